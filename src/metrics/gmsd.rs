//! Gradient magnitude similarity deviation (W. Xue et al., 2014, arXiv:1308.3052).

use image::Rgb32FImage;

use super::about::{About, about};
use super::metric::{Entry, Source};
use super::planes::{Plane, mixed, rgb};

/// Gradient magnitude similarity deviation.
pub const GMSD: About = about("gmsd", "GMSD", false, 4);

pub(super) const METRIC: Entry = Entry { about: GMSD, source: Source::Function(|a, b| Some(gmsd(a, b))) };

const LUMINANCE: [f64; 3] = [0.299, 0.587, 0.114];
/// Keeps the quotient stable where there are no gradients.
const C: f64 = 170.0 / (255.0 * 255.0);

/// Standard deviation of the similarity of gradients, of the luminance at half the size; 0 for equal pictures.
///
/// # Panics
/// If the sizes differ.
pub fn gmsd(a: &Rgb32FImage, b: &Rgb32FImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions(), "pictures of one size");
    let magnitude = |picture| gradients(&mixed(&rgb(picture), LUMINANCE).halved());
    let pairs = magnitude(a).values.into_iter().zip(magnitude(b).values);
    let similarities: Vec<f64> = pairs.map(|(a, b)| (2.0 * a * b + C) / (a * a + b * b + C)).collect();
    let n = similarities.len() as f64;
    let mean = similarities.iter().sum::<f64>() / n;
    let squares: f64 = similarities.iter().map(|s| (s - mean).powi(2)).sum();
    (squares / (n - 1.0).max(1.0)).sqrt()
}

/// Magnitude of Prewitt's gradient, zero outside.
fn gradients(plane: &Plane) -> Plane {
    plane.map(|y, x| {
        let along = |at: &dyn Fn(i64, i64) -> f64| (-1..=1).map(|k| at(k, -1) - at(k, 1)).sum::<f64>() / 3.0;
        let horizontal = along(&|k, step| plane.at(y + k, x + step));
        let vertical = along(&|k, step| plane.at(y + step, x + k));
        horizontal.hypot(vertical)
    })
}
