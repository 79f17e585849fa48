//! Group normalisation on the CPU, of feature maps whose channels are neighbours in memory.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::elementary::silu;

/// See [`crate::kernel::normalization::GroupNorm`].
pub(super) struct GroupNorm<'a> {
    pub groups: usize,
    pub epsilon: f32,
    /// One a channel.
    pub scale: &'a [f32],
    /// One a channel.
    pub shift: &'a [f32],
    pub activate: bool,
}

/// Numbers that a thread works on at a time: few enough for its nearest cache.
const PIECE: usize = 8 << 10;

impl GroupNorm<'_> {
    /// Of `x` `[b, pixels, c]`.
    pub fn forward(&self, x: &[f32], pixels: usize) -> Vec<f32> {
        let channels = self.scale.len();
        let arch = Arch::new();
        let piece = (PIECE / channels).max(1) * channels;
        let mut normed = vec![0.0; x.len()];
        for (x, normed) in x.chunks_exact(pixels * channels).zip(normed.chunks_exact_mut(pixels * channels)) {
            let moments = x.par_chunks(piece).map(|x| arch.dispatch(Measure { x, channels }));
            let moments = moments.reduce_with(|a, b| a.joined(&b)).unwrap_or_default();
            let (means, factors) = &self.factors(&moments);
            normed.par_chunks_mut(piece).zip(x.par_chunks(piece)).for_each(|(normed, x)| {
                arch.dispatch(Normalize { norm: self, means, factors, x, normed });
            });
        }
        normed
    }

    /// Mean of each channel's group, and `scale / sqrt(variance + epsilon)`.
    fn factors(&self, moments: &Moments) -> (Vec<f32>, Vec<f32>) {
        let per_group = self.scale.len() / self.groups;
        let group = |channel: usize| channel / per_group * per_group..(channel / per_group + 1) * per_group;
        let of_channel = |channel: usize| {
            let (means, squares) = (&moments.means[group(channel)], &moments.squares[group(channel)]);
            let mean = means.iter().sum::<f64>() / per_group as f64;
            let between = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / per_group as f64;
            let within = squares.iter().sum::<f64>() / (moments.count * per_group as f64);
            let deviation = (between + within + f64::from(self.epsilon)).sqrt();
            (mean as f32, (f64::from(self.scale[channel]) / deviation) as f32)
        };
        (0..self.scale.len()).map(of_channel).unzip()
    }
}

/// What is known of the numbers of each channel.
#[derive(Default)]
struct Moments {
    /// How many numbers a channel has.
    count: f64,
    means: Vec<f64>,
    /// Sums of the squared deviations from the means.
    squares: Vec<f64>,
}

impl Moments {
    /// Of the numbers of both ("Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", T. Chan, G. Golub
    /// and R. LeVeque, 1979).
    fn joined(mut self, other: &Self) -> Self {
        let count = self.count + other.count;
        let channels = self.means.iter_mut().zip(&mut self.squares).zip(other.means.iter().zip(&other.squares));
        for ((mean, squares), (other_mean, other_squares)) in channels {
            let difference = other_mean - *mean;
            *mean += difference * other.count / count;
            *squares += other_squares + difference * difference * self.count * other.count / count;
        }
        self.count = count;
        self
    }
}

/// Moments of pixels. The deviations are taken in a second pass, because the difference of the mean square and the squared
/// mean cancels in f32.
struct Measure<'a> {
    x: &'a [f32],
    channels: usize,
}

impl WithSimd for Measure<'_> {
    type Output = Moments;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Moments {
        let Self { x, channels } = self;
        let count = (x.len() / channels) as f32;
        let mut means = vec![0.0_f32; channels];
        for pixel in x.chunks_exact(channels) {
            for (sum, v) in means.iter_mut().zip(pixel) {
                *sum += v;
            }
        }
        for sum in &mut means {
            *sum /= count;
        }
        let mut squares = vec![0.0_f32; channels];
        for pixel in x.chunks_exact(channels) {
            for ((sum, v), mean) in squares.iter_mut().zip(pixel).zip(&means) {
                *sum += (v - mean) * (v - mean);
            }
        }
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        Moments { count: f64::from(count), means: wide(means), squares: wide(squares) }
    }
}

/// Normalises pixels; loops are plain, because the compiler makes vectors of them here.
struct Normalize<'a> {
    norm: &'a GroupNorm<'a>,
    means: &'a [f32],
    factors: &'a [f32],
    x: &'a [f32],
    normed: &'a mut [f32],
}

impl WithSimd for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { norm, means, factors, x, normed } = self;
        let channels = means.len();
        for (normed, x) in normed.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for ((((normed, x), mean), factor), shift) in
                normed.iter_mut().zip(x).zip(means).zip(factors).zip(norm.shift)
            {
                // The mean first: folded into the shift it would cancel where it is far above the deviation.
                *normed = (x - mean) * factor + shift;
            }
            if norm.activate {
                for v in normed {
                    *v = silu(*v);
                }
            }
        }
    }
}
