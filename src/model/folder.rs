//! The folder of installed models: one folder each, with the weights and `model.json`.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::catalog::Subject;
use super::digest::hash;
use crate::control::Control;
use crate::error::{Error, Hint, Listing, PathContext, Result, Setting};
use crate::files::{renamed, unportable, write_atomically};

/// Name of the prior compiled into the program, which no installed model can have.
pub const EMBEDDED: &str = "photo";

/// Overrides the place of the folder.
const FOLDER_VARIABLE: &str = "FDGR_MODELS";
const RECORD: &str = "model.json";
/// Locked while the contents of the folder change.
const LOCK: &str = ".lock";

/// Beginning of the names of folders for what is not complete yet.
const STAGING: &str = ".adding-";
/// The file in such a folder that is locked for as long as the folder is used.
const HELD: &str = ".held";

/// A folder for what is not complete yet, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Staged {
    pub folder: tempfile::TempDir,
    lock: File,
}

/// Where installed models are.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    root: PathBuf,
}

/// What is known of an installed model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Name of the weights file.
    pub file: String,
    /// Its SHA-256 when it was installed, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Where it came from.
    pub source: String,
    /// Licence of the weights.
    #[serde(default)]
    pub licence: Option<String>,
    /// What it was trained on.
    #[serde(default)]
    pub subject: Option<Subject>,
}

/// A model in the folder.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// What is known of it.
    pub record: ModelRecord,
    folder: PathBuf,
}

impl Installed {
    /// The weights.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.record.file)
    }
}

impl ModelFolder {
    /// The folder named by `FDGR_MODELS`, else `fdgr/models` where this system keeps programs' data. It need not exist.
    ///
    /// # Errors
    /// Systems without a home directory.
    pub fn open() -> Result<Self> {
        if let Some(root) = std::env::var_os(FOLDER_VARIABLE) {
            return Ok(Self::at(root));
        }
        let strategy = etcetera::base_strategy::choose_native_strategy().map_err(|e| {
            let fact = format!("there is no home directory to keep it in ({e})");
            Error::mismatch("the folder of models", fact, format!("set {FOLDER_VARIABLE} to a folder"))
        })?;
        // The data folder of Windows is copied over the network where people have several machines.
        let data = if cfg!(windows) { strategy.cache_dir() } else { strategy.data_dir() };
        Ok(Self::at(data.join("fdgr").join("models")))
    }

    /// The folder at a place. It need not exist.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All installed models by name, with an error for each that cannot be read.
    pub fn installed(&self) -> Vec<Result<Installed>> {
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(e) => return vec![Err(Error::unreadable(&self.root, e))],
        };
        let (mut names, mut unreadable) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                Ok(entry) => names.push(entry.file_name().to_string_lossy().into_owned()),
                Err(e) => unreadable.push(Err(Error::unreadable(&self.root, e))),
            }
        }
        names.retain(|name| !name.starts_with('.') && self.root.join(name).join(RECORD).is_file());
        names.sort();
        names.iter().filter_map(|name| self.find(name).transpose()).chain(unreadable).collect()
    }

    /// The model of a name.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<Installed>> {
        let folder = self.root.join(name);
        let record = folder.join(RECORD);
        if check_name(name).is_err() || !record.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&record).reading(&record)?;
        let parsed = serde_json::from_str(&text).map_err(|e| {
            let fact = format!("it is not the record of a model ({e})");
            Error::document(&record, fact, Hint::Reinstall(name.into()))
        })?;
        Ok(Some(Installed { name: name.into(), record: parsed, folder }))
    }

    /// The model of a name that must be there.
    ///
    /// # Errors
    /// Names of nothing installed.
    pub fn get(&self, name: &str) -> Result<Installed> {
        self.find(name)?.ok_or_else(|| {
            let fact = format!("no model of that name is installed in {}", self.root.display());
            Error::mismatch(name.to_owned(), fact, Hint::List(Listing::Models))
        })
    }

    /// Refuses names that are taken or that no folder can have.
    ///
    /// # Errors
    /// Those names.
    pub fn check_free(&self, name: &str) -> Result<()> {
        check_name(name)?;
        if self.root.join(name).exists() {
            let hint = Hint::Reinstall(name.into());
            return Err(Error::mismatch(name.to_owned(), "a model of that name is installed already", hint));
        }
        Ok(())
    }

    /// Whether the weights are still those that were installed; `control` hears of the bytes and may cancel.
    ///
    /// # Errors
    /// Weights that changed or cannot be read, and being cancelled.
    pub fn verify(&self, name: &str, control: &dyn Control) -> Result<Installed> {
        let installed = self.get(name)?;
        let (sha256, bytes) = hash(&installed.path(), control)?;
        if (&sha256, bytes) == (&installed.record.sha256, installed.record.bytes) {
            return Ok(installed);
        }
        let fact =
            format!("it changed since it was installed: SHA-256 {sha256} instead of {}", installed.record.sha256);
        Err(Error::checkpoint(&installed.path(), fact, Hint::Reinstall(name.into())))
    }

    /// Deletes a model.
    ///
    /// # Errors
    /// Names of nothing installed, and folders that cannot be deleted.
    pub fn remove(&self, name: &str) -> Result<()> {
        let folder = self.root.join(name);
        // Also what has a damaged record, or none.
        if check_name(name).is_err() || !folder.is_dir() {
            self.get(name)?;
        }
        let _name = self.hold(name)?;
        let _folder = self.hold_all()?;
        std::fs::remove_dir_all(&folder).writing(&folder)
    }

    /// A folder inside this one for what is not complete yet.
    /// Those of processes that were killed are removed.
    pub(super) fn staging(&self) -> Result<Staged> {
        self.create()?;
        let _folder = self.hold_all()?;
        for entry in std::fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let left = entry.file_name().to_string_lossy().starts_with(STAGING)
                && File::open(entry.path().join(HELD)).is_ok_and(|lock| lock.try_lock().is_ok());
            if left {
                _ = std::fs::remove_dir_all(entry.path());
            }
        }
        let folder = tempfile::Builder::new().prefix(STAGING).tempdir_in(&self.root).writing(&self.root)?;
        let lock = File::create(folder.path().join(HELD)).writing(folder.path())?;
        // File systems without locks only lose the removal of left-overs.
        _ = lock.lock();
        Ok(Staged { folder, lock })
    }

    /// Gives a complete folder its name.
    pub(super) fn install(&self, staged: Staged, name: &str, record: ModelRecord) -> Result<Installed> {
        let Staged { folder: staged, lock } = staged;
        // In this order: what is not held is a left-over for others.
        _ = std::fs::remove_file(staged.path().join(HELD));
        drop(lock);
        let folder = self.root.join(name);
        let text = serde_json::to_string_pretty(&record).writing(&folder)?;
        write_atomically(&staged.path().join(RECORD), text.as_bytes())?;
        let _folder = self.hold_all()?;
        self.check_free(name)?;
        renamed(staged.path(), &folder).writing(&folder)?;
        // Renamed, so that there is nothing left to delete.
        _ = staged.keep();
        Ok(Installed { name: name.into(), record, folder })
    }

    /// Holds a name against other processes until the result is dropped.
    ///
    /// # Errors
    /// Names that another process holds, and folders that cannot be written.
    pub(super) fn hold(&self, name: &str) -> Result<File> {
        let lock = self.lock_file(&format!(".{name}.lock"))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let fact = "another process is installing or removing it";
                Err(Error::mismatch(name.to_owned(), fact, "wait until that is done"))
            }
            // File systems without locks only lose this protection.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(lock),
        }
    }

    /// Waits until no other process changes the folder, and holds it until the result is dropped.
    pub(super) fn hold_all(&self) -> Result<File> {
        let lock = self.lock_file(LOCK)?;
        // File systems without locks only lose this protection.
        _ = lock.lock();
        Ok(lock)
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        self.create()?;
        let path = self.root.join(name);
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).writing(&path)
    }

    fn create(&self) -> Result<()> {
        std::fs::create_dir_all(&self.root).writing(&self.root)
    }
}

/// ASCII letters, digits and a few signs, so that a name is one folder on every system.
pub(super) fn check_name(name: &str) -> Result<()> {
    const BUILT_IN: bool = cfg!(feature = "embedded-prior");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fact = if BUILT_IN && name == EMBEDDED {
        format!("{EMBEDDED} is built in")
    } else if let Some(fact) = unportable(name) {
        fact
    } else if name.starts_with('.') || !name.chars().all(plain) {
        "a name has letters, digits, '-', '_' and '.', and does not begin with '.'".into()
    } else {
        return Ok(());
    };
    Err(Error::parameter(Setting::MODEL_NAME, name, fact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folders_on_every_system() {
        for name in ["", ".hidden", "../up", "a/b", "a b", "NUL", "con.pt", "end.", "ñ"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["imagenet-256", "v1.5", "A_b"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
        assert_eq!(check_name(EMBEDDED).is_err(), cfg!(feature = "embedded-prior"));
    }

    #[test]
    fn a_name_is_held_by_one_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let folder = ModelFolder::at(root.path());
        let held = folder.hold("a").unwrap();
        let error = folder.hold("a").unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        folder.hold("b").unwrap();
        drop(held);
        folder.hold("a").unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_told() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("models");
        assert!(ModelFolder::at(&file).installed().is_empty(), "nothing is installed yet");
        std::fs::write(&file, "").unwrap();
        let listed = ModelFolder::at(&file).installed();
        assert!(matches!(&listed[..], [Err(Error::Unreadable { .. })]), "{}", listed.len());
        let error = ModelFolder::at(&file).staging().unwrap_err();
        assert!(matches!(&error, Error::Unwritable { .. }), "{error}");
        assert!(!matches!(error.hint(), Some(Hint::Give(_))), "no other place can be given: {error}");
    }
}
