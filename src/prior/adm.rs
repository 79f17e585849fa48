//! The UNet of guided-diffusion ("Diffusion Models Beat GANs on Image Synthesis", P. Dhariwal and A. Nichol, 2021), often
//! called ADM, in all its variants, and the trunk that its classifier shares.

use burn::tensor::{Device, Tensor, activation::silu, module::avg_pool2d, ops::AvgPoolOptions};
use serde::Deserialize;

use super::layers::{Conv, Footprint, Linear, MAX_LEVELS, Norm, Precision, TimeEmbedding, Weights, double, sinusoid};
use super::{Denoiser, Network};
use crate::error::Result;
use crate::kernel::attention::attend;
use crate::kernel::convolution::{Sampling, concatenate};
use crate::model::Checkpoint;

const EPSILON: f32 = 1e-5;

/// What guided-diffusion networks do not show in the shapes of their tensors, by the names of guided-diffusion's flags.
/// Defaults are those of the published checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AdmOptions {
    /// Channels of an attention head; -1 or nothing where `num_heads` tells.
    #[serde(default)]
    pub num_head_channels: Option<i64>,
    /// Number of attention heads, where `num_head_channels` is -1.
    #[serde(default)]
    pub num_heads: Option<usize>,
    /// Whether queries, keys and values are split before the heads are.
    #[serde(default)]
    pub use_new_attention_order: bool,
}

impl AdmOptions {
    /// Channels of a head of the published checkpoints.
    const PUBLISHED_HEAD: usize = 64;

    /// Heads of an attention over `width` channels.
    fn heads(&self, width: usize) -> usize {
        let channels = self.num_head_channels.and_then(|channels| usize::try_from(channels).ok());
        let heads = match (channels, self.num_heads) {
            (Some(channels), _) => width / channels.max(1),
            (None, Some(heads)) => heads,
            (None, None) => width / Self::PUBLISHED_HEAD,
        };
        heads.max(1)
    }

    /// Whether nothing was given, so that the published checkpoints are assumed.
    pub fn assumed(&self) -> bool {
        self.num_head_channels.is_none() && self.num_heads.is_none()
    }
}

/// Shape of the way down, which UNet and classifier share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmConfig {
    /// Channels of the input picture.
    pub inputs: usize,
    /// Channels of the first convolution.
    pub channels: usize,
    /// Channels of each level, finest first.
    pub widths: Vec<usize>,
    /// Residual blocks of a level on the way down; there is one more on the way up.
    pub blocks: usize,
    /// Which levels attend.
    pub attends: Vec<bool>,
    /// Channels of the time embedding.
    pub embedding: usize,
    /// Whether the embedding scales and shifts the normalised features, or is added.
    pub scale_shift: bool,
    /// Whether residual blocks change the resolution, or plain convolutions.
    pub resample_blocks: bool,
    /// Classes that can be asked for.
    pub classes: Option<usize>,
    /// What the shapes do not show.
    pub options: AdmOptions,
}

impl AdmConfig {
    /// The unconditional ImageNet checkpoint at 256 x 256.
    pub fn imagenet() -> Self {
        Self {
            inputs: 3,
            channels: 256,
            widths: [1, 1, 2, 2, 4, 4].map(|m| m * 256).to_vec(),
            blocks: 2,
            attends: vec![false, false, false, true, true, true],
            embedding: 1024,
            scale_shift: true,
            resample_blocks: true,
            classes: None,
            options: AdmOptions::default(),
        }
    }

    /// Reads the shape off a checkpoint's names and shapes.
    ///
    /// # Errors
    /// Checkpoints that lack the tensors that tell, or contradict themselves.
    pub fn recognise(checkpoint: &Checkpoint, options: AdmOptions) -> Result<Self> {
        let refuse = |fact: String| Checkpoint::refusal(checkpoint.path(), fact);
        let [channels, inputs, _, _] = checkpoint.shape::<4>("input_blocks.0.0.weight")?;
        let count =
            (0..).take_while(|i| checkpoint.names().any(|n| n.starts_with(&format!("input_blocks.{i}.")))).count();
        let residual = |i: usize| format!("input_blocks.{i}.0.in_layers.2.weight");
        let attends = |i: usize| checkpoint.contains(&format!("input_blocks.{i}.1.qkv.weight"));
        // A level is `blocks` residual blocks and a change of resolution, which the last one lacks but the first
        // convolution makes up for. All blocks of a level attend, or none; a change of resolution does not attend, and
        // keeps the channels.
        let fits = |blocks: &usize| {
            let period = blocks + 1;
            let width = |i: usize| checkpoint.shape::<4>(&residual(i)).map(|[outputs, ..]| outputs).ok();
            count.is_multiple_of(period)
                && (1..count).all(|i| match i % period {
                    0 => !attends(i) && width(i).is_none_or(|own| Some(own) == width(i - 1)),
                    1 => width(i).is_some(),
                    _ => width(i) == width(i - 1) && attends(i) == attends(i - 1),
                })
        };
        let doubles = |j: usize| {
            let block = |k: usize, part: &str| checkpoint.contains(&format!("output_blocks.{j}.{k}.{part}.weight"));
            [1, 2].iter().any(|&k| block(k, "in_layers.2") || block(k, "conv"))
        };
        let blocks = match (0..count).find(|&j| doubles(j)) {
            Some(first) => Some(first).filter(fits),
            None => (1..count).find(fits),
        };
        let blocks =
            blocks.ok_or_else(|| refuse(format!("its {count} input blocks do not form levels, which does not fit")))?;
        let levels = count / (blocks + 1);
        if inputs != 3 || levels > MAX_LEVELS {
            let fact = format!("a network of {inputs} input channels and {levels} levels does not fit RGB pictures");
            return Err(refuse(fact));
        }
        let first = |level: usize| 1 + level * (blocks + 1);
        let width = |level: usize| checkpoint.shape::<4>(&residual(first(level))).map(|[outputs, ..]| outputs);
        let widths = (0..levels).map(width).collect::<Result<Vec<_>>>()?;
        let embedding = checkpoint.shape::<2>("time_embed.0.weight")?[0];
        let projected = checkpoint.shape::<2>("input_blocks.1.0.emb_layers.1.weight")?[0];
        let config = Self {
            inputs,
            channels,
            embedding,
            blocks,
            attends: (0..levels).map(|level| attends(first(level))).collect(),
            scale_shift: projected == 2 * widths[0],
            resample_blocks: !checkpoint.contains(&format!("input_blocks.{}.0.op.weight", blocks + 1)),
            classes: checkpoint.find("label_emb.weight").and_then(|shape| shape.first().copied()),
            options,
            widths,
        };
        let attending = config.widths.iter().zip(&config.attends).filter(|(_, attends)| **attends);
        for &width in attending.map(|(width, _)| width).chain(config.widths.last()) {
            if !width.is_multiple_of(options.heads(width)) || (options.assumed() && width < AdmOptions::PUBLISHED_HEAD)
            {
                let heads = options.heads(width);
                return Err(refuse(format!(
                    "attention over {width} channels does not split into {heads} heads; say num_head_channels or num_heads \
                     in a config.json beside it"
                )));
            }
        }
        Ok(config)
    }

    /// Pixels a side of the coarsest level's pixels.
    pub(super) fn coarsest(&self) -> usize {
        1 << (self.widths.len() - 1)
    }

    /// The finest attention, for [`Footprint`].
    pub(super) fn attention(&self) -> Option<(usize, usize)> {
        let level = self.attends.iter().position(|&attends| attends).unwrap_or(self.widths.len() - 1);
        Some((self.options.heads(self.widths[level]), 1 << level))
    }
}

/// A step of a block: what stands in one place of `input_blocks.i` or its like.
enum Layer {
    Conv(Box<Conv>),
    Residual(Box<Residual>),
    Attention(Box<Attention>),
}

/// Layers between two skip connections.
pub(super) struct Block(Vec<Layer>);

impl Block {
    pub(super) fn forward(&self, h: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
        self.0.iter().fold(h, |h, layer| match layer {
            Layer::Conv(conv) => conv.forward(h),
            Layer::Residual(residual) => residual.forward(h, time),
            Layer::Attention(attention) => attention.forward(h),
        })
    }
}

/// The way down and the middle.
pub(super) struct Trunk {
    pub time: TimeEmbedding,
    pub input: Vec<Block>,
    pub middle: Block,
    channels: usize,
}

impl Trunk {
    /// Reads it; also returns the channels of every skip connection.
    pub(super) fn load(config: &AdmConfig, weights: &mut Weights) -> Result<(Self, Vec<usize>)> {
        let AdmConfig { channels, embedding, .. } = *config;
        let time = TimeEmbedding(
            weights.linear("time_embed.0", channels, embedding)?,
            weights.linear("time_embed.2", embedding, embedding)?,
        );
        let first = weights.conv("input_blocks.0.0", config.inputs, channels, 3, Sampling::Keep)?;
        let mut input = vec![Block(vec![Layer::Conv(Box::new(first))])];
        let mut width = channels;
        let mut skips = vec![width];
        for (level, &outputs) in config.widths.iter().enumerate() {
            for _ in 0..config.blocks {
                let name = format!("input_blocks.{}", input.len());
                input.push(Block(load_block(config, weights, &name, width, level)?));
                width = outputs;
                skips.push(width);
            }
            if level + 1 < config.widths.len() {
                let name = format!("input_blocks.{}.0", input.len());
                input.push(Block(vec![if config.resample_blocks {
                    Residual::load(config, weights, &name, [width, width], Resample::Halve)?
                } else {
                    Layer::Conv(Box::new(weights.conv(&format!("{name}.op"), width, width, 3, Sampling::Halve)?))
                }]));
                skips.push(width);
            }
        }
        let middle = Block(vec![
            Residual::load(config, weights, "middle_block.0", [width, width], Resample::Keep)?,
            Layer::Attention(Box::new(Attention::load(config, weights, "middle_block.1", width)?)),
            Residual::load(config, weights, "middle_block.2", [width, width], Resample::Keep)?,
        ]);
        Ok((Self { time, input, middle, channels }, skips))
    }

    /// Embedding of a time, `[1, ch_t]`, before its activation.
    pub(super) fn embed(&self, t: usize, device: &Device) -> Tensor<2> {
        let half = self.channels / 2;
        self.time.forward(sinusoid(t, half, half, false, device))
    }
}

/// A guided-diffusion UNet.
pub struct AdmUnet {
    trunk: Trunk,
    output: Vec<Block>,
    norm_out: Norm,
    conv_out: Conv,
    /// Embedding of the class that was asked for.
    class: Option<Tensor<2>>,
    config: AdmConfig,
    weights: u64,
}

impl AdmUnet {
    /// Reads the network; `outputs` are its channels, of which the first `inputs` are the noise. `class` must be one of
    /// the network's classes.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, by name.
    pub(super) fn build(
        config: &AdmConfig,
        outputs: usize,
        class: Option<usize>,
        weights: &mut Weights,
        bytes: u64,
    ) -> Result<Self> {
        let (trunk, mut skips) = Trunk::load(config, weights)?;
        let mut output = Vec::new();
        let mut width = config.widths.last().copied().unwrap_or_default();
        for (level, &outputs) in config.widths.iter().enumerate().rev() {
            for i in 0..=config.blocks {
                let name = format!("output_blocks.{}", output.len());
                let skip = skips.pop().unwrap_or_default();
                let mut layers = load_block(config, weights, &name, width + skip, level)?;
                width = outputs;
                if level > 0 && i == config.blocks {
                    let name = format!("{name}.{}", layers.len());
                    layers.push(if config.resample_blocks {
                        Residual::load(config, weights, &name, [width, width], Resample::Double)?
                    } else {
                        Layer::Conv(Box::new(weights.conv(
                            &format!("{name}.conv"),
                            width,
                            width,
                            3,
                            Sampling::Double,
                        )?))
                    });
                }
                output.push(Block(layers));
            }
        }
        let classes = config.classes.map(|n| weights.tensor("label_emb.weight".into(), [n, config.embedding]));
        let class = match (classes.transpose()?, class) {
            (Some(table), Some(class)) if table.dims()[0] > class => {
                Some(table.slice([class..class + 1, 0..config.embedding]))
            }
            _ => None,
        };
        let norm_out = weights.norm("out.0", width, EPSILON)?;
        let conv_out = weights.conv("out.2", width, outputs, 3, Sampling::Keep)?;
        Ok(Self { trunk, output, norm_out, conv_out, class, config: config.clone(), weights: bytes })
    }

    /// Reads the network that a checkpoint's names and shapes describe, with the embedding of `class` where it has classes.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, by name.
    pub fn load(
        checkpoint: &Checkpoint,
        options: AdmOptions,
        class: Option<usize>,
        precision: Precision,
        device: &Device,
    ) -> Result<Self> {
        let config = AdmConfig::recognise(checkpoint, options)?;
        let [outputs, ..] = checkpoint.shape::<4>("out.2.weight")?;
        let bytes = checkpoint.parameters() as u64 * precision.bytes();
        Self::build(&config, outputs, class, &mut Weights::load(checkpoint, device, precision), bytes)
    }

    /// All output channels: the noise, and where the network learned it the variance.
    pub fn forward(&self, x_t: Tensor<4>, t: usize) -> Tensor<4> {
        let time = self.trunk.embed(t, &x_t.device().inner());
        let time = silu(match &self.class {
            Some(class) => time + class.clone(),
            None => time,
        });
        let mut h = x_t;
        let mut skips = Vec::new();
        for block in &self.trunk.input {
            h = block.forward(h, &time);
            skips.push(h.clone());
        }
        h = self.trunk.middle.forward(h, &time);
        for block in &self.output {
            let skip = skips.pop().expect("as many skips as blocks on the way up");
            h = block.forward(concatenate(h, skip), &time);
        }
        self.conv_out.forward(self.norm_out.activated(h))
    }
}

impl Denoiser for AdmUnet {
    fn predict_noise(&self, x_t: Tensor<4>, t: usize) -> Tensor<4> {
        let [b, c, h, w] = x_t.dims();
        self.forward(x_t, t).slice([0..b, 0..c, 0..h, 0..w])
    }
}

impl Network for AdmUnet {
    fn multiple(&self) -> usize {
        self.config.coarsest()
    }

    fn footprint(&self) -> Footprint {
        let widths = &self.config.widths;
        Footprint {
            patch: 1,
            channels: self.config.channels,
            widest: widths[0] + widths[1.min(widths.len() - 1)],
            attention: self.config.attention(),
            weights: self.weights,
        }
    }
}

/// A residual block at place 0 of `name`, and attention at place 1 where the level has it.
fn load_block(
    config: &AdmConfig,
    weights: &mut Weights,
    name: &str,
    inputs: usize,
    level: usize,
) -> Result<Vec<Layer>> {
    let width = config.widths[level];
    let mut layers = vec![Residual::load(config, weights, &format!("{name}.0"), [inputs, width], Resample::Keep)?];
    if config.attends[level] {
        let attention = Attention::load(config, weights, &format!("{name}.1"), width)?;
        layers.push(Layer::Attention(Box::new(attention)));
    }
    Ok(layers)
}

/// Change of resolution inside a residual block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resample {
    Keep,
    /// Mean over blocks of 2 x 2.
    Halve,
    /// Nearest neighbour.
    Double,
}

impl Resample {
    fn apply(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Keep => x,
            Self::Halve => avg_pool2d(x, AvgPoolOptions::new([2, 2]).with_stride([2, 2])),
            Self::Double => double(x),
        }
    }
}

/// Two convolutions; the embedding is added between them, or scales and shifts.
struct Residual {
    norms: [Norm; 2],
    convs: [Conv; 2],
    time: Linear,
    shortcut: Option<Conv>,
    scale_shift: bool,
    resample: Resample,
}

impl Residual {
    fn load(
        config: &AdmConfig,
        weights: &mut Weights,
        name: &str,
        [inputs, outputs]: [usize; 2],
        resample: Resample,
    ) -> Result<Layer> {
        let projected = if config.scale_shift { 2 * outputs } else { outputs };
        let shortcut = format!("{name}.skip_connection");
        Ok(Layer::Residual(Box::new(Self {
            norms: [
                weights.norm(&format!("{name}.in_layers.0"), inputs, EPSILON)?,
                weights.norm(&format!("{name}.out_layers.0"), outputs, EPSILON)?,
            ],
            convs: [
                weights.conv(&format!("{name}.in_layers.2"), inputs, outputs, 3, Sampling::Keep)?,
                weights.conv(&format!("{name}.out_layers.3"), outputs, outputs, 3, Sampling::Keep)?,
            ],
            time: weights.linear(&format!("{name}.emb_layers.1"), config.embedding, projected)?,
            shortcut: (inputs != outputs)
                .then(|| weights.conv(&shortcut, inputs, outputs, 1, Sampling::Keep))
                .transpose()?,
            scale_shift: config.scale_shift,
            resample,
        })))
    }

    /// `time` is the activated embedding `[1, ch_t]`.
    fn forward(&self, x: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
        let time = self.time.forward(time.clone());
        let h = self.resample.apply(self.norms[0].activated(x.clone()));
        let h = if self.scale_shift {
            let channels = time.dims()[1] / 2;
            let (scale, shift) = (time.clone().narrow(1, 0, channels), time.narrow(1, channels, channels));
            self.norms[1].modulated(self.convs[0].forward(h), scale, shift)
        } else {
            self.norms[1].activated(self.convs[0].forward_plus(h, time))
        };
        let x = self.resample.apply(x);
        let shortcut = match &self.shortcut {
            Some(conv) => conv.forward(x),
            None => x,
        };
        self.convs[1].forward_residual(h, shortcut)
    }
}

/// Self-attention over all positions.
struct Attention {
    norm: Norm,
    mixed: Linear,
    out: Linear,
    heads: usize,
    new_order: bool,
}

impl Attention {
    fn load(config: &AdmConfig, weights: &mut Weights, name: &str, width: usize) -> Result<Self> {
        Ok(Self {
            norm: weights.norm(&format!("{name}.norm"), width, EPSILON)?,
            mixed: weights.projection(&format!("{name}.qkv"), width, 3 * width, 3)?,
            out: weights.projection(&format!("{name}.proj_out"), width, width, 3)?,
            heads: config.options.heads(width),
            new_order: config.options.use_new_attention_order,
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        let mixed = self.mixed.columns(self.norm.forward(x.clone()).reshape([b, c, h * w]));
        let attended = split_attention(mixed, self.heads, self.new_order);
        x + self.out.columns(attended).reshape([b, c, h, w])
    }
}

/// Attention from queries, keys and values in one tensor `[b, 3 c, n]`: in the new order they are split first and heads
/// after, in the other each head has its three parts together.
pub(super) fn split_attention(mixed: Tensor<3>, heads: usize, new_order: bool) -> Tensor<3> {
    let [b, channels, n] = mixed.dims();
    let c = channels / 3;
    let (axes, part_axis) = if new_order { ([b, 3, heads, c / heads, n], 1) } else { ([b, heads, 3, c / heads, n], 2) };
    let mixed = mixed.reshape(axes);
    let part = |i: usize| mixed.clone().narrow(part_axis, i, 1).reshape([b * heads, c / heads, n]);
    attend(part(0), part(1), part(2)).reshape([b, c, n])
}
