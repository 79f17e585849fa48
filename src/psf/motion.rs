//! Kernels of motion: straight lines and random camera shake.

use std::f64::consts::{PI, TAU};

use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution, Triangular};

use super::kernel::{Kernel, MAX_SIDE, check_side};
use crate::error::{Error, Result};
use crate::noise::{Stream, generator};

/// An even line of light of `length` pixels at `angle` degrees, counterclockwise from the horizontal.
pub(super) fn line(length: f64, angle: f64) -> Result<Kernel> {
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
pub(super) fn shake(size: usize, intensity: f64, seed: u64) -> Result<Kernel> {
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
