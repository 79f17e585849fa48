//! FDGR: "Image Restoration via Optimizing Fidelity with Diffusion and Gradient Regularization". The preconditioned
//! guidance of DDPG, and a gradient regulariser on the estimate.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Estimate, Guidance, Moment, Parameters, Problem, Sampler, Step, StepSizeMode, ddpg};
use crate::error::Result;
use crate::parameter::{Parameter, Values};
use crate::regularizer::{self, Regularization, Regularizer};

/// Parameters of FDGR.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FdgrParameters {
    /// The guidance.
    #[serde(flatten)]
    pub guidance: Guidance,
    /// The regulariser.
    #[serde(flatten)]
    pub regularization: Regularization,
}

const TABLE: [Parameter; 11] = {
    let [gamma, eta_tilde, xi, zeta, scale_ls, step_size_mode, inject_noise] = ddpg::GUIDANCE;
    let [mode, lam, alpha, sigma_g] = regularizer::TABLE;
    [mode, lam, alpha, sigma_g, gamma, eta_tilde, xi, zeta, scale_ls, step_size_mode, inject_noise]
};

impl Parameters for FdgrParameters {
    const NAME: &'static str = "fdgr";
    const TITLE: &'static str = "Preconditioned guidance and a gradient regulariser";
    const PARAMETERS: &'static [Parameter] = &TABLE;
    const TRAVELS: bool = true;

    fn published() -> Self {
        Self { guidance: Guidance::REFERENCE, regularization: Regularization::REFERENCE_FREQUENCY }
    }

    fn sampler(&self, [height, width]: [usize; 2], device: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(Fdgr::new(self.guidance, self.regularization.build(height, width, device)?)))
    }

    fn with(&self, values: &Values) -> Result<Self> {
        let guidance = ddpg::guided(&self.guidance, values)?;
        Ok(Self { guidance, regularization: self.regularization.with(values)? })
    }
}

/// FDGR with one regulariser.
pub struct Fdgr {
    guidance: Guidance,
    regularizer: Box<dyn Regularizer>,
}

impl Fdgr {
    /// The method with these parameters.
    pub fn new(guidance: Guidance, regularizer: Box<dyn Regularizer>) -> Self {
        Self { guidance, regularizer }
    }

    /// `mu_reg`: `b (1 - a') / (1 - a)` with `b = 1 - a / a'` for G+ in mode 0, else 1.
    fn step_size(&self, step: &Step) -> f64 {
        if self.guidance.step_size_mode == StepSizeMode::Unit && self.regularizer.follows_schedule() {
            (1.0 - step.a / step.a_next) * (1.0 - step.a_next) / (1.0 - step.a)
        } else {
            1.0
        }
    }
}

impl Sampler for Fdgr {
    fn step(&mut self, at: Moment, x_t: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Moment { step, problem, noise } = at;
        let x0 = estimate.x0;
        let fidelity = self.guidance.gradient(&step, &x0, problem);
        let regularity = self.regularizer.gradient(x0.clone()) * self.step_size(&step);
        Ok(self.guidance.advance(&step, x_t, x0 - (fidelity + regularity), problem.sigma_y, noise))
    }

    fn result(&self, x_t: Tensor<4>, x0: Tensor<4>, problem: &Problem) -> Tensor<4> {
        problem.final_image(x_t, x0)
    }
}
