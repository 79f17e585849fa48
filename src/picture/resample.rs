//! Pictures of other sizes.

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma};

use super::Picture;

impl Picture {
    /// The picture enlarged by bicubic interpolation (Keys' kernel with a = -1/2).
    #[must_use]
    pub fn enlarged(&self, scale: usize) -> Self {
        let (width, height) = self.pixels.dimensions();
        let scale = u32::try_from(scale).unwrap_or(u32::MAX);
        let (width, height) = (width.saturating_mul(scale), height.saturating_mul(scale));
        Self::new(resize(&self.pixels, width, height, FilterType::CatmullRom))
    }

    /// The picture with so many rows and columns, by bicubic interpolation or, where it becomes smaller, means of the same kernel.
    #[must_use]
    pub fn resampled(&self, [height, width]: [usize; 2]) -> Self {
        let of = |side: usize| u32::try_from(side.max(1)).unwrap_or(u32::MAX);
        let mut pixels = resize(self.spread().as_ref(), of(width), of(height), FilterType::CatmullRom);
        pixels.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
        Self::new(pixels).with_extras_of(self, true)
    }

    /// The picture that one enlarged by this factor was made of.
    #[must_use]
    pub fn before_enlargement(&self, factor: f64) -> Self {
        self.resampled(Self::size_before_enlargement([self.height(), self.width()], factor))
    }

    /// Height and width of the picture that one of this size was made of, enlarged by this factor of at least 1.
    pub fn size_before_enlargement(size: [usize; 2], factor: f64) -> [usize; 2] {
        size.map(|side| (side as f64 / factor.max(1.0)).round().max(1.0) as usize)
    }
}

/// A plane at another size, by the same interpolation.
pub(super) fn plane_of(
    plane: ImageBuffer<Luma<f32>, Vec<f32>>,
    (width, height): (u32, u32),
) -> ImageBuffer<Luma<f32>, Vec<f32>> {
    if plane.dimensions() == (width, height) { plane } else { resize(&plane, width, height, FilterType::CatmullRom) }
}
