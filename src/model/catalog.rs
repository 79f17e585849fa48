//! Published priors: where they are, how large, and under which licence.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, PathContext, Result};

static KNOWN: &str = include_str!("../../assets/models.json");
/// Names a JSON file in the form of `assets/models.json` that is read instead of it, for mirrors.
const CATALOG_VARIABLE: &str = "FDGR_CATALOG";
/// Addresses of mirrors, separated by spaces, each of which has the files as `ADDRESS/NAME/FILE`.
const MIRROR_VARIABLE: &str = "FDGR_MIRROR";

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
    /// Addresses; they are tried in turn.
    pub urls: Vec<String>,
    /// Size, about.
    pub megabytes: u64,
    /// SHA-256 in hexadecimal, or its first digits, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Licence of the weights.
    pub licence: String,
    /// What it was trained on.
    pub subject: Subject,
    /// Side of the training pictures.
    pub side: usize,
}

/// How much of a file's SHA-256 is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// All of it: another file is refused.
    Whole,
    /// Only so many first digits: a damaged file is refused, but not one made to deceive.
    Digits(usize),
    /// Nothing: the file of the first download is taken as it is, and later ones are compared with it.
    None,
}

impl Known {
    /// Where it is fetched from, in turn: the mirrors that `FDGR_MIRROR` names, then its own addresses.
    pub fn addresses(&self) -> Vec<String> {
        let mirrors = std::env::var(MIRROR_VARIABLE).unwrap_or_default();
        let at_mirror = |mirror: &str| format!("{}/{}/{}", mirror.trim_end_matches('/'), self.name, self.file);
        mirrors.split_whitespace().map(at_mirror).chain(self.urls.iter().cloned()).collect()
    }

    /// How much of the file's SHA-256 is published.
    pub fn proof(&self) -> Proof {
        match self.sha256.as_ref().map_or(0, String::len) {
            0 => Proof::None,
            digits if digits < 64 => Proof::Digits(digits),
            _ => Proof::Whole,
        }
    }
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
    /// One kind of scene, which the title of the model names.
    Scenes,
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
            Self::Objects => "pictures of one object, as in ImageNet, at the size it was trained on",
            Self::Scenes => "pictures of the one kind it was trained on, at the size it was trained on",
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
    let text = std::fs::read_to_string(&path).reading(&path)?;
    serde_json::from_str(&text).map_err(|e| {
        let hint = format!("correct it, or unset {CATALOG_VARIABLE}");
        Error::document(&path, format!("it is not a list of models ({e})"), hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_complete() {
        let all: Vec<Known> = serde_json::from_str(KNOWN).unwrap();
        for known in &all {
            let name = &known.name;
            assert!(known.urls.iter().all(|url| url.starts_with("https://")) && !known.urls.is_empty(), "{name}");
            assert!(crate::files::unportable(&known.file).is_none() && !known.licence.is_empty(), "{name}");
            let hexadecimal = |hash: &String| !hash.is_empty() && hash.chars().all(|c| c.is_ascii_hexdigit());
            assert!(known.sha256.as_ref().is_none_or(hexadecimal), "{name}");
            assert_eq!(all.iter().filter(|other| other.name == *name).count(), 1, "{name}");
        }
    }

    #[test]
    fn hashes_prove_as_much_as_they_have_digits() {
        let known = |sha256: Option<&str>| Known {
            name: "a".into(),
            title: "a".into(),
            file: "a.pt".into(),
            urls: Vec::new(),
            megabytes: 1,
            sha256: sha256.map(str::to_owned),
            licence: "none".into(),
            subject: Subject::Photos,
            side: 1,
        };
        assert_eq!(known(None).proof(), Proof::None);
        assert_eq!(known(Some("7be5be79")).proof(), Proof::Digits(8));
        assert_eq!(known(Some(&"0".repeat(64))).proof(), Proof::Whole);
    }
}
