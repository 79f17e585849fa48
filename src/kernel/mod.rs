//! Our operations on Burn's backends: Fourier transforms, the gradient regularisers, what networks need.
//!
//! Each operation has a specification in plain tensor operations (`*_specification`), which runs on every backend, an
//! implementation for the CPU (`flex`) and WGSL kernels for wgpu ([`wgsl`]); parity tests compare the three.
//!
//! Complex fields are real tensors with a last axis of two, `[batch, channel, height, width, 2]`.

pub mod convolution;
pub mod fft;
mod flex;
pub mod gradient;
pub mod half;
pub mod normalization;
pub mod wgsl;

use burn::backend::{
    Backend, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::Shape;

use convolution::Sampling;
pub use fft::Fft2;

/// The operations a backend must offer beyond Burn's own. The functions of [`fft`] and [`gradient`] wrap them.
#[backend_extension(Cube, Flex, Fusion: cfg(feature = "fusion"))]
pub trait Kernels: Backend {
    /// Discrete Fourier transform of all lines along `axis` (2: height, 3: width).
    ///
    /// `x` is `[b, c, h, w, 2]`, or `[b, c, h, w]` for real input; `real_output` keeps the real part only. `table` is
    /// [`fft::table`] for that length. The inverse is divided by the length.
    #[fusion(dtype = x, shape = field_shape(x, real_output))]
    fn fft_lines(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        axis: usize,
        inverse: bool,
        real_output: bool,
    ) -> FloatTensor<Self>;

    /// Product of every plane of `x` `[b, c, h, w, 2]` with `transfer` `[h, w, 2]`.
    #[fusion(dtype = x, shape = x)]
    fn transfer_product(x: FloatTensor<Self>, transfer: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`gradient::spectral_derivative`].
    #[fusion(dtype = x, shape = x)]
    fn spectral_derivative(x: FloatTensor<Self>, divergence: bool) -> FloatTensor<Self>;

    /// See [`gradient::penalty`]; `rate` is `1 / (2 sigma_g²)`.
    #[fusion(dtype = x, shape = x)]
    fn gradient_penalty(x: FloatTensor<Self>, alpha: f32, rate: f32, scale: f32) -> FloatTensor<Self>;

    /// See [`gradient::spatial`]; `rate` is `1 / (2 sigma_g²)`.
    #[fusion(dtype = x, shape = x)]
    fn gradient_spatial(x: FloatTensor<Self>, lam: f32, alpha: f32, rate: f32) -> FloatTensor<Self>;

    /// See [`normalization::GroupNorm`].
    #[fusion(dtype = x, shape = x)]
    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        groups: usize,
        epsilon: f32,
        activate: bool,
    ) -> FloatTensor<Self>;

    /// See [`convolution::convolve`].
    #[fusion(dtype = x, shape = convolution::shape(x, weight, sampling))]
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self>;

    /// See [`convolution::convolve_add`].
    #[fusion(dtype = x, shape = residual)]
    fn convolve_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self>;

    /// See [`convolution::concatenate`].
    #[fusion(dtype = a, shape = Shape::from([a[0], a[1] + b[1], a[2], a[3]]))]
    fn concatenate(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`half::widen`].
    #[fusion(dtype = burn::tensor::DType::F32, shape = Shape::from([2 * words[0]]))]
    fn widen_half(words: IntTensor<Self>) -> FloatTensor<Self>;
}

/// Shape of a transform of `x`: `[b, c, h, w]` where only the real part is kept, else `[b, c, h, w, 2]`.
fn field_shape(x: &Shape, real_output: &bool) -> Shape {
    let [b, c, h, w] = [x[0], x[1], x[2], x[3]];
    if *real_output { Shape::from([b, c, h, w]) } else { Shape::from([b, c, h, w, 2]) }
}
