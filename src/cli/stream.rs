//! `-`: the standard streams in the place of files.

use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::error::{PathContext, Result};
use crate::picture::{Picture, Writing};

/// What a picture on standard output is called in messages, and whose format it has.
const OUTPUT: &str = "standard-output.png";

/// Whether a name stands for a standard stream.
pub(super) fn is_meant(name: &Path) -> bool {
    name.as_os_str() == "-"
}

/// The bytes of a file, or of standard input.
pub(super) fn read(name: &Path) -> Result<Vec<u8>> {
    if !is_meant(name) {
        return std::fs::read(name).reading(name);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).reading(name)?;
    Ok(bytes)
}

/// The name of an output that says its format.
pub(super) fn format_of(output: &Path) -> &Path {
    if is_meant(output) { OUTPUT.as_ref() } else { output }
}

/// Writes a picture to standard output.
pub(super) fn write(picture: &Picture, writing: &Writing) -> Result<()> {
    let bytes = picture.encode(OUTPUT.as_ref(), writing)?;
    let mut output = std::io::stdout().lock();
    output.write_all(&bytes).and_then(|()| output.flush()).writing(OUTPUT.as_ref())
}
