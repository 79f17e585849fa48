//! The operations on wgpu: the kernels of `shaders/`, launched through CubeCL.

mod attention;
mod choice;
mod convolution;
mod fft;
mod shader;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::wgpu::{CubeBackend, CubeTensor, into_contiguous};
use burn::tensor::{DType, Shape};

use self::choice::Method;
pub use self::fft::Access;
pub use self::shader::Shader;
use self::shader::{Value, WORKGROUP};
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
        let [du, dv] = [du, dv].map(into_contiguous);
        let threads = du.meta.shape().num_elements();
        let output = empty(&du, du.meta.shape().clone());
        let parameters = [threads.into(), alpha.into(), rate.into(), scale.into()];
        Shader::GradientFrequency.launch(&[&du, &dv], &output, threads, &parameters);
        output
    }

    fn gradient_spatial(x: FloatTensor<Self>, lam: f32, alpha: f32, rate: f32) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        let shape = x.meta.shape().clone();
        let threads = shape.num_elements();
        let output = empty(&x, shape.clone());
        let parameters = [threads.into(), shape[2].into(), shape[3].into(), lam.into(), alpha.into(), rate.into()];
        Shader::GradientSpatial.launch(&[&x], &output, threads, &parameters);
        output
    }

    fn group_norm_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self> {
        let [x, gradient, scale, shift] = [x, gradient, scale, shift].map(into_contiguous);
        let groups = Groups::new(&x, norm.groups);
        let statistics = groups.statistics(&x, norm.epsilon);
        let inputs = [&x, &gradient, &statistics, &scale, &shift];
        let projections = empty(&x, Shape::from([groups.count, 2]));
        let shader = Shader::GroupProjections { silu: norm.activate, lanes: groups.lanes };
        let parameters = [groups.count, groups.length, groups.plane, groups.channels].map(Value::from);
        shader.launch(&inputs, &projections, groups.count * WORKGROUP as usize, &parameters);
        let output = empty(&x, x.meta.shape().clone());
        let shader = Shader::GroupGradient { silu: norm.activate, lanes: groups.lanes };
        let inputs = [&x, &gradient, &statistics, &scale, &shift, &projections];
        shader.launch(&inputs, &output, groups.numbers, &groups.parameters());
        output
    }

    fn widen_half(words: IntTensor<Self>) -> FloatTensor<Self> {
        let words = into_contiguous(words);
        let count = words.meta.shape()[0];
        let buffer = words.client.empty(2 * count * size_of::<f32>());
        let (client, device) = (words.client.clone(), words.device.clone());
        let output = CubeTensor::new_contiguous(client, device, Shape::from([2 * count]), buffer, DType::F32);
        Shader::WidenHalf.launch(&[&words], &output, count, &[count.into()]);
        output
    }
}

impl NetworkKernels for CubeBackend {
    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self> {
        let [x, scale, shift] = [x, scale, shift].map(into_contiguous);
        let groups = Groups::new(&x, norm.groups);
        let statistics = groups.statistics(&x, norm.epsilon);
        let output = empty(&x, x.meta.shape().clone());
        let shader = Shader::GroupNormalize { silu: norm.activate, lanes: groups.lanes };
        shader.launch(&[&x, &statistics, &scale, &shift], &output, groups.numbers, &groups.parameters());
        output
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

/// The groups of channels of feature maps `[b, c, h, w]`, whose floats kernels take one or four at a time.
struct Groups {
    /// Of all pictures.
    count: usize,
    /// Floats of a number.
    lanes: usize,
    /// Numbers of a plane, of a group, and of all maps.
    plane: usize,
    length: usize,
    numbers: usize,
    /// Channels of a picture, and of a group.
    channels: usize,
    group_channels: usize,
}

impl Groups {
    fn new(x: &CubeTensor, groups: usize) -> Self {
        let shape = x.meta.shape();
        let (channels, plane) = (shape[1], shape[2] * shape[3]);
        let lanes = if plane % 4 == 0 { 4 } else { 1 };
        let (plane, group_channels) = (plane / lanes, channels / groups);
        Self {
            count: shape[0] * groups,
            lanes,
            plane,
            length: group_channels * plane,
            numbers: shape.num_elements() / lanes,
            channels,
            group_channels,
        }
    }

    /// Mean and inverse deviation of each.
    fn statistics(&self, x: &CubeTensor, epsilon: f32) -> CubeTensor {
        let statistics = empty(x, Shape::from([self.count, 2]));
        let parameters = [self.count.into(), Value::from(self.length), epsilon.into()];
        let threads = self.count * WORKGROUP as usize;
        Shader::GroupStatistics { lanes: self.lanes }.launch(&[x], &statistics, threads, &parameters);
        statistics
    }

    /// Parameters of `group_normalize.wgsl` and `group_gradient.wgsl`.
    fn parameters(&self) -> [Value; 4] {
        [self.numbers, self.plane, self.channels, self.group_channels].map(Value::from)
    }
}

fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    let buffer = like.client.empty(shape.num_elements() * size_of::<f32>());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
}
