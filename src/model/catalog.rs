//! Published priors: where they are, how large, and under which licence.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

static KNOWN: &str = include_str!("../../assets/models.json");
/// Names a JSON file in the form of `assets/models.json` that is read instead of it, for mirrors.
const CATALOG_VARIABLE: &str = "FDGR_CATALOG";

/// A published file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// What it is called here.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Name of the file.
    pub file: String,
    /// Where it can be had; they are tried in turn.
    pub urls: Vec<String>,
    /// Size, about.
    pub megabytes: u64,
    /// SHA-256 in hexadecimal, or its first digits, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Who allows what.
    pub licence: String,
    /// What it was trained on.
    pub subject: Subject,
    /// Side of the training pictures.
    pub side: usize,
}

/// What a network was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Photographs of all kinds.
    Photos,
    /// Portraits, aligned and cropped as in CelebA-HQ.
    Faces,
    /// One object in the middle, as in ImageNet.
    Objects,
    /// It judges pictures and restores none.
    Classifier,
    /// A metric takes features from it.
    Metric,
}

impl Subject {
    /// Which pictures it suits.
    pub fn suits(self) -> &'static str {
        match self {
            Self::Photos => "photographs of all kinds, of any size",
            Self::Faces => "faces, aligned and cropped as in CelebA-HQ, at 256x256",
            Self::Objects => "pictures of one object, as in ImageNet, at 256x256",
            Self::Classifier => "guiding a class-conditional prior; it restores nothing by itself",
            Self::Metric => "measuring how alike pictures are; it restores nothing",
        }
    }
}

/// The published priors, or those of the file that `FDGR_CATALOG` names.
///
/// # Errors
/// A file named there that cannot be read.
pub fn catalog() -> Result<Vec<Known>> {
    let Some(path) = std::env::var_os(CATALOG_VARIABLE).map(PathBuf::from) else {
        return Ok(serde_json::from_str(KNOWN).expect("assets/models.json is tested"));
    };
    let text =
        std::fs::read_to_string(&path).map_err(|e| Error::Unreadable { path: path.clone(), reason: e.to_string() })?;
    serde_json::from_str(&text).map_err(|e| Error::Checkpoint {
        path,
        fact: format!("it is not a list of models ({e})"),
        remedy: format!("correct it, or unset {CATALOG_VARIABLE}"),
    })
}
