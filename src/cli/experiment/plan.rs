//! What the flags of an experiment come to, before a prior is loaded.

use burn::tensor::Device;

use super::{Args, Defaults, note};
use crate::error::{Error, Result};
use crate::experiment::config::{Config, ModelKind};
use crate::experiment::degradation::{self, Measurement, Name};
use crate::experiment::{Shard, dataset};
use crate::model;
use crate::restore::{Border, Method, MethodName, PriorChoice, RestoreConfig};

/// The class that the reference restores every picture towards.
const REFERENCE_CLASS: &str = "951";

pub(super) fn parse_shard(text: &str) -> Result<Shard> {
    let parsed = text.split_once('/').and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
    match parsed {
        Some((i, count)) if (1..=count).contains(&i) => Ok(Shard { index: i - 1, count }),
        _ => Err(Error::parameter("--shard", text, "it must be I/N with I from 1 to N, such as 3/8")),
    }
}

pub(super) fn subset(args: &Args, pictures: Vec<dataset::Entry>) -> Result<Vec<dataset::Entry>> {
    let bound = |value: i64, otherwise: usize| usize::try_from(value).unwrap_or(otherwise);
    let (start, end) = (bound(args.subset_start, 0), bound(args.subset_end, pictures.len()));
    if start >= end || end > pictures.len() {
        return Err(Error::Mismatch {
            what: format!("--subset_start {} --subset_end {}", args.subset_start, args.subset_end),
            fact: format!("there are {} pictures", pictures.len()),
            remedy: "choose a range within them; the end is the picture behind the last".into(),
        });
    }
    Ok(pictures[start..end].to_vec())
}

pub(super) fn measurement(args: &Args, side: usize) -> Result<Measurement> {
    let (deg, scale) = Name::parse(&args.deg)?;
    let mask = match (deg, &args.mask) {
        (Name::Inpainting, Some(path)) => Some(degradation::read_mask(path, side, args.invert_mask)?),
        (Name::Inpainting, None) => {
            let place = degradation::mask_place(&args.exp);
            place.is_file().then(|| degradation::read_mask(&place, side, false)).transpose()?
        }
        (_, Some(_)) => {
            let fact = format!("it belongs to --deg inpainting, not to --deg {deg}");
            return Err(Error::Mismatch { what: "--mask".into(), fact, remedy: "leave it out".into() });
        }
        (_, None) => None,
    };
    Ok(Measurement { deg, deg_scale: scale.unwrap_or(args.deg_scale), operator_imp: args.operator_imp, mask })
}

pub(super) fn restore_config(
    args: &Args,
    file: &Config,
    measurement: &Measurement,
    first: usize,
) -> Result<RestoreConfig> {
    let degradation = measurement.of_picture(first, args.seed)?;
    // Sizes that do not fit are said before a prior is loaded.
    degradation.build(file.data.image_size, file.data.image_size, &Device::flex())?;
    let base = RestoreConfig::new(degradation, args.sigma_y);
    let mut config = match args.defaults {
        Defaults::Restore => base,
        Defaults::Reference => RestoreConfig {
            method: Method::published(args.method.method.unwrap_or(MethodName::Fdgr)),
            steps: file.steps().unwrap_or(100),
            start: 1.0,
            clip: args.method.method.is_some_and(MethodName::published_clip),
            travel: file.travel(),
            ..base
        },
    };
    config.schedule = file.diffusion.beta_schedule;
    config.border = Border::Periodic;
    config.seed = args.seed;
    args.method.apply(&mut config)?;
    Ok(config)
}

/// The prior that flags name, else that of the configuration: a checkpoint where the reference keeps it, or an installed one.
pub(super) fn prior_choice(args: &Args, file: &Config) -> Result<PriorChoice> {
    let mut choice = args.prior.choice();
    if args.prior.chooses_model() {
        return Ok(choice);
    }
    let conditional = file.model.class_cond == Some(true);
    let side = file.data.image_size;
    let (checkpoint, name) = match (file.model.kind, conditional) {
        (ModelKind::Simple, _) => ("celeba/celeba_hq.ckpt".to_owned(), "celebahq-256"),
        (ModelKind::OpenAi, false) => ("imagenet/256x256_diffusion_uncond.pt".to_owned(), "imagenet-256"),
        (ModelKind::OpenAi, true) => (format!("imagenet/{side}x{side}_diffusion.pt"), "imagenet-256-conditional"),
    };
    let find = |checkpoint: &str, name: &str| -> Result<String> {
        let place = args.exp.join("logs").join(checkpoint);
        if place.is_file() {
            return Ok(place.display().to_string());
        }
        if model::ModelFolder::open()?.find(name)?.is_some() {
            return Ok(name.into());
        }
        Err(Error::Checkpoint {
            path: place,
            fact: format!("{} asks for this checkpoint, but it is neither there nor installed as {name}", args.config),
            remedy: format!("`fdgr models pull {name}` fetches it; --model photo takes the built-in prior instead"),
        })
    };
    choice.model = find(&checkpoint, name)?;
    if conditional {
        if choice.class.is_none() {
            note(format!("class {REFERENCE_CLASS}, as in the reference; --class chooses another"));
            choice.class = Some(REFERENCE_CLASS.into());
        }
        if let (Some(classifier), None) = (&file.classifier, &choice.classifier) {
            choice.classifier =
                Some(find(&format!("imagenet/{side}x{side}_classifier.pt"), "imagenet-256-classifier")?);
            choice.guidance_scale = choice.guidance_scale.or(Some(classifier.classifier_scale));
        }
    }
    Ok(choice)
}
