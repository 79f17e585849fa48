//! Recipes: everything that repeats a result, as JSON beside it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::device::DeviceRecord;
use crate::error::{Error, Result};
use crate::picture::write_atomically;
use crate::restore::{PriorChoice, RestoreConfig};

/// What made a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Version of this program.
    pub version: String,
    /// The measured picture.
    pub input: Input,
    /// Task and parameters.
    pub config: RestoreConfig,
    /// The prior.
    pub prior: PriorRecord,
    /// The device.
    pub device: DeviceRecord,
}

/// A file and its content's hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Where it was.
    pub path: PathBuf,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Which prior.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorRecord {
    /// Its name and how it was used.
    #[serde(flatten)]
    pub choice: PriorChoice,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Recipe {
    /// Where the recipe of an output belongs.
    pub fn path_for(output: &Path) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(".recipe.json");
        output.with_file_name(name)
    }

    /// # Errors
    /// Files that cannot be read, and JSON of another form.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::Unreadable { path: path.into(), reason: e.to_string() })?;
        serde_json::from_str(&text).map_err(|e| Error::Recipe {
            path: path.into(),
            fact: format!("it is not a recipe of this program ({e})"),
            remedy: "pass the .recipe.json that stands beside a restored picture".into(),
        })
    }

    /// # Errors
    /// Places that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::Unwritable { path: path.into(), reason: e.to_string() })?;
        text.push('\n');
        write_atomically(path, text.as_bytes())
    }
}
