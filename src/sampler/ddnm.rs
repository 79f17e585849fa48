//! DDNM and DDNM+: "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model" (Y. Wang et al.,
//! arXiv:2212.00490).
//!
//! The range-space part of the estimate is replaced by `A⁺ y` (eq. 13). With noisy measurements (DDNM+) the correction of each
//! singular component is scaled so that its noise does not exceed that of the next state, and the injected noise is reduced to
//! match (eq. 17, 51). The singular values are those of the operator, so that blur and bicubic reduction can be noisy too.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Estimate, Moment, Needs, Parameters, Sampler};
use crate::error::{Error, Result, Setting};
use crate::parameter::{Kind, Parameter};

/// DDNM, and DDNM+ for noisy measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ddnm {
    /// Share of the next state's noise that is fresh, 0 to 1 (as a standard deviation).
    pub eta: f64,
}

impl Ddnm {
    /// As published.
    pub const DEFAULT: Self = Self { eta: 0.85 };
}

impl Parameters for Ddnm {
    const NAME: &'static str = "ddnm";
    const TITLE: &'static str = "Range-space part replaced by the measurement; DDNM+ where it is noisy";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("eta", "share of fresh noise in a step", Kind::Number { low: 0.0, high: 1.0 })];
    const TRAVELS: bool = true;

    fn published() -> Self {
        Self::DEFAULT
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(*self))
    }
}

/// What a run has refused before its first step.
pub(super) fn no_spectrum() -> Error {
    Error::mismatch(Setting::METHOD, "it needs the singular values of the degradation", "choose another method")
}

impl Sampler for Ddnm {
    fn needs(&self, sigma_y: f64) -> Needs {
        let noisy = sigma_y > 0.0;
        Needs { spectrum: noisy, exact_data: noisy, ..Needs::default() }
    }

    fn step(&mut self, at: Moment, _: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Moment { step, problem, noise } = at;
        let Estimate { eps, x0, .. } = estimate;
        let z = noise.draw(x0.dims(), &x0.device());
        // Standard deviations of the next state's noise: all of it, the fresh part and the predicted one.
        let sigma_t = (1.0 - step.a_next).sqrt();
        let (fresh, kept) = (sigma_t * self.eta, sigma_t * (1.0 - self.eta * self.eta).sqrt());
        let correction = problem.operator.regularized_inverse(problem.residual(x0.clone()), 0.0);
        if problem.sigma_y == 0.0 {
            return Ok((x0 - correction) * step.a_next.sqrt() + z * fresh + eps * kept);
        }
        let spectral = problem.operator.spectral().ok_or_else(no_spectrum)?;
        // Noise of a component of the corrected estimate, in the next state.
        let arrives = |s: f64| step.a_next.sqrt() * problem.sigma_y / s;
        let drowned = |s: f64| s > 0.0 && arrives(s) > sigma_t;
        let lambda = |s: f64| if drowned(s) { kept / arrives(s) } else { 1.0 };
        let added = |s: f64| {
            if s == 0.0 || drowned(s) { fresh } else { (sigma_t.powi(2) - arrives(s).powi(2)).max(0.0).sqrt() }
        };
        let guided = x0 - spectral.filter(correction, &lambda);
        Ok(guided * step.a_next.sqrt()
            + spectral.filter(z, &added)
            + spectral.filter(eps, &|s| if s == 0.0 { kept } else { 0.0 }))
    }
}
