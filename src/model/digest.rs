//! Hashes of files, and copies with a hash.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::control::{Control, Event, check};
use crate::error::{PathContext, Result};
use crate::files::hexadecimal;

/// SHA-256 in hexadecimal and size in bytes of a file; `control` hears of the bytes and may cancel.
///
/// # Errors
/// Files that cannot be read, and being cancelled.
pub(super) fn hash(path: &Path, control: &dyn Control) -> Result<(String, u64)> {
    pass_through(path, control, |_| Ok(()))
}

/// The same of a file that is copied on the way.
///
/// # Errors
/// As [`hash`], and copies that cannot be written.
pub(super) fn copy(from: &Path, to: &Path, control: &dyn Control) -> Result<(String, u64)> {
    let mut file = File::create(to).writing(to)?;
    pass_through(from, control, |bytes| file.write_all(bytes).writing(to))
}

fn pass_through(path: &Path, control: &dyn Control, write: impl FnMut(&[u8]) -> Result<()>) -> Result<(String, u64)> {
    let file = File::open(path).reading(path)?;
    let all = Some(file.metadata().reading(path)?.len());
    digest(file, path, all, control, write)
}

/// SHA-256 and size of what is read, of `all` bytes, each block of which is written; `path` is for messages.
///
/// # Errors
/// What cannot be read, and being cancelled.
pub(super) fn digest(
    mut file: impl Read,
    path: &Path,
    all: Option<u64>,
    control: &dyn Control,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(String, u64)> {
    let (mut hasher, mut done) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        check(control, || format!("after {done} bytes of {}", path.display()))?;
        match file.read(&mut buffer).reading(path)? {
            0 => return Ok((hexadecimal(&hasher.finalize()), done)),
            count => {
                hasher.update(&buffer[..count]);
                write(&buffer[..count])?;
                done += count as u64;
                control.emit(Event::Bytes { done, all });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::error::Error;

    #[test]
    fn copies_have_the_hash_of_their_source() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        std::fs::write(&from, b"weights").unwrap();
        let (sha256, bytes) = copy(&from, &to, &Silent).unwrap();
        assert_eq!((sha256, bytes), (crate::files::sha256(b"weights"), 7));
        assert_eq!(hash(&to, &Silent).unwrap().0, crate::files::sha256(b"weights"));
    }

    /// The device that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_the_fault_of_the_target() {
        let full = Path::new("/dev/full");
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        std::fs::write(&from, b"weights").unwrap();
        let error = copy(&from, full, &Silent).unwrap_err();
        assert!(matches!(&error, Error::Unwritable { path, .. } if path == full), "{error}");
    }

    #[test]
    fn work_stops_between_blocks() {
        struct Stop;
        impl Control for Stop {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let error = hash(Path::new("assets/models.json"), &Stop).unwrap_err();
        assert!(matches!(error, Error::Stopped { .. }), "{error}");
    }
}
