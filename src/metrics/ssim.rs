//! Structural similarity (Z. Wang et al., 2004), at one scale and at several (Z. Wang et al., 2003).

use image::Rgb32FImage;

use super::about::{About, about};
use super::metric::{Entry, Source};
use super::planes::{Plane, rgb};

/// Structural similarity.
pub const SSIM: About = about("ssim", "SSIM", true, 4);
/// Structural similarity at several scales.
pub const MS_SSIM: About = about("ms_ssim", "MS-SSIM", true, 4);

pub(super) const METRIC: Entry = Entry { about: SSIM, source: Source::Function(ssim) };
pub(super) const MULTISCALE: Entry = Entry { about: MS_SSIM, source: Source::Function(ms_ssim) };

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;
/// Exponents of the scales, finest first.
const SCALES: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// Mean structural similarity of RGB in `[0, 1]`: a Gaussian window of 11 pixels and sigma 1.5, only where it fits, mean
/// over the channels. `None` for pictures smaller than the window.
///
/// # Panics
/// If the sizes differ.
pub fn ssim(a: &Rgb32FImage, b: &Rgb32FImage) -> Option<f64> {
    assert_eq!(a.dimensions(), b.dimensions(), "pictures of one size");
    let pairs = rgb(a).into_iter().zip(rgb(b));
    let similarities: Option<Vec<f64>> = pairs.map(|(a, b)| similarity(&a, &b).map(|s| s.structural)).collect();
    similarities.map(|s| s.iter().sum::<f64>() / 3.0)
}

/// The product of contrast similarities at five scales and the structural similarity at the coarsest, each to its power,
/// mean over the channels. `None` for pictures whose sixteenth is smaller than the window.
///
/// # Panics
/// If the sizes differ.
pub fn ms_ssim(a: &Rgb32FImage, b: &Rgb32FImage) -> Option<f64> {
    assert_eq!(a.dimensions(), b.dimensions(), "pictures of one size");
    let of_channel = |(mut a, mut b): (Plane, Plane)| {
        let mut product = 1.0;
        for (scale, power) in SCALES.into_iter().enumerate() {
            if scale > 0 {
                (a, b) = (a.halved(), b.halved());
            }
            let Similarity { structural, contrast } = similarity(&a, &b)?;
            let factor: f64 = if scale + 1 == SCALES.len() { structural } else { contrast };
            product *= factor.max(0.0).powf(power);
        }
        Some(product)
    };
    let products: Option<Vec<f64>> = rgb(a).into_iter().zip(rgb(b)).map(of_channel).collect();
    products.map(|p| p.iter().sum::<f64>() / 3.0)
}

/// Means over a plane.
struct Similarity {
    structural: f64,
    contrast: f64,
}

fn similarity(a: &Plane, b: &Plane) -> Option<Similarity> {
    if a.width < WINDOW || a.height < WINDOW {
        return None;
    }
    let product = |x: &Plane, y: &Plane| -> Vec<f64> { x.values.iter().zip(&y.values).map(|(x, y)| x * y).collect() };
    let smooth = |values: &[f64]| filter(values, a.width, a.height);
    let (mean_a, mean_b) = (smooth(&a.values), smooth(&b.values));
    let (aa, bb, ab) = (smooth(&product(a, a)), smooth(&product(b, b)), smooth(&product(a, b)));
    let mut sums = Similarity { structural: 0.0, contrast: 0.0 };
    for i in 0..mean_a.len() {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (va, vb, covariance) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
        let contrast = (2.0 * covariance + C2) / (va + vb + C2);
        sums.contrast += contrast;
        sums.structural += (2.0 * ma * mb + C1) / (ma * ma + mb * mb + C1) * contrast;
    }
    let n = mean_a.len() as f64;
    Some(Similarity { structural: sums.structural / n, contrast: sums.contrast / n })
}

/// Correlation with the window, only where it fits.
fn filter(plane: &[f64], width: usize, height: usize) -> Vec<f64> {
    let taps: Vec<f64> = (0..WINDOW).map(|i| (-((i as f64 - 5.0) / SIGMA).powi(2) / 2.0).exp()).collect();
    let total: f64 = taps.iter().sum();
    let (inner_width, inner_height) = (width - WINDOW + 1, height - WINDOW + 1);
    let weigh = |values: &dyn Fn(usize) -> f64| (0..WINDOW).map(|k| taps[k] * values(k)).sum::<f64>() / total;
    let rows: Vec<f64> =
        (0..height * inner_width).map(|i| weigh(&|k| plane[i / inner_width * width + i % inner_width + k])).collect();
    (0..inner_height * inner_width).map(|i| weigh(&|k| rows[i + k * inner_width])).collect()
}
