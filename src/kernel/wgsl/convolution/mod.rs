//! Convolutions on wgpu as products of matrices: F(4x4, 3x3) of "Fast Algorithms for Convolutional Neural Networks" (A.
//! Lavin and S. Gray, 2016) where there are enough tiles, else im2col.

mod im2col;
mod winograd;

use burn::backend::wgpu::{CubeTensor, into_contiguous};
use burn::tensor::Shape;

use super::matrix::Block;
use super::shader::Entry;
use crate::kernel::convolution::{Sampling, shape};

/// The shaders of this folder.
pub(super) fn shaders() -> Vec<Entry> {
    [im2col::shaders(), winograd::shaders()].concat()
}

/// Names of the buffers of [`part::residual`].
fn pixel_buffers(residual: bool) -> &'static [&'static str] {
    match residual {
        true => &["products", "bias", "residual", "convolved"],
        false => &["products", "bias", "convolved"],
    }
}

/// Elements of transformed inputs, and of products, that are in memory at a time.
const BAND: usize = 4 << 20;
/// Smallest number of tiles for which transforming the weights pays off.
const MANY_TILES: usize = 32;

/// See [`crate::kernel::convolution::convolve_add`]; the residual is optional, and `block` is that of the products.
pub(super) fn convolve(
    x: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    residual: Option<CubeTensor>,
    sampling: Sampling,
    block: Block,
) -> CubeTensor {
    let [x, weight, bias] = [x, weight, bias].map(into_contiguous);
    let residual = residual.map(into_contiguous);
    let result = shape(x.meta.shape(), weight.meta.shape(), &sampling);
    let [down, across] = [result[2].div_ceil(winograd::TILE), result[3].div_ceil(winograd::TILE)];
    let taps = weight.meta.shape()[0];
    let many_tiles = result[0] * down * across >= MANY_TILES;
    let convolution = Convolution { x, weight, bias, residual, sampling, block, result, down, across };
    if taps == 3 && sampling.stride() == 1 && many_tiles { convolution.winograd() } else { convolution.direct() }
}

struct Convolution {
    x: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    residual: Option<CubeTensor>,
    sampling: Sampling,
    block: Block,
    /// Shape of the result.
    result: Shape,
    /// Tiles in a column and in a row of the result.
    down: usize,
    across: usize,
}

impl Convolution {
    fn taps(&self) -> usize {
        self.weight.meta.shape()[0]
    }

    fn inputs(&self) -> usize {
        self.weight.meta.shape()[2]
    }

    /// 1 if the picture is doubled first, else 0.
    fn doubled(&self) -> u32 {
        u32::from(self.sampling == Sampling::Double)
    }

    /// The inputs among [`pixel_buffers`].
    fn pixel_inputs<'a>(&'a self, products: &'a CubeTensor) -> Vec<&'a CubeTensor> {
        let mut buffers = vec![products, &self.bias];
        buffers.extend(&self.residual);
        buffers
    }

    /// Splits `count` items of `each` elements into chunks `(first, length)` of at most about `limit` elements; lengths
    /// are rounded up to whole blocks.
    fn chunks(&self, count: usize, each: usize, limit: usize) -> Vec<(usize, usize)> {
        let block = self.block.0;
        let fitting = (limit / each / block).max(1) * block;
        let length = |first: usize| fitting.min((count - first).next_multiple_of(block));
        (0..count).step_by(fitting).map(|first| (first, length(first))).collect()
    }
}
