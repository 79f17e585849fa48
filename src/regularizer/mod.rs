//! Gradient regularisers of FDGR: the terms `reg(x0)` of its guidance, without a step size.

mod frequency;
mod spatial;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::gradient::Penalty;

pub use frequency::Frequency;
pub use spatial::Spatial;

/// Gradient of a penalty on an image `[b, c, h, w]`.
pub trait Regularizer {
    /// The term, its weight `lam` included.
    fn gradient(&self, x: Tensor<4>) -> Tensor<4>;
    /// Whether the step size follows the noise schedule in step size mode 0 (G+) or is 1 (G-).
    fn follows_schedule(&self) -> bool;
}

/// Which regulariser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Mode {
    /// Periodic differences in space.
    #[serde(rename = "G+")]
    #[value(name = "g+", alias = "G+")]
    Spatial,
    /// Fourier derivatives.
    #[serde(rename = "G-")]
    #[value(name = "g-", alias = "G-")]
    Frequency,
}

/// Parameters of a regulariser.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regularization {
    /// In space or in frequency.
    pub mode: Mode,
    /// Weight; negative values sharpen.
    pub lam: f64,
    /// Exponent of the gradient magnitude.
    pub alpha: f64,
    /// Scale of the gradients.
    pub sigma_g: f64,
}

impl Regularization {
    /// G+ of FDGR's published command line.
    pub const DEFAULT: Self = Self { mode: Mode::Spatial, lam: 1.3, alpha: 0.2, sigma_g: 0.8 };
    /// G- with the defaults of the reference, which sharpen.
    pub const REFERENCE_FREQUENCY: Self = Self { mode: Mode::Frequency, lam: -0.09, alpha: 0.5, sigma_g: 1.5 };

    /// The regulariser for images of `height` x `width`.
    ///
    /// # Errors
    /// Parameters outside their range.
    pub fn build(&self, height: usize, width: usize, device: &Device) -> Result<Box<dyn Regularizer>> {
        if !(self.lam.is_finite() && self.lam.abs() <= 1000.0) {
            return Err(Error::parameter("lam", self.lam, "it must be between -1000 and 1000"));
        }
        if !(self.alpha > 0.0 && self.alpha <= 10.0) {
            return Err(Error::parameter("alpha", self.alpha, "it must be above 0 and at most 10"));
        }
        if !(self.sigma_g >= 1e-3 && self.sigma_g <= 1000.0) {
            return Err(Error::parameter("sigma_g", self.sigma_g, "it must be between 0.001 and 1000"));
        }
        let penalty = Penalty { alpha: self.alpha, sigma_g: self.sigma_g };
        Ok(match self.mode {
            Mode::Spatial => Box::new(Spatial::new(self.lam, penalty)),
            Mode::Frequency => Box::new(Frequency::new(self.lam, penalty, height, width, device)),
        })
    }
}
