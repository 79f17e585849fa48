//! Experiments as papers make them: degrade every picture of a set, restore it, and measure how close it came.
//!
//! An [`Experiment`] is its [`Settings`] on a loaded prior; [`Experiment::run`] works through the pictures and reports by
//! [`Event`]s. Everything of a picture, its noise included, follows from the settings and its place in the set, so that a run
//! may be stopped, resumed and split at will.

pub mod config;
pub mod dataset;
pub mod degradation;
pub mod evaluation;
pub mod recipes;
pub mod report;
pub mod results;
pub mod statistics;
pub mod sweep;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::degradation::Degradation;
use crate::device::DeviceRecord;
use crate::error::{Error, Result};
use crate::metrics::{CONSISTENCY, Metrics};
use crate::noise::{Noise, PerPicture, Stream, picture_seed};
use crate::picture::Picture;
use crate::recipe::PriorRecord;
use crate::restore::{self, Method, RestoreConfig, Restorer};
use crate::sampler::Progress;

use dataset::Entry;
use degradation::Measurement;
use results::{Record, Results};

/// Regularisation per noise variance of the inverse that is shown, for methods without a parameter for it: the reference's
/// default.
const ETA_TILDE: f64 = 0.7;

/// Everything that decides the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Version of this program.
    pub version: String,
    /// What happens to the pictures.
    pub measurement: Measurement,
    /// How they are restored; its degradation is that of the first picture.
    pub config: RestoreConfig,
    /// The prior.
    pub prior: PriorRecord,
    /// The device.
    pub device: DeviceRecord,
    /// Side of the pictures.
    pub side: usize,
    /// Pictures at once.
    pub batch: usize,
    /// The pictures.
    pub pictures: Vec<Entry>,
}

impl Settings {
    /// Refuses settings that would give other results than these; the device may differ.
    ///
    /// # Errors
    /// The first setting that differs.
    fn check_same(&self, other: &Self, root: &Path) -> Result<()> {
        let differ = [
            ("the degradation", self.measurement != other.measurement),
            ("the method or a parameter", self.config != other.config),
            ("the prior", self.prior.sha256 != other.prior.sha256 || self.prior.choice != other.prior.choice),
            ("the size of the pictures", self.side != other.side),
            ("the number of pictures at once", self.batch != other.batch),
            ("the set of pictures", self.pictures != other.pictures),
            ("the version of the program", self.version != other.version),
        ];
        match differ.iter().find(|(_, differs)| *differs) {
            None => Ok(()),
            Some((what, _)) => Err(Error::Results {
                path: root.into(),
                fact: format!("its results were made with other settings: {what} differs"),
                remedy: "pass the same flags, or another -i".into(),
            }),
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

/// What happens during a run.
pub enum Event<'a> {
    /// It begins: pictures to do, and those done before.
    Begun {
        /// Pictures of this shard that are not done.
        pending: usize,
        /// Those that are.
        done: usize,
    },
    /// A step of a batch.
    Step {
        /// Pictures of the batch.
        pictures: usize,
        /// The step.
        progress: &'a Progress<'a>,
    },
    /// A picture is done, or was skipped.
    Picture(&'a Record),
}

/// Hears of events; breaking stops the run.
pub type Listener<'a> = dyn FnMut(Event) -> ControlFlow<()> + 'a;

/// Settings on a loaded prior.
pub struct Experiment<'a> {
    /// The prior and its device.
    pub restorer: &'a Restorer,
    /// What is measured.
    pub metrics: &'a Metrics,
    /// Where results go, and what makes them.
    pub results: &'a Results,
    /// Whether originals and measurements are kept beside the restored pictures.
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
    /// Results that cannot be written, and being stopped; what is done stays done.
    pub fn run(&self, shard: Shard, listener: &mut Listener) -> Result<()> {
        let settings = &self.results.settings;
        // Batches are those of the whole set, so that neither a shard nor a resumed run changes who shares one.
        let batches = settings.pictures.chunks(settings.batch).enumerate();
        let batches = batches.filter(|(i, _)| i % shard.count == shard.index).map(|(_, batch)| batch);
        let (done, pending): (Vec<&[Entry]>, Vec<&[Entry]>) =
            batches.partition(|batch| batch.iter().all(|entry| self.results.has(entry.index)));
        let count = |batches: &[&[Entry]]| batches.iter().map(|batch| batch.len()).sum();
        let begun = Event::Begun { pending: count(&pending), done: count(&done) };
        if listener(begun).is_break() {
            return Err(Error::Stopped { step: 0, steps: settings.config.steps });
        }
        for batch in pending {
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
            match self.restore(&loaded, listener) {
                Ok(records) => {
                    for record in records {
                        self.results.keep(&record)?;
                        _ = listener(Event::Picture(&record));
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

    fn skip(&self, entry: &Entry, error: &Error, listener: &mut Listener) -> Result<()> {
        let (metrics, error) = (BTreeMap::new(), Some(error.to_string()));
        let record = Record { index: entry.index, path: entry.path.clone(), metrics, seconds: 0.0, error };
        self.results.keep(&record)?;
        _ = listener(Event::Picture(&record));
        Ok(())
    }

    fn restore(&self, batch: &[Loaded], listener: &mut Listener) -> Result<Vec<Record>> {
        let Settings { measurement, config, side, .. } = &self.results.settings;
        let device = &self.restorer.device().device;
        let size = [*side; 2];
        let degradation = measurement.of_picture(batch[0].entry.index, config.seed)?;
        let config = RestoreConfig { degradation, ..config.clone() };
        let operator = config.degradation.build(size[0], size[1], device)?;
        let seeds: Vec<u64> = batch.iter().map(|loaded| picture_seed(config.seed, loaded.entry.index)).collect();
        let x = Tensor::cat(batch.iter().map(|loaded| loaded.picture.to_tensor(device)).collect(), 0);
        let measured = |x| restore::measure(&config.degradation, config.border, x);
        let y = measured(x)?;
        let sigma_y = 2.0 * config.sigma;
        // Also where sigma is 0, so that only the strength of the noise depends on it.
        let y = y.clone() + PerPicture::new(&seeds, Stream::Measurement).draw(y.dims(), device) * sigma_y;
        let begun = Instant::now();
        let mut noise = PerPicture::new(&seeds, Stream::Sampling);
        let restored = self.restorer.run_with(&config, y.clone(), size, &mut noise, &mut |progress| {
            listener(Event::Step { pictures: batch.len(), progress })
        })?;
        let seconds = begun.elapsed().as_secs_f64() / batch.len() as f64;
        let inverse = operator.regularized_inverse(y.clone(), shown_eta(&config.method, sigma_y));
        let residual = measured(restored.clone())? - y.clone();
        let consistency = residual.square().mean_dim(1).mean_dim(2).mean_dim(3).sqrt() / 2.0;
        let consistency = consistency.try_into_vec_as::<f32>().map_err(|e| Error::Device {
            device: self.restorer.device().description.clone(),
            fact: format!("it gave no results back ({e})"),
            remedy: "try fewer pictures at once, or --device cpu".into(),
        })?;
        let mut records = Vec::new();
        for (i, Loaded { entry, picture: original }) in batch.iter().enumerate() {
            let one = |x: &Tensor<4>| Picture::from_tensor(x.clone().narrow(0, i, 1));
            let restored = one(&restored)?.in_eight_bits();
            restored.write(&self.results.restored(entry.index))?;
            if self.keep_measured {
                original.write(&self.results.original(entry.index))?;
                one(&inverse)?.write(&self.results.inverse(entry.index))?;
                if is_picture(&config.degradation) {
                    one(&y)?.write(&self.results.measured(entry.index))?;
                }
            }
            let compared = self.metrics.compare(restored.pixels(), original.pixels())?;
            let mut metrics: BTreeMap<String, f64> =
                compared.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            metrics.insert(CONSISTENCY.into(), consistency[i].into());
            // JSON has no infinity, which PSNR is for equal pictures.
            metrics.retain(|_, value| value.is_finite());
            records.push(Record { index: entry.index, path: entry.path.clone(), metrics, seconds, error: None });
        }
        Ok(records)
    }
}

/// Regularisation of the inverse that is shown: that of the method's own guidance, where it has one.
fn shown_eta(method: &Method, sigma_y: f64) -> f64 {
    match method {
        Method::Fdgr { guidance, .. } | Method::Ddpg { guidance } | Method::Idpg { guidance } => guidance.eta(sigma_y),
        _ => (ETA_TILDE * sigma_y * sigma_y).max(1e-4),
    }
}

/// Whether measurements can be looked at.
fn is_picture(degradation: &Degradation) -> bool {
    !matches!(degradation, Degradation::CsWalshhadamard { .. } | Degradation::CsBlockbased { .. })
}
