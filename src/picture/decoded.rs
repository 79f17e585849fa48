//! Files as their decoders leave them, and the pictures that come of it.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use jxl_oxide::integration::JxlDecoder;

use super::codec::CONVERT;
use super::format::readable;
use super::metadata::Metadata;
use super::{Compression, Extras, MAX_PIXELS, Picture, exif, foreign, inks, jpeg};

/// Why a file is not read: the fact, and the remedy.
pub(super) type Refusal = (String, &'static str);

/// What a decoder leaves of a file, not turned upright yet.
pub(super) struct Decoded {
    pub image: DynamicImage,
    /// Whether there is no colour.
    pub gray: bool,
    /// Whether samples have more than 8 bits.
    pub deep: bool,
    /// Whether samples are floating point.
    pub float: bool,
    pub icc: Option<Vec<u8>>,
    pub exif: Option<Vec<u8>>,
    pub metadata: Metadata,
    /// How it has to be turned.
    pub orientation: Orientation,
    pub compression: Option<Compression>,
    /// What of the file is not in it.
    pub remarks: Vec<&'static str>,
}

/// The remark on files of several pages or frames.
pub(super) const ONLY_THE_FIRST: &str = "only the first of its pictures is used";
/// Bytes of memory for a pixel, at most.
const LARGEST_PIXEL: u64 = 64;

/// Refuses empty pictures and large ones before they are decoded.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), Refusal> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err((format!("it has {width}x{height} pixels"), "pass a picture with at least one pixel"));
    }
    if pixels > MAX_PIXELS {
        let millions = |pixels: u64| pixels / 1_000_000;
        let fact = format!("{width}x{height} are {} megapixels, more than {}", millions(pixels), millions(MAX_PIXELS));
        return Err((fact, "crop or shrink the picture"));
    }
    Ok(())
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in the middle of decoding a file: a panic then says that the file is damaged, and nothing is wrong with the program.
pub fn is_decoding() -> bool {
    DECODING.get()
}

/// Runs decoders, which are of many hands: one that panics on a damaged file refuses it.
pub(super) fn decoding<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    let outer = DECODING.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    DECODING.set(outer);
    done.unwrap_or_else(|_| Err(("its decoder broke off".into(), "the file looks damaged; export it again")))
}

fn damaged(name: &str, e: ImageError) -> Refusal {
    match e {
        ImageError::Unsupported(e) => (format!("it is a kind of {name} that is not read ({e})"), CONVERT),
        e => (format!("it cannot be decoded ({e})"), "the file looks damaged; export it again"),
    }
}

impl Decoded {
    /// A JPEG XL, which its decoder turns upright.
    pub fn of_jpeg_xl(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut decoder = JxlDecoder::new(Cursor::new(bytes)).map_err(|e| damaged("JPEG XL", e))?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_PIXELS * LARGEST_PIXEL);
        decoder.set_limits(limits).map_err(|e| damaged("JPEG XL", e))?;
        Self::of(decoder, "JPEG XL").map(|decoded| Self {
            orientation: Orientation::NoTransforms,
            metadata: Metadata::of_jpeg_xl(bytes),
            ..decoded
        })
    }

    /// A file of any other format.
    pub fn of_others(bytes: &[u8]) -> Result<Self, Refusal> {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        let reader = reader.map_err(|e| (format!("it cannot be decoded ({e})"), readable()))?;
        let format = reader.format().ok_or_else(|| ("it is not a picture".into(), readable()))?;
        let name = format!("{format:?}");
        let structure = (format == ImageFormat::Jpeg).then(|| jpeg::structure(bytes));
        let mut decoded = match &structure {
            Some(structure) if structure.is_of_inks() => inks::decode_jpeg(bytes, structure)?,
            _ => Self::of(reader.into_decoder().map_err(|e| damaged(&name, e))?, &name)?,
        };
        decoded.metadata = match format {
            ImageFormat::Jpeg => Metadata::of_jpeg(bytes),
            ImageFormat::Png => Metadata::of_png(bytes),
            ImageFormat::WebP => Metadata::of_webp(bytes),
            _ => Metadata::default(),
        };
        if let Some(structure) = structure {
            if !structure.complete {
                decoded.remarks.push("its end is missing, so that its lower part may be wrong");
            }
            if structure.has_more {
                decoded
                    .remarks
                    .push("only its first picture is used, without what others add to it, such as a gain map");
            }
            let size = [decoded.image.height() as usize, decoded.image.width() as usize];
            decoded.compression = structure.compression(decoded.orientation, size);
        }
        if foreign::has_more_frames(format, bytes) {
            decoded.remarks.push(ONLY_THE_FIRST);
        }
        Ok(decoded)
    }

    /// What any decoder gives.
    fn of(mut decoder: impl ImageDecoder, name: &str) -> Result<Self, Refusal> {
        let (width, height) = decoder.dimensions();
        check_size(width, height)?;
        let icc = decoder.icc_profile().ok().flatten();
        // Some writers keep the name of a JPEG's segment.
        let unnamed = |exif: Vec<u8>| exif.strip_prefix(b"Exif\0\0").map_or_else(|| exif.clone(), <[u8]>::to_vec);
        let exif = decoder.exif_metadata().ok().flatten().map(unnamed);
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let image = DynamicImage::from_decoder(decoder).map_err(|e| damaged(name, e))?;
        let color = image.color();
        let float = matches!(color, ColorType::Rgb32F | ColorType::Rgba32F);
        let deep = float || matches!(color, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
        Ok(Self {
            gray: !color.has_color(),
            deep,
            float,
            image,
            icc,
            exif,
            metadata: Metadata::default(),
            orientation,
            compression: None,
            remarks: Vec::new(),
        })
    }

    /// The picture, turned upright.
    pub fn into_picture(self) -> Picture {
        let Self { mut image, gray, deep, float, icc, mut exif, mut metadata, orientation, compression, mut remarks } =
            self;
        metadata.resolution = metadata.resolution.or_else(|| exif::resolution(exif.as_ref()?));
        if let Some(exif) = &mut exif {
            _ = Orientation::remove_from_exif_chunk(exif);
        }
        image.apply_orientation(orientation);
        let turned = matches!(
            orientation,
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
        );
        let alpha = image.color().has_alpha().then(|| {
            let rgba = image.to_rgba32f();
            image::ImageBuffer::from_fn(rgba.width(), rgba.height(), |x, y| {
                let opacity = rgba.get_pixel(x, y)[3];
                image::Luma([if opacity.is_nan() { 1.0 } else { opacity.clamp(0.0, 1.0) }])
            })
        });
        // Screenshots and GIFs mostly have opacity without transparency.
        let alpha = alpha.filter(|alpha| alpha.pixels().any(|opacity| opacity[0] < 1.0));
        let mut pixels = image.into_rgb32f();
        if float && pixels.iter().any(|v| !(0.0..=1.0).contains(v)) {
            remarks.push("values outside 0 to 1 are cut off");
        }
        if metadata.refers_to_lost_parts() {
            remarks.push("its XMP is about parts of the file that are not kept, and is left out");
        }
        pixels.iter_mut().for_each(|v| *v = if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) });
        let extras = Extras { alpha, gray, deep, icc, exif, metadata: Box::new(metadata.upright(turned)) };
        let remarks = remarks.into_iter().map(ToOwned::to_owned).collect();
        Picture { remarks, extras, compression, ..Picture::new(pixels) }
    }
}
