//! Linear degradations `y = A x + n`.
//!
//! Images are `[batch, channel, height, width]`, RGB, in `[-1, 1]`; `n` is white noise of standard deviation `sigma_y` in
//! the same units (`sigma_y = 0.05` of a `[0, 1]` image is `0.1` here).
//!
//! A [`Degradation`] lists [`Stage`]s in the order in which they happened, in a form that recipes store;
//! [`Degradation::build`] makes the operator for one image size. A new stage is one file with a struct of its parameters, its
//! [`StageKind`] and its [`Kind`], and one line in the table below: every shell and every law then knows it.

mod channel_mix;
mod composed;
mod convolution;
mod crop;
mod kind;
mod mirrored;
mod mixed;
mod operator;
mod separable;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Hint, Result, Setting};
use crate::parameter::Values;

pub use crate::psf::{self, Psf};
pub use channel_mix::ChannelMix;
pub use composed::Composed;
pub use convolution::Convolution;
pub use crop::Crop;
pub use kind::{Context, Family, Kind, Preset, StageKind};
pub use mirrored::Mirrored;
pub use mixed::Mixed;
pub use operator::{ConvexSet, LinearOperator, Preconditioner, Spectral, conjugate_gradients};
pub use separable::{Form, Separable};

/// The one list of stages: module, variant, and name in recipes.
macro_rules! stages {
    ($($(#[$doc:meta])* $module:ident $variant:ident $name:literal),* $(,)?) => {
        $(pub mod $module;)*

        /// One thing that happened to a picture, with its parameters.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum Stage {
            $($(#[$doc])* #[serde(rename = $name)] $variant($module::$variant),)*
        }

        impl Stage {
            pub(crate) fn kind_of(&self) -> &dyn StageKind {
                match self {
                    $(Self::$variant(stage) => stage,)*
                }
            }

            /// Its kind in [`kinds`].
            pub fn kind(&self) -> &'static Kind {
                match self {
                    $(Self::$variant(_) => &$module::KIND,)*
                }
            }
        }

        $(impl From<$module::$variant> for Stage {
            fn from(stage: $module::$variant) -> Self {
                Self::$variant(stage)
            }
        })*

        /// Every kind of stage.
        pub fn kinds() -> &'static [&'static Kind] {
            static KINDS: &[&Kind] = &[$(&$module::KIND),*];
            KINDS
        }
    };
}

stages! {
    /// `A = I`: noise alone.
    denoising Denoising "denoising",
    /// The mean of the channels.
    colorization Colorization "colorization",
    /// Unknown pixels.
    inpainting Inpainting "inpainting",
    /// Bicubic reduction.
    sr_bicubic SrBicubic "sr_bicubic",
    /// Block means.
    average_pooling AveragePooling "sr_averagepooling",
    /// Convolution with a point spread function.
    deblur Deblur "deblur",
    /// Cells of quantisation.
    jpeg Jpeg "jpeg",
    /// Walsh-Hadamard coefficients.
    walsh_hadamard WalshHadamard "cs_walshhadamard",
    /// Random measurements of blocks.
    block_sensing BlockSensing "cs_blockbased",
}

pub use inpainting::Mask;

/// The kind and preset of that name in the papers' experiments.
pub fn preset(name: &str) -> Option<(&'static Kind, &'static Preset)> {
    kinds().iter().find_map(|kind| Some((*kind, kind.presets.iter().find(|preset| preset.name == name)?)))
}

/// Names of all presets.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    kinds().iter().flat_map(|kind| kind.presets.iter().map(|preset| preset.name))
}

/// The stage that a task undoes, of the kind that the values choose.
///
/// # Errors
/// Unknown tasks, parameters of other tasks, and values outside their range.
pub fn of_task(task: &str, values: &Values, context: &Context<'_>) -> Result<Stage> {
    let own: Vec<&&Kind> = kinds().iter().filter(|kind| kind.task == task).collect();
    let known: Vec<&str> = tasks().map(|(task, _)| task).collect();
    let Some(first) = own.first() else {
        let fact = format!("there is no task of that name; there are {}", known.join(", "));
        return Err(Error::mismatch(Setting::DEGRADATION, fact, "choose one of them"));
    };
    let is_chosen = |kind: &Kind| kind.chosen_by.is_some_and(|(name, value)| values.get(name) == Some(value));
    let kind = own.iter().find(|kind| is_chosen(kind)).unwrap_or(first);
    for (name, _) in values.iter() {
        if !kind.parameters.iter().any(|parameter| parameter.name == name) {
            let setting = Setting(name.to_owned().into());
            let owners = owners(name);
            let fact = match kind.chosen_by {
                Some((by, value)) if owners.contains(&task) => {
                    format!("{task} with {by} {value} has no such parameter")
                }
                _ => format!("it belongs to the task {}, not to {task}", owners.join(" and ")),
            };
            return Err(Error::mismatch(setting.clone(), fact, Hint::Omit(setting)));
        }
    }
    (kind.parse)(values, context)
}

/// The degradation that several tasks undo, in the order in which the damage happened; none is noise alone.
///
/// # Errors
/// As [`of_task`], and values that belong to none of the tasks.
pub fn of_tasks(tasks: &[String], values: &Values, context: &Context<'_>) -> Result<Degradation> {
    let listed = |names: &[&str]| names.join(" or ");
    for (name, _) in values.iter() {
        let owners = owners(name);
        if !tasks.iter().any(|task| owners.contains(&task.as_str())) {
            let setting = Setting(name.to_owned().into());
            if tasks.is_empty() {
                let fact = format!("it belongs to {}, and no task is given", listed(&owners));
                return Err(Error::mismatch(setting, fact, Hint::Give(Setting::DEGRADATION)));
            }
            let given: Vec<&str> = tasks.iter().map(String::as_str).collect();
            let fact = format!("it belongs to {}, not to {}", listed(&owners), listed(&given));
            let omit = Hint::Omit(setting.clone());
            let hint = match owners.first() {
                Some(owner) => omit.or(Hint::set(Setting::DEGRADATION, *owner)),
                None => omit,
            };
            return Err(Error::mismatch(setting, fact, hint));
        }
    }
    let stage = |(i, task): (usize, &String)| {
        let is_reduced = tasks[i + 1..].iter().any(|later| later == "sr");
        let context = Context { shows_damage: context.shows_damage && !is_reduced, ..*context };
        let mut own = Values::default();
        let given = values.iter().filter(|(name, _)| owners(name).contains(&task.as_str()));
        given.for_each(|(name, text)| own.insert(name, text));
        of_task(task, &own, &context)
    };
    Ok(Degradation::new(tasks.iter().enumerate().map(stage).collect::<Result<_>>()?))
}

/// Tasks and what they undo, each once.
pub fn tasks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let first = |i: &usize| kinds()[..*i].iter().all(|other| other.task != kinds()[*i].task);
    (0..kinds().len()).filter(first).map(|i| (kinds()[i].task, kinds()[i].title))
}

/// Tasks that have a parameter.
pub fn owners(parameter: &str) -> Vec<&'static str> {
    let mut owners: Vec<&str> = Vec::new();
    for kind in kinds() {
        if kind.parameters.iter().any(|p| p.name == parameter) && !owners.contains(&kind.task) {
            owners.push(kind.task);
        }
    }
    owners
}

/// Everything that happened to a picture: stages, the first first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Degradation(Vec<Stage>);

impl<'de> Deserialize<'de> for Degradation {
    /// A list of stages, or a single one.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(Stage),
            Several(Vec<Stage>),
        }
        let stages = match Form::deserialize(deserializer)? {
            Form::One(stage) => vec![stage],
            Form::Several(stages) => stages,
        };
        if stages.is_empty() {
            return Err(serde::de::Error::custom("a degradation has at least one stage"));
        }
        Ok(Self(stages))
    }
}

impl<S: Into<Stage>> From<S> for Degradation {
    fn from(stage: S) -> Self {
        Self(vec![stage.into()])
    }
}

impl Degradation {
    /// Stages in the order in which they happened; none is noise alone.
    pub fn new(stages: Vec<Stage>) -> Self {
        if stages.is_empty() { denoising::Denoising {}.into() } else { Self(stages) }
    }

    /// The stages.
    pub fn stages(&self) -> &[Stage] {
        &self.0
    }

    /// The one stage, where there is no other.
    pub fn single(&self) -> Option<&Stage> {
        match &self.0[..] {
            [stage] => Some(stage),
            _ => None,
        }
    }

    /// What undoing it asks for, where it is one stage.
    pub fn family(&self) -> Option<Family> {
        self.single().map(|stage| stage.kind_of().family())
    }

    /// What undoing its first stage asks for.
    pub fn first_family(&self) -> Family {
        self.0[0].kind_of().family()
    }

    /// The tasks that undo it, in order.
    pub fn name(&self) -> String {
        self.0.iter().map(|stage| stage.kind().task).collect::<Vec<_>>().join(", ")
    }

    /// Whether what is measured can be looked at.
    pub fn is_picture(&self) -> bool {
        !self.has(Family::Sensing)
    }

    /// Whether colours of a photo are not data.
    pub fn discards_colors(&self) -> bool {
        self.has(Family::Colors)
    }

    fn has(&self, family: Family) -> bool {
        self.0.iter().any(|stage| stage.kind_of().family() == family)
    }

    /// Whether it treats all places of an image alike.
    pub fn is_uniform(&self) -> bool {
        self.0.iter().all(|stage| stage.kind_of().is_uniform())
    }

    /// Whether what a file recorded says no more of the measurement than a set that it lies in.
    pub fn is_quantized(&self) -> bool {
        matches!(self.0.last().map(|stage| stage.kind_of().family()), Some(Family::Quantized { .. }))
    }

    /// Whether it blurs.
    pub(crate) fn is_blur(&self) -> bool {
        self.0.iter().any(|stage| matches!(stage.kind_of().family(), Family::Blur { .. }))
    }

    /// The kernel, where a blur that the Fourier transform inverts is all that happened.
    pub(crate) fn single_blur(&self) -> Option<psf::Kernel> {
        self.single()?.kind_of().valid_kernel().ok().flatten()
    }

    /// Whether undoing it magnifies what the measurement has wrong, by more than a reduction does.
    pub(crate) fn magnifies(&self) -> bool {
        self.0.iter().any(|stage| matches!(stage.kind_of().family(), Family::Blur { .. } | Family::Noise))
    }

    /// The pixels of a photo that are filled in.
    pub fn holes(&self) -> Option<&Mask> {
        self.0.last().and_then(|stage| stage.kind_of().holes())
    }

    /// What a photo `[1, 3, h, w]` says of what is measured.
    pub(crate) fn of_photo(&self, photo: Tensor<4>) -> Tensor<4> {
        self.0.iter().fold(photo, |photo, stage| stage.kind_of().of_photo(photo))
    }

    /// The shape of the measurement of RGB images of `height` x `width`; computes nothing.
    ///
    /// # Errors
    /// Sizes that do not fit a stage, and parameters outside their range.
    pub fn check(&self, [height, width]: [usize; 2]) -> Result<[usize; 3]> {
        if let Some(early) = self.0.iter().rev().skip(1).find(|stage| !stage.kind_of().may_be_followed()) {
            let fact = format!("{} is how the file was written, after everything else", early.kind().task);
            return Err(Error::mismatch(Setting::DEGRADATION, fact, "put it last"));
        }
        self.0.iter().try_fold([3, height, width], |shape, stage| stage.kind_of().check(shape))
    }

    /// The seed of its random patterns, where it has any.
    pub fn seed(&self) -> Option<u64> {
        self.0.iter().find_map(|stage| stage.kind_of().seed())
    }

    /// Height and width of the image whose measurement has this size.
    pub fn image_size(&self, measured: [usize; 2]) -> [usize; 2] {
        self.0.iter().rev().fold(measured, |size, stage| stage.kind_of().image_size(size))
    }

    /// The operator for RGB images of `height` x `width`, convolutions with periodic borders.
    ///
    /// # Errors
    /// Sizes that do not fit a stage, and parameters outside their range.
    pub fn build(&self, size: [usize; 2], device: &Device) -> Result<Box<dyn LinearOperator>> {
        self.build_from(Vec::new(), [3, size[0], size[1]], device)
    }

    /// The same for images `[channels, height, width]`.
    ///
    /// # Errors
    /// As [`Degradation::build`].
    pub fn build_for(&self, image: [usize; 3], device: &Device) -> Result<Box<dyn LinearOperator>> {
        self.build_from(Vec::new(), image, device)
    }

    /// The operator of all stages after those that `first` has built already, for images of `shape`.
    pub(crate) fn build_from(
        &self,
        first: Vec<Box<dyn LinearOperator>>,
        shape: [usize; 3],
        device: &Device,
    ) -> Result<Box<dyn LinearOperator>> {
        let mut parts = first;
        for stage in &self.0[parts.len()..] {
            let shape = parts.last().map_or(shape, |part| part.measured_shape());
            stage.kind_of().check(shape)?;
            parts.push(stage.kind_of().build(shape, device)?);
        }
        Ok(Composed::of(parts))
    }

    /// Whether a stage is a blur whose light may come from beyond a photograph's border.
    ///
    /// # Errors
    /// Parameters outside their range.
    pub(crate) fn has_border(&self) -> Result<bool> {
        let kernels: Result<Vec<_>> = self.0.iter().map(|stage| stage.kind_of().valid_kernel()).collect();
        Ok(kernels?.iter().any(Option::is_some))
    }

    /// The kernel of the first stage, where light comes from beyond a photograph's border.
    ///
    /// # Errors
    /// Parameters outside their range, and such a kernel in a later stage, whose border nothing is known of.
    pub(crate) fn valid_kernel(&self) -> Result<Option<psf::Kernel>> {
        for stage in &self.0[1..] {
            if stage.kind_of().valid_kernel()?.is_some() {
                return Err(Error::mismatch(
                    Setting::BORDER,
                    "only the first thing that happened may be a blur that extends beyond the border",
                    Hint::set(Setting::BORDER, "periodic").or("put the blur first"),
                ));
            }
        }
        self.0[0].kind_of().valid_kernel()
    }
}

/// The shape of images reduced by `scale`.
///
/// # Errors
/// A scale that does not divide both sides.
fn check_scale(scale: usize, [channels, height, width]: [usize; 3]) -> Result<[usize; 3]> {
    if !(1..=64).contains(&scale) {
        return Err(Error::parameter(Setting::SCALE, scale, "it must be between 1 and 64"));
    }
    if !height.is_multiple_of(scale) || !width.is_multiple_of(scale) {
        let (h, w) = (height / scale * scale, width / scale * scale);
        let fact = format!("the scale {scale} does not divide both sides");
        return Err(Error::mismatch(
            format!("{width}x{height}"),
            fact,
            format!("crop it to {w}x{h}, or choose another scale"),
        ));
    }
    Ok([channels, height / scale, width / scale])
}

/// # Errors
/// A share of measurements outside its range.
fn check_ratio(ratio: f64) -> Result<()> {
    if ratio > 0.0 && ratio <= 1.0 {
        return Ok(());
    }
    Err(Error::parameter(Setting::RATIO, ratio, "it must be above 0 and at most 1"))
}

/// Number of measurements that are `ratio` of `n`.
fn share(ratio: f64, n: usize) -> usize {
    ((ratio * n as f64).round() as usize).clamp(1, n)
}

/// Examples of every stage and of compositions at the given size (multiples of 4), named.
///
/// # Errors
/// As [`Degradation::build`].
#[doc(hidden)]
pub fn examples(height: usize, width: usize, device: &Device) -> Result<Vec<(String, Box<dyn LinearOperator>)>> {
    let size = [height, width];
    let listed: Vec<(&str, Stage)> = kinds().iter().flat_map(|kind| (kind.examples)(size)).collect();
    let find = |name: &str| listed.iter().find(|(other, _)| *other == name).map(|(_, stage)| stage.clone());
    let pair = |a: &str, b: &str| Degradation::new([a, b].into_iter().filter_map(find).collect());
    let mut all: Vec<(String, Degradation)> =
        listed.iter().map(|(name, stage)| ((*name).to_owned(), stage.clone().into())).collect();
    // Conjugate gradients take long on software adapters: one size is enough.
    let pairs = [("inpainting", "sr_averagepooling"), ("deblur_uni_fft", "colorization")];
    for (a, b) in pairs.into_iter().filter(|_| height == width) {
        all.push((format!("{a} then {b}"), pair(a, b)));
    }
    all.into_iter().map(|(name, d)| Ok((name, d.build(size, device)?))).collect()
}
