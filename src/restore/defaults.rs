//! Parameters for a task, a noise level and the time a user has, so that the task is all to be given.

use serde::{Deserialize, Serialize};

use super::{Border, Channels, DataModel, Method, RestoreConfig};
use crate::degradation::{Degradation, Family};
use crate::error::Result;
use crate::regularizer::Regularization;
use crate::sampler::schedule::{Betas, TRAINING_STEPS};
use crate::sampler::{DiffPir, Guidance, Hqs, Travel, signed_sigma};

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

impl RestoreConfig {
    /// The defaults for a degradation and noise of standard deviation `sigma` of a `[0, 1]` image, measured with the embedded
    /// prior.
    pub fn new(degradation: impl Into<Degradation>, sigma: f64) -> Self {
        Self::of(degradation, sigma, Channels::Independent)
    }

    /// The same for noise whose channels are related.
    pub fn of(degradation: impl Into<Degradation>, sigma: f64, channels: Channels) -> Self {
        config(degradation.into(), sigma, channels)
    }

    /// The same with the number of steps of a preset.
    #[must_use]
    pub fn with_quality(self, quality: Quality) -> Self {
        with_quality(self, quality)
    }
}

/// The defaults of a degradation: for fidelity half-quadratic splitting, where it applies.
fn config(degradation: Degradation, sigma: f64, channels: Channels) -> RestoreConfig {
    let config = sampled(degradation, sigma, channels);
    if !suits_hqs(&config.degradation) {
        return config;
    }
    let method = Method::Hqs(hqs(&config, Quality::Normal));
    let bm3d = bm3d_share(&config, Quality::Normal);
    RestoreConfig { method, bm3d, ..config }
}

/// The same configuration with the defaults of a preference.
pub(super) fn preferred(config: &RestoreConfig, preference: Preference) -> RestoreConfig {
    match preference {
        Preference::Fidelity => with_defaults(config, self::config),
        Preference::Naturalness => with_defaults(config, natural_config),
    }
}

/// The same configuration with DiffPIR, begun late, as the map of uncertainty was calibrated: its samples differ most where the truth does.
pub(super) fn sampled_late(config: &RestoreConfig) -> Result<RestoreConfig> {
    with_tuned(&with_defaults(config, sampled), "diffpir")
}

fn with_defaults(config: &RestoreConfig, defaults: fn(Degradation, f64, Channels) -> RestoreConfig) -> RestoreConfig {
    let RestoreConfig { method, steps, start, clip, bm3d, .. } =
        defaults(config.degradation.clone(), config.sigma, config.channels);
    RestoreConfig { method, steps, start, clip, bm3d, ..config.clone() }
}

/// The same configuration with the evaluations of a preset.
fn with_quality(config: RestoreConfig, quality: Quality) -> RestoreConfig {
    if let Method::Hqs(given) = config.method {
        let Hqs { calls, symmetries, .. } = hqs(&config, quality);
        let bm3d = if config.bm3d > 0.0 { bm3d_share(&config, quality) } else { 0.0 };
        return RestoreConfig { method: Method::Hqs(Hqs { calls, symmetries, ..given }), bm3d, ..config };
    }
    // A full schedule of which the last `start` fraction has the number of evaluations measured for the task.
    let natural = natural(&config.degradation).filter(|natural| natural.method == config.method);
    let Tuned { evaluations, .. } = natural.unwrap_or_else(|| tuned(&config.degradation, config.sigma));
    let [draft, normal, best] = evaluations;
    let count = match quality {
        Quality::Draft => draft,
        Quality::Normal => normal,
        Quality::Best => best,
    };
    // Not more than the prior was trained with.
    let steps = (f64::from(count) / config.start).round().min(TRAINING_STEPS as f64) as usize;
    RestoreConfig { steps, ..config }
}

/// The same configuration with the method of that name: as tuned for the task, with the task's guidance where it has any, else as
/// published.
pub(super) fn with_method(config: &RestoreConfig, name: &str) -> Result<RestoreConfig> {
    match natural(&config.degradation) {
        Some(natural) if natural.method.name() == name => Ok(preferred(config, Preference::Naturalness)),
        _ => with_tuned(config, name),
    }
}

/// The same, but for how it is tuned for naturalness.
fn with_tuned(config: &RestoreConfig, name: &str) -> Result<RestoreConfig> {
    let tuned = tuned(&config.degradation, config.sigma).method;
    let method = match Method::named(name)? {
        _ if tuned.name() == name => tuned,
        Method::Hqs(_) => Method::Hqs(hqs(config, Quality::Normal)),
        published => published.with_guidance(tuned.guidance().unwrap_or(Guidance::DEFAULT), Regularization::DEFAULT),
    };
    Ok(RestoreConfig { method, ..config.clone() })
}

/// Whether the most probable picture is wanted: of colours that are lost it is the grey picture.
fn suits_hqs(degradation: &Degradation) -> bool {
    !degradation.discards_colors()
}

/// Half-quadratic splitting for a degradation and its noise.
fn hqs(RestoreConfig { degradation, sigma, channels, .. }: &RestoreConfig, quality: Quality) -> Hqs {
    let by = |draft: usize, normal: usize, best: usize| match quality {
        Quality::Draft => draft,
        Quality::Normal => normal,
        Quality::Best => best,
    };
    // From 0 for clean measurements to 1 for noise of 0.05 of a [0, 1] image.
    let noisy = (signed_sigma(*sigma) / 0.1).min(1.0);
    // From 0 for that noise to 1 for 0.2, where the prior has to say more.
    let strong = ((signed_sigma(*sigma) - 0.1) / 0.3).clamp(0.0, 1.0);
    let some = Hqs { calls: by(4, 8, 16), symmetries: by(1, 4, 8), ..Hqs::TUNED };
    let some = match channels {
        Channels::Independent => some,
        // The denoiser knows white noise only.
        related => {
            let strongest = related.strongest();
            let sigma_end = some.sigma_end.max(signed_sigma(*sigma) * strongest);
            Hqs { sigma_1: some.sigma_1 * strongest, sigma_end, ..some }
        }
    };
    // What follows a blur leaves it the hardest part.
    let is_blurred_first = matches!(degradation.first_family(), Family::Blur { .. });
    let family = degradation.family().or(is_blurred_first.then(|| degradation.first_family()));
    // Chosen by the bench of quality on three or four pictures, and for what follows a blur on five of 144x144.
    match family {
        Some(Family::Noise) if channels.are_independent() => {
            Hqs { calls: 1, symmetries: by(1, 4, 8), sigma_end: 0.002, ..Hqs::TUNED }
        }
        Some(Family::Noise) => Hqs { calls: by(1, 1, 2), symmetries: by(1, 4, 8), ..some },
        Some(Family::Sensing) => Hqs { sigma_1: 1.0, calls: by(10, 20, 40), ..some },
        Some(Family::Resolution) => {
            let (lambda, zeta) = (0.15 * (1.0 + noisy) + 0.2 * strong, 0.9 * noisy + 0.03 * strong);
            let sigma_1 = (2.0 * some.sigma_1).max(3.0 * signed_sigma(*sigma));
            Hqs { sigma_1, lambda, zeta, ..some }
        }
        Some(Family::Quantized { step }) => {
            let (sigma_1, sigma_end) = ((2.5 * step).clamp(0.02, 0.2), (0.5 * step).clamp(0.004, 0.03));
            let zeta = if channels.are_independent() { 0.5 } else { 0.0 };
            Hqs { sigma_1: sigma_1 * channels.strongest(), sigma_end, zeta, ..some }
        }
        // Holes start from their borders, far from what was there.
        Some(Family::Holes) => Hqs { sigma_1: 0.65f64.max(some.sigma_1), calls: by(8, 20, 40), ..some },
        Some(Family::Blur { .. }) => {
            let lambda = 0.3 + 0.05 * strong;
            // Up to noise of 0.01 it changes nothing but the time.
            let zeta = if noisy > 0.2 { 0.85 * noisy + 0.1 * (2.0 * strong).min(1.0) } else { 0.0 };
            let from_borders = if degradation.holes().is_some() { 0.5 } else { 0.0 };
            let sigma_1 = (1.75 * some.sigma_1).max(2.0 * signed_sigma(*sigma)).max(from_borders);
            Hqs { sigma_1, lambda, zeta, ..some }
        }
        Some(Family::Colors) | None => some,
    }
}

/// Share of BM3D's answer in the result: the larger the weaker the noise, of which priors know least. Chosen on four validation pictures.
fn bm3d_share(RestoreConfig { degradation, sigma, .. }: &RestoreConfig, quality: Quality) -> f64 {
    if quality == Quality::Draft || degradation.family() != Some(Family::Noise) {
        return 0.0;
    }
    let share = 0.5 - 0.1 * (sigma.max(1e-4) / 0.1).log2();
    (100.0 * share.clamp(0.0, 0.9)).round() / 100.0
}

/// What the values of a photo say: one blur tells what it did not make, unless opposite ends meet as in papers.
pub(super) fn data_model(degradation: &Degradation, border: Border) -> DataModel {
    match border {
        Border::Extend if degradation.single_blur().is_some() => DataModel::Robust,
        _ => DataModel::Exact,
    }
}

/// A sampler for a degradation, with the parameters that `fdgr sweep` settled on pictures that the prior was not trained on.
fn sampled(degradation: Degradation, sigma: f64, channels: Channels) -> RestoreConfig {
    let Tuned { method, start, .. } = tuned(&degradation, sigma);
    let data = data_model(&degradation, Border::Extend);
    let config = RestoreConfig {
        degradation,
        sigma,
        channels,
        method,
        steps: TRAINING_STEPS,
        start,
        clip: true,
        schedule: Betas::Linear,
        travel: Travel::NONE,
        border: Border::Extend,
        data,
        bm3d: 0.0,
        refine: false,
        fading: None,
        enlarged: None,
        size: None,
        seed: 0,
    };
    with_quality(config, Quality::Normal)
}

/// The same for naturalness.
fn natural_config(degradation: Degradation, sigma: f64, channels: Channels) -> RestoreConfig {
    let config = sampled(degradation, sigma, channels);
    match natural(&config.degradation) {
        Some(Tuned { method, start, .. }) => with_quality(RestoreConfig { method, start, ..config }, Quality::Normal),
        None => config,
    }
}

/// A sampler whose results have as much power at high frequencies as photographs (`benches/peer/dial.py`), chosen on four validation pictures with
/// noise of 0.1 and 0.02; none where that of [`tuned`] is taken.
fn natural(degradation: &Degradation) -> Option<Tuned> {
    let (lambda, zeta, noise_scale, start, evaluations) = match degradation.first_family() {
        Family::Noise => (0.65, 1.0, 1.08, 0.3, [10, 30, 50]),
        Family::Resolution => (4.0, 0.1, 1.0007, 0.75, [30, 75, 75]),
        Family::Blur { .. } => (3.5, 0.1, 1.0012, 0.5, [20, 50, 50]),
        Family::Quantized { .. } | Family::Holes | Family::Colors | Family::Sensing => return None,
    };
    let method = Method::DiffPir(DiffPir { lambda, zeta, noise_scale });
    Some(Tuned { method, start, evaluations })
}

/// A sampler for a task.
struct Tuned {
    method: Method,
    /// Share of the steps that is run.
    start: f64,
    /// Network evaluations for draft, normal and best.
    evaluations: [u32; 3],
}

fn tuned(degradation: &Degradation, sigma: f64) -> Tuned {
    let sigma_y = signed_sigma(sigma);
    let fdgr = |gamma, eta_tilde, regularization| {
        Method::fdgr(Guidance { gamma, eta_tilde, ..Guidance::DEFAULT }, regularization)
    };
    let deblur = |gamma, eta_tilde: f64| {
        let floor = if sigma_y > 0.0 { DEBLUR_ETA / (sigma_y * sigma_y) } else { eta_tilde };
        fdgr(gamma, eta_tilde.max(floor).min(1000.0), Regularization::DEFAULT)
    };
    let ddpg = |zeta| Method::ddpg(Guidance { zeta, inject_noise: true, ..Guidance::DEFAULT });
    let (method, start, evaluations) = match degradation.first_family() {
        Family::Noise | Family::Quantized { .. } => (Method::DiffPir(DiffPir::DEFAULT), 0.3, [10, 30, 50]),
        Family::Resolution => (fdgr(16.0, 0.2, Regularization::g_plus(2.0)), 0.2, [10, 20, 20]),
        Family::Blur { shaken: true } => (deblur(12.0, 0.9), 0.3, [5, 20, 20]),
        Family::Blur { shaken: false } => (deblur(8.0, 0.6), 0.3, [5, 20, 20]),
        Family::Holes => (ddpg(1.0), 0.3, [5, 20, 100]),
        Family::Colors => (ddpg(0.7), 0.4, [5, 20, 20]),
        Family::Sensing => (fdgr(8.0, 0.7, Regularization::DEFAULT), 0.3, [20, 50, 50]),
    };
    Tuned { method, start, evaluations }
}
