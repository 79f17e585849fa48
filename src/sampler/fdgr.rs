//! FDGR: "Image Restoration via Optimizing Fidelity with Diffusion and Gradient Regularization". The preconditioned
//! guidance of DDPG, and a gradient regulariser on the estimate.

use burn::tensor::Tensor;

use super::{Estimate, Guidance, Problem, Sampler, Step, StepSizeMode};
use crate::noise::Noise;
use crate::regularizer::Regularizer;

/// FDGR with one regulariser.
pub struct Fdgr {
    guidance: Guidance,
    regularizer: Box<dyn Regularizer>,
}

impl Fdgr {
    /// The method with these parameters.
    pub fn new(guidance: Guidance, regularizer: Box<dyn Regularizer>) -> Self {
        Self { guidance, regularizer }
    }

    /// `mu_reg`: `b (1 - a') / (1 - a)` with `b = 1 - a / a'` for G+ in mode 0, else 1.
    fn step_size(&self, step: &Step) -> f64 {
        if self.guidance.step_size_mode == StepSizeMode::Unit && self.regularizer.follows_schedule() {
            (1.0 - step.a / step.a_next) * (1.0 - step.a_next) / (1.0 - step.a)
        } else {
            1.0
        }
    }
}

impl Sampler for Fdgr {
    fn step(
        &mut self,
        step: &Step,
        x_t: Tensor<4>,
        estimate: Estimate,
        problem: &Problem,
        noise: &mut dyn Noise,
    ) -> Tensor<4> {
        let x0 = estimate.x0;
        let fidelity = self.guidance.gradient(step, &x0, problem);
        let regularity = self.regularizer.gradient(x0.clone()) * self.step_size(step);
        self.guidance.advance(step, x_t, x0 - (fidelity + regularity), problem.sigma_y, noise)
    }

    fn result(&self, x_t: Tensor<4>, x0: Tensor<4>, problem: &Problem) -> Tensor<4> {
        problem.cleanest(x_t, x0)
    }
}
