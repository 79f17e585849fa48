//! DPS: "Diffusion Posterior Sampling for General Noisy Inverse Problems" (H. Chung et al., arXiv:2209.14687), algorithm 1.
//!
//! An ancestral step of DDPM, and a step down the gradient of `||y - A x0(x_t)||` by `x_t`, through the prior. The variance
//! of the ancestral step is that of the posterior, `(1 - a') / (1 - a) (1 - a / a')`, also where a network learned one.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Estimate, Moment, Needs, Parameters, Sampler};
use crate::error::Result;
use crate::parameter::{Kind, Parameter};

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
}

impl Parameters for Dps {
    const NAME: &'static str = "dps";
    const TITLE: &'static str = "Gradient of the residual, through the prior (slow)";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("step_scale", "size of the step down the residual", Kind::Above { low: 0.0, high: 1000.0 })];
    const PUBLISHED_STEPS: usize = 1000;
    const PUBLISHED_CLIP: bool = true;

    fn published() -> Self {
        Self::DEFAULT
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(*self))
    }
}

impl Sampler for Dps {
    fn needs(&self, _: f64) -> Needs {
        Needs { derivatives: true, ..Needs::default() }
    }

    fn step(&mut self, at: Moment, x_t: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Moment { step, problem, noise } = at;
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
        Ok(ancestral - estimate.vjp(direction)? * self.step_scale)
    }
}
