//! Ways into the model folder: files that are there, and published ones that are fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::archive::check_archive;
use super::catalog::{Known, Proof};
use super::digest::{copy, hash};
use super::download::{Failure, PATIENCE, fetch};
use super::folder::{Installed, ModelFolder, ModelRecord, check_name};
use crate::control::{Control, Silent};
use crate::error::{Error, Hint, PathContext, Result, Setting};
use crate::files::{renamed, sha256, write_atomically};

/// Files that diffusers keep beside the weights, or guided-diffusion's flags.
const CONFIG: &str = "config.json";
/// SHA-256 of the first download of every model whose hash is not published in full, by name.
const FIRST_HASHES: &str = ".hashes.json";

/// Finds the weights file for a path and checks that it is complete and of a supported architecture.
pub type Examine<'a> = &'a dyn Fn(&Path) -> Result<PathBuf>;

impl ModelFolder {
    /// Copies a checkpoint, or a folder in the form of diffusers, into the folder, if it is a usable one. `control` hears of
    /// the bytes and may cancel.
    ///
    /// # Errors
    /// Names in use, files that are no usable checkpoint, folders that cannot be written, and being cancelled.
    pub fn add(
        &self,
        path: &Path,
        name: &str,
        mut record: ModelRecord,
        examine: Examine,
        control: &dyn Control,
    ) -> Result<Installed> {
        check_name(name)?;
        let _name = self.hold(name)?;
        self.check_free(name).map_err(another_name)?;
        let weights = &examine(path)?;
        check_archive(weights, control)?;
        let staged = self.staging()?;
        record.file = weights.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = staged.folder.path().join(&record.file);
        (record.sha256, record.bytes) = copy(weights, &target, control)?;
        for config in [weights.with_extension("json"), weights.with_file_name(CONFIG)] {
            if config.is_file() && config != *weights {
                copy(&config, &staged.folder.path().join(CONFIG), &Silent)?;
                break;
            }
        }
        self.install(staged, name, record)
    }

    /// Fetches published weights. A transfer that broke off goes on where it stopped; nothing is installed that is
    /// incomplete, damaged or no checkpoint. Where the catalogue has no full SHA-256, that of the first download is
    /// recorded and later ones must have it. `control` hears of the bytes and may cancel.
    ///
    /// # Errors
    /// Servers that do not answer or send something else, folders that cannot be written, and being cancelled.
    pub fn pull(&self, known: &Known, examine: Examine, control: &dyn Control) -> Result<Installed> {
        check_name(&known.name)?;
        let _name = self.hold(&known.name)?;
        self.check_free(&known.name)?;
        let staged = self.staging()?;
        let (source, part) = self.fetch_any(known, control)?;
        let file = Path::new(&known.file).file_name().unwrap_or_default();
        let target = staged.folder.path().join(file);
        // What is cancelled here is still there to go on with.
        let (sha256, bytes) = hash(&part, control)?;
        renamed(&part, &target).writing(&target)?;
        known.addresses().iter().for_each(|url| _ = std::fs::remove_file(self.part(known, url)));
        self.check_hash(known, &source, &sha256)?;
        examine(&target)?;
        check_archive(&target, &Silent)?;
        let record = ModelRecord {
            file: file.to_string_lossy().into_owned(),
            sha256,
            bytes,
            source,
            licence: Some(known.licence.clone()),
            subject: Some(known.subject),
        };
        if known.proof() != Proof::Whole {
            self.record_hash(&known.name, &record.sha256)?;
        }
        self.install(staged, &known.name, record)
    }

    /// Where what has arrived from an address is kept: outside the staging folder, so that it survives an interruption, and each address by
    /// itself, so that no file is made of two.
    fn part(&self, known: &Known, url: &str) -> PathBuf {
        self.root().join(format!(".{}.{}.part", known.name, &sha256(url.as_bytes())[..8]))
    }

    /// Fetches a published file from the first address that has it, and says which, and where the file is.
    fn fetch_any(&self, known: &Known, control: &dyn Control) -> Result<(String, PathBuf)> {
        let mut failed = Vec::new();
        let mut is_begun = false;
        for url in known.addresses() {
            let part = self.part(known, &url);
            match fetch(&url, &part, PATIENCE, control) {
                Ok(()) => return Ok((url, part)),
                Err(Failure::Here(error)) => return Err(error),
                Err(Failure::Source(said)) => failed.push(said),
            }
            is_begun |= part.exists();
        }
        let fact = if failed.is_empty() { "no address is known for it".to_owned() } else { failed.join("; ") };
        let hint = match is_begun {
            true => "try again: what has arrived is kept, and the rest is fetched",
            false => "try again, or name a mirror with FDGR_MIRROR",
        };
        Err(refusal(known, fact, hint))
    }

    /// Refuses a file that is neither the published one nor, where that is not known for certain, the one of before.
    fn check_hash(&self, known: &Known, source: &str, sha256: &str) -> Result<()> {
        if known.sha256.as_ref().is_some_and(|expected| !sha256.starts_with(&expected.to_lowercase())) {
            let fact = format!("{source} sent a file with SHA-256 {sha256}, which is not the published one");
            return Err(refusal(known, fact, "it was thrown away; try again, or another mirror"));
        }
        match self.first_hashes()?.get(&known.name) {
            Some(first) if known.proof() != Proof::Whole && first != sha256 => {
                let fact = format!("{source} sent a file with SHA-256 {sha256}, but the first download had {first}");
                let place = self.root().join(FIRST_HASHES);
                let hint = format!(
                    "it was thrown away; if its publisher replaced the file, remove {} from {}",
                    known.name,
                    place.display()
                );
                Err(refusal(known, fact, hint))
            }
            _ => Ok(()),
        }
    }

    /// SHA-256 of first downloads, by name.
    fn first_hashes(&self) -> Result<BTreeMap<String, String>> {
        let path = self.root().join(FIRST_HASHES);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(e) => return Err(Error::unreadable(&path, e)),
        };
        serde_json::from_str(&text).map_err(|e| {
            let fact = format!("it is not a record of hashes ({e})");
            Error::document(&path, fact, "delete it to trust the next download")
        })
    }

    fn record_hash(&self, name: &str, sha256: &str) -> Result<()> {
        let _folder = self.hold_all()?;
        let path = self.root().join(FIRST_HASHES);
        let mut hashes = self.first_hashes()?;
        hashes.entry(name.into()).or_insert_with(|| sha256.into());
        let text = serde_json::to_string_pretty(&hashes).writing(&path)?;
        write_atomically(&path, text.as_bytes())
    }
}

/// The same error where another name can be chosen.
fn another_name(error: Error) -> Error {
    match error {
        Error::Mismatch { subject, fact, hint } => {
            Error::Mismatch { subject, fact, hint: Hint::Give(Setting::MODEL_NAME).or(hint) }
        }
        other => other,
    }
}

fn refusal(known: &Known, fact: String, hint: impl Into<Hint>) -> Error {
    Error::checkpoint(Path::new(&known.name), fact, hint)
}
