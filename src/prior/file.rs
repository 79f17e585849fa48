//! Files of priors and classifiers: found by name, recognised, not loaded yet.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::architecture::{AdmOptions, Architecture, Classifier};
use super::diffusers;
use super::embedded::embedded;
use super::loaded::{Origin, Prior};
use super::weights::Precision;
use crate::control::{Control, Silent};
use crate::error::{Error, Hint, Listing, Result, Setting};
use crate::model::{Checkpoint, EMBEDDED, Installed, ModelFolder, Subject, catalog};

/// Endings of files of weights; a name with one of them is a file first.
const ENDINGS: [&str; 5] = ["pt", "pth", "ckpt", "bin", "safetensors"];

/// A checkpoint that was found and recognised, not yet loaded.
pub struct PriorFile {
    name: String,
    lasting_name: String,
    checkpoint: Checkpoint,
    architecture: Architecture,
    subject: Option<Subject>,
}

impl PriorFile {
    /// The prior or classifier named `model`: [`EMBEDDED`], one in the model folder, or a file or folder.
    ///
    /// A bare name is a model first, so that a file that happens to have it changes nothing; with a path separator or the
    /// ending of a file of weights it is a file first.
    ///
    /// # Errors
    /// Names that mean nothing, files that cannot be read, and checkpoints of no known architecture.
    pub fn find(model: &str) -> Result<Self> {
        match Place::of(model)? {
            Place::Embedded(checkpoint) => {
                Ok(Self { subject: Some(Subject::Photos), ..Self::recognise(EMBEDDED, checkpoint)? })
            }
            Place::Installed(installed) => Ok(Self {
                name: model.into(),
                lasting_name: model.into(),
                subject: installed.record.subject,
                ..Self::open(&installed.path())?
            }),
            Place::File(path) => Self::open(&path),
        }
    }

    /// The network of a file, or of a folder in the form of diffusers.
    ///
    /// # Errors
    /// As [`PriorFile::find`].
    pub fn open(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { diffusers::weights_file(path)? } else { path.to_owned() };
        Ok(Self::recognise(&path.display().to_string(), Checkpoint::open(&file)?)?.lasting_at(path))
    }

    /// The network of a checkpoint, called `name`.
    ///
    /// # Errors
    /// Checkpoints of no known architecture.
    pub fn recognise(name: &str, checkpoint: Checkpoint) -> Result<Self> {
        let checkpoint = if diffusers::is_diffusers(&checkpoint) {
            diffusers::check_beside(checkpoint.path())?;
            diffusers::as_ddpm(checkpoint)
        } else {
            checkpoint
        };
        let architecture = Architecture::recognise(&checkpoint, None)?;
        Ok(Self { name: name.into(), lasting_name: name.into(), checkpoint, architecture, subject: None })
    }

    /// The same with the place of a file in whatever folder it is looked for.
    fn lasting_at(self, path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        Self { lasting_name: path.display().to_string(), ..self }
    }

    /// The name it was found by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name that finds it again from any folder: that of a built-in or installed model, else the absolute path.
    pub fn lasting_name(&self) -> &str {
        &self.lasting_name
    }

    /// What it was trained on, if it is built in or the record of its installation tells.
    pub fn subject(&self) -> Option<Subject> {
        self.subject
    }

    /// Finds the weights file for `path` and checks that it is complete and of a supported architecture.
    ///
    /// # Errors
    /// As [`PriorFile::find`], and files that lack tensors.
    pub fn examine(path: &Path) -> Result<PathBuf> {
        let found = Self::open(path)?;
        found.architecture.compare(&found.checkpoint).check(found.checkpoint.path())?;
        Ok(found.checkpoint.path().into())
    }

    /// Its tensors.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Its network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// f32 where that leaves half of `memory` bytes for the step, else f16.
    pub fn fitting_precision(&self, memory: u64) -> Precision {
        let full = self.architecture.parameters() as u64 * Precision::F32.bytes();
        if full <= memory / 2 { Precision::F32 } else { Precision::F16 }
    }

    /// Reads the denoiser onto a device, tensor by tensor. `class` is needed where the network has classes, and ignored
    /// elsewhere. `control` hears of every tensor and may cancel.
    ///
    /// # Errors
    /// Tensors that are missing, mis-shaped or not finite, classes that do not fit, and being cancelled.
    pub fn load(
        self,
        precision: Precision,
        class: Option<usize>,
        device: &Device,
        control: &dyn Control,
    ) -> Result<Prior> {
        let Self { name, lasting_name, checkpoint, architecture, subject, .. } = self;
        let classes = architecture.classes().filter(|_| !architecture.is_classifier());
        match (classes, class) {
            (Some(_), None) => {
                let hint = Hint::set(Setting::CLASS, "207 or \"golden retriever\", for example");
                return Err(Error::checkpoint(checkpoint.path(), "it is conditional on a class", hint));
            }
            (Some(classes), Some(class)) if class >= classes => {
                let fact = format!("the network's classes are numbered from 0 to {}", classes.saturating_sub(1));
                return Err(Error::parameter(Setting::CLASS, class, fact));
            }
            _ => {}
        }
        let network = architecture.load(&checkpoint, class, precision, device, control)?;
        let origin = Origin {
            name,
            lasting_name,
            sha256: checkpoint.sha256(control)?,
            parameters: architecture.parameters(),
            within: checkpoint.origin().map(str::to_owned),
            precision,
            subject,
            side: architecture.published().map(|published| published.side),
        };
        Ok(Prior::new(network, origin))
    }

    /// Reads the classifier onto a device; also returns the SHA-256 of its file in hexadecimal.
    ///
    /// # Errors
    /// As [`PriorFile::load`], and networks that are none.
    pub fn load_classifier(self, device: &Device, control: &dyn Control) -> Result<(Classifier, String)> {
        let Self { checkpoint, architecture, .. } = self;
        if !architecture.is_classifier() {
            return Err(Checkpoint::refusal(checkpoint.path(), "it is no classifier".into()));
        }
        architecture.compare(&checkpoint).check(checkpoint.path())?;
        let options = AdmOptions::beside(&checkpoint)?;
        let classifier = Classifier::load_with(&checkpoint, options, device, control)?;
        Ok((classifier, checkpoint.sha256(control)?))
    }
}

/// What a name stands for.
pub(super) enum Place {
    /// What is compiled in.
    Embedded(Checkpoint),
    /// A model of the folder.
    Installed(Installed),
    /// A file or a folder.
    File(PathBuf),
}

impl Place {
    /// # Errors
    /// Names of nothing, and records that cannot be read.
    pub(super) fn of(model: &str) -> Result<Self> {
        let path = PathBuf::from(model);
        if looks_like_a_file(model) && path.exists() {
            return Ok(Self::File(path));
        }
        if model == EMBEDDED
            && let Some(checkpoint) = embedded()?
        {
            return Ok(Self::Embedded(checkpoint));
        }
        if let Some(installed) = ModelFolder::open()?.find(model)? {
            return Ok(Self::Installed(installed));
        }
        if path.exists() { Ok(Self::File(path)) } else { Err(missing(model)?) }
    }
}

impl Prior {
    /// The prior named `model`, in f32.
    ///
    /// # Errors
    /// As [`PriorFile::find`] and [`PriorFile::load`].
    pub fn open(model: &str, device: &Device) -> Result<Self> {
        PriorFile::find(model)?.load(Precision::F32, None, device, &Silent)
    }
}

/// Whether a name can only have been meant as that of a file.
fn looks_like_a_file(model: &str) -> bool {
    let ending = Path::new(model).extension().map(|ending| ending.to_string_lossy().to_lowercase());
    model.contains(std::path::is_separator) || ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// The error for a name of nothing.
///
/// # Errors
/// A catalogue that cannot be read.
fn missing(model: &str) -> Result<Error> {
    let known = catalog()?.into_iter().find(|known| known.name == model);
    let (fact, hint) = match known {
        Some(known) => (format!("it is known ({}), but not installed", known.title), Hint::Install(model.into())),
        None if model == EMBEDDED => {
            ("it is not built into this program, and not installed".into(), Hint::Install(model.into()))
        }
        None => ("there is no such file, and no installed model of that name".into(), Hint::List(Listing::Models)),
    };
    Ok(Error::checkpoint(Path::new(model), fact, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_told_from_names_of_models() {
        for name in ["a/b", "./photo", "weights.pt", "weights.SafeTensors", "photo/"] {
            assert!(looks_like_a_file(name), "{name}");
        }
        for name in ["photo", "imagenet-256", "v1.5", "weights"] {
            assert!(!looks_like_a_file(name), "{name}");
        }
    }

    #[test]
    fn files_last_by_their_absolute_path() {
        let parts = ["1", "2", "3"].map(|part| std::fs::read(format!("assets/prior/{part}/part")).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.safetensors");
        std::fs::write(&path, parts.concat()).unwrap();
        let file = PriorFile::open(&path).unwrap();
        assert_eq!(file.lasting_name(), path.display().to_string());
        let again = PriorFile::find(file.lasting_name()).unwrap();
        assert_eq!(again.lasting_name(), file.lasting_name());
    }
}
