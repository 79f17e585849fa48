//! fdgr's operations on Burn's backends: Fourier transforms, the gradient regularisers, the layers of networks.
//!
//! Each operation has a reference in plain tensor operations (`reference`, `*_reference`), which runs on every backend,
//! an implementation for the CPU (`flex`) and WGSL shaders for wgpu (`wgsl`); parity tests compare the three.
//!
//! The layers of networks have derivatives. The other operations do not, and panic on a tracked tensor.
//!
//! Spectra are real tensors with a last axis of two, `[batch, channel, height, width / 2 + 1, 2]`.
//!
//! On a graphics processor the first convolution measures which implementation is fastest, and keeps the answer in the
//! file `fdgr/convolutions.json` of the user's cache folder. If the environment variable `FDGR_NO_CACHE` is set and not
//! empty, the file is neither read nor written, and every process measures again.

pub mod attention;
mod autodiff;
pub mod convolution;
pub mod fft;
mod flex;
pub mod gradient;
pub mod half;
pub mod normalization;
mod profile;
mod reference_mode;
#[doc(hidden)]
pub mod testing;
mod wgsl;

use burn::backend::{
    Backend, backend_extension,
    tensor::{FloatTensor, IntTensor},
};

use convolution::Sampling;
pub use fft::{Fft2, LineFilter};
use normalization::GroupNorm;

/// The operations on images and weights that a backend must offer beyond Burn's own. Functions of [`fft`],
/// [`gradient`], [`half`](mod@half) and of derivatives wrap them.
#[backend_extension(Cube, Flex, Fusion: cfg(feature = "fusion"))]
pub trait Kernels: Backend {
    /// See [`Fft2::forward`]; `rows` and `columns` are [`fft::table`] of the width and the height.
    #[fusion(dtype = x, shape = fft::spectrum_shape(x))]
    fn fft2(x: FloatTensor<Self>, rows: FloatTensor<Self>, columns: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`Fft2::inverse`].
    #[fusion(dtype = x, shape = fft::image_shape(x, width))]
    fn inverse_fft2(
        x: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        columns: FloatTensor<Self>,
        width: usize,
    ) -> FloatTensor<Self>;

    /// See [`Fft2::filter`].
    #[fusion(dtype = x, shape = x)]
    fn filter(
        x: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        columns: FloatTensor<Self>,
        transfer: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// See [`fft::LineFilter`]; `table` is [`fft::table`] of the length of the lines, `transfer` `[length, 2]`.
    #[fusion(dtype = x, shape = x)]
    fn filter_lines(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        transfer: FloatTensor<Self>,
        axis: usize,
    ) -> FloatTensor<Self>;

    /// See [`gradient::joint_weight`]; `rate` is `1 / (2 sigma_g²)`.
    #[fusion(dtype = du, shape = du)]
    fn joint_weight(
        du: FloatTensor<Self>,
        dv: FloatTensor<Self>,
        scale: f32,
        alpha: f32,
        rate: f32,
    ) -> FloatTensor<Self>;

    /// See [`gradient::spatial`]; `rate` is `1 / (2 sigma_g²)`.
    #[fusion(dtype = x, shape = x)]
    fn gradient_spatial(x: FloatTensor<Self>, lam: f32, alpha: f32, rate: f32) -> FloatTensor<Self>;

    /// Gradient of [`NetworkKernels::group_norm`] with respect to `x`, from the `gradient` with respect to its result.
    #[fusion(dtype = x, shape = x)]
    fn group_norm_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self>;

    /// See [`half::widen`].
    #[fusion(dtype = burn::tensor::DType::F32, shape = burn::tensor::Shape::from([2 * words[0]]))]
    fn widen_half(words: IntTensor<Self>) -> FloatTensor<Self>;
}

/// The layers of networks. They have derivatives with respect to feature maps; weights are constants.
#[backend_extension(Cube, Flex, Autodiff, Fusion: cfg(feature = "fusion"))]
pub trait NetworkKernels: Backend {
    /// See [`normalization::GroupNorm`].
    #[fusion(dtype = x, shape = x)]
    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
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
    #[fusion(dtype = a, shape = burn::tensor::Shape::from([a[0], a[1] + b[1], a[2], a[3]]))]
    fn concatenate(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`attention::attend`].
    #[fusion(default)]
    fn attend(query: FloatTensor<Self>, key: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        attention::banded::<Self>(query, key, value)
    }
}
