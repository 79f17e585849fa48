//! Peak signal-to-noise ratio.

use image::Rgb32FImage;

use super::planes;

/// `-10 log10 mean((a - b)²)` in dB, over RGB in `[0, 1]`; infinite for equal pictures.
///
/// # Panics
/// If the sizes differ.
pub fn psnr(a: &Rgb32FImage, b: &Rgb32FImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions(), "pictures of one size");
    let (a, b) = (planes(a), planes(b));
    let squares = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).powi(2));
    -10.0 * (squares.sum::<f64>() / (3 * a[0].len()) as f64).log10()
}
