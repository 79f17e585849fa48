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
}

/// A plane at another size, by the same interpolation.
pub(super) fn plane_of(
    plane: ImageBuffer<Luma<f32>, Vec<f32>>,
    (width, height): (u32, u32),
) -> ImageBuffer<Luma<f32>, Vec<f32>> {
    if plane.dimensions() == (width, height) { plane } else { resize(&plane, width, height, FilterType::CatmullRom) }
}
