//! Products of matrices with the widest vectors of the processor: a block of sums stays in registers, and every load is
//! a vector or a broadcast scalar.

use bytemuck::{Pod, Zeroable};
use pulp::{Simd, WithSimd};

/// Rows of a product in registers: positions of a convolution, queries of an attention.
pub(super) const ROWS: usize = 6;
/// Consecutive elements of a row in a packed matrix: a multiple of every processor's vector length.
pub(super) const CHUNK: usize = 16;

/// A slice as whole vectors and a remainder.
#[derive(Clone, Copy)]
pub(super) struct Vectors<'a, S: Simd> {
    whole: &'a [S::f32s],
    rest: &'a [f32],
}

impl<'a, S: Simd> Vectors<'a, S> {
    #[inline(always)]
    pub fn of(slice: &'a [f32]) -> Self {
        let (whole, rest) = S::as_simd_f32s(slice);
        Self { whole, rest }
    }

    /// A vector, padded with zeros after the end of the slice.
    #[inline(always)]
    pub fn load(&self, simd: S, vector: usize) -> S::f32s {
        match self.whole.get(vector) {
            Some(&whole) => whole,
            None if vector == self.whole.len() && !self.rest.is_empty() => simd.partial_load_f32s(self.rest),
            None => simd.splat_f32s(0.0),
        }
    }
}

/// A buffer of floats aligned to cache lines, so that no vector crosses one.
#[derive(Default)]
pub(super) struct Buffer(Vec<Line>);

/// Floats of a cache line.
pub(super) const LINE: usize = 16;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

impl Buffer {
    /// Its size in cache lines.
    pub fn lines(&self) -> usize {
        self.0.len()
    }

    /// The first `length` elements of the buffer, which grows if necessary; their values are left over from earlier
    /// work.
    pub fn at_least(&mut self, length: usize) -> &mut [f32] {
        let lines = length.div_ceil(LINE);
        if self.0.len() < lines {
            self.0.resize(lines, Line::zeroed());
        }
        &mut bytemuck::cast_slice_mut(&mut self.0)[..length]
    }
}

/// Number of outputs of a block: as many vectors as leave registers for the inputs, but no more than there are outputs.
pub(super) struct Block {
    pub outputs: usize,
}

impl WithSimd for Block {
    type Output = usize;

    fn with_simd<S: Simd>(self, _simd: S) -> usize {
        let most = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        let vectors = [1, 2, 4].into_iter().find(|vectors| *vectors == most || vectors * S::F32_LANES >= self.outputs);
        vectors.unwrap_or(most) * S::F32_LANES
    }
}

/// Sums of inputs times weights over the depth, held in registers.
#[inline(always)]
pub(super) fn product<S: Simd, const VECTORS: usize>(
    simd: S,
    inputs: &[[[f32; CHUNK]; ROWS]],
    weights: &[[S::f32s; VECTORS]],
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (inputs, weights) in inputs.iter().zip(weights.as_chunks::<CHUNK>().0) {
        for (i, weights) in weights.iter().enumerate() {
            for (row, sums) in inputs.iter().zip(&mut sums) {
                let input = simd.splat_f32s(row[i]);
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = simd.mul_add_f32s(input, weight, *sum);
                }
            }
        }
    }
    sums
}
