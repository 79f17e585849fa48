//! Files of trained weights: what is in them, where published ones are, and the folder of installed ones.
//!
//! Networks are elsewhere: [`crate::prior`] and [`crate::metrics`] say which files they can use.

mod archive;
mod catalog;
mod checkpoint;
mod comparison;
mod digest;
mod download;
mod folder;
mod install;
mod pickle;

pub use catalog::{Known, Proof, Subject, catalog};
pub use checkpoint::Checkpoint;
pub use comparison::Comparison;
pub(crate) use comparison::same_shape;
pub use folder::{EMBEDDED, Installed, ModelFolder, ModelRecord};
pub use install::Examine;
