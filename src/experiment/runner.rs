//! A set of pictures through degradation, restoration and measurement.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::Tensor;

use super::dataset::{self, Entry};
use super::event::{Event, Listener};
use super::results::{Record, Results};
use super::settings::Settings;
use super::shard::Shard;
use crate::control::check;
use crate::error::{Error, Result};
use crate::metrics::{CONSISTENCY, Metrics};
use crate::noise::{Noise, PerPicture, Stream, picture_seed};
use crate::picture::Picture;
use crate::restore::{Measurement, Method, RestoreConfig, Restorer};
use crate::sampler::{Data, Guidance, signed_sigma};

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
    fn the_saved_inverse_follows_the_guidance() {
        let ddpg = Method::named("ddpg").unwrap();
        assert!((saved_eta(&ddpg, 0.1) - 0.007).abs() < 1e-12);
        assert!((saved_eta(&Method::named("ddnm").unwrap(), 0.0) - 1e-4).abs() < 1e-12);
    }
}
