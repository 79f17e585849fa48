//! How an image of one size is measured: the operator, and what surrounds it.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::{Border, DataModel, RestoreConfig, border};
use crate::degradation::{
    ChannelMix, Convolution, Crop, Degradation, LinearOperator, Mixed, Stage, StageKind, psf::Kernel,
};
use crate::error::{Error, Result};
use crate::sampler::Data;

/// The operator of a degradation for images of one size. Built once; holds no data.
///
/// With [`Border::Extend`] the light of a blurred photograph comes from beyond its border: the image sought has a margin at its
/// lower and right side, which [`Measurement::crop`] removes.
pub struct Measurement {
    /// What the operator was built from; none for one of the caller's own.
    degradation: Option<Degradation>,
    operator: Operator,
    /// The circular convolution of the image with its margin.
    circular: Option<Arc<Convolution>>,
    size: [usize; 2],
    margin: [usize; 2],
}

/// An operator on all channels, or one on each with a mixture of them.
#[expect(clippy::large_enum_variant, reason = "there is one in a measurement")]
enum Operator {
    Whole(Box<dyn LinearOperator>),
    Mixed {
        mixed: Mixed,
        /// What white noise has beyond the photo's.
        beyond: ChannelMix,
    },
}

impl Operator {
    fn get(&self) -> &dyn LinearOperator {
        match self {
            Self::Whole(operator) => operator.as_ref(),
            Self::Mixed { mixed, .. } => mixed,
        }
    }

    /// The operators of the stages, on all channels or on each.
    fn stages(&self) -> Vec<&dyn LinearOperator> {
        let product = match self {
            Self::Whole(operator) => operator.as_ref(),
            Self::Mixed { mixed, .. } => mixed.alike(),
        };
        match product.factors() {
            [] => vec![product],
            factors => factors.iter().map(AsRef::as_ref).collect(),
        }
    }

    /// An unmixed image as the operators of stages take it: whole, or every channel an image of its own.
    fn split(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        match self {
            Self::Whole(_) => x,
            Self::Mixed { .. } => x.reshape([b * c, 1, h, w]),
        }
    }

    /// The reverse, for `batch` images.
    fn joined(&self, x: Tensor<4>, batch: usize) -> Tensor<4> {
        let [n, c, h, w] = x.dims();
        x.reshape([batch, n * c / batch, h, w])
    }
}

impl Measurement {
    /// The measurement of images of `size` (height, width), of equal and independent noise in all channels.
    ///
    /// # Errors
    /// Sizes that do not fit the degradation, and parameters outside their range.
    pub fn new(degradation: &Degradation, border: Border, size: [usize; 2], device: &Device) -> Result<Self> {
        Self::built(degradation, border, size, None, device)
    }

    /// The measurement of images of `size` (height, width) that a configuration describes, its noise made white.
    ///
    /// # Errors
    /// As [`Measurement::new`], and noise of channels that the degradation mixes already.
    pub fn of(config: &RestoreConfig, size: [usize; 2], device: &Device) -> Result<Self> {
        config.check_channels()?;
        let mixtures = config.channels.mixtures(config.sigma, size, device);
        Self::built(&config.degradation, config.border, size, mixtures, device)
    }

    /// The same measurement, which a configuration describes, of a photo of which nothing is known where `known`, `[1, 1, h, w]`, is 0, and not 1.
    /// Only light from beyond the border is measured so: without a margin nothing changes.
    ///
    /// # Errors
    /// As [`Measurement::of`].
    pub(super) fn knowing(&self, known: Tensor<4>, config: &RestoreConfig) -> Result<Self> {
        let (size, margin, device) = (self.size, self.margin, known.device());
        let circular = self.circular.clone();
        let first = circular.clone().map(|circular| Crop::new(circular, size).knowing(known));
        let mixtures = config.channels.mixtures(config.sigma, size, &device);
        let operator = operator_of(&config.degradation, first, mixtures, size, &device)?;
        Ok(Self { degradation: self.degradation.clone(), operator, circular, size, margin })
    }

    fn built(
        degradation: &Degradation,
        border: Border,
        size: [usize; 2],
        mixtures: Option<[ChannelMix; 2]>,
        device: &Device,
    ) -> Result<Self> {
        let channels = if mixtures.is_some() { 1 } else { 3 };
        let kernel = valid_kernel(degradation, border, size)?;
        let (margin, circular) = match &kernel {
            Some(kernel) => {
                let margin = border::margin(kernel, size);
                let shape = [channels, size[0] + margin[0], size[1] + margin[1]];
                (margin, Some(Arc::new(Convolution::new(kernel, shape, device)?)))
            }
            None => ([0, 0], None),
        };
        let first = circular.clone().map(|circular| Crop::new(circular, size));
        let operator = operator_of(degradation, first, mixtures, size, device)?;
        Ok(Self { degradation: Some(degradation.clone()), operator, circular, size, margin })
    }

    /// The measurement by an operator of one's own.
    pub fn custom(operator: Box<dyn LinearOperator>) -> Self {
        let [_, height, width] = operator.image_shape();
        Self {
            degradation: None,
            operator: Operator::Whole(operator),
            circular: None,
            size: [height, width],
            margin: [0, 0],
        }
    }

    /// Height and width of the image that is sought for one of `size`, its margin included: what a run's memory depends on.
    ///
    /// # Errors
    /// As [`Measurement::new`].
    pub fn extent(degradation: &Degradation, border: Border, size: [usize; 2]) -> Result<[usize; 2]> {
        let margin = valid_kernel(degradation, border, size)?.map_or([0, 0], |kernel| border::margin(&kernel, size));
        Ok([size[0].saturating_add(margin[0]), size[1].saturating_add(margin[1])])
    }

    /// `A`, on images with their margin.
    pub fn operator(&self) -> &dyn LinearOperator {
        self.operator.get()
    }

    /// What white noise has beyond the noise of the photo, where that is not white between the channels.
    pub(super) fn beyond(&self) -> Option<&ChannelMix> {
        match &self.operator {
            Operator::Whole(_) => None,
            Operator::Mixed { beyond, .. } => Some(beyond),
        }
    }

    /// Height and width of the restored image.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Whether what is measured can be looked at.
    pub fn is_picture(&self) -> bool {
        self.degradation.as_ref().is_none_or(Degradation::is_picture)
    }

    /// `Aᵀ (A Aᵀ + eta I)⁻¹ y` with periodic borders, without a margin: a picture of what was measured.
    ///
    /// # Errors
    /// As [`Measurement::new`].
    pub fn regularized_inverse(&self, y: Tensor<4>, eta: f64) -> Result<Tensor<4>> {
        match &self.degradation {
            Some(degradation) if self.has_margin() => {
                Ok(degradation.build(self.size, &y.device())?.regularized_inverse(y, eta))
            }
            _ => Ok(self.operator.get().regularized_inverse(y, eta)),
        }
    }

    /// Whether light comes from beyond the border.
    pub fn has_margin(&self) -> bool {
        self.circular.is_some()
    }

    /// `A x` of an image `[b, 3, h, w]` without a margin, which is made up where one is needed.
    pub fn measure(&self, x: Tensor<4>) -> Tensor<4> {
        self.operator.get().apply(border::extended(x, self.margin))
    }

    /// The image without its margin; grey where it is known to be.
    pub fn crop(&self, x: Tensor<4>) -> Tensor<4> {
        let ([b, c, _, _], [h, w]) = (x.dims(), self.size);
        let x = x.slice([0..b, 0..c, 0..h, 0..w]);
        match &self.operator {
            Operator::Mixed { mixed, .. } if mixed.mix().measured_shape()[0] == 1 => x.mean_dim(1).repeat_dim(1, c),
            _ => x,
        }
    }

    /// A measurement in the channels of the photo.
    pub(super) fn unmixed(&self, y: Tensor<4>) -> Tensor<4> {
        match &self.operator {
            Operator::Whole(_) => y,
            Operator::Mixed { mixed, .. } => mixed.mix().regularized_inverse(y, 0.0),
        }
    }

    /// The channels of a picture as they are measured: the reverse of [`Measurement::unmixed`].
    pub(super) fn mixed(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.operator {
            Operator::Whole(_) => x,
            Operator::Mixed { mixed, .. } => mixed.mix().apply(x),
        }
    }

    /// The answer of classical methods to `y`, with its margin, where the noise has standard deviation `sigma_y` in units of a
    /// `[-1, 1]` image.
    ///
    /// # Errors
    /// A device that does not give its data back.
    pub fn estimate(&self, y: &Tensor<4>, sigma_y: f64) -> Result<Tensor<4>> {
        let Some(degradation) = &self.degradation else {
            return Ok(self.operator.get().regularized_inverse(y.clone(), (sigma_y * sigma_y).max(1e-4)));
        };
        let mut x = self.operator.split(self.unmixed(y.clone()));
        for (i, (stage, part)) in degradation.stages().iter().zip(self.operator.stages()).enumerate().rev() {
            x = match &self.circular {
                Some(circular) if i == 0 => {
                    let extended = border::extended(x, self.margin);
                    stage.kind_of().classical_estimate(circular.as_ref(), extended, sigma_y)?
                }
                _ => stage.kind_of().classical_estimate(part, x, sigma_y)?,
            };
        }
        Ok(self.operator.joined(x, y.dims()[0]))
    }

    /// The measurement `y` that a photo `[1, 3, h, w]` is: unknown pixels at 0, channels mixed where they were lost or their noise
    /// is not white.
    ///
    /// # Errors
    /// Photos of another size than what is measured.
    pub fn of_photo(&self, photo: Tensor<4>) -> Result<Tensor<4>> {
        let ([_, _, h, w], measured) = (photo.dims(), self.operator.get().measured_shape());
        if measured[1..] != [h, w] {
            let fact = format!("it is {w}x{h}, but what is measured has {}x{}", measured[2], measured[1]);
            return Err(Error::mismatch("the photo", fact, "crop it, or choose another degradation"));
        }
        let y = match (&self.operator, &self.degradation) {
            (Operator::Mixed { mixed, .. }, _) => mixed.mix().apply(photo),
            (Operator::Whole(_), Some(degradation)) => degradation.of_photo(photo),
            (Operator::Whole(_), None) => photo,
        };
        Ok(self.masked(y))
    }

    fn last_stage(&self) -> Option<&dyn StageKind> {
        let degradation = self.degradation.as_ref()?;
        degradation.stages().last().map(Stage::kind_of)
    }

    /// The same where something is measured, and 0 in holes that the last stage makes.
    fn masked(&self, y: Tensor<4>) -> Tensor<4> {
        match self.operator.stages().last() {
            Some(mask) if self.last_stage().is_some_and(StageKind::masks_noise) => {
                let batch = y.dims()[0];
                self.operator.joined(mask.apply(self.operator.split(y)), batch)
            }
            _ => y,
        }
    }

    /// A measurement `y` with `noise` of standard deviation `sigma_y` of a `[-1, 1]` image, which does not fall into holes, as it is
    /// recorded.
    pub fn with_noise(&self, y: Tensor<4>, noise: Tensor<4>, sigma_y: f64) -> Tensor<4> {
        let y = y + self.masked(noise) * sigma_y;
        match self.last_stage() {
            Some(stage) => stage.recorded(y),
            None => y,
        }
    }

    /// What `y` says of the true measurement.
    pub fn data(&self, y: Tensor<4>, model: DataModel) -> Data {
        if let Some(set) = self.last_stage().and_then(|stage| stage.set_of(&y)) {
            return Data::Set { y, set: set.into() };
        }
        match model {
            DataModel::Exact | DataModel::Robust => Data::Exact(y),
            DataModel::Intervals => intervals(y),
        }
    }

    /// # Errors
    /// Measurements of another shape than `A` gives.
    pub fn check(&self, y: &Tensor<4>) -> Result<()> {
        let [_, c, h, w] = y.dims();
        let [channels, height, width] = self.operator.get().measured_shape();
        if [c, h, w] == [channels, height, width] {
            return Ok(());
        }
        Err(Error::mismatch(
            "the measurement",
            format!("it has the shape {c}x{h}x{w}, where {channels}x{height}x{width} belong"),
            "pass what this degradation measures of an image of that size",
        ))
    }
}

/// Half a step of 8 bits around each value, and everything beyond it where a sensor or a file cuts values off: a white pixel
/// says "at least 1".
fn intervals(y: Tensor<4>) -> Data {
    // Of a [-1, 1] image.
    const HALF_STEP: f64 = 1.0 / 255.0;
    let white = y.clone().greater_equal_elem(1.0 - HALF_STEP);
    let black = y.clone().lower_equal_elem(-1.0 + HALF_STEP);
    let low = (y.clone() - HALF_STEP).mask_fill(black, f32::NEG_INFINITY);
    let high = (y.clone() + HALF_STEP).mask_fill(white, f32::INFINITY);
    Data::Interval { y, low, high }
}

/// The operator whose first stage is built already where light comes from beyond the border.
fn operator_of(
    degradation: &Degradation,
    first: Option<Crop<Convolution>>,
    mixtures: Option<[ChannelMix; 2]>,
    [height, width]: [usize; 2],
    device: &Device,
) -> Result<Operator> {
    let channels = if mixtures.is_some() { 1 } else { 3 };
    let first: Option<Box<dyn LinearOperator>> = first.map(|first| Box::new(first) as _);
    let operator = degradation.build_from(first.into_iter().collect(), [channels, height, width], device)?;
    Ok(match mixtures {
        Some([mix, beyond]) => Operator::Mixed { mixed: Mixed::new(operator, mix), beyond },
        None => Operator::Whole(operator),
    })
}

fn valid_kernel(degradation: &Degradation, border: Border, size: [usize; 2]) -> Result<Option<Kernel>> {
    if border == Border::Periodic {
        return Ok(None);
    }
    let kernel = degradation.valid_kernel()?;
    if let Some(kernel) = &kernel {
        kernel.check_fits(size[0], size[1])?;
    }
    Ok(kernel)
}
