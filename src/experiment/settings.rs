//! Everything that decides the results of an experiment.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::dataset::Entry;
use super::degradation::NamedDegradation;
use crate::device::DeviceRecord;
use crate::error::{Error, Hint, Result, Setting};
use crate::recipe::PriorRecord;
use crate::restore::RestoreConfig;

/// Everything that decides the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Version of this program.
    pub version: String,
    /// Degradation of the pictures.
    pub measurement: NamedDegradation,
    /// How they are restored; its degradation is that of the first picture.
    pub config: RestoreConfig,
    /// The prior.
    pub prior: PriorRecord,
    /// The device.
    pub device: DeviceRecord,
    /// Height and width of the pictures.
    pub side: usize,
    /// Pictures per batch.
    pub batch: usize,
    /// The pictures.
    pub pictures: Vec<Entry>,
}

impl Settings {
    /// Refuses settings that would give other results than these; the device may differ, and so may the content of pictures
    /// that are not `done`.
    ///
    /// # Errors
    /// The first setting that differs.
    pub(super) fn check_same(&self, other: &Self, root: &Path, done: &dyn Fn(usize) -> bool) -> Result<()> {
        let pairs = self.pictures.iter().zip(&other.pictures);
        let other_set = self.pictures.len() != other.pictures.len() || pairs.clone().any(|(a, b)| !a.is_same_file(b));
        let classifier = &self.prior.classifier_sha256;
        let differ = [
            ("the degradation", self.measurement != other.measurement),
            ("the method or a parameter", self.config != other.config),
            ("the prior", self.prior.sha256 != other.prior.sha256 || self.prior.choice != other.prior.choice),
            ("the classifier", classifier.is_some() && *classifier != other.prior.classifier_sha256),
            ("the size of the pictures", self.side != other.side),
            ("the number of pictures per batch", self.batch != other.batch),
            ("the set of pictures", other_set),
            ("the version of the program", self.version != other.version),
        ];
        if let Some((what, _)) = differ.iter().find(|(_, differs)| *differs) {
            let fact = format!("its results were made with other settings: {what} differs");
            let hint = Hint::from("repeat the settings it was made with").or(Hint::Give(Setting::RESULTS));
            return Err(Error::document(root, fact, hint));
        }
        let changed = |(kept, now): &(&Entry, &Entry)| kept.has_changed(now) && done(now.index);
        match pairs.into_iter().find(changed) {
            None => Ok(()),
            Some((_, now)) => {
                let fact = format!("its results were made from other pictures: {} has changed", now.path.display());
                let hint = Hint::from("put the original file back")
                    .or(Hint::Give(Setting::OVERWRITE))
                    .or(Hint::Give(Setting::RESULTS));
                Err(Error::document(root, fact, hint))
            }
        }
    }
}
