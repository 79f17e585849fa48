//! What a metric is, and how it enters the table.

use burn::tensor::Device;
use image::Rgb32FImage;

use super::about::About;
use super::network::Network;
use crate::error::{Error, Result};
use crate::model::Checkpoint;

/// A measure of a picture against its original, both RGB in `[0, 1]` and of one size.
pub trait Metric: Send + Sync {
    /// Its name in [`ALL`](super::ALL).
    fn name(&self) -> &'static str;
    /// The value; none for pictures that are too small for it.
    ///
    /// # Errors
    /// A device that does not give its results back.
    fn compare(&self, picture: &Rgb32FImage, original: &Rgb32FImage) -> Result<Option<f64>>;
}

/// A row of the table of metrics.
pub(super) struct Entry {
    pub about: About,
    pub source: Source,
}

/// Where the values of a metric come from.
pub(super) enum Source {
    /// A function of two pictures of one size; none for pictures that are too small.
    Function(fn(&Rgb32FImage, &Rgb32FImage) -> Option<f64>),
    /// A network, if its weights are installed.
    Weights(Network, fn(&Checkpoint, &Device) -> Result<Box<dyn Metric>>),
    /// Whoever has the measurement.
    Measurement,
}

/// A metric that is a function of two pictures.
pub(super) struct Function(pub &'static str, pub fn(&Rgb32FImage, &Rgb32FImage) -> Option<f64>);

impl Metric for Function {
    fn name(&self) -> &'static str {
        self.0
    }

    fn compare(&self, picture: &Rgb32FImage, original: &Rgb32FImage) -> Result<Option<f64>> {
        Ok((self.1)(picture, original))
    }
}

/// # Errors
/// Pictures of different sizes or without pixels.
pub(super) fn check_sizes(a: &Rgb32FImage, b: &Rgb32FImage) -> Result<()> {
    let ([w, h], [other_w, other_h]) = (<[u32; 2]>::from(a.dimensions()), <[u32; 2]>::from(b.dimensions()));
    if [w, h] == [other_w, other_h] && w > 0 && h > 0 {
        return Ok(());
    }
    let fact = format!("one has {w}x{h} pixels, the other {other_w}x{other_h}");
    Err(Error::mismatch("the pictures", fact, "compare pictures of one size"))
}
