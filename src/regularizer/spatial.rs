//! G+: periodic backward differences in space.

use burn::tensor::Tensor;

use super::Regularizer;
use crate::kernel::gradient::{self, Penalty};

/// The G+ regulariser.
#[derive(Clone, Copy, Debug)]
pub struct Spatial {
    lam: f64,
    penalty: Penalty,
}

impl Spatial {
    /// G+ of weight `lam`.
    pub fn new(lam: f64, penalty: Penalty) -> Self {
        Self { lam, penalty }
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
