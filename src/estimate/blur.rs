//! The blur of a photo, from its power spectrum.
//!
//! Spectra of photographs fall like `|f|^-alpha`, with `alpha` close to 2.4. A Gaussian of standard deviation `s` multiplies them by
//! `exp(-4 pi² s² |f|²)`: `s` is fitted to the mean over the directions, up to the frequency where noise takes over. What other values of
//! `alpha` would say is how far the result is to be trusted.
//!
//! A motion of length `l` multiplies by `sinc²((l - 1) f u)` along its direction `u`, which leaves dark lines. A spectrum whose mean over
//! the directions was taken away is compared with that of every length and angle. Scenes with edges in one direction look similar,
//! but have no lines: only what a smooth fall in that direction does not explain counts.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::spectrum::{Rings, Spectrum};
use super::{Confidence, NoiseEstimate, edges, shape};
use crate::picture::Picture;
use crate::psf::Psf;

/// A blur that was found in a photo.
#[derive(Clone, Debug, PartialEq)]
pub struct BlurEstimate {
    /// Its kernel.
    pub psf: Psf,
    /// How far it is to be trusted.
    pub confidence: Confidence,
}

impl BlurEstimate {
    /// One clause.
    pub fn describe(&self) -> String {
        let blur = match &self.psf {
            Psf::Gaussian { sigma, .. } => format!("blurred as by a Gaussian of {sigma:.1} pixels"),
            Psf::Disc { radius } => format!("out of focus, each point a disc of {radius:.1} pixels around it"),
            Psf::Motion { length, angle } => {
                format!("shaken along a line of about {length:.0} pixels at {angle:.0} degrees")
            }
            _ => "shaken".to_owned(),
        };
        match self.confidence {
            Confidence::High => format!("{blur}, high confidence"),
            Confidence::Low | Confidence::None => format!("perhaps {blur}, low confidence"),
        }
    }
}

/// The kernel of a blurred photo with that noise, from its strong edges and from its spectrum; takes seconds. A spectrum
/// tells lines and Gaussians only, but measures them better.
pub fn kernel(photo: &Picture, noise: &NoiseEstimate) -> Option<BlurEstimate> {
    let from_spectrum = blur(photo, noise);
    let is_sure = from_spectrum.as_ref().is_some_and(|found| found.confidence == Confidence::High);
    let Some((kernel, agreement)) = edges::kernel(photo, noise) else { return from_spectrum };
    let psf = shape::of(&kernel);
    // Texture such as fur passes for a round kernel, but its spectrum does not fall as if blurred.
    let is_sharp = match psf {
        Psf::Gaussian { sigma, .. } => sigma < SURELY_OF_EDGES || from_spectrum.is_none(),
        Psf::Disc { radius } => radius < 2.0 * SURELY_OF_EDGES || from_spectrum.is_none(),
        _ => false,
    };
    let agrees = agreement >= AGREED;
    let is_the_same = |found: &BlurEstimate| {
        let has_shape = std::mem::discriminant(&found.psf) == std::mem::discriminant(&psf);
        has_shape || matches!(found.psf, Psf::Motion { .. }) && shape::likeness(&kernel, &found.psf) >= STRAIGHT
    };
    if is_sharp || is_sure && (!agrees || from_spectrum.as_ref().is_some_and(is_the_same)) {
        return from_spectrum;
    }
    let confidence = if agrees { Confidence::High } else { Confidence::Low };
    Some(BlurEstimate { psf, confidence })
}

/// The blur of a photo with that noise, if there is any to be seen.
pub fn blur(photo: &Picture, noise: &NoiseEstimate) -> Option<BlurEstimate> {
    let spectrum = Spectrum::of(photo, noise)?;
    let motion = Directions::of(&spectrum).and_then(|directions| directions.motion());
    match motion {
        Some(found) if found.confidence == Confidence::High => Some(found),
        // A motion is wide in one direction: it would pass for a Gaussian.
        uncertain => gaussian(&spectrum).or(uncertain),
    }
}

/// How fast spectra of photographs fall: few slower or faster than the outer ones, most like the middle one.
const FALL: [f64; 3] = [2.0, 2.4, 2.8];
/// Rings below this hold the composition of the scene.
const FIRST_RING: usize = 4;
/// Fewer rings cannot tell a blur from a fall.
const FEWEST_RINGS: usize = 12;
/// Signal over noise that a ring needs.
const CLEAR: f64 = 2.5;
/// Photographs that nothing happened to were found to reach this, in pixels.
const SHARP: f64 = 0.8;
/// Gaussians narrower than this, in pixels, are not surely a blur.
const SURELY: f64 = 0.9;
/// The same of Gaussians that edges tell: sharp photos reach 1.
const SURELY_OF_EDGES: f64 = 1.15;
/// Correlation with a line that the spectrum is sure of, from which on a kernel of edges is no other one: those of bent paths reach 0.73.
const STRAIGHT: f64 = 0.75;
/// Correlation of the kernels of two windows from which on they are one.
const AGREED: f64 = 0.85;
/// Soft photos fall faster than others, but not by more than this, as a logarithm.
const DIMMED: f64 = 1.3;
/// Root mean square of what a Gaussian leaves of the logarithm: at most 0.43 for Gaussians, while discs, boxes and shakes, whose spectra
/// have zeros, leave more.
const LIKE: f64 = 0.5;

/// A Gaussian as it was fitted.
struct Fit {
    /// Its standard deviation in pixels.
    sigma: f64,
    /// Root mean square of what it leaves of the logarithm of the spectrum.
    rest: f64,
}

impl Fit {
    /// Least squares of `ln P + alpha ln |f| = c + s² x` with `x = -4 pi² |f|²` over points `(|f|, P)`, weighted by `|f|` as the sizes
    /// of their rings are.
    fn of(points: &[(f64, f64)], alpha: f64) -> Self {
        let line: Vec<[f64; 3]> = points
            .iter()
            .map(|&(f, power)| [f, -4.0 * std::f64::consts::PI.powi(2) * f * f, power.ln() + alpha * f.ln()])
            .collect();
        let sum = |term: &dyn Fn(f64, f64) -> f64| line.iter().map(|&[weight, x, y]| weight * term(x, y)).sum::<f64>();
        let (n, sx, sy) = (sum(&|_, _| 1.0), sum(&|x, _| x), sum(&|_, y| y));
        let (sxx, sxy) = (sum(&|x, _| x * x), sum(&|x, y| x * y));
        let squared = ((n * sxy - sx * sy) / (n * sxx - sx * sx)).max(0.0);
        let level = (sy - squared * sx) / n;
        let rest = line.iter().map(|&[_, x, y]| (y - level - squared * x).powi(2)).sum::<f64>();
        Self { sigma: squared.sqrt(), rest: (rest / line.len() as f64).sqrt() }
    }
}

/// The fit of a Gaussian.
fn gaussian(spectrum: &Spectrum) -> Option<BlurEstimate> {
    let Rings { power, floor } = &spectrum.rings;
    let rings = spectrum.rings.clear(FIRST_RING, 0.95, CLEAR);
    if rings.len() + FIRST_RING < FEWEST_RINGS {
        return None;
    }
    let point = |&k: &usize| (k as f64 / spectrum.side as f64, power[k] - floor[k]);
    let points: Vec<(f64, f64)> = rings.iter().map(point).collect();
    let [widest, Fit { sigma, rest }, narrowest] = FALL.map(|alpha| Fit::of(&points, alpha));
    if sigma.is_nan() || sigma <= SHARP {
        return None;
    }
    // How far it dims the finest detail that can be seen.
    let finest = points.last().map_or(0.0, |(f, _)| *f);
    let dimmed = (2.0 * std::f64::consts::PI * sigma * finest).powi(2);
    let agree = narrowest.sigma > 0.8 * sigma && widest.sigma < 1.2 * sigma;
    let is_sure = agree && sigma > SURELY && dimmed > DIMMED && rest < LIKE;
    let confidence = if is_sure { Confidence::High } else { Confidence::Low };
    Some(BlurEstimate { psf: Psf::gaussian(sigma).rounded(), confidence })
}

/// The frequencies that tell directions apart.
struct Directions {
    /// Frequencies across and down, of half the plane.
    places: Vec<[f64; 2]>,
    /// Which ring of two each lies in.
    rings: Vec<usize>,
    /// Number of each ring's frequencies.
    counts: Vec<f64>,
    /// Mean power of each ring above the floor.
    signal: Vec<f64>,
    floor: Vec<f64>,
    /// Logarithm of the power, less its mean over the ring.
    pattern: Vec<f64>,
    side: usize,
}

/// Signal over noise that a ring needs where directions are compared.
const CLEAR_IN_DIRECTIONS: f64 = 2.0;
/// Frequencies below this, in cycles a pixel, hold the composition of the scene.
const LOWEST: f64 = 0.012;
/// Share of light that leaks into dark lines, by the window.
const LEAK: f64 = 0.015;
/// Angles are tried so far apart, in degrees.
const ANGLE_STEP: f64 = 5.0;
/// Correlation beside that of a smooth fall from which on there are lines; photographs without any reach 0.17.
const LINES: f64 = 0.2;
/// Correlation that makes lines likely.
const LIKELY_LINES: f64 = 0.14;

/// A motion, as far as it was compared: the length of its path is one pixel less than what it covers.
#[derive(Clone, Copy)]
struct Line {
    length: f64,
    angle: f64,
}

impl Directions {
    fn of(spectrum: &Spectrum) -> Option<Self> {
        let last = FIRST_RING + spectrum.rings.clear(FIRST_RING, 0.82, CLEAR_IN_DIRECTIONS).len();
        if last < FEWEST_RINGS {
            return None;
        }
        let is_used = |&i: &usize| {
            let [x, y] = spectrum.frequency(i);
            let half = y > 0.0 || y == 0.0 && x > 0.0;
            half && x.hypot(y) > LOWEST && spectrum.ring(i) < last
        };
        let used: Vec<usize> = (0..spectrum.power.len()).filter(is_used).collect();
        let rings: Vec<usize> = used.iter().map(|&i| spectrum.ring(i) / 2).collect();
        let mut counts = vec![0.0; spectrum.side];
        rings.iter().for_each(|&ring| counts[ring] += 1.0);
        let mut directions = Self {
            places: used.iter().map(|&i| spectrum.frequency(i)).collect(),
            floor: used.iter().map(|&i| spectrum.floor[i]).collect(),
            signal: Vec::new(),
            pattern: Vec::new(),
            rings,
            counts,
            side: spectrum.side,
        };
        let power: Vec<f64> = used.iter().map(|&i| spectrum.power[i]).collect();
        let means = directions.means(&power);
        let signal =
            directions.rings.iter().zip(&directions.floor).map(|(&k, floor)| (means[k] - floor).max(0.05 * floor));
        directions.signal = signal.collect();
        directions.pattern = directions.without_means(power.iter().map(|v| v.max(f64::MIN_POSITIVE).ln()).collect());
        Some(directions)
    }

    fn means(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.counts.len()];
        self.rings.iter().zip(values).for_each(|(&ring, value)| sums[ring] += value);
        sums.iter().zip(&self.counts).map(|(sum, count)| sum / count.max(1.0)).collect()
    }

    fn without_means(&self, mut values: Vec<f64>) -> Vec<f64> {
        let means = self.means(&values);
        values.iter_mut().zip(&self.rings).for_each(|(value, &ring)| *value -= means[ring]);
        values
    }

    /// Frequencies along a direction.
    fn along(&self, angle: f64) -> Vec<f64> {
        let (sin, cos) = angle.to_radians().sin_cos();
        self.places.iter().map(|[x, y]| x * cos - y * sin).collect()
    }

    /// The pattern of a spectrum that is multiplied by `gain`, up to a leak.
    fn pattern_of(&self, gain: impl Iterator<Item = f64>) -> Vec<f64> {
        let gain: Vec<f64> = gain.map(|gain| gain * (1.0 - LEAK) + LEAK).collect();
        let means = self.means(&gain);
        let parts = self.signal.iter().zip(&self.floor).zip(gain.iter().zip(&self.rings));
        self.without_means(
            parts.map(|((signal, floor), (gain, &ring))| (signal * gain / means[ring] + floor).ln()).collect(),
        )
    }

    fn pattern_of_motion(&self, length: f64, along: &[f64]) -> Vec<f64> {
        let sinc = |x: f64| if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
        self.pattern_of(along.iter().map(|u| sinc(std::f64::consts::PI * length * u).powi(2)))
    }

    /// Correlation of the photo's pattern with that of every path.
    fn correlations(&self, lengths: &[f64], angles: &[f64]) -> Vec<(Line, f64)> {
        let of_angle = |&angle: &f64| {
            let along = self.along(angle);
            let one = |&length: &f64| {
                let correlation = correlation(&self.pattern_of_motion(length, &along), &self.pattern);
                (Line { length, angle }, correlation)
            };
            lengths.iter().map(one).collect::<Vec<_>>()
        };
        angles.par_iter().flat_map_iter(of_angle).collect()
    }

    fn motion(&self) -> Option<BlurEstimate> {
        // The longest path of which several lines fit between the mean and the corner of a window.
        let longest = self.side as f64 / 5.0;
        let lengths: Vec<f64> = std::iter::successors(Some(3.0), |l: &f64| Some(l + (l / 20.0).clamp(0.5, 3.0)))
            .take_while(|&l| l <= longest)
            .collect();
        let angles: Vec<f64> = (0..(180.0 / ANGLE_STEP) as usize).map(|i| i as f64 * ANGLE_STEP).collect();
        let coarse = best(&self.correlations(&lengths, &angles))?;
        let step = (coarse.length / 20.0).clamp(0.5, 3.0);
        let around = |center: f64, step: f64| (-4..=4).map(move |i| center + step * f64::from(i) / 4.0);
        let lengths: Vec<f64> = around(coarse.length, step).filter(|&l| l >= 2.0).collect();
        let angles: Vec<f64> = around(coarse.angle, ANGLE_STEP).collect();
        let path = best(&self.correlations(&lengths, &angles))?;
        let lines = self.lines(path);
        let confidence = match lines {
            _ if lines >= LINES => Confidence::High,
            _ if lines >= LIKELY_LINES => Confidence::Low,
            _ => return None,
        };
        let psf = Psf::Motion { length: path.length + 1.0, angle: path.angle }.rounded();
        Some(BlurEstimate { psf, confidence })
    }

    /// Correlation with the pattern of a path, of what no smooth fall along its direction explains.
    fn lines(&self, path: Line) -> f64 {
        let along = self.along(path.angle);
        let smooth = |length: f64| {
            let fall = |u: &f64| 1.0 / (1.0 + 2.0 * (std::f64::consts::PI * length * u).powi(2));
            self.pattern_of(along.iter().map(fall))
        };
        let explained = [
            smooth(path.length / 2.0),
            smooth(path.length),
            smooth(2.0 * path.length),
            self.without_means(along.iter().map(|u| u.abs()).collect()),
            self.without_means(along.iter().map(|u| u * u).collect()),
        ];
        let basis = DMatrix::from_columns(&explained.map(DVector::from_vec)).qr().q();
        let rest = |values: Vec<f64>| {
            let values = DVector::from_vec(values);
            &values - &basis * basis.tr_mul(&values)
        };
        let sought = rest(self.pattern_of_motion(path.length, &along));
        correlation(sought.as_slice(), rest(self.pattern.clone()).as_slice())
    }
}

fn best(of: &[(Line, f64)]) -> Option<Line> {
    of.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(path, _)| *path)
}

/// Of patterns without mean.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)
}
