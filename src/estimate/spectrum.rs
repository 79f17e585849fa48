//! The power spectrum of a photo's luminance, and how much of it is noise.

use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

use super::NoiseEstimate;
use crate::picture::{BLOCK, Picture, is_cut_off};

/// Sides of a window; the larger one is taken where it fits.
const SIDES: [usize; 2] = [256, 128];
/// No more windows than about this are averaged.
const ENOUGH: usize = 100;
/// A window in which more is black or white says little.
const MOST_CUT_OFF: f64 = 0.3;

/// The mean periodogram of windows of a photo, its luminance in `[0, 1]`.
pub(super) struct Spectrum {
    /// Side of the windows, and of what follows.
    pub side: usize,
    /// Power at every frequency, row by row, the mean first.
    pub power: Vec<f64>,
    /// The part of it that noise, rounding and compression are to be blamed for.
    pub floor: Vec<f64>,
    /// Geometric means of both over every whole ring, from the mean outwards.
    pub rings: Rings,
}

/// Geometric means over rings around the mean of a spectrum.
pub(super) struct Rings {
    pub power: Vec<f64>,
    pub floor: Vec<f64>,
}

impl Rings {
    /// The rings from `first` on, below a share `last` of all, as far as the power is `clear` times the floor.
    pub fn clear(&self, first: usize, last: f64, clear: f64) -> Vec<usize> {
        let last = (self.power.len() as f64 * last) as usize;
        (first..last).take_while(|&k| self.power[k] > clear * self.floor[k]).collect()
    }
}

impl Spectrum {
    /// Of a photo with that noise, unless it is too small, transparent or flat.
    pub fn of(photo: &Picture, noise: &NoiseEstimate) -> Option<Self> {
        let (height, width) = (photo.height(), photo.width());
        let side = SIDES.into_iter().find(|&side| height >= side && width >= side)?;
        let luminance = photo.luminance();
        let transparent = photo.transparent();
        let count = |stride: usize| ((height - side) / stride + 1) * ((width - side) / stride + 1);
        let stride = (1..).map(|i| i * side / 4).find(|&stride| count(stride) <= ENOUGH)?;
        let hann: Vec<f64> =
            (0..side).map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / side as f64).cos()).collect();
        let weight: f64 = hann.iter().sum::<f64>().powi(2);
        let transform = FftPlanner::new().plan_fft_forward(side);
        let (mut power, mut windows) = (vec![0.0; side * side], 0);
        for (top, left) in
            starts(height, side, stride).flat_map(|top| starts(width, side, stride).map(move |left| (top, left)))
        {
            let at = |i: usize| (top + i / side) * width + left + i % side;
            let values: Vec<f64> = (0..side * side).map(|i| f64::from(luminance[at(i)])).collect();
            let cut_off =
                (0..side * side).filter(|&i| is_cut_off(luminance[at(i)])).count() as f64 / values.len() as f64;
            let is_hidden = transparent.as_ref().is_some_and(|hidden| (0..side * side).any(|i| hidden[at(i)]));
            if cut_off > MOST_CUT_OFF || is_hidden {
                continue;
            }
            let window = |i: usize| hann[i / side] * hann[i % side];
            let mean = values.iter().enumerate().map(|(i, v)| v * window(i)).sum::<f64>() / weight;
            let mut values: Vec<Complex64> =
                values.iter().enumerate().map(|(i, v)| Complex64::new((v - mean) * window(i), 0.0)).collect();
            if values.iter().all(|v| v.norm_sqr() < 1e-12) {
                continue;
            }
            transform_square(&mut values, side, transform.as_ref());
            power.iter_mut().zip(&values).for_each(|(sum, v)| *sum += v.norm_sqr());
            windows += 1;
        }
        if windows == 0 {
            return None;
        }
        power.iter_mut().for_each(|v| *v /= f64::from(windows));
        // What white noise of a variance of 1 would have.
        let white = hann.iter().map(|v| v * v).sum::<f64>().powi(2);
        let mut floor: Vec<f64> =
            noise_of_luminance(photo, noise, side).into_iter().map(|variance| variance * white).collect();
        let power_of_rings = means_over_rings(&power, side);
        // Where the spectrum is flat there is nothing but noise: the floor is not below that.
        let plateau = plateau(&power_of_rings, side);
        floor.iter_mut().for_each(|floor| *floor = floor.max(plateau));
        let rings = Rings { power: power_of_rings, floor: means_over_rings(&floor, side) };
        Some(Self { side, power, floor, rings })
    }

    /// Frequencies across and down at an index, in cycles a pixel.
    pub fn frequency(&self, index: usize) -> [f64; 2] {
        frequency(index, self.side)
    }

    /// The ring around the mean that an index lies in, in frequencies of the window.
    pub fn ring(&self, index: usize) -> usize {
        ring(index, self.side)
    }
}

fn frequency(index: usize, side: usize) -> [f64; 2] {
    let signed = |i: usize| (if i > side / 2 { i as f64 - side as f64 } else { i as f64 }) / side as f64;
    [signed(index % side), signed(index / side)]
}

fn ring(index: usize, side: usize) -> usize {
    let [x, y] = frequency(index, side);
    (x.hypot(y) * side as f64).round() as usize
}

/// The geometric mean of values over every whole ring, from the mean outwards.
fn means_over_rings(values: &[f64], side: usize) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; side], vec![0.0; side]);
    for (i, value) in values.iter().enumerate() {
        let ring = ring(i, side);
        sums[ring] += value.max(f64::MIN_POSITIVE).ln();
        counts[ring] += 1.0;
    }
    (0..=side / 2).map(|ring| f64::exp(sums[ring] / counts[ring])).collect()
}

/// The least mean of neighbouring rings at high frequencies.
fn plateau(rings: &[f64], side: usize) -> f64 {
    let (from, wide) = (side * 35 / 100, side / 50);
    let mean = |start: usize| rings[start..start + wide].iter().sum::<f64>() / wide as f64;
    (from..=side / 2 - wide).map(mean).fold(f64::INFINITY, f64::min)
}

/// Where windows begin: evenly, the first at the start, the last at the end.
fn starts(length: usize, side: usize, stride: usize) -> impl Iterator<Item = usize> + Clone {
    let room = length - side;
    let gaps = room / stride;
    (0..=gaps).map(move |i| (room * i).checked_div(gaps).unwrap_or(room / 2))
}

/// The variance of the luminance at every frequency that is not the scene's.
fn noise_of_luminance(photo: &Picture, noise: &NoiseEstimate, side: usize) -> Vec<f64> {
    let mixed: f64 = noise.covariance.iter().flatten().sum::<f64>() / 9.0;
    let rounding = if photo.extras.deep { 0.0 } else { 1.0 / (12.0 * 255.0 * 255.0) };
    let channels = if photo.is_gray() { 1.0 } else { 3.0 };
    let white = noise.sigma * noise.sigma * mixed + rounding / channels;
    let steps = photo.compression.as_ref().map(|compression| &compression.tables[0]);
    let of = |index: usize| {
        let quantized = steps.map_or(0.0, |steps| {
            // The cosine transform of blocks has half a cycle a block in each step of its frequencies.
            let at = |i: usize| {
                let cycles = i.min(side - i) as f64 / side as f64;
                ((cycles * 2.0 * BLOCK as f64).round() as usize).min(BLOCK - 1)
            };
            let step = f64::from(steps[at(index / side)][at(index % side)]) / 255.0;
            step * step / 12.0
        });
        white.max(quantized)
    };
    (0..side * side).map(of).collect()
}

/// The Fourier transform of a square in place: twice the rows are transformed and exchanged with the columns.
fn transform_square(values: &mut [Complex64], side: usize, transform: &dyn Fft<f64>) {
    for _ in 0..2 {
        transform.process(values);
        for i in 0..side {
            for j in 0..i {
                values.swap(i * side + j, j * side + i);
            }
        }
    }
}
