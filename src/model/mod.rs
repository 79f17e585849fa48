//! Files of trained weights: what is in them, where published ones are, and the folder of installed ones.
//!
//! Networks are elsewhere: [`crate::prior`] and [`crate::metrics`] say which files they can use.

mod catalog;
mod checkpoint;
mod comparison;
mod download;
mod folder;
mod pickle;

use sha2::{Digest, Sha256};

pub use catalog::{Known, Subject, catalog};
pub use checkpoint::Checkpoint;
pub use comparison::Comparison;
pub(crate) use comparison::same_shape;
pub use download::pull;
pub use folder::{Examine, Installed, ModelFolder, ModelRecord};

/// Name of the prior compiled into the program, which no file can have.
pub const EMBEDDED: &str = "photo";

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
