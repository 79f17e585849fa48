//! The check sums of PyTorch's zip archives.

use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::control::{Control, check};
use crate::error::{Error, PathContext, Result};

/// Reads every entry of a zip archive, which checks their CRC-32; other forms have none.
///
/// # Errors
/// Entries that do not match their sums, files that cannot be read, and being cancelled.
pub(super) fn check_archive(path: &Path, control: &dyn Control) -> Result<()> {
    let damaged = |e: &dyn Display| Error::checkpoint(path, format!("it is damaged ({e})"), "fetch it again");
    let file = File::open(path).reading(path)?;
    let Ok(mut archive) = zip::ZipArchive::new(BufReader::new(file)) else { return Ok(()) };
    for i in 0..archive.len() {
        check(control, || format!("while {} was checked", path.display()))?;
        let mut entry = archive.by_index(i).map_err(|e| damaged(&e))?;
        std::io::copy(&mut entry, &mut std::io::sink()).map_err(|e| damaged(&e))?;
    }
    Ok(())
}
