//! The gradient regularisers on the CPU.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::elementary::{exp, ln};
use crate::device::arch;
use crate::kernel::gradient::{JOINT_EPSILON, JOINT_RANGE, SPATIAL_EPSILON};

/// Elements that a thread processes at a time.
const PIECE: usize = 8 << 10;

/// `phi'(d) / d`; `rate` is `1 / (2 sigma_g²)`.
#[derive(Clone, Copy)]
pub(super) struct Penalty {
    pub alpha: f32,
    pub rate: f32,
}

impl Penalty {
    /// For the squared magnitude `s`.
    #[inline(always)]
    fn weight(self, s: f32) -> f32 {
        let power = exp(0.5 * self.alpha * ln(s));
        self.alpha * self.rate * power / s * exp(-self.rate * power)
    }

    /// See [`crate::kernel::gradient::joint_weight`].
    pub fn joint(self, du: &[f32], dv: &[f32], scale: f32) -> Vec<f32> {
        let arch = arch();
        let mut out = vec![0.0; du.len()];
        let pieces = out.par_chunks_mut(PIECE).zip(du.par_chunks(PIECE).zip(dv.par_chunks(PIECE)));
        pieces.for_each(|(out, (du, dv))| arch.dispatch(Joint { penalty: self, scale, du, dv, out }));
        out
    }

    /// See [`crate::kernel::gradient::spatial`], of planes `height` x `width`.
    pub fn spatial(self, x: &[f32], height: usize, width: usize, lam: f32) -> Vec<f32> {
        let arch = arch();
        let plane = |row: usize| row / height * height;
        // `phi'` of the differences to the left, then of those to the pixel above, row by row.
        let mut steps = vec![0.0; 2 * x.len()];
        steps.par_chunks_mut(2 * width).zip(x.par_chunks(width)).enumerate().for_each(|(row, (steps, here))| {
            let above = plane(row) + (row - plane(row) + height - 1) % height;
            arch.dispatch(Steps { penalty: self, here, above: &x[above * width..][..width], steps });
        });
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(width).zip(steps.par_chunks(2 * width)).enumerate().for_each(|(row, (out, here))| {
            let below = plane(row) + (row - plane(row) + 1) % height;
            let (across, down) = here.split_at(width);
            let below = &steps[(2 * below + 1) * width..][..width];
            let next = across[1..].iter().chain(&across[..1]);
            for ((((out, across), next), down), below) in out.iter_mut().zip(across).zip(next).zip(down).zip(below) {
                *out = lam * (across - next + (down - below));
            }
        });
        out
    }
}

struct Joint<'a> {
    penalty: Penalty,
    scale: f32,
    du: &'a [f32],
    dv: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Joint<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { penalty, scale, du, dv, out } = self;
        for ((out, du), dv) in out.iter_mut().zip(du).zip(dv) {
            let s = (du * du + dv * dv + JOINT_EPSILON).clamp(JOINT_RANGE.0, JOINT_RANGE.1);
            *out = scale * penalty.weight(s);
        }
    }
}

struct Steps<'a> {
    penalty: Penalty,
    here: &'a [f32],
    above: &'a [f32],
    steps: &'a mut [f32],
}

impl WithSimd for Steps<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { penalty, here, above, steps } = self;
        let (across, down) = steps.split_at_mut(here.len());
        across[0] = here[0] - here[here.len() - 1];
        for ((step, here), left) in across[1..].iter_mut().zip(&here[1..]).zip(here) {
            *step = here - left;
        }
        for ((step, here), above) in down.iter_mut().zip(here).zip(above) {
            *step = here - above;
        }
        for step in steps {
            *step *= penalty.weight(*step * *step + SPATIAL_EPSILON);
        }
    }
}
