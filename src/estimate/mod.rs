//! What happened to a photo, from the photo alone.

mod bars;
mod blur;
mod diagnosis;
mod enlargement;
mod evidence;
mod fading;
mod noise;
mod spectrum;

pub use bars::Inside;
#[cfg(test)]
pub(crate) use bars::tests::letterboxed;
pub use blur::{Blur, BlurEstimate, blur};
pub use diagnosis::{Diagnosis, Finding, Treatment};
pub use enlargement::enlargement;
pub use fading::Fading;
pub use noise::{Confidence, Grain, NoiseEstimate, noise};
