//! What a file says of a picture beside its pixels, colour profile and EXIF: XMP, IPTC, resolution, and what only PNG has.

use img_parts::Bytes;
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::{Png, PngChunk};
use img_parts::riff::{RiffChunk, RiffContent};
use img_parts::webp::WebP;
use jxl_oxide::{AuxBoxData, JxlImage};

/// What a file says of a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// XMP, of a picture that stands upright.
    pub xmp: Option<Vec<u8>>,
    /// IPTC-IIM: titles, authors, keywords.
    pub iptc: Option<Vec<u8>>,
    /// Pixels an inch, across and down.
    pub resolution: Option<[f64; 2]>,
    /// A comment.
    pub comment: Option<String>,
    /// Gamma, primaries and texts as chunks of PNG.
    pub chunks: Vec<([u8; 4], Vec<u8>)>,
}

/// Name of a JPEG's segment of XMP.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Name of a JPEG's segment of Photoshop's resources.
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// The resource that holds IPTC.
const IPTC: u16 = 0x0404;
/// Bytes of XMP and of IPTC that fit a segment of a JPEG.
pub(super) const LARGEST_IN_JPEG: usize = 65_533 - XMP.len();
/// Bytes of a comment that fit one.
pub(super) const LARGEST_COMMENT: usize = 65_533;
/// Keyword of PNG's text that is XMP, and what follows it: not compressed, in no language.
const XMP_IN_PNG: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";
/// The same of a comment.
const COMMENT_IN_PNG: &[u8] = b"Comment\0\0\0\0\0";
/// Chunks that say how values become light.
const LIGHT: [[u8; 4]; 3] = [*b"gAMA", *b"cHRM", *b"cICP"];
/// Chunks of texts.
const TEXTS: [[u8; 4]; 3] = [*b"tEXt", *b"zTXt", *b"iTXt"];
const INCHES_A_METRE: f64 = 39.370_078_74;

impl Metadata {
    /// What of it is about the pixels, and not about who took them when: how values become light, and how large they are on paper.
    pub(super) fn about_pixels(&self) -> Self {
        let chunks = self.chunks.iter().filter(|(kind, _)| LIGHT.contains(kind)).cloned().collect();
        Self { chunks, resolution: self.resolution, ..Self::default() }
    }

    /// Of a JPEG; nothing if it is damaged.
    pub(super) fn of_jpeg(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let Ok(file) = Jpeg::from_bytes(Bytes::copy_from_slice(bytes)) else { return found };
        for segment in file.segments() {
            let body = segment.contents().as_ref();
            match segment.marker() {
                markers::APP0 if body.starts_with(b"JFIF\0") => found.resolution = jfif_resolution(body),
                markers::APP1 => found.xmp = found.xmp.or(body.strip_prefix(XMP).map(<[u8]>::to_vec)),
                markers::COM => {
                    let all = found.comment.into_iter().chain(comment_of(body)).collect::<Vec<_>>();
                    found.comment = (!all.is_empty()).then(|| all.join("\n"));
                }
                markers::APP13 => found.iptc = found.iptc.or(body.strip_prefix(PHOTOSHOP).and_then(iptc_of)),
                _ => {}
            }
        }
        found
    }

    /// Of a PNG; nothing if it is damaged.
    pub(super) fn of_png(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let Ok(file) = Png::from_bytes(Bytes::copy_from_slice(bytes)) else { return found };
        for chunk in file.chunks() {
            let body = chunk.contents().as_ref();
            match chunk.kind() {
                kind if &kind == b"pHYs" => {
                    let number =
                        |at: usize| Some(f64::from(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?)));
                    let per_metre = number(0).zip(number(4)).filter(|_| body.get(8) == Some(&1));
                    found.resolution = per_metre.map(|(x, y)| [x / INCHES_A_METRE, y / INCHES_A_METRE]);
                }
                kind if &kind == b"iTXt" && body.starts_with(XMP_IN_PNG) => {
                    found.xmp = Some(body[XMP_IN_PNG.len()..].to_vec());
                }
                kind if LIGHT.contains(&kind) || TEXTS.contains(&kind) => found.chunks.push((kind, body.to_vec())),
                _ => {}
            }
        }
        found
    }

    /// Of a WebP; nothing if it is damaged.
    pub(super) fn of_webp(bytes: &[u8]) -> Self {
        let file = WebP::from_bytes(Bytes::copy_from_slice(bytes)).ok();
        let xmp = file.as_ref().and_then(|file| match file.chunk_by_id(*b"XMP ")?.content() {
            RiffContent::Data(xmp) => Some(xmp.to_vec()),
            RiffContent::List { .. } => None,
        });
        Self { xmp, ..Self::default() }
    }

    /// Of a JPEG XL; nothing if it is damaged.
    pub(super) fn of_jpeg_xl(bytes: &[u8]) -> Self {
        let xmp = JxlImage::read_with_defaults(bytes).ok().and_then(|image| match image.aux_boxes().first_xml() {
            AuxBoxData::Data(xmp) => Some(xmp.to_vec()),
            AuxBoxData::Decoding | AuxBoxData::NotFound => None,
        });
        Self { xmp, ..Self::default() }
    }

    /// Whether its XMP is about parts of the file that are not kept: gain maps, films, more XMP.
    pub(super) fn refers_to_lost_parts(&self) -> bool {
        let words: [&[u8]; 3] = [b"hdrgm:", b"MotionPhoto", b"HasExtendedXMP"];
        self.xmp.as_ref().is_some_and(|xmp| words.iter().any(|word| contains(xmp, word)))
    }

    /// The same of the picture turned upright, `turned` by a quarter or not; without XMP about what is not kept.
    pub(super) fn upright(mut self, turned: bool) -> Self {
        self.xmp = if self.refers_to_lost_parts() { None } else { self.xmp.map(|xmp| with_orientation_1(&xmp)) };
        self.resolution = self.resolution.filter(|sides| sides.iter().all(|side| (0.1..1e6).contains(side)));
        if turned {
            self.resolution = self.resolution.map(|[x, y]| [y, x]);
        }
        self
    }

    /// Whether chunks say how values become light.
    pub(super) fn has_light(&self) -> bool {
        self.chunks.iter().any(|(kind, _)| LIGHT.contains(kind))
    }

    /// Whether chunks hold texts.
    pub(super) fn has_texts(&self) -> bool {
        self.chunks.iter().any(|(kind, _)| TEXTS.contains(kind))
    }

    /// A JPEG with it.
    pub(super) fn in_jpeg(&self, bytes: Vec<u8>) -> Vec<u8> {
        let fits = |body: &&Vec<u8>| body.len() <= LARGEST_IN_JPEG;
        let Ok(mut file) = Jpeg::from_bytes(Bytes::from(bytes.clone())) else { return bytes };
        let (xmp, iptc) = (self.xmp.as_ref().filter(fits), self.iptc.as_ref().filter(fits));
        let segments = file.segments_mut();
        let is_named = |segment: &JpegSegment| [markers::APP0, markers::APP1].contains(&segment.marker());
        let at = segments.iter().take_while(|segment| is_named(segment)).count();
        if let Some(comment) = self.comment.as_ref().filter(|comment| comment.len() <= LARGEST_COMMENT) {
            segments.insert(at, JpegSegment::new_with_contents(markers::COM, comment.clone().into_bytes().into()));
        }
        if let Some(iptc) = iptc {
            segments.insert(at, JpegSegment::new_with_contents(markers::APP13, resources_with(iptc).into()));
        }
        if let Some(xmp) = xmp {
            segments.insert(at, JpegSegment::new_with_contents(markers::APP1, [XMP, xmp].concat().into()));
        }
        if let (Some(resolution), Some(first)) = (self.resolution, segments.first_mut())
            && first.contents().starts_with(b"JFIF\0")
        {
            let mut body = first.contents().to_vec();
            // Dots an inch.
            body[7] = 1;
            for (i, per_inch) in resolution.into_iter().enumerate() {
                let dots = (per_inch.round().clamp(1.0, 65_535.0) as u16).to_be_bytes();
                body[8 + 2 * i..10 + 2 * i].copy_from_slice(&dots);
            }
            *first = JpegSegment::new_with_contents(markers::APP0, body.into());
        }
        file.encoder().bytes().to_vec()
    }

    /// A PNG with it.
    pub(super) fn in_png(&self, bytes: Vec<u8>) -> Vec<u8> {
        let Ok(mut file) = Png::from_bytes(Bytes::from(bytes.clone())) else { return bytes };
        let mut added: Vec<PngChunk> = Vec::new();
        if let Some(resolution) = self.resolution {
            let per_metre = resolution.map(|per_inch| ((per_inch * INCHES_A_METRE).round() as u32).to_be_bytes());
            added.push(PngChunk::new(*b"pHYs", [&per_metre.concat()[..], &[1]].concat().into()));
        }
        if let Some(xmp) = &self.xmp {
            added.push(PngChunk::new(*b"iTXt", [XMP_IN_PNG, xmp].concat().into()));
        }
        if let Some(comment) = &self.comment {
            added.push(PngChunk::new(*b"iTXt", [COMMENT_IN_PNG, comment.as_bytes()].concat().into()));
        }
        added.extend(self.chunks.iter().map(|(kind, body)| PngChunk::new(*kind, body.clone().into())));
        // After the header.
        file.chunks_mut().splice(1..1, added);
        file.encoder().bytes().to_vec()
    }

    /// A WebP with it.
    pub(super) fn in_webp(&self, bytes: Vec<u8>, [width, height]: [u32; 2], has_alpha: bool) -> Vec<u8> {
        const EXTENDED: [u8; 4] = *b"VP8X";
        const HAS_XMP: u8 = 4;
        let Some(xmp) = &self.xmp else { return bytes };
        let Ok(mut file) = WebP::from_bytes(Bytes::from(bytes.clone())) else { return bytes };
        let old = file.chunk_by_id(EXTENDED).and_then(|chunk| match chunk.content() {
            RiffContent::Data(body) => Some(body.to_vec()),
            RiffContent::List { .. } => None,
        });
        let header = old.unwrap_or_else(|| {
            let flags = if has_alpha { 0x10 } else { 0 };
            let side = |pixels: u32| (pixels - 1).to_le_bytes()[..3].to_vec();
            [vec![flags, 0, 0, 0], side(width), side(height)].concat()
        });
        let header = [&[header[0] | HAS_XMP], &header[1..]].concat();
        file.remove_chunks_by_id(EXTENDED);
        let chunk = |id: [u8; 4], body: Vec<u8>| RiffChunk::new(id, RiffContent::Data(body.into()));
        file.chunks_mut().insert(0, chunk(EXTENDED, header));
        file.chunks_mut().push(chunk(*b"XMP ", xmp.clone()));
        file.encoder().bytes().to_vec()
    }
}

/// The comment of a JPEG's segment, of which the format says no encoding: UTF-8 where it can be, else Latin-1. None if it is empty.
fn comment_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).map_or_else(|_| body.iter().copied().map(char::from).collect(), str::to_owned);
    let text = text.replace('\0', " ").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Pixels an inch of a JFIF header, unless it gives a ratio only.
fn jfif_resolution(body: &[u8]) -> Option<[f64; 2]> {
    let number = |at: usize| Some(f64::from(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?])));
    let unit = match body.get(7)? {
        1 => 1.0,
        2 => 2.54,
        _ => return None,
    };
    Some([number(8)? * unit, number(10)? * unit])
}

/// IPTC among Photoshop's resources.
fn iptc_of(mut resources: &[u8]) -> Option<Vec<u8>> {
    let even = |length: usize| length + length % 2;
    loop {
        let rest = resources.strip_prefix(b"8BIM")?;
        let id = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
        // A name with its length before it.
        let name = even(1 + usize::from(*rest.get(2)?));
        let size = usize::try_from(u32::from_be_bytes(rest.get(2 + name..6 + name)?.try_into().ok()?)).ok()?;
        let body = rest.get(6 + name..(6 + name).checked_add(size)?)?;
        if id == IPTC {
            return Some(body.to_vec());
        }
        resources = rest.get(6 + name + even(size)..)?;
    }
}

/// A segment's Photoshop resources that hold nothing but IPTC.
fn resources_with(iptc: &[u8]) -> Vec<u8> {
    let length = (iptc.len() as u32).to_be_bytes();
    let padding: &[u8] = if iptc.len() % 2 == 1 { &[0] } else { &[] };
    [PHOTOSHOP, b"8BIM", &IPTC.to_be_bytes(), &[0, 0], &length, iptc, padding].concat()
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|bytes| bytes == word)
}

/// The same XMP, in which a picture that was turned stands upright.
fn with_orientation_1(xmp: &[u8]) -> Vec<u8> {
    let mut xmp = xmp.to_vec();
    for name in [&b"tiff:Orientation=\""[..], b"tiff:Orientation='", b"<tiff:Orientation>"] {
        let starts: Vec<usize> = (0..xmp.len()).filter(|&at| xmp[at..].starts_with(name)).collect();
        for at in starts {
            if let Some(digit) = xmp.get_mut(at + name.len()).filter(|digit| digit.is_ascii_digit()) {
                *digit = b'1';
            }
        }
    }
    xmp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iptc_is_found_among_resources() {
        let resources = |iptc: &[u8]| resources_with(iptc)[PHOTOSHOP.len()..].to_vec();
        assert_eq!(iptc_of(&resources(b"\x1c\x02\x05title")), Some(b"\x1c\x02\x05title".to_vec()));
        let other = [&b"8BIM\x04\x0c\x03abc\0\0\0\x03xyz\0"[..], &resources(b"odd")].concat();
        assert_eq!(iptc_of(&other), Some(b"odd".to_vec()));
        for cut in 0..other.len() - 4 {
            assert_eq!(iptc_of(&other[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn comments_of_any_encoding_are_texts() {
        assert_eq!(comment_of("Grüße".as_bytes()).as_deref(), Some("Grüße"));
        assert_eq!(comment_of(b"Gr\xfc\xdfe\0").as_deref(), Some("Grüße"));
        assert_eq!([comment_of(b""), comment_of(b"\0 \0")], [None, None]);
    }

    #[test]
    fn orientation_is_upright_in_xmp() {
        let xmp = b"<a tiff:Orientation=\"6\"/><tiff:Orientation>8</tiff:Orientation>";
        let upright = Metadata { xmp: Some(xmp.to_vec()), ..Metadata::default() }.upright(true);
        let expected = b"<a tiff:Orientation=\"1\"/><tiff:Orientation>1</tiff:Orientation>";
        assert_eq!(upright.xmp.as_deref(), Some(&expected[..]));
        let gain_map = Metadata { xmp: Some(b"<a hdrgm:Version='1'>".to_vec()), ..Metadata::default() };
        assert_eq!(gain_map.upright(false).xmp, None);
    }
}
