//! What happened to a photo, from the photo alone.

mod noise;

pub use noise::{Confidence, Grain, NoiseEstimate, noise};
