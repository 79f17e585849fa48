//! Experiments as in papers: degrade every picture of a set, restore it, and measure the result against the original.
//!
//! A [`Plan`] holds the reference's flags as plain values. A [`Driver`] carries it out: it loads the prior, runs an
//! [`Experiment`] and returns an [`Outcome`]; a [`Listener`] hears of everything that happens. A [`sweep::Sweep`] runs a plan
//! over values of parameters. All noise of a picture is a function of the settings and the picture's index in its set, so a
//! run may be stopped, resumed and split into shards without changing a pixel.

pub mod config;
pub mod dataset;
pub mod degradation;
mod driver;
pub mod evaluation;
mod plan;
pub mod recipes;
pub mod report;
pub mod results;
pub mod setting;
pub mod statistics;
pub mod sweep;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::control::{Control, Silent, check};
use crate::device::{DeviceRecord, Selected};
use crate::error::{Error, Hint, Result, Setting};
use crate::metrics::{About, CONSISTENCY, Metrics};
use crate::noise::{Noise, PerPicture, Stream, picture_seed};
use crate::picture::Picture;
use crate::prior::Prior;
use crate::recipe::PriorRecord;
use crate::restore::{Measurement, Method, RestoreConfig, Restorer};
use crate::sampler::{Data, Guidance, signed_sigma};

use dataset::Entry;
use degradation::NamedDegradation;
use results::{Record, Results};
use sweep::{Point, Row};

pub use driver::{Driver, Outcome};
pub use plan::{Defaults, Plan, Resolved};

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
    fn check_same(&self, other: &Self, root: &Path, done: &dyn Fn(usize) -> bool) -> Result<()> {
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

/// The part `index` of `count` of a set, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl Shard {
    /// The whole set.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

impl FromStr for Shard {
    type Err = Error;

    /// Reads `I/N`, with `I` from 1.
    fn from_str(text: &str) -> Result<Self> {
        let parsed = text.split_once('/').and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
        match parsed {
            Some((i, count)) if (1..=count).contains(&i) => Ok(Self { index: i - 1, count }),
            _ => Err(Error::parameter(Setting::SHARD, text, "it must be I/N with I from 1 to N, such as 3/8")),
        }
    }
}

/// What happens during an experiment. Progress of loading and of a batch's steps comes as [`crate::control::Event`].
#[non_exhaustive]
pub enum Event<'a> {
    /// The device was opened.
    Device(&'a Selected),
    /// The prior was loaded.
    Prior {
        /// The prior.
        prior: &'a Prior,
        /// Height and width of the pictures it will restore.
        side: usize,
    },
    /// Something that users may not expect.
    Remark(Remark),
    /// The settings are complete.
    Settings(&'a Settings),
    /// The run begins.
    Begun {
        /// Pictures of this shard to do.
        pending: usize,
        /// Pictures of this shard that were done before.
        done: usize,
    },
    /// A batch begins; its steps follow.
    Batch {
        /// Pictures in it.
        pictures: usize,
    },
    /// A picture is done, or was skipped.
    Picture(&'a Record),
    /// Pairs of pictures are compared, or the features of sets computed.
    Sets {
        /// Pairs of pictures and originals.
        pairs: usize,
    },
    /// A pair is done.
    Pair,
    /// A run of a sweep begins.
    Run {
        /// Its number, from 1.
        number: usize,
        /// Runs in all.
        count: usize,
        /// Its parameters.
        point: &'a Point,
    },
    /// A run of a sweep is done.
    Row {
        /// The run.
        row: &'a Row,
        /// The metric that the sweep compares by.
        metric: &'a About,
    },
}

/// Something that users may not expect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// No class was chosen, so that of the reference is used.
    ReferenceClass(&'static str),
    /// Batches of one picture, because each picture has its own degradation.
    OneByOne,
    /// Batches are smaller than asked for, to fit the memory.
    SmallerBatch {
        /// Pictures per batch.
        batch: usize,
        /// Pictures per batch that were asked for.
        wanted: usize,
    },
    /// The run has less than half the steps of the publication.
    FewSteps {
        /// The method.
        method: &'static str,
        /// Steps of the run.
        steps: usize,
        /// Steps of the publication.
        published: usize,
    },
}

/// Hears of an experiment, and may stop it.
pub trait Listener: Control {
    /// Hears of an event.
    fn hear(&self, event: &Event) {
        _ = event;
    }
}

impl Listener for Silent {}

/// A set of pictures to restore, on a loaded prior.
pub struct Experiment<'a> {
    /// The prior and its device.
    pub restorer: &'a Restorer,
    /// Metrics that compare restored pictures with originals.
    pub metrics: &'a Metrics,
    /// Where results go, and the settings.
    pub results: &'a Results,
    /// The operator of the settings' degradation, for pictures of the settings' side.
    pub measurement: &'a Measurement,
    /// Whether originals and measurements are saved with the restored pictures.
    pub keep_measured: bool,
}

/// A picture that was read.
struct Loaded<'a> {
    entry: &'a Entry,
    picture: Picture,
}

impl Experiment<'_> {
    /// Restores the pictures of a shard that are not done yet. Pictures that cannot be read or restored are recorded with
    /// the reason and skipped.
    ///
    /// # Errors
    /// Results that cannot be written, devices that fail, and cancellation; finished pictures stay finished.
    pub fn run(&self, shard: Shard, listener: &dyn Listener) -> Result<()> {
        let settings = &self.results.settings;
        // Batches are those of the whole set, so that neither shards nor resumption change which pictures share one.
        let batches = settings.pictures.chunks(settings.batch).enumerate();
        let batches = batches.filter(|(i, _)| i % shard.count == shard.index).map(|(_, batch)| batch);
        let (done, pending): (Vec<&[Entry]>, Vec<&[Entry]>) =
            batches.partition(|batch| batch.iter().all(|entry| self.results.has(entry.index)));
        let count = |batches: &[&[Entry]]| batches.iter().map(|batch| batch.len()).sum();
        listener.hear(&Event::Begun { pending: count(&pending), done: count(&done) });
        for batch in pending {
            check(listener, || "between pictures".into())?;
            let mut loaded = Vec::new();
            for entry in batch {
                match dataset::load(&entry.path, settings.side) {
                    Ok(picture) => loaded.push(Loaded { entry, picture }),
                    Err(error) => self.skip(entry, &error, listener)?,
                }
            }
            if loaded.is_empty() {
                continue;
            }
            listener.hear(&Event::Batch { pictures: loaded.len() });
            match self.restore(&loaded, listener) {
                Ok(records) => {
                    for record in records {
                        self.keep(&record, listener)?;
                    }
                }
                Err(error @ (Error::Stopped { .. } | Error::Unwritable { .. } | Error::Device { .. })) => {
                    return Err(error);
                }
                Err(error) => {
                    for Loaded { entry, .. } in &loaded {
                        self.skip(entry, &error, listener)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn keep(&self, record: &Record, listener: &dyn Listener) -> Result<()> {
        self.results.keep(record)?;
        listener.hear(&Event::Picture(record));
        Ok(())
    }

    /// Records why a picture was not restored, unless it was before, in a batch that is made again for its other pictures.
    fn skip(&self, entry: &Entry, error: &Error, listener: &dyn Listener) -> Result<()> {
        if self.results.has(entry.index) {
            return Ok(());
        }
        let (metrics, error) = (BTreeMap::new(), Some(error.to_string()));
        let record = Record { index: entry.index, path: entry.path.clone(), metrics, seconds: 0.0, error };
        self.keep(&record, listener)
    }

    fn restore(&self, batch: &[Loaded], listener: &dyn Listener) -> Result<Vec<Record>> {
        let Settings { measurement: named, config, side, .. } = &self.results.settings;
        let device = &self.restorer.device().device;
        let degradation = named.of_picture(batch[0].entry.index, *side, config.seed)?;
        let own;
        let measurement = if degradation == config.degradation {
            self.measurement
        } else {
            own = Measurement::new(&degradation, config.border, [*side; 2], device)?;
            &own
        };
        let config = RestoreConfig { degradation, ..config.clone() };
        let seeds: Vec<u64> = batch.iter().map(|loaded| picture_seed(config.seed, loaded.entry.index)).collect();
        let x = Tensor::cat(batch.iter().map(|loaded| loaded.picture.to_tensor(device)).collect(), 0);
        let y = measurement.measure(x);
        let sigma_y = signed_sigma(config.sigma);
        // Drawn even if sigma is 0, so that only the strength of the noise depends on sigma.
        let noise = PerPicture::new(&seeds, Stream::Measurement).draw(y.dims(), device);
        // A classical estimate would spread noise out of holes. Runs from noise alone keep that of the reference, which
        // covers the whole picture.
        let y = if config.starts_late() { measurement.with_noise(y, noise, sigma_y) } else { y + noise * sigma_y };
        let data = Data::Exact(y.clone());
        let begun = Instant::now();
        let mut noise = PerPicture::new(&seeds, Stream::Sampling);
        let restored = self.restorer.sample(measurement, &data, &config, &mut noise, listener)?;
        let seconds = begun.elapsed().as_secs_f64() / batch.len() as f64;
        let inverse = measurement.regularized_inverse(y.clone(), saved_eta(&config.method, sigma_y))?;
        let residual = measurement.measure(restored.clone()) - y.clone();
        let consistency = residual.square().mean_dim(1).mean_dim(2).mean_dim(3).sqrt() / 2.0;
        let consistency = consistency.try_into_vec_as::<f32>().map_err(|e| Error::no_result(device, e))?;
        let mut records = Vec::new();
        for (i, Loaded { entry, picture: original }) in batch.iter().enumerate() {
            let one = |x: &Tensor<4>| Picture::from_tensor(x.clone().narrow(0, i, 1));
            let restored = one(&restored)?.in_eight_bits();
            restored.write(&self.results.restored(entry.index))?;
            if self.keep_measured {
                original.write(&self.results.original(entry.index))?;
                one(&inverse)?.write(&self.results.inverse(entry.index))?;
                if measurement.is_picture() {
                    one(&y)?.write(&self.results.measured(entry.index))?;
                }
            }
            let compared = self.metrics.compare(restored.pixels(), original.pixels())?;
            let mut metrics: BTreeMap<String, f64> =
                compared.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            metrics.insert(CONSISTENCY.into(), consistency[i].into());
            // JSON has no infinity, which is the PSNR of equal pictures.
            metrics.retain(|_, value| value.is_finite());
            records.push(Record { index: entry.index, path: entry.path.clone(), metrics, seconds, error: None });
        }
        Ok(records)
    }
}

/// Regularisation of the saved inverse: that of the method's guidance, or of the reference's where it has none.
fn saved_eta(method: &Method, sigma_y: f64) -> f64 {
    method.guidance().unwrap_or(Guidance::DEFAULT).eta(sigma_y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_counted_from_one() {
        assert_eq!("3/8".parse::<Shard>().unwrap(), Shard { index: 2, count: 8 });
        for text in ["0/8", "9/8", "3", "3/", "a/b", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_saved_inverse_follows_the_guidance() {
        let ddpg = Method::named("ddpg").unwrap();
        assert!((saved_eta(&ddpg, 0.1) - 0.007).abs() < 1e-12);
        assert!((saved_eta(&Method::named("ddnm").unwrap(), 0.0) - 1e-4).abs() < 1e-12);
    }
}
