//! The UNet of "Denoising Diffusion Probabilistic Models" (J. Ho et al., 2020) in its PyTorch form, whose CelebA-HQ
//! checkpoint DDRM, DDNM, DDPG and FDGR use; optionally on space-to-depth pixels.

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::{silu, softmax},
    module::{conv2d, interpolate},
    ops::{ConvOptions, InterpolateMode, InterpolateOptions},
};

use super::{Checkpoint, Denoiser};
use crate::error::Result;
use crate::kernel::normalization::GroupNorm;

const GROUPS: usize = 32;
const EPSILON: f32 = 1e-6;
/// Feature maps of the finest level that are alive at once in the widest part of a step, with the workspace of a
/// convolution: measured on the CPU and rounded up.
const LIVE_MAPS: u64 = 16;

/// A DDPM UNet; its configuration is read off the names and shapes of the checkpoint's tensors.
pub struct DdpmUnet {
    time: [Linear; 2],
    conv_in: Conv,
    down: Vec<Level>,
    middle: (Residual, Attention, Residual),
    /// Finest level first.
    up: Vec<Level>,
    norm_out: Norm,
    conv_out: Conv,
    /// Factor of the space-to-depth rearrangement of the pixels.
    patch: usize,
    channels: usize,
    parameters: usize,
}

/// Blocks of one resolution, and the change to the next.
struct Level {
    blocks: Vec<(Residual, Option<Attention>)>,
    resample: Option<Conv>,
}

impl DdpmUnet {
    /// Reads the network.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, by name.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        let weights = Weights { checkpoint, device };
        let levels = (0..).take_while(|i| checkpoint.contains(&format!("down.{i}.block.0.conv1.weight"))).count();
        let [channels, inputs, ..] = checkpoint.shape("conv_in.weight")?[..] else {
            return Err(checkpoint.misshaped("conv_in.weight"));
        };
        let patch = (inputs / 3).isqrt();
        if patch == 0 || inputs != 3 * patch * patch || channels < 4 {
            return Err(checkpoint.misshaped("conv_in.weight"));
        }
        let side = |name: &str, change: &str| -> Result<Vec<Level>> {
            (0..levels).map(|i| Level::load(&weights, &format!("{name}.{i}"), change)).collect()
        };
        let network = Self {
            time: [weights.linear("temb.dense.0")?, weights.linear("temb.dense.1")?],
            conv_in: weights.conv("conv_in")?,
            down: side("down", "downsample")?,
            middle: (
                Residual::load(&weights, "mid.block_1")?,
                Attention::load(&weights, "mid.attn_1")?,
                Residual::load(&weights, "mid.block_2")?,
            ),
            up: side("up", "upsample")?,
            norm_out: weights.norm("norm_out")?,
            conv_out: weights.conv("conv_out")?,
            patch,
            channels,
            parameters: checkpoint.parameters(),
        };
        network.check(checkpoint)?;
        Ok(network)
    }

    /// Refuses checkpoints whose parts do not fit together, which would panic later.
    fn check(&self, checkpoint: &Checkpoint) -> Result<()> {
        let mut skips = vec![self.channels];
        let mut width = self.channels;
        for (i, level) in self.down.iter().enumerate() {
            for (block, _) in &level.blocks {
                width = block.check(checkpoint, width)?;
                skips.push(width);
            }
            if level.resample.is_some() {
                skips.push(width);
            }
            if level.resample.is_some() == (i + 1 == self.down.len()) {
                return Err(checkpoint.misshaped(&format!("down.{i}.downsample.conv.weight")));
            }
        }
        width = self.middle.0.check(checkpoint, width)?;
        width = self.middle.2.check(checkpoint, width)?;
        for level in self.up.iter().rev() {
            for (block, _) in &level.blocks {
                let skip = skips.pop().ok_or_else(|| checkpoint.misshaped("up"))?;
                width = block.check(checkpoint, width + skip)?;
            }
        }
        let outputs = self.conv_out.weight.dims()[0];
        if !skips.is_empty() || outputs != 3 * self.patch * self.patch {
            return Err(checkpoint.misshaped("conv_out.weight"));
        }
        Ok(())
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Height and width must be multiples of this.
    pub fn multiple(&self) -> usize {
        self.patch << (self.down.len() - 1)
    }

    /// Bytes one step needs for a picture of that many pixels, the weights included.
    pub fn working_memory(&self, pixels: usize) -> u64 {
        let map = (pixels / (self.patch * self.patch) * self.channels * size_of::<f32>()) as u64;
        LIVE_MAPS * map + self.attention_bytes(pixels) + (self.parameters * size_of::<f32>()) as u64
    }

    /// Bytes of the largest single tensor of a step: the widest concatenation, or an attention matrix.
    pub fn largest_tensor(&self, pixels: usize) -> u64 {
        let finest = pixels / (self.patch * self.patch);
        let widest = self.up.first().and_then(|level| level.blocks.first()).map_or(0, |(block, _)| block.inputs());
        ((finest * widest * size_of::<f32>()) as u64).max(self.attention_bytes(pixels) / 2)
    }

    /// Scores of the attention at the finest level that has it, before and after the softmax.
    fn attention_bytes(&self, pixels: usize) -> u64 {
        let attends = |level: &Level| level.blocks.iter().any(|(_, attention)| attention.is_some());
        let level = self.down.iter().position(attends).unwrap_or(self.down.len() - 1);
        let tokens = (pixels / (self.patch << level).pow(2)) as u64;
        2 * tokens * tokens * size_of::<f32>() as u64
    }

    /// Sinusoidal embedding `[1, ch]`: sines, then cosines of `t 10000^(-i / (ch/2 - 1))`.
    fn embed(&self, t: usize, device: &Device) -> Tensor<2> {
        let half = self.channels / 2;
        let angle = |i: usize| t as f64 * (-(10_000f64.ln()) * i as f64 / (half - 1) as f64).exp();
        let values: Vec<f32> =
            (0..half).map(|i| angle(i).sin() as f32).chain((0..half).map(|i| angle(i).cos() as f32)).collect();
        let embedding = Tensor::from_data(TensorData::new(values, [1, 2 * half]), device);
        self.time[1].forward(silu(self.time[0].forward(embedding)))
    }
}

impl Denoiser for DdpmUnet {
    /// Height and width must be multiples of [`DdpmUnet::multiple`].
    fn predict_noise(&self, x_t: Tensor<4>, t: usize) -> Tensor<4> {
        // Every residual block projects the activated embedding.
        let time = silu(self.embed(t, &x_t.device()));
        let mut h = self.conv_in.forward(space_to_depth(x_t, self.patch), 1);
        let mut skips = vec![h.clone()];
        for level in &self.down {
            for (residual, attention) in &level.blocks {
                h = residual.forward(h, &time);
                h = attend(attention, h);
                skips.push(h.clone());
            }
            if let Some(conv) = &level.resample {
                h = conv.forward_halving(h);
                skips.push(h.clone());
            }
        }
        h = self.middle.0.forward(h, &time);
        h = self.middle.1.forward(h);
        h = self.middle.2.forward(h, &time);
        for level in self.up.iter().rev() {
            for (residual, attention) in &level.blocks {
                let skip = skips.pop().expect("as many skips as blocks, checked when loading");
                h = residual.forward(Tensor::cat(vec![h, skip], 1), &time);
                h = attend(attention, h);
            }
            if let Some(conv) = &level.resample {
                h = conv.forward(double(h), 1);
            }
        }
        depth_to_space(self.conv_out.forward(self.norm_out.forward(h, true), 1), self.patch)
    }
}

fn attend(attention: &Option<Attention>, h: Tensor<4>) -> Tensor<4> {
    match attention {
        Some(attention) => attention.forward(h),
        None => h,
    }
}

impl Level {
    fn load(weights: &Weights, name: &str, change: &str) -> Result<Self> {
        let mut blocks = Vec::new();
        while weights.checkpoint.contains(&format!("{name}.block.{}.conv1.weight", blocks.len())) {
            let i = blocks.len();
            let attention = format!("{name}.attn.{i}");
            let attends = weights.checkpoint.contains(&format!("{attention}.q.weight"));
            blocks.push((
                Residual::load(weights, &format!("{name}.block.{i}"))?,
                attends.then(|| Attention::load(weights, &attention)).transpose()?,
            ));
        }
        let change = format!("{name}.{change}.conv");
        let resamples = weights.checkpoint.contains(&format!("{change}.weight"));
        Ok(Self { blocks, resample: resamples.then(|| weights.conv(&change)).transpose()? })
    }
}

/// Two convolutions, the time embedding added between them.
struct Residual {
    norms: [Norm; 2],
    convs: [Conv; 2],
    time: Linear,
    shortcut: Option<Conv>,
    name: String,
}

impl Residual {
    fn load(weights: &Weights, name: &str) -> Result<Self> {
        let shortcut = ["nin_shortcut", "conv_shortcut"]
            .map(|kind| format!("{name}.{kind}"))
            .into_iter()
            .find(|shortcut| weights.checkpoint.contains(&format!("{shortcut}.weight")));
        Ok(Self {
            norms: [weights.norm(&format!("{name}.norm1"))?, weights.norm(&format!("{name}.norm2"))?],
            convs: [weights.conv(&format!("{name}.conv1"))?, weights.conv(&format!("{name}.conv2"))?],
            time: weights.linear(&format!("{name}.temb_proj"))?,
            shortcut: shortcut.map(|shortcut| weights.conv(&shortcut)).transpose()?,
            name: name.to_owned(),
        })
    }

    fn inputs(&self) -> usize {
        self.convs[0].weight.dims()[1]
    }

    /// Checks that `width` channels go in; returns how many come out.
    fn check(&self, checkpoint: &Checkpoint, width: usize) -> Result<usize> {
        let [out, inputs, ..] = self.convs[0].weight.dims();
        let [second_out, second_in, ..] = self.convs[1].weight.dims();
        let projected = self.time.weight.dims()[1];
        let shortcut = self.shortcut.as_ref().map_or(inputs, |conv| conv.weight.dims()[0]);
        let norms = [self.norms[0].channels(), self.norms[1].channels()];
        let fits = inputs == width
            && [second_in, second_out, projected, shortcut] == [out; 4]
            && norms == [inputs, out]
            && inputs % GROUPS == 0
            && out % GROUPS == 0;
        if fits { Ok(out) } else { Err(checkpoint.misshaped(&format!("{}.conv1.weight", self.name))) }
    }

    /// `time` is the activated embedding `[1, ch_t]`.
    fn forward(&self, x: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
        // The embedding is the same in every pixel, so it goes into the bias of the convolution.
        let h = self.norms[0].forward(x.clone(), true);
        let h = self.convs[0].with_bias(self.time.forward(time.clone())).forward(h, 1);
        let h = self.convs[1].forward(self.norms[1].forward(h, true), 1);
        match &self.shortcut {
            Some(conv) => conv.forward(x, 1) + h,
            None => x + h,
        }
    }
}

/// Self-attention over all positions, one head.
struct Attention {
    norm: Norm,
    query: Conv,
    key: Conv,
    value: Conv,
    out: Conv,
}

impl Attention {
    fn load(weights: &Weights, name: &str) -> Result<Self> {
        let conv = |part: &str| weights.conv(&format!("{name}.{part}"));
        Ok(Self {
            norm: weights.norm(&format!("{name}.norm"))?,
            query: conv("q")?,
            key: conv("k")?,
            value: conv("v")?,
            out: conv("proj_out")?,
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        let normed = self.norm.forward(x.clone(), false);
        let tokens = |conv: &Conv| conv.forward(normed.clone(), 1).reshape([b, c, h * w]);
        let (query, key, value) = (tokens(&self.query), tokens(&self.key), tokens(&self.value));
        let scores = query.swap_dims(1, 2).matmul(key) * (c as f64).powf(-0.5);
        let mixed = value.matmul(softmax(scores, 2).swap_dims(1, 2));
        x + self.out.forward(mixed.reshape([b, c, h, w]), 1)
    }
}

/// Reads layers from a checkpoint onto a device.
struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    device: &'a Device,
}

impl Weights<'_> {
    fn tensor<const D: usize>(&self, name: &str) -> Result<Tensor<D>> {
        let shape: [usize; D] = self.checkpoint.shape(name)?.try_into().map_err(|_| self.checkpoint.misshaped(name))?;
        Ok(Tensor::from_data(TensorData::new(self.checkpoint.values(name)?, shape), self.device))
    }

    fn conv(&self, name: &str) -> Result<Conv> {
        let weight: Tensor<4> = self.tensor(&format!("{name}.weight"))?;
        let bias: Tensor<1> = self.tensor(&format!("{name}.bias"))?;
        if bias.dims()[0] != weight.dims()[0] || weight.dims()[2] != weight.dims()[3] {
            return Err(self.checkpoint.misshaped(&format!("{name}.bias")));
        }
        Ok(Conv { weight, bias })
    }

    fn linear(&self, name: &str) -> Result<Linear> {
        let weight: Tensor<2> = self.tensor(&format!("{name}.weight"))?;
        let bias: Tensor<1> = self.tensor(&format!("{name}.bias"))?;
        if bias.dims()[0] != weight.dims()[0] {
            return Err(self.checkpoint.misshaped(&format!("{name}.bias")));
        }
        Ok(Linear { weight: weight.transpose(), bias: bias.unsqueeze() })
    }

    fn norm(&self, name: &str) -> Result<Norm> {
        let scale: Tensor<1> = self.tensor(&format!("{name}.weight"))?;
        let shift: Tensor<1> = self.tensor(&format!("{name}.bias"))?;
        let channels = scale.dims()[0];
        if shift.dims()[0] != channels || !channels.is_multiple_of(GROUPS) {
            return Err(self.checkpoint.misshaped(&format!("{name}.weight")));
        }
        Ok(Norm { scale, shift })
    }
}

struct Linear {
    /// `[in, out]`
    weight: Tensor<2>,
    bias: Tensor<2>,
}

impl Linear {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.clone()) + self.bias.clone()
    }
}

struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
}

impl Conv {
    /// The same convolution with `extra` `[1, out]` added to its bias.
    fn with_bias(&self, extra: Tensor<2>) -> Self {
        Self { weight: self.weight.clone(), bias: self.bias.clone() + extra.squeeze_dim(0) }
    }

    fn forward(&self, x: Tensor<4>, stride: usize) -> Tensor<4> {
        self.padded(x, stride, self.weight.dims()[2] / 2)
    }

    /// Stride 2 after a row and a column of zeros at the bottom and the right.
    fn forward_halving(&self, x: Tensor<4>) -> Tensor<4> {
        self.padded(x.pad([(0, 1), (0, 1)], 0.0), 2, 0)
    }

    fn padded(&self, x: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
        conv2d(x, self.weight.clone(), Some(self.bias.clone()), options)
    }
}

/// GroupNorm of 32 groups.
struct Norm {
    scale: Tensor<1>,
    shift: Tensor<1>,
}

impl Norm {
    fn channels(&self) -> usize {
        self.scale.dims()[0]
    }

    fn forward(&self, x: Tensor<4>, activate: bool) -> Tensor<4> {
        GroupNorm { groups: GROUPS, epsilon: EPSILON, activate }.forward(x, &self.scale, &self.shift)
    }
}

/// Nearest-neighbour upsampling by two.
fn double(x: Tensor<4>) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * h, 2 * w]))
}

/// `[b, c, h, w]` -> `[b, c p², h/p, w/p]`, channel `c p² + dy p + dx`.
fn space_to_depth(x: Tensor<4>, p: usize) -> Tensor<4> {
    if p == 1 {
        return x;
    }
    let [b, c, h, w] = x.dims();
    x.reshape([b, c, h / p, p, w / p, p]).permute([0, 1, 3, 5, 2, 4]).reshape([b, c * p * p, h / p, w / p])
}

/// The inverse of [`space_to_depth`].
fn depth_to_space(x: Tensor<4>, p: usize) -> Tensor<4> {
    if p == 1 {
        return x;
    }
    let [b, c, h, w] = x.dims();
    let channels = c / (p * p);
    x.reshape([b, channels, p, p, h, w]).permute([0, 1, 4, 2, 5, 3]).reshape([b, channels, h * p, w * p])
}
