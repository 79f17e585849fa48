//! Pictures: files <-> pixels with colour profile, EXIF, transparency and depth, pixels <-> tensors.

mod alpha;
mod codec;
mod decoded;
mod exif;
mod foreign;
mod format;
mod inks;
mod jpeg;
mod metadata;
mod resample;
mod tiff;

use burn::tensor::{Device, Tensor, TensorData};
use image::imageops::crop_imm;
use image::{ImageBuffer, Luma, Rgb, Rgb32FImage};

use crate::error::{Error, Result};

pub use codec::{MAX_PIXELS, Writing};
pub use decoded::is_decoding;
pub use format::{Format, endings, formats, pictures_below, writable_endings};
pub use jpeg::{BLOCK, Compression, QuantizationTable};
pub use metadata::Metadata;

/// A picture in the colour space of its file.
#[derive(Clone, Debug)]
pub struct Picture {
    pixels: Rgb32FImage,
    /// What its file holds beside RGB.
    pub extras: Extras,
    /// What of its file is not in it, in sentences.
    pub remarks: Vec<String>,
    /// How its file was compressed, where that is known.
    pub compression: Option<Compression>,
}

/// What a picture's file holds beside its colours; a restored picture keeps it.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Opacity in `[0, 1]`.
    pub alpha: Option<ImageBuffer<Luma<f32>, Vec<f32>>>,
    /// Whether there is no colour.
    pub gray: bool,
    /// Whether the samples have 16 bits.
    pub deep: bool,
    /// ICC profile.
    pub icc: Option<Vec<u8>>,
    /// EXIF, its orientation already applied and removed.
    pub exif: Option<Vec<u8>>,
    /// XMP, IPTC, resolution, and what only PNG has.
    pub metadata: Box<Metadata>,
}

impl Picture {
    /// A picture of RGB pixels in `[0, 1]`.
    pub fn new(pixels: Rgb32FImage) -> Self {
        Self { pixels, extras: Extras::default(), remarks: Vec::new(), compression: None }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.pixels.width() as usize
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.pixels.height() as usize
    }

    /// RGB in `[0, 1]`.
    pub fn pixels(&self) -> &Rgb32FImage {
        &self.pixels
    }

    /// Whether it has no colour: red, green and blue are equal everywhere, whatever its file calls them.
    pub fn is_gray(&self) -> bool {
        self.extras.gray || self.pixels.pixels().all(|Rgb([r, g, b])| r == g && g == b)
    }

    /// The picture as `[1, 3, h, w]` in `[-1, 1]`, colours spread into what is fully transparent.
    pub fn to_tensor(&self, device: &Device) -> Tensor<4> {
        let pixels = self.spread();
        let plane = |c: usize| pixels.pixels().map(move |p| 2.0 * p[c] - 1.0);
        let values: Vec<f32> = (0..3).flat_map(plane).collect();
        Tensor::from_data(TensorData::new(values, [1, 3, self.height(), self.width()]), device)
    }

    /// The picture of a tensor `[1, 3, h, w]` or `[1, 1, h, w]` in `[-1, 1]`; values outside are clipped.
    ///
    /// # Errors
    /// A device that does not give its data back.
    pub fn from_tensor(x: Tensor<4>) -> Result<Self> {
        let [_, channels, height, width] = x.dims();
        let device = x.device();
        let values = x.try_into_vec_as::<f32>().map_err(|e| Error::no_result(&device, e))?;
        let at = |c: usize, i: usize| ((values[c % channels * height * width + i] + 1.0) / 2.0).clamp(0.0, 1.0);
        let pixels = Rgb32FImage::from_fn(side(width), side(height), |x, y| {
            let i = y as usize * width + x as usize;
            Rgb([at(0, i), at(1, i), at(2, i)])
        });
        Ok(Self { extras: Extras { gray: channels == 1, ..Extras::default() }, ..Self::new(pixels) })
    }

    /// The same picture with the profile, EXIF, depth and transparency of `original`, and its lack of colour if
    /// `keep_gray`.
    #[must_use]
    pub fn with_extras_of(mut self, original: &Self, keep_gray: bool) -> Self {
        let size = self.pixels.dimensions();
        let mut extras = original.extras.clone();
        extras.gray = self.extras.gray || extras.gray && keep_gray;
        if extras.gray != original.extras.gray {
            // A profile is for grey or for colour, not for both.
            extras.icc = None;
        }
        extras.alpha = extras.alpha.map(|alpha| resample::plane_of(alpha, size));
        self.extras = extras;
        self
    }

    /// A rectangle of it, with what its file holds beside its colours.
    #[must_use]
    pub fn cropped(&self, left: u32, top: u32, width: u32, height: u32) -> Self {
        let mut extras = self.extras.clone();
        extras.alpha = extras.alpha.map(|alpha| crop_imm(&alpha, left, top, width, height).to_image());
        let compression =
            self.compression.clone().map(|compression| compression.cropped([top as usize, left as usize]));
        Self { extras, compression, ..Self::new(crop_imm(&self.pixels, left, top, width, height).to_image()) }
    }

    /// The picture with another value in the place of each: `change` is told its channel, 0 for red, and it. Its file's compression says
    /// nothing of it any more.
    #[must_use]
    pub(crate) fn map_channels(&self, change: impl Fn(usize, f32) -> f32) -> Self {
        let mut changed = Self { compression: None, ..self.clone() };
        for pixel in changed.pixels.pixels_mut() {
            (0..3).for_each(|channel| pixel[channel] = change(channel, pixel[channel]));
        }
        changed
    }

    /// The picture as files of 8 bits hold it.
    #[must_use]
    pub fn in_eight_bits(mut self) -> Self {
        self.pixels.iter_mut().for_each(|v| *v = (v.clamp(0.0, 1.0) * 255.0).round() / 255.0);
        self
    }

    /// Grey values in `[0, 1]`, row by row.
    pub fn luminance(&self) -> Vec<f32> {
        self.pixels.pixels().map(|p| (p[0] + p[1] + p[2]) / 3.0).collect()
    }
}

/// Half a step of 8 bits, of pixels in `[0, 1]`.
const HALF_STEP: f32 = 0.5 / 255.0;

/// Whether a value of a pixel in `[0, 1]` may have been brighter than white.
pub fn is_white(value: f32) -> bool {
    value >= 1.0 - HALF_STEP
}

/// Whether a value of a pixel in `[0, 1]` may have been cut off, at white or at black.
pub fn is_cut_off(value: f32) -> bool {
    value <= HALF_STEP || is_white(value)
}

/// A side as the image library counts.
fn side(pixels: usize) -> u32 {
    u32::try_from(pixels).unwrap_or(u32::MAX)
}
