//! Separable operators `y = V x Hᵀ` on each channel, inverted by the singular values of both factors.

use burn::tensor::{Device, Tensor, TensorData};
use nalgebra::{DMatrix, SymmetricEigen};
use serde::{Deserialize, Serialize};

use super::{LinearOperator, Preconditioner, Spectral};
use crate::mirror;
use crate::psf::keys;

/// Singular values of a factor below this count as 0, as in DDRM.
const NEGLIGIBLE: f64 = 0.03;

/// How a blur or bicubic kernel is inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Singular values of separable matrices; reflective border for super-resolution (above 512 pixels a side its Fourier transform,
    /// the same operator, of which less counts as zero), zero border for blur.
    Svd,
    /// Circular convolution through the Fourier transform.
    Fft,
}

/// A matrix on each axis.
pub struct Separable {
    channels: usize,
    vertical: Factor,
    horizontal: Factor,
    /// Products of the singular values, `[1, 1, rows, columns]`.
    singular: Tensor<4>,
    size: [usize; 2],
}

impl Separable {
    /// Bicubic reduction by `scale` (Keys' kernel with a = -1/2, stretched by `scale`), mirrored at the border.
    ///
    /// # Panics
    /// If `scale` is 0.
    pub fn bicubic(scale: usize, [channels, height, width]: [usize; 3], device: &Device) -> Self {
        let matrix = |n: usize| {
            let center = |row: usize| (row * scale) as f64 + (scale as f64 - 1.0) / 2.0;
            let mut a = DMatrix::zeros(n / scale, n);
            for row in 0..n / scale {
                let reach = 2.0 * scale as f64;
                let taps = (center(row) - reach).ceil() as i64..=(center(row) + reach).floor() as i64;
                let weights: Vec<(i64, f64)> =
                    taps.map(|j| (j, keys((j as f64 - center(row)) / scale as f64))).collect();
                let total: f64 = weights.iter().map(|(_, w)| w).sum();
                for (j, weight) in weights {
                    a[(row, mirror::index(j, n))] += weight / total;
                }
            }
            a
        };
        Self::new(channels, &matrix(height), &matrix(width), device)
    }

    /// Correlation with a vertical and a horizontal kernel, zero outside the picture.
    pub fn blur(vertical: &[f64], horizontal: &[f64], [channels, height, width]: [usize; 3], device: &Device) -> Self {
        let matrix = |kernel: &[f64], n: usize| {
            DMatrix::from_fn(n, n, |i, j| {
                (j + kernel.len() / 2).checked_sub(i).and_then(|k| kernel.get(k)).copied().unwrap_or(0.0)
            })
        };
        Self::new(channels, &matrix(vertical, height), &matrix(horizontal, width), device)
    }

    fn new(channels: usize, vertical: &DMatrix<f64>, horizontal: &DMatrix<f64>, device: &Device) -> Self {
        let size = [vertical.ncols(), horizontal.ncols()];
        let vertical = Factor::new(vertical, device);
        let horizontal = Factor::new(horizontal, device);
        let shape = [1, 1, vertical.values.len(), horizontal.values.len()];
        let products: Vec<f32> = products(&vertical, &horizontal).into_iter().map(|s| s as f32).collect();
        Self {
            channels,
            singular: Tensor::from_data(TensorData::new(products, shape), device),
            vertical,
            horizontal,
            size,
        }
    }

    fn products(&self) -> Vec<f64> {
        products(&self.vertical, &self.horizontal)
    }
}

impl LinearOperator for Separable {
    fn image_shape(&self) -> [usize; 3] {
        [self.channels, self.size[0], self.size[1]]
    }

    fn measured_shape(&self) -> [usize; 3] {
        [self.channels, self.vertical.values.len(), self.horizontal.values.len()]
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        let (v, h) = (&self.vertical.left, &self.horizontal.left);
        let damped = self.singular.clone().square() + p.eta;
        let hole = damped.clone().equal_elem(0.0);
        let gains = damped.recip().mask_fill(hole, 0.0) * p.inverse + p.identity;
        let components = v.clone().swap_dims(2, 3).matmul(y).matmul(h.clone()) * gains;
        v.clone().matmul(components).matmul(h.clone().swap_dims(2, 3))
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        self.vertical.matrix.clone().matmul(x).matmul(self.horizontal.matrix.clone().swap_dims(2, 3))
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        self.vertical.matrix.clone().swap_dims(2, 3).matmul(y).matmul(self.horizontal.matrix.clone())
    }

    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4> {
        let spectrum = self.vertical.left.clone().swap_dims(2, 3).matmul(y).matmul(self.horizontal.left.clone());
        let Preconditioner { eta, inverse, identity } = preconditioner;
        let s = &self.singular;
        let weighed = spectrum * (tikhonov(s, eta) * inverse + s.clone() * identity);
        self.vertical.right.clone().matmul(weighed).matmul(self.horizontal.right.clone().swap_dims(2, 3))
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Separable {
    fn singular_values(&self) -> Vec<f32> {
        let mut products: Vec<f32> = self.products().into_iter().map(|s| s as f32).collect();
        products.sort_by(|a, b| b.total_cmp(a));
        products
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        let gains: Vec<f32> = self.products().into_iter().map(|s| (f(s) - f(0.0)) as f32).collect();
        let gains = Tensor::from_data(TensorData::new(gains, self.singular.dims()), &x.device());
        let (v, h) = (&self.vertical.right, &self.horizontal.right);
        let components = v.clone().swap_dims(2, 3).matmul(x.clone()).matmul(h.clone());
        let seen = v.clone().matmul(components * gains).matmul(h.clone().swap_dims(2, 3));
        seen + x * f(0.0)
    }
}

/// Singular values of the whole, row by row.
fn products(vertical: &Factor, horizontal: &Factor) -> Vec<f64> {
    vertical.values.iter().flat_map(|v| horizontal.values.iter().map(move |h| v * h)).collect()
}

/// `matrix = left diag(values) rightᵀ`, negligible values dropped to 0.
struct Factor {
    matrix: Tensor<4>,
    left: Tensor<4>,
    right: Tensor<4>,
    values: Vec<f64>,
}

impl Factor {
    /// Decomposes `a` (m x n, m <= n) through the eigenvectors of `a aᵀ`, in f64.
    fn new(a: &DMatrix<f64>, device: &Device) -> Self {
        let eigen = SymmetricEigen::new(a * a.transpose());
        let left = eigen.eigenvectors;
        let values: Vec<f64> = eigen
            .eigenvalues
            .iter()
            .map(|&square| square.max(0.0).sqrt())
            .map(|s| if s < NEGLIGIBLE { 0.0 } else { s })
            .collect();
        let mut right = a.transpose() * &left;
        for (mut column, &s) in right.column_iter_mut().zip(&values) {
            column *= if s > 0.0 { 1.0 / s } else { 0.0 };
        }
        let scaled = DMatrix::from_fn(left.nrows(), left.ncols(), |i, j| left[(i, j)] * values[j]);
        let matrix = scaled * right.transpose();
        let upload = |m: &DMatrix<f64>| {
            let rows: Vec<f32> = m.transpose().iter().map(|&v| v as f32).collect();
            Tensor::from_data(TensorData::new(rows, [1, 1, m.nrows(), m.ncols()]), device)
        };
        Self { matrix: upload(&matrix), left: upload(&left), right: upload(&right), values }
    }
}

/// `s / (s² + eta)` of singular values `s >= 0`, and 0 where both are 0.
fn tikhonov(s: &Tensor<4>, eta: f64) -> Tensor<4> {
    let squared = s.clone().square();
    let hole = squared.clone().equal_elem(0.0).float();
    s.clone() / (squared + eta + hole)
}
