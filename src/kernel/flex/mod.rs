//! The operations on the CPU: transforms by `rustfft` and `realfft`, network layers with the vector width that the
//! processor offers at run time.

mod attention;
mod convolution;
mod direct;
mod elementary;
mod features;
mod gradient;
mod normalization;
mod product;
mod scheme;
mod transform;
mod winograd;

use burn::backend::{
    Flex,
    ops::FloatTensorOps,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Shape, TensorData};
use burn_flex::FlexTensor;
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use rayon::prelude::*;

use self::convolution::Operands;
use self::features::{Features, values};
use self::scheme::Geometry;
use super::convolution::Sampling;
use super::normalization::GroupNorm;
use super::{Kernels, NetworkKernels, fft};

impl Kernels for Flex {
    fn fft2(x: FloatTensor<Self>, _rows: FloatTensor<Self>, _columns: FloatTensor<Self>) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        tensor(images(&x).forward(values(&x)), fft::spectrum_shape(x.layout().shape()))
    }

    fn inverse_fft2(
        x: FloatTensor<Self>,
        _rows: FloatTensor<Self>,
        _columns: FloatTensor<Self>,
        width: usize,
    ) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        let shape = fft::image_shape(x.layout().shape(), &width);
        let images = transform::Images { height: shape[2], width };
        tensor(images.inverse(values(&x)), shape)
    }

    fn filter(
        x: FloatTensor<Self>,
        _rows: FloatTensor<Self>,
        _columns: FloatTensor<Self>,
        transfer: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (x, transfer) = (x.to_contiguous(), transfer.to_contiguous());
        tensor(images(&x).filter(values(&x), values(&transfer)), x.layout().shape().clone())
    }

    fn filter_lines(
        x: FloatTensor<Self>,
        _table: FloatTensor<Self>,
        transfer: FloatTensor<Self>,
        axis: usize,
    ) -> FloatTensor<Self> {
        let (x, transfer) = (x.to_contiguous(), transfer.to_contiguous());
        let filtered = images(&x).filter_lines(values(&x), values(&transfer), axis == 2);
        tensor(filtered, x.layout().shape().clone())
    }

    fn joint_weight(
        du: FloatTensor<Self>,
        dv: FloatTensor<Self>,
        scale: f32,
        alpha: f32,
        rate: f32,
    ) -> FloatTensor<Self> {
        let (du, dv) = (du.to_contiguous(), dv.to_contiguous());
        let weights = gradient::Penalty { alpha, rate }.joint(values(&du), values(&dv), scale);
        tensor(weights, du.layout().shape().clone())
    }

    fn gradient_spatial(x: FloatTensor<Self>, lam: f32, alpha: f32, rate: f32) -> FloatTensor<Self> {
        let x = x.to_contiguous();
        let shape = x.layout().shape().clone();
        tensor(gradient::Penalty { alpha, rate }.spatial(values(&x), shape[2], shape[3], lam), shape)
    }

    fn group_norm_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self> {
        let (scale, shift) = (scale.to_contiguous(), shift.to_contiguous());
        let (scale, shift) = (values(&scale), values(&shift));
        let (x, gradient) = (Features::of(&x), Features::of(&gradient));
        let [_, height, width, _] = x.dims();
        let layer = normalization::Layer { norm, scale, shift };
        Features::tensor(layer.gradient(x.values(), gradient.values(), height * width), x.dims())
    }

    fn widen_half(words: IntTensor<Self>) -> FloatTensor<Self> {
        let words = words.to_contiguous();
        let count = words.layout().shape().num_elements();
        let words = &words.storage::<i32>()[words.layout().start_offset()..][..count];
        let mut values = vec![0.0; 2 * count];
        // In pieces that fit the first-level cache, because the conversion goes through a buffer of f16.
        const PIECE: usize = 2048;
        values.par_chunks_mut(2 * PIECE).zip(words.par_chunks(PIECE)).for_each(|(values, words)| {
            let halves: &[f16] = bytemuck::cast_slice::<i32, u16>(words).reinterpret_cast();
            halves.convert_to_f32_slice(values);
        });
        tensor(values, Shape::from([2 * count]))
    }
}

impl NetworkKernels for Flex {
    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self> {
        let (scale, shift) = (scale.to_contiguous(), shift.to_contiguous());
        let (scale, shift) = (values(&scale), values(&shift));
        let x = Features::of(&x);
        let [_, height, width, _] = x.dims();
        let layer = normalization::Layer { norm, scale, shift };
        Features::tensor(layer.forward(x.values(), height * width), x.dims())
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

    fn attend(query: FloatTensor<Self>, key: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        let [query, key, value] = [query, key, value].map(|x| x.to_contiguous());
        let shape = query.layout().shape().clone();
        let (heads, channels, tokens) = (shape[0], shape[1], shape[2]);
        let [query, key, value] = [&query, &key, &value].map(values);
        let attended = attention::Attention { query, key, value, channels, tokens }.attend();
        tensor(attended, Shape::from([heads, tokens, channels])).permute(&[0, 2, 1])
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
    if taps == 1 && sampling == Sampling::Keep {
        // One product of matrices that need no copy.
        let products = Flex::float_matmul(x.rows(), weight.reshape(Shape::from([inputs, outputs])));
        return Features::of_rows(products, values(&bias), residual.as_ref(), [batch, height, width, outputs]);
    }
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

/// The images `[b, c, h, w]`.
fn images(x: &FlexTensor) -> transform::Images {
    let shape = x.layout().shape();
    transform::Images { height: shape[2], width: shape[3] }
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
