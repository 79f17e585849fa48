//! Metrics of existing pictures.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::event::{Event, Listener};
use super::results::{Record, means};
use super::statistics::Mean;
use crate::control::check;
use crate::error::{Error, PathContext, Result};
use crate::metrics::frechet::{features, fid, kid};
use crate::metrics::{FID, Inception, KID, Metrics};
use crate::picture::Picture;

/// A picture and its original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Its index: the number in its name in a folder of results, else its position.
    pub index: usize,
    /// The picture.
    pub picture: PathBuf,
    /// Its original.
    pub original: PathBuf,
}

/// Metrics of pairs and of sets.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Picture by picture; those that could not be read say why.
    pub records: Vec<Record>,
    /// The mean of every metric.
    pub means: BTreeMap<String, Mean>,
    /// Distances of the sets.
    pub sets: BTreeMap<String, f64>,
}

/// The pairs of a folder in the reference's layout: `{i}_0.png` and `Apy/orig_{i}.png`.
///
/// # Errors
/// Folders without such pairs.
pub fn pairs_of_results(folder: &Path) -> Result<Vec<Pair>> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix("_0.png")?.parse::<usize>().ok();
    let pair = |path: PathBuf| {
        let index = number(&path)?;
        Some(Pair { index, picture: path, original: folder.join("Apy").join(format!("orig_{index}.png")) })
    };
    let mut pairs: Vec<Pair> =
        files_in(folder)?.into_iter().filter_map(pair).filter(|pair| pair.original.is_file()).collect();
    pairs.sort_by_key(|pair| pair.index);
    if pairs.is_empty() {
        return Err(Error::document(
            folder,
            "there are no pairs of N_0.png and Apy/orig_N.png in it",
            "pass a folder of results, or two folders with pictures of the same names",
        ));
    }
    Ok(pairs)
}

/// The pairs of two folders, or of two pictures: those whose names are equal but for the ending.
///
/// # Errors
/// Folders without such pairs, and names that several pictures of one folder have.
pub fn pairs_of_folders(pictures: &Path, originals: &Path) -> Result<Vec<Pair>> {
    if pictures.is_file() && originals.is_file() {
        return Ok(vec![Pair { index: 0, picture: pictures.into(), original: originals.into() }]);
    }
    let [by_name, originals_by_name] = [pictures_by_name(pictures)?, pictures_by_name(originals)?];
    let mut pairs = Vec::new();
    for (name, candidates) in &by_name {
        let Some(originals) = originals_by_name.get(name) else { continue };
        let (picture, original) = (only(candidates)?.clone(), only(originals)?.clone());
        pairs.push(Pair { index: pairs.len(), picture, original });
    }
    if pairs.is_empty() {
        let fact = format!("no picture in it has the name of one in {}", originals.display());
        return Err(Error::document(pictures, fact, "give a picture and its original the same name"));
    }
    Ok(pairs)
}

/// Pictures of a folder, sorted, by their names without the ending.
fn pictures_by_name(folder: &Path) -> Result<BTreeMap<OsString, Vec<PathBuf>>> {
    let mut named: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
    for path in files_in(folder)?.into_iter().filter(|path| Picture::has_picture_ending(path)) {
        named.entry(path.file_stem().unwrap_or_default().to_owned()).or_default().push(path);
    }
    named.values_mut().for_each(|paths| paths.sort());
    Ok(named)
}

/// The only one of the pictures of a name.
fn only(candidates: &[PathBuf]) -> Result<&PathBuf> {
    match candidates {
        [first, second, ..] => {
            let name = second.file_name().unwrap_or_default().to_string_lossy();
            let fact = format!("{name} in the same folder has the same name but for the ending");
            Err(Error::mismatch(first.as_path(), fact, "rename or remove one of them"))
        }
        _ => Ok(&candidates[0]),
    }
}

/// Paths of the entries of a folder.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::read_dir(folder).reading(folder)?.map(|entry| Ok(entry.reading(folder)?.path())).collect()
}

/// Measures every pair. The listener hears of each.
///
/// # Errors
/// Pictures of which none could be compared, devices that fail, and cancellation.
pub fn evaluate(pairs: &[Pair], metrics: &Metrics, listener: &dyn Listener) -> Result<Evaluation> {
    let mut records = Vec::new();
    let mut sets = Sets::new(metrics.inception.as_ref());
    listener.hear(&Event::Sets { pairs: pairs.len() });
    for Pair { index, picture, original } in pairs {
        check(listener, || "while pictures were compared".into())?;
        let compared = compare(picture, original, metrics, &mut sets);
        listener.hear(&Event::Pair);
        let (metrics, error) = match compared {
            Ok(metrics) => (metrics, None),
            Err(error @ Error::Device { .. }) => return Err(error),
            Err(error) => (BTreeMap::new(), Some(error.to_string())),
        };
        records.push(Record { index: *index, path: picture.clone(), metrics, seconds: 0.0, error });
    }
    let first = records.iter().find_map(|record| record.error.clone());
    match first {
        Some(error) if records.iter().all(|record| record.error.is_some()) => {
            let fact = format!("no pair could be compared; the first failed with: {error}");
            Err(Error::document(&pairs[0].picture, fact, "pass pictures and originals of the same size"))
        }
        _ => Ok(Evaluation { means: means(&records), sets: sets.distances(), records }),
    }
}

/// Distances of the sets only; pairs that cannot be read are left out. The listener hears of every pair.
///
/// # Errors
/// Devices that fail, and cancellation.
pub fn sets(pairs: &[Pair], metrics: &Metrics, listener: &dyn Listener) -> Result<BTreeMap<String, f64>> {
    let mut sets = Sets::new(metrics.inception.as_ref());
    for Pair { picture, original, .. } in pairs {
        check(listener, || "while the metrics of sets were computed".into())?;
        if let (Ok(picture), Ok(original)) = (Picture::read(picture), Picture::read(original)) {
            sets.add(&picture, &original)?;
        }
        listener.hear(&Event::Pair);
    }
    Ok(sets.distances())
}

fn compare(picture: &Path, original: &Path, metrics: &Metrics, sets: &mut Sets) -> Result<BTreeMap<String, f64>> {
    let (a, b) = (Picture::read(picture)?, Picture::read(original)?);
    if (a.width(), a.height()) != (b.width(), b.height()) {
        let [(w, h), (original_w, original_h)] = [&a, &b].map(|picture| (picture.width(), picture.height()));
        let fact = format!("it is {w}x{h}, but {} is {original_w}x{original_h}", original.display());
        return Err(Error::mismatch(picture, fact, "compare pictures of one size"));
    }
    sets.add(&a, &b)?;
    let compared = metrics.compare(a.pixels(), b.pixels())?;
    let finite = compared.into_iter().filter(|(_, value)| value.is_finite());
    Ok(finite.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Features of both sets, if the network for them is installed.
struct Sets<'a> {
    inception: Option<&'a Inception>,
    pictures: Vec<Vec<f32>>,
    originals: Vec<Vec<f32>>,
}

impl<'a> Sets<'a> {
    fn new(inception: Option<&'a Inception>) -> Self {
        Self { inception, pictures: Vec::new(), originals: Vec::new() }
    }

    fn add(&mut self, picture: &Picture, original: &Picture) -> Result<()> {
        if let Some(inception) = self.inception {
            self.pictures.push(inception.features(picture.pixels())?);
            self.originals.push(inception.features(original.pixels())?);
        }
        Ok(())
    }

    fn distances(&self) -> BTreeMap<String, f64> {
        let (a, b) = (features(&self.pictures), features(&self.originals));
        let named = [(FID.name, fid(&a, &b)), (KID.name, kid(&a, &b))];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_one_name_each() {
        let folder = tempfile::tempdir().unwrap();
        let [restored, originals] = ["restored", "originals"].map(|name| folder.path().join(name));
        for folder in [&restored, &originals] {
            std::fs::create_dir(folder).unwrap();
        }
        let touch = |path: PathBuf| std::fs::write(path, "").unwrap();
        for name in ["a.png", "b.png", "b.txt", "c.webp"] {
            touch(restored.join(name));
        }
        for name in ["a.jpg", "b.tiff", "d.png", "d.jpg"] {
            touch(originals.join(name));
        }
        // Two originals that no picture asks for are no fault.
        let pairs = pairs_of_folders(&restored, &originals).unwrap();
        let pair = |index, picture: &str, original: &str| Pair {
            index,
            picture: restored.join(picture),
            original: originals.join(original),
        };
        assert_eq!(pairs, [pair(0, "a.png", "a.jpg"), pair(1, "b.png", "b.tiff")]);
        touch(restored.join("a.jpg"));
        let error = pairs_of_folders(&restored, &originals).unwrap_err().to_string();
        assert!(error.contains("a.jpg") && error.contains("a.png"), "{error}");
    }
}
