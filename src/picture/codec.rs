//! Pictures from bytes and to bytes, in the formats of one table.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder};
use serde::{Deserialize, Serialize};

use super::decoded::{Decoded, Refusal, decoding};
use super::format::{Format, readable};
use super::metadata::Metadata;
use super::{Picture, exif, foreign, tiff};
use crate::error::{Error, PathContext, Result};
use crate::files;

/// Pictures above this many pixels are refused before they are decoded.
pub const MAX_PIXELS: u64 = 64_000_000;
pub(super) const CONVERT: &str = "convert it to PNG, JPEG or TIFF first";

/// How a picture is written, where its format leaves a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Writing {
    /// Quality of formats that lose something, 1 to 100: that of JPEG.
    pub quality: u8,
    /// Whether EXIF, XMP, IPTC, comments and texts are written, which say where and when a photo was taken. What its colours mean always is.
    pub metadata: bool,
}

impl Default for Writing {
    fn default() -> Self {
        Self { quality: 95, metadata: true }
    }
}

impl Picture {
    /// Reads a file of any of the formats, whatever its name says, turned upright.
    ///
    /// # Errors
    /// Files that cannot be read or decoded, and pictures above 64 megapixels.
    pub fn read(path: &Path) -> Result<Self> {
        Self::decode(&std::fs::read(path).reading(path)?, path)
    }

    /// Decodes the bytes of a file; `path` is for messages.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        Self::decode_page(bytes, path, 0)
    }

    /// Decodes a page of a file, the first is 0; only TIFFs have others.
    ///
    /// # Errors
    /// As [`Picture::read`], and pages that the file does not have.
    pub fn decode_page(bytes: &[u8], path: &Path, page: usize) -> Result<Self> {
        let refuse = |(fact, hint): Refusal| Error::picture(path, fact, hint);
        if bytes.is_empty() {
            return Err(refuse(("the file is empty".into(), readable())));
        }
        if let Some(name) = foreign::named(bytes) {
            return Err(refuse((format!("it is {name}, which is not read"), CONVERT)));
        }
        let decoded = decoding(|| match () {
            () if foreign::is_tiff(bytes) => tiff::decode(bytes, page),
            () if page > 0 => Err((format!("it has no page {}", page + 1), "only TIFFs have several pages")),
            () if foreign::is_jpeg_xl(bytes) => Decoded::of_jpeg_xl(bytes),
            () => Decoded::of_others(bytes),
        });
        Ok(decoded.map_err(refuse)?.into_picture())
    }

    /// Writes the picture in the format of the name's ending: beside its place first, then renamed into it.
    ///
    /// # Errors
    /// Unknown endings, transparency or sizes that the format cannot hold, and places that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.write_as(path, &Writing::default())
    }

    /// The same with a choice of what the format leaves open.
    ///
    /// # Errors
    /// As [`Picture::write`].
    pub fn write_as(&self, path: &Path, writing: &Writing) -> Result<()> {
        files::write_atomically(path, &self.encode(path, writing)?)
    }

    /// What a file of that name would not hold of this picture at `[height, width]`, in words.
    ///
    /// # Errors
    /// Transparency and sides that the name's format cannot hold.
    pub fn losses(&self, path: &Path, [height, width]: [usize; 2], writing: &Writing) -> Result<Vec<String>> {
        self.check_transparency(path)?;
        let format = Self::format_of(path)?;
        let most = format.max_side as usize;
        if height.max(width) > most {
            let fact = format!("it would have {width}x{height} pixels, but {} holds {most} a side", format.name);
            let suits = |other: &Format| other.max_side as usize >= height.max(width);
            return Err(Error::picture(path, fact, format!("write a {}", Format::listed(suits))));
        }
        let extras = &self.extras;
        let kept = |exif: &Vec<u8>| exif::renewed(exif, [1, 1], None).is_some_and(|exif| exif.len() <= format.exif);
        let exif = extras.exif.as_ref().filter(|_| writing.metadata);
        let resolution_of_exif = exif.filter(|exif| kept(exif)).and_then(|exif| exif::resolution(exif));
        let lost = [
            ("its EXIF", exif.is_some_and(|exif| !kept(exif))),
            ("its colour profile", extras.icc.is_some() && !(format.icc && self.is_gray_in(format) == extras.gray)),
            ("its 16 bits", extras.deep && !format.deep),
            ("its XMP", writing.metadata && extras.metadata.xmp.as_ref().is_some_and(|xmp| xmp.len() > format.xmp)),
            (
                "its IPTC",
                writing.metadata && extras.metadata.iptc.as_ref().is_some_and(|iptc| iptc.len() > format.iptc),
            ),
            (
                "its resolution",
                extras.metadata.resolution.is_some() && !format.resolution && resolution_of_exif.is_none(),
            ),
            (
                "its comment",
                writing.metadata
                    && extras.metadata.comment.as_ref().is_some_and(|comment| comment.len() > format.comment),
            ),
            ("its gamma and primaries", extras.metadata.has_light() && extras.icc.is_none() && !format.chunks),
            ("its texts", writing.metadata && extras.metadata.has_texts() && !format.chunks),
        ];
        Ok(lost
            .into_iter()
            .filter(|(_, lost)| *lost)
            .map(|(what, _)| format!("{what}, which {} does not hold", format.name))
            .collect())
    }

    /// Refuses transparency where the name's format cannot hold it.
    ///
    /// # Errors
    /// Transparency in a JPEG.
    pub fn check_transparency(&self, path: &Path) -> Result<()> {
        match Format::of(path) {
            Some(format) if self.extras.alpha.is_some() && !format.transparency => {
                let fact = format!("the picture has transparency, which {} cannot hold", format.name);
                let hint = format!("write a {}", Format::listed(|format| format.transparency));
                Err(Error::picture(path, fact, hint))
            }
            _ => Ok(()),
        }
    }

    /// Checks that [`Picture::write`] could write this kind of file there, without writing it.
    ///
    /// # Errors
    /// As [`Picture::write`].
    pub fn check_output(path: &Path) -> Result<()> {
        Self::format_of(path)?;
        files::check_writable(path)
    }

    /// Whether the name's ending is that of a format that is written.
    pub fn has_picture_ending(path: &Path) -> bool {
        Format::of(path).is_some()
    }

    fn format_of(path: &Path) -> Result<&'static Format> {
        Format::of(path).ok_or_else(|| {
            let hint = format!("end it in {}", Format::listed(|_| true));
            Error::picture(path, "its ending names no format that is written", hint)
        })
    }

    /// The bytes of a file of that name.
    ///
    /// # Errors
    /// As [`Picture::write`].
    pub fn encode(&self, path: &Path, writing: &Writing) -> Result<Vec<u8>> {
        let format = Self::format_of(path)?;
        self.check_transparency(path)?;
        format.encode.map_or(Ok(Vec::new()), |encode| encode(&Held::of(self, format, writing), path))
    }

    /// Whether a file of that format holds it as a grey picture.
    fn is_gray_in(&self, format: &Format) -> bool {
        let holds = if self.extras.alpha.is_some() { format.transparent_gray } else { format.gray };
        self.extras.gray && holds
    }

    /// EXIF of at most `most` bytes with this picture's size, and a thumbnail of it in the place of another where that fits.
    fn renewed(&self, exif: &[u8], most: usize) -> Option<Vec<u8>> {
        const SIDE: u32 = 160;
        let thumbnail = || {
            let small = self.to_image(false, false).thumbnail(SIDE, SIDE).into_rgb8();
            let mut bytes = Vec::new();
            small.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 75)).ok().map(|()| bytes)
        };
        let thumbnail = exif::has_second_directory(exif).then(thumbnail).flatten();
        let size = [self.pixels.width(), self.pixels.height()];
        let with = |thumbnail| exif::renewed(exif, size, thumbnail).filter(|exif| exif.len() <= most);
        with(thumbnail.as_deref()).or_else(|| with(None))
    }

    /// The pixels in the number type of a file.
    fn to_image(&self, gray: bool, deep: bool) -> DynamicImage {
        let rgba = image::Rgba32FImage::from_fn(self.pixels.width(), self.pixels.height(), |x, y| {
            let [r, g, b] = self.pixels.get_pixel(x, y).0;
            let alpha = self.extras.alpha.as_ref().map_or(1.0, |alpha| alpha.get_pixel(x, y)[0].clamp(0.0, 1.0));
            if self.extras.gray {
                let gray = (r + g + b) / 3.0;
                return image::Rgba([gray, gray, gray, alpha]);
            }
            image::Rgba([r, g, b, alpha])
        });
        let image = DynamicImage::ImageRgba32F(rgba);
        match (gray, self.extras.alpha.is_some(), deep) {
            (false, false, false) => image.into_rgb8().into(),
            (false, false, true) => image.into_rgb16().into(),
            (false, true, false) => image.into_rgba8().into(),
            (false, true, true) => image.into_rgba16().into(),
            (true, false, false) => image.into_luma8().into(),
            (true, false, true) => image.into_luma16().into(),
            (true, true, false) => image.into_luma_alpha8().into(),
            (true, true, true) => image.into_luma_alpha16().into(),
        }
    }
}

/// What a format holds of a picture.
pub(super) struct Held<'a> {
    pub image: DynamicImage,
    pub icc: Option<&'a Vec<u8>>,
    pub exif: Option<Vec<u8>>,
    pub metadata: Cow<'a, Metadata>,
    pub quality: u8,
}

impl<'a> Held<'a> {
    fn of(picture: &'a Picture, format: &Format, writing: &Writing) -> Self {
        let (extras, gray) = (&picture.extras, picture.is_gray_in(format));
        Self {
            image: picture.to_image(gray, extras.deep && format.deep),
            // A profile is for grey or for colour, not for both.
            icc: extras.icc.as_ref().filter(|_| format.icc && gray == extras.gray),
            exif: extras
                .exif
                .as_deref()
                .filter(|_| writing.metadata)
                .and_then(|exif| picture.renewed(exif, format.exif)),
            metadata: match writing.metadata {
                true => Cow::Borrowed(&*extras.metadata),
                false => Cow::Owned(extras.metadata.about_pixels()),
            },
            quality: writing.quality.clamp(1, 100),
        }
    }

    /// Lets an encoder write it without its metadata.
    pub fn encoded<E: ImageEncoder>(&self, mut encoder: E, path: &Path) -> Result<()> {
        if let Some(icc) = self.icc {
            encoder.set_icc_profile(icc.clone()).map_err(|e| unencoded(path, &e))?;
        }
        if let Some(exif) = &self.exif {
            encoder.set_exif_metadata(exif.clone()).map_err(|e| unencoded(path, &e))?;
        }
        let (image, color) = (&self.image, self.image.color().into());
        encoder.write_image(image.as_bytes(), image.width(), image.height(), color).map_err(|e| unencoded(path, &e))
    }
}

/// The error for a picture that an encoder refuses.
pub(super) fn unencoded(path: &Path, e: &dyn Display) -> Error {
    Error::picture(path, format!("it cannot be encoded ({e})"), "write another kind of file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_a_format_cannot_hold_are_no_fault_of_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let wide = Picture::new(image::Rgb32FImage::new(20_000, 1));
        let error = wide.write(&folder.path().join("wide.webp")).unwrap_err();
        assert!(matches!(error, Error::Picture { .. }), "{error}");
    }
}
