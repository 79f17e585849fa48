//! What a user asks for, and how the rest is found out.

use super::{Border, DataModel, Preference, Quality, RestoreConfig, Source, defaults};
use crate::control::{self, Control, Event};
use crate::degradation::Degradation;
use crate::error::{Error, Hint, Result, Setting};
use crate::parameter::Values;
use crate::sampler::Method;

/// A value, or the wish to have it found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Auto<T> {
    /// To be found out.
    #[default]
    Auto,
    /// Given.
    Given(T),
}

impl<T> From<Option<T>> for Auto<T> {
    fn from(given: Option<T>) -> Self {
        given.map_or(Self::Auto, Self::Given)
    }
}

/// What a user asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What happened to the picture; files of measurements say it themselves.
    pub degradation: Auto<Degradation>,
    /// Standard deviation of the noise, of a `[0, 1]` image.
    pub sigma: Auto<f64>,
    /// Seed of all noise.
    pub seed: u64,
    /// What is to differ from the defaults of the task.
    pub overrides: Overrides,
}

/// Values in the place of a task's defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Name of the method.
    pub method: Option<String>,
    /// Parameters of the method.
    pub parameters: Values,
    /// Closeness to the true picture, or to photographs.
    pub preference: Option<Preference>,
    /// Preset of steps.
    pub quality: Option<Quality>,
    /// Steps of a full run.
    pub steps: Option<usize>,
    /// Share of the steps that is run.
    pub start: Option<f64>,
    /// Steps of a jump back to noise.
    pub travel_length: Option<usize>,
    /// Times each stretch is run.
    pub travel_repeat: Option<usize>,
    /// Whether estimates are limited to the range of pixels.
    pub clip: Option<bool>,
    /// Border of a blurred picture.
    pub border: Option<Border>,
    /// What measured values say.
    pub data: Option<DataModel>,
}

impl Request {
    /// The restoration of what a degradation made, with noise to be estimated.
    pub fn new(degradation: impl Into<Degradation>) -> Self {
        Self { degradation: Auto::Given(degradation.into()), ..Self::default() }
    }

    /// The configuration, with everything found out that was not given.
    ///
    /// # Errors
    /// Requests that contradict themselves or the source, parameters outside their range, and being cancelled.
    pub fn resolve(&self, source: &Source, control: &dyn Control) -> Result<RestoreConfig> {
        control::check(control, || "before anything was estimated".into())?;
        let (degradation, sigma) = match source {
            Source::Photo(photo) => {
                let degradation = self.degradation_of_photo()?;
                let sigma = match self.sigma {
                    Auto::Given(sigma) => sigma,
                    Auto::Auto => usual_sigma(&degradation).unwrap_or_else(|| {
                        control.emit(Event::Estimating("the noise"));
                        photo.noise_level()
                    }),
                };
                (degradation, sigma)
            }
            Source::Sensed(sensed) => {
                let made = &sensed.description;
                if let Auto::Given(given) = &self.degradation
                    && *given != made.degradation
                {
                    return Err(Error::mismatch(
                        Setting::DEGRADATION,
                        "the file of measurements says how it was made, and it was another way",
                        Hint::Omit(Setting::DEGRADATION),
                    ));
                }
                let sigma = match self.sigma {
                    Auto::Given(sigma) => sigma,
                    Auto::Auto => made.sigma,
                };
                (made.degradation.clone(), sigma)
            }
        };
        let mut config = RestoreConfig { seed: self.seed, ..RestoreConfig::new(degradation, sigma) };
        self.overrides.apply(&mut config)?;
        config.check()?;
        Ok(config)
    }

    fn degradation_of_photo(&self) -> Result<Degradation> {
        let Auto::Given(degradation) = &self.degradation else {
            return Err(Error::mismatch(
                Setting::DEGRADATION,
                "what happened to the photo is not known",
                Hint::Give(Setting::DEGRADATION),
            ));
        };
        if !degradation.is_picture() {
            return Err(Error::mismatch(
                Setting::DEGRADATION,
                "a picture is not a file of measurements of compressed sensing",
                "pass a .safetensors file of measurements",
            ));
        }
        Ok(degradation.clone())
    }
}

/// The noise of tasks whose pictures are taken to have none.
fn usual_sigma(degradation: &Degradation) -> Option<f64> {
    let usual: Option<Vec<f64>> =
        degradation.stages().iter().map(|stage| stage.kind().usual_sigma.filter(|&sigma| sigma == 0.0)).collect();
    usual.map(|_| 0.0)
}

impl Overrides {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts them in the place of a configuration's values.
    ///
    /// # Errors
    /// Unknown methods, parameters of other methods, values out of range, and a border for what has none.
    pub fn apply(&self, config: &mut RestoreConfig) -> Result<()> {
        if self.border.is_some() && config.degradation.valid_kernel()?.is_none() {
            return Err(Error::mismatch(
                Setting::BORDER,
                "only blurs inverted by the Fourier transform have one",
                Hint::Omit(Setting::BORDER),
            ));
        }
        if let Some(preference) = self.preference {
            *config = defaults::preferred(config, preference);
        }
        if let Some(name) = &self.method
            && *name != config.method.name()
        {
            let base = defaults::with_method(config, name)?;
            *config = base;
        }
        config.method = config.method.with(&self.parameters)?;
        config.start = self.start.unwrap_or(config.start);
        if let Some(quality) = self.quality {
            *config = config.clone().with_quality(quality);
        }
        match (&mut config.method, self.steps) {
            // Its steps are its denoisings.
            (Method::Hqs(hqs), Some(steps)) => hqs.calls = steps,
            (_, Some(steps)) => config.steps = steps,
            (_, None) => {}
        }
        config.travel.length = self.travel_length.unwrap_or(config.travel.length);
        config.travel.repeat = self.travel_repeat.unwrap_or(config.travel.repeat);
        config.clip = self.clip.unwrap_or(config.clip);
        config.border = self.border.unwrap_or(config.border);
        config.data = self.data.unwrap_or(config.data);
        config.check()
    }
}
