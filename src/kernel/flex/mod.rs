//! The operations on the CPU: `rustfft` for the transforms, vectors chosen when the program runs for what networks need.

mod convolution;
mod features;
mod normalization;
mod winograd;

use std::cell::RefCell;

use burn::backend::{
    Flex,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Shape, TensorData};
use burn_flex::FlexTensor;
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use rayon::prelude::*;
use rustfft::{FftDirection, FftPlanner, num_complex::Complex};

use self::convolution::{Geometry, Operands};
use self::features::{Features, values};
use super::convolution::Sampling;
use super::{Kernels, field_shape, gradient};

thread_local! {
    /// Keeps its plans, so that the steps of a run share them.
    static PLANNER: RefCell<FftPlanner<f32>> = RefCell::new(FftPlanner::new());
}

impl Kernels for Flex {
    fn fft_lines(
        x: FloatTensor<Self>,
        _table: FloatTensor<Self>,
        axis: usize,
        inverse: bool,
        real_output: bool,
    ) -> FloatTensor<Self> {
        let shape = x.layout().shape().clone();
        let (height, width) = (shape[2], shape[3]);
        let mut field = complex_field(&x);
        let length = if axis == 2 { height } else { width };
        let direction = if inverse { FftDirection::Inverse } else { FftDirection::Forward };
        let plan = PLANNER.with_borrow_mut(|planner| planner.plan_fft(length, direction));
        let scale = if inverse { 1.0 / length as f32 } else { 1.0 };
        if axis == 3 {
            field.par_chunks_mut(width * height.min(64)).for_each(|rows| plan.process(rows));
        } else {
            field.par_chunks_mut(width * height).for_each(|plane| {
                let mut columns = transposed(plane, height, width);
                plan.process(&mut columns);
                plane.copy_from_slice(&transposed(&columns, width, height));
            });
        }
        let values: Vec<f32> = match real_output {
            true => field.par_iter().map(|c| c.re * scale).collect(),
            false => field.par_iter().flat_map_iter(|c| [c.re * scale, c.im * scale]).collect(),
        };
        tensor(values, field_shape(&shape, &real_output))
    }

    fn transfer_product(x: FloatTensor<Self>, transfer: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = x.layout().shape().clone();
        let factors = complex_field(&transfer);
        let mut field = complex_field(&x);
        field.par_chunks_mut(factors.len()).for_each(|plane| {
            plane.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
        });
        tensor(pairs(field), shape)
    }

    fn spectral_derivative(x: FloatTensor<Self>, divergence: bool) -> FloatTensor<Self> {
        let shape = x.layout().shape().clone();
        let (height, width) = (shape[2], shape[3]);
        let angular = |k, n| std::f32::consts::TAU * gradient::frequency_of(k, n);
        let sign = if divergence { -1.0 } else { 1.0 };
        let fx: Vec<f32> = (0..width).map(|k| sign * angular(k, width)).collect();
        let mut field = complex_field(&x);
        field.par_chunks_mut(width).enumerate().for_each(|(row, values)| {
            let fy = angular(row % height, height);
            values.iter_mut().zip(&fx).for_each(|(value, &fx)| *value *= Complex::new(-fy, fx));
        });
        tensor(pairs(field), shape)
    }

    fn gradient_penalty(x: FloatTensor<Self>, alpha: f32, rate: f32, scale: f32) -> FloatTensor<Self> {
        let shape = x.layout().shape().clone();
        let (low, high) = gradient::JOINT_RANGE;
        let mut field = complex_field(&x);
        field.par_iter_mut().for_each(|d| {
            let s = (d.norm_sqr() + gradient::JOINT_EPSILON).clamp(low, high);
            *d *= scale * penalty_weight(s, alpha, rate);
        });
        tensor(pairs(field), shape)
    }

    fn gradient_spatial(x: FloatTensor<Self>, lam: f32, alpha: f32, rate: f32) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        let shape = x.layout().shape().clone();
        let (height, width) = (shape[2], shape[3]);
        let image: &[f32] = x.storage();
        let phi = |d: f32| penalty_weight(d * d + gradient::SPATIAL_EPSILON, alpha, rate) * d;

        // p_x and p_y first, so that each power and exponential is computed once.
        let backward: Vec<[f32; 2]> = image
            .par_chunks(width)
            .enumerate()
            .flat_map_iter(|(row, here)| {
                let plane = row / height * height;
                let above = &image[(plane + (row - plane + height - 1) % height) * width..][..width];
                (0..width).map(move |x| {
                    let left = here[if x == 0 { width - 1 } else { x - 1 }];
                    [phi(here[x] - left), phi(here[x] - above[x])]
                })
            })
            .collect();
        let gradient = backward
            .par_chunks(width)
            .enumerate()
            .flat_map_iter(|(row, here)| {
                let plane = row / height * height;
                let below = &backward[(plane + (row - plane + 1) % height) * width..][..width];
                (0..width).map(move |x| {
                    let right = here[if x + 1 == width { 0 } else { x + 1 }];
                    lam * (here[x][0] - right[0] + here[x][1] - below[x][1])
                })
            })
            .collect();
        tensor(gradient, shape)
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

/// `phi'(d) / d` for the squared magnitude `s`.
fn penalty_weight(s: f32, alpha: f32, rate: f32) -> f32 {
    let power = s.powf(0.5 * alpha);
    alpha * rate * power / s * (-rate * power).exp()
}

/// The values of a complex tensor, or of a real one with imaginary part 0 (rank 4).
fn complex_field(x: &FlexTensor) -> Vec<Complex<f32>> {
    let x = x.to_contiguous();
    let count = x.layout().shape().num_elements();
    let values = &x.storage::<f32>()[x.layout().start_offset()..][..count];
    if x.layout().shape().num_dims() == 4 {
        values.iter().map(|&re| Complex::new(re, 0.0)).collect()
    } else {
        values.chunks_exact(2).map(|c| Complex::new(c[0], c[1])).collect()
    }
}

/// Real and imaginary parts in turn.
fn pairs(field: Vec<Complex<f32>>) -> Vec<f32> {
    field.into_iter().flat_map(|c| [c.re, c.im]).collect()
}

fn transposed(values: &[Complex<f32>], height: usize, width: usize) -> Vec<Complex<f32>> {
    const TILE: usize = 16;
    let mut out = vec![Complex::default(); values.len()];
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            for y in top..height.min(top + TILE) {
                for x in left..width.min(left + TILE) {
                    out[x * height + y] = values[y * width + x];
                }
            }
        }
    }
    out
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
