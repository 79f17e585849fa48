//! Metrics of pictures that are there already.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::results::{Record, means};
use super::statistics::Mean;
use crate::error::{Error, Result};
use crate::metrics::frechet::{features, fid, kid};
use crate::metrics::{FID, Inception, KID, Metrics};
use crate::picture::Picture;

/// A picture and its original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Its place, by the number in its name where it has one.
    pub index: usize,
    /// The picture.
    pub picture: PathBuf,
    /// Its original.
    pub original: PathBuf,
}

/// What was measured.
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
    let number = |name: &str| name.strip_suffix("_0.png").and_then(|i| i.parse::<usize>().ok());
    let indices = names(folder)?.into_iter().filter_map(|name| number(&name));
    let pair = |index: usize| Pair {
        index,
        picture: folder.join(format!("{index}_0.png")),
        original: folder.join("Apy").join(format!("orig_{index}.png")),
    };
    let mut pairs: Vec<Pair> = indices.map(pair).filter(|pair| pair.original.is_file()).collect();
    pairs.sort_by_key(|pair| pair.index);
    if pairs.is_empty() {
        return Err(Error::Results {
            path: folder.into(),
            fact: "there are no pairs of N_0.png and Apy/orig_N.png in it".into(),
            remedy: "pass a folder of results, or two folders with pictures of the same names".into(),
        });
    }
    Ok(pairs)
}

/// The pairs of two folders, or of two pictures: those whose names agree but for their endings.
///
/// # Errors
/// Folders without such pairs.
pub fn pairs_of_folders(pictures: &Path, originals: &Path) -> Result<Vec<Pair>> {
    if pictures.is_file() && originals.is_file() {
        return Ok(vec![Pair { index: 0, picture: pictures.into(), original: originals.into() }]);
    }
    let by_stem = |folder: &Path| -> Result<BTreeMap<String, PathBuf>> {
        let is_picture = |name: &String| Picture::has_picture_ending(Path::new(name));
        let stem = |name: &str| Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(names(folder)?.into_iter().filter(is_picture).map(|name| (stem(&name), folder.join(&name))).collect())
    };
    let (pictures_by, originals_by) = (by_stem(pictures)?, by_stem(originals)?);
    let pairs = pictures_by.into_iter().filter_map(|(stem, picture)| Some((picture, originals_by.get(&stem)?.clone())));
    let pairs: Vec<Pair> =
        pairs.enumerate().map(|(index, (picture, original))| Pair { index, picture, original }).collect();
    if pairs.is_empty() {
        return Err(Error::Results {
            path: pictures.into(),
            fact: format!("no picture in it has the name of one in {}", originals.display()),
            remedy: "give a picture and its original the same name".into(),
        });
    }
    Ok(pairs)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let unreadable = |e: std::io::Error| Error::Unreadable { path: folder.into(), reason: e.to_string() };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    entries.map(|entry| Ok(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned())).collect()
}

/// Measures every pair; `measured` is called after each.
///
/// # Errors
/// Pictures of which none could be compared, and devices that fail.
pub fn evaluate(pairs: &[Pair], metrics: &Metrics, measured: &mut dyn FnMut()) -> Result<Evaluation> {
    let mut records = Vec::new();
    let mut sets = Sets::new(metrics.inception.as_ref());
    for Pair { index, picture, original } in pairs {
        let compared = compare(picture, original, metrics, &mut sets);
        measured();
        let (metrics, error) = match compared {
            Ok(metrics) => (metrics, None),
            Err(error @ Error::Device { .. }) => return Err(error),
            Err(error) => (BTreeMap::new(), Some(error.to_string())),
        };
        records.push(Record { index: *index, path: picture.clone(), metrics, seconds: 0.0, error });
    }
    let first = records.iter().find_map(|record| record.error.clone());
    match first {
        Some(error) if records.iter().all(|record| record.error.is_some()) => Err(Error::Results {
            path: pairs[0].picture.clone(),
            fact: format!("no pair could be compared; of the first: {error}"),
            remedy: "pass pictures and originals of the same size".into(),
        }),
        _ => Ok(Evaluation { means: means(&records), sets: sets.distances(), records }),
    }
}

/// Distances of the sets only; pairs that cannot be read are left out.
///
/// # Errors
/// Devices that fail.
pub fn sets(pairs: &[Pair], metrics: &Metrics, measured: &mut dyn FnMut()) -> Result<BTreeMap<String, f64>> {
    let mut sets = Sets::new(metrics.inception.as_ref());
    for Pair { picture, original, .. } in pairs {
        if let (Ok(picture), Ok(original)) = (Picture::read(picture), Picture::read(original)) {
            sets.add(&picture, &original)?;
        }
        measured();
    }
    Ok(sets.distances())
}

fn compare(picture: &Path, original: &Path, metrics: &Metrics, sets: &mut Sets) -> Result<BTreeMap<String, f64>> {
    let (a, b) = (Picture::read(picture)?, Picture::read(original)?);
    if (a.width(), a.height()) != (b.width(), b.height()) {
        return Err(Error::Mismatch {
            what: picture.display().to_string(),
            fact: format!(
                "it is {}x{}, but {} is {}x{}",
                a.width(),
                a.height(),
                original.display(),
                b.width(),
                b.height()
            ),
            remedy: "compare pictures of one size".into(),
        });
    }
    sets.add(&a, &b)?;
    let compared = metrics.compare(a.pixels(), b.pixels())?;
    let finite = compared.into_iter().filter(|(_, value)| value.is_finite());
    Ok(finite.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Features of both sets, where there is a network for them.
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
