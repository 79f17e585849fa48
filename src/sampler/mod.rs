//! Samplers: how a diffusion prior and a measurement become an image.
//!
//! A method is one file with a struct of its parameters, which implements [`Parameters`], and a [`Sampler`]; and one line in the
//! table below. All of them share the loop of [`Run::sample`]. Times are steps of the training schedule; `a` stands
//! for the cumulative product `prod(1 - beta)` at a time, 1 at time -1.

mod guard;
mod method;
mod parameters;
mod problem;
mod run;
pub mod schedule;
mod symmetry;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Setting};
use crate::noise::Noise;
use crate::parameter::{Parameter, Values};
use crate::prior::Vjp;

pub use parameters::Parameters;
pub use problem::{Data, Problem, signed_sigma};
pub use run::{ClassGuidance, Run};
pub use schedule::{Step, Timeline, Transition, Travel};
pub use symmetry::Symmetry;

method::methods! {
    fdgr {
        /// FDGR: guidance and a gradient regulariser.
        Fdgr(FdgrParameters) "fdgr",
    }
    ddpg {
        /// DDPG: guidance with noise injected.
        Ddpg(DdpgParameters) "ddpg",
        /// IDPG: guidance without noise.
        Idpg(IdpgParameters) "idpg",
    }
    ddnm {
        /// DDNM, and DDNM+ for noisy measurements.
        Ddnm(Ddnm) "ddnm",
    }
    ddrm {
        /// DDRM: each component in the SVD basis separately.
        Ddrm(Ddrm) "ddrm",
    }
    dps {
        /// DPS: gradient of the residual through the prior.
        Dps(Dps) "dps",
    }
    pigdm {
        /// PiGDM: pseudo-inverse guidance through the prior.
        PiGdm(PiGdm) "pigdm",
    }
    diffpir {
        /// DiffPIR: a proximal data step.
        DiffPir(DiffPir) "diffpir",
    }
    red_diff {
        /// RED-diff: an optimisation with the prior as regulariser.
        RedDiff(RedDiff) "reddiff",
    }
    hqs {
        /// Half-quadratic splitting.
        Hqs(Hqs) "hqs",
    }
}

/// What a method needs beside the operator and its adjoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Derivatives through the prior, which take some three times as long as an evaluation.
    pub derivatives: bool,
    /// The singular values of the operator.
    pub spectrum: bool,
    /// A measurement that is a point and not a set.
    pub exact_data: bool,
}

/// What the prior says of a state `x_t`.
pub struct Estimate<'a> {
    /// The noise in it.
    pub eps: Tensor<4>,
    /// The clean image, `(x_t - sqrt(1 - a) eps) / sqrt(a)`, clipped where the run clips.
    pub x0: Tensor<4>,
    gradient: Option<Gradient<'a>>,
}

/// What [`Estimate::vjp`] needs.
struct Gradient<'a> {
    of_eps: Vjp<'a>,
    /// 1 where the image was not clipped, 0 where it was.
    inside: Option<Tensor<4>>,
    a: f64,
}

impl Estimate<'_> {
    /// An estimate without its derivative.
    #[doc(hidden)]
    pub fn new(eps: Tensor<4>, x0: Tensor<4>) -> Self {
        Self { eps, x0, gradient: None }
    }

    /// The vector-Jacobian product `Jᵀ v` with `J` the derivative of [`Estimate::x0`] by `x_t`; a classifier's part is taken as
    /// constant.
    ///
    /// # Errors
    /// Evaluations that fail, and methods whose [`Needs`] do not include derivatives.
    fn vjp(self, v: Tensor<4>) -> Result<Tensor<4>> {
        let Some(Gradient { of_eps, inside, a }) = self.gradient else {
            return Err(Error::mismatch(
                Setting::METHOD,
                "it asks for derivatives that its needs do not name",
                "add them to the needs of the method",
            ));
        };
        let v = inside.map_or(v.clone(), |inside| v * inside);
        Ok((v.clone() - of_eps(v)? * (1.0 - a).sqrt()) / a.sqrt())
    }
}

/// Where a run is.
pub struct Moment<'a> {
    /// From which time to which.
    pub step: Step,
    /// What is asked.
    pub problem: &'a Problem<'a>,
    /// Fresh noise.
    pub noise: &'a mut dyn Noise,
}

/// A method in a run.
pub trait Sampler: Send {
    /// What it needs for noise of standard deviation `sigma_y` of a `[-1, 1]` image.
    fn needs(&self, sigma_y: f64) -> Needs {
        _ = sigma_y;
        Needs::default()
    }

    /// Its own times, where they are not those of the configuration.
    ///
    /// # Errors
    /// Parameters that no time of the schedule fits.
    fn timeline(&self, sigma_y: f64, betas: schedule::Betas) -> Result<Option<Timeline>> {
        _ = (sigma_y, betas);
        Ok(None)
    }

    /// How the state is turned for the evaluation of that number: the mean over several.
    fn symmetries(&self, index: usize) -> Vec<Symmetry> {
        _ = index;
        vec![Symmetry::IDENTITY]
    }

    /// The state at the first time, from standard normals `z` and, in runs that start late, a classical estimate.
    fn begin(&mut self, first: &Step, z: Tensor<4>, estimate: Option<Tensor<4>>, problem: &Problem) -> Tensor<4> {
        _ = problem;
        match estimate {
            Some(estimate) => noised(estimate, z, first.a),
            None => z,
        }
    }

    /// The state at the next time, from the state `x_t` and what the prior says of it.
    ///
    /// # Errors
    /// Evaluations of derivatives that fail.
    fn step(&mut self, at: Moment, x_t: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>>;

    /// The result, from the last state and the last estimate `x0`.
    fn result(&self, x_t: Tensor<4>, x0: Tensor<4>, problem: &Problem) -> Tensor<4> {
        _ = (x0, problem);
        x_t
    }
}

/// `sqrt(a) x0 + sqrt(1 - a) z`.
fn noised(x0: Tensor<4>, z: Tensor<4>, a: f64) -> Tensor<4> {
    x0 * a.sqrt() + z * (1.0 - a).sqrt()
}
