//! G-: Fourier derivatives.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::Regularizer;
use crate::kernel::gradient::{self, Derivatives, Penalty};

/// Parameters of G-.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GMinus {
    /// Weight; negative values sharpen.
    pub lam: f64,
    /// Exponent of the gradient magnitude.
    pub alpha: f64,
    /// Scale of the gradients.
    pub sigma_g: f64,
}

impl GMinus {
    /// The defaults of the reference, which sharpen.
    pub const REFERENCE: Self = Self { lam: -0.09, alpha: 0.5, sigma_g: 1.5 };
}

/// The G- regulariser for one image size.
#[derive(Clone, Debug)]
pub struct Frequency {
    lam: f64,
    penalty: Penalty,
    derivatives: Derivatives,
}

impl Frequency {
    /// G- with these parameters for images of `height` x `width`.
    pub fn new(GMinus { lam, alpha, sigma_g }: &GMinus, height: usize, width: usize, device: &Device) -> Self {
        let penalty = Penalty { alpha: *alpha, sigma_g: *sigma_g };
        Self { lam: *lam, penalty, derivatives: Derivatives::new(height, width, device) }
    }
}

impl Regularizer for Frequency {
    fn gradient(&self, x: Tensor<4>) -> Tensor<4> {
        gradient::frequency(&self.derivatives, x, self.lam, self.penalty)
    }

    fn follows_schedule(&self) -> bool {
        false
    }
}
