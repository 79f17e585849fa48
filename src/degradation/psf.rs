//! Point spread functions.

use std::f64::consts::{PI, TAU};

use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution, Triangular};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Hint, Result, Setting};
use crate::noise::{Stream, generator};

/// Largest side of a kernel.
const MAX_SIDE: usize = 1025;
/// Largest standard deviation of a Gaussian, whose kernel has that side.
const MAX_SIGMA: f64 = 170.0;

/// Which point spread function, with its parameters in pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant names its fields")]
pub enum Psf {
    /// A Gaussian of `taps` x `taps`, of standard deviation `sigma`.
    Gaussian { sigma: f64, taps: usize },
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
            Self::Motion { length, angle } => motion(*length, *angle),
            Self::Random { size, intensity, seed } => random_motion(*size, *intensity, *seed),
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
            Self::Motion { .. } | Self::Random { .. } | Self::Measured { .. } => Err(Error::mismatch(
                Setting::KERNEL,
                "it is not separable, so it has no form by singular values",
                Hint::set(Setting::FORM, "fft"),
            )),
        }
    }
}

impl Kernel {
    /// Divides `values` by their sum.
    fn normalized(height: usize, width: usize, values: Vec<f64>) -> Result<Self> {
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

    fn outer(vertical: &[f64], horizontal: &[f64]) -> Self {
        let values = vertical.iter().flat_map(|v| horizontal.iter().map(move |h| v * h)).collect();
        Self { height: vertical.len(), width: horizontal.len(), values }
    }

    /// Keys' kernel stretched by `scale`, on the `4 scale + 1` pixels it covers.
    pub fn bicubic(scale: usize) -> Self {
        let taps: Vec<f64> = (0..=4 * scale).map(|i| keys((i as f64 - 2.0 * scale as f64) / scale as f64)).collect();
        let total: f64 = taps.iter().sum();
        let taps: Vec<f64> = taps.into_iter().map(|t| t / total).collect();
        Self::outer(&taps, &taps)
    }
}

/// Keys' cubic convolution kernel with a = -1/2 (R. Keys, 1981).
pub(super) fn keys(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
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

fn check_side(name: &'static str, side: usize) -> Result<()> {
    if (1..=MAX_SIDE).contains(&side) {
        return Ok(());
    }
    Err(Error::parameter(name, side, format!("a kernel must have between 1 and {MAX_SIDE} pixels a side")))
}

fn motion(length: f64, angle: f64) -> Result<Kernel> {
    if !(1.0..MAX_SIDE as f64).contains(&length) || !angle.is_finite() {
        return Err(Error::parameter(
            "motion",
            format!("{length},{angle}"),
            format!("LENGTH,ANGLE must be a length between 1 and {MAX_SIDE} pixels and an angle in degrees"),
        ));
    }
    let radians = angle.to_radians();
    let (dx, dy) = (radians.cos() * (length - 1.0) / 2.0, -radians.sin() * (length - 1.0) / 2.0);
    let side = 2 * (length / 2.0).ceil() as usize + 1;
    let mut canvas = Canvas::new(side);
    canvas.line([-dx, -dy], [dx, dy]);
    Kernel::normalized(side, side, canvas.values)
}

/// A random camera shake with the distributions of L. Borodenko's `motionblur`: steps Beta(1, 30), angles triangular up
/// to a maximum that grows with the intensity, their sign flipping with a probability drawn from Beta(2, 20).
fn random_motion(size: usize, intensity: f64, seed: u64) -> Result<Kernel> {
    check_side("motion kernel", size)?;
    if !(0.0..=1.0).contains(&intensity) {
        return Err(Error::parameter("intensity", intensity, "it must be between 0 and 1"));
    }
    let mut random = generator(seed, Stream::MotionKernel);
    let path = trajectory(size as f64, intensity, &mut random);
    let mut canvas = Canvas::new(size);
    for pair in path.windows(2) {
        canvas.line(pair[0], pair[1]);
    }
    canvas.blur(0.01 * size as f64 * std::f64::consts::SQRT_2);
    Kernel::normalized(size, size, canvas.values)
}

/// Points of the path in pixels, their mean at the origin.
fn trajectory(size: f64, intensity: f64, random: &mut impl Rng) -> Vec<[f64; 2]> {
    const TINY: f64 = 0.1;
    let diagonal = size * std::f64::consts::SQRT_2;
    let squared = intensity * intensity;
    let reach = 0.75 * diagonal * (random.random::<f64>() + squared * random.random::<f64>());
    let beta = |a, b| Beta::new(a, b).expect("constant parameters");
    let (step, jitter) = (beta(1.0, 30.0), beta(2.0, 20.0).sample(random));
    let max_angle = PI * intensity * random.random::<f64>();
    let turn = Triangular::new(0.0, max_angle + TINY, intensity * max_angle).expect("0 <= mode <= max");

    let mut angle = max_angle * (2.0 * random.random::<f64>() - 1.0);
    let (mut point, mut path, mut travelled) = ([0.0, 0.0], vec![[0.0, 0.0]], 0.0);
    while travelled < reach {
        let length = step.sample(random) * (1.0 - intensity + TINY) * diagonal;
        travelled += length.max(1e-3 * diagonal);
        point = [point[0] + length * angle.cos(), point[1] + length * angle.sin()];
        path.push(point);
        let flips = random.random::<f64>() < jitter;
        let sign = if flips { -angle.signum() } else { angle.signum() };
        angle = sign * turn.sample(random);
    }
    let mean = |axis: usize| path.iter().map(|p| p[axis]).sum::<f64>() / path.len() as f64;
    let (center, (sin, cos)) = ([mean(0), mean(1)], (TAU / 2.0 * random.random::<f64>()).sin_cos());
    path.iter()
        .map(|p| [p[0] - center[0], p[1] - center[1]])
        .map(|[x, y]| [x * cos - y * sin, x * sin + y * cos])
        .collect()
}

/// A square of light, the origin at its centre.
struct Canvas {
    side: usize,
    values: Vec<f64>,
}

impl Canvas {
    fn new(side: usize) -> Self {
        Self { side, values: vec![0.0; side * side] }
    }

    /// Adds an even line of light, shared bilinearly between pixels; what falls outside is lost.
    fn line(&mut self, from: [f64; 2], to: [f64; 2]) {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = dx.hypot(dy);
        let samples = (8.0 * length).ceil().max(1.0);
        let weight = (length / samples).max(1e-6);
        for i in 0..samples as usize {
            let along = (i as f64 + 0.5) / samples;
            self.spot(from[0] + along * dx, from[1] + along * dy, weight);
        }
    }

    fn spot(&mut self, x: f64, y: f64, weight: f64) {
        let center = ((self.side - 1) / 2) as f64;
        let (x, y) = (x + center, y + center);
        let (left, top) = (x.floor(), y.floor());
        for (row, wy) in [(top, 1.0 - (y - top)), (top + 1.0, y - top)] {
            for (column, wx) in [(left, 1.0 - (x - left)), (left + 1.0, x - left)] {
                let inside = 0.0..self.side as f64;
                if inside.contains(&row) && inside.contains(&column) {
                    self.values[row as usize * self.side + column as usize] += weight * wx * wy;
                }
            }
        }
    }

    /// Separable Gaussian blur of standard deviation `sigma`, zero outside.
    fn blur(&mut self, sigma: f64) {
        let reach = (3.0 * sigma).ceil() as usize;
        let taps: Vec<f64> =
            (0..=2 * reach).map(|i| (-0.5 * ((i as f64 - reach as f64) / sigma.max(1e-9)).powi(2)).exp()).collect();
        let side = self.side;
        for stride in [1, side] {
            let source = self.values.clone();
            for (i, value) in self.values.iter_mut().enumerate() {
                let at = i / stride % side;
                *value = taps
                    .iter()
                    .enumerate()
                    .filter(|(k, _)| (reach..side + reach).contains(&(at + k)))
                    .map(|(k, tap)| tap * source[i - at * stride + (at + k - reach) * stride])
                    .sum();
            }
        }
    }
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

    #[test]
    fn a_horizontal_motion_stays_on_its_row() {
        let kernel = Psf::Motion { length: 7.0, angle: 0.0 }.kernel().unwrap();
        let middle = (kernel.height - 1) / 2;
        let on_row: f64 = kernel.values[middle * kernel.width..][..kernel.width].iter().sum();
        assert!((on_row - 1.0).abs() < 1e-9);
    }
}
