//! What happened to a photo, from the photo alone.

mod diagnosis;
mod noise;

pub use diagnosis::{Finding, diagnosis};
pub use noise::{Confidence, Grain, NoiseEstimate, noise};
