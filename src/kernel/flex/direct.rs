//! Convolutions of any size and stride by im2col: one product of matrices, a group of positions at a time.

use pulp::Simd;

use super::product::Vectors;
use super::scheme::{Geometry, Scheme, Tile};

/// Im2col: the sums run over all taps and inputs.
#[derive(Clone, Copy)]
pub(super) struct Direct;

impl Scheme for Direct {
    const POINTS: usize = 1;
    const TILE: usize = 1;

    fn depth(self, geometry: &Geometry) -> usize {
        geometry.taps * geometry.taps * geometry.padded_inputs()
    }

    #[inline(always)]
    fn transform_inputs<S: Simd>(
        self,
        simd: S,
        geometry: &Geometry,
        x: &[f32],
        tile: Tile,
        mut store: impl FnMut(usize, usize, S::f32s),
    ) {
        let vectors = geometry.padded_inputs() / S::F32_LANES;
        let first = |at: usize| (at * geometry.stride) as isize - geometry.padding as isize;
        for tap in 0..geometry.taps * geometry.taps {
            let row = first(tile.row) + (tap / geometry.taps) as isize;
            let column = first(tile.column) + (tap % geometry.taps) as isize;
            let pixel = Vectors::<S>::of(geometry.pixel(x, tile.image, row, column));
            for vector in 0..vectors {
                store(0, tap * vectors + vector, pixel.load(simd, vector));
            }
        }
    }

    #[inline(always)]
    fn transform_weights<S: Simd>(
        self,
        simd: S,
        geometry: &Geometry,
        weight: &[f32],
        first: usize,
        mut store: impl FnMut(usize, usize, S::f32s),
    ) {
        for (row, weights) in weight.chunks_exact(geometry.outputs).enumerate() {
            let padded = row / geometry.inputs * geometry.padded_inputs() + row % geometry.inputs;
            store(0, padded, Vectors::<S>::of(&weights[first..]).load(simd, 0));
        }
    }

    #[inline(always)]
    fn transform_outputs<S: Simd>(
        self,
        _simd: S,
        load: impl Fn(usize) -> S::f32s,
        mut store: impl FnMut(usize, usize, S::f32s),
    ) {
        store(0, 0, load(0));
    }
}
