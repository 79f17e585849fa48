//! DiffPIR: "Denoising Diffusion Models for Plug-and-Play Image Restoration" (Y. Zhu et al., arXiv:2305.08995).
//!
//! The data step is the proximal operator `argmin ||y - A x||² / (2 sigma_y²) + lambda a ||x - x0||² / (2 (1 - a))`, that is
//! the regularised inverse with `eta = lambda sigma_y² a / (1 - a)`. It trusts the measurement as far as its noise is below
//! that of the state, which is what denoising (`A = I`) needs.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Estimate, Moment, Parameters, Problem, Sampler};
use crate::error::Result;
use crate::parameter::{Kind, Parameter};

/// DiffPIR with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffPir {
    /// Trust in the prior against the measurement.
    pub lambda: f64,
    /// Share of fresh noise in the state, 0 to 1.
    pub zeta: f64,
    /// Factor of the noise in the state, of the schedule's: 1 in the paper.
    #[serde(default = "as_scheduled")]
    pub noise_scale: f64,
}

/// Of recipes that do not say it.
fn as_scheduled() -> f64 {
    1.0
}

impl DiffPir {
    /// The published configurations of super-resolution and deblurring.
    pub const PUBLISHED: Self = Self { lambda: 1.0, zeta: 0.1, noise_scale: 1.0 };
    /// All noise redrawn, which denoises best with the embedded prior.
    pub const DEFAULT: Self = Self { lambda: 1.0, zeta: 1.0, noise_scale: 1.0 };
}

impl Parameters for DiffPir {
    const NAME: &'static str = "diffpir";
    const TITLE: &'static str = "Proximal data step";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("lambda", "trust in the prior", Kind::Above { low: 0.0, high: 1000.0 }),
        Parameter::new("zeta", "share of fresh noise in the noise injected", Kind::Number { low: 0.0, high: 1.0 }),
        Parameter::new("noise_scale", "factor of the noise injected", Kind::Number { low: 0.5, high: 2.0 }),
    ];
    const PUBLISHED_CLIP: bool = true;
    const TRAVELS: bool = true;

    fn published() -> Self {
        Self::PUBLISHED
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(*self))
    }
}

impl Sampler for DiffPir {
    fn step(&mut self, at: Moment, x_t: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Moment { step, problem, noise } = at;
        let x0 = estimate.x0;
        let eta = (self.lambda * problem.sigma_y.powi(2) * step.a / (1.0 - step.a)).max(1e-4);
        let guided = x0.clone() - problem.operator.regularized_inverse(problem.residual(x0), eta);
        let z = noise.draw(x_t.dims(), &x_t.device());
        let eps = (x_t - guided.clone() * step.a.sqrt()) / (1.0 - step.a).sqrt();
        let mixed = z * self.zeta.sqrt() + eps * (1.0 - self.zeta).sqrt();
        Ok(guided * step.a_next.sqrt() + mixed * (self.noise_scale * (1.0 - step.a_next).sqrt()))
    }

    fn result(&self, x_t: Tensor<4>, x0: Tensor<4>, problem: &Problem) -> Tensor<4> {
        problem.final_image(x_t, x0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_that_know_no_scale_of_the_noise_keep_that_of_the_schedule() {
        let read: DiffPir = serde_json::from_str(r#"{"lambda": 1.0, "zeta": 0.1}"#).unwrap();
        assert_eq!(read, DiffPir::PUBLISHED);
    }
}
