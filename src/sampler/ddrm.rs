//! DDRM: "Denoising Diffusion Restoration Models" (B. Kawar et al., arXiv:2201.11793).
//!
//! Every singular component of the image goes its own way (eq. 7 and 8): what the measurement does not see follows the
//! prior, what it sees better than the state does is taken from it, and what lies between is drawn towards it. States are
//! divided by `sqrt(a)` as in the paper, so that their noise is `sigma = sqrt((1 - a) / a)`.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Estimate, Problem, Sampler, Step};
use crate::degradation::Spectral;
use crate::error::{Error, Result};
use crate::noise::Noise;

/// Parameters of DDRM, by the reference's names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ddrm {
    /// Share of fresh noise in components that are measured worse than the state knows them, 0 to 1.
    #[serde(rename = "etaA")]
    pub eta_a: f64,
    /// Trust in the measurement in components that it knows better than the state, 0 to 1.
    #[serde(rename = "etaB")]
    pub eta_b: f64,
    /// Share of fresh noise in components that are not measured, 0 to 1.
    #[serde(rename = "etaC")]
    pub eta_c: f64,
}

impl Ddrm {
    /// As published.
    pub const DEFAULT: Self = Self { eta_a: 0.85, eta_b: 1.0, eta_c: 0.85 };

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("etaA", self.eta_a), ("etaB", self.eta_b), ("etaC", self.eta_c)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::parameter(name, value, "it must be between 0 and 1"));
            }
        }
        Ok(())
    }
}

/// A run of DDRM.
pub struct DdrmSampler {
    parameters: Ddrm,
    /// `A⁺ y`
    measured: Option<Tensor<4>>,
}

impl DdrmSampler {
    /// The method with these parameters.
    pub fn new(parameters: Ddrm) -> Self {
        Self { parameters, measured: None }
    }

    fn measured(&mut self, problem: &Problem) -> Tensor<4> {
        let invert = || problem.operator.regularized_inverse(problem.y.clone(), 0.0);
        self.measured.get_or_insert_with(invert).clone()
    }
}

fn spectral<'a>(problem: &Problem<'a>) -> &'a dyn Spectral {
    problem.operator.spectral().expect("checked before the run: singular values")
}

/// Noise of a state divided by `sqrt(a)`.
fn sigma(a: f64) -> f64 {
    ((1.0 - a) / a).sqrt()
}

impl Sampler for DdrmSampler {
    fn begin(&mut self, first: &Step, z: Tensor<4>, estimate: Option<Tensor<4>>, problem: &Problem) -> Tensor<4> {
        if let Some(estimate) = estimate {
            return super::noised(estimate, z, first.a);
        }
        let sigma = sigma(first.a);
        let known = |s: f64| s > 0.0 && s * sigma > problem.sigma_y;
        let missing = |s: f64| if known(s) { (sigma.powi(2) - (problem.sigma_y / s).powi(2)).sqrt() } else { sigma };
        let known = |s: f64| if known(s) { 1.0 } else { 0.0 };
        (spectral(problem).filter(self.measured(problem), &known) + spectral(problem).filter(z, &missing)) / sigma
    }

    fn step(
        &mut self,
        step: &Step,
        _: Tensor<4>,
        estimate: Estimate,
        problem: &Problem,
        noise: &mut dyn Noise,
    ) -> Tensor<4> {
        let Ddrm { eta_a, eta_b, eta_c } = self.parameters;
        let Estimate { eps, x0, .. } = estimate;
        let (spectral, sigma, sigma_y) = (spectral(problem), sigma(step.a_next), problem.sigma_y);
        let z = noise.draw(x0.dims(), &x0.device());
        let kept = |eta: f64| sigma * (1.0 - eta * eta).sqrt();
        let better = |s: f64| s > 0.0 && s * sigma > sigma_y;
        let worse = |s: f64| s > 0.0 && s * sigma < sigma_y;
        let towards_measured = |s: f64| match s {
            s if better(s) => eta_b,
            s if worse(s) => kept(eta_a) * s / sigma_y,
            _ => 0.0,
        };
        let predicted = |s: f64| if better(s) || worse(s) { 0.0 } else { kept(eta_c) };
        let fresh = |s: f64| match s {
            s if better(s) => (sigma.powi(2) - (sigma_y / s * eta_b).powi(2)).sqrt(),
            s if worse(s) => sigma * eta_a,
            _ => sigma * eta_c,
        };
        let gap = self.measured(problem) - x0.clone();
        let next = x0
            + spectral.filter(gap, &towards_measured)
            + spectral.filter(eps, &predicted)
            + spectral.filter(z, &fresh);
        next * step.a_next.sqrt()
    }
}
