//! PiGDM: "Pseudoinverse-Guided Diffusion Models for Inverse Problems" (J. Song et al., ICLR 2023), algorithm 1.
//!
//! A step of DDIM, and `sqrt(a) Jᵀ Aᵀ (A Aᵀ + sigma_y² / r² I)⁻¹ (y - A x0)` with `J` the derivative of `x0` by `x_t`, and
//! `r² = sigma² / (1 + sigma²) = 1 - a` the spread of images that the state leaves open.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Estimate, Moment, Needs, Parameters, Sampler};
use crate::error::Result;
use crate::parameter::{Kind, Parameter};

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
}

impl Parameters for PiGdm {
    const NAME: &'static str = "pigdm";
    const TITLE: &'static str = "Pseudo-inverse guidance, through the prior (slow)";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("eta", "share of fresh noise in a step", Kind::Number { low: 0.0, high: 1.0 }),
        Parameter::new(
            "grad_term_weight",
            "weight of the prior (RED-diff), factor on the guidance (PiGDM)",
            Kind::Number { low: 0.0, high: 1000.0 },
        ),
    ];
    const PUBLISHED_CLIP: bool = true;

    fn published() -> Self {
        Self::DEFAULT
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(*self))
    }
}

impl Sampler for PiGdm {
    fn needs(&self, _: f64) -> Needs {
        Needs { derivatives: true, ..Needs::default() }
    }

    fn step(&mut self, at: Moment, _: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Moment { step, problem, noise } = at;
        let (x0, eps) = (estimate.x0.clone(), estimate.eps.clone());
        let z = noise.draw(x0.dims(), &x0.device());
        let rest = 1.0 - step.a_next;
        let fresh = self.eta * ((1.0 - step.a / step.a_next) * rest / (1.0 - step.a)).sqrt();
        let kept = (rest - fresh * fresh).max(0.0).sqrt();
        let regularization = problem.sigma_y.powi(2) / (1.0 - step.a);
        let correction = problem.operator.regularized_inverse(problem.residual(x0.clone()), regularization);
        let guidance = estimate.vjp(correction)? * (step.a.sqrt() * self.grad_term_weight);
        Ok(x0 * step.a_next.sqrt() + z * fresh + eps * kept - guidance)
    }
}
