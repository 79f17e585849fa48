//! The operations on the CPU: `rustfft` for the transforms, vectors chosen when the program runs for what networks need.

mod convolution;
mod elementary;
mod features;
mod gradient;
mod normalization;
mod transform;
mod winograd;

use burn::backend::{
    Flex,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Shape, TensorData};
use burn_flex::FlexTensor;
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use rayon::prelude::*;

use self::convolution::{Geometry, Operands};
use self::features::{Features, values};
use super::convolution::Sampling;
use super::gradient::frequency_of;
use super::{Kernels, field_shape};

impl Kernels for Flex {
    fn fft_lines(
        x: FloatTensor<Self>,
        _table: FloatTensor<Self>,
        axis: usize,
        inverse: bool,
        real_output: bool,
    ) -> FloatTensor<Self> {
        let shape = x.layout().shape().clone();
        let real_input = shape.num_dims() == 4;
        let lines = transform::Lines { height: shape[2], width: shape[3], columns: axis == 2, inverse };
        let transformed = lines.transform(values(&x.to_contiguous()), real_input, real_output);
        tensor(transformed, field_shape(&shape, &real_output))
    }

    fn transfer_product(x: FloatTensor<Self>, transfer: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, transfer) = (x.to_contiguous(), transfer.to_contiguous());
        let factors = values(&transfer);
        let mut product = vec![0.0; values(&x).len()];
        product.par_chunks_mut(PIECE).zip(values(&x).par_chunks(PIECE)).enumerate().for_each(|(piece, (out, x))| {
            let factors = pairs(factors).iter().cycle().skip(piece * PIECE / 2 % (factors.len() / 2));
            let numbers = out.as_chunks_mut().0.iter_mut().zip(pairs(x));
            numbers.zip(factors).for_each(|((out, x), factor)| *out = times(*x, *factor));
        });
        tensor(product, x.layout().shape().clone())
    }

    fn spectral_derivative(x: FloatTensor<Self>, divergence: bool) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        let shape = x.layout().shape().clone();
        let (height, width) = (shape[2], shape[3]);
        let angular = |k, n| std::f32::consts::TAU * frequency_of(k, n);
        let sign = if divergence { -1.0 } else { 1.0 };
        let fx: Vec<f32> = (0..width).map(|k| sign * angular(k, width)).collect();
        let mut derivative = vec![0.0; values(&x).len()];
        let rows = derivative.par_chunks_mut(2 * width).zip(values(&x).par_chunks(2 * width));
        rows.enumerate().for_each(|(row, (out, x))| {
            let fy = angular(row % height, height);
            let numbers = out.as_chunks_mut().0.iter_mut().zip(pairs(x));
            numbers.zip(&fx).for_each(|((out, x), &fx)| *out = times(*x, [-fy, fx]));
        });
        tensor(derivative, shape)
    }

    fn gradient_penalty(x: FloatTensor<Self>, alpha: f32, rate: f32, scale: f32) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        tensor(gradient::Penalty { alpha, rate }.joint(values(&x), scale), x.layout().shape().clone())
    }

    fn gradient_spatial(x: FloatTensor<Self>, lam: f32, alpha: f32, rate: f32) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        let shape = x.layout().shape().clone();
        tensor(gradient::Penalty { alpha, rate }.spatial(values(&x), shape[2], shape[3], lam), shape)
    }

    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        groups: usize,
        epsilon: f32,
        activate: bool,
    ) -> FloatTensor<Self> {
        let (scale, shift) = (scale.to_contiguous(), shift.to_contiguous());
        let (scale, shift) = (values(&scale), values(&shift));
        let x = Features::of(&x);
        let [_, height, width, _] = x.dims();
        let norm = normalization::GroupNorm { groups, epsilon, scale, shift, activate };
        Features::tensor(norm.forward(x.values(), height * width), x.dims())
    }

    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self> {
        convolve(&x, &weight, &bias, None, sampling)
    }

    fn convolve_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self> {
        convolve(&x, &weight, &bias, Some(&residual), sampling)
    }

    fn concatenate(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Features::of(&a).concatenated(&Features::of(&b))
    }

    fn widen_half(words: IntTensor<Self>) -> FloatTensor<Self> {
        let words = words.to_contiguous();
        let count = words.layout().shape().num_elements();
        let words = &words.storage::<i32>()[words.layout().start_offset()..][..count];
        let mut values = vec![0.0; 2 * count];
        // In pieces that fit the nearest cache, because the conversion goes through a buffer of f16.
        const PIECE: usize = 2048;
        values.par_chunks_mut(2 * PIECE).zip(words.par_chunks(PIECE)).for_each(|(values, words)| {
            let halves: &[f16] = bytemuck::cast_slice::<i32, u16>(words).reinterpret_cast();
            halves.convert_to_f32_slice(values);
        });
        tensor(values, Shape::from([2 * count]))
    }
}

fn convolve(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    residual: Option<&FlexTensor>,
    sampling: Sampling,
) -> FlexTensor {
    let (weight, bias, residual) = (weight.to_contiguous(), bias.to_contiguous(), residual.map(Features::of));
    let shape = super::convolution::shape(x.layout().shape(), weight.layout().shape(), &sampling);
    let x = Features::of(x);
    let ([batch, height, width, inputs], taps) = (x.dims(), weight.layout().shape()[0]);
    let [outputs, out_height, out_width] = [shape[1], shape[2], shape[3]];
    let geometry = Geometry {
        batch,
        height,
        width,
        inputs,
        out_height,
        out_width,
        outputs,
        taps,
        stride: sampling.stride(),
        padding: sampling.padding(taps),
        doubled: sampling == Sampling::Double,
    };
    let operands = Operands {
        x: x.values(),
        weight: values(&weight),
        bias: values(&bias),
        residual: residual.as_ref().map(Features::values),
    };
    Features::tensor(convolution::convolve(&geometry, operands), [batch, out_height, out_width, outputs])
}

/// Floats that a thread works on at a time where the work is little: a multiple of two.
const PIECE: usize = 16 << 10;

/// Complex numbers.
fn pairs(x: &[f32]) -> &[[f32; 2]] {
    x.as_chunks().0
}

/// Product of complex numbers.
fn times([a, b]: [f32; 2], [c, d]: [f32; 2]) -> [f32; 2] {
    [a * c - b * d, a * d + b * c]
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
