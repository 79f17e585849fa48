//! The gradient terms of FDGR's two regularisers.
//!
//! Both penalise image gradients `d` by `phi(d) = 1 - exp(-s^(alpha/2) / (2 sigma_g²))`, whose derivative is
//! `phi'(d) = alpha s^(alpha/2 - 1) / (2 sigma_g²) exp(-s^(alpha/2) / (2 sigma_g²)) d`, with `s = d² + 1e-6` for each
//! direction in space (G+), and one joint `s` for both directions in frequency (G-).

use std::f64::consts::TAU;

use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor, TensorData};
use rustfft::num_complex::Complex;

use super::{Kernels, LineFilter};

/// Added to a squared difference in G+.
pub(super) const SPATIAL_EPSILON: f32 = 1e-6;
/// Added to the joint squared magnitude in G-.
pub(super) const JOINT_EPSILON: f32 = 2e-4;
/// Range of that magnitude.
pub(super) const JOINT_RANGE: (f32, f32) = (1e-4, 100.0);

/// Shape of the penalty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    /// Exponent `alpha > 0` of the gradient magnitude.
    pub alpha: f64,
    /// Scale `sigma_g > 0` of the gradients, in units of a `[-1, 1]` image.
    pub sigma_g: f64,
}

impl Penalty {
    fn parameters(self) -> (f32, f32) {
        (self.alpha as f32, (0.5 / (self.sigma_g * self.sigma_g)) as f32)
    }
}

/// G+ of an image `[b, c, h, w]`: `lam` times the adjoint difference of `phi'` of the periodic backward differences.
pub fn spatial(x: Tensor<4>, lam: f64, penalty: Penalty) -> Tensor<4> {
    let (alpha, rate) = penalty.parameters();
    Tensor::from_dispatch(Dispatch::gradient_spatial(x.into_dispatch(), lam as f32, alpha, rate))
}

/// The Fourier derivatives of images of one size, along the width and along the height.
///
/// `X[k] -> 2 pi i f X[k]` with the frequencies `f` of `fftfreq`, in cycles a pixel; the Nyquist frequency counts as 0,
/// because its derivative has no real part.
#[derive(Clone, Debug)]
pub struct Derivatives {
    along_width: LineFilter,
    along_height: LineFilter,
}

impl Derivatives {
    /// Of images of `height` x `width`.
    pub fn new(height: usize, width: usize, device: &Device) -> Self {
        let filter = |axis, n| {
            let transfer: Vec<_> = (0..n).map(|k| Complex::new(0.0, TAU * frequency_of(k, n))).collect();
            LineFilter::new(axis, &transfer, device)
        };
        Self { along_width: filter(3, width), along_height: filter(2, height) }
    }

    /// `du/dx` and `du/dy` of an image `[b, c, h, w]`.
    pub fn gradient(&self, u: Tensor<4>) -> [Tensor<4>; 2] {
        [self.along_width.apply(u.clone()), self.along_height.apply(u)]
    }

    /// `dp/dx + dq/dy` of a field `(p, q)`.
    pub fn divergence(&self, [p, q]: [Tensor<4>; 2]) -> Tensor<4> {
        self.along_width.apply(p) + self.along_height.apply(q)
    }
}

/// G- of an image `[b, c, h, w]`: `lam` times the negative divergence of `phi'` of the Fourier derivatives.
pub fn frequency(derivatives: &Derivatives, x: Tensor<4>, lam: f64, penalty: Penalty) -> Tensor<4> {
    let [du, dv] = derivatives.gradient(x);
    let weight = joint_weight(du.clone(), dv.clone(), -lam, penalty);
    derivatives.divergence([du * weight.clone(), dv * weight])
}

/// `scale phi'(d) / d` of a gradient `(du, dv)`, both `[b, c, h, w]`, with `s = du² + dv² + 2e-4` clamped to
/// `[1e-4, 100]`.
pub fn joint_weight(du: Tensor<4>, dv: Tensor<4>, scale: f64, penalty: Penalty) -> Tensor<4> {
    let (alpha, rate) = penalty.parameters();
    let (du, dv) = (du.into_dispatch(), dv.into_dispatch());
    Tensor::from_dispatch(Dispatch::joint_weight(du, dv, scale as f32, alpha, rate))
}

/// [`spatial`] in tensor operations.
pub fn spatial_reference(x: Tensor<4>, lam: f64, penalty: Penalty) -> Tensor<4> {
    let along = |axis: usize| {
        let d = x.clone() - shift(x.clone(), axis, 1);
        let p = weight(d.clone().square() + SPATIAL_EPSILON, penalty) * d;
        let last = x.dims()[axis] - 1;
        p.clone() - shift(p, axis, last)
    };
    (along(3) + along(2)) * lam
}

/// [`frequency`] in tensor operations.
pub fn frequency_reference(x: Tensor<4>, lam: f64, penalty: Penalty) -> Tensor<4> {
    let (du, dv) = (derivative_reference(x.clone(), 3), derivative_reference(x, 2));
    let weight = joint_weight_reference(du.clone(), dv.clone(), -lam, penalty);
    derivative_reference(du * weight.clone(), 3) + derivative_reference(dv * weight, 2)
}

/// [`joint_weight`] in tensor operations.
pub fn joint_weight_reference(du: Tensor<4>, dv: Tensor<4>, scale: f64, penalty: Penalty) -> Tensor<4> {
    let s = du.square() + dv.square() + JOINT_EPSILON;
    weight(s.clamp(JOINT_RANGE.0, JOINT_RANGE.1), penalty) * scale
}

/// [`Derivatives`] along an axis: the derivative of the trigonometric interpolation,
/// `x[j] = (2 pi / n) sum_k sum_m f_k sin(2 pi k (m - j) / n) x[m]`, as a product with a matrix.
pub fn derivative_reference(x: Tensor<4>, axis: usize) -> Tensor<4> {
    let n = x.dims()[axis];
    let kernel: Vec<f64> = (0..n)
        .map(|shift| {
            let term = |k: usize| -TAU * frequency_of(k, n) * (TAU * (k * shift % n) as f64 / n as f64).sin();
            (0..n).map(term).sum::<f64>() / n as f64
        })
        .collect();
    let entries: Vec<f32> = (0..n * n).map(|i| kernel[(i / n + n - i % n) % n] as f32).collect();
    let matrix = Tensor::from_data(TensorData::new(entries, [1, 1, n, n]), &x.device());
    if axis == 2 { matrix.matmul(x) } else { x.matmul(matrix.transpose()) }
}

/// Frequency `k` of `n` in cycles a sample, in the order of `fftfreq`; 0 at the Nyquist frequency.
fn frequency_of(k: usize, n: usize) -> f64 {
    match (2 * k).cmp(&n) {
        std::cmp::Ordering::Less => k as f64 / n as f64,
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => -((n - k) as f64) / n as f64,
    }
}

/// `phi'(d) / d` for the squared magnitude `s`.
fn weight<const D: usize>(s: Tensor<D>, penalty: Penalty) -> Tensor<D> {
    let (alpha, rate) = penalty.parameters();
    let power = s.clone().powf_scalar(0.5 * alpha);
    power.clone() / s * (power * -rate).exp() * (alpha * rate)
}

/// Periodic shift along `axis`: element `i` of the result is element `i - by` of `x`.
fn shift(x: Tensor<4>, axis: usize, by: usize) -> Tensor<4> {
    let n = x.dims()[axis];
    if by.is_multiple_of(n) {
        return x;
    }
    let (head, tail) = (x.clone().narrow(axis, 0, n - by), x.narrow(axis, n - by, by));
    Tensor::cat(vec![tail, head], axis)
}
