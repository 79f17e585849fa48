//! What the flags of an experiment come to, before a prior is loaded.

use std::path::{Component, Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::config::{Config, ModelKind};
use super::dataset::{self, Entry};
use super::degradation::{self, NamedDegradation};
use super::event::Remark;
use super::results::Existing;
use super::shard::Shard;
use super::sweep::Point;
use crate::degradation::Form;
use crate::error::{Error, Hint, Result, Setting, Subject};
use crate::model::ModelFolder;
use crate::parameter::Parameter;
use crate::restore::{Border, Method, Overrides, PriorChoice, RestoreConfig};

/// The reference's method.
const REFERENCE_METHOD: &str = "fdgr";
/// Steps of a run for configurations that give none.
const REFERENCE_STEPS: usize = 100;
/// The class that the reference guides every picture towards.
const REFERENCE_CLASS: &str = "951";
/// Folder of results below that of the experiment.
const RESULTS: &str = "image_samples";

/// Where parameters come from that are not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Defaults {
    /// The reference implementation: full runs from noise, estimates clipped where the method's publication does so
    Reference,
    /// The defaults of single photos for the task, measured with the embedded prior
    Restore,
}

/// An experiment by the reference's flags.
#[derive(Clone)]
pub struct Plan {
    /// Configuration: a file, a name in `configs/`, or the name of a built-in one.
    pub config: String,
    /// Folder of pictures, or the name of one in `EXP/datasets`.
    pub path_y: String,
    /// Name of the degradation, such as `deblur_gauss` or DDRM's `sr4`.
    pub deg: String,
    /// Factor of super-resolution, or sampling ratio of compressed sensing.
    pub deg_scale: f64,
    /// Standard deviation of the noise, in units of a `[0, 1]` image.
    pub sigma_y: f64,
    /// How the operator is inverted.
    pub operator_imp: Form,
    /// Mask of inpainting; `EXP/inp_masks/mask.npy` by default.
    pub mask: Option<PathBuf>,
    /// Whether the mask marks missing pixels instead of known ones.
    pub invert_mask: bool,
    /// Name of the results below `EXP/image_samples`.
    pub image_folder: String,
    /// Folder of datasets, checkpoints (`logs`) and results (`image_samples`).
    pub exp: PathBuf,
    /// Seed of all noise.
    pub seed: u64,
    /// Index of the first picture; 0 by default.
    pub subset_start: Option<usize>,
    /// Index after that of the last picture; the size of the set by default.
    pub subset_end: Option<usize>,
    /// Whether originals and measurements are saved with the restored pictures.
    pub keep_measured: bool,
    /// Pictures per batch; those of the configuration by default.
    pub batch: Option<usize>,
    /// Where parameters come from that are not given.
    pub defaults: Defaults,
    /// What to do with existing results.
    pub existing: Existing,
    /// The part of the set to run.
    pub shard: Shard,
    /// The method, and parameters that replace the defaults.
    pub overrides: Overrides,
    /// The prior; with an empty model, that of the configuration.
    pub prior: PriorChoice,
    /// Name of the device.
    pub device: String,
}

impl Default for Plan {
    /// The reference's defaults.
    fn default() -> Self {
        Self {
            config: "celeba_hq.yml".into(),
            path_y: "celeba_hq".into(),
            deg: "deblur_gauss".into(),
            deg_scale: 0.0,
            sigma_y: 0.05,
            operator_imp: Form::Fft,
            mask: None,
            invert_mask: false,
            image_folder: "demo".into(),
            exp: "exp".into(),
            seed: 1234,
            subset_start: None,
            subset_end: None,
            keep_measured: true,
            batch: None,
            defaults: Defaults::Reference,
            existing: Existing::Refuse,
            shard: Shard::WHOLE,
            overrides: Overrides::default(),
            prior: PriorChoice::default(),
            device: "auto".into(),
        }
    }
}

/// A plan whose files were read.
pub struct Resolved {
    /// Folder of the results.
    pub folder: PathBuf,
    /// Height and width of the pictures.
    pub side: usize,
    /// Pictures per batch of the configuration.
    pub batch: usize,
    /// The pictures, not yet hashed.
    pub pictures: Vec<Entry>,
    /// Their degradation.
    pub measurement: NamedDegradation,
    /// How they are restored; its degradation is that of the first picture.
    pub config: RestoreConfig,
    /// The prior.
    pub prior: PriorChoice,
    /// What users may not expect.
    pub remarks: Vec<Remark>,
}

impl Plan {
    /// Folder of the results.
    ///
    /// # Errors
    /// Names that lead out of `EXP/image_samples`.
    pub fn folder(&self) -> Result<PathBuf> {
        let name = Path::new(&self.image_folder);
        if self.image_folder.is_empty() || !name.components().all(|part| matches!(part, Component::Normal(_))) {
            let fact = format!("it must be a name below {RESULTS} in the experiment folder");
            return Err(Error::parameter(Setting::RESULTS, &self.image_folder, fact));
        }
        Ok(self.exp.join(RESULTS).join(name))
    }

    /// Reads the configuration, the mask and the list of pictures, and checks all parameters.
    ///
    /// # Errors
    /// Files that cannot be read, names of nothing, and parameters that are out of range or do not fit each other.
    pub fn resolve(&self) -> Result<Resolved> {
        let folder = self.folder()?;
        let file = Config::find(&self.config)?;
        let side = file.data.image_size;
        let pictures = self.subset(dataset::list(&self.exp, &self.path_y, &file)?)?;
        let measurement = self.measurement(side)?;
        let config = self.restore_config(&file, measurement.of_picture(pictures[0].index, side, self.seed)?)?;
        let mut remarks = Vec::new();
        let prior = self.prior_choice(&file, &mut remarks)?;
        let batch = file.sampling.batch_size;
        Ok(Resolved { folder, side, batch, pictures, measurement, config, prior, remarks })
    }

    fn subset(&self, mut pictures: Vec<Entry>) -> Result<Vec<Entry>> {
        let (start, end) = (self.subset_start.unwrap_or(0), self.subset_end.unwrap_or(pictures.len()));
        if start >= end || end > pictures.len() {
            let fact = format!("there are {} pictures", pictures.len());
            let hint = "choose a range within them; the end is the index after the last picture";
            return Err(Error::mismatch(Subject::given(Setting::SUBSET, format!("{start} to {end}")), fact, hint));
        }
        pictures.truncate(end);
        Ok(pictures.split_off(start))
    }

    fn measurement(&self, side: usize) -> Result<NamedDegradation> {
        let (deg, scale) = degradation::named(&self.deg)?;
        let named = NamedDegradation {
            deg: deg.into(),
            deg_scale: scale.unwrap_or(self.deg_scale),
            operator_imp: self.operator_imp,
            mask: None,
        };
        let mask = match (named.has_holes(), &self.mask) {
            (true, Some(path)) => Some(degradation::read_mask(path, side, self.invert_mask)?),
            (true, None) => {
                let place = degradation::mask_place(&self.exp);
                place.is_file().then(|| degradation::read_mask(&place, side, false)).transpose()?
            }
            (false, Some(_)) => {
                let fact = format!("it belongs to inpainting, not to {deg}");
                return Err(Error::mismatch(Setting::MASK, fact, Hint::Omit(Setting::MASK)));
            }
            (false, None) => None,
        };
        Ok(NamedDegradation { mask, ..named })
    }

    fn restore_config(&self, file: &Config, degradation: crate::degradation::Degradation) -> Result<RestoreConfig> {
        let side = file.data.image_size;
        // Refuses sizes that do not fit the operator before a prior is loaded.
        degradation.build([side, side], &Device::flex())?;
        if self.overrides.data.is_some() {
            let fact = "measurements of an experiment are not rounded to the levels of a file";
            return Err(Error::mismatch(Setting::DATA, fact, Hint::Omit(Setting::DATA)));
        }
        let base = RestoreConfig::new(degradation, self.sigma_y);
        let mut config = match self.defaults {
            Defaults::Restore => base,
            Defaults::Reference => {
                let method = Method::named(self.overrides.method.as_deref().unwrap_or(REFERENCE_METHOD))?;
                let steps = file.steps().unwrap_or(REFERENCE_STEPS);
                let clip = method.published_clip();
                RestoreConfig { method, steps, start: 1.0, clip, travel: file.travel(), ..base }
            }
        };
        config.schedule = file.diffusion.beta_schedule;
        config.border = Border::Periodic;
        config.seed = self.seed;
        self.overrides.apply(&mut config)?;
        Ok(config)
    }

    /// The prior that was chosen, else that of the configuration: a checkpoint where the reference keeps it, or the installed
    /// model.
    fn prior_choice(&self, file: &Config, remarks: &mut Vec<Remark>) -> Result<PriorChoice> {
        let mut choice = self.prior.clone();
        if !choice.model.is_empty() {
            return Ok(choice);
        }
        let conditional = file.model.class_cond == Some(true);
        let side = file.data.image_size;
        let (checkpoint, name) = match (file.model.kind, conditional) {
            (ModelKind::Simple, _) => ("celeba/celeba_hq.ckpt".to_owned(), "celebahq-256"),
            (ModelKind::OpenAi, false) => ("imagenet/256x256_diffusion_uncond.pt".to_owned(), "imagenet-256"),
            (ModelKind::OpenAi, true) => (format!("imagenet/{side}x{side}_diffusion.pt"), "imagenet-256-conditional"),
        };
        choice.model = self.checkpoint(&checkpoint, name)?;
        if conditional {
            if choice.class.is_none() {
                remarks.push(Remark::ReferenceClass(REFERENCE_CLASS));
                choice.class = Some(REFERENCE_CLASS.into());
            }
            if let (Some(classifier), None) = (&file.classifier, &choice.classifier) {
                let place = format!("imagenet/{side}x{side}_classifier.pt");
                choice.classifier = Some(self.checkpoint(&place, "imagenet-256-classifier")?);
                choice.guidance_scale = choice.guidance_scale.or(Some(classifier.classifier_scale));
            }
        }
        Ok(choice)
    }

    /// The file `EXP/logs/CHECKPOINT`, else the installed model of that name.
    fn checkpoint(&self, checkpoint: &str, name: &str) -> Result<String> {
        let place = self.exp.join("logs").join(checkpoint);
        if place.is_file() {
            return Ok(place.display().to_string());
        }
        if ModelFolder::open()?.find(name)?.is_some() {
            return Ok(name.into());
        }
        let fact = format!("{} asks for this checkpoint, but it is neither there nor installed as {name}", self.config);
        Err(Error::checkpoint(&place, fact, Hint::Install(name.into()).or(Hint::set(Setting::MODEL, "photo"))))
    }

    /// The plan with the values of a point.
    ///
    /// # Errors
    /// As [`Plan::set`].
    pub fn with(&self, point: &Point) -> Result<Self> {
        let mut plan = self.clone();
        for (name, value) in point {
            plan.set(name, value)?;
        }
        Ok(plan)
    }

    /// Sets a field, or a parameter of a method, by its flag without leading dashes; `-` and `_` are the same in names.
    /// Values are checked by [`Plan::resolve`].
    ///
    /// # Errors
    /// Unknown names, and values of another type.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let setting = || Setting(name.to_owned().into());
        match canonical(name).as_str() {
            "config" => self.config = value.into(),
            "path_y" => self.path_y = value.into(),
            "deg" => self.deg = value.into(),
            "deg_scale" => self.deg_scale = number(setting(), value)?,
            "sigma_y" => self.sigma_y = number(setting(), value)?,
            "operator_imp" => self.operator_imp = word(setting(), value)?,
            "mask" => self.mask = Some(value.into()),
            "seed" => self.seed = whole(setting(), value)?,
            "subset_start" => self.subset_start = Some(whole(setting(), value)?),
            "subset_end" => self.subset_end = Some(whole(setting(), value)?),
            "batch" => self.batch = Some(whole(setting(), value)?),
            "model" => self.prior.model = value.into(),
            "precision" => self.prior.precision = Some(word(setting(), value)?),
            "class" => self.prior.class = Some(value.into()),
            "classifier" => self.prior.classifier = Some(value.into()),
            "guidance_scale" => self.prior.guidance_scale = Some(number(setting(), value)?),
            "method" => self.overrides.method = Some(value.into()),
            "quality" => self.overrides.quality = Some(word(setting(), value)?),
            "steps" => self.overrides.steps = Some(whole(setting(), value)?),
            "start" => self.overrides.start = Some(number(setting(), value)?),
            "travel_length" => self.overrides.travel_length = Some(whole(setting(), value)?),
            "travel_repeat" => self.overrides.travel_repeat = Some(whole(setting(), value)?),
            "border" => self.overrides.border = Some(word(setting(), value)?),
            "prefer" => self.overrides.preference = Some(word(setting(), value)?),
            "defaults" => self.defaults = word(setting(), value)?,
            other => match parameter(other) {
                Some(parameter) => self.overrides.parameters.insert(parameter.name, value),
                None => {
                    let hint = "choose a parameter of a method, or a setting such as steps, start, seed or sigma_y";
                    return Err(Error::mismatch(setting(), "an experiment has nothing of that name to vary", hint));
                }
            },
        }
        Ok(())
    }
}

/// The one name of a setting or parameter that may be varied, of all that it goes by.
pub(super) fn canonical(name: &str) -> String {
    match name.replace('-', "_").as_str() {
        "sigma_0" => "sigma_y".into(),
        "timesteps" => "steps".into(),
        other => parameter(other).map_or(other, |parameter| parameter.name).to_owned(),
    }
}

/// The parameter that any method has by that name, with `_` for `-`.
fn parameter(name: &str) -> Option<&'static Parameter> {
    let is_called = |called: &str| called.replace('-', "_") == name;
    let methods = Method::NAMES.iter().filter_map(|method| Method::named(method).ok());
    let mut parameters = methods.flat_map(|method| method.parameters().iter());
    parameters.find(|parameter| is_called(parameter.name) || parameter.aliases.iter().any(|alias| is_called(alias)))
}

fn number(setting: Setting, text: &str) -> Result<f64> {
    text.trim().parse().map_err(|_| Error::parameter(setting, text, "it must be a number"))
}

fn whole<T: std::str::FromStr>(setting: Setting, text: &str) -> Result<T> {
    text.trim().parse().map_err(|_| Error::parameter(setting, text, "it must be a whole number"))
}

/// A word as JSON spells it.
fn word<T: DeserializeOwned>(setting: Setting, text: &str) -> Result<T> {
    serde_json::from_value(Value::from(text.trim().to_lowercase()))
        .map_err(|e| Error::parameter(setting, text, format!("it is not one of the values there are ({e})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_the_references_names() {
        let mut plan = Plan::default();
        for (name, value) in [
            ("deg", "sr_bicubic"),
            ("deg_scale", "4"),
            ("operator_imp", "SVD"),
            ("sigma-y", "0.1"),
            ("eta_tilde", "0.2"),
            ("sigma-g", "0.8"),
            ("method", "fdgr"),
            ("timesteps", "20"),
            ("quality", "draft"),
            ("model", "photo"),
        ] {
            plan.set(name, value).unwrap();
        }
        assert_eq!((plan.deg.as_str(), plan.operator_imp), ("sr_bicubic", Form::Svd));
        assert!((plan.deg_scale - 4.0).abs() < 1e-12 && (plan.sigma_y - 0.1).abs() < 1e-12);
        assert_eq!(plan.overrides.steps, Some(20));
        assert_eq!(plan.overrides.parameters.get("eta_tilde"), Some("0.2"));
        assert_eq!(plan.overrides.parameters.get("sigma_g"), Some("0.8"));
        for (name, value) in [("nothing", "1"), ("steps", "many"), ("quality", "perfect"), ("deg_scale", "")] {
            assert!(plan.set(name, value).is_err(), "{name}");
        }
    }

    #[test]
    fn results_stay_in_their_folder() {
        let plan = |image_folder: &str| Plan { image_folder: image_folder.into(), ..Plan::default() };
        assert_eq!(plan("FDG+R/x").folder().unwrap(), Path::new("exp/image_samples/FDG+R/x"));
        for name in ["", "../x", "/x", "a/../../x"] {
            assert!(plan(name).folder().is_err(), "{name:?}");
        }
    }

    #[test]
    fn subsets_lie_within_the_set() {
        let pictures = |n: usize| -> Vec<Entry> {
            (0..n).map(|index| Entry { index, path: format!("{index}.png").into(), sha256: None }).collect()
        };
        let subset = |subset_start, subset_end| {
            let chosen = Plan { subset_start, subset_end, ..Plan::default() }.subset(pictures(5));
            chosen.map(|chosen| chosen.iter().map(|entry| entry.index).collect::<Vec<_>>())
        };
        assert_eq!(subset(None, None).unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(subset(Some(1), Some(3)).unwrap(), [1, 2]);
        assert!(subset(Some(3), Some(3)).is_err() && subset(None, Some(6)).is_err());
    }
}
