//! The operations on wgpu: the shaders of `shaders/`, launched through CubeCL.
//!
//! A shader is one text and one implementation of [`shader::Shader`], beside the code that launches it; [`registry`]
//! lists them all for the tests.

mod assembly;
mod attention;
mod choice;
mod convolution;
mod fft;
mod gradient;
mod half;
mod launch;
mod matrix;
mod normalization;
mod registry;
mod shader;
mod unroll;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::wgpu::{CubeBackend, into_contiguous};

use self::choice::Method;
pub use self::registry::shaders;
pub use self::shader::Entry;
use super::convolution::Sampling;
use super::normalization::GroupNorm;
use super::{Kernels, NetworkKernels};

impl Kernels for CubeBackend {
    fn fft2(x: FloatTensor<Self>, rows: FloatTensor<Self>, columns: FloatTensor<Self>) -> FloatTensor<Self> {
        let [x, rows, columns] = [x, rows, columns].map(into_contiguous);
        fft::forward(&x, &rows, &columns)
    }

    fn inverse_fft2(
        x: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        columns: FloatTensor<Self>,
        width: usize,
    ) -> FloatTensor<Self> {
        let [x, rows, columns] = [x, rows, columns].map(into_contiguous);
        fft::inverse(&x, &rows, &columns, width)
    }

    fn filter(
        x: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        columns: FloatTensor<Self>,
        transfer: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let [x, rows, columns, transfer] = [x, rows, columns, transfer].map(into_contiguous);
        fft::filter(&x, &rows, &columns, &transfer)
    }

    fn filter_lines(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        transfer: FloatTensor<Self>,
        axis: usize,
    ) -> FloatTensor<Self> {
        let [x, table, transfer] = [x, table, transfer].map(into_contiguous);
        fft::filter_lines(&x, &table, &transfer, axis)
    }

    fn joint_weight(
        du: FloatTensor<Self>,
        dv: FloatTensor<Self>,
        scale: f32,
        alpha: f32,
        rate: f32,
    ) -> FloatTensor<Self> {
        gradient::joint_weight(du, dv, scale, alpha, rate)
    }

    fn gradient_spatial(x: FloatTensor<Self>, lam: f32, alpha: f32, rate: f32) -> FloatTensor<Self> {
        gradient::spatial(x, lam, alpha, rate)
    }

    fn group_norm_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self> {
        normalization::gradient(x, gradient, scale, shift, norm)
    }

    fn widen_half(words: IntTensor<Self>) -> FloatTensor<Self> {
        half::widen(words)
    }
}

impl NetworkKernels for CubeBackend {
    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self> {
        normalization::forward(x, scale, shift, norm)
    }

    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self> {
        Method::of(&x).convolve(x, weight, bias, None, sampling)
    }

    fn convolve_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self> {
        Method::of(&x).convolve(x, weight, bias, Some(residual), sampling)
    }

    fn concatenate(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_cat(vec![a, b], 1)
    }

    fn attend(query: FloatTensor<Self>, key: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        attention::attend(query, key, value)
    }
}
