//! Samplers: how a diffusion prior and a measurement become a picture.
//!
//! A method is one file that implements [`Sampler`], one variant of [`crate::restore::Method`], and one line where
//! [`crate::restore`] builds it. All of them share the loop of [`Run::sample`]. Times are steps of the training schedule;
//! `a` stands for the cumulative product `prod(1 - beta)` at a time, 1 at time -1.

mod ddpg;
mod diffpir;
mod fdgr;
pub mod schedule;

use std::ops::ControlFlow;

use burn::tensor::Tensor;

use crate::degradation::LinearOperator;
use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::prior::{ClassGradient, Denoiser};

pub use ddpg::{Ddpg, Guidance, StepSizeMode};
pub use diffpir::DiffPir;
pub use fdgr::Fdgr;
pub use schedule::{Step, Timeline};

/// `y = A x + n` with `n` of standard deviation `sigma_y`, in units of a `[-1, 1]` image.
pub struct Problem<'a> {
    /// `A`.
    pub operator: &'a dyn LinearOperator,
    /// The measurement.
    pub y: Tensor<4>,
    /// Standard deviation of the noise.
    pub sigma_y: f64,
}

/// One reverse step of a method.
pub trait Sampler {
    /// The state at the next time, from the state `x_t` and the prior's estimate `x0` of the clean image.
    fn step(&self, step: &Step, x_t: Tensor<4>, x0: Tensor<4>, problem: &Problem, noise: &mut dyn Noise) -> Tensor<4>;
}

/// What an observer sees after a step.
pub struct Progress<'a> {
    /// Steps done, from 1.
    pub done: usize,
    /// Steps in all.
    pub steps: usize,
    /// The estimate of the clean image.
    pub x0: &'a Tensor<4>,
}

/// Called after every step; breaking stops the run.
pub type Observer<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// Guidance towards a class: `eps -= scale sqrt(1 - a) grad log p(class | x_t, t)` (Dhariwal and Nichol, 2021, algorithm 2).
pub struct ClassGuidance<'a> {
    /// The classifier.
    pub classifier: &'a dyn ClassGradient,
    /// The class.
    pub class: usize,
    /// Weight of its gradient.
    pub scale: f64,
}

/// A method, a prior and a problem, put together.
pub struct Run<'a> {
    /// Predicts the noise.
    pub prior: &'a dyn Denoiser,
    /// Towards a class, where there is one.
    pub guidance: Option<&'a ClassGuidance<'a>>,
    /// The method.
    pub sampler: &'a dyn Sampler,
    /// The measurement.
    pub problem: &'a Problem<'a>,
    /// The times.
    pub timeline: &'a Timeline,
}

impl Run<'_> {
    /// Runs from `x_t`, the state at the first time.
    ///
    /// The result is the last estimate of the clean image where the measurement is noisy, else the last state. `clip`
    /// limits every estimate to `[-1, 1]`, which the papers do not do.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the observer breaks, [`Error::BadEstimate`] for estimates that are not finite or constant.
    pub fn sample(
        &self,
        mut x_t: Tensor<4>,
        clip: bool,
        noise: &mut dyn Noise,
        observer: &mut Observer,
    ) -> Result<Tensor<4>> {
        let steps = self.timeline.steps().len();
        let mut estimate = None;
        for (i, step) in self.timeline.steps().iter().enumerate() {
            let mut eps = self.prior.predict_noise(x_t.clone(), step.t);
            if let Some(ClassGuidance { classifier, class, scale }) = self.guidance {
                eps = eps - classifier.gradient(x_t.clone(), step.t, *class) * (scale * (1.0 - step.a).sqrt());
            }
            let mut x0 = (x_t.clone() - eps * (1.0 - step.a).sqrt()) / step.a.sqrt();
            // Before clipping, which may hide what is not a number.
            check(&x0, i + 1)?;
            if clip {
                x0 = x0.clamp(-1.0, 1.0);
            }
            x_t = self.sampler.step(step, x_t, x0.clone(), self.problem, noise);
            if observer(&Progress { done: i + 1, steps, x0: &x0 }).is_break() {
                return Err(Error::Stopped { step: i + 1, steps });
            }
            estimate = Some(x0);
        }
        let result = match estimate {
            Some(x0) if self.problem.sigma_y > 0.0 => x0,
            _ => x_t,
        };
        check(&result, steps)?;
        Ok(result)
    }
}

/// Refuses an estimate that is not finite, or the same everywhere. One small read from the device.
fn check(x0: &Tensor<4>, step: usize) -> Result<()> {
    let mean = x0.clone().mean();
    let spread = (x0.clone() - mean.clone().reshape([1, 1, 1, 1])).square().mean();
    let read = Tensor::cat(vec![mean, spread], 0).try_into_vec_as::<f32>().map_err(|e| Error::Device {
        device: format!("{:?}", x0.device()),
        fact: format!("it gave no result ({e})"),
        remedy: "try a smaller picture, or --device cpu".into(),
    })?;
    let fact = match read[..] {
        [mean, spread] if !mean.is_finite() || !spread.is_finite() => "holds values that are not finite",
        [_, spread] if spread == 0.0 && x0.dims()[2] * x0.dims()[3] > 1 => "is the same in every pixel",
        _ => return Ok(()),
    };
    Err(Error::BadEstimate {
        step,
        fact: fact.into(),
        remedy: "check the kernel and sigma, or go back to the default parameters".into(),
    })
}
