//! Convolutions on wgpu, as products of matrices: what is gathered from the picture times the prepared weights, put together
//! to pixels again. F(4x4, 3x3) where there are enough tiles, else every tap is a part of the sum.

use burn::backend::wgpu::{CubeTensor, into_contiguous};
use burn::tensor::Shape;
use serde::{Deserialize, Serialize};

use super::{Shader, Value, empty};
use crate::kernel::convolution::{Sampling, shape};

/// Sums a thread keeps in registers, a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Block(pub usize);

/// Elements of gathered inputs, and of products, that are in memory at a time.
const BAND: usize = 4 << 20;
/// Elements of transformed weights that are in memory at a time: half of what every device's buffers hold.
const PANEL: usize = 16 << 20;
/// Tiles from which on transforming the weights pays.
const MANY_TILES: usize = 32;
/// Pixels a side of a tile of the result.
const TILE: usize = 4;
/// Points of F(4x4, 3x3).
const POINTS: usize = 36;

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
    let [down, across] = [result[2].div_ceil(TILE), result[3].div_ceil(TILE)];
    let taps = weight.meta.shape()[0];
    let tiled = taps == 3 && sampling.stride() == 1 && result[0] * down * across >= MANY_TILES;
    let convolution = Convolution { x, weight, bias, residual, sampling, block, result, down, across };
    if tiled { convolution.tiled() } else { convolution.direct() }
}

struct Convolution {
    x: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    residual: Option<CubeTensor>,
    sampling: Sampling,
    block: Block,
    result: Shape,
    /// Tiles in a column and in a row of the result.
    down: usize,
    across: usize,
}

impl Convolution {
    fn tiled(&self) -> CubeTensor {
        let [inputs, outputs] = [self.weight.meta.shape()[2], self.result[1]];
        let output = empty(&self.x, self.result.clone());
        for (first_output, rows) in self.bands(outputs, POINTS * inputs, PANEL) {
            let panel = empty(&self.x, Shape::from([POINTS, inputs, rows]));
            let parameters = [inputs * rows, inputs, first_output, outputs, rows].map(Value::from);
            Shader::WeighTiles.launch(&[&self.weight], &panel, inputs * rows, &parameters);
            self.multiply_tiles(&panel, first_output, rows, &output);
        }
        output
    }

    /// Writes `rows` outputs, whose transformed weights are `panel`.
    fn multiply_tiles(&self, panel: &CubeTensor, first_output: usize, rows: usize, output: &CubeTensor) {
        let [inputs, outputs] = [self.weight.meta.shape()[2], self.result[1]];
        let tiles = self.result[0] * self.down * self.across;
        for (first, columns) in self.bands(tiles, POINTS * inputs.max(rows), BAND) {
            let gathered = empty(&self.x, Shape::from([POINTS, inputs, columns]));
            let threads = inputs * columns;
            let doubled = usize::from(self.sampling == Sampling::Double);
            let [height, width] = [self.x.meta.shape()[2], self.x.meta.shape()[3]];
            let parameters = [threads, columns, first, tiles, inputs, height, width, self.down, self.across, doubled]
                .map(Value::from);
            Shader::GatherTiles.launch(&[&self.x], &gathered, threads, &parameters);

            let products = multiply(self.block, panel, &gathered, [POINTS, inputs, rows, columns], columns, 0);
            let threads = rows.min(outputs - first_output) * columns;
            let [height, width] = [self.result[2], self.result[3]];
            let parameters =
                [threads, columns, first, tiles, rows, first_output, outputs, height, width, self.down, self.across];
            let residual = self.residual.is_some();
            let parameters = parameters.map(Value::from);
            self.scatter(Shader::ScatterTiles { residual }, &products, output, threads, &parameters);
        }
    }

    fn direct(&self) -> CubeTensor {
        let [taps, inputs, outputs] = [self.weight.meta.shape()[0], self.weight.meta.shape()[2], self.result[1]];
        let (depth, plane) = (taps * taps * inputs, self.result[2] * self.result[3]);
        let positions = self.result[0] * plane;
        let rows = outputs.next_multiple_of(self.block.0);
        let panel = if rows == outputs {
            self.weight.clone()
        } else {
            let panel = empty(&self.x, Shape::from([depth, rows]));
            Shader::WeighTaps.launch(
                &[&self.weight],
                &panel,
                depth * rows,
                &[depth * rows, outputs, rows].map(Value::from),
            );
            panel
        };
        let output = empty(&self.x, self.result.clone());
        for (first, columns) in self.bands(positions, depth.max(rows), BAND) {
            let shape = [1, depth, rows, columns];
            // With one tap the picture is the matrix already.
            let products =
                if taps == 1 && self.sampling == Sampling::Keep && self.result[0] == 1 && plane % self.block.0 == 0 {
                    multiply(self.block, &panel, &self.x, shape, plane, first)
                } else {
                    multiply(self.block, &panel, &self.gather_taps(first, columns, positions), shape, columns, 0)
                };
            let threads = outputs * columns;
            let parameters = [threads, columns, first, positions, outputs, plane].map(Value::from);
            let residual = self.residual.is_some();
            self.scatter(Shader::ScatterPixels { residual }, &products, &output, threads, &parameters);
        }
        output
    }

    fn gather_taps(&self, first: usize, columns: usize, positions: usize) -> CubeTensor {
        let [taps, inputs] = [self.weight.meta.shape()[0], self.weight.meta.shape()[2]];
        let gathered = empty(&self.x, Shape::from([taps * taps * inputs, columns]));
        let threads = taps * taps * inputs * columns;
        let [height, width] = [self.x.meta.shape()[2], self.x.meta.shape()[3]];
        let parameters = [
            threads,
            columns,
            first,
            positions,
            inputs,
            height,
            width,
            self.result[2],
            self.result[3],
            taps,
            self.sampling.stride(),
            self.sampling.padding(taps),
            usize::from(self.sampling == Sampling::Double),
        ];
        Shader::GatherTaps.launch(&[&self.x], &gathered, threads, &parameters.map(Value::from));
        gathered
    }

    /// First and number, filled up to whole blocks, of the parts of `count` things that cost `each` elements, so that a part
    /// costs about `limit`.
    fn bands(&self, count: usize, each: usize, limit: usize) -> Vec<(usize, usize)> {
        let block = self.block.0;
        let fitting = (limit / each / block).max(1) * block;
        let filled = |first: usize| fitting.min((count - first).next_multiple_of(block));
        (0..count).step_by(fitting).map(|first| (first, filled(first))).collect()
    }

    fn scatter(
        &self,
        shader: Shader,
        products: &CubeTensor,
        output: &CubeTensor,
        threads: usize,
        parameters: &[Value],
    ) {
        let mut buffers = vec![products, &self.bias];
        buffers.extend(&self.residual);
        shader.launch(&buffers, output, threads, parameters);
    }
}

/// Products of `panel` `[points, depth, rows]` with the columns from `first` on of `gathered`, which has `pitch` of them:
/// `[points, rows, columns]`. Rows and columns are whole blocks.
pub(super) fn multiply(
    block: Block,
    panel: &CubeTensor,
    gathered: &CubeTensor,
    [points, depth, rows, columns]: [usize; 4],
    pitch: usize,
    first: usize,
) -> CubeTensor {
    let products = empty(panel, Shape::from([points, rows, columns]));
    let threads = points * rows * columns / (block.0 * block.0);
    let parameters = [threads, depth, rows, columns, pitch, first].map(Value::from);
    let shader = Shader::Multiply { rows: block.0, columns: block.0 };
    shader.launch(&[panel, gathered], &products, threads, &parameters);
    products
}
