//! Diffusion priors: networks that predict the noise in an image.
//!
//! A file becomes a prior in three steps: a [`Checkpoint`](crate::model::Checkpoint) knows its tensors, an [`Architecture`] is
//! recognised by their names and shapes, and its network reads them one by one onto a device. A new network is one file in
//! `architecture/` and one row of its table. A network of your own implements [`Network`] and becomes a prior by
//! [`Prior::custom`].

mod architecture;
mod classes;
mod denoiser;
mod diffusers;
mod embedded;
mod file;
mod footprint;
pub mod inspect;
mod layers;
mod loaded;
pub mod schedule;
mod shape;
mod weights;
mod windows;

pub use crate::model::EMBEDDED;
pub use architecture::{
    AdmConfig, AdmOptions, AdmUnet, Architecture, Classifier, ClassifierConfig, DdpmConfig, DdpmUnet, DrunetConfig,
};
pub use classes::{find as find_class, name as class_name};
pub use denoiser::{Call, ClassGradient, Denoiser, Network, Vjp};
pub use file::PriorFile;
pub use footprint::Footprint;
pub use loaded::Prior;
pub use shape::Published;
pub use weights::Precision;
pub(crate) use windows::SMALLEST as SMALLEST_WINDOW;
pub use windows::Windowed;
