//! The folder of an experiment's results, in the layout of the reference.
//!
//! `{i}_0.png` is the restored picture `i`; `Apy/` holds `orig_{i}.png`, `y_{i}.png` and `Apy_{i}.png` (the original, the
//! measurement, and its regularised inverse); `records/{i}.json` says that picture `i` is done. `experiment.json` holds the
//! settings, `results.json` and `results.csv` everything measured. A record is written last, and every file is renamed into
//! its place, so that whatever stops the program, it can go on from what is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Settings;
use super::statistics::Mean;
use crate::error::{Error, Result};
use crate::metrics;
use crate::picture::write_atomically;

const SETTINGS: &str = "experiment.json";
const RECORDS: &str = "records";
const SUMMARY: &str = "results.json";
const TABLE: &str = "results.csv";
const REPORT: &str = "report.html";
const BESIDE: &str = "Apy";

/// What to do where there are results already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave them, and say so.
    Refuse,
    /// Go on where they end.
    Resume,
    /// Delete them.
    Overwrite,
}

/// What is known of one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its place in the set.
    pub index: usize,
    /// Its file.
    pub path: PathBuf,
    /// What was measured, by the metrics' names.
    pub metrics: BTreeMap<String, f64>,
    /// Seconds that its restoration took, or its share of its batch's.
    pub seconds: f64,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A folder of results.
#[derive(Clone, Debug)]
pub struct Results {
    root: PathBuf,
    /// What made them.
    pub settings: Settings,
}

/// What `results.json` holds.
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

/// What is read of it again.
#[derive(Deserialize)]
struct Sets {
    #[serde(default)]
    sets: BTreeMap<String, f64>,
}

impl Results {
    /// Makes the folder, or takes the one that is there.
    ///
    /// # Errors
    /// Results that are there already and may not be touched, results of other settings, folders of something else, and
    /// places that cannot be written.
    pub fn create(root: &Path, settings: Settings, existing: Existing) -> Result<Self> {
        if root.join(SETTINGS).is_file() {
            match existing {
                Existing::Refuse => return Err(Self::present(root)),
                Existing::Resume => {
                    let results = Self::open(root)?;
                    results.settings.check_same(&settings, root)?;
                    return Ok(results);
                }
                Existing::Overwrite => remove(root)?,
            }
        } else if root.is_dir() && std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::Results {
                path: root.into(),
                fact: format!("it is not empty, and there is no {SETTINGS} that would say what is in it"),
                remedy: "pass another -i, or empty it yourself".into(),
            });
        }
        for folder in [root.join(RECORDS), root.join(BESIDE)] {
            std::fs::create_dir_all(&folder)
                .map_err(|e| Error::Unwritable { path: folder.clone(), reason: e.to_string() })?;
        }
        write_json(&root.join(SETTINGS), &settings)?;
        Ok(Self { root: root.into(), settings })
    }

    /// The error for results that may not be touched.
    pub fn present(root: &Path) -> Error {
        Error::Results {
            path: root.into(),
            fact: "there are results in it already".into(),
            remedy: "pass --resume to go on, --overwrite to delete them, or another -i".into(),
        }
    }

    /// Results that are there.
    ///
    /// # Errors
    /// Folders of something else.
    pub fn open(root: &Path) -> Result<Self> {
        if !root.join(SETTINGS).is_file() {
            return Err(Error::Results {
                path: root.into(),
                fact: format!("there is no {SETTINGS} in it"),
                remedy: "pass a folder that `fdgr experiment` made".into(),
            });
        }
        Ok(Self { settings: read_json(&root.join(SETTINGS))?, root: root.into() })
    }

    /// Where they are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The restored picture.
    pub fn restored(&self, index: usize) -> PathBuf {
        self.root.join(format!("{index}_0.png"))
    }

    /// The original as it was measured.
    pub fn original(&self, index: usize) -> PathBuf {
        self.root.join(BESIDE).join(format!("orig_{index}.png"))
    }

    /// The measurement, where it is a picture.
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

    /// Whether a picture is done; those that were skipped are tried again.
    pub fn has(&self, index: usize) -> bool {
        read_json::<Record>(&self.record_place(index)).is_ok_and(|record| record.error.is_none())
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
    /// Records that cannot be read.
    pub fn records(&self) -> Result<Vec<Record>> {
        let folder = self.root.join(RECORDS);
        let entries = std::fs::read_dir(&folder)
            .map_err(|e| Error::Unreadable { path: folder.clone(), reason: e.to_string() })?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut records = paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .map(|path| read_json(&path))
            .collect::<Result<Vec<Record>>>()?;
        records.sort_by_key(|record| record.index);
        Ok(records)
    }

    /// Distances of the sets, if they were measured.
    pub fn sets(&self) -> BTreeMap<String, f64> {
        read_json::<Sets>(&self.root.join(SUMMARY)).map(|summary| summary.sets).unwrap_or_default()
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

/// A row a picture, as CSV.
fn table(records: &[Record]) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Unwritable { path: TABLE.into(), reason: e.to_string() };
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

/// Deletes results, and nothing else that may lie beside them.
fn remove(root: &Path) -> Result<()> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |e: std::io::Error| Error::Unwritable { path: path.clone(), reason: e.to_string() }
    };
    let restored = |name: &str| name.strip_suffix("_0.png").is_some_and(|i| i.parse::<usize>().is_ok());
    for entry in std::fs::read_dir(root).map_err(unwritable(root))? {
        let path = entry.map_err(unwritable(root))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [RECORDS, BESIDE].contains(&name.as_str()) && path.is_dir() {
            std::fs::remove_dir_all(&path).map_err(unwritable(&path))?;
        } else if [SUMMARY, TABLE, REPORT].contains(&name.as_str()) || restored(&name) {
            std::fs::remove_file(&path).map_err(unwritable(&path))?;
        }
    }
    // Last, so that what is half deleted is still known for what it is.
    let settings = root.join(SETTINGS);
    std::fs::remove_file(&settings).map_err(unwritable(&settings))
}

/// Writes JSON for people.
///
/// # Errors
/// Places that cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|e| Error::Unwritable { path: path.into(), reason: e.to_string() })?;
    write_atomically(path, (text + "\n").as_bytes())
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Error::Unreadable { path: path.into(), reason: e.to_string() })?;
    serde_json::from_str(&text).map_err(|e| Error::Results {
        path: path.into(),
        fact: format!("it is damaged, or of another version ({e})"),
        remedy: "delete it if the picture should be restored again".into(),
    })
}
