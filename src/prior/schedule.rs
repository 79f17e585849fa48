//! How the noise grew in the training of priors, in f64.

use serde::{Deserialize, Serialize};

/// How the noise grows over the training steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Betas {
    /// Evenly spaced.
    #[default]
    Linear,
    /// Evenly spaced square roots.
    Quad,
    /// The largest one throughout.
    Const,
    /// `1 / N, 1 / (N - 1), ..., 1`.
    Jsd,
    /// A sigmoid from -6 to 6.
    Sigmoid,
}

/// Training steps `N` of every prior here.
pub const TRAINING_STEPS: usize = 1000;
const BETA_START: f64 = 1e-4;
const BETA_END: f64 = 0.02;

impl Betas {
    /// The schedule of that name, as configuration files spell it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "linear" => Self::Linear,
            "quad" => Self::Quad,
            "const" => Self::Const,
            "jsd" => Self::Jsd,
            "sigmoid" => Self::Sigmoid,
            _ => return None,
        })
    }

    /// `beta_t` for `t = 0 .. N`, from 1e-4 to 0.02.
    pub fn betas(self) -> Vec<f64> {
        let n = TRAINING_STEPS;
        let between = |from: f64, to: f64, i: usize| from + (to - from) * i as f64 / (n - 1) as f64;
        let beta = |i: usize| match self {
            Self::Linear => between(BETA_START, BETA_END, i),
            Self::Quad => between(BETA_START.sqrt(), BETA_END.sqrt(), i).powi(2),
            Self::Const => BETA_END,
            Self::Jsd => 1.0 / (n - i) as f64,
            Self::Sigmoid => BETA_START + (BETA_END - BETA_START) / (1.0 + (-between(-6.0, 6.0, i)).exp()),
        };
        (0..n).map(beta).collect()
    }

    /// `a_t = prod(1 - beta)`; index `k` holds `t = k - 1`, so that index 0 is 1.
    pub fn alpha_bar(self) -> Vec<f64> {
        let mut product = 1.0;
        std::iter::once(1.0)
            .chain(self.betas().into_iter().map(|beta| {
                product *= 1.0 - beta;
                product
            }))
            .collect()
    }
}

/// Noise of a state divided by `sqrt(a)`: `sqrt((1 - a) / a)`.
pub fn noise_level(a: f64) -> f64 {
    ((1.0 - a) / a).sqrt()
}
