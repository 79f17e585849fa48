//! Compressed sensing by the Walsh-Hadamard transform: `y` `[b, c, 1, m]`.
//!
//! Each channel, flattened, is transformed by the orthonormal Walsh-Hadamard matrix in natural order, and the first `m`
//! entries of a permutation are kept. A length that is not a power of two is split into powers of two, largest first,
//! each with its own transform.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::SliceRandom;

use super::{LinearOperator, Preconditioner, Spectral, filter_flat};
use crate::noise::{Stream, generator};

/// Largest transform done as one matrix product.
const LARGEST_FACTOR: usize = 256;

/// A choice of Walsh-Hadamard coefficients.
#[derive(Debug)]
pub struct WalshHadamard {
    size: [usize; 2],
    measured: usize,
    /// Index of each measured coefficient.
    chosen: Tensor<1, Int>,
    /// Index into the measured coefficients and one zero behind them, for every coefficient.
    place: Tensor<1, Int>,
}

/// A random order of `0..n` that begins with the mean brightness, which no prior could guess.
pub(super) fn permutation(n: usize, seed: u64) -> Vec<usize> {
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

impl WalshHadamard {
    /// Keeps the coefficients `order[0 .. ratio n]` of the `n = height width`.
    pub fn new(order: &[usize], ratio: f64, height: usize, width: usize, device: &Device) -> Self {
        let measured = ((ratio * order.len() as f64).round() as usize).clamp(1, order.len());
        let mut place = vec![measured as i32; order.len()];
        order[..measured].iter().enumerate().for_each(|(i, &at)| place[at] = i as i32);
        let chosen: Vec<i32> = order[..measured].iter().map(|&at| at as i32).collect();
        let upload = |indices: Vec<i32>| Tensor::from_data(TensorData::from(indices.as_slice()), device);
        Self { size: [height, width], measured, chosen: upload(chosen), place: upload(place) }
    }
}

impl LinearOperator for WalshHadamard {
    fn image_size(&self) -> [usize; 2] {
        self.size
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

    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4> {
        self.adjoint(y * preconditioner.gain(1.0))
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for WalshHadamard {
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
