//! The prior that is compiled in.

use crate::error::Result;
use crate::model::Checkpoint;

/// The prior that is compiled in, if one is.
#[cfg(feature = "embedded-prior")]
pub(super) fn embedded() -> Result<Option<Checkpoint>> {
    use std::sync::LazyLock;

    use crate::model::EMBEDDED;

    /// A file of 25 MB, in crates of 10 MB at most.
    static PARTS: [&[u8]; 3] = [fdgr_prior_photo_1::PART, fdgr_prior_photo_2::PART, fdgr_prior_photo_3::PART];
    static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| PARTS.concat());
    Checkpoint::decode(EMBEDDED, FILE.as_slice()).map(Some)
}

/// None is.
#[cfg(not(feature = "embedded-prior"))]
pub(super) fn embedded() -> Result<Option<Checkpoint>> {
    Ok(None)
}
