//! Pictures inside a page.

use base64::{Engine, engine::general_purpose::STANDARD};

/// A PNG as a data URL.
pub(super) fn data_address(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}
