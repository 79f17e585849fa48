//! How close pictures are to their originals, one by one ([`Metric`]) and as sets ([`frechet`]).
//!
//! A new metric is one file, with or without weights, and its row in `TABLE`.

mod about;
mod features;
pub mod frechet;
mod gmsd;
mod haarpsi;
mod inception;
mod layers;
mod lpips;
mod metric;
mod network;
mod planes;
mod psnr;
mod ssim;

use burn::tensor::Device;
use image::Rgb32FImage;

use crate::control::{self, Control};
use crate::error::{Hint, Result};
use crate::model::Checkpoint;
use metric::{Entry, Function, Source, check_sizes};

pub use about::About;
pub use features::Backbone;
pub use frechet::{FID, KID};
pub use gmsd::{GMSD, gmsd};
pub use haarpsi::{HAARPSI, haarpsi};
pub use inception::Inception;
pub use layers::Tensors;
pub use lpips::{LPIPS_ALEX, LPIPS_SQUEEZE, LPIPS_VGG, Lpips};
pub use metric::Metric;
pub use network::Network;
pub use psnr::{PSNR, psnr};
pub use ssim::{MS_SSIM, SSIM, ms_ssim, ssim};

/// Every metric of single pictures, in the order of tables.
const TABLE: &[Entry] = &[
    psnr::METRIC,
    ssim::METRIC,
    ssim::MULTISCALE,
    gmsd::METRIC,
    haarpsi::METRIC,
    lpips::ALEX,
    lpips::VGG,
    lpips::SQUEEZE,
    Entry { about: about::about(CONSISTENCY, "rms(A x - y)", false, 4), source: Source::Measurement },
];

/// Networks of metrics of sets.
const OF_SETS: [Network; 1] = [Network::INCEPTION];

/// Every metric of single pictures, in the order of tables. [`CONSISTENCY`] is computed where a measurement is available.
pub const ALL: [About; TABLE.len()] = {
    let mut all = [TABLE[0].about; TABLE.len()];
    let mut i = 1;
    while i < all.len() {
        all[i] = TABLE[i].about;
        i += 1;
    }
    all
};

/// Data consistency: root mean square of `A x - y` for the restored `x`, of pixels in `[0, 1]`. For the true picture it equals
/// the noise.
pub const CONSISTENCY: &str = "consistency";

/// The metric of that name, of pictures or of sets.
pub fn named(name: &str) -> Option<About> {
    ALL.into_iter().chain([FID, KID]).find(|about| about.name == name)
}

impl Network {
    /// The networks of all metrics.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_pictures = TABLE.iter().filter_map(|entry| match entry.source {
            Source::Weights(network, _) => Some(network),
            _ => None,
        });
        of_pictures.chain(OF_SETS)
    }

    /// The network of a checkpoint, if it is one of a metric.
    pub fn recognise(checkpoint: &Checkpoint) -> Option<Self> {
        Self::all().find(|network| (network.recognise)(checkpoint))
    }

    /// The network that takes the weights of a model.
    pub fn of_model(model: &str) -> Option<Self> {
        Self::all().find(|network| network.model() == model)
    }
}

/// A metric whose weights are not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Its name.
    pub metric: &'static str,
    /// The model that it needs.
    pub model: &'static str,
}

impl Unavailable {
    /// What would help.
    pub fn hint(&self) -> Hint {
        Hint::Install(self.model.into())
    }
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not available: its weights, the model {}, are not installed", self.metric, self.model)
    }
}

/// The metrics whose weights are available.
pub struct Metrics {
    /// Those of single pictures.
    pub pictures: Vec<Box<dyn Metric>>,
    /// Where those of sets take their features from.
    pub inception: Option<Inception>,
    /// The others.
    pub unavailable: Vec<Unavailable>,
}

impl Metrics {
    /// Those that need no weights.
    pub fn plain() -> Self {
        let plain = TABLE.iter().filter_map(|entry| match entry.source {
            Source::Function(function) => Some(Box::new(Function(entry.about.name, function)) as Box<dyn Metric>),
            _ => None,
        });
        Self { pictures: plain.collect(), inception: None, unavailable: Vec::new() }
    }

    /// All whose weights are installed, on `device`.
    ///
    /// # Errors
    /// Installed weights that cannot be used, and being cancelled.
    pub fn load(device: &Device, control: &dyn Control) -> Result<Self> {
        let mut metrics = Self::plain();
        let asked = || control::check(control, || "while the metrics were loaded".into());
        for Entry { about, source } in TABLE {
            let Source::Weights(network, load) = source else { continue };
            asked()?;
            match network.installed()? {
                Some(weights) => metrics.pictures.push(load(&weights, device)?),
                None => metrics.unavailable.push(Unavailable { metric: about.name, model: network.model() }),
            }
        }
        asked()?;
        match Network::INCEPTION.installed()? {
            Some(weights) => metrics.inception = Some(Inception::load(&weights, device)?),
            None => metrics
                .unavailable
                .extend([FID, KID].map(|about| Unavailable { metric: about.name, model: Network::INCEPTION.model() })),
        }
        Ok(metrics)
    }

    /// Names and values for a picture; metrics that it is too small for are left out.
    ///
    /// # Errors
    /// Pictures of different sizes or without pixels, and as [`Metric::compare`].
    pub fn compare(&self, picture: &Rgb32FImage, original: &Rgb32FImage) -> Result<Vec<(&'static str, f64)>> {
        check_sizes(picture, original)?;
        let value = |metric: &dyn Metric| Ok(metric.compare(picture, original)?.map(|value| (metric.name(), value)));
        self.pictures.iter().filter_map(|metric| value(metric.as_ref()).transpose()).collect()
    }
}
