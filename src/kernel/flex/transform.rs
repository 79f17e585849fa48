//! Discrete Fourier transforms of the lines of planes on the CPU.

use std::cell::RefCell;
use std::sync::Arc;

use rayon::prelude::*;
use rustfft::{Fft, FftDirection, FftPlanner, num_complex::Complex};

/// Lines of a column transform that are copied together, for whole cache lines.
const TILE: usize = 16;

thread_local! {
    /// Keeps its plans, so that the steps of a run share them.
    static PLANNER: RefCell<FftPlanner<f32>> = RefCell::new(FftPlanner::new());
}

/// Transform of the rows or columns of planes of `height` x `width`.
pub(super) struct Lines {
    pub height: usize,
    pub width: usize,
    /// Columns instead of rows.
    pub columns: bool,
    pub inverse: bool,
}

impl Lines {
    fn plan(&self) -> (Arc<dyn Fft<f32>>, f32) {
        let length = if self.columns { self.height } else { self.width };
        let direction = if self.inverse { FftDirection::Inverse } else { FftDirection::Forward };
        let plan = PLANNER.with_borrow_mut(|planner| planner.plan_fft(length, direction));
        (plan, if self.inverse { 1.0 / length as f32 } else { 1.0 })
    }

    /// Of complex numbers as pairs, or of real ones; to pairs, or to the real parts only.
    pub fn transform(&self, x: &[f32], real_input: bool, real_output: bool) -> Vec<f32> {
        let plane = self.height * self.width;
        let mut out = vec![0.0; x.len() / width(real_input) * width(real_output)];
        let planes = x.par_chunks(plane * width(real_input)).zip(out.par_chunks_mut(plane * width(real_output)));
        planes.for_each(|(x, out)| match self.columns {
            true => self.columns(x, real_input, out, real_output),
            false => self.rows(x, real_input, out, real_output),
        });
        out
    }

    fn rows(&self, x: &[f32], real_input: bool, out: &mut [f32], real_output: bool) {
        let (plan, scale) = self.plan();
        let lines = self.width * TILE;
        let sources = x.par_chunks(lines * width(real_input)).zip(out.par_chunks_mut(lines * width(real_output)));
        sources.for_each(|(x, out)| {
            let mut line = vec![Complex::default(); x.len() / width(real_input)];
            (0..line.len()).for_each(|i| line[i] = number(x, real_input, i));
            plan.process(&mut line);
            (0..line.len()).for_each(|i| put(out, real_output, i, line[i] * scale));
        });
    }

    fn columns(&self, x: &[f32], real_input: bool, out: &mut [f32], real_output: bool) {
        let (plan, scale) = self.plan();
        let mut transposed = vec![Complex::default(); self.height * self.width];
        transposed.par_chunks_mut(TILE * self.height).enumerate().for_each(|(tile, lines)| {
            for y in 0..self.height {
                for (i, line) in lines.chunks_exact_mut(self.height).enumerate() {
                    line[y] = number(x, real_input, y * self.width + tile * TILE + i);
                }
            }
            plan.process(lines);
        });
        out.par_chunks_mut(TILE * self.width * width(real_output)).enumerate().for_each(|(tile, rows)| {
            for (x, line) in transposed.chunks_exact(self.height).enumerate() {
                for (i, row) in rows.chunks_exact_mut(self.width * width(real_output)).enumerate() {
                    put(row, real_output, x, line[tile * TILE + i] * scale);
                }
            }
        });
    }
}

/// Floats of a number.
fn width(real: bool) -> usize {
    if real { 1 } else { 2 }
}

fn number(x: &[f32], real: bool, i: usize) -> Complex<f32> {
    if real { Complex::new(x[i], 0.0) } else { Complex::new(x[2 * i], x[2 * i + 1]) }
}

fn put(out: &mut [f32], real: bool, i: usize, value: Complex<f32>) {
    if real {
        out[i] = value.re;
    } else {
        out[2 * i] = value.re;
        out[2 * i + 1] = value.im;
    }
}
