//! Every method by name, with its parameters.

use burn::tensor::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::regularizer::Regularization;
use crate::sampler::{
    Ddnm, Ddpg, Ddrm, DdrmSampler, DiffPir, Dps, Fdgr, Guidance, PiGdm, RedDiff, RedDiffSampler, Sampler,
};

/// A method with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Method {
    /// FDGR: guidance and a gradient regulariser.
    Fdgr {
        /// Parameters of the guidance.
        #[serde(flatten)]
        guidance: Guidance,
        /// Parameters of the regulariser.
        #[serde(flatten)]
        regularization: Regularization,
    },
    /// DDPG: guidance with noise injected.
    Ddpg {
        /// Parameters of the guidance.
        #[serde(flatten)]
        guidance: Guidance,
    },
    /// IDPG: guidance without noise.
    Idpg {
        /// Parameters of the guidance.
        #[serde(flatten)]
        guidance: Guidance,
    },
    /// DDNM, and DDNM+ for noisy measurements: the measured part is replaced.
    Ddnm(Ddnm),
    /// DDRM: every singular component goes its own way.
    Ddrm(Ddrm),
    /// DPS: down the gradient of the residual, through the prior.
    Dps(Dps),
    /// PiGDM: guidance by the pseudo-inverse, through the prior.
    PiGdm(PiGdm),
    /// DiffPIR: a proximal data step.
    DiffPir(DiffPir),
    /// RED-diff: an optimisation with the prior as regulariser.
    RedDiff(RedDiff),
}

/// The methods by the names that flags and recipes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum MethodName {
    /// Guidance and a gradient regulariser
    Fdgr,
    /// Guidance, noise injected
    Ddpg,
    /// Guidance, no noise injected
    Idpg,
    /// The measured part replaced; DDNM+ where the measurement is noisy
    Ddnm,
    /// Singular component by singular component
    Ddrm,
    /// Down the gradient of the residual, through the prior (slow)
    Dps,
    /// Guidance by the pseudo-inverse, through the prior (slow)
    PiGdm,
    /// Proximal data step
    DiffPir,
    /// Optimisation with the prior as regulariser
    RedDiff,
}

impl MethodName {
    /// Calls of the network that its publication makes, where its parameters are for that number.
    pub fn published_steps(self) -> usize {
        match self {
            Self::Dps | Self::RedDiff => 1000,
            Self::Ddrm => 20,
            _ => 100,
        }
    }

    /// Whether its publication limits estimates to `[-1, 1]`.
    pub fn published_clip(self) -> bool {
        matches!(self, Self::Dps | Self::PiGdm | Self::DiffPir | Self::RedDiff)
    }
}

impl std::fmt::Display for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl Method {
    /// A method with the defaults of its publication.
    pub fn published(name: MethodName) -> Self {
        let guidance = Guidance::REFERENCE;
        match name {
            MethodName::Fdgr => Self::Fdgr { guidance, regularization: Regularization::REFERENCE_FREQUENCY },
            MethodName::Ddpg => Self::Ddpg { guidance },
            MethodName::Idpg => Self::Idpg { guidance: Guidance { inject_noise: false, ..guidance } },
            MethodName::Ddnm => Self::Ddnm(Ddnm::DEFAULT),
            MethodName::Ddrm => Self::Ddrm(Ddrm::DEFAULT),
            MethodName::Dps => Self::Dps(Dps::DEFAULT),
            MethodName::PiGdm => Self::PiGdm(PiGdm::DEFAULT),
            MethodName::DiffPir => Self::DiffPir(DiffPir::PUBLISHED),
            MethodName::RedDiff => Self::RedDiff(RedDiff::DEFAULT),
        }
    }

    /// Its name.
    pub fn name(&self) -> MethodName {
        match self {
            Self::Fdgr { .. } => MethodName::Fdgr,
            Self::Ddpg { .. } => MethodName::Ddpg,
            Self::Idpg { .. } => MethodName::Idpg,
            Self::Ddnm(_) => MethodName::Ddnm,
            Self::Ddrm(_) => MethodName::Ddrm,
            Self::Dps(_) => MethodName::Dps,
            Self::PiGdm(_) => MethodName::PiGdm,
            Self::DiffPir(_) => MethodName::DiffPir,
            Self::RedDiff(_) => MethodName::RedDiff,
        }
    }

    /// Whether it has jumps back to noise.
    pub fn travels(&self) -> bool {
        matches!(self, Self::Fdgr { .. } | Self::Ddpg { .. } | Self::Idpg { .. } | Self::Ddnm(_) | Self::DiffPir(_))
    }

    /// Whether it differentiates through the prior.
    pub fn differentiates(&self) -> bool {
        matches!(self, Self::Dps(_) | Self::PiGdm(_))
    }

    /// Whether it needs the singular values of the operator, for noise of standard deviation `sigma`.
    pub fn needs_spectrum(&self, sigma: f64) -> bool {
        match self {
            Self::Ddrm(_) => true,
            Self::Ddnm(_) => sigma > 0.0,
            _ => false,
        }
    }

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Fdgr { guidance, .. } | Self::Ddpg { guidance } | Self::Idpg { guidance } => guidance.check(),
            Self::Ddnm(method) => method.check(),
            Self::Ddrm(method) => method.check(),
            Self::Dps(method) => method.check(),
            Self::PiGdm(method) => method.check(),
            Self::DiffPir(method) => method.check(),
            Self::RedDiff(method) => method.check(),
        }
    }

    /// The method for one image of `height` x `width`.
    ///
    /// # Errors
    /// Parameters outside their range.
    pub fn sampler(&self, [height, width]: [usize; 2], device: &Device) -> Result<Box<dyn Sampler>> {
        Ok(match self {
            Self::Fdgr { guidance, regularization } => {
                Box::new(Fdgr::new(*guidance, regularization.build(height, width, device)?))
            }
            Self::Ddpg { guidance } => Box::new(Ddpg::new(Guidance { inject_noise: true, ..*guidance })),
            Self::Idpg { guidance } => Box::new(Ddpg::new(Guidance { inject_noise: false, ..*guidance })),
            Self::Ddnm(method) => Box::new(*method),
            Self::Ddrm(method) => Box::new(DdrmSampler::new(*method)),
            Self::Dps(method) => Box::new(*method),
            Self::PiGdm(method) => Box::new(*method),
            Self::DiffPir(method) => Box::new(*method),
            Self::RedDiff(method) => Box::new(RedDiffSampler::new(*method)),
        })
    }
}
