//! The noise of a photo.
//!
//! Of all blocks of 8x8 pixels, those with the least energy at low frequencies hold the least texture; what they hold at high
//! frequencies is noise (after N. Ponomarenko et al., "An automatic approach to lossy compression of AVIRIS images", 2007).
//! Blocks are chosen by other coefficients of the cosine transform than those that are measured, so that the choice does not
//! favour blocks in which the noise happens to be weak. Blocks that are flat, cut off by black or white, or transparent say nothing and are left
//! out. Red, green and blue are measured together: noise of luma alone shows in their covariance.
//!
//! Where even the smoothest blocks hold texture, which red, green and blue share, noise that they do not share is told by the directions of
//! colour in which they vary least.
//!
//! White noise is halved by means of 2x2 pixels. Where the picture of half the size has more than that, and the one of a quarter
//! not much more again as texture would have, the grains of the noise are larger than a pixel: it went through JPEG, a demosaicing
//! or an enlargement, and the finest frequencies say nothing of it.

use nalgebra::{Matrix3, SMatrix};

use crate::cosine;
use crate::picture::{Picture, is_cut_off};

/// The noise of a photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseEstimate {
    /// Standard deviation, the root mean square over the channels, of pixels in `[0, 1]`.
    pub sigma: f64,
    /// Covariance of red, green and blue over `sigma²`; its mean variance is 1.
    pub covariance: [[f64; 3]; 3],
    /// How large its grains are.
    pub grain: Grain,
    /// How far the estimate is to be trusted.
    pub confidence: Confidence,
}

/// How large the grains of noise are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// A pixel: neighbours are independent.
    Fine,
    /// Several pixels.
    Coarse,
}

/// How far an estimate is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Where noise is white, it was found to be right to 5% or 0.6/255 on nine photos of ten.
    High,
    /// It is the right order of magnitude.
    Low,
    /// There was nothing to measure: everything is flat, cut off, transparent or too small.
    None,
}

/// Noise below this is that of a clean photo's rounding and compression.
const CLEAN: f64 = 0.8 / 255.0;
/// Noise above this is told from fine texture.
const SURE: f64 = 2.0 / 255.0;
/// Correlation from which on noise is taken to be shared by the channels: fine texture that is taken for weak noise has less.
const SHARED: f64 = 0.35;
/// Roughness below which the smoothest blocks hold white noise, which has 1, and little else.
const WHITE: f64 = 3.0;
/// Roughness above which they hold more texture than noise.
const TEXTURE: f64 = 6.0;
/// Roughness that only enlarged pictures have.
const SMOOTHED: f64 = 50.0;
/// Spread below which they hold noise, which is the same everywhere.
const EVEN: f64 = 1.2;
/// The quantisation of JPEG hides weaker noise only.
const QUANTIZED: f64 = 8.0 / 255.0;

impl NoiseEstimate {
    /// Of a photo that gives no reason to suspect any.
    const NONE: Self = Self {
        sigma: 0.0,
        covariance: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        grain: Grain::Fine,
        confidence: Confidence::None,
    };

    /// Whether there is too little to take away.
    pub fn is_clean(&self) -> bool {
        self.sigma < CLEAN
    }

    /// Mean correlation of two channels.
    pub fn correlation(&self) -> f64 {
        correlation(&self.covariance)
    }

    /// Whether the channels share it, so far that treating them as independent would leave some.
    pub fn is_shared(&self) -> bool {
        self.sigma >= SURE && self.correlation() >= SHARED
    }

    /// One sentence.
    pub fn describe(&self) -> String {
        if self.confidence == Confidence::None {
            return "its noise cannot be measured, and is taken to be none: give the level if there is any".into();
        }
        if self.is_clean() {
            return format!("already clean: its noise is about {:.1}/255", self.sigma * 255.0);
        }
        let grain = match self.grain {
            Grain::Fine => "",
            Grain::Coarse => " in grains larger than a pixel (JPEG, demosaicing or enlargement)",
        };
        let shared = if self.is_shared() { " that the channels share" } else { "" };
        let confidence = match self.confidence {
            Confidence::High => "high confidence",
            Confidence::Low | Confidence::None => "low confidence: give the level if it is known",
        };
        format!("noise of about {:.3} ({:.1}/255){shared}{grain}, {confidence}", self.sigma, self.sigma * 255.0)
    }
}

/// Mean correlation of two channels, of a covariance of mean variance 1.
fn correlation([[_, a, b], [_, _, c], _]: &[[f64; 3]; 3]) -> f64 {
    (a + b + c) / 3.0
}

/// Estimates the noise of a photo.
pub fn noise(photo: &Picture) -> NoiseEstimate {
    let whole = Planes::of(photo);
    let halved = whole.halved();
    let sizes = [(&whole, 1.0, 3), (&halved, 2.0, 2), (&halved.halved(), 4.0, 1)];
    let [fine, half, quarter] =
        sizes.map(|(planes, scale, stride)| planes.smoothest(stride).map(|smoothest| smoothest.times(scale)));
    let Some(fine) = fine else {
        return NoiseEstimate::NONE;
    };
    if let (Some(half), Some(quarter)) = (&half, &quarter)
        && is_coarse(&fine, half, quarter)
    {
        // Grains of two or of four pixels: the mean, by ratios, of what both sizes say.
        let sigma = (half.sigma() * quarter.sigma().min(2.0 * half.sigma())).sqrt();
        let covariance = half.normalized();
        return NoiseEstimate { sigma, covariance, grain: Grain::Coarse, confidence: Confidence::Low };
    }
    let covariance = fine.normalized();
    // Texture is mostly of luma: where there is some, what colours hold is the noise of channels that do not share it.
    let independent = fine.independent();
    let is_textured = fine.roughness > TEXTURE || fine.roughness > WHITE && fine.correlation() < SHARED;
    if is_textured && independent >= CLEAN {
        let covariance = NoiseEstimate::NONE.covariance;
        let is_sure = fine.roughness <= TEXTURE && independent >= SURE;
        let confidence = if is_sure { Confidence::High } else { Confidence::Low };
        return NoiseEstimate { sigma: independent, covariance, grain: Grain::Fine, confidence };
    }
    if fine.roughness > TEXTURE {
        // Even the smoothest blocks hold more texture than noise.
        let sigma = fine.sigma().min(CLEAN / 2.0);
        return NoiseEstimate { sigma, covariance, grain: Grain::Fine, confidence: Confidence::Low };
    }
    let sigma = fine.sigma();
    let sure = sigma < CLEAN || sigma >= SURE && fine.roughness < WHITE;
    let confidence = if sure { Confidence::High } else { Confidence::Low };
    let estimate = NoiseEstimate { sigma, covariance, grain: Grain::Fine, confidence };
    // Noise that the channels share went through luma: what is left of colour has the larger grains of subsampled chroma.
    match half {
        Some(half) if estimate.is_shared() => NoiseEstimate { covariance: half.normalized(), ..estimate },
        _ => estimate,
    }
}

/// Whether there is noise with grains larger than a pixel, which the finest frequencies hide.
fn is_coarse(fine: &Smoothest, half: &Smoothest, quarter: &Smoothest) -> bool {
    if half.sigma() < SURE || half.sigma() < 1.5 * fine.sigma() || fine.roughness < WHITE {
        return false;
    }
    // Texture grows with the scale, noise does not.
    let is_white = half.roughness < WHITE && quarter.sigma() < 1.75 * half.sigma();
    let is_even = half.spread < EVEN;
    let enlarged = fine.roughness > SMOOTHED;
    let compressed = half.sigma() <= QUANTIZED;
    is_white && (enlarged || compressed) || is_even && enlarged
}

/// Side of a block.
const SIDE: usize = cosine::SAMPLES;
/// Coefficients of the cosine transform whose indices sum up to this or more are measured; the others say how much texture a
/// block has.
const HIGH: usize = 11;
/// Number of those coefficients.
const MEASURED: usize = 10;
/// Share of the blocks that is measured: those with the least texture.
const SMOOTHEST: f64 = 0.1;
/// No more blocks than about this are looked at.
const ENOUGH: usize = 40_000;
/// Fewer blocks say nothing.
const LEAST: usize = 16;
/// Fewer blocks are too few to be choosy.
const FEW: usize = 64;

type Block = SMatrix<f64, SIDE, SIDE>;

/// Red, green and blue, each `NaN` where transparent.
struct Planes {
    values: [Vec<f32>; 3],
    size: [usize; 2],
}

/// What is measured of a block.
struct Measured {
    means: [f64; 3],
    /// Energy at low frequencies without the mean.
    texture: f64,
    /// Share of samples that are black or white.
    cut_off: f64,
    /// Coefficients at high frequencies.
    high: [[f64; 3]; MEASURED],
}

/// What the smoothest blocks of a picture say.
struct Smoothest {
    /// Covariance of red, green and blue at high frequencies.
    covariance: Matrix3<f64>,
    /// Energy a coefficient at low frequencies, over that at high frequencies.
    roughness: f64,
    /// How much blocks differ: the root of the ratio of the energies at low frequencies that a tenth and a fiftieth of them do not
    /// reach.
    spread: f64,
}

impl Smoothest {
    /// Standard deviation, the root mean square over the channels.
    fn sigma(&self) -> f64 {
        (self.covariance.trace() / 3.0).max(0.0).sqrt()
    }

    /// Standard deviation in the two directions of colour in which there is least.
    fn independent(&self) -> f64 {
        let variances = self.covariance.symmetric_eigenvalues();
        ((variances.sum() - variances.max()) / 2.0).max(0.0).sqrt()
    }

    /// Mean correlation of two channels.
    fn correlation(&self) -> f64 {
        correlation(&self.normalized())
    }

    /// The covariance with a mean variance of 1.
    fn normalized(&self) -> [[f64; 3]; 3] {
        match self.covariance.trace() / 3.0 {
            mean if mean > 0.0 => (self.covariance / mean).into(),
            _ => NoiseEstimate::NONE.covariance,
        }
    }

    /// The same of noise that many times as strong.
    fn times(self, scale: f64) -> Self {
        Self { covariance: self.covariance * (scale * scale), ..self }
    }
}

impl Planes {
    fn of(photo: &Picture) -> Self {
        let size = [photo.height(), photo.width()];
        let opaque = |i: usize| photo.extras.alpha.as_ref().is_none_or(|alpha| alpha.as_raw()[i] > 0.0);
        let plane = |c: usize| {
            let values = photo.pixels().pixels().enumerate();
            values.map(|(i, pixel)| if opaque(i) { pixel[c] } else { f32::NAN }).collect()
        };
        Self { values: [0, 1, 2].map(plane), size }
    }

    /// Means of 2x2 pixels.
    fn halved(&self) -> Self {
        let [height, width] = self.size.map(|side| side / 2);
        let plane = |values: &Vec<f32>| {
            let at = |y: usize, x: usize| values[y * self.size[1] + x];
            let mean = |y: usize, x: usize| (at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1)) / 4.0;
            (0..height * width).map(|i| mean(2 * (i / width), 2 * (i % width))).collect()
        };
        Self { values: self.values.each_ref().map(plane), size: [height, width] }
    }

    /// The smoothest of blocks `stride` pixels apart, or more in large pictures.
    fn smoothest(&self, stride: usize) -> Option<Smoothest> {
        let mut blocks = self.blocks(stride);
        let whole = blocks.iter().filter(|block| block.cut_off <= 0.1).count();
        let tolerated = if whole >= FEW { 0.1 } else { 0.5 };
        blocks.retain(|block| block.cut_off <= tolerated);
        if blocks.len() < LEAST {
            return None;
        }
        blocks.sort_by(|a, b| a.texture.total_cmp(&b.texture));
        let reached = |share: f64| blocks[(blocks.len() as f64 * share) as usize].texture;
        let spread = (reached(SMOOTHEST) / reached(SMOOTHEST / 5.0).max(f64::MIN_POSITIVE)).sqrt();
        let mut covariance = Matrix3::<f64>::zeros();
        let mut texture = 0.0;
        // Blocks whose noise is cut off are known once the noise is.
        for _ in 0..3 {
            let room = 2.0 * (covariance.trace() / 3.0).max(0.0).sqrt();
            let inside = |block: &&Measured| block.means.iter().all(|&mean| mean >= room && mean <= 1.0 - room);
            let mut chosen: Vec<&Measured> = blocks.iter().filter(inside).collect();
            if chosen.len() < FEW {
                chosen = blocks.iter().collect();
            }
            let count = ((chosen.len() as f64 * SMOOTHEST) as usize).max(LEAST);
            chosen.truncate(count);
            covariance = median_covariance(&chosen);
            texture = chosen.iter().map(|block| block.texture).sum::<f64>() / count as f64;
        }
        let rest = (SIDE * SIDE - 1 - MEASURED) as f64;
        let roughness = texture / rest / covariance.trace().max(f64::MIN_POSITIVE);
        Some(Smoothest { covariance, roughness, spread })
    }

    /// The blocks that hold anything, opaque.
    fn blocks(&self, stride: usize) -> Vec<Measured> {
        let [height, width] = self.size;
        if height < SIDE || width < SIDE {
            return Vec::new();
        }
        let count = |stride: usize| ((height - SIDE) / stride + 1) * ((width - SIDE) / stride + 1);
        // By two, so that an odd distance stays odd and blocks lie in every phase of a grid of JPEG.
        let stride = (stride..).step_by(2).find(|&stride| count(stride) <= ENOUGH).unwrap_or(stride);
        let cosines = cosine::matrix();
        let transform = Block::from_fn(|k, n| cosines[k][n]);
        let places = (0..=height - SIDE).step_by(stride).flat_map(|y| {
            let columns = (0..=width - SIDE).step_by(stride);
            columns.map(move |x| (y, x))
        });
        places.filter_map(|(y, x)| self.measured(y, x, &transform)).collect()
    }

    /// The block at a place, if it is opaque and not flat.
    fn measured(&self, y: usize, x: usize, transform: &Block) -> Option<Measured> {
        if self.is_flat(y, x) {
            return None;
        }
        let mut measured = Measured { means: [0.0; 3], texture: 0.0, cut_off: 0.0, high: [[0.0; 3]; MEASURED] };
        for (c, values) in self.values.iter().enumerate() {
            let at = |i: usize, j: usize| values[(y + i) * self.size[1] + x + j];
            let mut cut_off = 0;
            for value in (0..SIDE * SIDE).map(|k| at(k / SIDE, k % SIDE)) {
                if value.is_nan() {
                    return None;
                }
                cut_off += usize::from(is_cut_off(value));
            }
            let block = Block::from_fn(|i, j| f64::from(at(i, j)));
            let coefficients = transform * block * transform.transpose();
            measured.means[c] = coefficients[(0, 0)] / SIDE as f64;
            measured.cut_off += cut_off as f64 / (3 * SIDE * SIDE) as f64;
            let mut n = 0;
            for (i, j) in (0..SIDE * SIDE).map(|k| (k / SIDE, k % SIDE)) {
                let value = coefficients[(i, j)];
                if i + j >= HIGH {
                    measured.high[n][c] = value;
                    n += 1;
                } else if i + j > 0 {
                    measured.texture += value * value;
                }
            }
        }
        Some(measured)
    }

    /// Whether a quarter of the pixels of a block, or more, are what their neighbours on the left are, or all are within a step of 8
    /// bits: drawn, cut out, or clipped.
    fn is_flat(&self, y: usize, x: usize) -> bool {
        let at = |c: usize, i: usize, j: usize| self.values[c][(y + i) * self.size[1] + x + j];
        let same = |i: usize, j: usize| (0..3).all(|c| at(c, i, j) == at(c, i, j - 1));
        let places = || (0..SIDE).flat_map(|i| (1..SIDE).map(move |j| (i, j)));
        let equal = places().filter(|&(i, j)| same(i, j)).count();
        let step = |c: usize| places().all(|(i, j)| (at(c, i, j) - at(c, 0, 0)).abs() <= 1.5 / 255.0);
        4 * equal >= SIDE * (SIDE - 1) || (0..3).all(step)
    }
}

/// The median over the coefficients of the covariance of red, green and blue.
fn median_covariance(blocks: &[&Measured]) -> Matrix3<f64> {
    let of_coefficient = |k: usize| -> Matrix3<f64> {
        let sum = blocks.iter().fold(Matrix3::zeros(), |sum: Matrix3<f64>, block| {
            let value = nalgebra::Vector3::from(block.high[k]);
            sum + value * value.transpose()
        });
        sum / blocks.len() as f64
    };
    let all: [Matrix3<f64>; MEASURED] = std::array::from_fn(of_coefficient);
    Matrix3::from_fn(|i, j| {
        let mut values = all.map(|covariance| covariance[(i, j)]);
        values.sort_by(f64::total_cmp);
        (values[MEASURED / 2 - 1] + values[MEASURED / 2]) / 2.0
    })
}
