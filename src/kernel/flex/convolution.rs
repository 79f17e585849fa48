//! Convolutions on the CPU, as products of matrices that a register-blocked loop computes with the widest vectors of
//! the processor.
//!
//! Pictures are laid out as `[b, h, w, c]`, weights as `[taps, taps, in, out]`: adjacent elements are channels, so that
//! every load is a vector. A [`Scheme`] turns a convolution into `POINTS` products of a matrix of positions by inputs
//! with one of inputs by outputs; positions are in groups of [`ROWS`], outputs in blocks of a few vectors, and the sums
//! of one group and one block stay in registers.

use std::cell::Cell;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::direct::Direct;
use super::product::{Block, Buffer, CHUNK, LINE, ROWS, Vectors, product};
use super::scheme::{Geometry, Scheme, Tile};
use super::winograd::Winograd;
use crate::device::arch;

/// The tensors of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands<'a> {
    /// `[b, h, w, in]`
    pub x: &'a [f32],
    /// `[taps, taps, in, out]`
    pub weight: &'a [f32],
    /// `[out]`
    pub bias: &'a [f32],
    /// Added to the result, of its shape.
    pub residual: Option<&'a [f32]>,
}

/// The convolution, `[b, h', w', out]`.
pub(super) fn convolve(geometry: &Geometry, operands: Operands) -> Vec<f32> {
    let tiles = geometry.out_height.div_ceil(Winograd::TILE) * geometry.out_width.div_ceil(Winograd::TILE);
    if geometry.taps == Winograd::TAPS && geometry.stride == 1 && geometry.batch * tiles >= ROWS {
        Plan::new(Winograd, geometry, operands).run()
    } else {
        Plan::new(Direct, geometry, operands).run()
    }
}

/// Bytes of transformed inputs that a thread works on at a time: about half a second-level cache.
const WORKING_SET: usize = 768 << 10;

/// A convolution by a scheme, shared by all threads.
struct Plan<'a, P> {
    arch: Arch,
    scheme: P,
    geometry: &'a Geometry,
    operands: Operands<'a>,
    /// Length of the sums.
    depth: usize,
    /// Positions in a column and in a row of a picture.
    down: usize,
    across: usize,
    /// Outputs of a block.
    block: usize,
}

impl<'a, P: Scheme> Plan<'a, P> {
    fn new(scheme: P, geometry: &'a Geometry, operands: Operands<'a>) -> Self {
        let arch = arch();
        Self {
            arch,
            scheme,
            geometry,
            operands,
            depth: scheme.depth(geometry),
            down: geometry.out_height.div_ceil(P::TILE),
            across: geometry.out_width.div_ceil(P::TILE),
            block: arch.dispatch(Block { outputs: geometry.outputs }),
        }
    }

    fn run(&self) -> Vec<f32> {
        if self.positions() < self.geometry.outputs { self.few_positions() } else { self.many_positions() }
    }

    /// Positions of the whole batch.
    fn positions(&self) -> usize {
        self.geometry.batch * self.down * self.across
    }

    /// Distance of the matrices of a panel. A cache line more than they need: with a power of two between them, all
    /// would compete for the same few lines of a cache when they are written side by side.
    fn weights_pitch(&self) -> usize {
        self.depth * self.block + LINE
    }

    /// The same of transformed inputs.
    fn inputs_pitch(&self) -> usize {
        self.depth * ROWS + LINE
    }

    /// Elements of the transformed weights of a block of outputs.
    fn panel(&self) -> usize {
        P::POINTS * self.weights_pitch()
    }

    /// Elements of the transformed inputs of a group of positions.
    fn group(&self) -> usize {
        P::POINTS * self.inputs_pitch()
    }

    #[inline(always)]
    fn tile(&self, position: usize) -> Tile {
        let (row, column) = (position / self.across, position % self.across);
        Tile { image: row / self.down, row: row % self.down * P::TILE, column: column * P::TILE }
    }

    /// The inputs are transformed once; each thread transforms its own part of the weights.
    fn few_positions(&self) -> Vec<f32> {
        let (positions, outputs) = (self.positions(), self.geometry.outputs);
        let mut shared = Scratch::take();
        let inputs = shared.inputs.at_least(positions.div_ceil(ROWS) * self.group());
        inputs.par_chunks_mut(self.group()).enumerate().for_each(|(index, group)| {
            self.arch.dispatch(TransformInputs { plan: self, positions: index * ROWS..positions, group });
        });
        let inputs = &*inputs;
        let firsts: Vec<usize> = (0..outputs).step_by(self.block).collect();
        let columns: Vec<Vec<f32>> = firsts.into_par_iter().map(|first| self.block_of_outputs(first, inputs)).collect();
        let mut out = self.result(outputs);
        out.par_chunks_mut(outputs).with_min_len(64).enumerate().for_each(|(pixel, out)| {
            for (out, column) in out.chunks_mut(self.block).zip(&columns) {
                out.copy_from_slice(&column[pixel * out.len()..][..out.len()]);
            }
        });
        shared.put_back();
        out
    }

    /// The result for the outputs of one block, from the one with index `first` on, and all positions.
    fn block_of_outputs(&self, first: usize, inputs: &[f32]) -> Vec<f32> {
        let mut scratch = Scratch::take();
        let pitch = self.block.min(self.geometry.outputs - first);
        let panels = scratch.panels.at_least(self.panel());
        self.arch.dispatch(TransformWeights { plan: self, first, panel: panels });
        let mut out = self.result(pitch);
        let part = Part { positions: 0..self.positions(), first_pixel: 0, first_output: first, pitch };
        let products = &mut scratch.products;
        self.arch.dispatch(Multiply { plan: self, part, inputs, panels, products, out: &mut out });
        scratch.put_back();
        out
    }

    /// The weights are transformed once; each thread transforms the inputs of some rows of the picture at a time.
    fn many_positions(&self) -> Vec<f32> {
        let Geometry { batch, out_height, out_width, outputs, .. } = *self.geometry;
        let mut shared = Scratch::take();
        let panels = shared.panels.at_least(outputs.div_ceil(self.block) * self.panel());
        panels.par_chunks_mut(self.panel()).enumerate().for_each(|(block, panel)| {
            self.arch.dispatch(TransformWeights { plan: self, first: block * self.block, panel });
        });
        let panels = &*panels;
        // Four bands per thread if there are so many rows, so that all threads end at about the same time.
        let rows = (batch * self.down / (4 * rayon::current_num_threads())).clamp(1, self.down);
        let row_length = out_width * outputs;
        let mut out = self.result(outputs);
        let images = out.par_chunks_mut(out_height * row_length).enumerate();
        let bands = images.flat_map(|(image, out)| {
            let bands = out.par_chunks_mut(rows * P::TILE * row_length).enumerate();
            bands.map(move |(band, out)| (image, band * rows, out))
        });
        bands.for_each(|(image, row, out)| self.band(image, row..self.down.min(row + rows), panels, out));
        shared.put_back();
        out
    }

    /// Computes rows of positions of one picture.
    fn band(&self, image: usize, rows: Range<usize>, panels: &[f32], out: &mut [f32]) {
        let fitting = (WORKING_SET / size_of::<f32>() / (P::POINTS * self.depth)).next_multiple_of(ROWS);
        let [first, end] = [rows.start, rows.end].map(|row| (image * self.down + row) * self.across);
        let first_pixel = (image * self.geometry.out_height + rows.start * P::TILE) * self.geometry.out_width;
        let mut scratch = Scratch::take();
        for first in (first..end).step_by(fitting) {
            let positions = first..end.min(first + fitting);
            let inputs = scratch.inputs.at_least(positions.len().div_ceil(ROWS) * self.group());
            for (index, group) in inputs.chunks_exact_mut(self.group()).enumerate() {
                let positions = first + index * ROWS..positions.end;
                self.arch.dispatch(TransformInputs { plan: self, positions, group });
            }
            let part = Part { positions, first_pixel, first_output: 0, pitch: self.geometry.outputs };
            let products = &mut scratch.products;
            self.arch.dispatch(Multiply { plan: self, part, inputs, panels, products, out });
        }
        scratch.put_back();
    }

    /// Room for the result with `pitch` outputs per pixel.
    fn result(&self, pitch: usize) -> Vec<f32> {
        let Geometry { batch, out_height, out_width, .. } = *self.geometry;
        vec![0.0; batch * out_height * out_width * pitch]
    }
}

/// Memory that a thread keeps for its next task; a new allocation would cost more than the work done in it.
#[derive(Default)]
struct Scratch {
    inputs: Buffer,
    panels: Buffer,
    products: Buffer,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

impl Scratch {
    /// Cache lines that a thread may keep.
    const KEPT: usize = 1 << 20;

    /// The memory of this thread, or empty buffers if a task that this one interrupts is using it.
    fn take() -> Self {
        SCRATCH.take()
    }

    fn put_back(self) {
        let Self { inputs, panels, products } = &self;
        if [inputs, panels, products].map(Buffer::lines).iter().sum::<usize>() <= Self::KEPT {
            SCRATCH.set(self);
        }
    }
}

/// Transforms the inputs of one group of positions: `[POINTS, depth / CHUNK, ROWS, CHUNK]`, with the points
/// [`Plan::inputs_pitch`] apart.
struct TransformInputs<'a, P> {
    plan: &'a Plan<'a, P>,
    /// From the first position of the group to the last one of the task.
    positions: Range<usize>,
    group: &'a mut [f32],
}

impl<P: Scheme> WithSimd for TransformInputs<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Plan { scheme, geometry, operands, .. } = *self.plan;
        let (vectors, pitch) = (CHUNK / S::F32_LANES, self.plan.inputs_pitch() / S::F32_LANES);
        let (group, _) = S::as_mut_simd_f32s(self.group);
        for (row, position) in self.positions.take(ROWS).enumerate() {
            scheme.transform_inputs(simd, geometry, operands.x, self.plan.tile(position), |point, vector, value| {
                group[point * pitch + (vector / vectors * ROWS + row) * vectors + vector % vectors] = value;
            });
        }
    }
}

/// Transforms the weights of one block of outputs: `[POINTS, depth, block]`, with the points [`Plan::weights_pitch`]
/// apart.
struct TransformWeights<'a, P> {
    plan: &'a Plan<'a, P>,
    first: usize,
    panel: &'a mut [f32],
}

impl<P: Scheme> WithSimd for TransformWeights<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Plan { scheme, geometry, operands, block, .. } = *self.plan;
        let (vectors, pitch) = (block / S::F32_LANES, self.plan.weights_pitch() / S::F32_LANES);
        if geometry.inputs != geometry.padded_inputs() {
            self.panel.fill(0.0);
        }
        let (panel, _) = S::as_mut_simd_f32s(self.panel);
        for vector in 0..vectors {
            let first = self.first + vector * S::F32_LANES;
            if first < geometry.outputs {
                scheme.transform_weights(simd, geometry, operands.weight, first, |point, row, value| {
                    panel[point * pitch + row * vectors + vector] = value;
                });
            }
        }
    }
}

/// Positions and outputs of a task, and the extent of its result.
struct Part {
    positions: Range<usize>,
    /// First pixel of the result.
    first_pixel: usize,
    /// First output of the result.
    first_output: usize,
    /// Outputs per pixel of the result.
    pitch: usize,
}

/// Multiplies transformed inputs with the panels of the outputs of `part`, and writes the pixels.
struct Multiply<'a, P> {
    plan: &'a Plan<'a, P>,
    part: Part,
    inputs: &'a [f32],
    panels: &'a [f32],
    products: &'a mut Buffer,
    out: &'a mut [f32],
}

impl<P: Scheme> WithSimd for Multiply<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.plan.block / S::F32_LANES {
            1 => self.multiply::<S, 1>(simd),
            2 => self.multiply::<S, 2>(simd),
            _ => self.multiply::<S, 4>(simd),
        }
    }
}

impl<P: Scheme> Multiply<'_, P> {
    #[inline(always)]
    fn multiply<S: Simd, const VECTORS: usize>(self, simd: S) {
        let Self { plan, part, .. } = self;
        let Plan { scheme, geometry, operands, depth, block, .. } = *plan;
        let blocks = part.pitch.div_ceil(block);
        let groups = part.positions.len().div_ceil(ROWS);
        let (inputs_pitch, weights_pitch) = (plan.inputs_pitch(), plan.weights_pitch());
        // `[POINTS, blocks, groups, ROWS, block]`
        let all_products = self.products.at_least(P::POINTS * blocks * groups * ROWS * block);

        let (products, _) = S::as_mut_simd_f32s(all_products);
        let mut products = products.as_chunks_mut::<VECTORS>().0.chunks_exact_mut(ROWS);
        for point in 0..P::POINTS {
            for panel in self.panels.chunks_exact(P::POINTS * weights_pitch) {
                let weights = S::as_simd_f32s(&panel[point * weights_pitch..][..depth * block]).0;
                for group in self.inputs.chunks_exact(P::POINTS * inputs_pitch) {
                    let inputs = &group[point * inputs_pitch..][..depth * ROWS];
                    let inputs = inputs.as_chunks::<CHUNK>().0.as_chunks::<ROWS>().0;
                    let sums = product::<S, VECTORS>(simd, inputs, weights.as_chunks().0);
                    let to = products.next().expect("room for every product");
                    to.iter_mut().zip(sums).for_each(|(to, sums)| *to = sums);
                }
            }
        }

        let products = S::as_simd_f32s(all_products).0.as_chunks::<VECTORS>().0;
        let bias = Vectors::<S>::of(&operands.bias[part.first_output..][..part.pitch]);
        for (index, position) in part.positions.enumerate() {
            let tile = plan.tile(position);
            for vector in 0..part.pitch.div_ceil(S::F32_LANES) {
                let bias = bias.load(simd, vector);
                let at = vector / VECTORS * groups * ROWS + index;
                let product = |point: usize| products[point * blocks * groups * ROWS + at][vector % VECTORS];
                scheme.transform_outputs(simd, product, |row, column, value| {
                    let (row, column) = (tile.row + row, tile.column + column);
                    if row >= geometry.out_height || column >= geometry.out_width {
                        return;
                    }
                    let pixel = (tile.image * geometry.out_height + row) * geometry.out_width + column;
                    let mut value = simd.add_f32s(value, bias);
                    if let Some(residual) = operands.residual {
                        let residual = &residual[pixel * geometry.outputs + part.first_output..][..part.pitch];
                        value = simd.add_f32s(value, Vectors::<S>::of(residual).load(simd, vector));
                    }
                    let pixel = &mut self.out[(pixel - part.first_pixel) * part.pitch..][..part.pitch];
                    let (whole, rest) = S::as_mut_simd_f32s(pixel);
                    match whole.get_mut(vector) {
                        Some(whole) => *whole = value,
                        None => simd.partial_store_f32s(rest, value),
                    }
                });
            }
        }
    }
}
