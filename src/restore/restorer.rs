//! A prior on a device, ready to restore.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::beforehand::Beforehand;
use super::blend::blended;
use super::memory::Budget;
use super::photo_run::{Outcome, PhotoRun};
use super::preview::Previews;
use super::residual::{self, Residual};
use super::{DataModel, Measurement, Receipt, RestoreConfig, Source, flat, frame};
use crate::control::{self, Control, Event};
use crate::degradation::Mask;
use crate::device::Selected;
use crate::error::{Error, Hint, Result, Setting};
use crate::noise::{Noise, Seeded, Stream};
use crate::picture::Picture;
use crate::prior::{Classifier, EMBEDDED, Precision, Prior, PriorFile, Windowed, find_class};
use crate::sampler::{ClassGuidance, Data, Problem, Run, signed_sigma};

/// Which prior, and how it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorChoice {
    /// Built in or installed, or a file or folder.
    pub model: String,
    /// How its weights are kept; by default f32 where the memory allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Class of ImageNet, by number or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Classifier that guides towards the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier: Option<String>,
    /// Weight of the classifier's gradient, 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance_scale: Option<f64>,
}

impl Default for PriorChoice {
    /// The built-in prior.
    fn default() -> Self {
        Self::named(EMBEDDED)
    }
}

impl PriorChoice {
    /// A prior without a class.
    pub fn named(model: &str) -> Self {
        Self { model: model.into(), precision: None, class: None, classifier: None, guidance_scale: None }
    }

    /// Whether it is the built-in prior, which the defaults were measured with.
    pub fn is_built_in(&self) -> bool {
        self.model == EMBEDDED
    }
}

/// A prior on a device.
pub struct Restorer {
    prior: Prior,
    guide: Option<Guide>,
    device: Selected,
}

/// What guides towards a class.
struct Guide {
    classifier: Classifier,
    sha256: String,
    class: usize,
    scale: f64,
}

/// A restored picture, and what is known of it.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The picture, with the profile and metadata of the photo.
    pub picture: Picture,
    /// Everything that decided it, beside the prior: what a recipe stores.
    pub config: RestoreConfig,
    /// How far it agrees with the measurement.
    pub receipt: Receipt,
    /// What of the photo it does not explain, where that is a picture.
    pub residual: Option<Residual>,
}

impl Restorer {
    /// Loads a prior onto `device`, and its classifier if one is chosen.
    ///
    /// # Errors
    /// Checkpoints that cannot be used, choices that contradict themselves, and being cancelled.
    pub fn load(choice: &PriorChoice, device: Selected, control: &dyn Control) -> Result<Self> {
        let file = PriorFile::find(&choice.model)?;
        let classifier = choice.classifier.as_deref().map(PriorFile::find).transpose()?;
        let classes = classifier.as_ref().and_then(|file| file.architecture().classes());
        let classes = file.architecture().classes().or(classes);
        let class = match (&choice.class, classes) {
            (Some(class), Some(classes)) => Some(find_class(class, classes)?),
            (Some(_), None) => {
                let hint = Hint::Omit(Setting::CLASS).or(Hint::Give(Setting::CLASSIFIER));
                return Err(Error::mismatch(Setting::CLASS, "this prior knows no classes", hint));
            }
            (None, _) => None,
        };
        if choice.guidance_scale.is_some() && classifier.is_none() {
            let hint = Hint::set(Setting::CLASSIFIER, "imagenet-256-classifier")
                .or(Hint::Install("imagenet-256-classifier".into()));
            return Err(Error::mismatch(Setting::GUIDANCE_SCALE, "there is no classifier to guide by", hint));
        }
        let scale = choice.guidance_scale.unwrap_or(1.0);
        if !scale.is_finite() {
            return Err(Error::parameter(Setting::GUIDANCE_SCALE, scale, "it must be a number"));
        }
        let precision = choice.precision.unwrap_or_else(|| file.fitting_precision(device.memory));
        let guide = match (classifier, class) {
            (Some(file), Some(class)) => {
                let (classifier, sha256) = file.load_classifier(&device.device, control)?;
                if class >= classifier.config().classes {
                    let hint = "choose a class that both know";
                    return Err(Error::mismatch(Setting::CLASS, "the classifier does not know it", hint));
                }
                Some(Guide { classifier, sha256, class, scale })
            }
            (Some(_), None) => {
                let hint = Hint::Give(Setting::CLASS);
                return Err(Error::mismatch(Setting::CLASSIFIER, "it needs a class to guide towards", hint));
            }
            (None, _) => None,
        };
        let class = class.filter(|_| file.architecture().classes().is_some());
        Ok(Self { prior: file.load(precision, class, &device.device, control)?, guide, device })
    }

    /// A prior that is on `device` already, such as one of your own.
    pub fn with_prior(prior: Prior, device: Selected) -> Self {
        Self { prior, guide: None, device }
    }

    /// The prior.
    pub fn prior(&self) -> &Prior {
        &self.prior
    }

    /// The device.
    pub fn device(&self) -> &Selected {
        &self.device
    }

    /// Whether only whole pictures can be restored, since a classifier judges them.
    pub(super) fn takes_whole_pictures(&self) -> bool {
        self.guide.is_some()
    }

    /// SHA-256 of the classifier's file, in hexadecimal.
    pub fn classifier_sha256(&self) -> Option<&str> {
        self.guide.as_ref().map(|guide| guide.sha256.as_str())
    }

    /// Restores a photo or a file of measurements, with the noise of `config.seed`.
    ///
    /// # Errors
    /// Parameters outside their range, images that do not fit the memory, runs that fail, and being cancelled.
    pub fn restore(&self, source: &Source, config: &RestoreConfig, control: &dyn Control) -> Result<Restored> {
        config.check()?;
        let beforehand = Beforehand { fading: config.fading, enlarged: config.enlarged };
        let changed = source.photo().filter(|_| beforehand != Beforehand::default());
        let before = changed.map(|photo| Source::Photo(beforehand.undone(photo).into_owned()));
        let restored = self.restore_framed(before.as_ref().unwrap_or(source), config, control)?;
        let picture = match config.fading {
            Some(fading) => fading.unfaded(&restored.picture),
            None => restored.picture,
        };
        let picture = match config.size {
            Some(size) => picture.resampled(size),
            None => picture,
        };
        let picture = match (source, config.enlarged) {
            // Its transparency is as fine as it was.
            (Source::Photo(photo), Some(_)) => {
                let holes = config.degradation.holes().is_some();
                if holes { picture } else { picture.with_extras_of(photo, !config.degradation.discards_colors()) }
            }
            _ => picture,
        };
        Ok(Restored { picture, ..restored })
    }

    /// The same of a photo as it was before it was enlarged, in its own size.
    fn restore_framed(&self, source: &Source, config: &RestoreConfig, control: &dyn Control) -> Result<Restored> {
        if let (Source::Photo(photo), true) = (source, config.refine) {
            let inside = frame::inside(photo, config).map(|inside| inside.of(photo));
            let refined = self.refined(inside.as_ref().unwrap_or(photo), config, control)?;
            return self.restore_framed(source, &refined, control);
        }
        if let (Source::Photo(photo), false) = (source, self.takes_whole_pictures())
            && let Some(inside) = frame::inside(photo, config)
        {
            control.emit(Event::Found("bars of one colour at its border are left out"));
            let restored = self.restore_whole(&Source::Photo(inside.of(photo)), config, control)?;
            let picture = frame::framed(photo, &inside, &restored.picture, config);
            let residual = restored.residual.map(|residual| residual::framed(photo, &inside, &residual));
            return Ok(Restored { picture, residual, ..restored });
        }
        self.restore_whole(source, config, control)
    }

    /// The same of all that there is.
    fn restore_whole(&self, source: &Source, config: &RestoreConfig, control: &dyn Control) -> Result<Restored> {
        let size = source.image_size(&config.degradation);
        config.check_for(size)?;
        // Before an operator of that size is built.
        self.check(config, Measurement::extent(&config.degradation, config.border, size)?, 1)?;
        control.emit(Event::Estimating("the operator"));
        let device = &self.device.device;
        let (sought, target) = (config.clone(), device.clone());
        let measurement =
            control::waited(control, "before the first step", move || Measurement::of(&sought, size, &target))?;
        let outcome = match source {
            Source::Photo(photo) => {
                PhotoRun { restorer: self, photo, measurement: &measurement, config, control }.outcome()?
            }
            Source::Sensed(sensed) => {
                let data = measurement.data(sensed.to_tensor(device), config.data);
                let mut noise = Seeded::new(config.seed, Stream::Sampling);
                let x = self.run(&measurement, &data, config, &mut noise, control)?;
                Outcome { x, data, outliers: None, unexplained: None, evaluations: config.evaluations()? }
            }
        };
        let Outcome { x, data, outliers, unexplained, evaluations } = outcome;
        let x = blended(x, &measurement, &data, config, control)?;
        let (receipt, differences) = Receipt::of(&measurement, &data, x.clone(), evaluations)?;
        let receipt = match &outliers {
            Some(outliers) => Receipt { unexplained, ..receipt.of_known(outliers.share()) },
            None => receipt,
        };
        let residual = residual::picture(-differences)?.filter(|_| source.photo().is_some());
        let picture = Picture::from_tensor(measurement.crop(x))?;
        let picture = match source {
            Source::Photo(photo) => {
                let holes = config.degradation.holes().map(Mask::unknown).unwrap_or_default();
                let photo = photo.clone().opaque_at(holes);
                let picture = match &outliers {
                    Some(outliers) => outliers.put_back(&photo, picture),
                    None => picture,
                };
                let picture = flat::kept_flat(&photo, picture, config);
                picture.with_extras_of(&photo, !config.degradation.discards_colors())
            }
            Source::Sensed(_) => picture,
        };
        Ok(Restored { picture, config: config.clone(), receipt, residual })
    }

    /// Restores a batch of measurements; the result is `[b, 3, h, w]` in `[-1, 1]`, without a margin.
    ///
    /// # Errors
    /// As [`Restorer::restore`], and measurements of another shape than the operator's.
    pub fn sample(
        &self,
        measurement: &Measurement,
        data: &Data,
        config: &RestoreConfig,
        noise: &mut dyn Noise,
        control: &dyn Control,
    ) -> Result<Tensor<4>> {
        Ok(measurement.crop(self.run(measurement, data, config, noise, control)?))
    }

    /// The images with their margin.
    pub(super) fn run(
        &self,
        measurement: &Measurement,
        data: &Data,
        config: &RestoreConfig,
        noise: &mut dyn Noise,
        control: &dyn Control,
    ) -> Result<Tensor<4>> {
        config.check()?;
        measurement.check(data.y())?;
        let [height, width] = measurement.operator().image_size();
        let batch = data.y().dims()[0];
        let window = self.check(config, [height, width], batch)?;
        control::check(control, || "before the first step".into())?;
        let device = &self.device.device;
        let sigma_y = signed_sigma(config.sigma);
        let operator = measurement.operator();
        let method = config.method.starting_from(self.prior.largest_noise());
        if method != config.method {
            control.emit(Event::Found(&format!("the run starts from as much noise as {} knows", self.prior.name())));
        }
        let mut sampler = method.sampler([height, width], device)?;
        let timeline = config.timeline_of(sampler.as_ref())?;
        self.check_noise(timeline.first().noise_level(), config)?;
        let z = noise.draw([batch, 3, height, width], device);
        let starts_late = config.starts_late();
        if starts_late {
            control.emit(Event::Estimating("a classical estimate"));
        }
        let estimate = starts_late.then(|| measurement.estimate(data.y(), sigma_y)).transpose()?;
        control::check(control, || "before the first step".into())?;
        let problem = Problem { operator, data, sigma_y, beyond: measurement.beyond() };
        let guidance = self.guide.as_ref().map(|guide| ClassGuidance {
            classifier: &guide.classifier,
            class: guide.class,
            scale: guide.scale,
        });
        let windowed = Windowed::new(&self.prior, window);
        let run = Run {
            prior: &windowed,
            guidance: guidance.as_ref(),
            problem: &problem,
            timeline: &timeline,
            clip: config.clip,
        };
        let previews = Previews::new(control, measurement);
        run.sample(sampler.as_mut(), z, estimate, noise, &previews)
    }

    /// Refuses runs that start from more noise than the prior knows.
    fn check_noise(&self, first: f64, config: &RestoreConfig) -> Result<()> {
        let largest = self.prior.largest_noise();
        // Times are whole: the closest one may have a little more.
        const NEXT_TIME: f64 = 1.02;
        if first <= largest * NEXT_TIME {
            return Ok(());
        }
        let fact = format!(
            "{} knows noise up to {largest:.2} of a [-1, 1] image, and this run of {} starts from {first:.2}",
            self.prior.name(),
            config.method.name()
        );
        let another = Hint::from("choose another prior");
        let hint = match config.method.starts_from_estimate() {
            true => another,
            false => Hint::set(Setting::METHOD, "hqs").or(another),
        };
        Err(Error::mismatch(Setting::MODEL, fact, hint))
    }

    /// How many images of a measurement fit the memory at once, at most `wanted` and at least one.
    pub fn batch_that_fits(&self, config: &RestoreConfig, measurement: &Measurement, wanted: usize) -> usize {
        let size = measurement.operator().image_size();
        let budget = self.budget(config);
        (1..=wanted).rev().find(|&batch| budget.fits(size, batch)).unwrap_or(1)
    }

    fn budget(&self, config: &RestoreConfig) -> Budget<'_> {
        let derivatives = config.method.needs(config.sigma).derivatives;
        Budget { prior: &self.prior, device: &self.device, derivatives, robust: config.data == DataModel::Robust }
    }

    /// The side of the windows that images are evaluated in; refuses those that do not fit the memory, or that the classifier does not
    /// take.
    fn check(&self, config: &RestoreConfig, [height, width]: [usize; 2], batch: usize) -> Result<usize> {
        if let Some(side) = self.guide.as_ref().map(|guide| guide.classifier.config().side())
            && [height, width] != [side, side]
        {
            let fact = format!(
                "it takes pictures of {side}x{side}, but the sought picture has {width}x{height} with its border"
            );
            let hint = Hint::from("crop the photo")
                .or(Hint::set(Setting::BORDER, "periodic"))
                .or(Hint::Omit(Setting::CLASSIFIER));
            return Err(Error::mismatch(Setting::CLASSIFIER, fact, hint));
        }
        self.budget(config).window_for([height, width], batch)
    }
}
