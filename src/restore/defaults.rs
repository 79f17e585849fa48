//! Parameters for a task, a noise level and the time a user has, so that the task is all to be typed.

use serde::{Deserialize, Serialize};

use super::{Border, Method, RestoreConfig};
use crate::degradation::{Degradation, Psf};
use crate::regularizer::Regularization;
use crate::sampler::schedule::{Betas, TRAINING_STEPS};
use crate::sampler::{DiffPir, Guidance, Travel};

/// Smallest regularisation of a deconvolution: below it, what the kernel and the file's 8 bits leave unsaid is magnified.
const DEBLUR_ETA: f64 = 2e-3;

/// How much time a restoration may take: calls of the network, from the classical estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// 5 to 20 calls: super-resolution by 4 at sigma 0.05 24.9 dB, denoising of sigma 0.1 27.0 dB, deblurring of gauss:10,5 26.7 dB
    Draft,
    /// 20 to 50 calls, the default: 25.1, 28.9 and 27.8 dB
    Normal,
    /// As many calls as were measured to help, 20 to 100: 25.1, 28.9 and 27.8 dB; inpainting gains 0.4 dB
    Best,
}

/// Steps of a full run of which `start` is as many calls of the network as a task needs: measured on four validation pictures
/// (BENCHMARKS.md).
pub(super) fn steps(degradation: &Degradation, quality: Quality, start: f64) -> usize {
    let [draft, normal, best]: [u32; 3] = match degradation {
        Degradation::SrBicubic { .. } | Degradation::SrAveragepooling { .. } => [10, 20, 20],
        Degradation::Denoising => [10, 30, 50],
        Degradation::Deblur { .. } => [5, 20, 20],
        Degradation::Inpainting { .. } => [5, 20, 100],
        Degradation::Colorization => [5, 20, 20],
        Degradation::CsWalshhadamard { .. } | Degradation::CsBlockbased { .. } => [20, 50, 50],
    };
    let calls = match quality {
        Quality::Draft => draft,
        Quality::Normal => normal,
        Quality::Best => best,
    };
    // Not more than the prior was trained with.
    (f64::from(calls) / start).round().min(TRAINING_STEPS as f64) as usize
}

/// Settled by `fdgr sweep` on pictures that the prior was not trained on, from the papers' parameters.
pub(super) fn config(degradation: Degradation, sigma: f64) -> RestoreConfig {
    let sigma_y = 2.0 * sigma;
    let fdgr = |gamma, eta_tilde, lam| Method::Fdgr {
        guidance: Guidance { gamma, eta_tilde, ..Guidance::DEFAULT },
        regularization: Regularization { lam, ..Regularization::DEFAULT },
    };
    let deblur = |gamma, eta_tilde: f64| {
        let floor = if sigma_y > 0.0 { DEBLUR_ETA / (sigma_y * sigma_y) } else { eta_tilde };
        fdgr(gamma, eta_tilde.max(floor).min(1000.0), Regularization::DEFAULT.lam)
    };
    let (method, start) = match &degradation {
        Degradation::Denoising => (Method::DiffPir(DiffPir::DEFAULT), 0.3),
        Degradation::SrBicubic { .. } | Degradation::SrAveragepooling { .. } => (fdgr(16.0, 0.2, 2.0), 0.2),
        Degradation::Deblur { psf: Psf::Motion { .. } | Psf::Random { .. } | Psf::Measured { .. }, .. } => {
            (deblur(12.0, 0.9), 0.3)
        }
        Degradation::Deblur { .. } => (deblur(8.0, 0.6), 0.3),
        Degradation::Inpainting { .. } | Degradation::Colorization => {
            let (zeta, start) = if degradation == Degradation::Colorization { (0.7, 0.4) } else { (1.0, 0.3) };
            (Method::Ddpg { guidance: Guidance { zeta, inject_noise: true, ..Guidance::DEFAULT } }, start)
        }
        Degradation::CsWalshhadamard { .. } | Degradation::CsBlockbased { .. } => {
            (fdgr(8.0, 0.7, Regularization::DEFAULT.lam), 0.3)
        }
    };
    let steps = steps(&degradation, Quality::Normal, start);
    RestoreConfig {
        degradation,
        sigma,
        method,
        steps,
        start,
        clip: true,
        schedule: Betas::Linear,
        travel: Travel::NONE,
        border: Border::Extend,
        seed: 0,
    }
}
