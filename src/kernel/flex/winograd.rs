//! 3 x 3 convolutions with a quarter of the multiplications: F(4x4, 3x3) of "Fast Algorithms for Convolutional Neural
//! Networks" (A. Lavin and S. Gray, 2016).
//!
//! A tile of 4 x 4 results is `Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A` of the weights `g` and 6 x 6 inputs `d`; the element-wise
//! products are summed over the inputs, so that each of the 36 points is a product of matrices. The points are 0, ±1,
//! ±2 and infinity.

use pulp::Simd;

use super::product::Vectors;
use super::scheme::{Geometry, Scheme, Tile};

/// F(4x4, 3x3).
#[derive(Clone, Copy)]
pub(super) struct Winograd;

impl Winograd {
    /// Side of the kernel.
    pub const TAPS: usize = 3;
    /// Side of an input tile.
    const SPAN: usize = 6;
}

impl Scheme for Winograd {
    const POINTS: usize = Self::SPAN * Self::SPAN;
    const TILE: usize = 4;

    fn depth(self, geometry: &Geometry) -> usize {
        geometry.padded_inputs()
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
        let mut pixels = [[Vectors::<S>::of(&[]); Self::SPAN]; Self::SPAN];
        for (column, pixels) in pixels.iter_mut().enumerate() {
            for (row, pixel) in pixels.iter_mut().enumerate() {
                let at = |tile: usize, offset: usize| (tile + offset) as isize - geometry.padding as isize;
                *pixel = Vectors::of(geometry.pixel(x, tile.image, at(tile.row, row), at(tile.column, column)));
            }
        }
        for vector in 0..geometry.padded_inputs() / S::F32_LANES {
            let mut half = [[simd.splat_f32s(0.0); Self::SPAN]; Self::SPAN];
            for (column, pixels) in pixels.iter().enumerate() {
                let mut values = [simd.splat_f32s(0.0); Self::SPAN];
                for (value, pixel) in values.iter_mut().zip(pixels) {
                    *value = pixel.load(simd, vector);
                }
                for (half, value) in half.iter_mut().zip(inputs(simd, values)) {
                    half[column] = value;
                }
            }
            for (row, half) in half.into_iter().enumerate() {
                for (column, value) in inputs(simd, half).into_iter().enumerate() {
                    store(row * Self::SPAN + column, vector, value);
                }
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
        let Geometry { inputs, outputs, .. } = *geometry;
        for input in 0..inputs {
            let mut half = [[simd.splat_f32s(0.0); Self::TAPS]; Self::SPAN];
            for column in 0..Self::TAPS {
                let mut taps = [simd.splat_f32s(0.0); Self::TAPS];
                for (row, tap) in taps.iter_mut().enumerate() {
                    let outputs_of_tap = &weight[((row * Self::TAPS + column) * inputs + input) * outputs..][..outputs];
                    *tap = Vectors::<S>::of(&outputs_of_tap[first..]).load(simd, 0);
                }
                for (half, value) in half.iter_mut().zip(weights(simd, taps)) {
                    half[column] = value;
                }
            }
            for (row, half) in half.into_iter().enumerate() {
                for (column, value) in weights(simd, half).into_iter().enumerate() {
                    store(row * Self::SPAN + column, input, value);
                }
            }
        }
    }

    #[inline(always)]
    fn transform_outputs<S: Simd>(
        self,
        simd: S,
        load: impl Fn(usize) -> S::f32s,
        mut store: impl FnMut(usize, usize, S::f32s),
    ) {
        let mut half = [[simd.splat_f32s(0.0); Self::SPAN]; Self::TILE];
        for row in 0..Self::SPAN {
            let mut products = [simd.splat_f32s(0.0); Self::SPAN];
            for (column, product) in products.iter_mut().enumerate() {
                *product = load(row * Self::SPAN + column);
            }
            for (half, value) in half.iter_mut().zip(results(simd, products)) {
                half[row] = value;
            }
        }
        for (column, half) in half.into_iter().enumerate() {
            for (row, value) in results(simd, half).into_iter().enumerate() {
                store(row, column, value);
            }
        }
    }
}

/// `Bᵀ d`.
#[inline(always)]
fn inputs<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
    let add = |x, factor, y| simd.mul_add_f32s(simd.splat_f32s(factor), y, x);
    let (even_1, odd_1) = (add(d[4], -4.0, d[2]), add(d[3], -4.0, d[1]));
    let (even_2, odd_2) = (simd.sub_f32s(d[4], d[2]), simd.sub_f32s(d[3], d[1]));
    [
        add(add(d[4], -5.0, d[2]), 4.0, d[0]),
        simd.add_f32s(even_1, odd_1),
        simd.sub_f32s(even_1, odd_1),
        add(even_2, 2.0, odd_2),
        add(even_2, -2.0, odd_2),
        add(add(d[5], -5.0, d[3]), 4.0, d[1]),
    ]
}

/// `G g`.
#[inline(always)]
fn weights<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; 6] {
    let times = |factor, y| simd.mul_f32s(simd.splat_f32s(factor), y);
    let add = |x, factor, y| simd.mul_add_f32s(simd.splat_f32s(factor), y, x);
    let (even_1, odd_1) = (times(-1.0 / 6.0, simd.add_f32s(g[0], g[2])), times(1.0 / 6.0, g[1]));
    let (even_2, odd_2) = (add(times(1.0 / 24.0, g[0]), 1.0 / 6.0, g[2]), times(1.0 / 12.0, g[1]));
    [
        times(0.25, g[0]),
        simd.sub_f32s(even_1, odd_1),
        simd.add_f32s(even_1, odd_1),
        simd.add_f32s(even_2, odd_2),
        simd.sub_f32s(even_2, odd_2),
        g[2],
    ]
}

/// `Aᵀ m`.
#[inline(always)]
fn results<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let add = |x, factor, y| simd.mul_add_f32s(simd.splat_f32s(factor), y, x);
    let (even_1, odd_1) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (even_2, odd_2) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(m[0], simd.add_f32s(even_1, even_2)),
        add(odd_1, 2.0, odd_2),
        add(even_1, 4.0, even_2),
        add(simd.add_f32s(odd_1, m[5]), 8.0, odd_2),
    ]
}
