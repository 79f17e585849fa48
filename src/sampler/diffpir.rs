//! DiffPIR: "Denoising Diffusion Models for Plug-and-Play Image Restoration" (Y. Zhu et al., arXiv:2305.08995).
//!
//! The data step is the proximal operator `argmin ||y - A x||² / (2 sigma_y²) + ||x - x0||² a / (2 lambda (1 - a))`, that is
//! the regularised inverse with `eta = lambda sigma_y² a / (1 - a)`. It trusts the measurement as far as its noise is below
//! that of the state, which is what denoising (`A = I`) needs.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Estimate, Problem, Sampler, Step};
use crate::error::{Error, Result};
use crate::noise::Noise;

/// DiffPIR with its two parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffPir {
    /// Trust in the prior against the measurement.
    pub lambda: f64,
    /// Share of fresh noise in the state, 0 to 1.
    pub zeta: f64,
}

impl DiffPir {
    /// The published configurations of super-resolution and deblurring.
    pub const PUBLISHED: Self = Self { lambda: 1.0, zeta: 0.1 };
    /// All noise redrawn, which denoises best with the embedded prior.
    pub const DEFAULT: Self = Self { lambda: 1.0, zeta: 1.0 };

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        if !(self.lambda > 0.0 && self.lambda <= 1000.0) {
            return Err(Error::parameter("lambda", self.lambda, "it must be above 0 and at most 1000"));
        }
        if !(0.0..=1.0).contains(&self.zeta) {
            return Err(Error::parameter("zeta", self.zeta, "it must be between 0 and 1"));
        }
        Ok(())
    }
}

impl Sampler for DiffPir {
    fn step(
        &mut self,
        step: &Step,
        x_t: Tensor<4>,
        estimate: Estimate,
        problem: &Problem,
        noise: &mut dyn Noise,
    ) -> Tensor<4> {
        let x0 = estimate.x0;
        let eta = (self.lambda * problem.sigma_y.powi(2) * step.a / (1.0 - step.a)).max(1e-4);
        let guided = x0.clone() - problem.operator.regularized_inverse(problem.residual(x0), eta);
        let z = noise.draw(x_t.dims(), &x_t.device());
        let eps = (x_t - guided.clone() * step.a.sqrt()) / (1.0 - step.a).sqrt();
        let mixed = z * self.zeta.sqrt() + eps * (1.0 - self.zeta).sqrt();
        guided * step.a_next.sqrt() + mixed * (1.0 - step.a_next).sqrt()
    }

    fn result(&self, x_t: Tensor<4>, x0: Tensor<4>, problem: &Problem) -> Tensor<4> {
        problem.cleanest(x_t, x0)
    }
}
