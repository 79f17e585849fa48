//! DDPG and IDPG: "Image Restoration by Denoising Diffusion Models with Iteratively Preconditioned Guidance"
//! (T. Garber and T. Tirer, arXiv:2312.16519), and the guidance that FDGR shares with them.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Estimate, Problem, Sampler, Step};
use crate::degradation::Preconditioner;
use crate::error::{Error, Result};
use crate::noise::Noise;

/// Which step sizes follow the noise schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum StepSizeMode {
    /// Mode 0: both guidance steps are 1.
    Unit,
    /// Mode 1: both follow `(1 - a') / (1 - a)`.
    Scheduled,
    /// Mode 2: only the least-squares step follows it.
    ScheduledLeastSquares,
}

impl TryFrom<u8> for StepSizeMode {
    type Error = String;

    fn try_from(mode: u8) -> std::result::Result<Self, String> {
        match mode {
            0 => Ok(Self::Unit),
            1 => Ok(Self::Scheduled),
            2 => Ok(Self::ScheduledLeastSquares),
            _ => Err(format!("{mode} is not a step size mode; pass 0, 1 or 2")),
        }
    }
}

impl From<StepSizeMode> for u8 {
    fn from(mode: StepSizeMode) -> Self {
        match mode {
            StepSizeMode::Unit => 0,
            StepSizeMode::Scheduled => 1,
            StepSizeMode::ScheduledLeastSquares => 2,
        }
    }
}

/// Parameters of the guidance, by the reference's names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guidance {
    /// How fast the back-projection gives way to least squares: `delta = a'^gamma`.
    pub gamma: f64,
    /// Regularisation of the inverse per noise variance; below 0, `xi` is used.
    pub eta_tilde: f64,
    /// `eta = 1e-4 + xi (255 sigma_y)²` where `eta_tilde < 0`.
    pub xi: f64,
    /// Share of fresh noise in the noise that is injected, 0 to 1.
    pub zeta: f64,
    /// Factor on the least-squares step.
    pub scale_ls: f64,
    /// Which step sizes follow the schedule.
    pub step_size_mode: StepSizeMode,
    /// DDPG injects noise at every step, IDPG does not.
    pub inject_noise: bool,
}

impl Guidance {
    /// Unit steps and no noise, as IDPG has them.
    pub const DEFAULT: Self = Self {
        gamma: 8.0,
        eta_tilde: 0.7,
        xi: 1e-5,
        zeta: 0.5,
        scale_ls: 1.0,
        step_size_mode: StepSizeMode::Unit,
        inject_noise: false,
    };

    /// The defaults of the reference's command line.
    pub const REFERENCE: Self = Self { step_size_mode: StepSizeMode::Scheduled, inject_noise: true, ..Self::DEFAULT };

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        let range = |name, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::parameter(name, value, &format!("it must be between {low} and {high}")))
        };
        range("gamma", self.gamma, 0.0, 10_000.0)?;
        range("eta_tilde", self.eta_tilde, -1000.0, 1000.0)?;
        range("xi", self.xi, 0.0, 1000.0)?;
        range("zeta", self.zeta, 0.0, 1.0)?;
        range("scale_ls", self.scale_ls, 0.0, 1000.0)
    }

    /// Regularisation of the inverse for a noise level.
    pub fn eta(&self, sigma_y: f64) -> f64 {
        if self.eta_tilde < 0.0 {
            1e-4 + self.xi * (255.0 * sigma_y).powi(2)
        } else {
            (sigma_y * sigma_y * self.eta_tilde).max(1e-4)
        }
    }

    /// `mu_bp (1 - delta) g_bp + mu_ls delta scale_ls g_ls` (eq. 14).
    pub fn gradient(&self, step: &Step, x0: &Tensor<4>, problem: &Problem) -> Tensor<4> {
        let Problem { operator, sigma_y, .. } = problem;
        let residual = problem.residual(x0.clone());
        let ratio = (1.0 - step.a_next) / (1.0 - step.a);
        let (mu_bp, mu_ls) = match self.step_size_mode {
            StepSizeMode::Unit => (1.0, 1.0),
            StepSizeMode::Scheduled => (ratio, ratio),
            StepSizeMode::ScheduledLeastSquares => (1.0, ratio),
        };
        let delta = if *sigma_y > 0.0 { step.a_next.powf(self.gamma) } else { 0.0 };
        let preconditioner = Preconditioner {
            eta: self.eta(*sigma_y),
            inverse: mu_bp * (1.0 - delta),
            identity: mu_ls * delta * self.scale_ls,
        };
        operator.preconditioned_adjoint(residual, preconditioner)
    }

    /// The state at the next time, from a guided estimate `x0` of the image.
    pub fn advance(
        &self,
        step: &Step,
        x_t: Tensor<4>,
        x0: Tensor<4>,
        sigma_y: f64,
        noise: &mut dyn Noise,
    ) -> Tensor<4> {
        let next = x0.clone() * step.a_next.sqrt();
        if !self.inject_noise {
            return next;
        }
        let z = noise.draw(x_t.dims(), &x_t.device());
        let w = if sigma_y > 0.0 { step.a_next.powf(self.gamma) } else { 1.0 };
        let eps = (x_t - x0 * step.a.sqrt()) / (1.0 - step.a).sqrt();
        let mixed = z * self.zeta.sqrt() + eps * ((1.0 - self.zeta).sqrt() * w);
        next + mixed * (1.0 - step.a_next).sqrt()
    }
}

/// DDPG, or IDPG where [`Guidance::inject_noise`] is false.
#[derive(Clone, Copy, Debug)]
pub struct Ddpg {
    guidance: Guidance,
}

impl Ddpg {
    /// The method with these parameters.
    pub fn new(guidance: Guidance) -> Self {
        Self { guidance }
    }
}

impl Sampler for Ddpg {
    fn step(
        &mut self,
        step: &Step,
        x_t: Tensor<4>,
        estimate: Estimate,
        problem: &Problem,
        noise: &mut dyn Noise,
    ) -> Tensor<4> {
        let x0 = estimate.x0;
        let guided = x0.clone() - self.guidance.gradient(step, &x0, problem);
        self.guidance.advance(step, x_t, guided, problem.sigma_y, noise)
    }

    fn result(&self, x_t: Tensor<4>, x0: Tensor<4>, problem: &Problem) -> Tensor<4> {
        problem.cleanest(x_t, x0)
    }
}
