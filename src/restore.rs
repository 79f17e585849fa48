//! The one API that the command line and experiments call: a [`RestoreConfig`] and a measurement in, a picture out.

mod border;
mod defaults;
mod initial;
mod method;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::degradation::{Degradation, Form, LinearOperator, ValidConvolution};
use crate::device::Selected;
use crate::error::{Error, Result};
use crate::noise::{Noise, Seeded, Stream};
use crate::prior::{Classifier, Precision, Prior, PriorFile, find_class};
use crate::sampler::{self, ClassGuidance, Observer, Problem, Timeline, Travel, schedule::Betas};

pub use defaults::Quality;
pub use initial::estimate as classical_estimate;
pub use method::{Method, MethodName};

/// Largest noise that is accepted, of a `[0, 1]` image.
const MAX_SIGMA: f64 = 1.0;

/// How a blurred picture goes on beyond its border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// As its own mirror image, blended so that the ends meet: for photographs.
    Extend,
    /// As itself again: for circular convolutions, as the papers' experiments make them.
    Periodic,
}

/// Everything that decides the result, given the measurement and the prior.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreConfig {
    /// What happened to the picture.
    pub degradation: Degradation,
    /// Standard deviation of its noise, of a `[0, 1]` image.
    pub sigma: f64,
    /// How it is restored.
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
    /// Jumps back to noise.
    #[serde(default, skip_serializing_if = "Travel::is_none")]
    pub travel: Travel,
    /// Treatment of the border of a blurred picture.
    pub border: Border,
    /// Seed of all noise.
    pub seed: u64,
}

impl RestoreConfig {
    /// The defaults for a task and noise level, measured with the embedded prior.
    pub fn new(degradation: Degradation, sigma: f64) -> Self {
        defaults::config(degradation, sigma)
    }

    /// The same, as thorough as asked for: other numbers of steps.
    pub fn with_quality(self, quality: Quality) -> Self {
        Self { steps: defaults::steps(&self.degradation, quality, self.start), ..self }
    }

    /// Height and width of the restored picture, of a measurement of `height` x `width` pixels.
    pub fn restored_size(&self, [height, width]: [usize; 2]) -> [usize; 2] {
        match self.degradation {
            Degradation::SrBicubic { scale, .. } | Degradation::SrAveragepooling { scale } => {
                [height.saturating_mul(scale), width.saturating_mul(scale)]
            }
            _ => [height, width],
        }
    }

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=MAX_SIGMA).contains(&self.sigma) {
            return Err(Error::parameter("sigma", self.sigma, "it must be between 0 and 1 (of a [0, 1] picture)"));
        }
        self.method.check()?;
        if !self.travel.is_none() && !self.method.travels() {
            return Err(Error::Mismatch {
                what: "travel_repeat".into(),
                fact: format!("{} has no time travel", self.method.name()),
                remedy: "leave it out, or choose ddnm, fdgr, ddpg, idpg or diffpir".into(),
            });
        }
        self.timeline().map(drop)
    }

    fn timeline(&self) -> Result<Timeline> {
        Timeline::new(self.schedule, self.steps, self.start, self.travel)
    }
}

/// `A x` of an image `[b, 3, h, w]`: with [`Border::Extend`] a blurred picture's light comes from beyond its border, as in a
/// photograph, with [`Border::Periodic`] from the opposite side, as in the papers' experiments.
///
/// # Errors
/// As [`Degradation::build`].
pub fn measure(degradation: &Degradation, border: Border, x: Tensor<4>) -> Result<Tensor<4>> {
    let [_, _, h, w] = x.dims();
    let device = x.device();
    match photographed(degradation, border, [h, w], &device)? {
        Some(camera) => {
            let [height, width] = camera.image_size();
            Ok(camera.apply(border::extended(x, [height - h, width - w])))
        }
        None => Ok(degradation.build(h, w, &device)?.apply(x)),
    }
}

/// The convolution of a blurred photograph of `size`, where light comes from beyond its border.
fn photographed(
    degradation: &Degradation,
    border: Border,
    size: [usize; 2],
    device: &Device,
) -> Result<Option<ValidConvolution>> {
    match degradation {
        Degradation::Deblur { psf, form: Form::Fft } if border == Border::Extend => {
            let margin = margin(degradation, border, size)?;
            ValidConvolution::new(&psf.kernel()?, size, margin, device).map(Some)
        }
        _ => Ok(None),
    }
}

/// Rows and columns beyond the border that the sought image has.
fn margin(degradation: &Degradation, border: Border, size: [usize; 2]) -> Result<[usize; 2]> {
    match degradation {
        Degradation::Deblur { psf, form: Form::Fft } if border == Border::Extend => {
            let kernel = psf.kernel()?;
            kernel.check_fits(size[0], size[1])?;
            Ok(border::margin(&kernel, size))
        }
        _ => Ok([0, 0]),
    }
}

/// Which prior, and how it is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

impl PriorChoice {
    /// A prior without a class.
    pub fn named(model: &str) -> Self {
        Self { model: model.into(), ..Self::default() }
    }
}

/// A prior on a device, ready to restore pictures.
pub struct Restorer {
    prior: Prior,
    guide: Option<Guide>,
    device: Selected,
}

/// What guides towards a class.
struct Guide {
    classifier: Classifier,
    class: usize,
    scale: f64,
}

impl Restorer {
    /// Loads a prior onto `device`, and its classifier if one is chosen.
    ///
    /// # Errors
    /// Checkpoints that cannot be used, and choices that contradict themselves.
    pub fn new(choice: &PriorChoice, device: Selected) -> Result<Self> {
        let refuse = |what: &str, fact: &str, remedy: &str| {
            Err(Error::Mismatch { what: what.into(), fact: fact.into(), remedy: remedy.into() })
        };
        let file = PriorFile::find(&choice.model)?;
        let classifier = choice.classifier.as_deref().map(PriorFile::find).transpose()?;
        let classes = classifier.as_ref().and_then(|file| file.architecture().classes());
        let classes = file.architecture().classes().or(classes);
        let class = match (&choice.class, classes) {
            (Some(class), Some(classes)) => Some(find_class(class, classes)?),
            (Some(_), None) => {
                return refuse("--class", "this prior knows no classes", "leave it out, or add --classifier");
            }
            (None, _) => None,
        };
        if choice.guidance_scale.is_some() && classifier.is_none() {
            let remedy =
                "add --classifier imagenet-256-classifier (`fdgr models pull imagenet-256-classifier` fetches it)";
            return refuse("--guidance-scale", "there is no classifier to guide by", remedy);
        }
        let scale = choice.guidance_scale.unwrap_or(1.0);
        if !scale.is_finite() {
            return Err(Error::parameter("--guidance-scale", scale, "it must be a number"));
        }
        let precision = choice.precision.unwrap_or_else(|| file.fitting_precision(device.memory));
        let guide = match (classifier, class) {
            (Some(file), Some(class)) => {
                let (classifier, _) = file.load_classifier(&device.device)?;
                if class >= classifier.config().classes {
                    return refuse("--class", "the classifier does not know it", "choose a class that both know");
                }
                Some(Guide { classifier, class, scale })
            }
            (Some(_), None) => return refuse("--classifier", "it needs a class to guide to", "add --class"),
            (None, _) => None,
        };
        let class = class.filter(|_| file.architecture().classes().is_some());
        Ok(Self { prior: file.load(precision, class, &device.device)?, guide, device })
    }

    /// The prior.
    pub fn prior(&self) -> &Prior {
        &self.prior
    }

    /// The device.
    pub fn device(&self) -> &Selected {
        &self.device
    }

    /// Restores the measurement `y` of an image of `size` (height, width), with the noise of `config.seed`; the result is
    /// `[1, 3, h, w]` in `[-1, 1]`.
    ///
    /// # Errors
    /// Parameters outside their range, pictures that do not fit the memory, and runs that fail or are stopped.
    pub fn run(
        &self,
        config: &RestoreConfig,
        y: Tensor<4>,
        size: [usize; 2],
        observer: &mut Observer,
    ) -> Result<Tensor<4>> {
        self.run_with(config, y, size, &mut Seeded::new(config.seed, Stream::Sampling), observer)
    }

    /// The same for a batch of measurements, with other noise.
    ///
    /// # Errors
    /// As [`Restorer::run`].
    pub fn run_with(
        &self,
        config: &RestoreConfig,
        y: Tensor<4>,
        size: [usize; 2],
        noise: &mut dyn Noise,
        observer: &mut Observer,
    ) -> Result<Tensor<4>> {
        config.check()?;
        let device = &self.device.device;
        // Before an operator of that size is built.
        let margin = margin(&config.degradation, config.border, size)?;
        self.check_guide([size[0] + margin[0], size[1] + margin[1]])?;
        let sought = [size[0].saturating_add(margin[0]), size[1].saturating_add(margin[1])];
        self.check_memory(sought, y.dims()[0], config.method.differentiates())?;
        let camera = photographed(&config.degradation, config.border, size, device)?;
        let plain;
        let (operator, whole): (&dyn LinearOperator, &dyn LinearOperator) = match &camera {
            Some(camera) => (camera, camera.circular()),
            None => {
                plain = config.degradation.build(size[0], size[1], device)?;
                (plain.as_ref(), plain.as_ref())
            }
        };
        let [height, width] = operator.image_size();
        let mut sampler = config.method.sampler([height, width], device)?;
        if config.method.needs_spectrum(config.sigma) && operator.spectral().is_none() {
            return Err(Error::Mismatch {
                what: format!("--method {}", config.method.name()),
                fact: "it needs the singular values of the blur, which light from beyond a photograph's border hides"
                    .into(),
                remedy: "pass --border periodic, or choose another method".into(),
            });
        }
        let timeline = config.timeline()?;
        let z = noise.draw([y.dims()[0], 3, height, width], device);
        // A full run starts from noise alone, as in the papers.
        let estimate = (config.start < 1.0).then(|| {
            let y = match &camera {
                Some(_) => border::extended(y.clone(), margin),
                None => y.clone(),
            };
            initial::estimate(&config.degradation, whole, &y, config.sigma)
        });
        let problem = Problem { operator, y, sigma_y: 2.0 * config.sigma };
        let guidance = self.guide.as_ref().map(|guide| ClassGuidance {
            classifier: &guide.classifier,
            class: guide.class,
            scale: guide.scale,
        });
        let run = sampler::Run {
            prior: &self.prior,
            guidance: guidance.as_ref(),
            problem: &problem,
            timeline: &timeline,
            clip: config.clip,
        };
        let restored = run.sample(sampler.as_mut(), z, estimate.transpose()?, noise, observer)?;
        let [b, c, _, _] = restored.dims();
        Ok(restored.slice([0..b, 0..c, 0..size[0], 0..size[1]]))
    }

    /// Refuses pictures that the classifier does not take.
    fn check_guide(&self, [height, width]: [usize; 2]) -> Result<()> {
        let Some(side) = self.guide.as_ref().map(|guide| guide.classifier.config().side()) else { return Ok(()) };
        if [height, width] == [side, side] {
            return Ok(());
        }
        Err(Error::Mismatch {
            what: "--classifier".into(),
            fact: format!(
                "it takes pictures of {side}x{side}, but the sought picture has {width}x{height} with its border"
            ),
            remedy: "crop the photo, pass --border periodic for a blurred one, or leave the classifier out".into(),
        })
    }

    /// How many pictures of `size` (height, width) fit the memory at once, at most `wanted` and at least one.
    pub fn batch_that_fits(&self, config: &RestoreConfig, [height, width]: [usize; 2], wanted: usize) -> usize {
        let differentiates = config.method.differentiates();
        let fits = |batch: &usize| self.fits(height.saturating_mul(width), *batch, differentiates);
        (1..=wanted).rev().find(fits).unwrap_or(1)
    }

    fn fits(&self, pixels: usize, batch: usize, differentiates: bool) -> bool {
        self.prior.working_memory(pixels, batch, differentiates) <= self.device.memory
            && self.device.max_tensor.is_none_or(|limit| self.prior.largest_tensor(pixels, batch) <= limit)
    }

    /// Refuses pictures that would not fit, with the size that would.
    fn check_memory(&self, [height, width]: [usize; 2], batch: usize, differentiates: bool) -> Result<()> {
        let pixels = height.checked_mul(width).unwrap_or(usize::MAX / 4096);
        let fits = |pixels: usize| self.fits(pixels, batch, differentiates);
        if fits(pixels) {
            return Ok(());
        }
        let mut side = 16;
        while fits((side + 16) * (side + 16)) {
            side += 16;
        }
        let largest = self.prior.largest_tensor(pixels, batch);
        let by_tensor = self.device.max_tensor.filter(|&limit| largest > limit);
        let (needed, available) = match by_tensor {
            Some(limit) => (largest, limit),
            None => (self.prior.working_memory(pixels, batch, differentiates), self.device.memory),
        };
        Err(Error::TooLarge {
            width,
            height,
            needed_mib: needed >> 20,
            available_mib: available >> 20,
            device: match by_tensor {
                Some(_) => format!("a buffer of {}", self.device.description),
                None => self.device.description.clone(),
            },
            side,
        })
    }
}
