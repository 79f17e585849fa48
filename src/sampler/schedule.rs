//! The times of a run, in f64.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Setting};
pub(super) use crate::prior::schedule::noise_level;
pub use crate::prior::schedule::{Betas, TRAINING_STEPS};

/// Indices of the steps of a run of `steps`, ending in -1: descending, with jumps back of `travel_length` done
/// `travel_repeat` times in all at each stage (time travel of RePaint and DDNM; 1 and 1 for none).
pub fn times(steps: usize, travel_length: usize, travel_repeat: usize) -> Vec<i64> {
    let mut jumps = vec![0; steps];
    for start in (0..steps.saturating_sub(travel_length)).step_by(travel_length.max(1)) {
        jumps[start] = travel_repeat.saturating_sub(1);
    }
    let mut times = Vec::new();
    let mut t = steps;
    while t >= 1 {
        t -= 1;
        times.push(t as i64);
        if jumps[t] > 0 {
            jumps[t] -= 1;
            for _ in 0..travel_length {
                t += 1;
                times.push(t as i64);
            }
        }
    }
    times.push(-1);
    times
}

/// One step from a time to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Time of the training schedule.
    pub t: usize,
    /// Cumulative product at that time.
    pub a: f64,
    /// Cumulative product at the next time.
    pub a_next: f64,
}

impl Step {
    /// Noise of the state divided by `sqrt(a)`, of a `[-1, 1]` image.
    pub fn noise_level(&self) -> f64 {
        noise_level(self.a)
    }
}

/// Jumps back to noise during a run (RePaint, DDNM); [`Travel::NONE`] has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Travel {
    /// Steps of a jump.
    pub length: usize,
    /// Times each stretch is run in all.
    pub repeat: usize,
}

impl Travel {
    /// Every step once.
    pub const NONE: Self = Self { length: 1, repeat: 1 };

    /// Whether a run goes straight down.
    pub fn is_none(&self) -> bool {
        self.repeat <= 1
    }
}

impl Default for Travel {
    fn default() -> Self {
        Self::NONE
    }
}

/// What a run does next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transition {
    /// A step towards the image.
    Denoise(Step),
    /// A jump back: the last estimate of the image, with noise again.
    Renoise {
        /// Cumulative product at the time it leads to.
        a: f64,
    },
}

/// The transitions of a run.
#[derive(Clone, Debug)]
pub struct Timeline(Vec<Transition>);

impl Timeline {
    /// `steps` even steps down from `t = i N / T`, of which the last share `start` in (0, 1] is run.
    ///
    /// # Errors
    /// A number of steps, a share or a jump outside its range.
    pub fn new(betas: Betas, steps: usize, start: f64, travel: Travel) -> Result<Self> {
        if !(1..=TRAINING_STEPS).contains(&steps) {
            return Err(Error::parameter(Setting::STEPS, steps, format!("it must be between 1 and {TRAINING_STEPS}")));
        }
        if !(start > 0.0 && start <= 1.0) {
            return Err(Error::parameter(Setting::START, start, "it must be above 0 and at most 1"));
        }
        for (name, value) in [(Setting::TRAVEL_LENGTH, travel.length), (Setting::TRAVEL_REPEAT, travel.repeat)] {
            if !(1..=TRAINING_STEPS).contains(&value) {
                return Err(Error::parameter(name, value, format!("it must be between 1 and {TRAINING_STEPS}")));
            }
        }
        let alpha_bar = betas.alpha_bar();
        let time = |i: i64| usize::try_from(i).map_or(0, |i| i * TRAINING_STEPS / steps + 1);
        let run = ((start * steps as f64).round() as usize).clamp(1, steps);
        let transition = |pair: &[i64]| {
            let (k, next) = (time(pair[0]), time(pair[1]));
            if next > k {
                return Transition::Renoise { a: alpha_bar[next] };
            }
            Transition::Denoise(Step { t: k - 1, a: alpha_bar[k], a_next: alpha_bar[next] })
        };
        Ok(Self(times(run, travel.length, travel.repeat).windows(2).map(transition).collect()))
    }

    /// A step at the time whose noise `sqrt((1 - a) / a)` is closest to each of `sigmas`, descending, then on to the image.
    ///
    /// # Errors
    /// No noise at all.
    pub fn of_noise(betas: Betas, sigmas: impl IntoIterator<Item = f64>) -> Result<Self> {
        let alpha_bar = betas.alpha_bar();
        let distance = |k: usize, sigma: f64| (noise_level(alpha_bar[k]).ln() - sigma.ln()).abs();
        let closest = |sigma: f64| {
            (1..alpha_bar.len()).min_by(|&a, &b| distance(a, sigma).total_cmp(&distance(b, sigma))).unwrap_or(1)
        };
        let times: Vec<usize> = sigmas.into_iter().map(closest).chain([0]).collect();
        if times.len() < 2 {
            return Err(Error::parameter(Setting::STEPS, 0, "a run has at least one step"));
        }
        let step = |pair: &[usize]| {
            let [a, a_next] = [pair[0], pair[1]].map(|k| alpha_bar[k]);
            Transition::Denoise(Step { t: pair[0] - 1, a, a_next })
        };
        Ok(Self(times.windows(2).map(step).collect()))
    }

    /// One step and nothing else.
    #[doc(hidden)]
    pub fn single(step: Step) -> Self {
        Self(vec![Transition::Denoise(step)])
    }

    /// All transitions, noisiest first.
    pub fn transitions(&self) -> &[Transition] {
        &self.0
    }

    /// The first step.
    pub fn first(&self) -> Step {
        self.steps().next().expect("a run has at least one step")
    }

    /// The steps, each with a call of the network.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        self.0.iter().filter_map(|&transition| match transition {
            Transition::Denoise(step) => Some(step),
            Transition::Renoise { .. } => None,
        })
    }
}
