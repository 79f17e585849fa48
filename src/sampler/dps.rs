//! DPS: "Diffusion Posterior Sampling for General Noisy Inverse Problems" (H. Chung et al., arXiv:2209.14687), algorithm 1.
//!
//! An ancestral step of DDPM, and a step down the gradient of `||y - A x0(x_t)||` by `x_t`, through the prior. The variance
//! of the ancestral step is that of the posterior, `(1 - a') / (1 - a) (1 - a / a')`, also where a network learned one.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Estimate, Problem, Sampler, Step};
use crate::error::{Error, Result};
use crate::noise::Noise;

/// Squared residuals below this are none.
const NOTHING: f32 = 1e-24;

/// DPS with its step size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dps {
    /// Size of the step, `zeta` in the paper, for 1000 steps.
    pub step_scale: f64,
}

impl Dps {
    /// The published configurations of super-resolution and deblurring; that of inpainting is 0.5.
    pub const DEFAULT: Self = Self { step_scale: 0.3 };

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        if self.step_scale > 0.0 && self.step_scale <= 1000.0 {
            return Ok(());
        }
        Err(Error::parameter("step_scale", self.step_scale, "it must be above 0 and at most 1000"))
    }
}

impl Sampler for Dps {
    fn differentiates(&self) -> bool {
        true
    }

    fn step(
        &mut self,
        step: &Step,
        x_t: Tensor<4>,
        estimate: Estimate,
        problem: &Problem,
        noise: &mut dyn Noise,
    ) -> Tensor<4> {
        let x0 = estimate.x0.clone();
        let (beta, rest) = (1.0 - step.a / step.a_next, 1.0 - step.a_next);
        let mean = x0.clone() * (step.a_next.sqrt() * beta / (1.0 - step.a))
            + x_t * ((step.a / step.a_next).sqrt() * rest / (1.0 - step.a));
        let z = noise.draw(x0.dims(), &x0.device());
        let ancestral = mean + z * (beta * rest / (1.0 - step.a)).sqrt();
        let residual = problem.residual(x0);
        // One norm a picture.
        let squares = residual.clone().square().sum_dim(1).sum_dim(2).sum_dim(3);
        let direction = problem.operator.adjoint(residual) / squares.clamp_min(NOTHING).sqrt();
        ancestral - estimate.pull_back(direction) * self.step_scale
    }
}
