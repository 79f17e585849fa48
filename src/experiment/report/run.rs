//! A run of a report: one folder of results, or the shards of one experiment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::address::data_address;
use crate::error::Result;
use crate::experiment::results::{Record, Results, means};
use crate::experiment::settings::Settings;
use crate::experiment::statistics::Mean;

/// Records of one experiment, and the folders that they came from.
pub struct Run {
    /// Name of its folder.
    pub name: String,
    /// Its settings.
    pub settings: Settings,
    /// Records by index, with the folder of each.
    pub records: BTreeMap<usize, (Record, usize)>,
    /// Distances of the sets, if they were measured.
    pub sets: BTreeMap<String, f64>,
    folders: Vec<Results>,
}

impl Run {
    /// The runs of folders of results. Folders with the same settings and no picture in common are shards of one.
    ///
    /// # Errors
    /// Other folders, and damaged results.
    pub fn open(folders: &[PathBuf]) -> Result<Vec<Self>> {
        let mut runs: Vec<Self> = Vec::new();
        for folder in folders {
            let results = Results::open(folder)?;
            let records = results.records()?;
            let fits = |run: &&mut Self| {
                run.settings.check_same(&results.settings, folder, &|_| true).is_ok()
                    && records.iter().all(|record| !run.records.contains_key(&record.index))
            };
            let run = match runs.iter_mut().find(fits) {
                Some(run) => run,
                None => {
                    let (settings, name) = (results.settings.clone(), name_of(folder));
                    runs.push(Self {
                        name,
                        settings,
                        records: BTreeMap::new(),
                        sets: results.sets()?,
                        folders: Vec::new(),
                    });
                    runs.last_mut().expect("pushed above")
                }
            };
            let place = run.folders.len();
            run.records.extend(records.into_iter().map(|record| (record.index, (record, place))));
            run.folders.push(results);
            if place > 0 {
                // Distances of sets do not follow from those of their parts.
                run.sets.clear();
            }
        }
        Ok(runs)
    }

    /// Records of pictures that were not skipped.
    pub fn done(&self) -> impl Iterator<Item = &Record> {
        self.records.values().map(|(record, _)| record).filter(|record| record.error.is_none())
    }

    /// The mean of every metric.
    pub fn means(&self) -> BTreeMap<String, Mean> {
        means(&self.done().cloned().collect::<Vec<_>>())
    }

    /// A picture of the results of `index` as a data URL, if it exists.
    pub(super) fn embedded(&self, index: usize, place: impl Fn(&Results) -> PathBuf) -> Option<String> {
        let (_, folder) = self.records.get(&index)?;
        Some(data_address(&std::fs::read(place(&self.folders[*folder])).ok()?))
    }

    /// Names and values of the settings.
    pub(super) fn described(&self) -> Vec<(String, String)> {
        let Settings { measurement, config, prior, device, side, batch, pictures, version } = &self.settings;
        let mut rows = vec![
            ("degradation".to_owned(), measurement.deg.clone()),
            ("deg_scale".into(), measurement.deg_scale.to_string()),
            ("operator_imp".into(), format!("{:?}", measurement.operator_imp).to_uppercase()),
            ("sigma_y, of [0, 1] images".into(), config.sigma.to_string()),
        ];
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Ok(Value::Object(mut method)) = serde_json::to_value(&config.method) {
            let name = method.remove("name").map(|name| plain(&name)).unwrap_or_default();
            rows.push(("method".into(), name));
            rows.extend(method.iter().map(|(name, value)| (name.clone(), plain(value))));
        }
        // Methods with times of their own read neither.
        if config.method.own_steps().is_none() {
            rows.extend([("steps".into(), config.steps.to_string()), ("start".into(), config.start.to_string())]);
        }
        rows.extend([
            (
                "network evaluations (NFE)".into(),
                config.evaluations().map_or_else(|_| String::new(), |count| count.to_string()),
            ),
            ("clip".into(), config.clip.to_string()),
            (
                "time travel".into(),
                match config.travel.is_none() {
                    true => "none".into(),
                    false => format!("length {}, repeat {}", config.travel.length, config.travel.repeat),
                },
            ),
            ("seed".into(), config.seed.to_string()),
            ("prior".into(), file_name(Path::new(&prior.choice.model))),
            ("prior, SHA-256".into(), prior.sha256.clone()),
        ]);
        if let Some(classifier) = &prior.choice.classifier {
            rows.push(("classifier".into(), file_name(Path::new(classifier))));
        }
        rows.extend([
            ("device".into(), device.description.clone()),
            ("pictures".into(), format!("{} of {side}x{side}, batch size {batch}", pictures.len())),
            ("fdgr".into(), version.clone()),
        ]);
        rows
    }
}

/// The last part of a path of any system; folders of the machine have no place in a page that is passed on.
pub(super) fn file_name(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default().to_owned()
}

fn name_of(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
