//! Which network a checkpoint holds, told by the names and shapes of its tensors.
//!
//! A new architecture is one file here, which implements [`Shape`], and its row in [`ARCHITECTURES`].

mod adm;
mod classifier;
mod ddpm;
mod drunet;

use std::collections::BTreeMap;

use burn::tensor::Device;

use super::denoiser::Network;
use super::shape::{Published, Shape};
use super::weights::{Precision, Weights};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::{Checkpoint, Comparison};

pub use adm::{AdmConfig, AdmOptions, AdmUnet};
pub use classifier::{Classifier, ClassifierConfig};
pub use ddpm::{DdpmConfig, DdpmUnet};
pub use drunet::DrunetConfig;

/// Tells the network of a checkpoint if it is of one architecture; the options are in place of those beside the file.
type Recognise = fn(&Checkpoint, Option<AdmOptions>) -> Result<Option<Box<dyn Shape>>>;

/// The architectures that are known.
const ARCHITECTURES: [Recognise; 4] = [adm::recognise, classifier::recognise, ddpm::recognise, drunet::recognise];

/// A network and its shape.
#[derive(Debug)]
pub struct Architecture(Box<dyn Shape>);

impl From<AdmConfig> for Architecture {
    fn from(config: AdmConfig) -> Self {
        Self(Box::new(config))
    }
}

impl From<ClassifierConfig> for Architecture {
    fn from(config: ClassifierConfig) -> Self {
        Self(Box::new(config))
    }
}

impl From<DdpmConfig> for Architecture {
    fn from(config: DdpmConfig) -> Self {
        Self(Box::new(config))
    }
}

impl From<DrunetConfig> for Architecture {
    fn from(config: DrunetConfig) -> Self {
        Self(Box::new(config))
    }
}

impl Architecture {
    /// Tells the network of a checkpoint; `options` are in place of those in a JSON file beside it.
    ///
    /// # Errors
    /// Files of other networks, networks that lack the tensors that tell their shape, and configurations beside the file
    /// that do not fit.
    pub fn recognise(checkpoint: &Checkpoint, options: Option<AdmOptions>) -> Result<Self> {
        for recognise in ARCHITECTURES {
            if let Some(shape) = recognise(checkpoint, options)? {
                return Ok(Self(shape));
            }
        }
        Err(Checkpoint::refusal(checkpoint.path(), foreign(checkpoint)))
    }

    /// Names and shapes of all its tensors.
    pub fn tensors(&self) -> BTreeMap<String, Vec<usize>> {
        Weights::wanted(|weights| self.0.ask(weights))
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        Weights::parameters(|weights| self.0.ask(weights))
    }

    /// Classes that can be asked for.
    pub fn classes(&self) -> Option<usize> {
        self.0.classes()
    }

    /// The published networks of this shape.
    pub fn published(&self) -> Option<Published> {
        self.0.published()
    }

    /// What is taken for granted because neither the file nor its configuration tells it.
    pub fn assumption(&self) -> Option<&'static str> {
        self.0.assumption()
    }

    /// Whether it is a classifier, and no prior.
    pub fn is_classifier(&self) -> bool {
        self.0.is_classifier()
    }

    /// What it is, in words.
    pub fn describe(&self) -> String {
        self.0.describe()
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
        device: &Device,
        control: &dyn Control,
    ) -> Result<Box<dyn Network>> {
        if self.is_classifier() {
            let fact = "it is a classifier, which does not fit where a prior is needed";
            let hint = "choose it as the classifier beside a class-conditional prior";
            return Err(Error::checkpoint(checkpoint.path(), fact, hint));
        }
        self.compare(checkpoint).check(checkpoint.path())?;
        self.0.load(class, &mut Weights::load(checkpoint, device, precision, self.parameters(), control))
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
