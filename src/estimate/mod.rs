//! What happened to a photo, from the photo alone.

mod bars;
mod blur;
mod diagnosis;
mod edges;
mod enlargement;
mod evidence;
mod fading;
mod noise;
mod shape;
mod spectrum;

pub use bars::Inside;
#[cfg(test)]
pub(crate) use bars::tests::letterboxed;
pub use blur::{BlurEstimate, blur, kernel};
pub use diagnosis::{Diagnosis, Finding, Treatment};
pub use edges::window;
pub use enlargement::enlargement;
pub use evidence::picture_of;
pub use fading::Fading;
pub use noise::{Confidence, Grain, NoiseEstimate, noise};
