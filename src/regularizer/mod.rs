//! Gradient regularisers of FDGR: the terms `reg(x0)` of its guidance, without a step size.

mod frequency;
mod spatial;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::parameter::{self, Kind, Parameter, Values};

pub use frequency::{Frequency, GMinus};
pub use spatial::{GPlus, Spatial};

/// Gradient of a penalty on an image `[b, c, h, w]`.
pub trait Regularizer: Send + Sync {
    /// The term, its weight `lam` included.
    fn gradient(&self, x: Tensor<4>) -> Tensor<4>;
    /// Whether the step size follows the noise schedule in step size mode 0 (G+) or is 1 (G-).
    fn follows_schedule(&self) -> bool;
}

/// Which regulariser, with its own parameters: each is one file and one variant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode")]
pub enum Regularization {
    /// Periodic differences in space.
    #[serde(rename = "G+")]
    Spatial(GPlus),
    /// Fourier derivatives.
    #[serde(rename = "G-")]
    Frequency(GMinus),
}

/// Parameters of the regularisers, for shells.
pub const TABLE: [Parameter; 4] = [
    Parameter::new("mode", "regulariser in space (G+) or in frequency (G-)", Kind::Choice(&["G+", "G-"])),
    Parameter::new(
        "lam",
        "weight of the regulariser; negative values sharpen",
        Kind::Number { low: -1000.0, high: 1000.0 },
    ),
    Parameter::new("alpha", "exponent of the gradient magnitude", Kind::Above { low: 0.0, high: 10.0 }),
    Parameter::new("sigma_g", "scale of the gradients", Kind::Number { low: 1e-3, high: 1000.0 }),
];

impl Regularization {
    /// G+ of FDGR's published command line.
    pub const DEFAULT: Self = Self::Spatial(GPlus::PUBLISHED);
    /// G- with the defaults of the reference, which sharpen.
    pub const REFERENCE_FREQUENCY: Self = Self::Frequency(GMinus::REFERENCE);

    /// G+ of another weight.
    pub fn g_plus(lam: f64) -> Self {
        Self::Spatial(GPlus { lam, ..GPlus::PUBLISHED })
    }

    /// Its name among the values of `mode`.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Spatial(_) => "G+",
            Self::Frequency(_) => "G-",
        }
    }

    /// The regulariser for images of `height` x `width`.
    ///
    /// # Errors
    /// Parameters outside their range.
    pub fn build(&self, height: usize, width: usize, device: &Device) -> Result<Box<dyn Regularizer>> {
        parameter::check(&object(self)?, &TABLE)?;
        Ok(match self {
            Self::Spatial(parameters) => Box::new(Spatial::new(parameters)),
            Self::Frequency(parameters) => Box::new(Frequency::new(parameters, height, width, device)),
        })
    }

    /// The same with other values; another mode starts from its own defaults.
    ///
    /// # Errors
    /// Values outside their range.
    pub fn with(&self, values: &Values) -> Result<Self> {
        let wanted = values.get("mode").unwrap_or(self.mode());
        let is_wanted = |one: &Self| one.mode().eq_ignore_ascii_case(wanted);
        let base = [*self, Self::DEFAULT, Self::REFERENCE_FREQUENCY].into_iter().find(is_wanted).unwrap_or(*self);
        let mut object = object(&base)?;
        parameter::patch(&mut object, &TABLE, values)?;
        serde_json::from_value(object).map_err(unusable)
    }
}

fn object(regularization: &Regularization) -> Result<serde_json::Value> {
    serde_json::to_value(regularization).map_err(unusable)
}

fn unusable(e: serde_json::Error) -> Error {
    Error::mismatch("the regulariser", e.to_string(), "use its default parameters")
}
