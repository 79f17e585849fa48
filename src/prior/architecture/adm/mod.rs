//! The UNet of guided-diffusion ("Diffusion Models Beat GANs on Image Synthesis", P. Dhariwal and A. Nichol, 2021), often
//! called ADM, in all its variants, and the trunk that its classifier shares.

mod config;
mod unet;

use crate::error::Result;
use crate::model::Checkpoint;
use crate::prior::denoiser::Network;
use crate::prior::shape::{Published, Shape, describe_levels};
use crate::prior::weights::Weights;

pub use config::{AdmConfig, AdmOptions};
pub use unet::AdmUnet;
pub(super) use unet::{Trunk, split_attention};

/// What is said of a network whose number of heads nothing tells.
pub(super) const ASSUMED_HEADS: &str =
    "attention heads of 64 channels, as in the published checkpoints; a config.json beside it may say otherwise";

/// The UNet of a checkpoint, if it is one of guided-diffusion.
///
/// # Errors
/// As [`AdmConfig::recognise`], and configurations beside the file that do not fit.
pub(super) fn recognise(checkpoint: &Checkpoint, options: Option<AdmOptions>) -> Result<Option<Box<dyn Shape>>> {
    let has = |start: &str| checkpoint.names().any(|name| name.starts_with(start));
    if !has("output_blocks.") || !has("input_blocks.") {
        return Ok(None);
    }
    let options = options.map_or_else(|| AdmOptions::beside(checkpoint), Ok)?;
    Ok(Some(Box::new(AdmConfig::recognise(checkpoint, options)?)))
}

impl AdmConfig {
    /// Channels, blocks and attention, in words.
    pub(super) fn describe_shape(&self) -> String {
        describe_levels(self.channels, &self.widths, self.blocks, &self.attends)
    }
}

impl Shape for AdmConfig {
    fn describe(&self) -> String {
        let classes = self.classes.map_or_else(|| "unconditional".into(), |n| format!("{n} classes"));
        let variance = if self.learned_variance { "learned variance" } else { "fixed variance" };
        format!("guided-diffusion UNet, {classes}, {variance}: {}", self.describe_shape())
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }

    fn published(&self) -> Option<Published> {
        let whole = Self { classes: None, learned_variance: true, ..self.clone() };
        (whole == Self::imagenet())
            .then_some(Published { title: "the guided-diffusion checkpoints for ImageNet at 256x256", side: 256 })
    }

    fn assumption(&self) -> Option<&'static str> {
        self.options.assumed().then_some(ASSUMED_HEADS)
    }

    fn load(&self, class: Option<usize>, weights: &mut Weights) -> Result<Box<dyn Network>> {
        Ok(Box::new(AdmUnet::build(self, class, weights)?))
    }
}
