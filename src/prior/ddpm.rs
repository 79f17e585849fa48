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
#[derive(Default)]
struct Level {
    blocks: Vec<(Residual, Option<Attention>)>,
    resample: Option<Conv>,
}

impl DdpmUnet {
    /// Reads the network, and checks that each part takes what the one before it gives.
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
        if patch == 0 || inputs != 3 * patch * patch || channels < 4 || levels == 0 {
            return Err(checkpoint.misshaped("conv_in.weight"));
        }
        let first = weights.linear("temb.dense.0", channels)?;
        let second = weights.linear("temb.dense.1", first.outputs())?;
        let time = second.outputs();
        let conv_in = weights.conv("conv_in", inputs, 3)?;

        let mut width = channels;
        let mut skips = vec![channels];
        let mut down = Vec::new();
        for i in 0..levels {
            let mut level = Level::default();
            while weights.has_block("down", i, level.blocks.len()) {
                width = level.load_block(&weights, &format!("down.{i}"), width, time)?;
                skips.push(width);
            }
            if i + 1 < levels {
                level.resample = Some(weights.conv_to(&format!("down.{i}.downsample.conv"), width, width, 3)?);
                skips.push(width);
            }
            down.push(level);
        }
        let enter = Residual::load(&weights, "mid.block_1", width, time)?;
        width = enter.outputs();
        let middle = (
            enter,
            Attention::load(&weights, "mid.attn_1", width)?,
            Residual::load(&weights, "mid.block_2", width, time)?,
        );
        width = middle.2.outputs();
        let mut up = Vec::new();
        for i in (0..levels).rev() {
            let mut level = Level::default();
            // One block more than on the way down.
            for _ in 0..=down[i].blocks.len() {
                let skip = skips.pop().ok_or_else(|| checkpoint.misshaped(&format!("up.{i}.block.0.conv1.weight")))?;
                width = level.load_block(&weights, &format!("up.{i}"), width + skip, time)?;
            }
            if i > 0 {
                level.resample = Some(weights.conv_to(&format!("up.{i}.upsample.conv"), width, width, 3)?);
            }
            up.push(level);
        }
        up.reverse();
        Ok(Self {
            time: [first, second],
            conv_in,
            down,
            middle,
            up,
            norm_out: weights.norm("norm_out", width)?,
            conv_out: weights.conv_to("conv_out", width, inputs, 3)?,
            patch,
            channels,
            parameters: checkpoint.parameters(),
        })
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
    /// Reads the next block, which takes `width` channels, and its attention if it has one; returns what it gives.
    fn load_block(&mut self, weights: &Weights, name: &str, width: usize, time: usize) -> Result<usize> {
        let i = self.blocks.len();
        let residual = Residual::load(weights, &format!("{name}.block.{i}"), width, time)?;
        let width = residual.outputs();
        let attention = format!("{name}.attn.{i}");
        let attends = weights.checkpoint.contains(&format!("{attention}.q.weight"));
        let attention = attends.then(|| Attention::load(weights, &attention, width)).transpose()?;
        self.blocks.push((residual, attention));
        Ok(width)
    }
}

/// Two convolutions, the time embedding added between them.
struct Residual {
    norms: [Norm; 2],
    convs: [Conv; 2],
    time: Linear,
    shortcut: Option<Conv>,
}

impl Residual {
    /// Reads a block that takes `width` channels and an embedding of `time` numbers.
    fn load(weights: &Weights, name: &str, width: usize, time: usize) -> Result<Self> {
        let first = weights.conv(&format!("{name}.conv1"), width, 3)?;
        let outputs = first.outputs();
        let shortcut = [("nin_shortcut", 1), ("conv_shortcut", 3)]
            .map(|(kind, taps)| (format!("{name}.{kind}"), taps))
            .into_iter()
            .find(|(shortcut, _)| weights.checkpoint.contains(&format!("{shortcut}.weight")));
        let shortcut = match shortcut {
            Some((shortcut, taps)) => Some(weights.conv_to(&shortcut, width, outputs, taps)?),
            None if width == outputs => None,
            None => return Err(weights.checkpoint.misshaped(&format!("{name}.nin_shortcut.weight"))),
        };
        Ok(Self {
            norms: [weights.norm(&format!("{name}.norm1"), width)?, weights.norm(&format!("{name}.norm2"), outputs)?],
            convs: [first, weights.conv_to(&format!("{name}.conv2"), outputs, outputs, 3)?],
            time: weights.linear_to(&format!("{name}.temb_proj"), time, outputs)?,
            shortcut,
        })
    }

    fn inputs(&self) -> usize {
        self.convs[0].weight.dims()[1]
    }

    fn outputs(&self) -> usize {
        self.convs[0].outputs()
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
    fn load(weights: &Weights, name: &str, width: usize) -> Result<Self> {
        let conv = |part: &str| weights.conv_to(&format!("{name}.{part}"), width, width, 1);
        Ok(Self {
            norm: weights.norm(&format!("{name}.norm"), width)?,
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

    fn has_block(&self, side: &str, level: usize, block: usize) -> bool {
        self.checkpoint.contains(&format!("{side}.{level}.block.{block}.conv1.weight"))
    }

    /// A convolution that takes `inputs` channels, with `taps` x `taps` taps.
    fn conv(&self, name: &str, inputs: usize, taps: usize) -> Result<Conv> {
        let weight: Tensor<4> = self.tensor(&format!("{name}.weight"))?;
        let bias: Tensor<1> = self.tensor(&format!("{name}.bias"))?;
        if weight.dims() != [bias.dims()[0], inputs, taps, taps] {
            return Err(self.checkpoint.misshaped(&format!("{name}.weight")));
        }
        Ok(Conv { weight, bias })
    }

    /// The same with a given number of outputs.
    fn conv_to(&self, name: &str, inputs: usize, outputs: usize, taps: usize) -> Result<Conv> {
        self.conv(name, inputs, taps).and_then(|conv| match conv.outputs() == outputs {
            true => Ok(conv),
            false => Err(self.checkpoint.misshaped(&format!("{name}.weight"))),
        })
    }

    fn linear(&self, name: &str, inputs: usize) -> Result<Linear> {
        let weight: Tensor<2> = self.tensor(&format!("{name}.weight"))?;
        let bias: Tensor<1> = self.tensor(&format!("{name}.bias"))?;
        if weight.dims() != [bias.dims()[0], inputs] {
            return Err(self.checkpoint.misshaped(&format!("{name}.weight")));
        }
        Ok(Linear { weight: weight.transpose(), bias: bias.unsqueeze() })
    }

    fn linear_to(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
        self.linear(name, inputs).and_then(|linear| match linear.outputs() == outputs {
            true => Ok(linear),
            false => Err(self.checkpoint.misshaped(&format!("{name}.weight"))),
        })
    }

    fn norm(&self, name: &str, channels: usize) -> Result<Norm> {
        let scale: Tensor<1> = self.tensor(&format!("{name}.weight"))?;
        let shift: Tensor<1> = self.tensor(&format!("{name}.bias"))?;
        if scale.dims() != [channels] || shift.dims() != [channels] || !channels.is_multiple_of(GROUPS) {
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
    fn outputs(&self) -> usize {
        self.weight.dims()[1]
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.clone()) + self.bias.clone()
    }
}

struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
}

impl Conv {
    fn outputs(&self) -> usize {
        self.weight.dims()[0]
    }

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
