//! The network: blocks on the way down, in the middle and on the way up.

use burn::tensor::{Device, Tensor, activation::silu, module::avg_pool2d, ops::AvgPoolOptions};

use super::config::{AdmConfig, AdmOptions};
use crate::control::Silent;
use crate::error::Result;
use crate::kernel::attention::attend;
use crate::kernel::convolution::{Sampling, concatenate};
use crate::model::Checkpoint;
use crate::prior::denoiser::{Call, Denoiser, Network};
use crate::prior::footprint::Footprint;
use crate::prior::layers::{Conv, Linear, Norm, TimeEmbedding, double, sinusoid};
use crate::prior::weights::{Precision, Weights};

const EPSILON: f32 = 1e-5;

/// A layer of a block: one of `input_blocks.i.0`, `input_blocks.i.1` and so on.
enum Layer {
    Conv(Box<Conv>),
    Residual(Box<Residual>),
    Attention(Box<Attention>),
}

/// Layers between two skip connections.
pub struct Block(Vec<Layer>);

impl Block {
    pub fn forward(&self, h: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
        self.0.iter().fold(h, |h, layer| match layer {
            Layer::Conv(conv) => conv.forward(h),
            Layer::Residual(residual) => residual.forward(h, time),
            Layer::Attention(attention) => attention.forward(h),
        })
    }
}

/// The way down and the middle.
pub struct Trunk {
    pub time: TimeEmbedding,
    pub input: Vec<Block>,
    pub middle: Block,
    sinusoid: usize,
}

impl Trunk {
    /// Reads it; also returns the channels of every skip connection.
    pub fn load(config: &AdmConfig, weights: &mut Weights) -> Result<(Self, Vec<usize>)> {
        let AdmConfig { channels, sinusoid, embedding, .. } = *config;
        let time = TimeEmbedding(
            weights.linear("time_embed.0", sinusoid, embedding)?,
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
        Ok((Self { time, input, middle, sinusoid }, skips))
    }

    /// Embedding of a time, `[1, ch_t]`, before its activation.
    pub fn embed(&self, t: usize, device: &Device) -> Tensor<2> {
        let half = self.sinusoid / 2;
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
    /// Reads the network. `class` must be one of the network's classes.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, by name.
    pub(super) fn build(config: &AdmConfig, class: Option<usize>, weights: &mut Weights) -> Result<Self> {
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
        let conv_out = weights.conv("out.2", width, config.outputs(), 3, Sampling::Keep)?;
        let (config, bytes) = (config.clone(), weights.bytes());
        Ok(Self { trunk, output, norm_out, conv_out, class, config, weights: bytes })
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
        let all = checkpoint.parameters();
        Self::build(&config, class, &mut Weights::load(checkpoint, device, precision, all, &Silent))
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
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> Result<Tensor<4>> {
        let [b, c, h, w] = x_t.dims();
        Ok(self.forward(x_t, call.t).slice([0..b, 0..c, 0..h, 0..w]))
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
pub fn split_attention(mixed: Tensor<3>, heads: usize, new_order: bool) -> Tensor<3> {
    let [b, channels, n] = mixed.dims();
    let c = channels / 3;
    let (axes, part_axis) = if new_order { ([b, 3, heads, c / heads, n], 1) } else { ([b, heads, 3, c / heads, n], 2) };
    let mixed = mixed.reshape(axes);
    let part = |i: usize| mixed.clone().narrow(part_axis, i, 1).reshape([b * heads, c / heads, n]);
    attend(part(0), part(1), part(2)).reshape([b, c, n])
}
