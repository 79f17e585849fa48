//! The kernel of a blurred photo, from its strong edges.
//!
//! Blind deconvolution with few gradients as the prior: "Deblurring Text Images via L0-Regularized Intensity and Gradient Prior" (J. Pan, Z. Hu,
//! Z. Su, M.-H. Yang, CVPR 2014), simplified as in "Blind Image Deblurring using the l0 Gradient Prior" (J. Anger, G. Facciolo,
//! M. Delbracio, IPOL 2019). Of a blurred photo `v`, from a coarse to the full resolution, these take turns:
//!
//! - the sketch `u = argmin |k * u - v|² + lambda |∇u|_0`, by half-quadratic splitting;
//! - the kernel `k = argmin |k * ∇u - ∇v|² + gamma |k|²`, of which weak and scattered light is taken away.
//!
//! Both are divisions of spectra. The sketch is no restoration: it holds the edges that tell the kernel.

use std::f32::consts::TAU;

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use rayon::prelude::*;
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::NoiseEstimate;
use crate::bm3d::{Planes, bm3d};
use crate::mirror;
use crate::picture::Picture;
use crate::psf::{Kernel, Psf};

type Gray = ImageBuffer<Luma<f32>, Vec<f32>>;

/// Side of the windows that are looked at.
const WINDOW: u32 = 384;
/// Smaller photos tell no kernel.
const SMALLEST: u32 = 96;
/// Largest side of a kernel, and the largest share of a window's side.
const LARGEST: usize = 35;
const SHARE: usize = 6;
/// Side of the kernel at the coarsest resolution; each next one is larger by the square root of 2.
const COARSEST: f64 = 5.0;
/// Turns at each resolution.
const TURNS: usize = 5;
/// Weight of the count of gradients at first, what divides it after every turn, and its least value.
const LAMBDA: f32 = 4e-3;
const RELAXED: f32 = 1.1;
const LEAST_LAMBDA: f32 = 1e-4;
/// The splitting's weight goes up to this many times `lambda`.
const STIFFEST: f32 = 4e3;
/// Weight of the kernel's energy.
const GAMMA: f32 = 2.0;
/// Light below this share of the brightest is taken away, and parts that hold less than this share of the largest part's.
const WEAK: f32 = 0.05;
const SCATTERED: f32 = 0.1;
/// Stronger noise is taken away first, of pixels in `[0, 1]`.
const NOISY: f64 = 1.0 / 255.0;

/// The sharper of the kernels of two windows of a photo, and their correlation; nothing of small and flat photos.
pub(super) fn kernel(photo: &Picture, noise: &NoiseEstimate) -> Option<(Kernel, f64)> {
    let (width, height) = photo.pixels().dimensions();
    let side = width.min(height).min(WINDOW);
    if side < SMALLEST {
        return None;
    }
    let size = ((side as usize / SHARE).min(LARGEST) - 1) | 1;
    let luminance = Gray::from_raw(width, height, photo.luminance())?;
    let windows = windows([width, height], &luminance);
    let kernel = |&[left, top, width, height]: &[u32; 4]| {
        let window = imageops::crop_imm(&luminance, left, top, width, height).to_image();
        let window = without_noise(window, noise)?;
        from_coarse_to_fine(&window, size)
    };
    let found: Option<Vec<Vec<f32>>> = windows.par_iter().map(kernel).collect();
    let [one, other] = <[_; 2]>::try_from(found?).ok()?;
    let agreement = correlation(&one, &other, size);
    // The sharper one: a mean of the two would be wider than both.
    let energy = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>();
    let values = if energy(&one) >= energy(&other) { one } else { other };
    let kernel = Psf::Measured { height: size, width: size, values }.kernel().ok()?;
    Some((kernel, agreement))
}

/// Left, top, width and height of the part of a photo that has most edges, of at most `side` pixels a side.
pub fn window(photo: &Picture, side: u32) -> [u32; 4] {
    let size = photo.pixels().dimensions();
    let whole = [0, 0, size.0, size.1];
    let luminance = Gray::from_raw(size.0, size.1, photo.luminance());
    let [left, top, width, height] = luminance.map_or(whole, |luminance| windows(size.into(), &luminance)[0]);
    let [wide, high] = [width, height].map(|length| length.min(side));
    [left + (width - wide) / 2, top + (height - high) / 2, wide, high]
}

/// Left, top, width and height of two windows that have most edges: apart where the photo is large enough.
fn windows([width, height]: [u32; 2], luminance: &Gray) -> [[u32; 4]; 2] {
    let sides = [width, height];
    let long = usize::from(height > width);
    if sides[1 - long] < WINDOW || sides[long] < 3 * WINDOW / 2 {
        // The larger halves of the middle of a small one.
        let middle = [0, 1].map(|d| sides[d].min(if d == long { 3 * WINDOW / 2 } else { WINDOW }));
        let part = [0, 1].map(|d| if d == long { 2 * middle[d] / 3 } else { middle[d] });
        let first = [0, 1].map(|d| (sides[d] - middle[d]) / 2);
        let last = [0, 1].map(|d| first[d] + middle[d] - part[d]);
        return [first, last].map(|[left, top]| [left, top, part[0], part[1]]);
    }
    let places = |length: u32| {
        let gaps = ((length - WINDOW) / (WINDOW / 2)).min(12);
        (0..=gaps).map(move |i| (length - WINDOW) * i / gaps.max(1))
    };
    let energy = |left: u32, top: u32| {
        let at = |x: u32, y: u32| luminance.get_pixel(x, y)[0];
        let rows = (top..top + WINDOW - 1).step_by(2);
        rows.map(|y| {
            (left..left + WINDOW - 1)
                .step_by(2)
                .map(|x| (at(x + 1, y) - at(x, y)).abs() + (at(x, y + 1) - at(x, y)).abs())
                .sum::<f32>()
        })
        .sum::<f32>()
    };
    let mut all: Vec<([u32; 2], f32)> = places(height)
        .flat_map(|top| places(width).map(move |left| [left, top]))
        .map(|[left, top]| ([left, top], energy(left, top)))
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let first = all[0].0;
    let is_apart = |place: &[u32; 2]| (0..2).any(|d| place[d].abs_diff(first[d]) >= WINDOW / 2);
    let second = all.iter().map(|(place, _)| *place).find(is_apart).unwrap_or(first);
    [first, second].map(|[left, top]| [left, top, WINDOW, WINDOW])
}

/// A window without its noise.
fn without_noise(window: Gray, noise: &NoiseEstimate) -> Option<Gray> {
    let mixed = noise.covariance.iter().flatten().sum::<f64>() / 9.0;
    let sigma = noise.sigma * mixed.max(0.0).sqrt();
    if sigma < NOISY / 3f64.sqrt() {
        return Some(window);
    }
    let (width, height) = window.dimensions();
    let planes = Planes { channels: vec![window.into_raw()], height: height as usize, width: width as usize };
    let clean = bm3d(&planes, None, sigma as f32, |_, _| true)?;
    Gray::from_raw(width, height, clean.channels.into_iter().next()?)
}

/// The kernel of a window, `size` x `size`, row by row.
fn from_coarse_to_fine(window: &Gray, size: usize) -> Option<Vec<f32>> {
    let levels = ((size as f64 / COARSEST).ln() / std::f64::consts::SQRT_2.ln()).floor() as i32;
    let mut lambda = LAMBDA;
    let mut kernel: Option<(Vec<f32>, usize)> = None;
    for level in (0..=levels).rev() {
        let reduced = std::f64::consts::SQRT_2.powi(-level);
        let side = (size as f64 * reduced).ceil() as usize | 1;
        let scaled = |length: u32| ((f64::from(length) * reduced).round() as u32).max(1);
        let window = match level {
            0 => window.clone(),
            _ => imageops::resize(window, scaled(window.width()), scaled(window.height()), FilterType::Triangle),
        };
        let mut values = match kernel {
            None => coarsest(side),
            Some((values, before)) => enlarged(values, before, side)?,
        };
        let level = Level::new(&window, side);
        for _ in 0..TURNS {
            let sketch = level.sketch(&values, lambda);
            values = concentrated(level.kernel(sketch), side)?;
            lambda = (lambda / RELAXED).max(LEAST_LAMBDA);
        }
        kernel = Some((values, side));
    }
    kernel.map(|(values, _)| values)
}

/// Two pixels of light beside each other.
fn coarsest(side: usize) -> Vec<f32> {
    let middle = side / 2 * side + side / 2;
    (0..side * side).map(|i| if i == middle || i == middle + 1 { 0.5 } else { 0.0 }).collect()
}

/// A kernel at the next resolution.
fn enlarged(values: Vec<f32>, before: usize, side: usize) -> Option<Vec<f32>> {
    let small = Gray::from_raw(before as u32, before as u32, values)?;
    let large = imageops::resize(&small, side as u32, side as u32, FilterType::CatmullRom);
    normalized(large.into_raw().into_iter().map(|v| v.max(0.0)).collect())
}

fn normalized(mut values: Vec<f32>) -> Option<Vec<f32>> {
    let sum: f32 = values.iter().sum();
    (sum.is_finite() && sum > 1e-6).then(|| {
        values.iter_mut().for_each(|v| *v /= sum);
        values
    })
}

/// A kernel without weak and scattered light, its centre of mass in the middle, of sum 1.
fn concentrated(values: Vec<f32>, side: usize) -> Option<Vec<f32>> {
    let brightest = values.iter().copied().fold(0.0, f32::max);
    let values: Vec<f32> = values.into_iter().map(|v| if v < WEAK * brightest { 0.0 } else { v }).collect();
    let parts = parts(&values, side);
    let mut light = vec![0.0f32; values.len() + 1];
    parts.iter().zip(&values).for_each(|(&part, v)| light[part] += v);
    let most = light[1..].iter().copied().fold(0.0, f32::max);
    let kept =
        values.iter().zip(&parts).map(|(&v, &part)| if part > 0 && light[part] >= SCATTERED * most { v } else { 0.0 });
    centered(normalized(kept.collect())?, side)
}

/// The connected part that each pixel with light belongs to, from 1 on; 0 where there is none.
fn parts(values: &[f32], side: usize) -> Vec<usize> {
    let mut parts = vec![0; values.len()];
    let mut next = 1;
    for start in 0..values.len() {
        if values[start] <= 0.0 || parts[start] > 0 {
            continue;
        }
        parts[start] = next;
        let mut open = vec![start];
        while let Some(i) = open.pop() {
            let (y, x) = (i / side, i % side);
            for row in y.saturating_sub(1)..(y + 2).min(side) {
                for column in x.saturating_sub(1)..(x + 2).min(side) {
                    let neighbour = row * side + column;
                    if values[neighbour] > 0.0 && parts[neighbour] == 0 {
                        parts[neighbour] = next;
                        open.push(neighbour);
                    }
                }
            }
        }
        next += 1;
    }
    parts
}

/// A kernel of sum 1 moved until its centre of mass is in the middle.
fn centered(values: Vec<f32>, side: usize) -> Option<Vec<f32>> {
    let middle = (side / 2) as f32;
    let mean =
        |of: fn(usize, usize) -> usize| values.iter().enumerate().map(|(i, v)| v * of(i, side) as f32).sum::<f32>();
    let (dy, dx) = (mean(|i, side| i / side) - middle, mean(|i, side| i % side) - middle);
    let at = |y: f32, x: f32| {
        let (top, left) = (y.floor(), x.floor());
        let (fy, fx) = (y - top, x - left);
        let value = |y: f32, x: f32| {
            let inside = (0.0..side as f32).contains(&y) && (0.0..side as f32).contains(&x);
            if inside { values[y as usize * side + x as usize] } else { 0.0 }
        };
        (1.0 - fy) * ((1.0 - fx) * value(top, left) + fx * value(top, left + 1.0))
            + fy * ((1.0 - fx) * value(top + 1.0, left) + fx * value(top + 1.0, left + 1.0))
    };
    normalized((0..side * side).map(|i| at((i / side) as f32 + dy, (i % side) as f32 + dx)).collect())
}

/// The largest correlation of two kernels of the same side, over moves by whole pixels.
pub(super) fn correlation(one: &[f32], other: &[f32], side: usize) -> f64 {
    let energy = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let reach = 3;
    let moved = |dy: i64, dx: i64| -> f64 {
        let product = |i: usize| {
            let (y, x) = ((i / side) as i64 + dy, (i % side) as i64 + dx);
            let inside = (0..side as i64).contains(&y) && (0..side as i64).contains(&x);
            if inside { f64::from(one[i]) * f64::from(other[y as usize * side + x as usize]) } else { 0.0 }
        };
        (0..side * side).map(product).sum()
    };
    let moves = (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dy, dx)));
    let best = moves.map(|(dy, dx)| moved(dy, dx)).fold(0.0, f64::max);
    best / (energy(one) * energy(other)).sqrt().max(f64::MIN_POSITIVE)
}

/// A window at one resolution, mirrored beyond its border.
struct Level {
    height: usize,
    width: usize,
    /// Side of the kernel.
    side: usize,
    rows: std::sync::Arc<dyn Fft<f32>>,
    columns: std::sync::Arc<dyn Fft<f32>>,
    backward_rows: std::sync::Arc<dyn Fft<f32>>,
    backward_columns: std::sync::Arc<dyn Fft<f32>>,
    /// Spectrum of the window.
    blurred: Vec<Complex32>,
    /// Spectrum of its gradient inside, across as the real part and down as the imaginary one.
    gradient: Vec<Complex32>,
    /// Transfer functions of the differences across and down.
    across: Vec<Complex32>,
    down: Vec<Complex32>,
    /// 1 inside the window, falling to 0 beyond its border.
    inside: Vec<f32>,
}

/// A number above this one whose transform is quick.
fn quick(least: usize) -> usize {
    let is_quick = |mut n: usize| {
        for factor in [2, 3, 5] {
            while n.is_multiple_of(factor) {
                n /= factor;
            }
        }
        n == 1
    };
    (least..).find(|&n| is_quick(n)).unwrap_or(least)
}

impl Level {
    fn new(window: &Gray, side: usize) -> Self {
        let [high, wide] = [window.height() as usize, window.width() as usize];
        let [height, width] = [high, wide].map(|length| quick(length + 2 * side));
        let mut planner = FftPlanner::new();
        let inside = |i: usize, length: usize| {
            // Distance from the border, beyond it negative.
            let from = i as f32 - side as f32 + 0.5;
            let distance = from.min(length as f32 - from);
            let t = (distance / side as f32 + 0.5).clamp(0.0, 1.0);
            t * t * (3.0 - 2.0 * t)
        };
        let difference = |i: usize, n: usize| Complex32::from_polar(1.0, TAU * i as f32 / n as f32) - 1.0;
        let places = 0..height * width;
        let mut level = Self {
            height,
            width,
            side,
            rows: planner.plan_fft_forward(width),
            columns: planner.plan_fft_forward(height),
            backward_rows: planner.plan_fft_inverse(width),
            backward_columns: planner.plan_fft_inverse(height),
            blurred: Vec::new(),
            gradient: Vec::new(),
            across: places.clone().map(|i| difference(i % width, width)).collect(),
            down: places.clone().map(|i| difference(i / width, height)).collect(),
            inside: places.clone().map(|i| inside(i / width, high) * inside(i % width, wide)).collect(),
        };
        let at = |i: usize, length: usize| mirror::index(i as i64 - side as i64, length) as u32;
        let value = |i: usize| window.get_pixel(at(i % width, wide), at(i / width, high))[0];
        level.blurred = level.forward(places.map(|i| Complex32::new(value(i), 0.0)).collect());
        level.gradient = level.forward(level.masked(level.gradient_of(&level.blurred)));
        level
    }

    fn masked(&self, mut values: Vec<Complex32>) -> Vec<Complex32> {
        values.iter_mut().zip(&self.inside).for_each(|(v, inside)| *v *= inside);
        values
    }

    fn forward(&self, values: Vec<Complex32>) -> Vec<Complex32> {
        transformed(values, self.width, self.rows.as_ref(), self.columns.as_ref())
    }

    fn backward(&self, values: Vec<Complex32>) -> Vec<Complex32> {
        let scale = 1.0 / values.len() as f32;
        let mut values = transformed(values, self.width, self.backward_rows.as_ref(), self.backward_columns.as_ref());
        values.iter_mut().for_each(|v| *v *= scale);
        values
    }

    /// The place of the opposite frequency.
    fn opposite(&self, i: usize) -> usize {
        let (y, x) = (i / self.width, i % self.width);
        (self.height - y) % self.height * self.width + (self.width - x) % self.width
    }

    /// The gradient of an image by its spectrum: across as the real part, down as the imaginary one.
    fn gradient_of(&self, spectrum: &[Complex32]) -> Vec<Complex32> {
        let both = spectrum.iter().zip(self.across.iter().zip(&self.down));
        self.backward(both.map(|(u, (across, down))| (across + Complex32::i() * down) * u).collect())
    }

    /// The spectrum of the sketch with few gradients.
    fn sketch(&self, kernel: &[f32], lambda: f32) -> Vec<Complex32> {
        let transfer = self.transfer(kernel);
        let stiffness: Vec<f32> =
            self.across.iter().zip(&self.down).map(|(a, d)| a.norm_sqr() + d.norm_sqr()).collect();
        let mut sketch = self.blurred.clone();
        let mut beta = 2.0 * lambda;
        while beta < STIFFEST * lambda {
            let mut gradient = self.gradient_of(&sketch);
            gradient.iter_mut().filter(|g| g.norm_sqr() < lambda / beta).for_each(|g| *g = Complex32::default());
            let gradient = self.forward(gradient);
            let divided = |i: usize| {
                let (here, there) = (gradient[i], gradient[self.opposite(i)].conj());
                let across = (here + there) * 0.5;
                let down = (here - there) * Complex32::new(0.0, -0.5);
                let sought = self.across[i].conj() * across + self.down[i].conj() * down;
                (transfer[i].conj() * self.blurred[i] + sought * beta) / (transfer[i].norm_sqr() + beta * stiffness[i])
            };
            sketch = (0..sketch.len()).map(divided).collect();
            beta *= 2.0;
        }
        sketch
    }

    /// The kernel that makes the gradients of the photo of those of a sketch, by its spectrum.
    fn kernel(&self, sketch: Vec<Complex32>) -> Vec<f32> {
        let gradient = self.forward(self.masked(self.gradient_of(&sketch)));
        let divided = |i: usize| {
            let opposite = self.opposite(i);
            let (sharp, blurred) = (gradient[i], self.gradient[i]);
            let (sharp_there, blurred_there) = (gradient[opposite], self.gradient[opposite]);
            let common = (sharp.conj() * blurred + sharp_there * blurred_there.conj()) * 0.5;
            common / ((sharp.norm_sqr() + sharp_there.norm_sqr()) * 0.5 + GAMMA)
        };
        let whole = self.backward((0..gradient.len()).map(divided).collect());
        let reach = self.side / 2;
        let place = |i: usize, n: usize| (i + n - reach) % n;
        let of = |i: usize| whole[place(i / self.side, self.height) * self.width + place(i % self.side, self.width)].re;
        (0..self.side * self.side).map(of).collect()
    }

    /// The transfer function of a kernel.
    fn transfer(&self, kernel: &[f32]) -> Vec<Complex32> {
        let mut values = vec![Complex32::default(); self.height * self.width];
        let reach = self.side / 2;
        for (i, &value) in kernel.iter().enumerate() {
            let y = (i / self.side + self.height - reach) % self.height;
            let x = (i % self.side + self.width - reach) % self.width;
            values[y * self.width + x].re = value;
        }
        self.forward(values)
    }
}

/// The two-dimensional transform of rows of that width.
fn transformed(
    mut values: Vec<Complex32>,
    width: usize,
    rows: &dyn Fft<f32>,
    columns: &dyn Fft<f32>,
) -> Vec<Complex32> {
    let height = values.len() / width;
    rows.process(&mut values);
    let mut turned = transposed(&values, width);
    columns.process(&mut turned);
    transposed(&turned, height)
}

fn transposed(values: &[Complex32], width: usize) -> Vec<Complex32> {
    let height = values.len() / width;
    (0..values.len()).map(|i| values[i % height * width + i / height]).collect()
}
