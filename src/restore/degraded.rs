//! Degraded photos, for trying things out.

use std::path::Path;

use super::{Border, Description, Measurement, Sensed, Source};
use crate::degradation::Degradation;
use crate::device;
use crate::error::Result;
use crate::noise::{Noise, Seeded, Stream};
use crate::picture::{Picture, Writing};
use crate::sampler::signed_sigma;

impl Source {
    /// What a degradation and noise of standard deviation `sigma` of a `[0, 1]` image, drawn from `seed`, make of a photo; on the CPU.
    ///
    /// # Errors
    /// Sizes that do not fit the degradation, and parameters outside their range.
    pub fn degraded(photo: &Picture, degradation: &Degradation, border: Border, sigma: f64, seed: u64) -> Result<Self> {
        let device = device::cpu("degrading is quick".into()).device;
        let size = [photo.height(), photo.width()];
        let measurement = Measurement::new(degradation, border, size, &device)?;
        let y = measurement.measure(photo.to_tensor(&device));
        let noise = Seeded::new(seed, Stream::Measurement).draw(y.dims(), &device);
        let y = measurement.with_noise(y, noise, signed_sigma(sigma));
        if degradation.is_picture() {
            return Ok(Self::Photo(Picture::from_tensor(y)?.with_extras_of(photo, true)));
        }
        let description = Description { size, degradation: degradation.clone(), sigma };
        Ok(Self::Sensed(Box::new(Sensed::new(y, description)?)))
    }

    /// Writes the photo, or the file of measurements.
    ///
    /// # Errors
    /// As [`Picture::write`], and places that cannot be written.
    pub fn write(&self, path: &Path, writing: &Writing) -> Result<()> {
        match self {
            Self::Photo(photo) => photo.write_as(path, writing),
            Self::Sensed(sensed) => sensed.write(path),
        }
    }
}
