//! RED-diff: "A Variational Perspective on Solving Inverse Problems with Diffusion Models" (M. Mardani et al.,
//! arXiv:2305.04391), algorithm 1.
//!
//! No Markov chain but an optimisation of one image `mu` by Adam, with a call of the prior on `mu` and fresh noise at each
//! step. The loss is `v mean((y - A mu)²) / 2 + w mean(sg(eps - z) mu)` with `w = grad_term_weight sqrt((1 - a) / a)`.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Estimate, Moment, Parameters, Problem, Sampler, Step, schedule::noise_level};
use crate::error::Result;
use crate::parameter::{Kind, Parameter};

/// Decay of Adam's moments, and what keeps its quotient finite.
const DECAY: [f64; 2] = [0.9, 0.99];
const EPSILON: f64 = 1e-8;

/// Parameters of RED-diff, by the reference's names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedDiff {
    /// Step size of Adam.
    pub lr: f64,
    /// Weight of the prior.
    pub grad_term_weight: f64,
    /// Weight of the measurement.
    pub obs_weight: f64,
}

impl RedDiff {
    /// As published, for 1000 steps.
    pub const DEFAULT: Self = Self { lr: 0.1, grad_term_weight: 0.25, obs_weight: 1.0 };
}

/// A run of RED-diff.
pub struct RedDiffSampler {
    parameters: RedDiff,
    state: Option<State>,
}

struct State {
    /// The image sought.
    mu: Tensor<4>,
    /// The noise that the prior sees on it.
    z: Tensor<4>,
    /// Adam's means of the gradient and of its square.
    moments: [Tensor<4>; 2],
    steps: i32,
}

impl RedDiffSampler {
    /// The method with these parameters.
    pub fn new(parameters: RedDiff) -> Self {
        Self { parameters, state: None }
    }
}

impl State {
    fn new(mu: Tensor<4>, z: Tensor<4>) -> Self {
        Self { moments: [mu.zeros_like(), mu.zeros_like()], mu, z, steps: 0 }
    }

    fn descend(&mut self, gradient: Tensor<4>, lr: f64) {
        self.steps += 1;
        let powers = [gradient.clone(), gradient.square()];
        for ((moment, power), decay) in self.moments.iter_mut().zip(powers).zip(DECAY) {
            *moment = moment.clone() * decay + power * (1.0 - decay);
        }
        let [mean, square] = [0, 1].map(|i| self.moments[i].clone() / (1.0 - DECAY[i].powi(self.steps)));
        self.mu = self.mu.clone() - mean / (square.sqrt() + EPSILON) * lr;
    }
}

impl Parameters for RedDiff {
    const NAME: &'static str = "reddiff";
    const TITLE: &'static str = "Optimisation with the prior as regulariser";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("lr", "step size of Adam", Kind::Number { low: 0.0, high: 1000.0 }),
        Parameter::new(
            "grad_term_weight",
            "weight of the prior (RED-diff), factor on the guidance (PiGDM)",
            Kind::Number { low: 0.0, high: 1000.0 },
        ),
        Parameter::new("obs_weight", "weight of the measurement", Kind::Number { low: 0.0, high: 1000.0 }),
    ];
    const PUBLISHED_STEPS: usize = 1000;
    const PUBLISHED_CLIP: bool = true;

    fn published() -> Self {
        Self::DEFAULT
    }

    fn sampler(&self, _: [usize; 2], _: &Device) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(RedDiffSampler::new(*self)))
    }
}

impl Sampler for RedDiffSampler {
    fn begin(&mut self, first: &Step, z: Tensor<4>, estimate: Option<Tensor<4>>, problem: &Problem) -> Tensor<4> {
        let mu = estimate.unwrap_or_else(|| problem.operator.regularized_inverse(problem.data.y().clone(), 0.0));
        let x_t = super::noised(mu.clone(), z.clone(), first.a);
        self.state = Some(State::new(mu, z));
        x_t
    }

    fn step(&mut self, at: Moment, _: Tensor<4>, estimate: Estimate) -> Result<Tensor<4>> {
        let Moment { step, problem, noise } = at;
        let RedDiff { lr, grad_term_weight, obs_weight } = self.parameters;
        let state = self.state.get_or_insert_with(|| State::new(estimate.x0.clone(), estimate.eps.clone()));
        // Means over a picture; Adam does not see a common factor.
        let values = |x: &Tensor<4>| x.dims()[1..].iter().product::<usize>() as f64;
        let fidelity =
            problem.operator.adjoint(problem.residual(state.mu.clone())) * (obs_weight / values(problem.data.y()));
        let weight = grad_term_weight * noise_level(step.a) / values(&state.mu);
        state.descend(fidelity + (estimate.eps - state.z.clone()) * weight, lr);
        state.z = noise.draw(state.mu.dims(), &state.mu.device());
        Ok(super::noised(state.mu.clone(), state.z.clone(), step.a_next))
    }
}
