//! The check sums of PyTorch's zip archives.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::error::{Error, PathContext, Result};

/// Reads every entry of a zip archive, which checks their CRC-32; other forms have none.
///
/// # Errors
/// Entries that do not match their sums, and files that cannot be read.
pub(super) fn check_archive(path: &Path) -> Result<()> {
    let file = File::open(path).reading(path)?;
    let Ok(mut archive) = zip::ZipArchive::new(BufReader::new(file)) else { return Ok(()) };
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).reading(path)?;
        std::io::copy(&mut entry, &mut std::io::sink())
            .map_err(|e| Error::checkpoint(path, format!("it is damaged ({e})"), "fetch it again"))?;
    }
    Ok(())
}
