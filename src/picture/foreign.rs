//! Files that are no pictures of this program's, told by their first bytes; and files of several pictures.

use std::io::Cursor;

use image::ImageFormat;
use image::codecs::{png::PngDecoder, webp::WebPDecoder};

/// First bytes at an offset, and what they are of.
const KINDS: &[(usize, &[u8], &str)] = &[
    (4, b"ftypheic", "a HEIC photo"),
    (4, b"ftypheix", "a HEIC photo"),
    (4, b"ftypmif1", "a HEIF photo"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftypcrx ", "a raw photo of a camera"),
    (0, b"FUJIFILM", "a raw photo of a camera"),
    (0, b"IIRO", "a raw photo of a camera"),
    (0, b"IIU\0", "a raw photo of a camera"),
    (8, b"CR\x02", "a raw photo of a camera"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (4, b"JXL ", "a JPEG XL picture"),
    (4, b"jP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an SVG or XML document"),
    (0, b"II+\0", "a BigTIFF"),
    (0, b"MM\0+", "a BigTIFF"),
];

/// What a file is of that is not read, if its first bytes tell.
pub(super) fn named(bytes: &[u8]) -> Option<&'static str> {
    let is = |&&(at, start, _): &&(usize, &[u8], &str)| bytes.get(at..).is_some_and(|bytes| bytes.starts_with(start));
    KINDS.iter().find(is).map(|(.., name)| *name)
}

/// Whether a file has frames or pages after the first picture.
pub(super) fn has_more_frames(format: ImageFormat, bytes: &[u8]) -> bool {
    match format {
        ImageFormat::Png => PngDecoder::new(Cursor::new(bytes)).is_ok_and(|png| png.is_apng().unwrap_or(false)),
        ImageFormat::WebP => WebPDecoder::new(Cursor::new(bytes)).is_ok_and(|webp| webp.has_animation()),
        ImageFormat::Tiff => has_second_directory(bytes).unwrap_or(false),
        ImageFormat::Gif => image::codecs::gif::GifDecoder::new(Cursor::new(bytes))
            .is_ok_and(|gif| image::AnimationDecoder::into_frames(gif).take(2).filter(Result::is_ok).count() == 2),
        _ => false,
    }
}

/// Whether a TIFF has a second directory of a picture.
fn has_second_directory(bytes: &[u8]) -> Option<bool> {
    let little_endian = bytes.starts_with(b"II");
    let two = |at: usize| -> Option<usize> {
        let bytes = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(usize::from(if little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }))
    };
    let four = |at: usize| -> Option<usize> {
        let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) } as usize)
    };
    let first = four(4)?;
    Some(four(first.checked_add(2 + 12 * two(first)?)?)? != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_are_not_read_have_names() {
        assert_eq!(named(b"\0\0\0\x18ftypheicmif1"), Some("a HEIC photo"));
        assert_eq!(named(b"II\x2a\0\x10\0\0\0CR\x02\0"), Some("a raw photo of a camera"));
        assert_eq!(named(b"II"), None);
    }
}
