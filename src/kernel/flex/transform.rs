//! Discrete Fourier transforms of real images on the CPU.
//!
//! Rows become half spectra. Their columns are copied into contiguous lines, a tile at a time so that whole cache lines
//! are read, and stay in that layout until the rows are transformed back.

use std::cell::RefCell;
use std::sync::Arc;

use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{FftPlanner, num_complex::Complex32};

use crate::kernel::fft::half;

/// Lines that a thread processes at a time.
const TILE: usize = 16;

thread_local! {
    /// Planners, which keep their plans for the next steps of a run.
    static PLANNERS: RefCell<(FftPlanner<f32>, RealFftPlanner<f32>)> =
        RefCell::new((FftPlanner::new(), RealFftPlanner::new()));
}

/// Transforms of any number of consecutive images of `height` x `width`.
#[derive(Clone, Copy)]
pub(super) struct Images {
    pub height: usize,
    pub width: usize,
}

/// Operation on the columns of half spectra.
#[derive(Clone, Copy)]
enum Columns<'a> {
    Forward,
    Inverse,
    /// Forward, multiplication with this transfer function `[height, half, 2]`, inverse.
    Filter(&'a [f32]),
}

impl Images {
    /// Half spectra `[height, half, 2]`.
    pub fn forward(self, x: &[f32]) -> Vec<f32> {
        let columns = self.columns(&self.rows(x), Columns::Forward);
        let half = half(self.width);
        let mut out = vec![0.0; 2 * columns.len()];
        self.planes(&mut out, 2 * half, &columns).for_each(|(tile, rows, columns)| {
            for (x, column) in columns.chunks_exact(self.height).enumerate() {
                for (row, value) in rows.chunks_exact_mut(2 * half).zip(&column[tile * TILE..]) {
                    row[2 * x..2 * x + 2].copy_from_slice(&[value.re, value.im]);
                }
            }
        });
        out
    }

    /// Images of half spectra.
    pub fn inverse(self, x: &[f32]) -> Vec<f32> {
        let spectra: Vec<Complex32> = x.as_chunks().0.iter().map(|&[re, im]| Complex32::new(re, im)).collect();
        self.rows_back(&self.columns(&spectra, Columns::Inverse))
    }

    /// Circular convolution with the kernel of a transfer function `[height, half, 2]`.
    pub fn filter(self, x: &[f32], transfer: &[f32]) -> Vec<f32> {
        self.rows_back(&self.columns(&self.rows(x), Columns::Filter(transfer)))
    }

    /// Circular convolution of every row, or column, with a kernel whose transfer function is `[length, 2]`.
    pub fn filter_lines(self, x: &[f32], transfer: &[f32], along_columns: bool) -> Vec<f32> {
        let lines = Lines::new(if along_columns { self.height } else { self.width });
        let mut out = vec![0.0; x.len()];
        if !along_columns {
            let tiles = out.par_chunks_mut(TILE * self.width).zip(x.par_chunks(TILE * self.width));
            tiles.for_each(|(out, x)| {
                out.copy_from_slice(x);
                lines.filter(out, transfer);
            });
            return out;
        }
        let mut columns = vec![0.0; x.len()];
        let plane = self.height * self.width;
        columns.par_chunks_mut(plane).zip(x.par_chunks(plane)).for_each(|(columns, x)| {
            columns.par_chunks_mut(TILE * self.height).enumerate().for_each(|(tile, columns)| {
                gather(columns, self.height, x, self.width, tile * TILE);
                lines.filter(columns, transfer);
            });
        });
        self.planes(&mut out, self.width, &columns).for_each(|(tile, rows, columns)| {
            gather(rows, self.width, columns, self.height, tile * TILE);
        });
        out
    }

    /// Half spectra of the rows.
    fn rows(self, x: &[f32]) -> Vec<Complex32> {
        let lines = Lines::new(self.width);
        let half = half(self.width);
        let mut spectra = vec![Complex32::default(); x.len() / self.width * half];
        let tiles = spectra.par_chunks_mut(TILE * half).zip(x.par_chunks(TILE * self.width));
        tiles.for_each(|(spectra, x)| {
            let mut scratch = lines.scratch();
            for (spectrum, row) in spectra.chunks_exact_mut(half).zip(x.chunks_exact(self.width)) {
                scratch.line.copy_from_slice(row);
                lines.forward(&mut scratch);
                spectrum.copy_from_slice(&scratch.spectrum);
            }
        });
        spectra
    }

    /// Transformed columns of half spectra `[height, half]`: `[half, height]`.
    fn columns(self, spectra: &[Complex32], what: Columns) -> Vec<Complex32> {
        let half = half(self.width);
        let (forward, inverse) = PLANNERS.with_borrow_mut(|(planner, _)| {
            (planner.plan_fft_forward(self.height), planner.plan_fft_inverse(self.height))
        });
        let scale = 1.0 / self.height as f32;
        let mut columns = vec![Complex32::default(); spectra.len()];
        let plane = self.height * half;
        columns.par_chunks_mut(plane).zip(spectra.par_chunks(plane)).for_each(|(columns, spectra)| {
            columns.par_chunks_mut(TILE * self.height).enumerate().for_each(|(tile, columns)| {
                gather(columns, self.height, spectra, half, tile * TILE);
                match what {
                    Columns::Forward => forward.process(columns),
                    Columns::Inverse => {
                        inverse.process(columns);
                        columns.iter_mut().for_each(|value| *value *= scale);
                    }
                    Columns::Filter(transfer) => {
                        forward.process(columns);
                        for (x, column) in columns.chunks_exact_mut(self.height).enumerate() {
                            let factors = transfer.as_chunks().0.iter().skip(tile * TILE + x).step_by(half);
                            for (value, &[re, im]) in column.iter_mut().zip(factors) {
                                *value *= Complex32::new(re * scale, im * scale);
                            }
                        }
                        inverse.process(columns);
                    }
                }
            });
        });
        columns
    }

    /// Images of columns `[half, height]` of the half spectra of rows.
    fn rows_back(self, columns: &[Complex32]) -> Vec<f32> {
        let lines = Lines::new(self.width);
        let half = half(self.width);
        let mut out = vec![0.0; columns.len() / half * self.width];
        self.planes(&mut out, self.width, columns).for_each(|(tile, rows, columns)| {
            let mut scratch = lines.scratch();
            let mut spectra = vec![Complex32::default(); rows.len() / self.width * half];
            gather(&mut spectra, half, columns, self.height, tile * TILE);
            for (row, spectrum) in rows.chunks_exact_mut(self.width).zip(spectra.chunks_exact(half)) {
                scratch.spectrum.copy_from_slice(spectrum);
                lines.inverse(&mut scratch);
                row.copy_from_slice(&scratch.line);
            }
        });
        out
    }

    /// Tiles of rows of images whose rows are `length` elements long: index of the tile, its rows, and the source of
    /// the image.
    fn planes<'a, T: Send + 'a, U: Sync>(
        self,
        out: &'a mut [T],
        length: usize,
        sources: &'a [U],
    ) -> impl ParallelIterator<Item = (usize, &'a mut [T], &'a [U])> {
        let planes = out.len() / (self.height * length);
        let images = out.par_chunks_mut(self.height * length).zip(sources.par_chunks(sources.len() / planes));
        images.flat_map(move |(out, source)| {
            let tiles = out.par_chunks_mut(TILE * length).enumerate();
            tiles.map(move |(tile, rows)| (tile, rows, source))
        })
    }
}

/// Copies columns of `source`, whose rows are `width` long, from `first` on into lines of `length`.
fn gather<T: Copy>(lines: &mut [T], length: usize, source: &[T], width: usize, first: usize) {
    let count = lines.len() / length;
    for (i, row) in source.chunks_exact(width).enumerate() {
        for (line, &value) in lines.chunks_exact_mut(length).zip(&row[first..first + count]) {
            line[i] = value;
        }
    }
}

/// Transforms of real lines of one length.
struct Lines {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// A line, its half spectrum, and the scratch memory of its transform.
struct LineScratch {
    line: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl Lines {
    fn new(length: usize) -> Self {
        PLANNERS.with_borrow_mut(|(_, planner)| Self {
            forward: planner.plan_fft_forward(length),
            inverse: planner.plan_fft_inverse(length),
        })
    }

    fn scratch(&self) -> LineScratch {
        let scratch = self.forward.get_scratch_len().max(self.inverse.get_scratch_len());
        LineScratch {
            line: self.forward.make_input_vec(),
            spectrum: self.forward.make_output_vec(),
            scratch: vec![Complex32::default(); scratch],
        }
    }

    /// Overwrites the line.
    fn forward(&self, LineScratch { line, spectrum, scratch }: &mut LineScratch) {
        let fits = self.forward.process_with_scratch(line, spectrum, scratch);
        fits.expect("buffers of the plan's own lengths");
    }

    /// Overwrites the spectrum.
    fn inverse(&self, LineScratch { line, spectrum, scratch }: &mut LineScratch) {
        // Frequencies that are their own conjugates: an imaginary part is rounding, or belongs to no real image.
        let length = line.len();
        spectrum[0].im = 0.0;
        if length.is_multiple_of(2) {
            spectrum[length / 2].im = 0.0;
        }
        let fits = self.inverse.process_with_scratch(spectrum, line, scratch);
        fits.expect("buffers of the plan's own lengths, real where they must be");
        let scale = 1.0 / length as f32;
        line.iter_mut().for_each(|value| *value *= scale);
    }

    /// Circular convolution of every line.
    fn filter(&self, lines: &mut [f32], transfer: &[f32]) {
        let mut scratch = self.scratch();
        for line in lines.chunks_exact_mut(scratch.line.len()) {
            scratch.line.copy_from_slice(line);
            self.forward(&mut scratch);
            for (value, &[re, im]) in scratch.spectrum.iter_mut().zip(transfer.as_chunks().0) {
                *value *= Complex32::new(re, im);
            }
            self.inverse(&mut scratch);
            line.copy_from_slice(&scratch.line);
        }
    }
}
