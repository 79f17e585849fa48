//! The gradient terms of FDGR's two regularisers.
//!
//! Both penalise image gradients `d` by `phi(s) = 1 - exp(-s^(alpha/2) / (2 sigma_g²))`-like functions whose derivative is
//! `phi'(d) = alpha s^(alpha/2 - 1) / (2 sigma_g²) exp(-s^(alpha/2) / (2 sigma_g²)) d`, with `s = d² + 1e-6` for each
//! direction in space (G+), and one joint `s` for both directions in frequency (G-).

use std::f64::consts::TAU;

use burn::backend::Dispatch;
use burn::tensor::{Tensor, TensorData};

use super::{Fft2, Kernels};

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

/// G- of an image `[b, c, h, w]`: `lam` times the negative divergence of `phi'` of the Fourier derivatives.
pub fn frequency(fft: &Fft2, x: Tensor<4>, lam: f64, shape: Penalty) -> Tensor<4> {
    let field = fft.inverse(spectral_derivative(fft.forward(x), false));
    let spectrum = fft.forward_complex(penalty(field, lam, shape));
    fft.inverse_real(spectral_derivative(spectrum, true))
}

/// Fourier derivatives of both axes in one complex product, on spectra `[b, c, h, w, 2]`.
///
/// With `divergence` false, `X -> 2 pi i (fx + i fy) X`, the spectrum of `du/dx + i du/dy` of a real `u`; with it,
/// `P -> -2 pi i (fx - i fy) P`, whose field has the real part `-(d Re p/dx + d Im p/dy)`. Frequencies are those of
/// `fftfreq`; the Nyquist frequency counts as 0, because its derivative has no real part.
pub fn spectral_derivative(x: Tensor<5>, divergence: bool) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::spectral_derivative(x.into_dispatch(), divergence))
}

/// `scale phi'` of a gradient field `du + i dv` `[b, c, h, w, 2]`, with `s = du² + dv² + 2e-4` clamped to `[1e-4, 100]`.
pub fn penalty(field: Tensor<5>, scale: f64, penalty: Penalty) -> Tensor<5> {
    let (alpha, rate) = penalty.parameters();
    Tensor::from_dispatch(Dispatch::gradient_penalty(field.into_dispatch(), alpha, rate, scale as f32))
}

/// What [`spatial`] must compute, in tensor operations.
pub fn spatial_specification(x: Tensor<4>, lam: f64, penalty: Penalty) -> Tensor<4> {
    let along = |axis: usize| {
        let d = x.clone() - shift(x.clone(), axis, 1);
        let p = weight(d.clone().square() + SPATIAL_EPSILON, penalty) * d;
        let last = x.dims()[axis] - 1;
        p.clone() - shift(p, axis, last)
    };
    (along(3) + along(2)) * lam
}

/// What [`frequency`] must compute, in tensor operations.
pub fn frequency_specification(x: Tensor<4>, lam: f64, penalty: Penalty) -> Tensor<4> {
    let field = super::fft::specification(Tensor::stack(vec![x.clone(), x.zeros_like()], 4), false);
    let field = super::fft::specification(derivative_specification(field, false), true);
    let spectrum = super::fft::specification(penalty_specification(field, lam, penalty), false);
    let [b, c, h, w] = x.dims();
    super::fft::specification(derivative_specification(spectrum, true), true).narrow(4, 0, 1).reshape([b, c, h, w])
}

/// What [`penalty`] must compute, in tensor operations.
pub fn penalty_specification(field: Tensor<5>, scale: f64, penalty: Penalty) -> Tensor<5> {
    let s = field.clone().square().sum_dim(4) + JOINT_EPSILON;
    weight(s.clamp(JOINT_RANGE.0, JOINT_RANGE.1), penalty) * field * scale
}

/// What [`spectral_derivative`] must compute, in tensor operations.
pub fn derivative_specification(x: Tensor<5>, divergence: bool) -> Tensor<5> {
    let [b, c, h, w, _] = x.dims();
    let device = x.device();
    let frequencies = |n| -> Vec<f32> { (0..n).map(|k| TAU as f32 * frequency_of(k, n)).collect() };
    let fx = Tensor::<4>::from_data(TensorData::new(frequencies(w), [1, 1, 1, w]), &device);
    let fy = Tensor::<4>::from_data(TensorData::new(frequencies(h), [1, 1, h, 1]), &device);
    let sign = if divergence { -1.0 } else { 1.0 };
    let part = |i| x.clone().narrow(4, i, 1).reshape([b, c, h, w]);
    let (re, im) = (part(0), part(1));
    let (real, imaginary) = (-fy, fx * sign);
    Tensor::stack(vec![re.clone() * real.clone() - im.clone() * imaginary.clone(), re * imaginary + im * real], 4)
}

/// Frequency `k` of `n` in cycles a sample, in the order of `fftfreq`; 0 at the Nyquist frequency.
pub(super) fn frequency_of(k: usize, n: usize) -> f32 {
    match (2 * k).cmp(&n) {
        std::cmp::Ordering::Less => k as f32 / n as f32,
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => -((n - k) as f32) / n as f32,
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
