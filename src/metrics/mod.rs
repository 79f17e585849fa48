//! How close pictures are to their originals, one by one ([`Metric`]) and as sets ([`frechet`]).
//!
//! A new metric is one file, one entry of [`ALL`], and one line of [`Metrics::load`].

pub mod features;
pub mod frechet;
mod gmsd;
mod haarpsi;
mod inception;
mod lpips;
mod planes;
mod psnr;
mod ssim;

use burn::tensor::Device;
use image::Rgb32FImage;
use serde::Serialize;

use crate::error::Result;
use crate::model::{Checkpoint, ModelFolder};

pub use features::Network;
pub use gmsd::gmsd;
pub use haarpsi::haarpsi;
pub use inception::Inception;
pub use lpips::Lpips;
pub use psnr::psnr;
pub use ssim::{ms_ssim, ssim};

/// What a metric is called, and how its values read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct About {
    /// Its name in tables and files.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What its values are counted in, if in anything.
    pub unit: &'static str,
    /// Whether larger values are better.
    pub higher_is_better: bool,
    /// Digits behind the point that are worth showing.
    pub decimals: usize,
}

impl About {
    /// A value as people read it.
    pub fn shown(&self, value: f64) -> String {
        let space = if self.unit.is_empty() { "" } else { " " };
        format!("{value:.*}{space}{}", self.decimals, self.unit)
    }
}

const fn about(name: &'static str, title: &'static str, higher_is_better: bool, decimals: usize) -> About {
    About { name, title, unit: "", higher_is_better, decimals }
}

/// Every metric of single pictures, in the order of tables. `consistency` is computed where a measurement is at hand.
pub const ALL: [About; 9] = [
    About { unit: "dB", ..about("psnr", "PSNR", true, 2) },
    about("ssim", "SSIM", true, 4),
    about("ms_ssim", "MS-SSIM", true, 4),
    about("gmsd", "GMSD", false, 4),
    about("haarpsi", "HaarPSI", true, 4),
    about("lpips_alex", "LPIPS (AlexNet)", false, 4),
    about("lpips_vgg", "LPIPS (VGG16)", false, 4),
    about("lpips_squeeze", "LPIPS (SqueezeNet)", false, 4),
    about(CONSISTENCY, "rms(A x - y)", false, 4),
];

/// Name of the root mean square, of pixels in `[0, 1]`, of what the restored picture would have given less the measurement; with
/// the true picture it would be the noise.
pub const CONSISTENCY: &str = "consistency";
/// The Fréchet distance of sets of pictures.
pub const FID: About = about("fid", "FID", false, 2);
/// The kernel distance of sets of pictures.
pub const KID: About = about("kid", "KID", false, 5);

/// The metric of that name, of pictures or of sets.
pub fn named(name: &str) -> Option<About> {
    ALL.into_iter().chain([FID, KID]).find(|about| about.name == name)
}

/// A measure of a picture against its original, both RGB in `[0, 1]` and of one size.
pub trait Metric {
    /// Its name in [`ALL`].
    fn name(&self) -> &'static str;
    /// The value; none for pictures that are too small for it.
    ///
    /// # Errors
    /// A device that does not give its results back.
    fn compare(&self, picture: &Rgb32FImage, original: &Rgb32FImage) -> Result<Option<f64>>;
}

/// A metric that is a function of two pictures.
struct Function(&'static str, fn(&Rgb32FImage, &Rgb32FImage) -> Option<f64>);

impl Metric for Function {
    fn name(&self) -> &'static str {
        self.0
    }

    fn compare(&self, picture: &Rgb32FImage, original: &Rgb32FImage) -> Result<Option<f64>> {
        Ok((self.1)(picture, original))
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

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { metric, model } = self;
        write!(f, "{metric} is not available: `fdgr models pull {model}` gets its weights")
    }
}

/// The metrics whose weights are at hand.
pub struct Metrics {
    /// Those of single pictures.
    pub pictures: Vec<Box<dyn Metric>>,
    /// What those of sets take their features from.
    pub inception: Option<Inception>,
    /// The others.
    pub unavailable: Vec<Unavailable>,
}

impl Metrics {
    /// Those that need no weights.
    pub fn plain() -> Self {
        let pictures: [Function; 5] = [
            Function("psnr", |a, b| Some(psnr(a, b))),
            Function("ssim", ssim),
            Function("ms_ssim", ms_ssim),
            Function("gmsd", |a, b| Some(gmsd(a, b))),
            Function("haarpsi", |a, b| Some(haarpsi(a, b))),
        ];
        let pictures = pictures.into_iter().map(|metric| Box::new(metric) as Box<dyn Metric>).collect();
        Self { pictures, inception: None, unavailable: Vec::new() }
    }

    /// All whose weights are installed, on `device`.
    ///
    /// # Errors
    /// Installed weights that cannot be used.
    pub fn load(device: &Device) -> Result<Self> {
        let mut metrics = Self::plain();
        for (name, network) in
            [("lpips_alex", Network::AlexNet), ("lpips_vgg", Network::Vgg16), ("lpips_squeeze", Network::SqueezeNet)]
        {
            match installed(network)? {
                Some(weights) => metrics.pictures.push(Box::new(Lpips::load(name, network, &weights, device)?)),
                None => metrics.unavailable.push(Unavailable { metric: name, model: network.model() }),
            }
        }
        match installed(Network::Inception)? {
            Some(weights) => metrics.inception = Some(Inception::load(&weights, device)?),
            None => metrics
                .unavailable
                .extend([FID, KID].map(|about| Unavailable { metric: about.name, model: Network::Inception.model() })),
        }
        Ok(metrics)
    }

    /// Names and values for a picture; metrics that it is too small for are left out.
    ///
    /// # Errors
    /// As [`Metric::compare`].
    pub fn compare(&self, picture: &Rgb32FImage, original: &Rgb32FImage) -> Result<Vec<(&'static str, f64)>> {
        let value = |metric: &dyn Metric| Ok(metric.compare(picture, original)?.map(|value| (metric.name(), value)));
        self.pictures.iter().filter_map(|metric| value(metric.as_ref()).transpose()).collect()
    }
}

fn installed(network: Network) -> Result<Option<Checkpoint>> {
    let installed = ModelFolder::open()?.find(network.model())?;
    installed.map(|model| Checkpoint::open(&model.path())).transpose()
}
