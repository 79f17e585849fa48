//! File formats of pictures: one table of what they are called and what they hold.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use walkdir::WalkDir;

use super::codec::{Held, unencoded};
use super::metadata::{LARGEST_COMMENT, LARGEST_IN_JPEG};
use super::tiff;
use crate::error::{Error, Result};

/// A file format of pictures.
pub struct Format {
    /// Its name.
    pub name: &'static str,
    /// Endings of file names in lower case; the first is the usual one.
    pub endings: &'static [&'static str],
    /// Whether it holds transparency.
    pub transparency: bool,
    /// Whether it holds grey pictures; where not, they are written in colour.
    pub gray: bool,
    /// Whether it holds grey pictures with transparency.
    pub transparent_gray: bool,
    /// Whether it holds 16 bits a sample.
    pub deep: bool,
    /// Whether it holds an ICC profile.
    pub icc: bool,
    /// Bytes of EXIF that it holds.
    pub exif: usize,
    /// Bytes of XMP that it holds.
    pub xmp: usize,
    /// Bytes of IPTC that it holds.
    pub iptc: usize,
    /// Whether it holds a resolution.
    pub resolution: bool,
    /// Bytes of a comment that it holds.
    pub comment: usize,
    /// Whether it holds the chunks of PNG: gamma, primaries and texts.
    pub chunks: bool,
    /// Pixels of its longest side.
    pub max_side: u32,
    /// None for formats that are read only.
    pub(super) encode: Option<Encode>,
}

/// The file of what the format holds of a picture; the path is for messages.
pub(super) type Encode = fn(&Held, &Path) -> Result<Vec<u8>>;

/// Formats that are read only.
const fn read_only(name: &'static str, endings: &'static [&'static str]) -> Format {
    Format {
        name,
        endings,
        transparency: true,
        gray: false,
        transparent_gray: false,
        deep: false,
        icc: false,
        exif: 0,
        xmp: 0,
        iptc: 0,
        resolution: false,
        comment: 0,
        chunks: false,
        max_side: u32::MAX,
        encode: None,
    }
}

/// Every format.
const FORMATS: &[Format] = &[
    Format {
        name: "PNG",
        endings: &["png", "apng"],
        transparency: true,
        gray: true,
        transparent_gray: true,
        deep: true,
        icc: true,
        exif: u32::MAX as usize,
        xmp: i32::MAX as usize,
        iptc: 0,
        resolution: true,
        comment: i32::MAX as usize,
        chunks: true,
        max_side: i32::MAX as u32,
        encode: Some(|held, path| {
            let mut bytes = Vec::new();
            held.encoded(PngEncoder::new(Cursor::new(&mut bytes)), path)?;
            Ok(held.metadata.in_png(bytes))
        }),
    },
    Format {
        name: "JPEG",
        endings: &["jpg", "jpeg", "jfif"],
        transparency: false,
        gray: true,
        transparent_gray: false,
        deep: false,
        icc: true,
        // A segment holds 65533 bytes, 6 of them its name.
        exif: 65_527,
        xmp: LARGEST_IN_JPEG,
        iptc: LARGEST_IN_JPEG,
        resolution: true,
        comment: LARGEST_COMMENT,
        chunks: false,
        max_side: 65_535,
        encode: Some(|held, path| {
            let mut bytes = Vec::new();
            held.encoded(JpegEncoder::new_with_quality(Cursor::new(&mut bytes), held.quality), path)?;
            Ok(held.metadata.in_jpeg(bytes))
        }),
    },
    Format {
        name: "WebP",
        endings: &["webp"],
        transparency: true,
        gray: false,
        transparent_gray: false,
        deep: false,
        icc: true,
        exif: u32::MAX as usize,
        xmp: u32::MAX as usize,
        iptc: 0,
        resolution: false,
        comment: 0,
        chunks: false,
        max_side: 16_383,
        encode: Some(|held, path| {
            let (size, alpha) = ([held.image.width(), held.image.height()], held.image.color().has_alpha());
            let mut bytes = Vec::new();
            held.encoded(WebPEncoder::new_lossless(Cursor::new(&mut bytes)), path)?;
            Ok(held.metadata.in_webp(bytes, size, alpha))
        }),
    },
    Format {
        name: "TIFF",
        endings: &["tiff", "tif"],
        transparency: true,
        gray: true,
        // More programs read them in colour.
        transparent_gray: false,
        deep: true,
        icc: true,
        exif: u32::MAX as usize,
        xmp: u32::MAX as usize,
        iptc: u32::MAX as usize,
        resolution: true,
        comment: 0,
        chunks: false,
        max_side: u32::MAX,
        encode: Some(|held, path| tiff::encode(held).map_err(|e| unencoded(path, &e))),
    },
    read_only("JPEG XL", &["jxl"]),
    read_only("BMP", &["bmp"]),
    read_only("GIF", &["gif"]),
    read_only("QOI", &["qoi"]),
    read_only("PNM", &["ppm", "pgm", "pbm", "pnm"]),
];

/// Endings of the names of picture files, in lower case.
pub fn endings() -> Vec<&'static str> {
    FORMATS.iter().flat_map(|format| format.endings).copied().collect()
}

/// What to do with files that are no pictures.
pub(super) fn readable() -> &'static str {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| format!("pass a {}", either(FORMATS.iter().map(|format| format.name))));
    &TEXT
}

/// Names as a choice: "a, b or c".
fn either(names: impl IntoIterator<Item = impl Into<String>>) -> String {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    match (names.pop(), &names[..]) {
        (Some(last), []) => last,
        (Some(last), others) => format!("{} or {last}", others.join(", ")),
        (None, _) => String::new(),
    }
}

/// The ending of a name in lower case.
fn ending(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_lowercase())
}

/// Endings of names of formats that are written.
pub fn writable_endings() -> Vec<&'static str> {
    formats().flat_map(|format| format.endings).copied().collect()
}

/// The pictures in a folder and below, by the endings of their names, in the order of their names.
pub fn pictures_below(folder: &Path) -> impl Iterator<Item = Result<PathBuf>> {
    let place = folder.to_path_buf();
    WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(move |entry| match entry {
        // Links to files are followed, and those to folders, which may lead in circles, are not.
        Ok(entry) if has_known_ending(entry.path()) && entry.path().is_file() => Some(Ok(entry.into_path())),
        Ok(_) => None,
        Err(e) => Some(Err(Error::unreadable(&place, e))),
    })
}

/// Whether a name ends as those of picture files do.
fn has_known_ending(path: &Path) -> bool {
    ending(path).is_some_and(|ending| endings().contains(&ending.as_str()))
}

/// Every format that is written.
pub fn formats() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter().filter(|format| format.encode.is_some())
}

impl Format {
    /// The usual ending of its files' names.
    pub fn ending(&self) -> &'static str {
        self.endings[0]
    }

    /// The format that is written under the ending of a name.
    pub fn of(path: &Path) -> Option<&'static Self> {
        let ending = ending(path)?;
        formats().find(|format| format.endings.contains(&ending.as_str()))
    }

    /// The usual endings of formats that `suits`, as a clause: ".png, .webp or .tiff".
    pub fn listed(suits: impl Fn(&Self) -> bool) -> String {
        either(formats().filter(|format| suits(format)).map(|format| format!(".{}", format.ending())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    #[test]
    fn endings_are_found_in_any_case() {
        assert!(Picture::has_picture_ending(Path::new("a.TIF")) && !Picture::has_picture_ending(Path::new("a.gif")));
        assert_eq!(Format::listed(|format| format.transparency), ".png, .webp or .tiff");
    }
}
