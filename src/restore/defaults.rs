//! Parameters for a task and noise level, so that a user types only the task.

use super::{Border, Method, RestoreConfig};
use crate::degradation::{Degradation, Psf};
use crate::regularizer::Regularization;
use crate::sampler::{DiffPir, Guidance};

pub(super) fn config(degradation: Degradation, sigma: f64) -> RestoreConfig {
    let fdgr = |gamma, eta_tilde| Method::Fdgr {
        guidance: Guidance { gamma, eta_tilde, ..Guidance::DEFAULT },
        regularization: Regularization::DEFAULT,
    };
    let (method, start) = match &degradation {
        Degradation::Denoising => (Method::DiffPir(DiffPir::DEFAULT), 0.3),
        Degradation::SrBicubic { .. } | Degradation::SrAveragepooling { .. } => (fdgr(16.0, 0.2), 0.3),
        Degradation::Deblur { psf: Psf::Motion { .. } | Psf::Random { .. } | Psf::Measured { .. }, .. } => {
            (fdgr(12.0, 0.9), 0.3)
        }
        Degradation::Deblur { .. } => (fdgr(8.0, 0.6), 0.3),
        Degradation::Inpainting { .. } | Degradation::Colorization => {
            let guidance = Guidance { zeta: 0.7, inject_noise: true, ..Guidance::DEFAULT };
            (Method::Ddpg { guidance }, 1.0)
        }
        Degradation::CsWalshhadamard { .. } | Degradation::CsBlockbased { .. } => (fdgr(8.0, 0.7), 0.3),
    };
    RestoreConfig { degradation, sigma, method, steps: 100, start, clip: true, border: Border::Extend, seed: 0 }
}
