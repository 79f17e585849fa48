//! G-: Fourier derivatives.

use burn::tensor::{Device, Tensor};

use super::Regularizer;
use crate::kernel::gradient::{self, Derivatives, Penalty};

/// The G- regulariser for one image size.
#[derive(Clone, Debug)]
pub struct Frequency {
    lam: f64,
    penalty: Penalty,
    derivatives: Derivatives,
}

impl Frequency {
    /// G- of weight `lam` for images of `height` x `width`.
    pub fn new(lam: f64, penalty: Penalty, height: usize, width: usize, device: &Device) -> Self {
        Self { lam, penalty, derivatives: Derivatives::new(height, width, device) }
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
