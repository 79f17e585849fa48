//! Compression by JPEG: a file says of every coefficient in which cell of its quantisation it lies, and no more.
//!
//! With the cosine transform `T` of blocks of 8x8 values, the means `S` of chroma and the colours `M` (YCbCr of JFIF), the true
//! coefficients `c = T S M x` fulfil `q (k - 1/2) <= c <= q (k + 1/2)` for the steps `q` and whole numbers `k` of the file. The
//! operator is the identity; what is known of the image is a product of such intervals, a [`ConvexSet`]: the middle half of a cell, since true
//! coefficients are denser towards 0 (narrow quantisation constraint, S. H. Park and D. S. Kim, 1999). Coefficients are found again from the
//! decoded pixels, where `c / q` is close to a whole number for all but a few.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::denoising::Identity;
use super::{ConvexSet, Family, Kind, LinearOperator, Preset, StageKind};
use crate::cosine;
use crate::error::{Error, Hint, Result, Setting};
use crate::parameter::{self, Parameter};
use crate::picture::{BLOCK, Compression, QuantizationTable};

/// Compressed by JPEG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jpeg {
    /// Steps, sampling of chroma, and where blocks begin.
    #[serde(flatten)]
    pub compression: Compression,
}

const QUALITY: Parameter = Parameter::new(
    "jpeg_quality",
    "quality of the compression, 1 to 100, where the file does not say it",
    parameter::Kind::Whole { low: 1, high: 100 },
);

/// The kind.
pub static KIND: Kind = Kind {
    name: "jpeg",
    task: "jpeg",
    title: "Compressed by JPEG",
    chosen_by: None,
    parameters: &[QUALITY],
    presets: &[Preset { scale: Some("jpeg_quality"), ..Preset::new("jpeg", "JPEG, its quality as scale") }],
    usual_sigma: Some(0.0),
    parse: |values, context| {
        let given = values.get(QUALITY.name).map(|text| QUALITY.parse(text)).transpose()?;
        let quality = given.and_then(|value| value.as_u64());
        let compression = match (quality, context.damaged().and_then(|photo| photo.compression.as_ref())) {
            (Some(quality), _) => Compression::standard(quality as u32),
            (None, Some(compression)) => compression.clone(),
            (None, None) => {
                let fact = "it is missing, and the photo's file does not say it, which a JPEG in YCbCr or grey would";
                return Err(Error::mismatch(Setting::JPEG_QUALITY, fact, Hint::set(Setting::JPEG_QUALITY, "50")));
            }
        };
        Ok(Jpeg { compression }.into())
    },
    examples: |_| vec![("jpeg", Jpeg { compression: Compression::standard(30) }.into())],
};

impl StageKind for Jpeg {
    fn family(&self) -> Family {
        Family::Quantized { step: 2.0 * self.compression.step() }
    }

    fn check(&self, image: [usize; 3]) -> Result<[usize; 3]> {
        if self.compression.is_plausible() {
            return Ok(image);
        }
        let fact =
            "steps are whole numbers from 1, chroma is sampled at 1 to 4 pixels, and blocks begin in the first of them";
        Err(Error::mismatch("the quantisation of JPEG", fact, "correct it"))
    }

    fn build(&self, image: [usize; 3], _: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(Box::new(Identity::new(image)))
    }

    fn recorded(&self, y: Tensor<4>) -> Tensor<4> {
        Blocks::new(&self.compression, &y).quantized(y)
    }

    fn set_of(&self, y: &Tensor<4>) -> Option<Box<dyn ConvexSet>> {
        Some(Box::new(Cells::around(Blocks::new(&self.compression, y), y)))
    }

    fn may_be_followed(&self) -> bool {
        false
    }

    fn is_uniform(&self) -> bool {
        false
    }

    fn classical_estimate(&self, _: &dyn LinearOperator, y: Tensor<4>, _: f64) -> Result<Tensor<4>> {
        Ok(y)
    }
}

/// Levels of 8 bits in one unit of a `[-1, 1]` image.
const LEVELS: f64 = 127.5;

/// Luma and chroma of RGB, as JFIF has them.
const YCBCR: [[f64; 3]; 3] =
    [[0.299, 0.587, 0.114], [-0.168_735_892, -0.331_264_108, 0.5], [0.5, -0.418_687_589, -0.081_312_411]];

/// The reverse.
const RGB: [[f64; 3]; 3] = [[1.0, 0.0, 1.402], [1.0, -0.344_136_286, -0.714_136_286], [1.0, 1.772, 0.0]];

/// How images of one shape are cut into blocks and transformed.
#[derive(Debug)]
struct Blocks {
    /// Channels, height and width: luma alone, or red, green and blue.
    shape: [usize; 3],
    sampling: [usize; 2],
    /// For every row and column of the whole blocks the one of the image that is there, or the closest.
    within: [Tensor<1, burn::tensor::Int>; 2],
    /// Where the image begins in them.
    origin: [usize; 2],
    /// Steps `[1, 1, h, w]` of every coefficient of each plane.
    steps: Vec<Tensor<4>>,
    /// The matrix of the cosine transform.
    cosines: Tensor<2>,
}

impl Blocks {
    fn new(compression: &Compression, y: &Tensor<4>) -> Self {
        let ([_, channels, height, width], device) = (y.dims(), y.device());
        let origin = compression.origin;
        let sampling = if channels == 1 { [1, 1] } else { compression.sampling };
        let whole = |side: usize, d: usize| {
            let unit = BLOCK * compression.sampling[d];
            (origin[d] + side).div_ceil(unit) * unit
        };
        let padded = [whole(height, 0), whole(width, 1)];
        let index = |d: usize, side: usize| {
            let at = |i: usize| i.saturating_sub(origin[d]).min(side - 1) as i64;
            Tensor::from_data(TensorData::new((0..padded[d]).map(at).collect::<Vec<i64>>(), [padded[d]]), &device)
        };
        let steps = |table: &QuantizationTable, [height, width]: [usize; 2]| {
            let values: Vec<f32> = table.iter().flatten().map(|&step| step.into()).collect();
            let block = Tensor::<4>::from_data(TensorData::new(values, [1, 1, BLOCK, BLOCK]), &device);
            block.repeat(&[1, 1, height / BLOCK, width / BLOCK])
        };
        let chroma = [padded[0] / sampling[0], padded[1] / sampling[1]];
        let planes = (0..channels).map(|c| steps(&compression.tables[c], if c == 0 { padded } else { chroma }));
        let matrix: Vec<f32> = cosine::matrix().as_flattened().iter().map(|&value| value as f32).collect();
        Self {
            shape: [channels, height, width],
            sampling,
            within: [index(0, height), index(1, width)],
            origin,
            steps: planes.collect(),
            cosines: Tensor::from_data(TensorData::new(matrix, [BLOCK, BLOCK]), &device),
        }
    }

    /// Coefficients `[b, 1, h, w]` of luma and chroma, in levels of 8 bits, each in the place of a pixel of its block.
    fn coefficients(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        // JPEG takes 128 from its levels.
        let levels = x * LEVELS - 0.5;
        let [rows, columns] = self.within.clone();
        let whole = levels.select(2, rows).select(3, columns);
        let planes = match self.shape[0] {
            1 => vec![whole],
            _ => YCBCR.iter().enumerate().map(|(k, row)| self.sampled(weighted(&whole, row), k)).collect(),
        };
        planes.into_iter().map(|plane| self.transformed(plane, &self.cosines)).collect()
    }

    /// The image that differences of coefficients make.
    fn image(&self, coefficients: Vec<Tensor<4>>) -> Tensor<4> {
        let back = self.cosines.clone().transpose();
        let planes: Vec<Tensor<4>> = coefficients
            .into_iter()
            .enumerate()
            .map(|(k, plane)| self.spread(self.transformed(plane, &back), k))
            .collect();
        let whole = Tensor::cat(planes, 1);
        let whole = match self.shape[0] {
            1 => whole,
            _ => Tensor::cat(RGB.iter().map(|row| weighted(&whole, row)).collect(), 1),
        };
        let ([_, height, width], [top, left]) = (self.shape, self.origin);
        whole.narrow(2, top, height).narrow(3, left, width) / LEVELS
    }

    /// Means of the pixels that share a sample of plane `k`.
    fn sampled(&self, plane: Tensor<4>, k: usize) -> Tensor<4> {
        let ([b, _, h, w], [v, u]) = (plane.dims(), self.sampling);
        if k == 0 || [v, u] == [1, 1] {
            return plane;
        }
        let cells = plane.reshape([b, h / v, v, w / u, u]);
        cells.mean_dim(4).mean_dim(2).reshape([b, 1, h / v, w / u])
    }

    /// The reverse: every pixel has its sample.
    fn spread(&self, plane: Tensor<4>, k: usize) -> Tensor<4> {
        let ([b, _, h, w], [v, u]) = (plane.dims(), self.sampling);
        if k == 0 || [v, u] == [1, 1] {
            return plane;
        }
        plane.reshape([b, h, 1, w, 1]).repeat(&[1, 1, v, 1, u]).reshape([b, 1, h * v, w * u])
    }

    /// `C B Cᵀ` of every block `B` of a plane.
    fn transformed(&self, plane: Tensor<4>, matrix: &Tensor<2>) -> Tensor<4> {
        let [b, _, h, w] = plane.dims();
        let columns = matrix.clone().unsqueeze::<3>().matmul(plane.reshape([b * h / BLOCK, BLOCK, w]));
        let rows = columns.reshape([b * h * w / BLOCK, BLOCK]).matmul(matrix.clone().transpose());
        rows.reshape([b, 1, h, w])
    }

    /// What a file keeps of an image: coefficients at whole steps, values at whole levels.
    fn quantized(&self, x: Tensor<4>) -> Tensor<4> {
        let kept = self.coefficients(x).into_iter().zip(&self.steps);
        let whole = kept.map(|(c, step)| (c / step.clone()).round() * step.clone());
        let levels = (self.image(whole.collect()) * LEVELS).round() + 0.5;
        (levels / LEVELS).clamp(-1.0, 1.0)
    }
}

/// The sum of the channels of `x` by their weights, `[b, 1, h, w]`.
fn weighted(x: &Tensor<4>, weights: &[f64; 3]) -> Tensor<4> {
    let parts = weights.iter().enumerate().map(|(c, &weight)| x.clone().narrow(1, c, 1) * weight);
    parts.reduce(|sum, part| sum + part).expect("there are three channels")
}

/// The images whose coefficients lie in the cells of a file.
#[derive(Debug)]
struct Cells {
    blocks: Blocks,
    low: Vec<Tensor<4>>,
    high: Vec<Tensor<4>>,
}

/// Coefficients this far from a whole number of steps are those of the file; further away they are so less and less, up to twice as far:
/// the decoder cut their block's colours off, or interpolated chroma. Those are known to within a step.
const FOUND: f64 = 0.2;
/// Share of a cell, to either side of its middle, that is kept: coefficients are dense around 0, so that the true ones lie closer to the
/// middle than to the edge (the narrow quantisation constraint of S. H. Park and D. S. Kim, 1999). Chosen on four pictures at quality 10,
/// 30 and 50. It leaves room for rounding to 8 bits, too.
const NARROW: f64 = 0.25;

/// Coefficients this far from their cells, in levels of 8 bits, are in them: pixels are rounded.
const ROUNDED: f64 = 0.5;

impl Cells {
    /// The cells that hold the coefficients of a decoded picture.
    fn around(blocks: Blocks, y: &Tensor<4>) -> Self {
        let bounds = blocks.coefficients(y.clone()).into_iter().zip(&blocks.steps).map(|(c, step)| {
            let whole = (c.clone() / step.clone()).round() * step.clone();
            let off = c - whole.clone();
            let lost = ((off.clone().abs() / step.clone() - FOUND) / FOUND).clamp(0.0, 1.0);
            let center = whole + off * lost.clone();
            let half = step.clone() * (lost * (1.0 - NARROW) + NARROW);
            (center.clone() - half.clone(), center + half)
        });
        let (low, high) = bounds.unzip();
        Self { blocks, low, high }
    }
}

impl ConvexSet for Cells {
    fn nearest(&self, ax: Tensor<4>) -> Tensor<4> {
        let found = self.blocks.coefficients(ax.clone());
        let bounds = self.low.iter().zip(&self.high);
        let moved = found.into_iter().zip(bounds).map(|(c, (low, high))| {
            let inside = c.clone().max_pair(low.clone()).min_pair(high.clone());
            inside - c
        });
        ax + self.blocks.image(moved.collect())
    }

    /// The share of the coefficients outside the cells of the file, not of their narrower ones.
    fn outside(&self, ax: Tensor<4>) -> Tensor<1> {
        let found = self.blocks.coefficients(ax).into_iter().zip(self.low.iter().zip(&self.high));
        let (mut outside, mut all) = (Tensor::zeros([1], &self.low[0].device()), 0.0);
        for ((c, (low, high)), step) in found.zip(&self.blocks.steps) {
            let off = (c - (low.clone() + high.clone()) / 2.0).abs();
            all += off.shape().num_elements() as f64;
            outside = outside + (off - step.clone() / 2.0).greater_elem(ROUNDED).float().sum();
        }
        outside / all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(x: &Tensor<4>) -> Vec<f32> {
        x.clone().try_into_vec_as::<f32>().unwrap()
    }

    fn largest(x: Tensor<4>) -> f32 {
        values(&x.abs()).into_iter().fold(0.0, f32::max)
    }

    /// Smooth with some texture, its sides no multiples of a block's.
    fn image(channels: usize, [height, width]: [usize; 2]) -> Tensor<4> {
        let at = |c: usize, y: usize, x: usize| {
            let (y, x) = (y as f64, x as f64);
            0.5 * ((0.21 * x + 0.13 * y + c as f64).sin() * (0.07 * y).cos()) + 0.1 * (1.9 * x + 2.3 * y).sin()
        };
        let values: Vec<f32> = (0..channels * height * width)
            .map(|i| at(i / (height * width), i / width % height, i % width) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, [1, channels, height, width]), &Device::flex())
    }

    fn compressions() -> Vec<Compression> {
        let some = Compression { sampling: [1, 2], origin: [3, 5], ..Compression::standard(40) };
        vec![Compression::standard(10), Compression::standard(75), some]
    }

    #[test]
    fn transforms_of_whole_blocks_invert_each_other() {
        for channels in [1, 3] {
            let x = image(channels, [32, 48]);
            let blocks = Blocks::new(&Compression { sampling: [1, 1], ..Compression::standard(50) }, &x);
            let back = blocks.image(blocks.coefficients(x.clone())) + 0.5 / LEVELS;
            assert!(largest(back - x) < 1e-5);
        }
    }

    #[test]
    fn the_nearest_image_of_a_set_is_in_it() {
        for compression in compressions() {
            for channels in [1, 3] {
                let unit = compression.sampling.map(|side| 2 * BLOCK * side);
                let size = [0, 1].map(|d| unit[d] - compression.origin[d]);
                let y = Jpeg { compression: compression.clone() }.recorded(image(channels, size));
                let set = Cells::around(Blocks::new(&compression, &y), &y);
                let x = image(channels, size) * 0.9 + 0.02;
                let once = set.nearest(x.clone());
                assert!(largest(once.clone() - x) > 0.0, "it is not in the set");
                // At the upper and left border, pixels of the first blocks are missing.
                if compression.origin == [0, 0] {
                    assert!(largest(set.nearest(once.clone()) - once) < 1e-4, "{compression:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_recorded_twice_is_what_is_recorded() {
        let compression = Compression::standard(30);
        let stage = Jpeg { compression };
        let once = stage.recorded(image(3, [48, 64]));
        assert!(largest(stage.recorded(once.clone()) - once) < 2.5 / 127.5);
    }
}
