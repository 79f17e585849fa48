//! What the module of an architecture implements: the shape of a network, as its checkpoint shows it.

use std::fmt::Debug;

use super::denoiser::Network;
use super::weights::Weights;
use crate::error::Result;

/// The shape of a network.
pub(super) trait Shape: Debug + Send + Sync {
    /// What it is, in words.
    fn describe(&self) -> String;

    /// Classes that can be asked for.
    fn classes(&self) -> Option<usize> {
        None
    }

    /// The published networks of this shape.
    fn published(&self) -> Option<Published> {
        None
    }

    /// What is taken for granted because neither the file nor its configuration tells it.
    fn assumption(&self) -> Option<&'static str> {
        None
    }

    /// Whether it judges images instead of predicting their noise, so that it cannot be loaded as a prior.
    fn is_classifier(&self) -> bool {
        false
    }

    /// Asks for all its tensors.
    ///
    /// # Errors
    /// None from placeholders.
    fn ask(&self, weights: &mut Weights) -> Result<()> {
        self.load(None, weights).map(drop)
    }

    /// Reads the network; `class` is one of its classes.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, by name, and being cancelled.
    fn load(&self, class: Option<usize>, weights: &mut Weights) -> Result<Box<dyn Network>>;
}

/// Published networks of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Which they are, in words.
    pub title: &'static str,
    /// Side of the pictures that they were trained on.
    pub side: usize,
}

/// Channels, blocks and attention of a UNet, in words.
pub(super) fn describe_levels(channels: usize, widths: &[usize], blocks: usize, attends: &[bool]) -> String {
    let multipliers: Vec<String> = widths.iter().map(|w| (w / channels.max(1)).to_string()).collect();
    let levels: Vec<String> = (0..attends.len()).filter(|&i| attends[i]).map(|i| format!("1/{}", 1 << i)).collect();
    let attention =
        if levels.is_empty() { "the middle".into() } else { format!("{} and the middle", levels.join(", ")) };
    format!("{channels} channels x {}, {blocks} blocks a level, attention at {attention}", multipliers.join(" "))
}
