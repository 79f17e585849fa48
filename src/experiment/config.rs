//! Configuration files in the form of the reference's `celeba_hq.yml`, `imagenet_256.yml` and `imagenet_256_cc.yml`, and of
//! those of DDRM and DDNM.
//!
//! Unknown keys are errors. The keys used here are the image size, the kind of checkpoint, the noise schedule, the number of
//! steps, time travel and the classifier's scale; the others describe training, or repeat what the checkpoint says.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, PathContext, Result, Setting, Subject};
use crate::sampler::Travel;
use crate::sampler::schedule::{Betas, TRAINING_STEPS};

/// Folder in which configurations are looked up.
const FOLDER: &str = "configs";
/// The reference's configurations, so that its command lines work without that folder.
static BUILT_IN: [(&str, &str); 3] = [
    ("celeba_hq.yml", include_str!("../../assets/configs/celeba_hq.yml")),
    ("imagenet_256.yml", include_str!("../../assets/configs/imagenet_256.yml")),
    ("imagenet_256_cc.yml", include_str!("../../assets/configs/imagenet_256_cc.yml")),
];

/// A configuration file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The pictures.
    pub data: Data,
    /// The network.
    pub model: Model,
    /// The noise schedule.
    pub diffusion: Diffusion,
    /// The run.
    pub sampling: Sampling,
    /// Jumps back to noise.
    pub time_travel: Option<TimeTravel>,
    /// The classifier that guides a class-conditional network.
    pub classifier: Option<Classifier>,
}

/// Section `data`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// `CelebA_HQ`, `FFHQ`, `ImageNet` or any other name.
    pub dataset: String,
    /// Side of the pictures.
    pub image_size: usize,
    channels: Option<usize>,
    rescaled: Option<bool>,
    logit_transform: Option<bool>,
    uniform_dequantization: Option<bool>,
    gaussian_dequantization: Option<bool>,
    /// Whether the pictures are those listed in `imagenet_val.txt`.
    pub subset_1k: Option<bool>,
    /// Whether the pictures are out of the training distribution.
    pub out_of_dist: Option<bool>,
    #[serde(rename = "category")]
    _category: Option<String>,
    #[serde(rename = "random_flip")]
    _random_flip: Option<bool>,
    #[serde(rename = "num_workers")]
    _num_workers: Option<usize>,
}

/// Section `model`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `simple` for the UNet of DDPM, `openai` for that of guided-diffusion.
    #[serde(rename = "type")]
    pub kind: ModelKind,
    /// Whether it is class-conditional.
    pub class_cond: Option<bool>,
    #[serde(rename = "in_channels")]
    _in_channels: Option<usize>,
    #[serde(rename = "out_ch")]
    _out_ch: Option<usize>,
    #[serde(rename = "out_channels")]
    _out_channels: Option<usize>,
    #[serde(rename = "ch")]
    _ch: Option<usize>,
    #[serde(rename = "ch_mult")]
    _ch_mult: Option<Vec<usize>>,
    #[serde(rename = "num_channels")]
    _num_channels: Option<usize>,
    #[serde(rename = "num_heads")]
    _num_heads: Option<i64>,
    #[serde(rename = "num_heads_upsample")]
    _num_heads_upsample: Option<i64>,
    #[serde(rename = "num_head_channels")]
    _num_head_channels: Option<i64>,
    #[serde(rename = "num_res_blocks")]
    _num_res_blocks: Option<usize>,
    #[serde(rename = "attn_resolutions")]
    _attn_resolutions: Option<Vec<usize>>,
    #[serde(rename = "attention_resolutions")]
    _attention_resolutions: Option<String>,
    #[serde(rename = "dropout")]
    _dropout: Option<f64>,
    #[serde(rename = "var_type")]
    _var_type: Option<String>,
    #[serde(rename = "ema_rate")]
    _ema_rate: Option<f64>,
    #[serde(rename = "ema")]
    _ema: Option<bool>,
    #[serde(rename = "resamp_with_conv")]
    _resamp_with_conv: Option<bool>,
    #[serde(rename = "learn_sigma")]
    _learn_sigma: Option<bool>,
    #[serde(rename = "use_scale_shift_norm")]
    _use_scale_shift_norm: Option<bool>,
    #[serde(rename = "use_fp16")]
    _use_fp16: Option<bool>,
    #[serde(rename = "resblock_updown")]
    _resblock_updown: Option<bool>,
    #[serde(rename = "image_size")]
    _image_size: Option<usize>,
    #[serde(rename = "use_new_attention_order")]
    _use_new_attention_order: Option<bool>,
}

/// Kinds of networks, by the reference's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// The UNet of DDPM.
    Simple,
    /// The UNet of guided-diffusion.
    OpenAi,
}

/// Section `diffusion`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diffusion {
    /// Noise schedule.
    pub beta_schedule: Betas,
    beta_start: f64,
    beta_end: f64,
    num_diffusion_timesteps: usize,
}

/// Section `sampling`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Pictures per batch.
    pub batch_size: usize,
    /// Steps of a run.
    #[serde(rename = "T_sampling")]
    pub steps: Option<usize>,
    #[serde(rename = "last_only")]
    _last_only: Option<bool>,
}

/// Section `time_travel`, as DDNM has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeTravel {
    /// Steps of a run.
    #[serde(rename = "T_sampling")]
    pub steps: usize,
    travel_length: usize,
    travel_repeat: usize,
}

/// Section `classifier`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classifier {
    /// Weight of its gradient.
    pub classifier_scale: f64,
    #[serde(rename = "image_size")]
    _image_size: Option<usize>,
    #[serde(rename = "classifier_attention_resolutions")]
    _attention_resolutions: Option<String>,
    #[serde(rename = "classifier_depth")]
    _depth: Option<usize>,
    #[serde(rename = "classifier_pool")]
    _pool: Option<String>,
    #[serde(rename = "classifier_resblock_updown")]
    _resblock_updown: Option<bool>,
    #[serde(rename = "classifier_width")]
    _width: Option<usize>,
    #[serde(rename = "classifier_use_scale_shift_norm")]
    _use_scale_shift_norm: Option<bool>,
    #[serde(rename = "classifier_use_fp16")]
    _use_fp16: Option<bool>,
}

impl Config {
    /// The configuration of that name: a file, one in `configs/`, or one of the reference's, which are compiled in.
    ///
    /// # Errors
    /// Names of nothing, and files of another form.
    pub fn find(name: &str) -> Result<Self> {
        let places = [PathBuf::from(name), Path::new(FOLDER).join(name)];
        if let Some(path) = places.iter().find(|path| path.is_file()) {
            return Self::parse(&std::fs::read_to_string(path).reading(path)?, path);
        }
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        let names = BUILT_IN.map(|(known, _)| known).join(", ");
        let (_, text) = built_in.ok_or_else(|| {
            let fact = format!("there is no such file, none in {FOLDER}/, and none of that name is built in");
            Error::mismatch(Subject::given(Setting::CONFIG, name), fact, format!("pass a file, or one of {names}"))
        })?;
        Self::parse(text, Path::new(name))
    }

    /// Reads the text of a file; `path` is for messages.
    ///
    /// # Errors
    /// Text of another form, by the key that does not fit.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let refuse = |fact: String, hint: &'static str| Error::document(path, fact, hint);
        let compare = "compare it with the reference's celeba_hq.yml";
        let mut place = String::new();
        let read = serde_saphyr::with_deserializer_from_str(text, |deserializer| {
            serde_path_to_error::deserialize(deserializer).map_err(|e| {
                place = e.path().to_string();
                e.into_inner()
            })
        });
        let config: Self = read.map_err(|e| {
            let reason = e.without_snippet().to_string();
            let reason = reason.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            refuse(if place.is_empty() || place == "." { reason } else { format!("{place}: {reason}") }, compare)
        })?;
        let Data { channels, rescaled, logit_transform, uniform_dequantization, gaussian_dequantization, .. } =
            config.data;
        let ranges = [
            (channels.is_some_and(|c| c != 3), "data.channels is not 3"),
            (rescaled == Some(false), "data.rescaled is false"),
            (logit_transform == Some(true), "data.logit_transform is true"),
            (uniform_dequantization == Some(true), "data.uniform_dequantization is true"),
            (gaussian_dequantization == Some(true), "data.gaussian_dequantization is true"),
        ];
        if let Some((_, what)) = ranges.iter().find(|(given, _)| *given) {
            return Err(refuse(format!("{what}, but images here are RGB in [-1, 1]"), "correct it, or leave it out"));
        }
        let Diffusion { beta_start, beta_end, num_diffusion_timesteps, .. } = config.diffusion;
        if num_diffusion_timesteps != TRAINING_STEPS || beta_start != 1e-4 || beta_end != 0.02 {
            let fact = format!(
                "its schedule is {beta_start} to {beta_end} in {num_diffusion_timesteps} steps, but every prior here was trained \
                 with 0.0001 to 0.02 in {TRAINING_STEPS}"
            );
            return Err(refuse(fact, "correct the section diffusion"));
        }
        if !(16..=4096).contains(&config.data.image_size) {
            let fact = format!("data.image_size is {}", config.data.image_size);
            return Err(refuse(fact, "it must be between 16 and 4096"));
        }
        if config.sampling.batch_size == 0 {
            return Err(refuse("sampling.batch_size is 0".into(), "it must be at least 1"));
        }
        Ok(config)
    }

    /// Steps of a run, if the file gives them.
    pub fn steps(&self) -> Option<usize> {
        self.time_travel.as_ref().map(|travel| travel.steps).or(self.sampling.steps)
    }

    /// Jumps back to noise.
    pub fn travel(&self) -> Travel {
        self.time_travel
            .as_ref()
            .map_or(Travel::NONE, |travel| Travel { length: travel.travel_length, repeat: travel.travel_repeat })
    }
}
