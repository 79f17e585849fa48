//! Half-quadratic splitting: "Plug-and-Play Image Restoration with Deep Denoiser Prior" (DPIR, K. Zhang et al.,
//! arXiv:2008.13751), with a diffusion prior as the denoiser. Where `zeta` is 0 and the noise of the channels white, no noise is added.
//!
//! For `sigma_k` log-spaced from `sigma_1` down to `sigma_K = max(sigma_y, sigma_end)`:
//!
//! ```text
//! x = z - Aᵀ (A Aᵀ + rho_k)⁻¹ (A z - y)     rho_k = lambda sigma_y² / sigma_k²
//! z = D(x, sigma_k)                         the picture flipped or transposed in turn
//! ```
//!
//! `D(x, s)` is the estimate `x0` of the state `sqrt(a) x` at the time where `sqrt((1 - a) / a)` is closest to `s`. The first
//! `z` is the classical estimate, the last one a mean over several symmetries. The denoiser leaves some of the noise as error;
//! a last data step with `rho = (sigma_y / (0.2 sigma_K))²` takes back what is measured better than that. In both steps noise is taken
//! to be at least a quarter of a step of 8 bits. Denoising is one call and the last step, which keeps 4% of the residual.
//!
//! A denoiser that knows white noise only takes any other noise for texture. The noise that `x` inherits from the measurement
//! is not white where the channels share it (a grey photo has one noise in three) or where `A` discards a part of the spectrum, so
//! the state gets noise in the directions that are missing: those of colour in full, and with the weight `zeta` those that the
//! measurement leaves open, `sigma_k (n - Aᵀ (A Aᵀ + sigma_y² / sigma_k²)⁻¹ A n)` of white noise `n`; of data that are a set, whose error is
//! mostly luma, those of colour.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{
    Data, Estimate, Moment, Parameters, Problem, Sampler, Step, Symmetry, Timeline,
    schedule::{Betas, noise_level},
};
use crate::degradation::LinearOperator;
use crate::error::Result;
use crate::parameter::{Kind, Parameter};

/// Noise below this, of a `[-1, 1]` image, is not relied on: a quarter of a step of 8 bits, as in DPIR.
const LEAST_NOISE: f64 = 0.002;

/// Noise that the last denoising is taken to leave, as a share of its own: denoising loses nothing by it, and the most is
/// gained where the measurement is exact.
const LEFT: f64 = 0.2;

/// Parameters of half-quadratic splitting.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hqs {
    /// Trust in the prior against the measurement.
    pub lambda: f64,
    /// Noise of the first denoising, of a `[-1, 1]` image.
    pub sigma_1: f64,
    /// Smallest noise of the last denoising, of a `[-1, 1]` image.
    pub sigma_end: f64,
    /// Number of denoisings.
    pub calls: usize,
    /// Weight of the noise that the state gets where the measurement says little.
    #[serde(default)]
    pub zeta: f64,
    /// Symmetries of the square that the last denoising is the mean over, against the patterns that a network leaves.
    pub symmetries: usize,
}

impl Hqs {
    /// Tuned for the embedded prior.
    pub const TUNED: Self = Self { lambda: 0.15, sigma_1: 0.2, ..Self::PUBLISHED };
    /// DPIR's where it says: `lambda`, `sigma_1` (49 of 255) and the number of calls.
    pub const PUBLISHED: Self =
        Self { lambda: 0.23, sigma_1: 2.0 * 49.0 / 255.0, sigma_end: 0.02, calls: 8, zeta: 0.0, symmetries: 1 };
}

impl Parameters for Hqs {
    const NAME: &'static str = "hqs";
    const TITLE: &'static str = "Plug-and-play: half-quadratic splitting";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("lambda", "trust in the prior", Kind::Above { low: 0.0, high: 1000.0 }),
        Parameter::new(
            "sigma_1",
            "noise of the first denoising, of a [-1, 1] image",
            Kind::Above { low: 0.0, high: 10.0 },
        ),
        Parameter::new("sigma_end", "least noise of the last denoising", Kind::Above { low: 0.0, high: 10.0 }),
        Parameter::new("calls", "number of denoisings", Kind::Whole { low: 1, high: 1000 }),
        Parameter::new(
            "zeta",
            "weight of noise where the measurement says little",
            Kind::Number { low: 0.0, high: 1.0 },
        ),
        Parameter::new(
            "symmetries",
            "symmetries that the last denoising is the mean over",
            Kind::Whole { low: 1, high: 8 },
        ),
    ];

    const PUBLISHED_STEPS: usize = 8;
    const STEPS: Option<&'static str> = Some("calls");
    const FROM_ESTIMATE: bool = true;

    fn published() -> Self {
        Self::PUBLISHED
    }

    fn starting_from(&self, largest: f64) -> Self {
        Self { sigma_1: self.sigma_1.min(largest), ..*self }
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(HqsSampler(*self)))
    }
}

/// A run of half-quadratic splitting.
#[derive(Clone, Copy, Debug)]
pub struct HqsSampler(pub Hqs);

impl HqsSampler {
    /// `sqrt(a) x` of the image `x` that is closest to `z` and agrees with the measurement, with white noise in the directions where
    /// the measurement left none.
    fn state(&self, z: Tensor<4>, a: f64, problem: &Problem, draw: impl FnOnce() -> Tensor<4>) -> Tensor<4> {
        let sigma = noise_level(a);
        let x = nearest(z, self.0.lambda, sigma, problem);
        let x = match self.missing(sigma, problem, draw) {
            Some(noise) => x + noise * sigma,
            None => x,
        };
        x * a.sqrt()
    }

    /// Noise of standard deviation 1 in the directions that the measurement's noise, whitened to `sigma`, does not reach.
    fn missing(&self, sigma: f64, problem: &Problem, draw: impl FnOnce() -> Tensor<4>) -> Option<Tensor<4>> {
        if self.0.zeta == 0.0 {
            return problem.beyond.map(|colors| colors.apply(draw()));
        }
        let n = draw();
        let open = match problem.data {
            Data::Exact(_) | Data::Partial { .. } | Data::Interval { .. } => {
                let measured = problem.operator.apply(n.clone());
                n.clone() - problem.operator.regularized_inverse(measured, rho(1.0, sigma, problem))
            }
            // What is wrong inside a set is mostly luma, which the channels share.
            Data::Set { .. } => n.clone() - n.clone().mean_dim(1),
        };
        let open = open * self.0.zeta;
        Some(match problem.beyond {
            Some(colors) => colors.apply(n - open.clone()) + open,
            None => open,
        })
    }
}

/// `lambda sigma_y² / sigma²`.
fn rho(lambda: f64, sigma: f64, problem: &Problem) -> f64 {
    lambda * (problem.sigma_y.max(LEAST_NOISE) / sigma).powi(2)
}

/// The image that is closest to `z`, of noise `sigma`, and agrees with the measurement.
fn nearest(z: Tensor<4>, lambda: f64, sigma: f64, problem: &Problem) -> Tensor<4> {
    z.clone() - problem.operator.regularized_inverse(problem.residual(z), rho(lambda, sigma, problem))
}

impl Sampler for HqsSampler {
    fn timeline(&self, sigma_y: f64, betas: Betas) -> Result<Option<Timeline>> {
        let Hqs { sigma_1, sigma_end, calls, .. } = self.0;
        let last = sigma_y.max(sigma_end);
        let ratio = (last / sigma_1.max(last)).ln();
        let share = |k: usize| if calls == 1 { 1.0 } else { k as f64 / (calls - 1) as f64 };
        let sigmas = (0..calls).map(|k| sigma_1.max(last) * (ratio * share(k)).exp());
        Timeline::of_noise(betas, sigmas).map(Some)
    }

    fn symmetries(&self, index: usize) -> Vec<Symmetry> {
        let count = if index + 1 == self.0.calls { self.0.symmetries } else { 1 };
        (0..count).map(|n| Symmetry::nth(index + n)).collect()
    }

    fn begin(&mut self, first: &Step, z: Tensor<4>, estimate: Option<Tensor<4>>, problem: &Problem) -> Tensor<4> {
        let inverse = || problem.operator.regularized_inverse(problem.data.y().clone(), 1e-4);
        self.state(estimate.unwrap_or_else(inverse), first.a, problem, || z)
    }

    fn step(&mut self, at: Moment, x_t: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Estimate { x0: z, eps, .. } = estimate;
        // The data step of a large photo takes their memory.
        drop((x_t, eps));
        let fresh = || at.noise.draw(z.dims(), &z.device());
        Ok(if at.step.a_next < 1.0 { self.state(z.clone(), at.step.a_next, at.problem, fresh) } else { z })
    }

    /// What is measured better than the denoiser leaves it goes back to the measurement.
    fn result(&self, _: Tensor<4>, x0: Tensor<4>, problem: &Problem) -> Tensor<4> {
        nearest(x0, 1.0, LEFT * problem.sigma_y.max(self.0.sigma_end), problem)
    }
}
