//! Reading and writing picture files.

use std::io::{Cursor, Write};
use std::path::Path;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, tiff::TiffEncoder, webp::WebPEncoder};
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader,
};

use super::{Extras, Picture};
use crate::error::{Error, Result};

/// Pictures above this many pixels are refused before they are decoded.
const MAX_PIXELS: u64 = 64_000_000;
const JPEG_QUALITY: u8 = 95;
const READABLE: &str = "pass a PNG, JPEG, WebP or TIFF";

impl Picture {
    /// Reads a PNG, JPEG, WebP or TIFF, whatever its name says, turned upright.
    ///
    /// # Errors
    /// Files that cannot be read or decoded, pictures in CMYK, and those above 64 megapixels.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::Unreadable { path: path.into(), reason: e.to_string() })?;
        Self::decode(&bytes, path)
    }

    /// Decodes the bytes of a file; `path` is for messages.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let refuse = |fact: String, remedy: &str| Error::Picture { path: path.into(), fact, remedy: remedy.into() };
        if bytes.is_empty() {
            return Err(refuse("the file is empty".into(), READABLE));
        }
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        let reader = reader.map_err(|e| refuse(format!("it cannot be decoded ({e})"), READABLE))?;
        let format = reader.format().ok_or_else(|| refuse("it is not a picture".into(), READABLE))?;
        let damaged = |e: ImageError| match e {
            ImageError::Unsupported(_) => refuse("it is of a kind that is not read".into(), READABLE),
            e => refuse(format!("it cannot be decoded ({e})"), "the file looks damaged; export it again"),
        };
        let mut decoder = reader.into_decoder().map_err(damaged)?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 {
            return Err(refuse(format!("it has {width}x{height} pixels"), "pass a picture with at least one pixel"));
        }
        if pixels > MAX_PIXELS {
            let fact =
                format!("{width}x{height} are {} megapixels, more than {}", pixels / 1_000_000, MAX_PIXELS / 1_000_000);
            return Err(refuse(fact, "crop or shrink the picture"));
        }
        let original = decoder.original_color_type();
        let four_inks = format == ImageFormat::Jpeg && jpeg_components(bytes) == Some(4);
        if four_inks || matches!(original, ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16) {
            return Err(refuse("its colours are CMYK".into(), "convert it to RGB"));
        }
        let icc = decoder.icc_profile().ok().flatten();
        let mut exif = decoder.exif_metadata().ok().flatten();
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        if let Some(exif) = &mut exif {
            _ = Orientation::remove_from_exif_chunk(exif);
        }
        let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
        image.apply_orientation(orientation);
        let color = image.color();
        let alpha = color.has_alpha().then(|| {
            let rgba = image.to_rgba32f();
            image::ImageBuffer::from_fn(rgba.width(), rgba.height(), |x, y| image::Luma([rgba.get_pixel(x, y)[3]]))
        });
        let deep = matches!(color, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
        let extras = Extras { alpha, gray: !color.has_color(), deep, icc, exif };
        Ok(Self { pixels: image.into_rgb32f(), extras })
    }

    /// Writes the picture in the format of the name's ending: beside its place first, then renamed into it.
    ///
    /// # Errors
    /// Unknown endings, transparency in a JPEG, and places that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let format = ImageFormat::from_path(path).ok();
        let bytes = self.encode(format, path)?;
        write_atomically(path, &bytes)
    }

    /// Refuses transparency where the name's format cannot hold it.
    ///
    /// # Errors
    /// Transparency in a JPEG.
    pub fn check_transparency(&self, path: &Path) -> Result<()> {
        if self.extras.alpha.is_none() || ImageFormat::from_path(path).ok() != Some(ImageFormat::Jpeg) {
            return Ok(());
        }
        Err(Error::Picture {
            path: path.into(),
            fact: "the picture has transparency, which JPEG cannot hold".into(),
            remedy: "write a .png, .webp or .tiff".into(),
        })
    }

    /// Checks that [`Picture::write`] could write this kind of file there, without writing it.
    ///
    /// # Errors
    /// As [`Picture::write`].
    pub fn check_output(path: &Path) -> Result<()> {
        if !Self::has_picture_ending(path) {
            return Err(unknown_ending(path));
        }
        temporary_beside(path).map(drop)
    }

    /// Whether the name's ending is that of a format that is written.
    pub fn has_picture_ending(path: &Path) -> bool {
        let known = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Tiff];
        ImageFormat::from_path(path).is_ok_and(|format| known.contains(&format))
    }

    fn encode(&self, format: Option<ImageFormat>, path: &Path) -> Result<Vec<u8>> {
        self.check_transparency(path)?;
        let mut bytes = Vec::new();
        let target = Cursor::new(&mut bytes);
        match format {
            Some(ImageFormat::Png) => self.encode_with(PngEncoder::new(target), path)?,
            Some(ImageFormat::WebP) => self.shallow().encode_with(WebPEncoder::new_lossless(target), path)?,
            // TIFF files of grey with transparency are written in colour, which more programs read.
            Some(ImageFormat::Tiff) if self.extras.alpha.is_some() => {
                self.colored().encode_with(TiffEncoder::new(target), path)?;
            }
            Some(ImageFormat::Tiff) => self.encode_with(TiffEncoder::new(target), path)?,
            Some(ImageFormat::Jpeg) => {
                self.shallow().encode_with(JpegEncoder::new_with_quality(target, JPEG_QUALITY), path)?;
            }
            _ => return Err(unknown_ending(path)),
        }
        Ok(bytes)
    }

    fn encode_with(&self, mut encoder: impl ImageEncoder, path: &Path) -> Result<()> {
        // Formats without a place for a profile or EXIF say so; the pixels are worth writing all the same.
        if let Some(icc) = &self.extras.icc {
            _ = encoder.set_icc_profile(icc.clone());
        }
        if let Some(exif) = &self.extras.exif {
            _ = encoder.set_exif_metadata(exif.clone());
        }
        let image = self.to_image();
        let color = image.color().into();
        encoder
            .write_image(image.as_bytes(), image.width(), image.height(), color)
            .map_err(|e| Error::Unwritable { path: path.into(), reason: e.to_string() })
    }

    fn to_image(&self) -> DynamicImage {
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
        match (self.extras.gray, self.extras.alpha.is_some(), self.extras.deep) {
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

    /// The picture as red, green and blue, even where they are equal.
    fn colored(&self) -> Self {
        let extras = Extras { gray: false, ..self.extras.clone() };
        Self { extras, pixels: self.pixels.clone() }
    }

    /// The picture for formats of 8 bits.
    fn shallow(&self) -> Self {
        let extras = Extras { deep: false, ..self.extras.clone() };
        Self { extras, pixels: self.pixels.clone() }
    }
}

/// Writes `bytes` to a temporary file beside `path` and renames it, so that no reader sees half a file.
///
/// # Errors
/// Places that cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| Error::Unwritable { path: path.into(), reason: e.to_string() };
    let mut file = temporary_beside(path)?;
    file.write_all(bytes).map_err(|e| failed(&e))?;
    file.as_file().sync_all().map_err(|e| failed(&e))?;
    file.persist(path).map_err(|e| failed(&e.error))?;
    Ok(())
}

fn temporary_beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let failed = |reason: String| Error::Unwritable { path: path.into(), reason };
    if path.is_dir() {
        return Err(failed("it is a folder".into()));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(failed(format!("there is no folder {}", folder.display())));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fdgr-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map_err(|e| failed(e.to_string()))
}

fn unknown_ending(path: &Path) -> Error {
    Error::Picture {
        path: path.into(),
        fact: "its ending names no format that is written".into(),
        remedy: "end it in .png, .jpg, .webp or .tiff".into(),
    }
}

/// Number of colour components in a JPEG's frame header.
fn jpeg_components(bytes: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let marker = *bytes.get(at + 1)?;
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => return bytes.get(at + 9).copied(),
            _ => at += 2 + usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?])),
        }
    }
}
