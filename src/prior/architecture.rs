//! Which network a checkpoint holds, told by the names and shapes of its tensors.

use std::collections::BTreeMap;

use super::Network;
use super::adm::{AdmConfig, AdmOptions, AdmUnet};
use super::classifier::{Classifier, ClassifierConfig};
use super::ddpm::{DdpmConfig, DdpmUnet};
use super::layers::{Precision, Weights};
use crate::error::Result;
use crate::model::{Checkpoint, Comparison};

/// A network and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// The UNet of DDPM.
    Ddpm(DdpmConfig),
    /// The UNet of guided-diffusion, and its output channels.
    GuidedDiffusion(AdmConfig, usize),
    /// guided-diffusion's classifier.
    Classifier(ClassifierConfig),
}

impl Architecture {
    /// Tells the network of a checkpoint.
    ///
    /// # Errors
    /// Files of other networks, and networks that lack the tensors that tell their shape.
    pub fn recognise(checkpoint: &Checkpoint, options: AdmOptions) -> Result<Self> {
        let has = |start: &str| checkpoint.names().any(|name| name.starts_with(start));
        if has("output_blocks.") && has("input_blocks.") {
            let [outputs, ..] = checkpoint.shape::<4>("out.2.weight")?;
            let config = AdmConfig::recognise(checkpoint, options)?;
            if outputs == config.inputs || outputs == 2 * config.inputs {
                return Ok(Self::GuidedDiffusion(config, outputs));
            }
            let fact = format!("out.2.weight has {outputs} outputs, which does not fit {} inputs", config.inputs);
            return Err(Checkpoint::refusal(checkpoint.path(), fact));
        }
        if has("input_blocks.") && has("out.2.") {
            return ClassifierConfig::recognise(checkpoint, options).map(Self::Classifier);
        }
        if has("down.") || has("conv_in.") && has("temb.") {
            return DdpmConfig::recognise(checkpoint).map(Self::Ddpm);
        }
        Err(Checkpoint::refusal(checkpoint.path(), foreign(checkpoint)))
    }

    /// Names and shapes of all its tensors.
    pub fn tensors(&self) -> BTreeMap<String, Vec<usize>> {
        Weights::wanted(|weights| match self {
            Self::Ddpm(config) => DdpmUnet::build(config, weights, 0).map(drop),
            Self::GuidedDiffusion(config, outputs) => AdmUnet::build(config, *outputs, None, weights, 0).map(drop),
            Self::Classifier(config) => Classifier::build(config, weights).map(drop),
        })
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.tensors().values().map(|shape| shape.iter().product::<usize>()).sum()
    }

    /// Classes that can be asked for.
    pub fn classes(&self) -> Option<usize> {
        match self {
            Self::Ddpm(_) => None,
            Self::GuidedDiffusion(config, _) => config.classes,
            Self::Classifier(config) => Some(config.classes),
        }
    }

    /// Side of the pictures that the published networks of this shape were trained on.
    pub fn published_side(&self) -> Option<usize> {
        let published = match self {
            Self::Ddpm(config) => *config == DdpmConfig::celeba_hq(),
            Self::GuidedDiffusion(config, _) => AdmConfig { classes: None, ..config.clone() } == AdmConfig::imagenet(),
            Self::Classifier(_) => false,
        };
        published.then_some(256)
    }

    /// What it is, in words.
    pub fn describe(&self) -> String {
        let shape = |channels: usize, widths: &[usize], blocks: usize, attends: &[bool]| {
            let multipliers: Vec<String> = widths.iter().map(|w| (w / channels.max(1)).to_string()).collect();
            let levels: Vec<String> =
                (0..attends.len()).filter(|&i| attends[i]).map(|i| format!("1/{}", 1 << i)).collect();
            let attention =
                if levels.is_empty() { "the middle".into() } else { format!("{} and the middle", levels.join(", ")) };
            format!(
                "{channels} channels x {}, {blocks} blocks a level, attention at {attention}",
                multipliers.join(" ")
            )
        };
        let adm = |c: &AdmConfig| shape(c.channels, &c.widths, c.blocks, &c.attends);
        match self {
            Self::Ddpm(c) => {
                let pixels =
                    if c.patch == 1 { String::new() } else { format!(" on {0}x{0} blocks of pixels", c.patch) };
                format!("DDPM UNet{pixels}: {}", shape(c.channels, &c.widths, c.blocks, &c.attends))
            }
            Self::GuidedDiffusion(c, outputs) => {
                let classes = c.classes.map_or_else(|| "unconditional".into(), |n| format!("{n} classes"));
                let sigma = if *outputs > c.inputs { "learned variance" } else { "fixed variance" };
                format!("guided-diffusion UNet, {classes}, {sigma}: {}", adm(c))
            }
            Self::Classifier(c) => {
                format!(
                    "guided-diffusion classifier of {} classes at {1}x{1}: {2}",
                    c.classes,
                    c.side(),
                    adm(c.trunk())
                )
            }
        }
    }

    /// What does not agree between the network and a checkpoint.
    pub fn compare(&self, checkpoint: &Checkpoint) -> Comparison {
        Comparison::new(&self.tensors(), checkpoint)
    }

    /// Reads a denoiser; a classifier is none.
    pub(super) fn load(
        &self,
        checkpoint: &Checkpoint,
        class: Option<usize>,
        precision: Precision,
        device: &burn::tensor::Device,
    ) -> Result<Box<dyn Network>> {
        self.compare(checkpoint).check(checkpoint)?;
        let mut weights = Weights::load(checkpoint, device, precision);
        let bytes = self.parameters() as u64 * precision.bytes();
        Ok(match self {
            Self::Ddpm(config) => Box::new(DdpmUnet::build(config, &mut weights, bytes)?),
            Self::GuidedDiffusion(config, outputs) => {
                Box::new(AdmUnet::build(config, *outputs, class, &mut weights, bytes)?)
            }
            Self::Classifier(_) => {
                let fact = "it is a classifier, which does not fit where a prior is needed; pass it to --classifier";
                return Err(Checkpoint::refusal(checkpoint.path(), fact.into()));
            }
        })
    }
}

/// What a file of another kind looks like.
fn foreign(checkpoint: &Checkpoint) -> String {
    const KNOWN: [(&str, &str); 5] = [
        (
            "model.diffusion_model.",
            "a latent diffusion model such as Stable Diffusion, which works on codes and not on pixels",
        ),
        ("first_stage_model.", "a latent diffusion model, which works on codes and not on pixels"),
        ("conv_first.", "a super-resolution network such as ESRGAN, which is no diffusion prior"),
        ("features.", "an image classifier such as VGG, which is no diffusion prior"),
        ("blocks.0.attn", "a transformer, which is not among the networks known here"),
    ];
    let hint = KNOWN.iter().find(|(start, _)| checkpoint.names().any(|name| name.starts_with(start)));
    let names: Vec<&str> = checkpoint.names().take(3).collect();
    match hint {
        Some((_, what)) => format!("it looks like {what}"),
        None if names.is_empty() => "it holds no tensors of floating-point numbers".into(),
        None => format!("it is of no architecture known here; its tensors start with {}", names.join(", ")),
    }
}
