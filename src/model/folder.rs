//! The folder of installed models: one folder each, with the weights and `model.json`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::download::check_archive;
use super::{EMBEDDED, Subject, hexadecimal};
use crate::error::{Error, Result};
use crate::picture::write_atomically;

/// Overrides the place of the folder.
const FOLDER_VARIABLE: &str = "FDGR_MODELS";
const RECORD: &str = "model.json";
/// Files that diffusers keep beside the weights, or guided-diffusion's flags.
const CONFIG: &str = "config.json";

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
    /// Its size.
    pub bytes: u64,
    /// Where it came from.
    pub source: String,
    /// Who allows what.
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

/// Tells the weights file at a path, if it is one of a network that can be used, and lacks nothing.
pub type Examine<'a> = &'a dyn Fn(&Path) -> Result<PathBuf>;

/// Called with bytes done and bytes in all.
pub type Transferred<'a> = dyn FnMut(u64, u64) + 'a;

impl ModelFolder {
    /// The folder named by `FDGR_MODELS`, else `fdgr/models` where this system keeps programs' data. It need not exist.
    ///
    /// # Errors
    /// Systems without a home directory.
    pub fn open() -> Result<Self> {
        if let Some(root) = std::env::var_os(FOLDER_VARIABLE) {
            return Ok(Self { root: root.into() });
        }
        let strategy = etcetera::base_strategy::choose_native_strategy().map_err(|e| Error::Mismatch {
            what: "the folder of models".into(),
            fact: format!("there is no home directory to keep it in ({e})"),
            remedy: format!("set {FOLDER_VARIABLE} to a folder"),
        })?;
        Ok(Self { root: strategy.data_dir().join("fdgr").join("models") })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All installed models, by name, or what is wrong with their records.
    pub fn installed(&self) -> Vec<Result<Installed>> {
        let Ok(entries) = std::fs::read_dir(&self.root) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .filter(|name| !name.starts_with('.') && self.root.join(name).join(RECORD).is_file())
            .collect();
        names.sort();
        names.iter().filter_map(|name| self.find(name).transpose()).collect()
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
        let text = std::fs::read_to_string(&record)
            .map_err(|e| Error::Unreadable { path: record.clone(), reason: e.to_string() })?;
        let parsed = serde_json::from_str(&text).map_err(|e| Error::Checkpoint {
            path: record,
            fact: format!("it is not the record of a model ({e})"),
            remedy: format!("`fdgr models remove {name}`, and install it again"),
        })?;
        Ok(Some(Installed { name: name.into(), record: parsed, folder }))
    }

    /// The model of a name that must be there.
    ///
    /// # Errors
    /// Names of nothing installed.
    pub fn get(&self, name: &str) -> Result<Installed> {
        self.find(name)?.ok_or_else(|| Error::Mismatch {
            what: name.into(),
            fact: format!("no model of that name is installed in {}", self.root.display()),
            remedy: "`fdgr models list` shows what is".into(),
        })
    }

    /// Copies a checkpoint, or a folder in the form of diffusers, into the folder, if it is a usable one.
    ///
    /// # Errors
    /// Names in use, files that are no usable checkpoint, and folders that cannot be written.
    pub fn add(
        &self,
        path: &Path,
        name: &str,
        mut record: ModelRecord,
        examine: Examine,
        progress: &mut Transferred,
    ) -> Result<Installed> {
        self.check_free(name)?;
        let weights = &examine(path)?;
        check_archive(weights)?;
        let folder = self.staging()?;
        record.file = weights.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = folder.path().join(&record.file);
        (record.sha256, record.bytes) = copy(weights, &target, progress)?;
        for config in [weights.with_extension("json"), weights.with_file_name(CONFIG)] {
            if config.is_file() && config != *weights {
                copy(&config, &folder.path().join(CONFIG), &mut |_, _| {})?;
                break;
            }
        }
        self.install(folder, name, record)
    }

    /// Refuses names that are taken or that no folder can have.
    ///
    /// # Errors
    /// Those names.
    pub fn check_free(&self, name: &str) -> Result<()> {
        check_name(name)?;
        if self.root.join(name).exists() {
            return Err(Error::Mismatch {
                what: name.into(),
                fact: "a model of that name is installed already".into(),
                remedy: format!("choose another with --name, or `fdgr models remove {name}` first"),
            });
        }
        Ok(())
    }

    /// A folder inside this one for what is not complete yet.
    pub(super) fn staging(&self) -> Result<tempfile::TempDir> {
        std::fs::create_dir_all(&self.root)
            .and_then(|()| tempfile::Builder::new().prefix(".adding-").tempdir_in(&self.root))
            .map_err(|e| Error::Unwritable { path: self.root.clone(), reason: e.to_string() })
    }

    /// Gives a complete folder its name.
    pub(super) fn install(&self, staged: tempfile::TempDir, name: &str, record: ModelRecord) -> Result<Installed> {
        let folder = self.root.join(name);
        let unwritable = |e: std::io::Error| Error::Unwritable { path: folder.clone(), reason: e.to_string() };
        let text = serde_json::to_string_pretty(&record).map_err(|e| unwritable(e.into()))?;
        write_atomically(&staged.path().join(RECORD), text.as_bytes())?;
        std::fs::rename(staged.path(), &folder).map_err(unwritable)?;
        // Renamed, so that there is nothing left to delete.
        _ = staged.keep();
        Ok(Installed { name: name.into(), record, folder })
    }

    /// Whether the weights are still those that were installed.
    ///
    /// # Errors
    /// Weights that changed or cannot be read.
    pub fn verify(&self, name: &str, progress: &mut Transferred) -> Result<Installed> {
        let installed = self.get(name)?;
        let (sha256, bytes) = hash(&installed.path(), &mut std::io::sink(), progress)?;
        if (&sha256, bytes) == (&installed.record.sha256, installed.record.bytes) {
            return Ok(installed);
        }
        Err(Error::Checkpoint {
            path: installed.path(),
            fact: format!("it changed since it was installed: SHA-256 {sha256} instead of {}", installed.record.sha256),
            remedy: format!("`fdgr models remove {name}`, and install it again"),
        })
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
        std::fs::remove_dir_all(&folder).map_err(|e| Error::Unwritable { path: folder.clone(), reason: e.to_string() })
    }
}

/// Letters, digits and a few signs, so that a name is one folder on every system.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name == EMBEDDED || name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        let fact = format!("a name has letters, digits, '-', '_' and '.', and is not {EMBEDDED}, which is built in");
        return Err(Error::parameter("--name", name, &fact));
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, progress: &mut Transferred) -> Result<(String, u64)> {
    let mut file =
        std::fs::File::create(to).map_err(|e| Error::Unwritable { path: to.into(), reason: e.to_string() })?;
    hash(from, &mut file, progress)
}

/// SHA-256 and size of a file, which is copied to `copy` on the way.
pub(super) fn hash(path: &Path, copy: &mut dyn Write, progress: &mut Transferred) -> Result<(String, u64)> {
    let unreadable = |e: std::io::Error| Error::Unreadable { path: path.into(), reason: e.to_string() };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let all = file.metadata().map_err(unreadable)?.len();
    let (mut hasher, mut done) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(unreadable)? {
            0 => return Ok((hexadecimal(&hasher.finalize()), done)),
            count => {
                hasher.update(&buffer[..count]);
                copy.write_all(&buffer[..count]).map_err(unreadable)?;
                done += count as u64;
                progress(done, all);
            }
        }
    }
}
