//! Compressed sensing by the Walsh-Hadamard transform: `y` `[b, c, 1, m]`.
//!
//! Each channel, flattened, is transformed by the orthonormal Walsh-Hadamard matrix in natural order, and the first `m`
//! entries of a permutation are kept. A length that is not a power of two is split into powers of two, largest first,
//! each with its own transform.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::operator::filter_flat;
use super::{Family, Kind, LinearOperator, Preconditioner, Preset, Spectral, StageKind, check_ratio, share};
use crate::error::{Error, Result};
use crate::noise::{Stream, generator};
use crate::parameter::{self, Parameter, Values};

/// Largest transform done as one matrix product.
const LARGEST_FACTOR: usize = 256;

/// Some coefficients of the orthonormal Walsh-Hadamard transform.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WalshHadamard {
    /// Share of the coefficients kept, in (0, 1].
    pub ratio: f64,
    /// Seed of the choice.
    pub seed: u64,
}

/// Share of measurements.
pub(super) const RATIO: Parameter =
    Parameter::new("ratio", "share of compressed sensing measurements", parameter::Kind::Above { low: 0.0, high: 1.0 });
/// Pattern of measurements.
pub(super) const SENSING: Parameter =
    Parameter::new("sensing", "pattern of compressed sensing", parameter::Kind::Choice(&["walsh", "blocks"]));

/// The share of measurements that was given, or a quarter.
pub(super) fn ratio(values: &Values) -> Result<f64> {
    let given = values.get("ratio").map(|text| RATIO.parse(text)).transpose()?;
    Ok(given.and_then(|value| value.as_f64()).unwrap_or(0.25))
}

/// The kind.
pub static KIND: Kind = Kind {
    name: "cs_walshhadamard",
    task: "cs",
    title: "Measured by compressed sensing",
    chosen_by: Some(("sensing", "walsh")),
    parameters: &[RATIO, SENSING],
    presets: &[Preset { scale: Some("ratio"), ..Preset::new("cs_walshhadamard", "Walsh-Hadamard coefficients") }],
    usual_sigma: None,
    parse: |values, context| Ok(WalshHadamard { ratio: ratio(values)?, seed: context.seed }.into()),
    examples: |_| vec![("cs_walshhadamard", WalshHadamard { ratio: 0.25, seed: 3 }.into())],
};

impl StageKind for WalshHadamard {
    fn family(&self) -> Family {
        Family::Sensing
    }

    fn check(&self, [channels, height, width]: [usize; 3]) -> Result<[usize; 3]> {
        check_ratio(self.ratio)?;
        let pixels = height.checked_mul(width).filter(|&pixels| i32::try_from(pixels).is_ok());
        let pixels = pixels.ok_or_else(|| {
            Error::parameter("the picture", format!("{width}x{height}"), "transforms have at most 2^31 pixels")
        })?;
        Ok([channels, 1, share(self.ratio, pixels)])
    }

    fn build(&self, image: [usize; 3], device: &Device) -> Result<Box<dyn LinearOperator>> {
        let [_, height, width] = image;
        Ok(Box::new(Coefficients::new(&permutation(height * width, self.seed), self.ratio, image, device)))
    }

    fn seed(&self) -> Option<u64> {
        Some(self.seed)
    }
}

/// A choice of Walsh-Hadamard coefficients.
pub struct Coefficients {
    shape: [usize; 3],
    size: [usize; 2],
    measured: usize,
    /// Index of each measured coefficient.
    chosen: Tensor<1, Int>,
    /// Index into the measured coefficients and one zero behind them, for every coefficient.
    place: Tensor<1, Int>,
}

/// A random order of `0..n` that begins with the mean brightness, which no prior could guess.
fn permutation(n: usize, seed: u64) -> Vec<usize> {
    let means: Vec<usize> = pieces(n).map(|(start, _)| start).collect();
    let mut others: Vec<usize> = (0..n).filter(|i| !means.contains(i)).collect();
    others.shuffle(&mut generator(seed, Stream::SensingPattern));
    means.into_iter().chain(others).collect()
}

/// Start and length of the powers of two that make up `n`, largest first.
fn pieces(n: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let length = 1 << (n - start).checked_ilog2()?;
        start += length;
        Some((start - length, length))
    })
}

impl Coefficients {
    /// Keeps the coefficients `order[0 .. ratio n]` of the `n = height width` of images `[channels, height, width]`.
    pub fn new(order: &[usize], ratio: f64, shape: [usize; 3], device: &Device) -> Self {
        let [_, height, width] = shape;
        let measured = share(ratio, order.len());
        let mut place = vec![measured as i32; order.len()];
        order[..measured].iter().enumerate().for_each(|(i, &at)| place[at] = i as i32);
        let chosen: Vec<i32> = order[..measured].iter().map(|&at| at as i32).collect();
        let upload = |indices: Vec<i32>| Tensor::from_data(TensorData::from(indices.as_slice()), device);
        Self { shape, size: [height, width], measured, chosen: upload(chosen), place: upload(place) }
    }
}

impl LinearOperator for Coefficients {
    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn measured_shape(&self) -> [usize; 3] {
        [self.shape[0], 1, self.measured]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        let spectrum = transform(x.reshape([b * c, h * w]));
        spectrum.select(1, self.chosen.clone()).reshape([b, c, 1, self.measured])
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        let ([b, c, _, m], [h, w]) = (y.dims(), self.size);
        let device = y.device();
        let padded = Tensor::cat(vec![y.reshape([b * c, m]), Tensor::zeros([b * c, 1], &device)], 1);
        transform(padded.select(1, self.place.clone())).reshape([b, c, h, w])
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        y * p.gain(1.0)
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Coefficients {
    fn singular_values(&self) -> Vec<f32> {
        vec![1.0; self.measured]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        filter_flat(self, 1.0, x, f)
    }
}

/// The orthonormal transform of each row of `x` `[rows, n]`; it is its own inverse.
fn transform(x: Tensor<2>) -> Tensor<2> {
    let [_, n] = x.dims();
    let piece = |(start, length)| transform_power_of_two(x.clone().narrow(1, start, length));
    Tensor::cat(pieces(n).map(piece).collect(), 1)
}

/// `H_ab = H_a ⊗ H_b`, applied factor by factor.
fn transform_power_of_two(x: Tensor<2>) -> Tensor<2> {
    let [rows, n] = x.dims();
    let device = x.device();
    let mut x = x;
    let mut inner = 1;
    while inner < n {
        let factor = (n / inner).min(LARGEST_FACTOR);
        let matrix = hadamard(factor, &device).reshape([1, factor, factor]);
        x = matrix.matmul(x.reshape([rows * n / (inner * factor), factor, inner])).reshape([rows, n]);
        inner *= factor;
    }
    x
}

fn hadamard(n: usize, device: &Device) -> Tensor<2> {
    let scale = 1.0 / (n as f32).sqrt();
    let values: Vec<f32> =
        (0..n * n).map(|i| if ((i / n) & (i % n)).count_ones().is_multiple_of(2) { scale } else { -scale }).collect();
    Tensor::from_data(TensorData::new(values, [n, n]), device)
}
