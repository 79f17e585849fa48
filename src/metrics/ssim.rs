//! Structural similarity (Z. Wang et al., 2004).

use image::Rgb32FImage;

use super::planes;

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// Mean structural similarity of RGB in `[0, 1]`: a Gaussian window of 11 pixels and sigma 1.5, only where it fits, mean
/// over the channels. `None` for pictures smaller than the window.
///
/// # Panics
/// If the sizes differ.
pub fn ssim(a: &Rgb32FImage, b: &Rgb32FImage) -> Option<f64> {
    assert_eq!(a.dimensions(), b.dimensions(), "pictures of one size");
    let (width, height) = (a.width() as usize, a.height() as usize);
    if width < WINDOW || height < WINDOW {
        return None;
    }
    let smooth = |plane: &[f64]| filter(plane, width, height);
    let of_plane = |(a, b): (Vec<f64>, Vec<f64>)| {
        let product = |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
        let (mean_a, mean_b) = (smooth(&a), smooth(&b));
        let (aa, bb, ab) = (smooth(&product(&a, &a)), smooth(&product(&b, &b)), smooth(&product(&a, &b)));
        let at = |i: usize| {
            let (ma, mb) = (mean_a[i], mean_b[i]);
            let (va, vb, covariance) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
            (2.0 * ma * mb + C1) * (2.0 * covariance + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2))
        };
        (0..mean_a.len()).map(at).sum::<f64>() / mean_a.len() as f64
    };
    Some(planes(a).into_iter().zip(planes(b)).map(of_plane).sum::<f64>() / 3.0)
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
