//! The UNet of "Denoising Diffusion Probabilistic Models" (J. Ho et al., 2020) in its PyTorch form, whose CelebA-HQ
//! checkpoint DDRM, DDNM, DDPG and FDGR use; optionally on space-to-depth pixels.

use burn::tensor::{Device, Tensor, activation::silu};

use super::adm::AdmOptions;
use crate::control::Silent;
use crate::error::Result;
use crate::kernel::attention::attend;
use crate::kernel::convolution::{Sampling, concatenate};
use crate::model::Checkpoint;
use crate::prior::denoiser::{Call, Denoiser, Network};
use crate::prior::footprint::Footprint;
use crate::prior::layers::{Conv, Linear, MAX_LEVELS, Norm, TimeEmbedding, depth_to_space, sinusoid, space_to_depth};
use crate::prior::shape::{Published, Shape, describe_levels};
use crate::prior::weights::{Precision, Weights};

const EPSILON: f32 = 1e-6;

/// Shape of a DDPM UNet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DdpmConfig {
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
    /// Factor of the space-to-depth rearrangement of the pixels.
    pub patch: usize,
    /// Whether shortcuts between different widths have 3 x 3 taps.
    pub wide_shortcuts: bool,
}

impl DdpmConfig {
    /// The CelebA-HQ checkpoint at 256 x 256.
    pub fn celeba_hq() -> Self {
        Self {
            channels: 128,
            widths: [1, 1, 2, 2, 4, 4].map(|m| m * 128).to_vec(),
            blocks: 2,
            attends: vec![false, false, false, false, true, false],
            embedding: 512,
            patch: 1,
            wide_shortcuts: false,
        }
    }

    /// Reads the shape off a checkpoint's names and shapes.
    ///
    /// # Errors
    /// Checkpoints that lack the tensors that tell.
    pub fn recognise(checkpoint: &Checkpoint) -> Result<Self> {
        let [channels, inputs, _, _] = checkpoint.shape::<4>("conv_in.weight")?;
        let patch = (inputs / 3).isqrt();
        if patch == 0 || inputs != 3 * patch * patch || channels < 4 || channels % 2 == 1 {
            let fact = format!("conv_in.weight does not fit: it has {inputs} inputs and {channels} outputs");
            return Err(Checkpoint::refusal(checkpoint.path(), fact));
        }
        let block = |level: usize, block: usize| format!("down.{level}.block.{block}.conv1.weight");
        let levels = (0..).take_while(|&i| checkpoint.contains(&block(i, 0))).count().max(1);
        if levels > MAX_LEVELS {
            return Err(Checkpoint::refusal(
                checkpoint.path(),
                format!("a network of {levels} levels does not fit pictures"),
            ));
        }
        let width = |level| checkpoint.shape::<4>(&block(level, 0)).map(|[outputs, ..]| outputs);
        Ok(Self {
            channels,
            widths: (0..levels).map(width).collect::<Result<_>>()?,
            blocks: (0..).take_while(|&j| checkpoint.contains(&block(0, j))).count(),
            attends: (0..levels).map(|i| checkpoint.contains(&format!("down.{i}.attn.0.q.weight"))).collect(),
            embedding: checkpoint.shape::<2>("temb.dense.0.weight")?[0],
            patch,
            wide_shortcuts: checkpoint.names().any(|name| name.contains("conv_shortcut")),
        })
    }
}

/// The UNet of a checkpoint, if it is one of DDPM.
///
/// # Errors
/// As [`DdpmConfig::recognise`].
pub(super) fn recognise(checkpoint: &Checkpoint, _: Option<AdmOptions>) -> Result<Option<Box<dyn Shape>>> {
    let has = |start: &str| checkpoint.names().any(|name| name.starts_with(start));
    if !(has("down.") || has("conv_in.") && has("temb.")) {
        return Ok(None);
    }
    Ok(Some(Box::new(DdpmConfig::recognise(checkpoint)?)))
}

impl Shape for DdpmConfig {
    fn describe(&self) -> String {
        let Self { channels, widths, blocks, attends, patch, .. } = self;
        let pixels = if *patch == 1 { String::new() } else { format!(" on {patch}x{patch} blocks of pixels") };
        format!("DDPM UNet{pixels}: {}", describe_levels(*channels, widths, *blocks, attends))
    }

    fn published(&self) -> Option<Published> {
        const TITLE: &str = "the DDPM checkpoints for CelebA-HQ, LSUN bedrooms and churches at 256x256";
        (*self == Self::celeba_hq()).then_some(Published { title: TITLE, side: 256 })
    }

    fn load(&self, _class: Option<usize>, weights: &mut Weights) -> Result<Box<dyn Network>> {
        Ok(Box::new(DdpmUnet::build(self, weights)?))
    }
}

/// A DDPM UNet.
pub struct DdpmUnet {
    time: TimeEmbedding,
    conv_in: Conv,
    down: Vec<Level>,
    middle: (Residual, Attention, Residual),
    /// Coarsest level first.
    up: Vec<Level>,
    norm_out: Norm,
    conv_out: Conv,
    config: DdpmConfig,
    weights: u64,
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
    fn build(config: &DdpmConfig, weights: &mut Weights) -> Result<Self> {
        let DdpmConfig { channels, embedding, patch, .. } = *config;
        let pixels = 3 * patch * patch;
        let time = TimeEmbedding(
            weights.linear("temb.dense.0", channels, embedding)?,
            weights.linear("temb.dense.1", embedding, embedding)?,
        );
        let conv_in = weights.conv("conv_in", pixels, channels, 3, Sampling::Keep)?;
        let mut width = channels;
        let mut skips = vec![channels];
        let mut down = Vec::new();
        let levels = config.widths.len();
        for (i, &outputs) in config.widths.iter().enumerate() {
            let mut blocks = Vec::new();
            for j in 0..config.blocks {
                blocks.push(load_block(config, weights, &format!("down.{i}"), j, width, i)?);
                width = outputs;
                skips.push(width);
            }
            let halve = format!("down.{i}.downsample.conv");
            let mut conv = || weights.conv(&halve, width, width, 3, Sampling::HalveAsymmetric);
            let resample = (i + 1 < levels).then(&mut conv).transpose()?;
            skips.extend(resample.is_some().then_some(width));
            down.push(Level { blocks, resample });
        }
        let middle = (
            Residual::load(config, weights, "mid.block_1", width, width)?,
            Attention::load(weights, "mid.attn_1", width)?,
            Residual::load(config, weights, "mid.block_2", width, width)?,
        );
        let mut up = Vec::new();
        for (i, &outputs) in config.widths.iter().enumerate().rev() {
            let mut blocks = Vec::new();
            for j in 0..=config.blocks {
                let skip = skips.pop().unwrap_or_default();
                blocks.push(load_block(config, weights, &format!("up.{i}"), j, width + skip, i)?);
                width = outputs;
            }
            let double = format!("up.{i}.upsample.conv");
            let mut conv = || weights.conv(&double, width, width, 3, Sampling::Double);
            let resample = (i > 0).then(&mut conv).transpose()?;
            up.push(Level { blocks, resample });
        }
        let norm_out = weights.norm("norm_out", width, EPSILON)?;
        let conv_out = weights.conv("conv_out", width, pixels, 3, Sampling::Keep)?;
        let (config, bytes) = (config.clone(), weights.bytes());
        Ok(Self { time, conv_in, down, middle, up, norm_out, conv_out, config, weights: bytes })
    }

    /// Reads the network that a checkpoint's names and shapes describe.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, by name.
    pub fn load(checkpoint: &Checkpoint, precision: Precision, device: &Device) -> Result<Self> {
        let config = DdpmConfig::recognise(checkpoint)?;
        let all = checkpoint.parameters();
        Self::build(&config, &mut Weights::load(checkpoint, device, precision, all, &Silent))
    }
}

impl Denoiser for DdpmUnet {
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> Result<Tensor<4>> {
        let half = self.config.channels / 2;
        // Every residual block projects the activated embedding.
        let time = silu(self.time.forward(sinusoid(call.t, half, half - 1, true, &x_t.device().inner())));
        let mut h = self.conv_in.forward(space_to_depth(x_t, self.config.patch));
        let mut skips = vec![h.clone()];
        for level in &self.down {
            for block in &level.blocks {
                h = run_block(block, h, &time);
                skips.push(h.clone());
            }
            if let Some(conv) = &level.resample {
                h = conv.forward(h);
                skips.push(h.clone());
            }
        }
        h = self.middle.0.forward(h, &time);
        h = self.middle.1.forward(h);
        h = self.middle.2.forward(h, &time);
        for level in &self.up {
            for block in &level.blocks {
                let skip = skips.pop().expect("as many skips as blocks on the way up");
                h = run_block(block, concatenate(h, skip), &time);
            }
            if let Some(conv) = &level.resample {
                h = conv.forward(h);
            }
        }
        Ok(depth_to_space(self.conv_out.forward(self.norm_out.activated(h)), self.config.patch))
    }
}

impl Network for DdpmUnet {
    fn multiple(&self) -> usize {
        self.config.patch << (self.config.widths.len() - 1)
    }

    fn footprint(&self) -> Footprint {
        let DdpmConfig { channels, widths, attends, patch, .. } = &self.config;
        let level = attends.iter().position(|&attends| attends).unwrap_or(widths.len() - 1);
        Footprint {
            patch: *patch,
            channels: *channels,
            widest: widths[0] + widths[1.min(widths.len() - 1)],
            attention: Some((1, patch << level)),
            weights: self.weights,
        }
    }
}

fn load_block(
    config: &DdpmConfig,
    weights: &mut Weights,
    side: &str,
    block: usize,
    inputs: usize,
    level: usize,
) -> Result<(Residual, Option<Attention>)> {
    let width = config.widths[level];
    let residual = Residual::load(config, weights, &format!("{side}.block.{block}"), inputs, width)?;
    let name = format!("{side}.attn.{block}");
    Ok((residual, config.attends[level].then(|| Attention::load(weights, &name, width)).transpose()?))
}

fn run_block((residual, attention): &(Residual, Option<Attention>), h: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
    let h = residual.forward(h, time);
    match attention {
        Some(attention) => attention.forward(h),
        None => h,
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
    fn load(config: &DdpmConfig, weights: &mut Weights, name: &str, inputs: usize, outputs: usize) -> Result<Self> {
        let (kind, taps) = if config.wide_shortcuts { ("conv_shortcut", 3) } else { ("nin_shortcut", 1) };
        let shortcut = format!("{name}.{kind}");
        Ok(Self {
            norms: [
                weights.norm(&format!("{name}.norm1"), inputs, EPSILON)?,
                weights.norm(&format!("{name}.norm2"), outputs, EPSILON)?,
            ],
            convs: [
                weights.conv(&format!("{name}.conv1"), inputs, outputs, 3, Sampling::Keep)?,
                weights.conv(&format!("{name}.conv2"), outputs, outputs, 3, Sampling::Keep)?,
            ],
            time: weights.linear(&format!("{name}.temb_proj"), config.embedding, outputs)?,
            shortcut: (inputs != outputs)
                .then(|| weights.conv(&shortcut, inputs, outputs, taps, Sampling::Keep))
                .transpose()?,
        })
    }

    /// `time` is the activated embedding `[1, ch_t]`.
    fn forward(&self, x: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
        // The embedding is the same in every pixel, so it goes into the bias of the convolution.
        let h = self.convs[0].forward_plus(self.norms[0].activated(x.clone()), self.time.forward(time.clone()));
        let shortcut = match &self.shortcut {
            Some(conv) => conv.forward(x),
            None => x,
        };
        self.convs[1].forward_residual(self.norms[1].activated(h), shortcut)
    }
}

/// Self-attention over all positions, one head.
struct Attention {
    norm: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl Attention {
    fn load(weights: &mut Weights, name: &str, width: usize) -> Result<Self> {
        let mut matrix = |part: &str| weights.projection(&format!("{name}.{part}"), width, width, 4);
        let (query, key, value, out) = (matrix("q")?, matrix("k")?, matrix("v")?, matrix("proj_out")?);
        Ok(Self { norm: weights.norm(&format!("{name}.norm"), width, EPSILON)?, query, key, value, out })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        let columns = self.norm.forward(x.clone()).reshape([b, c, h * w]);
        let [query, key, value] = [&self.query, &self.key, &self.value].map(|part| part.columns(columns.clone()));
        x + self.out.columns(attend(query, key, value)).reshape([b, c, h, w])
    }
}
