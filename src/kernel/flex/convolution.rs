//! Convolutions on the CPU, as products of matrices that a register-blocked loop computes with the widest vectors the
//! processor has.
//!
//! Pictures are in memory as `[b, h, w, c]`, weights as `[taps, taps, in, out]`: neighbours in memory are channels, so that
//! every load is a vector. A [`Scheme`] turns a convolution into `POINTS` products of a matrix of positions by inputs with
//! one of inputs by outputs; positions are in groups of [`ROWS`], outputs in blocks of a few vectors, and a product keeps a
//! group's block in registers.

use std::cell::Cell;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::direct::Direct;
use super::product::{Block, Buffer, CHUNK, LINE, ROWS, Vectors, product};
use super::winograd::Winograd;

/// Sizes of a convolution; pictures are padded with zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub batch: usize,
    /// Of the input.
    pub height: usize,
    pub width: usize,
    pub inputs: usize,
    /// Of the result.
    pub out_height: usize,
    pub out_width: usize,
    pub outputs: usize,
    /// Weights a side.
    pub taps: usize,
    pub stride: usize,
    /// Rows of zeros above and columns on the left.
    pub padding: usize,
    /// Whether every pixel of the input counts as 2 x 2.
    pub doubled: bool,
}

impl Geometry {
    /// The channels of a pixel, none in the padding.
    #[inline(always)]
    pub fn pixel<'a>(&self, x: &'a [f32], image: usize, row: isize, column: isize) -> &'a [f32] {
        let shift = usize::from(self.doubled);
        let inside =
            |at: isize, length: usize| usize::try_from(at).ok().map(|at| at >> shift).filter(|&at| at < length);
        match (inside(row, self.height), inside(column, self.width)) {
            (Some(row), Some(column)) => {
                &x[((image * self.height + row) * self.width + column) * self.inputs..][..self.inputs]
            }
            _ => &[],
        }
    }

    /// The inputs, filled up to whole chunks.
    pub fn padded_inputs(&self) -> usize {
        self.inputs.next_multiple_of(CHUNK)
    }
}

/// The numbers of a convolution.
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

/// How a convolution becomes products of matrices.
pub(super) trait Scheme: Copy + Send + Sync {
    /// Number of products.
    const POINTS: usize;
    /// Pixels a side of a position of the result.
    const TILE: usize;

    /// Length of the sums, in whole chunks.
    fn depth(self, geometry: &Geometry) -> usize;

    /// Gives a row of every input matrix to `store(point, vector of the row, value)`.
    fn gather<S: Simd>(
        self,
        simd: S,
        geometry: &Geometry,
        x: &[f32],
        tile: Tile,
        store: impl FnMut(usize, usize, S::f32s),
    );

    /// Gives one vector of outputs, the one from output `first` on, of every row of every weight matrix to
    /// `store(point, row, value)`.
    fn weigh<S: Simd>(
        self,
        simd: S,
        geometry: &Geometry,
        weight: &[f32],
        first: usize,
        store: impl FnMut(usize, usize, S::f32s),
    );

    /// Turns the products at one position, `load(point)`, into its pixels and gives them to `store(row, column, value)`.
    fn scatter<S: Simd>(self, simd: S, load: impl Fn(usize) -> S::f32s, store: impl FnMut(usize, usize, S::f32s));
}

/// A position of the result.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub image: usize,
    /// Its first pixel.
    pub row: usize,
    pub column: usize,
}

/// The convolution, `[b, h', w', out]`.
pub(super) fn convolve(geometry: &Geometry, operands: Operands) -> Vec<f32> {
    let tiles = geometry.out_height.div_ceil(Winograd::TILE) * geometry.out_width.div_ceil(Winograd::TILE);
    if geometry.taps == Winograd::TAPS && geometry.stride == 1 && geometry.batch * tiles >= ROWS {
        run(Winograd, geometry, operands)
    } else {
        run(Direct, geometry, operands)
    }
}

/// Bytes of gathered inputs that a thread works on at a time: about half a second-level cache.
const WORKING_SET: usize = 768 << 10;

fn run<P: Scheme>(scheme: P, geometry: &Geometry, operands: Operands) -> Vec<f32> {
    let Geometry { batch, out_height, out_width, outputs, .. } = *geometry;
    let arch = Arch::new();
    let plan = &Plan {
        scheme,
        geometry,
        operands,
        depth: scheme.depth(geometry),
        down: out_height.div_ceil(P::TILE),
        across: out_width.div_ceil(P::TILE),
        block: arch.dispatch(Block { outputs }),
    };
    let panel = P::POINTS * plan.weights_pitch();
    let group = P::POINTS * plan.inputs_pitch();
    let positions = batch * plan.down * plan.across;
    let mut out = vec![0.0; batch * out_height * out_width * outputs];

    if positions < outputs {
        // Few positions: gathered once; a thread reads its own part of the weights.
        let mut shared = Scratch::take();
        let gathered = shared.gathered.at_least(positions.div_ceil(ROWS) * group);
        gathered.par_chunks_mut(group).enumerate().for_each(|(index, group)| {
            arch.dispatch(Gather { plan, positions: index * ROWS..positions, group });
        });
        let gathered = &*gathered;
        let firsts: Vec<usize> = (0..outputs).step_by(plan.block).collect();
        let compute = |first: usize| {
            let mut scratch = Scratch::take();
            let pitch = plan.block.min(outputs - first);
            let panels = scratch.panels.at_least(panel);
            arch.dispatch(Weigh { plan, first, panel: panels });
            let mut out = vec![0.0; batch * out_height * out_width * pitch];
            let part = Part { positions: 0..positions, first_pixel: 0, first_output: first, pitch };
            let products = &mut scratch.products;
            arch.dispatch(Multiply { plan, part, gathered, panels, products, out: &mut out });
            scratch.put_back();
            out
        };
        let columns: Vec<Vec<f32>> = firsts.into_par_iter().map(compute).collect();
        out.par_chunks_mut(outputs).with_min_len(64).enumerate().for_each(|(pixel, out)| {
            for (out, column) in out.chunks_mut(plan.block).zip(&columns) {
                out.copy_from_slice(&column[pixel * out.len()..][..out.len()]);
            }
        });
        shared.put_back();
        return out;
    }

    // Many positions: the weights are prepared once; a thread gathers some rows of the picture at a time.
    let mut shared = Scratch::take();
    let panels = shared.panels.at_least(outputs.div_ceil(plan.block) * panel);
    panels.par_chunks_mut(panel).enumerate().for_each(|(block, panel)| {
        arch.dispatch(Weigh { plan, first: block * plan.block, panel });
    });
    let panels = &*panels;
    let fitting = (WORKING_SET / size_of::<f32>() / (P::POINTS * plan.depth)).next_multiple_of(ROWS);
    // Four bands a thread where there are so many rows, so that all end at about the same time.
    let rows = (batch * plan.down / (4 * rayon::current_num_threads())).clamp(1, plan.down);
    let row_length = out_width * outputs;
    let images = out.par_chunks_mut(out_height * row_length).enumerate();
    let bands = images.flat_map(|(image, out)| {
        out.par_chunks_mut(rows * P::TILE * row_length).enumerate().map(move |(band, out)| (image, band * rows, out))
    });
    bands.for_each(|(image, row, out)| {
        let mut scratch = Scratch::take();
        let first = (image * plan.down + row) * plan.across;
        let end = first + rows.min(plan.down - row) * plan.across;
        for first in (first..end).step_by(fitting) {
            let positions = first..end.min(first + fitting);
            let gathered = scratch.gathered.at_least(positions.len().div_ceil(ROWS) * group);
            for (index, group) in gathered.chunks_exact_mut(group).enumerate() {
                arch.dispatch(Gather { plan, positions: first + index * ROWS..positions.end, group });
            }
            let first_pixel = (image * out_height + row * P::TILE) * out_width;
            let part = Part { positions, first_pixel, first_output: 0, pitch: outputs };
            let products = &mut scratch.products;
            arch.dispatch(Multiply { plan, part, gathered, panels, products, out });
        }
        scratch.put_back();
    });
    shared.put_back();
    out
}

/// What all threads know.
struct Plan<'a, P> {
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

impl<P: Scheme> Plan<'_, P> {
    /// Distance of the matrices of a panel. A cache line more than they need: with a power of two between them, all would
    /// compete for the same few lines of a cache when they are written side by side.
    fn weights_pitch(&self) -> usize {
        self.depth * self.block + LINE
    }

    /// The same of gathered inputs.
    fn inputs_pitch(&self) -> usize {
        self.depth * ROWS + LINE
    }

    #[inline(always)]
    fn tile(&self, position: usize) -> Tile {
        let (row, column) = (position / self.across, position % self.across);
        Tile { image: row / self.down, row: row % self.down * P::TILE, column: column * P::TILE }
    }
}

/// Memory that a thread keeps for its next piece of work; new memory would cost more than what is done in it.
#[derive(Default)]
struct Scratch {
    gathered: Buffer,
    panels: Buffer,
    products: Buffer,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

impl Scratch {
    /// Cache lines that a thread may keep.
    const KEPT: usize = 1 << 20;

    /// What the thread has kept; nothing, where it is in use by work that this one interrupts.
    fn take() -> Self {
        SCRATCH.take()
    }

    fn put_back(self) {
        let Self { gathered, panels, products } = &self;
        if [gathered, panels, products].map(Buffer::lines).iter().sum::<usize>() <= Self::KEPT {
            SCRATCH.set(self);
        }
    }
}

/// Gathers the inputs of one group of positions: `[POINTS, depth / CHUNK, ROWS, CHUNK]`, the points apart by
/// [`Plan::inputs_pitch`].
struct Gather<'a, P> {
    plan: &'a Plan<'a, P>,
    /// Positions from the group's first to the last of all.
    positions: std::ops::Range<usize>,
    group: &'a mut [f32],
}

impl<P: Scheme> WithSimd for Gather<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Plan { scheme, geometry, operands, .. } = *self.plan;
        let (vectors, pitch) = (CHUNK / S::F32_LANES, self.plan.inputs_pitch() / S::F32_LANES);
        let (group, _) = S::as_mut_simd_f32s(self.group);
        for (row, position) in self.positions.take(ROWS).enumerate() {
            scheme.gather(simd, geometry, operands.x, self.plan.tile(position), |point, vector, value| {
                group[point * pitch + (vector / vectors * ROWS + row) * vectors + vector % vectors] = value;
            });
        }
    }
}

/// Prepares the weights of one block of outputs: `[POINTS, depth, block]`, the points apart by [`Plan::weights_pitch`].
struct Weigh<'a, P> {
    plan: &'a Plan<'a, P>,
    first: usize,
    panel: &'a mut [f32],
}

impl<P: Scheme> WithSimd for Weigh<'_, P> {
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
                scheme.weigh(simd, geometry, operands.weight, first, |point, row, value| {
                    panel[point * pitch + row * vectors + vector] = value;
                });
            }
        }
    }
}

/// Positions and outputs of a piece of work, and where its result is.
struct Part {
    positions: std::ops::Range<usize>,
    /// The pixel that the result begins with.
    first_pixel: usize,
    /// The output that it begins with.
    first_output: usize,
    /// Outputs of a pixel of the result.
    pitch: usize,
}

/// Multiplies gathered inputs with the panels of `part`'s outputs.
struct Multiply<'a, P> {
    plan: &'a Plan<'a, P>,
    part: Part,
    gathered: &'a [f32],
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
                for group in self.gathered.chunks_exact(P::POINTS * inputs_pitch) {
                    let inputs = &group[point * inputs_pitch..][..depth * ROWS];
                    let inputs = inputs.as_chunks::<CHUNK>().0.as_chunks::<ROWS>().0;
                    let sums = product::<S, VECTORS>(simd, inputs, weights.as_chunks().0);
                    let to = products.next().expect("as many products as were made room for");
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
                scheme.scatter(simd, product, |row, column, value| {
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
