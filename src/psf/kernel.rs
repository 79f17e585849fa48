//! Convolution kernels.

use crate::error::{Error, Result, Setting};

/// Largest side of a kernel.
pub(crate) const MAX_SIDE: usize = 1025;

/// Values of a point spread function; its centre is at `(size - 1) / 2`, rounded down.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Values row by row.
    pub values: Vec<f64>,
}

impl Kernel {
    /// Divides `values` by their sum.
    pub(crate) fn normalized(height: usize, width: usize, values: Vec<f64>) -> Result<Self> {
        let total: f64 = values.iter().sum();
        let usable = values.len() == height * width && values.iter().all(|v| v.is_finite()) && total > 1e-12;
        if !usable {
            return Err(Error::mismatch(
                Setting::KERNEL,
                "its values do not add up to anything above 0",
                "pass a kernel that is bright where the light goes",
            ));
        }
        Ok(Self { height, width, values: values.into_iter().map(|v| v / total).collect() })
    }

    /// # Errors
    /// A kernel larger than a picture of `height` x `width`.
    pub fn check_fits(&self, height: usize, width: usize) -> Result<()> {
        if self.height <= height && self.width <= width {
            return Ok(());
        }
        let fact = format!("it is {}x{}, larger than the {width}x{height} picture", self.width, self.height);
        Err(Error::mismatch(Setting::KERNEL, fact, "choose a smaller kernel"))
    }

    pub(crate) fn outer(vertical: &[f64], horizontal: &[f64]) -> Self {
        let values = vertical.iter().flat_map(|v| horizontal.iter().map(move |h| v * h)).collect();
        Self { height: vertical.len(), width: horizontal.len(), values }
    }

    /// The outer product of `taps`, divided by their sum, with themselves.
    fn squared(taps: Vec<f64>) -> Self {
        let total: f64 = taps.iter().sum();
        let taps: Vec<f64> = taps.into_iter().map(|tap| tap / total).collect();
        Self::outer(&taps, &taps)
    }

    /// Keys' kernel stretched by `scale`, on the `4 scale + 1` pixels it covers.
    ///
    /// # Panics
    /// If `scale` is 0.
    pub fn bicubic(scale: usize) -> Self {
        assert!(scale > 0, "a scale of at least 1");
        Self::squared((0..=4 * scale).map(|i| keys((i as f64 - 2.0 * scale as f64) / scale as f64)).collect())
    }

    /// The same centred on blocks of `scale` pixels instead of on their first one: for convolutions of which every `scale`-th pixel is
    /// kept.
    ///
    /// # Panics
    /// If `scale` is 0.
    pub fn bicubic_of_blocks(scale: usize) -> Self {
        assert!(scale > 0, "a scale of at least 1");
        let scale = scale as f64;
        let center = (scale - 1.0) / 2.0;
        let reach = (2.0 * scale + center).floor() as i64;
        // A convolution takes its taps in reverse.
        Self::squared((-reach..=reach).map(|i| keys((-i as f64 - center) / scale)).collect())
    }
}

/// Keys' cubic convolution kernel with a = -1/2 (R. Keys, 1981).
pub(crate) fn keys(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// # Errors
/// Sides that no kernel may have.
pub(crate) fn check_side(name: &'static str, side: usize) -> Result<()> {
    if (1..=MAX_SIDE).contains(&side) {
        return Ok(());
    }
    Err(Error::parameter(name, side, format!("a kernel must have between 1 and {MAX_SIDE} pixels a side")))
}
