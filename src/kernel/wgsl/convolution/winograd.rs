//! F(4x4, 3x3): inputs and weights are transformed at 36 points, where convolutions are products of matrices.

use burn::backend::wgpu::CubeTensor;
use burn::tensor::Shape;

use super::super::assembly::part;
use super::super::launch::{empty, launch, word};
use super::super::matrix::{Sizes, multiply};
use super::super::shader::{Entry, entries, shader};
use super::{BAND, Convolution, pixel_buffers};

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    [entries::<InputTransform>(), entries::<WeightTransform>(), entries::<OutputTransform>()].concat()
}

shader! {
    InputTransform = "input_transform" like kernel::convolution::reference;
    parts [part::WINOGRAD, part::ELEMENTWISE];
    buffers ["x", "transformed"];
    InputTransformUniform {
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

shader! {
    WeightTransform = "weight_transform" like kernel::convolution::reference;
    parts [part::WINOGRAD, part::ELEMENTWISE];
    buffers ["weight", "panel"];
    WeightTransformUniform { threads: u32, inputs: u32, first: u32, outputs: u32, padded: u32 }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct OutputTransform {
    residual: bool,
}

shader! {
    impl OutputTransform = "output_transform" like kernel::convolution::reference;
    OutputTransformUniform {
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

/// Elements of transformed weights that are in memory at a time: half of what every device's buffers hold.
const PANEL: usize = 16 << 20;
/// Side of an output tile in pixels.
pub(super) const TILE: usize = 4;
/// Points of F(4x4, 3x3).
const POINTS: usize = 36;

impl Convolution {
    pub(super) fn winograd(&self) -> CubeTensor {
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
