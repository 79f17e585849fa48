//! DDNM and DDNM+: "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model" (Y. Wang et al.,
//! arXiv:2212.00490).
//!
//! The estimate's part that the measurement sees is replaced by the measured one (eq. 13). Where the measurement is noisy,
//! each singular component is corrected as far as its noise fits into the noise of the next state, and as much less is
//! added (DDNM+, eq. 17 and 51). The singular values are those of the operator, so that blur and bicubic reduction can be
//! noisy too.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Estimate, Problem, Sampler, Step};
use crate::error::{Error, Result};
use crate::noise::Noise;

/// DDNM, and DDNM+ for noisy measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ddnm {
    /// Share of the next state's noise that is fresh, 0 to 1 (as a standard deviation).
    pub eta: f64,
}

impl Ddnm {
    /// As published.
    pub const DEFAULT: Self = Self { eta: 0.85 };

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.eta) {
            return Ok(());
        }
        Err(Error::parameter("eta", self.eta, "it must be between 0 and 1"))
    }
}

impl Sampler for Ddnm {
    fn step(
        &mut self,
        step: &Step,
        _: Tensor<4>,
        estimate: Estimate,
        problem: &Problem,
        noise: &mut dyn Noise,
    ) -> Tensor<4> {
        let Estimate { eps, x0, .. } = estimate;
        let z = noise.draw(x0.dims(), &x0.device());
        // Standard deviations of the next state's noise: all of it, the fresh part and the predicted one.
        let sigma_t = (1.0 - step.a_next).sqrt();
        let (fresh, kept) = (sigma_t * self.eta, sigma_t * (1.0 - self.eta * self.eta).sqrt());
        let correction = problem.operator.regularized_inverse(problem.residual(x0.clone()), 0.0);
        if problem.sigma_y == 0.0 {
            return (x0 - correction) * step.a_next.sqrt() + z * fresh + eps * kept;
        }
        let spectral = problem.operator.spectral().expect("checked before the run: singular values");
        // Noise of a component of the corrected estimate, in the next state.
        let arrives = |s: f64| step.a_next.sqrt() * problem.sigma_y / s;
        let drowned = |s: f64| s > 0.0 && arrives(s) > sigma_t;
        let lambda = |s: f64| if drowned(s) { kept / arrives(s) } else { 1.0 };
        let added = |s: f64| {
            if s == 0.0 || drowned(s) { fresh } else { (sigma_t.powi(2) - arrives(s).powi(2)).max(0.0).sqrt() }
        };
        let guided = x0 - spectral.filter(correction, &lambda);
        guided * step.a_next.sqrt()
            + spectral.filter(z, &added)
            + spectral.filter(eps, &|s| if s == 0.0 { kept } else { 0.0 })
    }
}
