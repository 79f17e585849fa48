//! im2col: the patches of positions are the columns of a matrix.

use burn::backend::wgpu::CubeTensor;
use burn::tensor::Shape;

use super::super::assembly::part;
use super::super::launch::{empty, launch, word};
use super::super::matrix::{Sizes, multiply};
use super::super::shader::{Entry, entries, shader};
use super::{BAND, Convolution, pixel_buffers};
use crate::kernel::convolution::Sampling;

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    [entries::<Im2col>(), entries::<PadWeights>(), entries::<Epilogue>()].concat()
}

shader! {
    Im2col = "im2col" like kernel::convolution::reference;
    parts [part::ELEMENTWISE];
    buffers ["x", "patches"];
    Im2colUniform {
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

shader! {
    PadWeights = "pad_weights" like kernel::convolution::reference;
    parts [part::ELEMENTWISE];
    buffers ["weight", "panel"];
    PadWeightsUniform { threads: u32, outputs: u32, padded: u32 }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Epilogue {
    residual: bool,
}

shader! {
    impl Epilogue = "epilogue" like kernel::convolution::reference;
    EpilogueUniform { threads: u32, columns: u32, first: u32, positions: u32, outputs: u32, plane: u32 }

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

impl Convolution {
    pub(super) fn direct(&self) -> CubeTensor {
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
