//! G+: periodic backward differences in space.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Regularizer;
use crate::kernel::gradient::{self, Penalty};

/// Parameters of G+.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GPlus {
    /// Weight; negative values sharpen.
    pub lam: f64,
    /// Exponent of the gradient magnitude.
    pub alpha: f64,
    /// Scale of the gradients.
    pub sigma_g: f64,
}

impl GPlus {
    /// Those of FDGR's published command line.
    pub const PUBLISHED: Self = Self { lam: 1.3, alpha: 0.2, sigma_g: 0.8 };
}

/// The G+ regulariser.
#[derive(Clone, Copy, Debug)]
pub struct Spatial {
    lam: f64,
    penalty: Penalty,
}

impl Spatial {
    /// G+ with these parameters.
    pub fn new(GPlus { lam, alpha, sigma_g }: &GPlus) -> Self {
        Self { lam: *lam, penalty: Penalty { alpha: *alpha, sigma_g: *sigma_g } }
    }
}

impl Regularizer for Spatial {
    fn gradient(&self, x: Tensor<4>) -> Tensor<4> {
        gradient::spatial(x, self.lam, self.penalty)
    }

    fn follows_schedule(&self) -> bool {
        true
    }
}
