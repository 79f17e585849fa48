//! The folder of an experiment's results, in the layout of the reference.
//!
//! `{i}_0.png` is the restored picture `i`; `Apy/` holds `orig_{i}.png`, `y_{i}.png` and `Apy_{i}.png` (the original, the
//! measurement, and its regularised inverse); `records/{i}.json` says that picture `i` is done. `experiment.json` holds the
//! settings, `results.json` and `results.csv` all metrics. A picture's record is written after its other files, and every
//! file is replaced atomically, so an interrupted run can always be resumed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::dataset::Entry;
use super::settings::Settings;
use super::statistics::Mean;
use crate::error::{Error, Hint, PathContext, Result, Setting};
use crate::files::{remove_leftovers, write_atomically};
use crate::metrics;

const SETTINGS: &str = "experiment.json";
const RECORDS: &str = "records";
const SUMMARY: &str = "results.json";
const TABLE: &str = "results.csv";
const REPORT: &str = "report.html";
/// Held while a folder of results is begun.
const LOCK: &str = ".lock";
const BESIDE: &str = "Apy";
/// What to do about a damaged record.
const DAMAGED_RECORD: &str = "delete it, and resume to restore its picture again";

/// What to do with existing results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Fail.
    Refuse,
    /// Add what is missing.
    Resume,
    /// Delete them.
    Overwrite,
}

/// Results of one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its index in the set.
    pub index: usize,
    /// Its file.
    pub path: PathBuf,
    /// Values of the metrics, by name.
    pub metrics: BTreeMap<String, f64>,
    /// Seconds of its restoration; of a batch, the mean.
    pub seconds: f64,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A folder of results.
#[derive(Clone, Debug)]
pub struct Results {
    root: PathBuf,
    /// The settings they were made with.
    pub settings: Settings,
}

/// Contents of `results.json`.
#[derive(Serialize)]
struct Summary<'a> {
    settings: &'a Settings,
    pictures: usize,
    skipped: usize,
    seconds: Option<Mean>,
    metrics: BTreeMap<String, Mean>,
    sets: &'a BTreeMap<String, f64>,
    records: &'a [Record],
}

/// The part of `results.json` that is read again.
#[derive(Deserialize)]
struct Sets {
    #[serde(default)]
    sets: BTreeMap<String, f64>,
}

impl Results {
    /// Creates the folder, or opens an existing one.
    ///
    /// # Errors
    /// Existing results that may not be touched, results of other settings or of other pictures, damaged results, folders
    /// of something else, and places that cannot be written.
    pub fn create(root: &Path, settings: Settings, existing: Existing) -> Result<Self> {
        if !Self::are_in(root) && holds_something_else(root) {
            let fact = format!("it is not empty, and contains no {SETTINGS}, so its files may be something else");
            return Err(Error::document(root, fact, Hint::from("empty it yourself").or(Hint::Give(Setting::RESULTS))));
        }
        std::fs::create_dir_all(root).writing(root)?;
        [root, &root.join(RECORDS), &root.join(BESIDE)].into_iter().for_each(remove_leftovers);
        // Shards that begin at the same time: the second one finds the results of the first.
        let lock = root.join(LOCK);
        let held = File::create(&lock).writing(&lock)?;
        // File systems without locks only lose this protection.
        _ = held.lock();
        if Self::are_in(root) {
            match existing {
                Existing::Refuse => return Err(Self::present(root)),
                Existing::Resume => return Self::resume(root, &settings),
                Existing::Overwrite => remove(root)?,
            }
        }
        for folder in [root.join(RECORDS), root.join(BESIDE)] {
            std::fs::create_dir_all(&folder).writing(&folder)?;
        }
        write_json(&root.join(SETTINGS), &settings)?;
        Ok(Self { root: root.into(), settings })
    }

    /// Existing results, to which `settings` would add the missing pictures.
    fn resume(root: &Path, settings: &Settings) -> Result<Self> {
        let mut results = Self::open(root)?;
        // Before anything is computed.
        results.sets()?;
        results.settings.check_same(settings, root, &|index| results.has(index))?;
        // Pictures that are still to do may have been repaired or replaced.
        let pairs = results.settings.pictures.iter().zip(&settings.pictures);
        let pictures: Vec<Entry> =
            pairs.map(|(kept, now)| if results.has(kept.index) { kept } else { now }).cloned().collect();
        if results.settings.pictures != pictures {
            results.settings.pictures = pictures;
            write_json(&root.join(SETTINGS), &results.settings)?;
        }
        Ok(results)
    }

    /// Whether a folder contains results.
    pub fn are_in(root: &Path) -> bool {
        root.join(SETTINGS).is_file()
    }

    /// The error for results that may not be touched.
    pub fn present(root: &Path) -> Error {
        let hint = Hint::Give(Setting::RESUME).or(Hint::Give(Setting::OVERWRITE)).or(Hint::Give(Setting::RESULTS));
        Error::document(root, "there are results in it already", hint)
    }

    /// Existing results.
    ///
    /// # Errors
    /// Other folders, and damaged settings.
    pub fn open(root: &Path) -> Result<Self> {
        if !Self::are_in(root) {
            let fact = format!("there is no {SETTINGS} in it");
            return Err(Error::document(root, fact, "pass a folder with the results of an experiment"));
        }
        let settings = read_json(&root.join(SETTINGS), "restore it from a backup, or start again in another folder")?;
        Ok(Self { settings, root: root.into() })
    }

    /// Their folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The restored picture.
    pub fn restored(&self, index: usize) -> PathBuf {
        self.root.join(format!("{index}_0.png"))
    }

    /// The original, cropped.
    pub fn original(&self, index: usize) -> PathBuf {
        self.root.join(BESIDE).join(format!("orig_{index}.png"))
    }

    /// The measurement, if it is a picture.
    pub fn measured(&self, index: usize) -> PathBuf {
        self.root.join(BESIDE).join(format!("y_{index}.png"))
    }

    /// The page about them.
    pub fn report(&self) -> PathBuf {
        self.root.join(REPORT)
    }

    /// The regularised inverse of the measurement.
    pub fn inverse(&self, index: usize) -> PathBuf {
        self.root.join(BESIDE).join(format!("Apy_{index}.png"))
    }

    fn record_place(&self, index: usize) -> PathBuf {
        self.root.join(RECORDS).join(format!("{index}.json"))
    }

    /// Whether a picture is done; skipped pictures and damaged records are tried again.
    pub fn has(&self, index: usize) -> bool {
        read_json::<Record>(&self.record_place(index), DAMAGED_RECORD).is_ok_and(|record| record.error.is_none())
    }

    /// Keeps a record.
    ///
    /// # Errors
    /// Places that cannot be written.
    pub fn keep(&self, record: &Record) -> Result<()> {
        write_json(&self.record_place(record.index), record)
    }

    /// Everything recorded, by index.
    ///
    /// # Errors
    /// Folders and records that cannot be read.
    pub fn records(&self) -> Result<Vec<Record>> {
        let folder = self.root.join(RECORDS);
        let mut records: Vec<Record> = Vec::new();
        for entry in std::fs::read_dir(&folder).reading(&folder)? {
            let path = entry.reading(&folder)?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                records.push(read_json(&path, DAMAGED_RECORD)?);
            }
        }
        records.sort_by_key(|record| record.index);
        Ok(records)
    }

    /// Distances of the sets, if they were measured.
    ///
    /// # Errors
    /// A summary that cannot be read.
    pub fn sets(&self) -> Result<BTreeMap<String, f64>> {
        let path = self.root.join(SUMMARY);
        if !path.try_exists().reading(&path)? {
            return Ok(BTreeMap::new());
        }
        Ok(read_json::<Sets>(&path, "move it away; the next run writes a new one")?.sets)
    }

    /// Writes `results.json` and `results.csv` of everything recorded, with distances of the `sets`.
    ///
    /// # Errors
    /// Places that cannot be written.
    pub fn summarize(&self, sets: &BTreeMap<String, f64>) -> Result<Vec<Record>> {
        let records = self.records()?;
        let done: Vec<&Record> = records.iter().filter(|record| record.error.is_none()).collect();
        let seconds: Vec<f64> = done.iter().map(|record| record.seconds).collect();
        let summary = Summary {
            settings: &self.settings,
            pictures: done.len(),
            skipped: records.len() - done.len(),
            seconds: Mean::of(&seconds),
            metrics: means(&records),
            sets,
            records: &records,
        };
        write_json(&self.root.join(SUMMARY), &summary)?;
        write_atomically(&self.root.join(TABLE), &table(&records)?)?;
        Ok(records)
    }
}

/// The mean of every metric over pictures that were not skipped.
pub fn means(records: &[Record]) -> BTreeMap<String, Mean> {
    let values = |name: &str| -> Vec<f64> { records.iter().filter_map(|r| r.metrics.get(name).copied()).collect() };
    let named = metrics::ALL.iter().filter_map(|about| Some((about.name.to_owned(), Mean::of(&values(about.name))?)));
    named.collect()
}

/// One row per picture, as CSV.
fn table(records: &[Record]) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::unwritable(Path::new(TABLE), e.to_string());
    let present = |about: &&metrics::About| records.iter().any(|record| record.metrics.contains_key(about.name));
    let names: Vec<&str> = metrics::ALL.iter().filter(present).map(|about| about.name).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["index", "path"].into_iter().chain(names.iter().copied()).chain(["seconds", "error"]);
    writer.write_record(header).map_err(|e| failed(&e))?;
    for record in records {
        let mut row = vec![record.index.to_string(), record.path.display().to_string()];
        row.extend(names.iter().map(|name| record.metrics.get(*name).map_or_else(String::new, f64::to_string)));
        row.extend([record.seconds.to_string(), record.error.clone().unwrap_or_default()]);
        writer.write_record(&row).map_err(|e| failed(&e))?;
    }
    writer.into_inner().map_err(|e| failed(&e))
}

/// Deletes results, and no other file in their folder.
fn remove(root: &Path) -> Result<()> {
    let restored = |name: &str| name.strip_suffix("_0.png").is_some_and(|i| i.parse::<usize>().is_ok());
    for entry in std::fs::read_dir(root).writing(root)? {
        let path = entry.writing(root)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [RECORDS, BESIDE].contains(&name.as_str()) && path.is_dir() {
            std::fs::remove_dir_all(&path).writing(&path)?;
        } else if [SUMMARY, TABLE, REPORT].contains(&name.as_str()) || restored(&name) {
            std::fs::remove_file(&path).writing(&path)?;
        }
    }
    // Last, so that a half-deleted folder is still recognised.
    let settings = root.join(SETTINGS);
    std::fs::remove_file(&settings).writing(&settings)
}

/// Whether a folder has files that are neither results nor hidden.
fn holds_something_else(root: &Path) -> bool {
    let ours = |name: &str| name.starts_with('.') || [RECORDS, BESIDE].contains(&name);
    let mut entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    entries.any(|entry| !ours(&entry.file_name().to_string_lossy()))
}

/// Writes indented JSON.
///
/// # Errors
/// Places that cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).writing(path)?;
    write_atomically(path, (text + "\n").as_bytes())
}

/// Reads JSON that [`write_json`] wrote; `hint` is for damaged files.
fn read_json<T: DeserializeOwned>(path: &Path, hint: &'static str) -> Result<T> {
    let text = std::fs::read_to_string(path).reading(path)?;
    serde_json::from_str(&text)
        .map_err(|e| Error::document(path, format!("it is damaged, or of another version ({e})"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_summary_is_an_error() {
        let sets = |text: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(SUMMARY);
            std::fs::write(&path, text).unwrap();
            read_json::<Sets>(&path, "").map(|summary| summary.sets.into_iter().collect::<Vec<_>>())
        };
        assert!(sets("{\"pictures\": 3}").unwrap().is_empty());
        assert_eq!(sets("{\"sets\": {\"fid\": 1.5}}").unwrap(), [("fid".to_owned(), 1.5)]);
        for text in ["", "{\"sets\": {\"fid\": 1.5", "{\"sets\": {\"fid\": \"low\"}}"] {
            assert!(sets(text).is_err(), "{text:?}");
        }
    }
}
