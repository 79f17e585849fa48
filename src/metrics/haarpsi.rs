//! Haar wavelet perceptual similarity index (R. Reisenhofer et al., 2018, arXiv:1607.06140).

use image::Rgb32FImage;

use super::about::{About, about};
use super::metric::{Entry, Source};
use super::planes::{Plane, mixed, rgb};

/// Haar wavelet perceptual similarity index.
pub const HAARPSI: About = about("haarpsi", "HaarPSI", true, 4);

pub(super) const METRIC: Entry = Entry { about: HAARPSI, source: Source::Function(|a, b| Some(haarpsi(a, b))) };

/// Luminance and two chrominances, with the coefficients of piqa.
const YIQ: [[f64; 3]; 3] = [[0.299, 0.587, 0.114], [0.5969, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]];
const C: f64 = 30.0 / (255.0 * 255.0);
const ALPHA: f64 = 4.2;

/// Similarity of Haar wavelet responses, from 0 to 1 for equal pictures.
///
/// # Panics
/// If the sizes differ.
pub fn haarpsi(a: &Rgb32FImage, b: &Rgb32FImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions(), "pictures of one size");
    let colours = |picture| {
        let halves = rgb(picture).map(|plane| plane.halved());
        YIQ.map(|weights| mixed(&halves, weights))
    };
    let (a, b) = (colours(a), colours(b));
    let similarity = |a: f64, b: f64| (2.0 * a * b + C) / (a * a + b * b + C);
    let (mut weighted, mut weights) = (0.0, 0.0);
    let mut add = |local: f64, weight: f64| {
        weighted += weight / (1.0 + (-ALPHA * local).exp());
        weights += weight;
    };
    // Responses to the wavelets of 2, 4 and 8 pixels, along both axes.
    let responses = |plane: &Plane| [2, 4, 8].map(|size| [haar(plane, size, false), haar(plane, size, true)]);
    let (of_a, of_b) = (responses(&a[0]), responses(&b[0]));
    let means = |planes: &[Plane; 3]| [box_mean(&planes[1]), box_mean(&planes[2])];
    let (means_a, means_b) = (means(&a), means(&b));
    for i in 0..a[0].values.len() {
        let at = |scale: usize, axis: usize| (of_a[scale][axis].values[i], of_b[scale][axis].values[i]);
        let mut chrominance_weight = 0.0;
        for axis in [0, 1] {
            let local = (0..2).map(|scale| at(scale, axis)).map(|(a, b)| similarity(a, b)).sum::<f64>() / 2.0;
            let weight = at(2, axis).0.max(at(2, axis).1);
            chrominance_weight += weight / 2.0;
            add(local, weight);
        }
        let chrominances = (0..2).map(|c| similarity(means_a[c].values[i], means_b[c].values[i]));
        add(chrominances.sum::<f64>() / 2.0, chrominance_weight);
    }
    if weights == 0.0 {
        return 1.0;
    }
    let mean = weighted / weights;
    ((mean / (1.0 - mean)).ln() / ALPHA).powi(2)
}

/// Magnitude of the response to the Haar wavelet of `size` pixels across rows or, `transposed`, down columns; zero outside.
fn haar(plane: &Plane, size: i64, transposed: bool) -> Plane {
    plane.map(|y, x| {
        let mut sum = 0.0;
        for (i, j) in (0..size).flat_map(|i| (0..size).map(move |j| (i, j))) {
            let sign = if (if transposed { i } else { j }) < size / 2 { 1.0 } else { -1.0 };
            sum += sign * plane.at(y + 1 + i - size / 2, x + 1 + j - size / 2);
        }
        (sum / size as f64).abs()
    })
}

/// Magnitude of the mean over 2 x 2 pixels, zero outside.
fn box_mean(plane: &Plane) -> Plane {
    plane.map(|y, x| {
        let sum: f64 = [(0, 0), (0, 1), (1, 0), (1, 1)].iter().map(|(dy, dx)| plane.at(y + dy, x + dx)).sum();
        (sum / 4.0).abs()
    })
}
