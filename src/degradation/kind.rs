//! What a stage of a degradation says of itself.

use burn::tensor::{Device, Tensor};

use super::{ConvexSet, LinearOperator, Mask, Stage, psf};
use crate::error::Result;
use crate::parameter::{Parameter, Values};
use crate::picture::Picture;

/// What a stage says of itself.
pub trait StageKind {
    /// What undoing it asks for.
    fn family(&self) -> Family;

    /// The shape of the measurement of images `[channels, height, width]`; computes nothing.
    ///
    /// # Errors
    /// Sizes that do not fit, and parameters outside their range.
    fn check(&self, image: [usize; 3]) -> Result<[usize; 3]>;

    /// The operator for images `[channels, height, width]` that [`StageKind::check`] accepts.
    ///
    /// # Errors
    /// Parameters outside their range.
    fn build(&self, image: [usize; 3], device: &Device) -> Result<Box<dyn LinearOperator>>;

    /// Height and width of the image whose measurement has this size, for measurements that are pictures.
    fn image_size(&self, measured: [usize; 2]) -> [usize; 2] {
        measured
    }

    /// What it keeps of a photo `[1, 3, h, w]` that shows more than it measures.
    fn of_photo(&self, photo: Tensor<4>) -> Tensor<4> {
        photo
    }

    /// Whether noise falls on what is measured only: pixels outside hold nothing.
    fn masks_noise(&self) -> bool {
        false
    }

    /// What a file keeps of a measurement `y`.
    fn recorded(&self, y: Tensor<4>) -> Tensor<4> {
        y
    }

    /// The set that the true measurement is known to lie in, where what was recorded says no more.
    fn set_of(&self, _recorded: &Tensor<4>) -> Option<Box<dyn ConvexSet>> {
        None
    }

    /// Whether other stages may come after it.
    fn may_be_followed(&self) -> bool {
        true
    }

    /// Whether it treats all places of an image alike.
    fn is_uniform(&self) -> bool {
        true
    }

    /// The pixels that it loses, of what it measures.
    fn holes(&self) -> Option<&Mask> {
        None
    }

    /// The seed of a random pattern.
    fn seed(&self) -> Option<u64> {
        None
    }

    /// The kernel of a convolution whose light comes from beyond the border of a photograph.
    ///
    /// # Errors
    /// Parameters outside their range.
    fn valid_kernel(&self) -> Result<Option<psf::Kernel>> {
        Ok(None)
    }

    /// The answer of a classical method: an image from its measurement `y` without any prior, where the noise has standard
    /// deviation `sigma_y`, in units of a `[-1, 1]` image. By default the regularised inverse.
    ///
    /// # Errors
    /// A device that does not give its data back.
    fn classical_estimate(&self, operator: &dyn LinearOperator, y: Tensor<4>, sigma_y: f64) -> Result<Tensor<4>> {
        Ok(operator.regularized_inverse(y, (sigma_y * sigma_y).max(1e-4)))
    }
}

/// What undoing a stage asks for: the defaults of methods follow it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    /// Noise is removed.
    Noise,
    /// Lost pixels are found.
    Resolution,
    /// A blur is undone: of a lens, or of a hand.
    Blur {
        /// Whether the kernel is narrow across and long along a path.
        shaken: bool,
    },
    /// Values were rounded by steps.
    Quantized {
        /// Standard deviation of an error that is spread evenly over a step, of a `[-1, 1]` image.
        step: f64,
    },
    /// Holes are filled in.
    Holes,
    /// Colours are invented: those of a photo are not data.
    Colors,
    /// A picture is found from measurements that are none.
    Sensing,
}

/// A kind of stage, as shells and experiments name it.
#[derive(Debug)]
pub struct Kind {
    /// Its name in recipes.
    pub name: &'static str,
    /// The task that undoes it, as people call it; several kinds may share one.
    pub task: &'static str,
    /// What happened, in one phrase.
    pub title: &'static str,
    /// The parameter and its value that choose this kind among those of its task; the first kind of a task needs none.
    pub chosen_by: Option<(&'static str, &'static str)>,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// Names in the papers' experiments.
    pub presets: &'static [Preset],
    /// Standard deviation of the noise that is assumed where none is given or estimated, of a `[0, 1]` image.
    pub usual_sigma: Option<f64>,
    /// The stage of these values.
    pub parse: fn(&Values, &Context<'_>) -> Result<Stage>,
    /// Stages for images of height and width (multiples of 4) that show every form of it; the laws run over these.
    pub examples: fn([usize; 2]) -> Vec<(&'static str, Stage)>,
}

/// A degradation of the papers' experiments.
#[derive(Debug)]
pub struct Preset {
    /// Its name, such as `deblur_uni`.
    pub name: &'static str,
    /// What happens, in one phrase.
    pub title: &'static str,
    /// Its parameters.
    pub values: &'static [(&'static str, &'static str)],
    /// The parameter that an experiment's scale sets.
    pub scale: Option<&'static str>,
    /// Whether every picture has another degradation, by its seed.
    pub per_picture: bool,
}

impl Preset {
    /// A preset without parameters.
    pub const fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title, values: &[], scale: None, per_picture: false }
    }
}

/// What a stage may depend on beside its parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Height and width of the image, or of the measurement where only that is known.
    pub size: [usize; 2],
    /// Fixes sampling patterns and random kernels.
    pub seed: u64,
    /// The photo, if it is one: its transparent parts may be holes.
    pub photo: Option<&'a Picture>,
    /// Whether the stage made that photo what it is, pixel by pixel: it may show what is not given.
    pub shows_damage: bool,
}

impl<'a> Context<'a> {
    /// The photo, where it shows what the stage did.
    pub(super) fn damaged(&self) -> Option<&'a Picture> {
        self.photo.filter(|_| self.shows_damage)
    }
}
