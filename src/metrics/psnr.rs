//! Peak signal-to-noise ratio.

use image::Rgb32FImage;

use super::about::{About, about};
use super::metric::{Entry, Source};
use super::planes::rgb;

/// Peak signal-to-noise ratio.
pub const PSNR: About = About { unit: "dB", ..about("psnr", "PSNR", true, 2) };

pub(super) const METRIC: Entry = Entry { about: PSNR, source: Source::Function(|a, b| Some(psnr(a, b))) };

/// `-10 log10 mean((a - b)²)` in dB, over RGB in `[0, 1]`; infinite for equal pictures.
///
/// # Panics
/// If the sizes differ.
pub fn psnr(a: &Rgb32FImage, b: &Rgb32FImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions(), "pictures of one size");
    let (a, b) = (rgb(a), rgb(b));
    let values = |planes: &[_; 3]| planes.each_ref().map(|plane: &super::planes::Plane| plane.values.clone()).concat();
    let (a, b) = (values(&a), values(&b));
    let squares = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2));
    -10.0 * (squares.sum::<f64>() / a.len() as f64).log10()
}
