//! From a photo to a restored photo: the one API of every shell.
//!
//! ```text
//! Source, Wish -> Request (may hold Auto) -> resolve -> RestoreConfig -> Measurement -> sampler -> crop -> Restored
//! ```
//!
//! A [`Source`] is a photo or a file of measurements. A [`Wish`] is what a user typed, a [`Request`] what it
//! says of one photo: what happened to it, as far as that is known;
//! [`Request::resolve`] finds out the rest, and gives the [`RestoreConfig`] that recipes store. [`Restorer::restore`] builds
//! the [`Measurement`] of that configuration, runs the sampler and crops the result.

mod beforehand;
mod blend;
mod border;
mod channels;
mod config;
mod defaults;
mod degraded;
mod fit;
mod flat;
mod frame;
mod measurement;
mod memory;
mod old_photo;
mod outliers;
mod photo_run;
mod preview;
mod receipt;
mod refine;
mod region;
mod request;
mod residual;
mod restorer;
mod size;
mod source;
mod uncertainty;
mod wish;

pub use channels::Channels;
pub use config::{Border, DataModel, RestoreConfig};
pub use defaults::{Preference, Quality};
pub use measurement::Measurement;
pub use old_photo::{OLD_PHOTO, OLD_PHOTO_HELP};
pub use receipt::Receipt;
pub use request::{Auto, Overrides, Request};
pub use residual::{DIFFERENCE_GAIN, Residual};
pub use restorer::{PriorChoice, Restored, Restorer};
pub use size::TargetSize;
pub use source::{Description, Sensed, Source};
pub use uncertainty::{COVERED, MOST_SAMPLES, Uncertainty, check_sample_count};
pub use wish::{Settled, Wish};

pub use crate::sampler::Method;
