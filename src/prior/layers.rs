//! The layers that the networks share.

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::silu,
    module::interpolate,
    ops::{InterpolateMode, InterpolateOptions},
};
use rayon::prelude::*;

use super::weights::{Parameter, Weights};
use crate::error::Result;
use crate::kernel::convolution::{Sampling, convolve, convolve_add};
use crate::kernel::normalization::GroupNorm;
use crate::model::Checkpoint;

/// Upper bound on UNet depth; larger values in a file are rejected as corrupt.
pub(super) const MAX_LEVELS: usize = 8;
/// Groups of every normalisation.
pub(super) const GROUPS: usize = 32;

impl Weights<'_> {
    /// A convolution from `inputs` to `outputs` channels with `taps` x `taps` taps, which the file holds as
    /// `[outputs, inputs, taps, taps]`.
    pub fn conv(&mut self, name: &str, inputs: usize, outputs: usize, taps: usize, sampling: Sampling) -> Result<Conv> {
        let weight = self.taps(name, inputs, outputs, taps)?;
        Ok(Conv { weight, bias: self.tensor(format!("{name}.bias"), [outputs])?, sampling })
    }

    /// The same without a bias, at the resolution of its input.
    pub fn conv_without_bias(&mut self, name: &str, inputs: usize, outputs: usize, taps: usize) -> Result<Conv> {
        let weight = self.taps(name, inputs, outputs, taps)?;
        Ok(Conv { weight, bias: self.zeros([outputs]), sampling: Sampling::Keep })
    }

    /// The weights of a convolution as kernels take them: `[taps, taps, inputs, outputs]`.
    fn taps(&mut self, name: &str, inputs: usize, outputs: usize, taps: usize) -> Result<Parameter<4>> {
        let weight = format!("{name}.weight");
        let values = self.values(weight.clone(), &[outputs, inputs, taps, taps])?;
        let per_output = inputs * taps * taps;
        let reordered = values.map(|values| {
            let element = |i: usize| {
                let (row, output) = (i / outputs, i % outputs);
                values[output * per_output + row % inputs * taps * taps + row / inputs]
            };
            (0..values.len()).into_par_iter().map(element).collect()
        });
        self.parameter(&weight, reordered, [taps, taps, inputs, outputs])
    }

    /// A matrix from `inputs` to `outputs` channels.
    pub fn linear(&mut self, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
        self.projection(name, inputs, outputs, 2)
    }

    /// A matrix over the channels of every position, which files hold as a convolution of `rank - 2` dimensions.
    pub fn projection(&mut self, name: &str, inputs: usize, outputs: usize, rank: usize) -> Result<Linear> {
        let mut stored = vec![outputs, inputs];
        stored.resize(rank, 1);
        let weight = format!("{name}.weight");
        let values = self.values(weight.clone(), &stored)?;
        let weight = self.parameter(&weight, values, [outputs, inputs])?;
        Ok(Linear { weight, bias: self.tensor(format!("{name}.bias"), [outputs])? })
    }

    pub fn norm(&mut self, name: &str, channels: usize, epsilon: f32) -> Result<Norm> {
        if let Some(path) = self.path()
            && (channels == 0 || !channels.is_multiple_of(GROUPS))
        {
            let fact = format!("{name} has {channels} channels, which does not fit {GROUPS} groups");
            return Err(Checkpoint::refusal(path, fact));
        }
        Ok(Norm {
            scale: self.tensor(format!("{name}.weight"), [channels])?,
            shift: self.tensor(format!("{name}.bias"), [channels])?,
            epsilon,
        })
    }
}

/// `W x + b`.
pub(super) struct Linear {
    /// `[out, in]`
    weight: Parameter<2>,
    bias: Tensor<1>,
}

impl Linear {
    /// Of rows `[n, in]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.value().transpose()) + self.bias.clone().unsqueeze()
    }

    /// Of every column of `[b, in, n]`.
    pub fn columns(&self, x: Tensor<3>) -> Tensor<3> {
        let outputs = self.bias.dims()[0];
        self.weight.value().unsqueeze::<3>().matmul(x) + self.bias.clone().reshape([1, outputs, 1])
    }
}

/// A convolution with its bias, and optionally a residual added in its epilogue.
pub(super) struct Conv {
    /// `[taps, taps, in, out]`
    weight: Parameter<4>,
    bias: Tensor<1>,
    sampling: Sampling,
}

impl Conv {
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        convolve(x, self.weight.value(), self.bias.clone(), self.sampling)
    }

    /// With `extra` `[1, out]` added everywhere.
    pub fn forward_plus(&self, x: Tensor<4>, extra: Tensor<2>) -> Tensor<4> {
        convolve(x, self.weight.value(), self.bias.clone() + extra.squeeze_dim(0), self.sampling)
    }

    /// With `residual`, of the result's shape, added.
    pub fn forward_residual(&self, x: Tensor<4>, residual: Tensor<4>) -> Tensor<4> {
        convolve_add(x, self.weight.value(), self.bias.clone(), residual, self.sampling)
    }
}

/// GroupNorm of [`GROUPS`] groups.
pub(super) struct Norm {
    scale: Tensor<1>,
    shift: Tensor<1>,
    epsilon: f32,
}

impl Norm {
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.with(x, &self.scale, &self.shift, false)
    }

    /// Then SiLU.
    pub fn activated(&self, x: Tensor<4>) -> Tensor<4> {
        self.with(x, &self.scale, &self.shift, true)
    }

    /// `silu(norm(x) (1 + scale) + shift)`, with `scale` and `shift` of shape `[1, c]`.
    pub fn modulated(&self, x: Tensor<4>, scale: Tensor<2>, shift: Tensor<2>) -> Tensor<4> {
        let factor = scale.squeeze_dim(0) + 1.0;
        let shift = self.shift.clone() * factor.clone() + shift.squeeze_dim(0);
        self.with(x, &(self.scale.clone() * factor), &shift, true)
    }

    fn with(&self, x: Tensor<4>, scale: &Tensor<1>, shift: &Tensor<1>, activate: bool) -> Tensor<4> {
        GroupNorm { groups: GROUPS, epsilon: self.epsilon, activate }.forward(x, scale, shift)
    }
}

/// Two matrices with a SiLU between them, which turn the embedding of a time into what residual blocks take.
pub(super) struct TimeEmbedding(pub Linear, pub Linear);

impl TimeEmbedding {
    pub fn forward(&self, sinusoid: Tensor<2>) -> Tensor<2> {
        self.1.forward(silu(self.0.forward(sinusoid)))
    }
}

/// Sines and cosines `[1, 2 half]` of `t 10000^(-i / spacing)`, `i` from 0 to `half - 1`; which come first is `sines_first`.
pub(super) fn sinusoid(t: usize, half: usize, spacing: usize, sines_first: bool, device: &Device) -> Tensor<2> {
    let angle = |i: usize| t as f64 * (-(10_000f64.ln()) * i as f64 / spacing as f64).exp();
    let sines = (0..half).map(|i| angle(i).sin() as f32);
    let cosines = (0..half).map(|i| angle(i).cos() as f32);
    let values: Vec<f32> = if sines_first { sines.chain(cosines).collect() } else { cosines.chain(sines).collect() };
    Tensor::from_data(TensorData::new(values, [1, 2 * half]), device)
}

/// Nearest-neighbour upsampling by two.
pub(super) fn double(x: Tensor<4>) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * h, 2 * w]))
}

/// `[b, c, h, w]` -> `[b, c p², h/p, w/p]`, channel `c p² + dy p + dx`.
pub(super) fn space_to_depth(x: Tensor<4>, p: usize) -> Tensor<4> {
    if p == 1 {
        return x;
    }
    let [b, c, h, w] = x.dims();
    x.reshape([b, c, h / p, p, w / p, p]).permute([0, 1, 3, 5, 2, 4]).reshape([b, c * p * p, h / p, w / p])
}

/// The inverse of [`space_to_depth`].
pub(super) fn depth_to_space(x: Tensor<4>, p: usize) -> Tensor<4> {
    if p == 1 {
        return x;
    }
    let [b, c, h, w] = x.dims();
    let channels = c / (p * p);
    x.reshape([b, channels, p, p, h, w]).permute([0, 1, 4, 2, 5, 3]).reshape([b, channels, h * p, w * p])
}
