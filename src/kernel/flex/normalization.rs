//! Group normalisation on the CPU, of feature maps with channels last.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::elementary::{silu, silu_slope};
use crate::device::arch;
use crate::kernel::normalization::GroupNorm;

/// A normalisation and its parameters, one a channel.
pub(super) struct Layer<'a> {
    pub norm: GroupNorm,
    pub scale: &'a [f32],
    pub shift: &'a [f32],
}

/// Elements that a thread processes at a time: few enough for the first-level cache.
const PIECE: usize = 8 << 10;

impl Layer<'_> {
    /// The normalisation of `x` `[b, pixels, c]`.
    pub fn forward(&self, x: &[f32], pixels: usize) -> Vec<f32> {
        let (arch, channels) = (arch(), self.scale.len());
        let (picture, piece) = (pixels * channels, self.piece());
        let mut normed = vec![0.0; x.len()];
        for (x, normed) in x.chunks_exact(picture).zip(normed.chunks_exact_mut(picture)) {
            let Statistics { means, inverse_deviations } = &self.statistics(x);
            let factors: Vec<f32> = inverse_deviations.iter().zip(self.scale).map(|(a, b)| a * b).collect();
            normed.par_chunks_mut(piece).zip(x.par_chunks(piece)).for_each(|(normed, x)| {
                arch.dispatch(Normalize { layer: self, means, factors: &factors, x, normed });
            });
        }
        normed
    }

    /// The gradient with respect to `x` `[b, pixels, c]`, from the `gradient` with respect to the result:
    /// `(d - mean(d) - n mean(d n)) / deviation` with `n = (x - mean) / deviation` and `d` the gradient with respect to `n`.
    pub fn gradient(&self, x: &[f32], gradient: &[f32], pixels: usize) -> Vec<f32> {
        let (arch, channels) = (arch(), self.scale.len());
        let (picture, piece) = (pixels * channels, self.piece());
        let mut result = vec![0.0; x.len()];
        let pictures = x.chunks_exact(picture).zip(gradient.chunks_exact(picture));
        for ((x, gradient), result) in pictures.zip(result.chunks_exact_mut(picture)) {
            let statistics = &self.statistics(x);
            let pieces = x.par_chunks(piece).zip(gradient.par_chunks(piece));
            let sums =
                pieces.map(|(x, gradient)| arch.dispatch(GradientMoments { layer: self, statistics, x, gradient }));
            let sums = sums.reduce_with(|a, b| a.iter().zip(&b).map(|(a, b)| [a[0] + b[0], a[1] + b[1]]).collect());
            let sums: Vec<[f64; 2]> = sums.unwrap_or_default();
            let per_group = channels / self.norm.groups;
            let count = (pixels * per_group) as f64;
            let mean = |i: usize| {
                let of_group = |group: &[[f64; 2]]| group.iter().map(|sum| sum[i]).sum::<f64>() / count;
                let means = sums.chunks(per_group).map(of_group).map(|mean| mean as f32);
                means.flat_map(|mean| std::iter::repeat_n(mean, per_group)).collect::<Vec<_>>()
            };
            let moments = &[mean(0), mean(1)];
            let pieces = x.par_chunks(piece).zip(gradient.par_chunks(piece));
            result.par_chunks_mut(piece).zip(pieces).for_each(|(result, (x, gradient))| {
                arch.dispatch(InputGradient { layer: self, statistics, moments, x, gradient, result });
            });
        }
        result
    }

    /// Elements that a thread processes at a time, in whole pixels.
    fn piece(&self) -> usize {
        let channels = self.scale.len();
        (PIECE / channels).max(1) * channels
    }

    /// Statistics of the groups of one picture `[pixels, c]`.
    fn statistics(&self, x: &[f32]) -> Statistics {
        let (arch, channels) = (arch(), self.scale.len());
        let moments = x.par_chunks(self.piece()).map(|x| arch.dispatch(Measure { x, channels }));
        let moments = moments.reduce_with(|a, b| a.joined(&b)).unwrap_or_default();
        let per_group = channels / self.norm.groups;
        let group = |channel: usize| channel / per_group * per_group..(channel / per_group + 1) * per_group;
        let of_channel = |channel: usize| {
            let (means, squares) = (&moments.means[group(channel)], &moments.squares[group(channel)]);
            let mean = means.iter().sum::<f64>() / per_group as f64;
            let between = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / per_group as f64;
            let within = squares.iter().sum::<f64>() / (moments.count * per_group as f64);
            (mean as f32, (between + within + f64::from(self.norm.epsilon)).sqrt().recip() as f32)
        };
        let (means, inverse_deviations) = (0..channels).map(of_channel).unzip();
        Statistics { means, inverse_deviations }
    }

    /// Gradient with respect to a normalised value, from the one with respect to the result: through SiLU, and the
    /// scale.
    #[inline(always)]
    fn slope(&self, normed: f32, gradient: f32, scale: f32, shift: f32) -> f32 {
        let through = if self.norm.activate { silu_slope(normed * scale + shift) } else { 1.0 };
        gradient * through * scale
    }
}

/// Mean and inverse deviation of the group of each channel.
struct Statistics {
    means: Vec<f32>,
    /// `1 / sqrt(variance + epsilon)`
    inverse_deviations: Vec<f32>,
}

/// First two moments of each channel.
#[derive(Default)]
struct Moments {
    /// Number of values per channel.
    count: f64,
    means: Vec<f64>,
    /// Sums of the squared deviations from the means.
    squares: Vec<f64>,
}

impl Moments {
    /// The moments of both sets of values ("Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
    /// T. Chan, G. Golub and R. LeVeque, 1979).
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

/// Computes the moments of pixels. The deviations need a second pass, because the difference of the mean square and the
/// squared mean cancels in f32.
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

/// Normalises pixels. The compiler vectorises the plain loops.
struct Normalize<'a> {
    layer: &'a Layer<'a>,
    means: &'a [f32],
    factors: &'a [f32],
    x: &'a [f32],
    normed: &'a mut [f32],
}

impl WithSimd for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { layer, means, factors, x, normed } = self;
        let channels = means.len();
        for (normed, x) in normed.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for ((((normed, x), mean), factor), shift) in
                normed.iter_mut().zip(x).zip(means).zip(factors).zip(layer.shift)
            {
                // The mean first: folded into the shift it would cancel where it is far above the deviation.
                *normed = (x - mean) * factor + shift;
            }
            if layer.norm.activate {
                for v in normed {
                    *v = silu(*v);
                }
            }
        }
    }
}

/// Sums over pixels, for each channel, of the gradient with respect to the normalised input, and of its product with
/// that input.
struct GradientMoments<'a> {
    layer: &'a Layer<'a>,
    statistics: &'a Statistics,
    x: &'a [f32],
    gradient: &'a [f32],
}

impl WithSimd for GradientMoments<'_> {
    type Output = Vec<[f64; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Vec<[f64; 2]> {
        let Self { layer, statistics: Statistics { means, inverse_deviations }, x, gradient } = self;
        let channels = means.len();
        let (mut sums, mut products) = (vec![0.0_f32; channels], vec![0.0_f32; channels]);
        for (x, gradient) in x.chunks_exact(channels).zip(gradient.chunks_exact(channels)) {
            let parameters = means.iter().zip(inverse_deviations).zip(layer.scale.iter().zip(layer.shift));
            let totals = sums.iter_mut().zip(&mut products);
            for ((((mean, inverse), (scale, shift)), (sum, product)), (x, gradient)) in
                parameters.zip(totals).zip(x.iter().zip(gradient))
            {
                let normed = (x - mean) * inverse;
                let slope = layer.slope(normed, *gradient, *scale, *shift);
                *sum += slope;
                *product += slope * normed;
            }
        }
        sums.into_iter().zip(products).map(|(sum, product)| [sum.into(), product.into()]).collect()
    }
}

/// Subtracts the projections onto both means, and divides by the deviation.
struct InputGradient<'a> {
    layer: &'a Layer<'a>,
    statistics: &'a Statistics,
    /// The sums of [`GradientMoments`] as means over the channel's group.
    moments: &'a [Vec<f32>; 2],
    x: &'a [f32],
    gradient: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { layer, statistics, moments: [sums, products], x, gradient, result } = self;
        let Statistics { means, inverse_deviations } = statistics;
        let channels = means.len();
        let pixels = x.chunks_exact(channels).zip(gradient.chunks_exact(channels));
        for (result, (x, gradient)) in result.chunks_exact_mut(channels).zip(pixels) {
            let parameters = means.iter().zip(inverse_deviations).zip(layer.scale.iter().zip(layer.shift));
            let numbers = result.iter_mut().zip(x.iter().zip(gradient));
            for ((((mean, inverse), (scale, shift)), (sum, product)), (result, (x, gradient))) in
                parameters.zip(sums.iter().zip(products)).zip(numbers)
            {
                let normed = (x - mean) * inverse;
                *result = (layer.slope(normed, *gradient, *scale, *shift) - sum - normed * product) * inverse;
            }
        }
    }
}
