//! The layers that the networks share, and where they take their weights from.

use std::collections::BTreeMap;

use burn::tensor::{
    DType, Device, Tensor, TensorData,
    activation::silu,
    module::interpolate,
    ops::{InterpolateMode, InterpolateOptions},
};
use clap::ValueEnum;
use half::f16;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::attention::SCORES;
use crate::kernel::convolution::{Sampling, convolve, convolve_add};
use crate::kernel::{self, normalization::GroupNorm};
use crate::model::{Checkpoint, same_shape};

/// More levels, each at half the resolution of the one before, than any network for pictures has.
pub(super) const MAX_LEVELS: usize = 8;
/// Groups of every normalisation.
pub(super) const GROUPS: usize = 32;

/// How weights are kept on the device; the arithmetic is in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Four bytes a parameter
    F32,
    /// Two bytes a parameter; convolutions and matrices are widened when they are used
    F16,
}

impl Precision {
    /// Bytes a parameter takes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// Gives layers their tensors: from a checkpoint, one by one, or as placeholders where only names and shapes are wanted.
pub(super) struct Weights<'a> {
    source: Option<(&'a Checkpoint, &'a Device, Precision)>,
    /// Every tensor that was asked for.
    wanted: BTreeMap<String, Vec<usize>>,
    /// Elements that were sent and may still lie in a queue.
    sent: usize,
}

/// Elements after which the device is waited for, so that what is on the way to it does not pile up in main memory.
const QUEUED: usize = 16 << 20;

impl<'a> Weights<'a> {
    pub fn load(checkpoint: &'a Checkpoint, device: &'a Device, precision: Precision) -> Self {
        Self { source: Some((checkpoint, device, precision)), wanted: BTreeMap::new(), sent: 0 }
    }

    /// Names and shapes of the tensors that `build` asks for.
    pub fn wanted<T>(build: impl FnOnce(&mut Self) -> Result<T>) -> BTreeMap<String, Vec<usize>> {
        let mut weights = Self { source: None, wanted: BTreeMap::new(), sent: 0 };
        // Placeholders never fail.
        _ = build(&mut weights);
        weights.wanted
    }

    /// A tensor of a shape; axes of length 1 at its end may be missing in the file, or be more.
    fn values(&mut self, name: String, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        let values = match self.source {
            Some((checkpoint, device, _)) => {
                self.sent += shape.iter().product::<usize>();
                if self.sent > QUEUED {
                    self.sent = 0;
                    device.sync().map_err(|e| Error::Device {
                        device: format!("{device:?}"),
                        fact: format!("it stopped while weights were loaded ({e})"),
                        remedy: "it may lack memory: try --precision f16, or --device cpu".into(),
                    })?;
                }
                if checkpoint.find(&name).is_some_and(|found| !same_shape(found, shape)) {
                    let found = checkpoint.find(&name).unwrap_or_default();
                    let fact = format!("{name} is of shape {found:?}, which does not fit: it should be {shape:?}");
                    return Err(Checkpoint::refusal(checkpoint.path(), fact));
                }
                Some(checkpoint.values(&name)?)
            }
            None => None,
        };
        self.wanted.insert(name, shape.to_vec());
        Ok(values)
    }

    /// Numbers that are kept in f32 whatever the precision, because they are few.
    pub fn tensor<const D: usize>(&mut self, name: String, shape: [usize; D]) -> Result<Tensor<D>> {
        Ok(match (self.values(name, &shape)?, self.source) {
            (Some(values), Some((_, device, _))) => Tensor::from_data(TensorData::new(values, shape), device),
            _ => Tensor::zeros([1; D], &Device::flex()),
        })
    }

    /// Many numbers, as they are kept.
    fn parameter<const D: usize>(
        &self,
        name: &str,
        values: Option<Vec<f32>>,
        shape: [usize; D],
    ) -> Result<Parameter<D>> {
        let (Some(values), Some((checkpoint, device, precision))) = (values, self.source) else {
            return Ok(Parameter::Missing);
        };
        // Rows of pairs: an odd number of values has no half form, and is small.
        if precision == Precision::F32 || values.len() % 2 == 1 {
            return Ok(Parameter::Full(Tensor::from_data(TensorData::new(values, shape), device)));
        }
        if values.iter().any(|v| f16::from_f32(*v).is_infinite()) {
            let fact = format!("{name} holds values too large for --precision f16");
            return Err(Checkpoint::refusal(checkpoint.path(), fact));
        }
        let word = |pair: &[f32]| {
            let [low, high] = [pair[0], pair[1]].map(|v| u32::from(f16::from_f32(v).to_bits()));
            (high << 16 | low) as i32
        };
        let words: Vec<i32> = values.chunks_exact(2).map(word).collect();
        let data = TensorData::new(words, [values.len() / 2]);
        Ok(Parameter::Half { words: Tensor::from_data(data, (device, DType::I32)), shape })
    }

    /// A convolution from `inputs` to `outputs` channels with `taps` x `taps` taps, which the file holds as
    /// `[outputs, inputs, taps, taps]`.
    pub fn conv(&mut self, name: &str, inputs: usize, outputs: usize, taps: usize, sampling: Sampling) -> Result<Conv> {
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
        let weight = self.parameter(&weight, reordered, [taps, taps, inputs, outputs])?;
        Ok(Conv { weight, bias: self.tensor(format!("{name}.bias"), [outputs])?, sampling })
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
        if let Some((checkpoint, ..)) = self.source
            && (channels == 0 || !channels.is_multiple_of(GROUPS))
        {
            let fact = format!("{name} has {channels} channels, which does not fit {GROUPS} groups");
            return Err(Checkpoint::refusal(checkpoint.path(), fact));
        }
        Ok(Norm {
            scale: self.tensor(format!("{name}.weight"), [channels])?,
            shift: self.tensor(format!("{name}.bias"), [channels])?,
            epsilon,
        })
    }
}

/// Weights as they are kept.
enum Parameter<const D: usize> {
    Full(Tensor<D>),
    /// Pairs of f16 in 32-bit words, the first in the low half.
    Half {
        words: Tensor<1, burn::tensor::Int>,
        shape: [usize; D],
    },
    /// Of a network that was built for its names only.
    Missing,
}

impl<const D: usize> Parameter<D> {
    fn value(&self) -> Tensor<D> {
        match self {
            Self::Full(tensor) => tensor.clone(),
            Self::Half { words, shape } => kernel::half::widen(words.clone()).reshape(*shape),
            Self::Missing => unreachable!("a network without weights is never run"),
        }
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

/// A convolution; its sums are behind it, so that they cost no pass of their own.
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

/// Memory of a step, for pictures that may be too large.
pub(super) struct Footprint {
    /// Pixels a side of the input for each of the finest maps.
    pub patch: usize,
    /// Channels of the finest maps.
    pub channels: usize,
    /// Channels of the widest concatenation there.
    pub widest: usize,
    /// Heads, and pixels a side for each token, of the finest attention.
    pub attention: Option<(usize, usize)>,
    pub weights: u64,
}

impl Footprint {
    /// Feature maps of the finest level that are alive at once in the widest part of a step, with the workspace of a
    /// convolution: measured on the CPU and rounded up.
    const LIVE_MAPS: u64 = 16;

    /// Bytes of [`SCORES`].
    const SCORES: u64 = (SCORES * size_of::<f32>()) as u64;

    /// How many times more maps are alive where every one is kept for the derivative: measured, and rounded up.
    const DIFFERENTIATED: u64 = 3;

    /// Bytes of a step for `batch` pictures of that many pixels, the weights included.
    pub fn step(&self, pixels: usize, batch: usize, differentiates: bool) -> u64 {
        let maps = Self::LIVE_MAPS.saturating_mul(self.maps(pixels, batch, self.channels));
        let scores = self.scores(pixels, batch).saturating_mul(2);
        let all = if differentiates {
            Self::DIFFERENTIATED.saturating_mul(maps.saturating_add(scores))
        } else {
            maps.saturating_add(scores.min(2 * Self::SCORES))
        };
        all.saturating_add(self.weights)
    }

    /// Bytes of the largest single tensor.
    pub fn largest_tensor(&self, pixels: usize, batch: usize) -> u64 {
        self.maps(pixels, batch, self.widest).max(self.scores(pixels, batch).min(Self::SCORES))
    }

    /// Bytes of feature maps of the finest level.
    fn maps(&self, pixels: usize, batch: usize, channels: usize) -> u64 {
        let picture = (pixels / (self.patch * self.patch)) as u64;
        picture.saturating_mul((batch * channels * size_of::<f32>()) as u64)
    }

    /// Bytes of the scores of the finest attention.
    fn scores(&self, pixels: usize, batch: usize) -> u64 {
        let (heads, side) = self.attention.unwrap_or((0, 1));
        let tokens = (pixels / (side * side)) as u64;
        tokens.saturating_mul(tokens).saturating_mul((batch * heads * size_of::<f32>()) as u64)
    }
}
