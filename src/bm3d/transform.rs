//! Transforms of patches of 8x8 and of stacks of them.

use nalgebra::SMatrix;

use crate::cosine;

/// Side of a patch.
pub(super) const SIDE: usize = cosine::SAMPLES;
/// Pixels of a patch.
pub(super) const AREA: usize = SIDE * SIDE;

/// A patch, row by row.
pub(super) type Patch = [f32; AREA];
type Matrix = [[f32; SIDE]; SIDE];

/// A separable transform of patches, and its inverse.
pub(super) struct Transform {
    forward: Matrix,
    inverse: Matrix,
}

impl Transform {
    /// The cosine transform, which is orthonormal.
    pub fn cosine() -> Self {
        let forward = cosine::matrix().map(|row| row.map(|value| value as f32));
        Self { forward, inverse: transposed(&forward) }
    }

    /// The wavelet transform bior1.5 of three levels (A. Cohen, I. Daubechies and J.-C. Feauveau, 1992), each analysing function of norm 1:
    /// Haar's wavelets at the finest level, smoother ones at coarser levels.
    pub fn biorthogonal() -> Self {
        const OUTER: f64 = 0.016_572_815_184_059_71;
        const MIDDLE: f64 = 0.121_533_978_016_437_87;
        const INNER: f64 = std::f64::consts::FRAC_1_SQRT_2;
        const LOW: [f64; 10] = [OUTER, -OUTER, -MIDDLE, MIDDLE, INNER, INNER, MIDDLE, -MIDDLE, -OUTER, OUTER];
        // Rows of the low-pass part that is left, as functions of the samples.
        let mut low: Vec<[f64; SIDE]> =
            (0..SIDE).map(|i| std::array::from_fn(|n| f64::from(u8::from(n == i)))).collect();
        let mut rows = Vec::new();
        while low.len() > 1 {
            let length = low.len();
            let combined = |start: usize, weights: &[f64]| {
                let mut sum = [0.0; SIDE];
                for (k, weight) in weights.iter().enumerate() {
                    let row = &low[(start + k) % length];
                    for (sum, value) in sum.iter_mut().zip(row) {
                        *sum += weight * value;
                    }
                }
                sum
            };
            // The filter's centre lies between the samples 2 i and 2 i + 1; what is left of it wraps around, as many times as it needs.
            let first = |i: usize| 2 * i + 4 * length - 4;
            let details: Vec<_> = (0..length / 2).map(|i| combined(2 * i, &[INNER, -INNER])).collect();
            let smooth = (0..length / 2).map(|i| combined(first(i), &LOW)).collect();
            rows.splice(0..0, details);
            low = smooth;
        }
        rows.splice(0..0, low);
        let analysis = SMatrix::<f64, SIDE, SIDE>::from_fn(|i, n| {
            rows[i][n] / rows[i].iter().map(|value| value * value).sum::<f64>().sqrt()
        });
        let synthesis = analysis.try_inverse().expect("wavelets are independent");
        let of =
            |matrix: &SMatrix<f64, SIDE, SIDE>| std::array::from_fn(|i| std::array::from_fn(|n| matrix[(i, n)] as f32));
        Self { forward: of(&analysis), inverse: of(&synthesis) }
    }

    /// Replaces a patch by its coefficients.
    #[inline(always)]
    pub fn apply(&self, patch: &mut Patch) {
        both_axes(&self.forward, patch);
    }

    /// Replaces coefficients by their patch.
    #[inline(always)]
    pub fn undo(&self, patch: &mut Patch) {
        both_axes(&self.inverse, patch);
    }
}

fn transposed(matrix: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|n| matrix[n][i]))
}

/// `M X Mᵀ`.
#[inline(always)]
fn both_axes(matrix: &Matrix, patch: &mut Patch) {
    let columns = product(matrix, patch);
    *patch = turned(&product(matrix, &turned(&columns)));
}

/// `M X`.
#[inline(always)]
fn product(matrix: &Matrix, patch: &Patch) -> Patch {
    let mut out = [0.0; AREA];
    for (weights, out) in matrix.iter().zip(out.chunks_exact_mut(SIDE)) {
        for (weight, row) in weights.iter().zip(patch.chunks_exact(SIDE)) {
            for (out, value) in out.iter_mut().zip(row) {
                *out += weight * value;
            }
        }
    }
    out
}

#[inline(always)]
fn turned(patch: &Patch) -> Patch {
    std::array::from_fn(|i| patch[i % SIDE * SIDE + i / SIDE])
}

/// Haar's orthonormal transform along a stack of patches, as many as a power of two.
#[inline(always)]
pub(super) fn haar(stack: &mut [Patch], scratch: &mut [Patch]) {
    let mut length = stack.len();
    while length > 1 {
        let half = length / 2;
        for i in 0..half {
            for k in 0..AREA {
                let (a, b) = (stack[2 * i][k], stack[2 * i + 1][k]);
                scratch[i][k] = (a + b) * std::f32::consts::FRAC_1_SQRT_2;
                scratch[half + i][k] = (a - b) * std::f32::consts::FRAC_1_SQRT_2;
            }
        }
        stack[..length].copy_from_slice(&scratch[..length]);
        length = half;
    }
}

/// The inverse of [`haar`].
#[inline(always)]
pub(super) fn inverse_haar(stack: &mut [Patch], scratch: &mut [Patch]) {
    let mut length = 2;
    while length <= stack.len() {
        let half = length / 2;
        for i in 0..half {
            for k in 0..AREA {
                let (sum, difference) = (stack[i][k], stack[half + i][k]);
                scratch[2 * i][k] = (sum + difference) * std::f32::consts::FRAC_1_SQRT_2;
                scratch[2 * i + 1][k] = (sum - difference) * std::f32::consts::FRAC_1_SQRT_2;
            }
        }
        stack[..length].copy_from_slice(&scratch[..length]);
        length *= 2;
    }
}
