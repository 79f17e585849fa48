//! What a user asks for, and how the rest is found out.

use serde::{Deserialize, Serialize};

use super::beforehand::Beforehand;
use super::receipt::ROUNDING;
use super::{
    Border, Channels, DataModel, Description, Preference, Quality, RestoreConfig, Source, TargetSize, defaults,
};
use crate::control::{self, Control, Event};
use crate::degradation::{self, Context, Degradation};
use crate::error::{Error, Hint, Result, Setting};
use crate::estimate::{self, Diagnosis, Fading, NoiseEstimate, Treatment};
use crate::parameter::Values;
use crate::picture::{Compression, Picture};
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
    /// How its channels faded, where that is undone first.
    pub fading: Option<Fading>,
    /// Whether the degradation that is given was found in the photo, and not said by somebody.
    pub is_found: bool,
    /// Factor by which the photo was enlarged by interpolation, if it was.
    pub enlarged: Option<f64>,
    /// Size of the result, in place of the one that the degradation asks for.
    pub size: Option<TargetSize>,
    /// Whether a photo in which nothing is found to be wrong is restored all the same, by denoising.
    pub force: bool,
    /// What is to differ from the defaults of the task.
    pub overrides: Overrides,
}

/// Values in the place of a task's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Share of BM3D's answer in the result of denoising.
    pub bm3d: Option<f64>,
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
        let config = match source {
            Source::Photo(photo) => self.of_photo(photo, control)?,
            Source::Sensed(sensed) => self.of_measurements(&sensed.description)?,
        };
        let refine = self.is_open(source) && config.psf().is_some();
        let mut config = RestoreConfig { seed: self.seed, refine, ..config };
        self.overrides.apply(&mut config)?;
        Ok(config)
    }

    /// Whether it is a photo of which nobody said what happened to it: the result has to explain it.
    pub fn is_open(&self, source: &Source) -> bool {
        let is_asked = self.degradation == Auto::Auto && !self.force;
        (is_asked || self.is_found) && source.photo().is_some()
    }

    /// The defaults for a photo.
    fn of_photo(&self, photo: &Picture, control: &dyn Control) -> Result<RestoreConfig> {
        let size_of = |photo: &Picture| [photo.height(), photo.width()];
        let whole = size_of(photo);
        if let Some(fading) = &self.fading {
            control.emit(Event::Found(&fading.describe()));
        }
        let beforehand = Beforehand { fading: self.fading, enlarged: self.enlarged };
        let compression = self.fading.and_then(|_| photo.compression.clone());
        let photo = beforehand.undone(photo);
        let size = self.size.map(|size| size.of(size_of(&photo))).transpose()?;
        let Found { degradation, enlarged, noise } = match &self.degradation {
            Auto::Given(degradation) => Found { degradation: degradation.clone(), enlarged: None, noise: None },
            Auto::Auto => self.diagnosed(&photo, control)?,
        };
        check_is_picture(&degradation)?;
        let photo = Beforehand { fading: None, enlarged }.undone(&photo);
        let (sigma, channels) = self.noise_of_photo(&photo, &degradation, noise, control);
        // With the contrast, rounding and compression grew.
        let sigma = match self.fading {
            // That of the photo as it is was given.
            Some(fading) if self.sigma != Auto::Auto => sigma * fading.gain(),
            Some(fading) => {
                let quantized = compression.filter(|_| degradation.is_blur()).map_or(0.0, |found| found.noise());
                sigma.max(rounded(fading.gain() * ROUNDING.max(quantized)))
            }
            None => sigma,
        };
        Ok(RestoreConfig {
            // Detail is put where interpolation had put none: the size stays.
            size: size.or(enlarged.map(|_| whole)),
            fading: self.fading,
            enlarged: self.enlarged.into_iter().chain(enlarged).reduce(|given, found| given * found),
            ..RestoreConfig::of(degradation, sigma, channels)
        })
    }

    /// The defaults for measurements that are no picture.
    fn of_measurements(&self, made: &Description) -> Result<RestoreConfig> {
        if self.enlarged.is_some() || self.fading.is_some() || self.size.is_some() || self.force {
            let fact = "files of measurements say themselves what is sought, and of what size";
            return Err(Error::mismatch("a change of the size, or of what is done", fact, "leave it out"));
        }
        if let Auto::Given(given) = &self.degradation
            && *given != made.degradation
        {
            let fact = format!("the file says how it was made, by {}, and it was another way", made.degradation.name());
            return Err(Error::mismatch(Setting::DEGRADATION, fact, Hint::Omit(Setting::DEGRADATION)));
        }
        let sigma = match self.sigma {
            Auto::Given(sigma) => sigma,
            Auto::Auto => made.sigma,
        };
        Ok(RestoreConfig::new(made.degradation.clone(), sigma))
    }

    /// The noise's standard deviation, and how its channels are related: given, usual, measured already or estimated.
    fn noise_of_photo(
        &self,
        photo: &Picture,
        degradation: &Degradation,
        measured: Option<NoiseEstimate>,
        control: &dyn Control,
    ) -> (f64, Channels) {
        let known = match self.sigma {
            Auto::Given(sigma) => Some(sigma),
            Auto::Auto => usual_sigma(degradation),
        };
        let gray = photo.is_gray() && !degradation.discards_colors();
        if let Some(sigma) = known
            && (gray || sigma == 0.0)
        {
            return (sigma, if gray { Channels::Gray } else { Channels::Independent });
        }
        let estimate = measured.unwrap_or_else(|| {
            control.emit(Event::Estimating("the noise"));
            let estimate = estimate::noise(photo);
            if known.is_none() {
                control.emit(Event::Found(&estimate.describe()));
            }
            estimate
        });
        // Deblurring magnifies what compression left out.
        let quantized = photo.compression.as_ref().filter(|_| degradation.is_blur()).map(Compression::noise);
        let mixable = !degradation.discards_colors() && self.overrides.data != Some(DataModel::Intervals);
        let channels = if gray {
            Channels::Gray
        } else if estimate.is_shared() && mixable {
            // Of drawings it may be no covariance any more once it is rounded.
            let correlated = Channels::Correlated(estimate.covariance.map(|row| row.map(rounded)));
            if correlated.are_plausible() { correlated } else { Channels::Independent }
        } else {
            Channels::Independent
        };
        (known.unwrap_or(rounded(estimate.sigma.max(quantized.unwrap_or(0.0)))), channels)
    }

    /// What a photo itself shows of what happened to it.
    fn diagnosed(&self, photo: &Picture, control: &dyn Control) -> Result<Found> {
        control.emit(Event::Estimating("what happened to the photo"));
        let diagnosis = Diagnosis::of(photo);
        let found = |degradation: Degradation| Found { degradation, enlarged: None, noise: Some(diagnosis.noise) };
        let context =
            Context { size: [photo.height(), photo.width()], seed: self.seed, photo: Some(photo), shows_damage: true };
        if let Some((finding, Treatment { task, values, enlarged })) = diagnosis.treatment() {
            control.emit(Event::Found(&finding.fact));
            let degradation = degradation::of_task(task, values, &context)?.into();
            return Ok(match enlarged {
                // The noise of the photo that was enlarged is another.
                Some(_) => Found { degradation, enlarged: *enlarged, noise: None },
                None => found(degradation),
            });
        }
        match self.size.map(|size| size.whole_scale(context.size)) {
            Some(scale) if scale > 1 => {
                let values = Values::default().with("scale", scale);
                Ok(found(degradation::of_task("sr", &values, &context)?.into()))
            }
            _ if self.force || self.size.is_some() || self.fading.is_some() => Ok(found(Degradation::new(Vec::new()))),
            _ => Err(Error::NotNeeded { doubt: diagnosis.doubt().map(|found| found.fact.clone()) }),
        }
    }
}

/// To four decimals, as people read it.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// What a photo shows of what happened to it.
struct Found {
    degradation: Degradation,
    /// The factor by which it was enlarged.
    enlarged: Option<f64>,
    /// Its noise, where that was measured.
    noise: Option<NoiseEstimate>,
}

/// # Errors
/// Degradations whose measurement no photo can be.
fn check_is_picture(degradation: &Degradation) -> Result<()> {
    if degradation.is_picture() {
        return Ok(());
    }
    let fact = "a picture is not a file of measurements of compressed sensing";
    Err(Error::mismatch(Setting::DEGRADATION, fact, "pass a .safetensors file of measurements"))
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
        self.check_conflicts()?;
        if self.border.is_some() && !config.degradation.has_border()? {
            return Err(Error::mismatch(
                Setting::BORDER,
                "only blurs inverted by the Fourier transform have one",
                Hint::Omit(Setting::BORDER),
            ));
        }
        if let Some(preference) = self.preference {
            *config = defaults::preferred(config, preference);
        }
        if let Some(name) = &self.method {
            if *name != config.method.name() {
                *config = defaults::with_method(config, name)?;
            }
            // Who names a method wants its own arithmetic.
            config.bm3d = 0.0;
        }
        config.start = self.start.unwrap_or(config.start);
        if let Some(quality) = self.quality {
            *config = config.clone().with_quality(quality);
        }
        config.method = config.method.with(&self.parameters)?;
        match config.method.own_steps() {
            Some(name) => config.method = self.with_own_steps(&config.method, name)?,
            None => config.steps = self.steps.unwrap_or(config.steps),
        }
        config.travel.length = self.travel_length.unwrap_or(config.travel.length);
        config.travel.repeat = self.travel_repeat.unwrap_or(config.travel.repeat);
        config.clip = self.clip.unwrap_or(config.clip);
        config.border = self.border.unwrap_or(config.border);
        let usual = match self.method {
            Some(_) => DataModel::Exact,
            None => defaults::data_model(&config.degradation, config.border),
        };
        config.data = self.data.unwrap_or(usual);
        config.bm3d = self.bm3d.unwrap_or(config.bm3d);
        config.check()
    }

    /// Refuses what decides the same thing twice.
    fn check_conflicts(&self) -> Result<()> {
        let preference = Setting::PREFER;
        let pairs = [
            (self.quality.is_some() && self.steps.is_some(), Setting::QUALITY, Setting::STEPS),
            (self.preference.is_some() && self.method.is_some(), preference, Setting::METHOD),
        ];
        match pairs.into_iter().find(|(both, ..)| *both) {
            Some((_, one, other)) => {
                let fact = format!("{} decides the same", other.0);
                Err(Error::mismatch(one.clone(), fact, Hint::Omit(one).or(Hint::Omit(other))))
            }
            None => Ok(()),
        }
    }

    /// A method whose times are its own, with as many steps as asked for.
    fn with_own_steps(&self, method: &Method, name: &str) -> Result<Method> {
        let unknown = [
            (self.start.is_some(), Setting::START),
            (self.travel_length.is_some(), Setting::TRAVEL_LENGTH),
            (self.travel_repeat.is_some(), Setting::TRAVEL_REPEAT),
        ];
        if let Some((_, setting)) = unknown.into_iter().find(|(given, _)| *given) {
            let fact = format!("{} starts from the classical estimate, and has times of its own", method.name());
            return Err(Error::mismatch(setting.clone(), fact, Hint::Omit(setting).or("choose another method")));
        }
        if self.steps.is_some() && self.parameters.get(name).is_some() {
            let fact = format!("{name} says the same of {}", method.name());
            return Err(Error::mismatch(Setting::STEPS, fact, Hint::Omit(Setting::STEPS)));
        }
        let steps = self.steps.map(|steps| Values::default().with(name, steps));
        method.with(&steps.unwrap_or_default())
    }
}
