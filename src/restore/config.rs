//! Everything that decides a result, given the measurement and the prior.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{Channels, Source, defaults};
use crate::degradation::{Degradation, Family};
use crate::error::{Error, Hint, Result, Setting, Subject};
use crate::estimate::Fading;
use crate::picture::{MAX_PIXELS, Picture};
use crate::sampler::{Method, Sampler, Timeline, Travel, schedule::Betas, signed_sigma};

/// Larger factors leave hardly anything of a photo.
const LARGEST_ENLARGEMENT: f64 = 16.0;
/// Largest noise that is accepted, of a `[0, 1]` image.
const MAX_SIGMA: f64 = 1.0;

/// How a blurred picture goes on beyond its border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// Unseen content lies outside the frame (valid convolution of a larger image): for photographs
    Extend,
    /// It wraps around (circular convolution): the papers' experiments
    Periodic,
}

/// What a measured value says of the true one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum DataModel {
    /// The value itself
    #[default]
    Exact,
    /// An interval: half a step of 8 bits around it, and everything beyond it where it is black or white
    Intervals,
    /// The value itself, but nothing where the blur did not make it: captions, dust, lamps brighter than white, which stay as they are
    Robust,
}

impl DataModel {
    fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Everything that decides the result, given the measurement and the prior: what recipes store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreConfig {
    /// What happened to the picture.
    pub degradation: Degradation,
    /// Standard deviation of its noise, of a `[0, 1]` image.
    pub sigma: f64,
    /// How the noise of the channels is related.
    #[serde(default, skip_serializing_if = "Channels::are_independent")]
    pub channels: Channels,
    /// The method with its parameters.
    pub method: Method,
    /// Steps of a full run.
    pub steps: usize,
    /// Share of those steps that is run, from the classical estimate where below 1.
    pub start: f64,
    /// Whether estimates are limited to `[-1, 1]`.
    pub clip: bool,
    /// How the noise grew in the prior's training.
    #[serde(default)]
    pub schedule: Betas,
    /// Time travel: jumps back to noise.
    #[serde(default, skip_serializing_if = "Travel::is_none")]
    pub travel: Travel,
    /// Treatment of the border of a blurred picture.
    pub border: Border,
    /// What measured values say.
    #[serde(default, skip_serializing_if = "DataModel::is_exact")]
    pub data: DataModel,
    /// Share of BM3D's answer in the result of denoising.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bm3d: f64,
    /// Whether its blur was found in the photo, and is adjusted by trial restorations first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub refine: bool,
    /// How the channels of the photo faded: that is undone first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fading: Option<Fading>,
    /// Factor by which the photo was enlarged before: it is reduced by that first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enlarged: Option<f64>,
    /// Height and width that the result is resampled to, in place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// Seed of all noise.
    pub seed: u64,
}

impl RestoreConfig {
    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=MAX_SIGMA).contains(&self.sigma) {
            return Err(Error::parameter(
                Setting::SIGMA,
                self.sigma,
                "it must be between 0 and 1 (of a [0, 1] picture)",
            ));
        }
        if let Some(factor) = self.enlarged
            && !(1.0..=LARGEST_ENLARGEMENT).contains(&factor)
        {
            let fact = format!("it must be between 1 and {LARGEST_ENLARGEMENT}");
            return Err(Error::parameter("the factor of an enlargement", factor, fact));
        }
        if self.size.is_some_and(|[height, width]| !(1..=MAX_PIXELS).contains(&(height.saturating_mul(width) as u64))) {
            let fact = "it is empty or larger than any picture that is read";
            return Err(Error::mismatch("the size of the result", fact, "choose another"));
        }
        if self.enlarged.is_some() && self.degradation.is_quantized() {
            let fact = "a JPEG's cells are of the photo as it is, not of the one that it was made of";
            return Err(Error::mismatch("the factor of an enlargement", fact, "leave it out"));
        }
        if self.fading.is_some_and(|fading| !fading.is_plausible()) {
            let fact = "its levels of black and white lie too close together, or too far out";
            return Err(Error::mismatch("the fading", fact, "leave it out"));
        }
        if self.fading.is_some() && (self.degradation.is_quantized() || self.data == DataModel::Intervals) {
            let fact =
                "what files say of rounding and compression is of the photo as it is, not of the one before it faded";
            return Err(Error::mismatch(
                "the fading",
                fact,
                Hint::Omit(Setting::UNFADE).or(Hint::set(Setting::DATA, "exact")),
            ));
        }
        if !(0.0..=1.0).contains(&self.bm3d) {
            return Err(Error::parameter(Setting::BM3D, self.bm3d, "it must be between 0 and 1"));
        }
        if self.bm3d > 0.0 && self.degradation.family() != Some(Family::Noise) {
            let fact = "BM3D takes noise away, and nothing else";
            return Err(Error::mismatch(Setting::BM3D, fact, Hint::Omit(Setting::BM3D)));
        }
        self.method.check()?;
        self.check_channels()?;
        if self.data == DataModel::Intervals && !self.degradation.is_picture() {
            let fact = "measurements of compressed sensing are not rounded or cut off as pixels are";
            return Err(Error::mismatch(Setting::DATA, fact, Hint::set(Setting::DATA, "exact")));
        }
        if self.data == DataModel::Robust && defaults::data_model(&self.degradation, self.border) != DataModel::Robust {
            let fact = "only a single blur that the Fourier transform inverts, with the border of a photo, tells captions and lights from the rest";
            return Err(Error::mismatch(Setting::DATA, fact, Hint::set(Setting::DATA, "exact")));
        }
        let quantized = self.degradation.is_quantized();
        if quantized && self.data == DataModel::Intervals {
            let fact = "a JPEG says already in which cells its values lie";
            return Err(Error::mismatch(Setting::DATA, fact, Hint::set(Setting::DATA, "exact")));
        }
        if (quantized || !self.data.is_exact()) && self.method.needs(self.sigma).exact_data {
            let method = Subject::given(Setting::METHOD, self.method.name());
            let (fact, hint) = match quantized {
                true => ("it needs measured values that are points, not cells", "choose another method".into()),
                false => (
                    "it needs measured values that are points, not intervals",
                    Hint::set(Setting::DATA, "exact").or("choose another method"),
                ),
            };
            return Err(Error::mismatch(method, fact, hint));
        }
        if !self.travel.is_none() && !self.method.travels() {
            return Err(Error::mismatch(
                Setting::TRAVEL_REPEAT,
                format!("{} has no time travel", self.method.name()),
                Hint::set(Setting::TRAVEL_REPEAT, "1").or(format!("choose {}", Method::travellers().join(", "))),
            ));
        }
        self.timeline().map(drop)
    }

    /// # Errors
    /// Covariances that are none, and noise of channels that the degradation mixes already.
    pub(super) fn check_channels(&self) -> Result<()> {
        let subject = "the relation of the channels' noise";
        if self.channels.are_independent() {
            return Ok(());
        }
        if !self.channels.are_plausible() {
            let fact = "it is no covariance of mean variance 1";
            return Err(Error::mismatch(subject, fact, "correct it, or leave it out"));
        }
        if self.data == DataModel::Intervals && self.channels != Channels::Gray {
            let fact = "mixtures of channels are not rounded or cut off as pixels are";
            return Err(Error::mismatch(Setting::DATA, fact, Hint::set(Setting::DATA, "exact")));
        }
        if self.degradation.discards_colors() || !self.degradation.is_picture() {
            let fact = format!("what {} measures has no channels", self.degradation.name());
            return Err(Error::mismatch(subject, fact, "leave the channels independent"));
        }
        Ok(())
    }

    fn timeline(&self) -> Result<Timeline> {
        Timeline::new(self.schedule, self.steps, self.start, self.travel)
    }

    /// The times of a run: the sampler's own, or those of the steps.
    pub(super) fn timeline_of(&self, sampler: &dyn Sampler) -> Result<Timeline> {
        match sampler.timeline(signed_sigma(self.sigma), self.schedule)? {
            Some(timeline) => Ok(timeline),
            None => self.timeline(),
        }
    }

    /// Whether a run starts from the classical estimate, and not from noise alone as in the papers.
    pub(crate) fn starts_late(&self) -> bool {
        self.start < 1.0 || self.method.starts_from_estimate()
    }

    /// Height and width of the image that is sought, before its size is changed.
    pub fn image_size(&self, source: &Source) -> [usize; 2] {
        match (source, self.enlarged) {
            (Source::Photo(photo), Some(factor)) => {
                self.degradation.image_size(Picture::size_before_enlargement([photo.height(), photo.width()], factor))
            }
            _ => source.image_size(&self.degradation),
        }
    }

    /// Height and width of the result.
    pub fn result_size(&self, source: &Source) -> [usize; 2] {
        self.size.unwrap_or_else(|| self.image_size(source))
    }

    /// Network evaluations (NFE) of one image.
    ///
    /// # Errors
    /// Parameters outside their range.
    pub fn evaluations(&self) -> Result<usize> {
        // Neither the size nor the device matters.
        let sampler = self.method.sampler([16, 16], &Device::flex())?;
        let steps = self.timeline_of(sampler.as_ref())?.steps().count();
        Ok((0..steps).map(|index| sampler.symmetries(index).len()).sum())
    }
}
