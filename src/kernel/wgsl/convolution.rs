//! Convolutions on wgpu as products of matrices: F(4x4, 3x3) of "Fast Algorithms for Convolutional Neural Networks" (A.
//! Lavin and S. Gray, 2016) where there are enough tiles, else im2col.

use burn::backend::wgpu::{CubeTensor, into_contiguous};
use burn::tensor::Shape;

use super::assembly::part;
use super::launch::{empty, launch, word};
use super::matrix::{Block, Sizes, multiply};
use super::shader::{Entry, File, Shader, entries, reference, uniform, wgsl_file};
use crate::kernel::convolution::{Sampling, shape};

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    [
        entries::<Im2col>(),
        entries::<PadWeights>(),
        entries::<Epilogue>(),
        entries::<InputTransform>(),
        entries::<WeightTransform>(),
        entries::<OutputTransform>(),
    ]
    .concat()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Im2col;

uniform! {
    struct Im2colUniform {
        threads: u32,
        columns: u32,
        first: u32,
        positions: u32,
        inputs: u32,
        height: u32,
        width: u32,
        out_height: u32,
        out_width: u32,
        taps: u32,
        stride: u32,
        padding: u32,
        doubled: u32,
    }
}

impl Shader for Im2col {
    type Uniform = Im2colUniform;

    const FILE: File = wgsl_file!("im2col");
    const REFERENCE: &'static str = reference!(kernel::convolution::reference);

    fn variants() -> Vec<Self> {
        vec![Self]
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["x", "patches"]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PadWeights;

uniform! {
    struct PadWeightsUniform { threads: u32, outputs: u32, padded: u32 }
}

impl Shader for PadWeights {
    type Uniform = PadWeightsUniform;

    const FILE: File = wgsl_file!("pad_weights");
    const REFERENCE: &'static str = reference!(kernel::convolution::reference);

    fn variants() -> Vec<Self> {
        vec![Self]
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["weight", "panel"]
    }
}

/// Names of the buffers of [`part::residual`].
fn pixel_buffers(residual: bool) -> &'static [&'static str] {
    match residual {
        true => &["products", "bias", "residual", "convolved"],
        false => &["products", "bias", "convolved"],
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Epilogue {
    residual: bool,
}

uniform! {
    struct EpilogueUniform { threads: u32, columns: u32, first: u32, positions: u32, outputs: u32, plane: u32 }
}

impl Shader for Epilogue {
    type Uniform = EpilogueUniform;

    const FILE: File = wgsl_file!("epilogue");
    const REFERENCE: &'static str = reference!(kernel::convolution::reference);

    fn variants() -> Vec<Self> {
        [false, true].map(|residual| Self { residual }).to_vec()
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::residual(self.residual), part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        pixel_buffers(self.residual)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct InputTransform;

uniform! {
    struct InputTransformUniform {
        threads: u32,
        columns: u32,
        first: u32,
        tiles: u32,
        inputs: u32,
        height: u32,
        width: u32,
        down: u32,
        across: u32,
        doubled: u32,
    }
}

impl Shader for InputTransform {
    type Uniform = InputTransformUniform;

    const FILE: File = wgsl_file!("input_transform");
    const REFERENCE: &'static str = reference!(kernel::convolution::reference);

    fn variants() -> Vec<Self> {
        vec![Self]
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::WINOGRAD, part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["x", "transformed"]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct WeightTransform;

uniform! {
    struct WeightTransformUniform { threads: u32, inputs: u32, first: u32, outputs: u32, padded: u32 }
}

impl Shader for WeightTransform {
    type Uniform = WeightTransformUniform;

    const FILE: File = wgsl_file!("weight_transform");
    const REFERENCE: &'static str = reference!(kernel::convolution::reference);

    fn variants() -> Vec<Self> {
        vec![Self]
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::WINOGRAD, part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["weight", "panel"]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct OutputTransform {
    residual: bool,
}

uniform! {
    struct OutputTransformUniform {
        threads: u32,
        columns: u32,
        first: u32,
        tiles: u32,
        rows: u32,
        first_output: u32,
        outputs: u32,
        height: u32,
        width: u32,
        down: u32,
        across: u32,
    }
}

impl Shader for OutputTransform {
    type Uniform = OutputTransformUniform;

    const FILE: File = wgsl_file!("output_transform");
    const REFERENCE: &'static str = reference!(kernel::convolution::reference);

    fn variants() -> Vec<Self> {
        [false, true].map(|residual| Self { residual }).to_vec()
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::residual(self.residual), part::WINOGRAD, part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        pixel_buffers(self.residual)
    }
}

/// Elements of transformed inputs, and of products, that are in memory at a time.
const BAND: usize = 4 << 20;
/// Elements of transformed weights that are in memory at a time: half of what every device's buffers hold.
const PANEL: usize = 16 << 20;
/// Smallest number of tiles for which transforming the weights pays off.
const MANY_TILES: usize = 32;
/// Side of an output tile in pixels.
const TILE: usize = 4;
/// Points of F(4x4, 3x3).
const POINTS: usize = 36;

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
    let [down, across] = [result[2].div_ceil(TILE), result[3].div_ceil(TILE)];
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

/// By Winograd's scheme.
impl Convolution {
    fn winograd(&self) -> CubeTensor {
        let [inputs, outputs] = [self.inputs(), self.result[1]];
        let output = empty(&self.x, self.result.clone());
        for (first_output, rows) in self.chunks(outputs, POINTS * inputs, PANEL) {
            let panel = self.weight_transform(first_output, rows);
            for (first, columns) in self.chunks(self.tiles(), POINTS * inputs.max(rows), BAND) {
                let transformed = self.input_transform(first, columns);
                let sizes = Sizes { points: POINTS, depth: inputs, rows, columns, pitch: columns, first: 0 };
                let products = multiply(self.block, &panel, &transformed, sizes);
                self.output_transform(&products, [first_output, rows], [first, columns], &output);
            }
        }
        output
    }

    /// Tiles of the whole batch.
    fn tiles(&self) -> usize {
        self.result[0] * self.down * self.across
    }

    /// Transformed weights `[36, inputs, padded]` of the outputs from `first` on.
    fn weight_transform(&self, first: usize, padded: usize) -> CubeTensor {
        let inputs = self.inputs();
        let panel = empty(&self.x, Shape::from([POINTS, inputs, padded]));
        let uniform = WeightTransformUniform {
            threads: word(inputs * padded),
            inputs: word(inputs),
            first: word(first),
            outputs: word(self.result[1]),
            padded: word(padded),
        };
        launch(WeightTransform, &[&self.weight], &panel, &uniform);
        panel
    }

    /// Transformed inputs `[36, inputs, columns]` of the tiles from `first` on.
    fn input_transform(&self, first: usize, columns: usize) -> CubeTensor {
        let inputs = self.inputs();
        let transformed = empty(&self.x, Shape::from([POINTS, inputs, columns]));
        let uniform = InputTransformUniform {
            threads: word(inputs * columns),
            columns: word(columns),
            first: word(first),
            tiles: word(self.tiles()),
            inputs: word(inputs),
            height: word(self.x.meta.shape()[2]),
            width: word(self.x.meta.shape()[3]),
            down: word(self.down),
            across: word(self.across),
            doubled: self.doubled(),
        };
        launch(InputTransform, &[&self.x], &transformed, &uniform);
        transformed
    }

    /// Writes the pixels of `rows` outputs from `first_output` on, of the tiles from `first` on.
    fn output_transform(
        &self,
        products: &CubeTensor,
        [first_output, rows]: [usize; 2],
        [first, columns]: [usize; 2],
        output: &CubeTensor,
    ) {
        let outputs = self.result[1];
        let uniform = OutputTransformUniform {
            threads: word(rows.min(outputs - first_output) * columns),
            columns: word(columns),
            first: word(first),
            tiles: word(self.tiles()),
            rows: word(rows),
            first_output: word(first_output),
            outputs: word(outputs),
            height: word(self.result[2]),
            width: word(self.result[3]),
            down: word(self.down),
            across: word(self.across),
        };
        let shader = OutputTransform { residual: self.residual.is_some() };
        launch(shader, &self.pixel_inputs(products), output, &uniform);
    }
}

/// By im2col.
impl Convolution {
    fn direct(&self) -> CubeTensor {
        let [taps, outputs] = [self.taps(), self.result[1]];
        let (depth, plane) = (taps * taps * self.inputs(), self.result[2] * self.result[3]);
        let rows = outputs.next_multiple_of(self.block.0);
        let panel = if rows == outputs { self.weight.clone() } else { self.pad_weights(depth, rows) };
        // A 1x1 convolution needs no copy: the picture is the matrix of its positions.
        let in_place = taps == 1 && self.sampling == Sampling::Keep && self.result[0] == 1 && plane % self.block.0 == 0;
        let output = empty(&self.x, self.result.clone());
        for (first, columns) in self.chunks(self.result[0] * plane, depth.max(rows), BAND) {
            let sizes = Sizes { points: 1, depth, rows, columns, pitch: columns, first: 0 };
            let products = if in_place {
                multiply(self.block, &panel, &self.x, Sizes { pitch: plane, first, ..sizes })
            } else {
                multiply(self.block, &panel, &self.im2col(first, columns), sizes)
            };
            self.epilogue(&products, first, columns, &output);
        }
        output
    }

    /// The weights `[depth, padded]`, zero from the last output on.
    fn pad_weights(&self, depth: usize, padded: usize) -> CubeTensor {
        let panel = empty(&self.x, Shape::from([depth, padded]));
        let [threads, outputs, padded] = [depth * padded, self.result[1], padded].map(word);
        launch(PadWeights, &[&self.weight], &panel, &PadWeightsUniform { threads, outputs, padded });
        panel
    }

    /// The patches `[taps * taps * inputs, columns]` of the positions from `first` on.
    fn im2col(&self, first: usize, columns: usize) -> CubeTensor {
        let [taps, inputs] = [self.taps(), self.inputs()];
        let depth = taps * taps * inputs;
        let patches = empty(&self.x, Shape::from([depth, columns]));
        let uniform = Im2colUniform {
            threads: word(depth * columns),
            columns: word(columns),
            first: word(first),
            positions: word(self.result[0] * self.result[2] * self.result[3]),
            inputs: word(inputs),
            height: word(self.x.meta.shape()[2]),
            width: word(self.x.meta.shape()[3]),
            out_height: word(self.result[2]),
            out_width: word(self.result[3]),
            taps: word(taps),
            stride: word(self.sampling.stride()),
            padding: word(self.sampling.padding(taps)),
            doubled: self.doubled(),
        };
        launch(Im2col, &[&self.x], &patches, &uniform);
        patches
    }

    /// Writes the pixels at the positions from `first` on.
    fn epilogue(&self, products: &CubeTensor, first: usize, columns: usize, output: &CubeTensor) {
        let (outputs, plane) = (self.result[1], self.result[2] * self.result[3]);
        let uniform = EpilogueUniform {
            threads: word(outputs * columns),
            columns: word(columns),
            first: word(first),
            positions: word(self.result[0] * plane),
            outputs: word(outputs),
            plane: word(plane),
        };
        let shader = Epilogue { residual: self.residual.is_some() };
        launch(shader, &self.pixel_inputs(products), output, &uniform);
    }
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
