//! Files that are no pictures of this program's, told by their first bytes; and files of several pictures.

use std::io::Cursor;

use image::ImageFormat;
use image::codecs::{png::PngDecoder, webp::WebPDecoder};

use super::exif;

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
    (4, b"jP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an SVG or XML document"),
];

/// What a file is of that is not read, if its first bytes tell.
pub(super) fn named(bytes: &[u8]) -> Option<&'static str> {
    // Raw photos are TIFFs whose first picture is a preview.
    if exif::is_raw(bytes) {
        return Some("a raw photo of a camera");
    }
    let is = |&&(at, start, _): &&(usize, &[u8], &str)| bytes.get(at..).is_some_and(|bytes| bytes.starts_with(start));
    KINDS.iter().find(is).map(|(.., name)| *name)
}

/// Whether a file is a TIFF, of 32 or of 64 bits.
pub(super) fn is_tiff(bytes: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|start| bytes.starts_with(*start))
}

/// Whether a file is a JPEG XL, as it is or in a container.
pub(super) fn is_jpeg_xl(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\x0a") || bytes.get(4..).is_some_and(|bytes| bytes.starts_with(b"JXL "))
}

/// Whether a file has frames or pages after the first picture.
pub(super) fn has_more_frames(format: ImageFormat, bytes: &[u8]) -> bool {
    match format {
        ImageFormat::Png => PngDecoder::new(Cursor::new(bytes)).is_ok_and(|png| png.is_apng().unwrap_or(false)),
        ImageFormat::WebP => WebPDecoder::new(Cursor::new(bytes)).is_ok_and(|webp| webp.has_animation()),
        ImageFormat::Gif => gif_frames(bytes).is_some_and(|frames| frames > 1),
        _ => false,
    }
}

/// Number of frames of a GIF, without decoding them.
fn gif_frames(bytes: &[u8]) -> Option<usize> {
    // The size of a colour table, by its flags.
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3usize << ((flags & 7) + 1) };
    let skip_blocks = |mut at: usize| loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length => at += 1 + usize::from(length),
        }
    };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut frames = 0;
    while let Some(&kind) = bytes.get(at) {
        at = match kind {
            0x21 => skip_blocks(at + 2)?,
            0x2c => {
                frames += 1;
                skip_blocks(at + 11 + table(*bytes.get(at + 9)?))?
            }
            _ => break,
        };
    }
    Some(frames)
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
