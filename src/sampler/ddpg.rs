//! DDPG and IDPG: "Image Restoration by Denoising Diffusion Models with Iteratively Preconditioned Guidance"
//! (T. Garber and T. Tirer, arXiv:2312.16519), and the guidance that FDGR shares with them.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Estimate, Moment, Parameters, Problem, Sampler, Step};
use crate::degradation::Preconditioner;
use crate::error::{Error, Hint, Result, Setting};
use crate::noise::Noise;
use crate::parameter::{Kind, Parameter, Values};

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
    /// Unit steps and no noise.
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

/// Parameters of the guidance, for shells.
pub(super) const GUIDANCE: [Parameter; 7] = [
    Parameter::new(
        "gamma",
        "how fast back-projection gives way to least squares",
        Kind::Number { low: 0.0, high: 10_000.0 },
    ),
    Parameter::new(
        "eta_tilde",
        "regularisation of the inverse per noise variance; below 0, xi is used",
        Kind::Number { low: -1000.0, high: 1000.0 },
    ),
    Parameter::new("xi", "regularisation where eta_tilde is below 0", Kind::Number { low: 0.0, high: 1000.0 }),
    Parameter::new("zeta", "share of fresh noise in the noise injected", Kind::Number { low: 0.0, high: 1.0 }),
    Parameter::new("scale_ls", "factor on the least-squares step", Kind::Number { low: 0.0, high: 1000.0 }),
    Parameter::new(
        "step_size_mode",
        "0 unit steps, 1 both follow the schedule, 2 only least squares does",
        Kind::Whole { low: 0, high: 2 },
    ),
    Parameter::new("inject_noise", "whether noise is injected", Kind::Switch),
];

/// Parameters of DDPG.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DdpgParameters {
    /// The guidance.
    #[serde(flatten)]
    pub guidance: Guidance,
}

/// Parameters of IDPG.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdpgParameters {
    /// The guidance.
    #[serde(flatten)]
    pub guidance: Guidance,
}

/// Refuses noise that the method's name denies: evaluation scripts of DDPG and IDPG say 1 and 0 with it.
fn check_injection(values: &Values, name: &str, injects: &str, other: &'static str) -> Result<()> {
    match values.get("inject_noise") {
        Some(given) if given.trim() != injects => Err(Error::mismatch(
            Setting::INJECT_NOISE,
            format!("{given} turns {name} into {other}"),
            Hint::Omit(Setting::INJECT_NOISE).or(Hint::set(Setting::METHOD, other)),
        )),
        _ => Ok(()),
    }
}

/// The guidance with other values.
pub(super) fn guided(guidance: &Guidance, values: &Values) -> Result<Guidance> {
    let mut object = super::parameters::to_object(guidance)?;
    crate::parameter::patch(&mut object, &GUIDANCE, values)?;
    super::parameters::from_object(object)
}

impl Parameters for DdpgParameters {
    const NAME: &'static str = "ddpg";
    const TITLE: &'static str = "Preconditioned guidance, noise injected";
    const PARAMETERS: &'static [Parameter] = &GUIDANCE;
    const TRAVELS: bool = true;

    fn published() -> Self {
        Self { guidance: Guidance::REFERENCE }
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(Ddpg::new(Guidance { inject_noise: true, ..self.guidance })))
    }

    fn with(&self, values: &Values) -> Result<Self> {
        check_injection(values, Self::NAME, "1", IdpgParameters::NAME)?;
        Ok(Self { guidance: guided(&self.guidance, values)? })
    }
}

impl Parameters for IdpgParameters {
    const NAME: &'static str = "idpg";
    const TITLE: &'static str = "Preconditioned guidance, no noise injected";
    const PARAMETERS: &'static [Parameter] = &GUIDANCE;
    const TRAVELS: bool = true;

    fn published() -> Self {
        Self { guidance: Guidance { inject_noise: false, ..Guidance::REFERENCE } }
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(Ddpg::new(Guidance { inject_noise: false, ..self.guidance })))
    }

    fn with(&self, values: &Values) -> Result<Self> {
        check_injection(values, Self::NAME, "0", DdpgParameters::NAME)?;
        Ok(Self { guidance: guided(&self.guidance, values)? })
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
    fn step(&mut self, at: Moment, x_t: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Moment { step, problem, noise } = at;
        let x0 = estimate.x0;
        let guided = x0.clone() - self.guidance.gradient(&step, &x0, problem);
        Ok(self.guidance.advance(&step, x_t, guided, problem.sigma_y, noise))
    }

    fn result(&self, x_t: Tensor<4>, x0: Tensor<4>, problem: &Problem) -> Tensor<4> {
        problem.final_image(x_t, x0)
    }
}
