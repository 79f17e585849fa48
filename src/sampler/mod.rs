//! Samplers: how a diffusion prior and a measurement become a picture.
//!
//! A method is one file that implements [`Sampler`], one variant of [`crate::restore::Method`], and one line where that
//! builds it. All of them share the loop of [`Run::sample`]. Times are steps of the training schedule;
//! `a` stands for the cumulative product `prod(1 - beta)` at a time, 1 at time -1.

mod ddnm;
mod ddpg;
mod ddrm;
mod diffpir;
mod dps;
mod fdgr;
mod pigdm;
mod red_diff;
pub mod schedule;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use crate::degradation::LinearOperator;
use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::prior::{ClassGradient, Denoiser, PullBack};

pub use ddnm::Ddnm;
pub use ddpg::{Ddpg, Guidance, StepSizeMode};
pub use ddrm::{Ddrm, DdrmSampler};
pub use diffpir::DiffPir;
pub use dps::Dps;
pub use fdgr::Fdgr;
pub use pigdm::PiGdm;
pub use red_diff::{RedDiff, RedDiffSampler};
pub use schedule::{Move, Step, Timeline, Travel};

/// `y = A x + n` with `n` of standard deviation `sigma_y`, in units of a `[-1, 1]` image.
pub struct Problem<'a> {
    /// `A`.
    pub operator: &'a dyn LinearOperator,
    /// The measurement.
    pub y: Tensor<4>,
    /// Standard deviation of the noise.
    pub sigma_y: f64,
}

impl Problem<'_> {
    /// What FDGR, DDPG and IDPG return: the last estimate of the image where the measurement is noisy, else the last state.
    fn cleanest(&self, x_t: Tensor<4>, x0: Tensor<4>) -> Tensor<4> {
        if self.sigma_y > 0.0 { x0 } else { x_t }
    }

    /// `A x - y`.
    fn residual(&self, x: Tensor<4>) -> Tensor<4> {
        self.operator.apply(x) - self.y.clone()
    }
}

/// What the prior says of a state `x_t`.
pub struct Estimate<'a> {
    /// The noise in it.
    pub eps: Tensor<4>,
    /// The clean image, `(x_t - sqrt(1 - a) eps) / sqrt(a)`, clipped where the run clips.
    pub x0: Tensor<4>,
    gradient: Option<Gradient<'a>>,
}

/// What [`Estimate::pull_back`] needs.
struct Gradient<'a> {
    of_eps: PullBack<'a>,
    /// 1 where the image was not clipped, 0 where it was.
    inside: Option<Tensor<4>>,
    a: f64,
}

impl Estimate<'_> {
    /// An estimate without its derivative.
    pub fn new(eps: Tensor<4>, x0: Tensor<4>) -> Self {
        Self { eps, x0, gradient: None }
    }

    /// `Jᵀ v` with `J` the derivative of [`Estimate::x0`] by `x_t`; a classifier's part is taken as constant.
    ///
    /// # Panics
    /// If the method does not say that it [`Sampler::differentiates`].
    fn pull_back(self, v: Tensor<4>) -> Tensor<4> {
        let Gradient { of_eps, inside, a } = self.gradient.expect("a method that says it differentiates");
        let v = inside.map_or(v.clone(), |inside| v * inside);
        (v.clone() - of_eps(v) * (1.0 - a).sqrt()) / a.sqrt()
    }
}

/// A method.
pub trait Sampler {
    /// Whether its steps ask for derivatives through the prior, which take some three times as long.
    fn differentiates(&self) -> bool {
        false
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
    fn step(
        &mut self,
        step: &Step,
        x_t: Tensor<4>,
        estimate: Estimate,
        problem: &Problem,
        noise: &mut dyn Noise,
    ) -> Tensor<4>;

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

/// A prior and a problem, put together.
pub struct Run<'a> {
    /// Predicts the noise.
    pub prior: &'a dyn Denoiser,
    /// Towards a class, where there is one.
    pub guidance: Option<&'a ClassGuidance<'a>>,
    /// The measurement.
    pub problem: &'a Problem<'a>,
    /// The moves.
    pub timeline: &'a Timeline,
    /// Limits every estimate to `[-1, 1]`, which the papers do not do.
    pub clip: bool,
}

impl Run<'_> {
    /// Runs a method from standard normals `z` of the image's shape, or from `estimate` and as much noise as the first time
    /// has.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the observer breaks, [`Error::BadEstimate`] for estimates that are not finite or constant.
    pub fn sample(
        &self,
        sampler: &mut dyn Sampler,
        z: Tensor<4>,
        estimate: Option<Tensor<4>>,
        noise: &mut dyn Noise,
        observer: &mut Observer,
    ) -> Result<Tensor<4>> {
        let steps = self.timeline.steps().count();
        let mut guard = Guard::new(steps);
        let mut done = 0;
        let mut x_t = sampler.begin(&self.timeline.first(), z, estimate, self.problem);
        let mut last = x_t.clone();
        for a_move in self.timeline.moves() {
            x_t = match a_move {
                Move::Renoise { a } => noised(last.clone(), noise.draw(x_t.dims(), &x_t.device()), *a),
                Move::Denoise(step) => {
                    done += 1;
                    let estimate = self.estimate(step, &x_t, sampler.differentiates(), &mut guard)?;
                    last = estimate.x0.clone();
                    let next = sampler.step(step, x_t, estimate, self.problem, noise);
                    if observer(&Progress { done, steps, x0: &last }).is_break() {
                        return Err(Error::Stopped { step: done, steps });
                    }
                    next
                }
            };
        }
        let result = sampler.result(x_t, last, self.problem);
        guard.watch(&result)?;
        guard.read()?;
        Ok(result)
    }

    fn estimate(&self, step: &Step, x_t: &Tensor<4>, differentiate: bool, guard: &mut Guard) -> Result<Estimate<'_>> {
        let (mut eps, of_eps) = if differentiate {
            let (eps, of_eps) = self.prior.differentiate(x_t.clone(), step.t);
            (eps, Some(of_eps))
        } else {
            (self.prior.predict_noise(x_t.clone(), step.t), None)
        };
        if let Some(ClassGuidance { classifier, class, scale }) = self.guidance {
            eps = eps - classifier.gradient(x_t.clone(), step.t, *class) * (scale * (1.0 - step.a).sqrt());
        }
        let seen = (x_t.clone() - eps.clone() * (1.0 - step.a).sqrt()) / step.a.sqrt();
        // Before clipping, which may hide what is not a number.
        guard.watch(&seen)?;
        let x0 = if self.clip { seen.clone().clamp(-1.0, 1.0) } else { seen.clone() };
        let gradient = of_eps.map(|of_eps| Gradient {
            of_eps,
            inside: self.clip.then(|| seen.abs().lower_equal_elem(1.0).float()),
            a: step.a,
        });
        Ok(Estimate { eps, x0, gradient })
    }
}

/// Refuses estimates that are not finite, or the same everywhere.
///
/// Their moments stay on the device for a few steps where these are fast, so that it does not wait for the host at every one.
struct Guard {
    /// Steps of the run.
    steps: usize,
    /// Steps whose moments were read.
    passed: usize,
    /// Mean and variance of each step since, one after the other.
    pending: Vec<Tensor<1>>,
    /// Steps between two reads.
    stride: usize,
    last_read: Instant,
}

impl Guard {
    /// Time between two reads where a step takes less: as much the host runs ahead of the device, and a fault is found late.
    const INTERVAL: Duration = Duration::from_millis(100);

    fn new(steps: usize) -> Self {
        Self { steps, passed: 0, pending: Vec::new(), stride: 1, last_read: Instant::now() }
    }

    /// Takes the estimate of the next step.
    fn watch(&mut self, x0: &Tensor<4>) -> Result<()> {
        let mean = x0.clone().mean();
        let variance = (x0.clone() - mean.clone().reshape([1, 1, 1, 1])).square().mean();
        // A single pixel may be grey.
        let variance = if x0.dims()[2] * x0.dims()[3] > 1 { variance } else { variance + 1.0 };
        self.pending.extend([mean, variance]);
        if self.pending.len() < 2 * self.stride { Ok(()) } else { self.read() }
    }

    /// Judges what was taken.
    fn read(&mut self) -> Result<()> {
        let Some(device) = self.pending.first().map(Tensor::device) else { return Ok(()) };
        let moments = Tensor::cat(std::mem::take(&mut self.pending), 0).try_into_vec_as::<f32>();
        let moments = moments.map_err(|e| Error::Device {
            device: format!("{device:?}"),
            fact: format!("it gave no result ({e})"),
            remedy: "try a smaller picture, or --device cpu".into(),
        })?;
        let moments = moments.as_chunks().0;
        let a_step = self.last_read.elapsed().as_secs_f64() / moments.len() as f64;
        self.stride = (Self::INTERVAL.as_secs_f64() / a_step).max(1.0) as usize;
        self.last_read = Instant::now();
        for [mean, variance] in moments {
            self.passed += 1;
            let fact = match (mean + variance).is_finite() {
                false => "holds values that are not finite",
                true if *variance == 0.0 => "is the same in every pixel",
                true => continue,
            };
            return Err(Error::BadEstimate {
                // The result comes after the last step.
                step: self.passed.min(self.steps),
                fact: fact.into(),
                remedy: "check the kernel and sigma, or go back to the default parameters".into(),
            });
        }
        Ok(())
    }
}
