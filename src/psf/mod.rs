//! Point spread functions, the kernels of blurs.

mod kernel;
mod motion;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Hint, Result, Setting};

pub use kernel::Kernel;
use kernel::check_side;
pub(crate) use kernel::keys;

/// Largest standard deviation of a Gaussian: its kernel has 1021 taps a side.
const MAX_SIGMA: f64 = 170.0;
/// Largest radius of a disc, whose kernel has that many taps each way.
const MAX_RADIUS: f64 = 512.0;

/// Which point spread function, with its parameters in pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant names its fields")]
pub enum Psf {
    /// A Gaussian of `taps` x `taps`, of standard deviation `sigma`.
    Gaussian { sigma: f64, taps: usize },
    /// A disc of `radius`, as of a lens with a round aperture that is out of focus.
    Disc { radius: f64 },
    /// A box of `taps` x `taps`.
    Uniform { taps: usize },
    /// A Gaussian of standard deviation `vertical` and `horizontal`.
    Anisotropic { vertical: f64, horizontal: f64, taps: usize },
    /// A line of `length` at `angle` degrees, counterclockwise from the horizontal.
    Motion { length: f64, angle: f64 },
    /// A random trajectory in `size` x `size`; `intensity` from 0 (straight) to 1 (shaken).
    Random { size: usize, intensity: f64, seed: u64 },
    /// Given values, row by row; they are divided by their sum.
    Measured { height: usize, width: usize, values: Vec<f32> },
}

impl Psf {
    /// `deblur_gauss` of DDRM, DDNM, DDPG and FDGR: five taps of a Gaussian of sigma 10.
    pub const REFERENCE_GAUSSIAN: Self = Self::Gaussian { sigma: 10.0, taps: 5 };
    /// `deblur_uni` of the same.
    pub const REFERENCE_UNIFORM: Self = Self::Uniform { taps: 9 };
    /// `deblur_aniso` of the same.
    pub const REFERENCE_ANISOTROPIC: Self = Self::Anisotropic { vertical: 1.0, horizontal: 20.0, taps: 9 };

    /// A Gaussian cut at three standard deviations.
    pub fn gaussian(sigma: f64) -> Self {
        Self::Gaussian { sigma, taps: 2 * (3.0 * sigma).ceil().clamp(1.0, 3.0 * MAX_SIGMA) as usize + 1 }
    }

    /// A Gaussian cut at three standard deviations, disc or line with its pixels and degrees to two decimals, as people read and recipes keep them; others as they are.
    pub(crate) fn rounded(self) -> Self {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        match self {
            Self::Gaussian { sigma, .. } => Self::gaussian(rounded(sigma)),
            Self::Disc { radius } => Self::Disc { radius: rounded(radius) },
            Self::Motion { length, angle } => {
                Self::Motion { length: rounded(length), angle: rounded(angle).rem_euclid(180.0) }
            }
            other => other,
        }
    }

    /// Whether it is the path of a hand or a camera, or may be: measured ones are mostly taken of these.
    pub(crate) fn is_path(&self) -> bool {
        match self {
            Self::Motion { .. } | Self::Random { .. } | Self::Measured { .. } => true,
            Self::Gaussian { .. } | Self::Disc { .. } | Self::Uniform { .. } | Self::Anisotropic { .. } => false,
        }
    }

    /// The values.
    ///
    /// # Errors
    /// Parameters outside their range, and measured kernels without a positive sum.
    pub fn kernel(&self) -> Result<Kernel> {
        match self {
            Self::Gaussian { .. } | Self::Uniform { .. } | Self::Anisotropic { .. } => {
                let (vertical, horizontal) = self.vectors()?;
                Ok(Kernel::outer(&vertical, &horizontal))
            }
            Self::Disc { radius } => disc(*radius),
            Self::Motion { length, angle } => motion::line(*length, *angle),
            Self::Random { size, intensity, seed } => motion::shake(*size, *intensity, *seed),
            Self::Measured { height, width, values } => {
                check_side("kernel", *height)?;
                check_side("kernel", *width)?;
                Kernel::normalized(*height, *width, values.iter().map(|&v| f64::from(v)).collect())
            }
        }
    }

    /// A vertical and a horizontal kernel whose outer product is this one.
    ///
    /// The anisotropic pair lacks the last tap of each, as the loop that builds the matrices of the reference does.
    ///
    /// # Errors
    /// Kernels that are not such a product.
    pub fn factors(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mut vertical, mut horizontal) = self.vectors()?;
        if matches!(self, Self::Anisotropic { .. }) {
            vertical.pop();
            horizontal.pop();
        }
        Ok((vertical, horizontal))
    }

    fn vectors(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        match *self {
            Self::Gaussian { sigma, taps } => {
                let taps = gaussian(sigma, taps)?;
                Ok((taps.clone(), taps))
            }
            Self::Uniform { taps } => {
                check_side("uniform", taps)?;
                let taps = vec![1.0 / taps as f64; taps];
                Ok((taps.clone(), taps))
            }
            Self::Anisotropic { vertical, horizontal, taps } => {
                Ok((gaussian(vertical, taps)?, gaussian(horizontal, taps)?))
            }
            Self::Disc { .. } | Self::Motion { .. } | Self::Random { .. } | Self::Measured { .. } => {
                Err(Error::mismatch(
                    Setting::KERNEL,
                    "it is not separable, so it has no form by singular values",
                    Hint::set(Setting::FORM, "fft"),
                ))
            }
        }
    }
}

/// As people write it; a measured one by its size.
impl fmt::Display for Psf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gaussian { sigma, .. } if *self == Self::gaussian(*sigma) => write!(f, "gauss:{sigma}"),
            Self::Gaussian { sigma, taps } => write!(f, "gauss:{sigma},{taps}"),
            Self::Disc { radius } => write!(f, "disc:{radius}"),
            Self::Uniform { taps } => write!(f, "uniform:{taps}"),
            Self::Anisotropic { vertical, horizontal, taps } => write!(f, "aniso:{vertical},{horizontal},{taps}"),
            Self::Motion { length, angle } => write!(f, "motion:{length},{angle}"),
            Self::Random { size, intensity, seed } => write!(f, "random:{size},{intensity},{seed}"),
            Self::Measured { height, width, .. } => write!(f, "a measured kernel of {width}x{height}"),
        }
    }
}

/// The share of each pixel that a disc covers, exact along rows, of which each has 16.
fn disc(radius: f64) -> Result<Kernel> {
    const ROWS: usize = 16;
    if !(radius > 0.0 && radius <= MAX_RADIUS) {
        let fact = format!("it must be above 0 and at most {MAX_RADIUS} pixels");
        return Err(Error::parameter("radius of the disc", radius, fact));
    }
    let reach = (radius - 0.5).ceil().max(0.0) as usize;
    let side = 2 * reach + 1;
    let place = |i: usize| i as f64 - reach as f64;
    let covered = |y: usize, x: usize| {
        let rows = (0..ROWS).map(|row| place(y) + (row as f64 + 0.5) / ROWS as f64 - 0.5);
        let half_chords = rows.map(|row| (radius * radius - row * row).max(0.0).sqrt());
        half_chords.map(|half| ((place(x) + 0.5).min(half) - (place(x) - 0.5).max(-half)).max(0.0)).sum()
    };
    Kernel::normalized(side, side, (0..side * side).map(|i| covered(i / side, i % side)).collect())
}

fn gaussian(sigma: f64, taps: usize) -> Result<Vec<f64>> {
    check_side("gauss", taps)?;
    if !(sigma > 0.0 && sigma <= MAX_SIGMA) {
        let fact = format!("it must be above 0 and at most {MAX_SIGMA} pixels");
        return Err(Error::parameter("sigma of the Gaussian", sigma, fact));
    }
    let center = (taps / 2) as f64;
    let values: Vec<f64> = (0..taps).map(|i| (-0.5 * ((i as f64 - center) / sigma).powi(2)).exp()).collect();
    let total: f64 = values.iter().sum();
    Ok(values.into_iter().map(|v| v / total).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_positive_and_sum_to_one() {
        let random = |seed| Psf::Random { size: 31, intensity: 0.5, seed };
        let shapes = [
            Psf::gaussian(1.6),
            Psf::Uniform { taps: 9 },
            Psf::Disc { radius: 0.3 },
            Psf::Disc { radius: 4.2 },
            Psf::Motion { length: 15.0, angle: 30.0 },
            random(1),
            random(2),
            Psf::Measured { height: 1, width: 3, values: vec![1.0, 2.0, 5.0] },
        ];
        for shape in shapes {
            let kernel = shape.kernel().unwrap();
            assert!((kernel.values.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shape:?}");
            assert!(kernel.values.iter().all(|&v| v >= 0.0), "{shape:?}");
        }
        assert_ne!(random(1).kernel().unwrap(), random(2).kernel().unwrap());
        assert_eq!(random(1).kernel().unwrap(), random(1).kernel().unwrap());
    }

    /// The variance of a disc of radius `r` along an axis is `r² / 4`; counting it in pixels adds `1 / 12`.
    #[test]
    fn discs_have_their_radius() {
        for radius in [3.0, 5.3, 7.7] {
            let kernel = Psf::Disc { radius }.kernel().unwrap();
            let middle = (kernel.width / 2) as f64;
            let moment = |(i, value): (usize, &f64)| value * ((i % kernel.width) as f64 - middle).powi(2);
            let variance: f64 = kernel.values.iter().enumerate().map(moment).sum();
            let expected = radius * radius / 4.0 + 1.0 / 12.0;
            assert!((variance - expected).abs() < 0.02 * expected, "{radius}: {variance} for {expected}");
        }
        assert!(Psf::Disc { radius: 0.0 }.kernel().is_err() && Psf::Disc { radius: f64::NAN }.kernel().is_err());
    }

    #[test]
    fn a_horizontal_motion_stays_on_its_row() {
        let kernel = Psf::Motion { length: 7.0, angle: 0.0 }.kernel().unwrap();
        let middle = (kernel.height - 1) / 2;
        let on_row: f64 = kernel.values[middle * kernel.width..][..kernel.width].iter().sum();
        assert!((on_row - 1.0).abs() < 1e-9);
    }
}
