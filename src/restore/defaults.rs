//! Parameters for a task, a noise level and the time a user has, so that the task is all to be given.

use serde::{Deserialize, Serialize};

use super::{Border, DataModel, Method, RestoreConfig};
use crate::degradation::{Degradation, Psf, Stage};
use crate::error::Result;
use crate::regularizer::Regularization;
use crate::sampler::schedule::{Betas, TRAINING_STEPS};
use crate::sampler::{DiffPir, Guidance, Hqs, Parameters, Travel, signed_sigma};

/// Smallest regularisation of a deconvolution by guidance: below it, what the kernel and the file's 8 bits leave unsaid is
/// magnified.
const DEBLUR_ETA: f64 = 2e-3;

/// How much time a restoration may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// The fewest network evaluations (NFE) that are worth having
    Draft,
    /// The default
    Normal,
    /// As many network evaluations as were measured to help
    Best,
}

/// What a restoration should be close to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// The true picture, on average: highest PSNR and SSIM, smooth where nothing is known
    #[default]
    Fidelity,
    /// Photographs: a sample with their texture, which is invented
    Naturalness,
}

/// The defaults of a degradation: for fidelity half-quadratic splitting, where it applies.
pub(super) fn config(degradation: Degradation, sigma: f64) -> RestoreConfig {
    let hqs = hqs(&degradation, sigma, Quality::Normal);
    let config = sampled(degradation, sigma);
    match hqs {
        Some(hqs) => RestoreConfig { method: Method::Hqs(hqs), ..config },
        None => config,
    }
}

/// The defaults of a degradation for a preference.
pub(super) fn preferred(config: &RestoreConfig, preference: Preference) -> RestoreConfig {
    let (degradation, sigma, seed) = (config.degradation.clone(), config.sigma, config.seed);
    let preferred = match preference {
        Preference::Fidelity => self::config(degradation, sigma),
        Preference::Naturalness => sampled(degradation, sigma),
    };
    RestoreConfig { seed, ..preferred }
}

/// The same configuration with the evaluations of a preset.
pub(super) fn with_quality(config: RestoreConfig, quality: Quality) -> RestoreConfig {
    if let (Method::Hqs(_), Some(hqs)) = (&config.method, hqs(&config.degradation, config.sigma, quality)) {
        return RestoreConfig { method: Method::Hqs(hqs), ..config };
    }
    // A full schedule of which the last `start` fraction has the number of evaluations measured for the task.
    let [draft, normal, best] = evaluations(&config.degradation);
    let count = match quality {
        Quality::Draft => draft,
        Quality::Normal => normal,
        Quality::Best => best,
    };
    // Not more than the prior was trained with.
    let steps = (f64::from(count) / config.start).round().min(TRAINING_STEPS as f64) as usize;
    RestoreConfig { steps, ..config }
}

/// The same configuration with the method of that name: with the task's guidance where it has any, else as published.
pub(super) fn with_method(config: &RestoreConfig, name: &str) -> Result<RestoreConfig> {
    let method = match Method::named(name)? {
        Method::Hqs(published) => {
            Method::Hqs(hqs(&config.degradation, config.sigma, Quality::Normal).unwrap_or(published))
        }
        published => {
            let (tuned, _) = sampler(&config.degradation, config.sigma);
            published.with_guidance(tuned.guidance().unwrap_or(Guidance::DEFAULT), Regularization::DEFAULT)
        }
    };
    Ok(RestoreConfig { method, ..config.clone() })
}

/// Half-quadratic splitting for a degradation, measured on validation pictures (BENCHMARKS.md); none where nothing is known of
/// what is sought: its denoiser takes away noise, and invents nothing.
fn hqs(degradation: &Degradation, sigma: f64, quality: Quality) -> Option<Hqs> {
    let known = |stage: &Stage| !matches!(stage, Stage::Colorization(_) | Stage::Inpainting(_));
    if !degradation.stages().iter().all(known) {
        return None;
    }
    let by = |draft: usize, normal: usize, best: usize| match quality {
        Quality::Draft => draft,
        Quality::Normal => normal,
        Quality::Best => best,
    };
    let published = Hqs::published();
    Some(match (degradation.single(), sigma > 0.0) {
        (Some(Stage::Denoising(_)), _) => Hqs { calls: 1, symmetries: by(1, 1, 8), sigma_end: 0.002, ..published },
        (Some(Stage::WalshHadamard(_) | Stage::BlockSensing(_)), _) => {
            Hqs { sigma_1: 1.0, calls: by(10, 20, 40), ..published }
        }
        (Some(Stage::Deblur(_)), _) => Hqs { lambda: 0.5, calls: by(4, 8, 16), symmetries: by(1, 1, 2), ..published },
        _ => Hqs { calls: by(4, 8, 16), symmetries: by(1, 1, 2), ..published },
    })
}

/// Evaluations of samplers for draft, normal and best, measured on four validation pictures (BENCHMARKS.md).
fn evaluations(degradation: &Degradation) -> [u32; 3] {
    match degradation.stages()[0].kind().task {
        "sr" => [10, 20, 20],
        "denoise" => [10, 30, 50],
        "inpaint" => [5, 20, 100],
        "cs" => [20, 50, 50],
        _ => [5, 20, 20],
    }
}

/// A sampler for a degradation, with the parameters that `fdgr sweep` settled on pictures that the prior was not trained on.
fn sampled(degradation: Degradation, sigma: f64) -> RestoreConfig {
    let (method, start) = sampler(&degradation, sigma);
    let config = RestoreConfig {
        degradation,
        sigma,
        method,
        steps: TRAINING_STEPS,
        start,
        clip: true,
        schedule: Betas::Linear,
        travel: Travel::NONE,
        border: Border::Extend,
        data: DataModel::Exact,
        seed: 0,
    };
    with_quality(config, Quality::Normal)
}

/// The sampler, and the share of its steps that is run.
fn sampler(degradation: &Degradation, sigma: f64) -> (Method, f64) {
    let sigma_y = signed_sigma(sigma);
    let fdgr = |gamma, eta_tilde, regularization| {
        Method::fdgr(Guidance { gamma, eta_tilde, ..Guidance::DEFAULT }, regularization)
    };
    let deblur = |gamma, eta_tilde: f64| {
        let floor = if sigma_y > 0.0 { DEBLUR_ETA / (sigma_y * sigma_y) } else { eta_tilde };
        fdgr(gamma, eta_tilde.max(floor).min(1000.0), Regularization::DEFAULT)
    };
    let ddpg = |zeta| Method::ddpg(Guidance { zeta, inject_noise: true, ..Guidance::DEFAULT });
    match &degradation.stages()[0] {
        Stage::Denoising(_) => (Method::DiffPir(DiffPir::DEFAULT), 0.3),
        Stage::SrBicubic(_) | Stage::AveragePooling(_) => (fdgr(16.0, 0.2, Regularization::g_plus(2.0)), 0.2),
        Stage::Deblur(stage) => match stage.psf {
            Psf::Motion { .. } | Psf::Random { .. } | Psf::Measured { .. } => (deblur(12.0, 0.9), 0.3),
            Psf::Gaussian { .. } | Psf::Uniform { .. } | Psf::Anisotropic { .. } => (deblur(8.0, 0.6), 0.3),
        },
        Stage::Inpainting(_) => (ddpg(1.0), 0.3),
        Stage::Colorization(_) => (ddpg(0.7), 0.4),
        Stage::WalshHadamard(_) | Stage::BlockSensing(_) => (fdgr(8.0, 0.7, Regularization::DEFAULT), 0.3),
    }
}
