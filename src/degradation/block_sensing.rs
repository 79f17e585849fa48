//! Compressed sensing by blocks: `y` `[b, c, 1, m]` are random orthonormal measurements of each 32 x 32 block.
//!
//! The matrix of a block has orthonormal rows, so `A Aᵀ = I`. Blocks at the right and bottom border are smaller where 32
//! does not divide the side, with a matrix of their own.

use burn::tensor::{Device, Tensor, TensorData};
use nalgebra::DMatrix;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::operator::filter_flat;
use super::{
    Family, Kind, LinearOperator, Preconditioner, Preset, Spectral, StageKind, check_ratio, share, walsh_hadamard,
};
use crate::error::Result;
use crate::noise::{Stream, generator};

/// Side of a block.
const BLOCK: usize = 32;

/// Random orthonormal measurements of 32 x 32 blocks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockSensing {
    /// Measurements per pixel, in (0, 1].
    pub ratio: f64,
    /// Seed of the measurement matrix.
    pub seed: u64,
}

/// The kind.
pub static KIND: Kind = Kind {
    name: "cs_blockbased",
    task: "cs",
    title: "Measured by compressed sensing",
    chosen_by: Some(("sensing", "blocks")),
    parameters: &[walsh_hadamard::RATIO, walsh_hadamard::SENSING],
    presets: &[Preset { scale: Some("ratio"), ..Preset::new("cs_blockbased", "Random projections of blocks") }],
    usual_sigma: None,
    parse: |values, context| Ok(BlockSensing { ratio: walsh_hadamard::ratio(values)?, seed: context.seed }.into()),
    examples: |_| vec![("cs_blockbased", BlockSensing { ratio: 0.25, seed: 3 }.into())],
};

impl StageKind for BlockSensing {
    fn family(&self) -> Family {
        Family::Sensing
    }

    fn check(&self, [channels, height, width]: [usize; 3]) -> Result<[usize; 3]> {
        check_ratio(self.ratio)?;
        let of_row = |(_, down, block_height): (usize, usize, usize)| -> usize {
            let of_blocks =
                spans(width).into_iter().map(|(_, across, block_width)| (across, block_height * block_width));
            of_blocks.map(|(across, pixels)| down * across * share(self.ratio, pixels)).sum()
        };
        Ok([channels, 1, spans(height).into_iter().map(of_row).sum()])
    }

    fn build(&self, image: [usize; 3], device: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(Box::new(BlockProjections::new(self.ratio, self.seed, image, device)))
    }

    fn seed(&self) -> Option<u64> {
        Some(self.seed)
    }
}

/// Random projections of blocks.
pub struct BlockProjections {
    shape: [usize; 3],
    size: [usize; 2],
    regions: Vec<Region>,
}

/// A rectangle of equal blocks.
#[derive(Debug)]
struct Region {
    top: usize,
    left: usize,
    /// Blocks down and across.
    grid: [usize; 2],
    /// Height and width of a block.
    block: [usize; 2],
    /// Orthonormal rows `[1, measurements, pixels]`.
    matrix: Tensor<3>,
}

impl BlockProjections {
    /// `ratio` measurements a pixel of images `[channels, height, width]`, drawn from `seed`.
    pub fn new(ratio: f64, seed: u64, shape: [usize; 3], device: &Device) -> Self {
        let [_, height, width] = shape;
        let mut regions = Vec::new();
        for (top, down, block_height) in spans(height) {
            for (left, across, block_width) in spans(width) {
                let pixels = block_height * block_width;
                let measured = share(ratio, pixels);
                let matrix = orthonormal_rows(measured, pixels, seed, Stream::SensingMatrix(regions.len()), device);
                let (grid, block) = ([down, across], [block_height, block_width]);
                regions.push(Region { top, left, grid, block, matrix });
            }
        }
        Self { shape, size: [height, width], regions }
    }
}

impl LinearOperator for BlockProjections {
    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn measured_shape(&self) -> [usize; 3] {
        [self.shape[0], 1, self.regions.iter().map(Region::measurements).sum()]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, _, _] = x.dims();
        let parts = self.regions.iter().map(|region| region.measure(&x).reshape([b as i32, c as i32, 1, -1]));
        Tensor::cat(parts.collect(), 3)
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        let ([b, c, _, _], [h, w]) = (y.dims(), self.size);
        let mut x = Tensor::zeros([b, c, h, w], &y.device());
        let mut start = 0;
        for region in &self.regions {
            let count = region.measurements();
            let part = region.spread(y.clone().narrow(3, start, count), b, c);
            x = x.slice_assign([0..b, 0..c, region.rows(), region.columns()], part);
            start += count;
        }
        x
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        y * p.gain(1.0)
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for BlockProjections {
    fn singular_values(&self) -> Vec<f32> {
        vec![1.0; self.regions.iter().map(Region::measurements).sum()]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        filter_flat(self, 1.0, x, f)
    }
}

impl Region {
    fn rows(&self) -> std::ops::Range<usize> {
        self.top..self.top + self.grid[0] * self.block[0]
    }

    fn columns(&self) -> std::ops::Range<usize> {
        self.left..self.left + self.grid[1] * self.block[1]
    }

    fn measurements(&self) -> usize {
        self.grid[0] * self.grid[1] * self.matrix.dims()[1]
    }

    /// Measurements `[b c, m, blocks]` of the region of `x`.
    fn measure(&self, x: &Tensor<4>) -> Tensor<3> {
        let ([b, c, _, _], [down, across], [h, w]) = (x.dims(), self.grid, self.block);
        let region = x.clone().slice([0..b, 0..c, self.rows(), self.columns()]);
        let blocks = region.reshape([b * c, down, h, across, w]).permute([0, 2, 4, 1, 3]);
        self.matrix.clone().matmul(blocks.reshape([b * c, h * w, down * across]))
    }

    /// The adjoint of [`Region::measure`].
    fn spread(&self, y: Tensor<4>, b: usize, c: usize) -> Tensor<4> {
        let ([down, across], [h, w]) = (self.grid, self.block);
        let measured = y.reshape([b * c, self.matrix.dims()[1], down * across]);
        let blocks = self.matrix.clone().swap_dims(1, 2).matmul(measured);
        let rows = blocks.reshape([b * c, h, w, down, across]).permute([0, 3, 1, 4, 2]);
        rows.reshape([b, c, down * h, across * w])
    }
}

/// `(start, count, size)` of the whole blocks along a side, and of the smaller one behind them.
fn spans(side: usize) -> Vec<(usize, usize, usize)> {
    let (whole, rest) = (side / BLOCK, side % BLOCK);
    let mut spans = Vec::new();
    if whole > 0 {
        spans.push((0, whole, BLOCK));
    }
    if rest > 0 {
        spans.push((whole * BLOCK, 1, rest));
    }
    spans
}

fn orthonormal_rows(rows: usize, columns: usize, seed: u64, stream: Stream, device: &Device) -> Tensor<3> {
    let mut random = generator(seed, stream);
    let gaussian = DMatrix::<f64>::from_fn(columns, rows, |_, _| StandardNormal.sample(&mut random));
    let q = gaussian.qr().q();
    let values: Vec<f32> = q.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, [1, rows, columns]), device)
}
