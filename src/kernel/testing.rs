//! For fdgr's own tests and benches; not part of the interface.

pub use super::profile::{Calls, profile};
pub use super::reference_mode::by_reference;
pub use super::wgsl::{Entry, shaders};
