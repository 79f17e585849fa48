//! DDRM: "Denoising Diffusion Restoration Models" (B. Kawar et al., arXiv:2201.11793).
//!
//! DDRM updates each component in the SVD basis separately (eq. 7, 8): components with zero singular value are sampled from the
//! prior; components whose measurement noise is below the current noise level are replaced by the measurement; the others
//! are blended. States are divided by `sqrt(a)` as in the paper, so that their noise is `sigma = sqrt((1 - a) / a)`.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Estimate, Moment, Needs, Parameters, Problem, Sampler, Step, ddnm, schedule::noise_level};
use crate::error::Result;
use crate::parameter::{Kind, Parameter};

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
        let invert = || problem.operator.regularized_inverse(problem.data.y().clone(), 0.0);
        self.measured.get_or_insert_with(invert).clone()
    }
}

impl Parameters for Ddrm {
    const NAME: &'static str = "ddrm";
    const TITLE: &'static str = "Each component in the SVD basis separately";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("eta", "share of fresh noise in a step", Kind::Number { low: 0.0, high: 1.0 })
            .setting(&["etaA", "etaC"]),
        Parameter::new(
            "etaA",
            "the same where the measurement is noisier than the state [default: eta]",
            Kind::Number { low: 0.0, high: 1.0 },
        )
        .or_called(&["eta-a"]),
        Parameter::new(
            "etaB",
            "trust in the measurement where it is less noisy than the state",
            Kind::Number { low: 0.0, high: 1.0 },
        )
        .or_called(&["eta-b"]),
        Parameter::new(
            "etaC",
            "share of fresh noise where nothing is measured [default: eta]",
            Kind::Number { low: 0.0, high: 1.0 },
        )
        .or_called(&["eta-c"]),
    ];
    const PUBLISHED_STEPS: usize = 20;

    fn published() -> Self {
        Self::DEFAULT
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(DdrmSampler::new(*self)))
    }
}

impl Sampler for DdrmSampler {
    fn needs(&self, _: f64) -> Needs {
        Needs { spectrum: true, exact_data: true, ..Needs::default() }
    }

    fn begin(&mut self, first: &Step, z: Tensor<4>, estimate: Option<Tensor<4>>, problem: &Problem) -> Tensor<4> {
        self.measured = None;
        if let Some(estimate) = estimate {
            return super::noised(estimate, z, first.a);
        }
        let sigma = noise_level(first.a);
        let known = |s: f64| s > 0.0 && s * sigma > problem.sigma_y;
        let missing = |s: f64| if known(s) { (sigma.powi(2) - (problem.sigma_y / s).powi(2)).sqrt() } else { sigma };
        let known = |s: f64| if known(s) { 1.0 } else { 0.0 };
        // A run has refused operators without it.
        let Some(spectral) = problem.operator.spectral() else { return z };
        (spectral.filter(self.measured(problem), &known) + spectral.filter(z, &missing)) / sigma
    }

    fn step(&mut self, at: Moment, _: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Moment { step, problem, noise } = at;
        let Ddrm { eta_a, eta_b, eta_c } = self.parameters;
        let Estimate { eps, x0, .. } = estimate;
        let spectral = problem.operator.spectral().ok_or_else(ddnm::no_spectrum)?;
        let (sigma, sigma_y) = (noise_level(step.a_next), problem.sigma_y);
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
        Ok(next * step.a_next.sqrt())
    }
}
