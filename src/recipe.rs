//! Recipes: everything that repeats a result, as JSON beside it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::device::{DeviceRecord, Selected};
use crate::error::{Error, PathContext, Result};
use crate::files;
use crate::restore::{PriorChoice, Receipt, RestoreConfig, Restored, Restorer};

/// The layout that this version writes; older ones have no number.
const FORMAT: u32 = 3;

/// What made a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Layout of the file.
    #[serde(default)]
    pub format: u32,
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
    /// How far the result agrees with the measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// A file and its content's hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Where it was; characters that are not Unicode are replaced, and the hash decides.
    #[serde(serialize_with = "lossily")]
    pub path: PathBuf,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// The page of the file, the first is 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub page: usize,
}

fn is_first(page: &usize) -> bool {
    *page == 0
}

fn lossily<S: serde::Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Which prior.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorRecord {
    /// Its name and how it was used.
    #[serde(flatten)]
    pub choice: PriorChoice,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// SHA-256 of the classifier, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier_sha256: Option<String>,
}

impl PriorRecord {
    /// What is kept of a prior that was loaded as `choice` says.
    pub fn of(restorer: &Restorer, choice: &PriorChoice) -> Self {
        Self {
            choice: PriorChoice {
                model: restorer.prior().lasting_name().to_owned(),
                precision: Some(restorer.prior().precision()),
                ..choice.clone()
            },
            sha256: restorer.prior().sha256().into(),
            classifier_sha256: restorer.classifier_sha256().map(str::to_owned),
        }
    }

    /// # Errors
    /// Another prior or classifier than this record's, for the document at `path`.
    pub fn check_same(&self, restorer: &Restorer, path: &Path) -> Result<()> {
        check_hash(path, "prior", restorer.prior().sha256(), &self.sha256)?;
        match (restorer.classifier_sha256(), &self.classifier_sha256) {
            (Some(actual), Some(expected)) => check_hash(path, "classifier", actual, expected),
            _ => Ok(()),
        }
    }
}

/// # Errors
/// A file that is not the one of a recipe.
pub fn check_hash(recipe: &Path, what: &str, actual: &str, expected: &str) -> Result<()> {
    if actual == expected {
        return Ok(());
    }
    let fact = format!("the {what} is not the file it was made from");
    Err(Error::document(recipe, fact, format!("find the {what} with SHA-256 {expected}")))
}

impl Recipe {
    /// What made a picture with a restorer.
    pub fn new(input: Input, restored: &Restored, restorer: &Restorer, choice: &PriorChoice) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            input,
            config: restored.config.clone(),
            prior: PriorRecord::of(restorer, choice),
            device: restorer.device().record(),
            receipt: Some(restored.receipt),
        }
    }

    /// Why a repetition on `device` by this version may differ in its pixels; each reads after the recipe's name.
    pub fn differences(&self, device: &Selected) -> Vec<String> {
        let on = &self.device.description;
        let other_device = (*on != device.description).then(|| format!("was made on {on}; pixels may differ slightly"));
        let other_version = (self.version != env!("CARGO_PKG_VERSION"))
            .then(|| format!("was made by version {}; pixels may differ", self.version));
        other_device.into_iter().chain(other_version).collect()
    }

    /// Where the recipe of an output belongs.
    pub fn path_for(output: &Path) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(".recipe.json");
        output.with_file_name(name)
    }

    /// # Errors
    /// Files that cannot be read, JSON of another form, and recipes of later versions.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&std::fs::read_to_string(path).reading(path)?, path)
    }

    /// The recipe of a text; `path` is for messages.
    ///
    /// # Errors
    /// JSON of another form, and recipes of later versions.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let recipe: Self = serde_json::from_str(text).map_err(|e| {
            let fact = format!("it is not a recipe of this program ({e})");
            Error::document(path, fact, "pass the .recipe.json that stands beside a restored picture")
        })?;
        if recipe.format > FORMAT {
            let fact = format!("it was written by version {}, in a later layout", recipe.version);
            return Err(Error::document(path, fact, "install that version"));
        }
        Ok(recipe)
    }

    /// The photo it was made from: where the recipe says, or beside the recipe at `path`, whichever has the right content.
    pub fn find_input(&self, path: &Path) -> PathBuf {
        let said = self.input.path.clone();
        let beside = path.parent().map(|folder| folder.join(&said));
        let is_it = |file: &PathBuf| std::fs::read(file).is_ok_and(|bytes| files::sha256(&bytes) == self.input.sha256);
        // Whichever system it was written on.
        let text = said.to_string_lossy();
        let alone = text.rsplit(['/', '\\']).next().map(|name| path.with_file_name(name));
        let candidates: Vec<PathBuf> = [Some(said.clone()), beside, alone].into_iter().flatten().collect();
        candidates.into_iter().find(is_it).unwrap_or(said)
    }

    /// # Errors
    /// Places that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).writing(path)?;
        text.push('\n');
        files::write_atomically(path, text.as_bytes())
    }
}
