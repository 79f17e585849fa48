//! PiGDM: "Pseudoinverse-Guided Diffusion Models for Inverse Problems" (J. Song et al., ICLR 2023), algorithm 1.
//!
//! A step of DDIM, and `sqrt(a) Jᵀ Aᵀ (A Aᵀ + sigma_y² / r² I)⁻¹ (y - A x0)` with `J` the derivative of `x0` by `x_t`, and
//! `r² = sigma² / (1 + sigma²) = 1 - a` the spread of images that the state leaves open.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Estimate, Problem, Sampler, Step};
use crate::error::{Error, Result};
use crate::noise::Noise;

/// PiGDM with its two parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PiGdm {
    /// Fresh noise of a step of DDIM, from 0 for none to 1 as DDPM has.
    pub eta: f64,
    /// Factor on the guidance.
    pub grad_term_weight: f64,
}

impl PiGdm {
    /// As in the paper.
    pub const DEFAULT: Self = Self { eta: 1.0, grad_term_weight: 1.0 };

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(Error::parameter("eta", self.eta, "it must be between 0 and 1"));
        }
        if !(0.0..=1000.0).contains(&self.grad_term_weight) {
            return Err(Error::parameter("grad_term_weight", self.grad_term_weight, "it must be between 0 and 1000"));
        }
        Ok(())
    }
}

impl Sampler for PiGdm {
    fn differentiates(&self) -> bool {
        true
    }

    fn step(
        &mut self,
        step: &Step,
        _: Tensor<4>,
        estimate: Estimate,
        problem: &Problem,
        noise: &mut dyn Noise,
    ) -> Tensor<4> {
        let (x0, eps) = (estimate.x0.clone(), estimate.eps.clone());
        let z = noise.draw(x0.dims(), &x0.device());
        let rest = 1.0 - step.a_next;
        let fresh = self.eta * ((1.0 - step.a / step.a_next) * rest / (1.0 - step.a)).sqrt();
        let kept = (rest - fresh * fresh).max(0.0).sqrt();
        let regularization = problem.sigma_y.powi(2) / (1.0 - step.a);
        let correction = problem.operator.regularized_inverse(problem.residual(x0.clone()), regularization);
        let guidance = estimate.pull_back(correction) * (step.a.sqrt() * self.grad_term_weight);
        x0 * step.a_next.sqrt() + z * fresh + eps * kept - guidance
    }
}
