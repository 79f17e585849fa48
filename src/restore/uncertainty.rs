//! How sure a result is, pixel by pixel, from samples of what else the photo could have been.

use image::{Rgb, Rgb32FImage};

use super::{DataModel, RestoreConfig, Restored, Restorer, Source, defaults};
use crate::control::{Control, Event};
use crate::degradation::Family;
use crate::error::{Error, Result, Setting};
use crate::picture::Picture;
use crate::sampler::Method;

/// Most samples that are drawn.
pub const MOST_SAMPLES: usize = 64;
/// Share of the values of true pictures that lie within the map's distance of the result.
pub const COVERED: f64 = 0.9;
/// What is at least unsure about a value in `[0, 1]`: pixels on which all samples agree are not certain.
const LEAST: f32 = 1.0 / 255.0;
/// Pixels each way whose spread is taken together: that of a few samples is rough.
const REACH: i64 = 2;

/// How sure a result is.
#[derive(Clone, Debug)]
pub struct Uncertainty {
    /// Grey with 16 bits, of the size of the result: the distance within which [`COVERED`] of the true values lie, of values in `[0, 1]`; or
    /// why there is none.
    pub map: std::result::Result<Picture, &'static str>,
    /// Pictures that explain the photo as well, and have the texture of photographs.
    pub samples: Vec<Picture>,
}

impl Restorer {
    /// Draws `count` samples for a photo that was restored, and says how far from the result the truth may be.
    ///
    /// The distance is `c sqrt(mean_i (x_i - x)²)` with the result `x`, samples `x_i`, means over colours and 5x5 pixels, and `c`
    /// such that 90% of the values of pictures that the prior has not seen lie within it (split-conformal calibration). It is no
    /// guarantee for photos unlike those.
    ///
    /// # Errors
    /// As [`Restorer::restore`], and as [`check_sample_count`].
    pub fn uncertainty(
        &self,
        source: &Source,
        restored: &Restored,
        count: usize,
        control: &dyn Control,
    ) -> Result<Uncertainty> {
        check_sample_count(count)?;
        let config = match restored.config.method {
            // The most probable picture is one.
            Method::Hqs(_) => defaults::sampled_late(&restored.config)?,
            _ => restored.config.clone(),
        };
        // What the result explained need not be looked for in every sample.
        let data = match (config.data, restored.receipt.unexplained) {
            (DataModel::Robust, None) => DataModel::Exact,
            (data, _) => data,
        };
        let config = RestoreConfig { data, ..config };
        let mut samples = Vec::new();
        for index in 0..count {
            control.emit(Event::Estimating(&format!("sample {} of {count}", index + 1)));
            let seed = config.seed.wrapping_add(index as u64 + 1);
            let config = RestoreConfig { seed, ..config.clone() };
            samples.push(self.restore(source, &config, control)?.picture);
        }
        let map = calibration(&restored.config).map(|factor| distances(&restored.picture, &samples, factor));
        Ok(Uncertainty { map, samples })
    }
}

/// # Errors
/// Counts of samples that say nothing or take too long.
pub fn check_sample_count(count: usize) -> Result<()> {
    if (2..=MOST_SAMPLES).contains(&count) {
        return Ok(());
    }
    Err(Error::parameter(Setting::UNCERTAINTY, count, format!("it must be between 2 and {MOST_SAMPLES}")))
}

/// What the spread is multiplied by, so that it covers: measured with eight samples of each of eight photos that the prior has not
/// seen (`benches/peer/uncertainty.py`); or why that is not known.
fn calibration(config: &RestoreConfig) -> std::result::Result<f32, &'static str> {
    if !matches!(config.method, Method::Hqs(_)) {
        return Err("it was calibrated for results of hqs");
    }
    match config.degradation.family() {
        Some(Family::Noise) => Ok(3.0),
        Some(Family::Resolution) => Ok(3.3),
        Some(Family::Blur { .. }) => Ok(1.7),
        Some(Family::Quantized { .. }) => Ok(3.2),
        Some(Family::Holes) => Ok(1.7),
        Some(Family::Colors) => Err("samples of lost colours agree on wrong ones, so that their spread says nothing"),
        Some(Family::Sensing) => Err("it was not calibrated for compressed sensing"),
        None => Err("it was not calibrated for several things at once"),
    }
}

/// `c sqrt(mean_i (x_i - x)²)`, means over colours and 5x5 pixels, for samples of the size of the result.
fn distances(result: &Picture, samples: &[Picture], calibration: f32) -> Picture {
    let (width, height) = result.pixels().dimensions();
    let mut squares = vec![0.0f32; (width * height) as usize];
    for sample in samples {
        for (square, (x, s)) in squares.iter_mut().zip(result.pixels().pixels().zip(sample.pixels().pixels())) {
            let far: f32 = x.0.iter().zip(s.0).map(|(x, s)| (x - s).powi(2)).sum();
            *square += far / (3 * samples.len()) as f32;
        }
    }
    let near = |x: i64, y: i64| -> f32 {
        let places = (-REACH..=REACH).flat_map(|dy| (-REACH..=REACH).map(move |dx| (x + dx, y + dy)));
        let inside = |(x, y): &(i64, i64)| (0..i64::from(width)).contains(x) && (0..i64::from(height)).contains(y);
        let (sum, count) = places
            .filter(inside)
            .fold((0.0, 0.0), |(sum, count), (x, y)| (sum + squares[(y * i64::from(width) + x) as usize], count + 1.0));
        sum / count
    };
    let distance = |x: u32, y: u32| {
        let spread = near(x.into(), y.into()).sqrt().max(LEAST);
        Rgb([(calibration * spread).min(1.0); 3])
    };
    let mut map = Picture::new(Rgb32FImage::from_fn(width, height, distance));
    (map.extras.gray, map.extras.deep) = (true, true);
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::splitmix64;

    #[test]
    fn the_map_is_the_spread_of_the_samples() {
        let flat = |value| Picture::new(Rgb32FImage::from_pixel(32, 24, Rgb([value; 3])));
        // Normal noise, by the sum of twelve uniform numbers.
        let normal =
            |place: u64| (0..12).map(|k| splitmix64(16 * place + k) as f32 / u64::MAX as f32).sum::<f32>() - 6.0;
        let noisy = |sample: u64| {
            Picture::new(Rgb32FImage::from_fn(32, 24, |x, y| {
                let place = 4 * (1000 * sample + u64::from(32 * y + x));
                Rgb([0, 1, 2].map(|c| 0.5 + 0.1 * normal(place + c)))
            }))
        };
        let samples: Vec<Picture> = (0..8).map(noisy).collect();
        let map = distances(&flat(0.5), &samples, 1.0);
        for Rgb([value, ..]) in map.pixels().pixels() {
            assert!((value - 0.1).abs() < 0.03, "{value}");
        }
        let sure = distances(&flat(0.5), &[flat(0.5), flat(0.5)], 1.0);
        assert!(sure.pixels().iter().all(|value| (value - LEAST).abs() < 1e-6));
    }
}
