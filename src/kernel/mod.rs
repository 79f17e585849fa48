//! Our operations on Burn's backends: Fourier transforms, the gradient regularisers, what networks need.
//!
//! Each operation has a specification in plain tensor operations (`*_specification`), which runs on every backend, an
//! implementation for the CPU (`flex`) and WGSL kernels for wgpu ([`wgsl`]); parity tests compare the three.
//!
//! What networks are made of has derivatives; the rest is never differentiated through, and panics where it is asked for that.
//!
//! Spectra are real tensors with a last axis of two, `[batch, channel, height, width / 2 + 1, 2]`.

pub mod attention;
mod autodiff;
pub mod convolution;
pub mod fft;
mod flex;
pub mod gradient;
pub mod half;
pub mod normalization;
pub mod profile;
pub mod wgsl;

use std::cell::Cell;

use burn::backend::{
    Backend, backend_extension,
    tensor::{FloatTensor, IntTensor},
};

use convolution::Sampling;
pub use fft::{Fft2, LineFilter};
use normalization::GroupNorm;

thread_local! {
    static BY_SPECIFICATION: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with the specifications of [`NetworkKernels`] in their place, on this thread: what whole networks are compared
/// with.
pub fn by_specification<T>(work: impl FnOnce() -> T) -> T {
    /// Sets the flag back, after a panic as well.
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            BY_SPECIFICATION.set(self.0);
        }
    }
    let _reset = Reset(BY_SPECIFICATION.replace(true));
    work()
}

/// The operations on images, and on numbers, that a backend must offer beyond Burn's own. The functions of [`fft`] and [`gradient`]
/// wrap them.
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

    /// Gradient of [`NetworkKernels::group_norm`] by `x`, from the `gradient` by its result.
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

/// What networks are made of. It has derivatives by pictures; weights count as constants there.
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
