//! The shape of a guided-diffusion network, read off its tensors and the JSON file beside it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::Checkpoint;
use crate::prior::layers::MAX_LEVELS;

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
    pub(super) fn heads(&self, width: usize) -> usize {
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

    /// What the file's metadata say, or a JSON file beside it: `NAME.json` or `config.json`, with guided-diffusion's flags.
    ///
    /// # Errors
    /// Configurations that do not fit.
    pub fn beside(checkpoint: &Checkpoint) -> Result<Self> {
        let parse = |text: &str, path: &Path| {
            serde_json::from_str(text).map_err(|e| {
                let fact = format!("its configuration does not fit ({e})");
                Error::checkpoint(path, fact, "write num_head_channels or num_heads as whole numbers")
            })
        };
        if let Some(text) = checkpoint.metadata("config") {
            return parse(text, checkpoint.path());
        }
        let beside: [PathBuf; 2] =
            [checkpoint.path().with_extension("json"), checkpoint.path().with_file_name("config.json")];
        let found = beside.iter().find_map(|path| Some((path, std::fs::read_to_string(path).ok()?)));
        found.map_or_else(|| Ok(Self::default()), |(path, text)| parse(&text, path))
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
    /// Sines and cosines of the time: the channels by which those of levels are multiplied.
    pub sinusoid: usize,
    /// Channels of the time embedding.
    pub embedding: usize,
    /// Whether the embedding scales and shifts the normalised features, or is added.
    pub scale_shift: bool,
    /// Whether residual blocks change the resolution, or plain convolutions.
    pub resample_blocks: bool,
    /// Whether the network predicts the variance of a step after the noise, with as many channels again.
    pub learned_variance: bool,
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
            sinusoid: 256,
            embedding: 1024,
            scale_shift: true,
            resample_blocks: true,
            learned_variance: true,
            classes: None,
            options: AdmOptions::default(),
        }
    }

    /// Reads the shape of a UNet off a checkpoint's names and shapes.
    ///
    /// # Errors
    /// Checkpoints that lack the tensors that tell, or contradict themselves.
    pub fn recognise(checkpoint: &Checkpoint, options: AdmOptions) -> Result<Self> {
        let [outputs, ..] = checkpoint.shape::<4>("out.2.weight")?;
        let config = Self::trunk(checkpoint, options)?;
        if outputs != config.inputs && outputs != 2 * config.inputs {
            let fact = format!("out.2.weight has {outputs} outputs, which does not fit {} inputs", config.inputs);
            return Err(Checkpoint::refusal(checkpoint.path(), fact));
        }
        Ok(Self { learned_variance: outputs > config.inputs, ..config })
    }

    /// The same for the way down alone.
    ///
    /// # Errors
    /// As [`AdmConfig::recognise`].
    pub(in crate::prior::architecture) fn trunk(checkpoint: &Checkpoint, options: AdmOptions) -> Result<Self> {
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
        let [embedding, sinusoid] = checkpoint.shape::<2>("time_embed.0.weight")?;
        let projected = checkpoint.shape::<2>("input_blocks.1.0.emb_layers.1.weight")?[0];
        let config = Self {
            inputs,
            channels,
            sinusoid,
            embedding,
            blocks,
            attends: (0..levels).map(|level| attends(first(level))).collect(),
            scale_shift: projected == 2 * widths[0],
            resample_blocks: !checkpoint.contains(&format!("input_blocks.{}.0.op.weight", blocks + 1)),
            learned_variance: false,
            classes: checkpoint.find("label_emb.weight").and_then(|shape| shape.first().copied()),
            options,
            widths,
        };
        let attending = config.widths.iter().zip(&config.attends).filter(|(_, attends)| **attends);
        for &width in attending.map(|(width, _)| width).chain(config.widths.last()) {
            if !width.is_multiple_of(options.heads(width)) || (options.assumed() && width < AdmOptions::PUBLISHED_HEAD)
            {
                let heads = options.heads(width);
                return Err(Error::checkpoint(
                    checkpoint.path(),
                    format!("attention over {width} channels does not split into {heads} heads"),
                    "give num_head_channels or num_heads in a config.json beside it",
                ));
            }
        }
        Ok(config)
    }

    /// Channels of the result: the noise, and where it is learned the variance.
    pub fn outputs(&self) -> usize {
        if self.learned_variance { 2 * self.inputs } else { self.inputs }
    }

    /// Pixels of the input a side of a position of the coarsest level.
    pub(in crate::prior::architecture) fn coarsest(&self) -> usize {
        1 << (self.widths.len() - 1)
    }

    /// Heads of the finest attention, and pixels a side of its tokens.
    pub(super) fn attention(&self) -> Option<(usize, usize)> {
        let level = self.attends.iter().position(|&attends| attends).unwrap_or(self.widths.len() - 1);
        Some((self.options.heads(self.widths[level]), 1 << level))
    }
}
