//! A pass over a picture: stacks of patches that look alike, filtered and put back.

use rayon::prelude::*;

use super::Planes;
use super::transform::{AREA, Patch, SIDE, Transform, haar, inverse_haar};
use crate::device::arch;

/// Distance between the patches that others are sought for.
const STRIDE: usize = 3;
/// Furthest that a patch is sought, up, down, left and right.
const REACH: usize = 19;
/// Columns of a window of search.
const SPAN: usize = 2 * REACH + 1;
/// Rows of reference patches that are worked on together.
const BAND: usize = 8;
/// Coefficients below this many standard deviations are noise.
const THRESHOLD: f32 = 2.7;

/// One of the two passes.
pub(super) struct Pass<'a> {
    pub noisy: &'a Planes,
    /// What the first pass made of it; none in the first pass.
    pub basic: Option<&'a Planes>,
    /// Samples of one channel in which patches are compared.
    pub compared: &'a [f32],
    pub transform: Transform,
    /// Most patches of a stack.
    pub most: usize,
    /// Standard deviation of the noise.
    pub sigma: f32,
    /// Weights of the pixels of a patch.
    pub window: Patch,
}

/// Sums of weighted patches, and of the weights, of some rows of the picture.
struct Sums {
    /// The first row.
    top: usize,
    /// Of each channel.
    values: Vec<Vec<f32>>,
    weights: Vec<Vec<f32>>,
}

/// Memory for stacks of patches.
struct Workspace {
    stack: Vec<Patch>,
    basic: Vec<Patch>,
    scratch: Vec<Patch>,
    /// Distance and place of the patches that were found, the closest first.
    found: Vec<(f32, [usize; 2])>,
}

impl Pass<'_> {
    /// What is left of the picture; nothing if `proceed` says no, which is asked after every step.
    pub fn run(&self, mut proceed: impl FnMut() -> bool) -> Option<Planes> {
        let Planes { height, width, .. } = *self.noisy;
        let rows = places(height);
        let count = self.noisy.channels.len();
        let mut values = vec![vec![0f32; height * width]; count];
        let mut weights = values.clone();
        // A step is one band for each thread, so that their sums take little memory; bands are the same however many threads there are.
        for bands in rows.chunks(rows_of_step()) {
            let sums: Vec<Sums> = bands.par_chunks(BAND).map(|rows| self.band(rows)).collect();
            for sums in sums {
                let first = sums.top * width;
                let all = values.iter_mut().chain(&mut weights);
                for (all, some) in all.zip(sums.values.iter().chain(&sums.weights)) {
                    all[first..].iter_mut().zip(some).for_each(|(all, some)| *all += some);
                }
            }
            if !proceed() {
                return None;
            }
        }
        let sums = values.iter_mut().flatten().zip(weights.iter().flatten());
        sums.for_each(|(value, weight)| *value /= weight);
        Some(Planes { channels: values, height, width })
    }

    /// The sums of the stacks of reference patches in some rows.
    fn band(&self, rows: &[usize]) -> Sums {
        let Planes { height, width, .. } = *self.noisy;
        let top = rows[0].saturating_sub(REACH);
        let bottom = (rows[rows.len() - 1] + REACH + SIDE).min(height);
        let plane = || vec![0f32; (bottom - top) * width];
        let count = self.noisy.channels.len();
        let mut sums = Sums { top, values: vec![plane(); count], weights: vec![plane(); count] };
        let mut workspace = Workspace {
            stack: vec![[0.0; AREA]; self.most],
            basic: vec![[0.0; AREA]; self.most],
            scratch: vec![[0.0; AREA]; self.most],
            found: Vec::with_capacity(self.most + 1),
        };
        let columns = places(width);
        arch().dispatch(|| {
            for &y in rows {
                for &x in &columns {
                    self.find([y, x], &mut workspace.found);
                    self.filter(&mut workspace, &mut sums);
                }
            }
        });
        sums
    }

    /// Finds the patches that look like the one at a place, which is one of them; as many as a power of two.
    #[inline(always)]
    fn find(&self, [y, x]: [usize; 2], found: &mut Vec<(f32, [usize; 2])>) {
        let Planes { height, width, .. } = *self.noisy;
        let guide = self.compared;
        let reference: Patch = std::array::from_fn(|i| guide[(y + i / SIDE) * width + x + i % SIDE]);
        found.clear();
        // It comes first, even where others are the same.
        found.push((0.0, [y, x]));
        let (left, right) = (x.saturating_sub(REACH), (x + REACH).min(width - SIDE));
        let columns = right - left + 1;
        for row in y.saturating_sub(REACH)..=(y + REACH).min(height - SIDE) {
            let mut distances = [0f32; SPAN];
            for (i, reference) in reference.chunks_exact(SIDE).enumerate() {
                let line = &guide[(row + i) * width + left..][..columns + SIDE - 1];
                for (k, value) in reference.iter().enumerate() {
                    for (distance, other) in distances[..columns].iter_mut().zip(&line[k..]) {
                        *distance += (value - other) * (value - other);
                    }
                }
            }
            for (column, &distance) in distances[..columns].iter().enumerate() {
                let worst = if found.len() < self.most { f32::INFINITY } else { found[found.len() - 1].0 };
                if distance < worst && [row, left + column] != [y, x] {
                    let place = found.partition_point(|(other, _)| *other <= distance);
                    found.insert(place, (distance, [row, left + column]));
                    found.truncate(self.most);
                }
            }
        }
        found.truncate(1 << found.len().ilog2());
    }

    /// Filters the stack of the patches that were found, and adds them to the sums.
    #[inline(always)]
    fn filter(&self, workspace: &mut Workspace, sums: &mut Sums) {
        let Workspace { stack, basic, scratch, found } = workspace;
        let width = self.noisy.width;
        let stack = &mut stack[..found.len()];
        for channel in 0..self.noisy.channels.len() {
            self.gather(&self.noisy.channels[channel], found, stack, scratch);
            // Of the noise that is left, up to its variance.
            let energy = match self.basic {
                None => self.thresholded(stack),
                Some(known) => {
                    let basic = &mut basic[..found.len()];
                    self.gather(&known.channels[channel], found, basic, scratch);
                    self.shrunk(stack, basic)
                }
            };
            inverse_haar(stack, scratch);
            let weight = 1.0 / energy.max(1.0);
            let (values, weights) = (&mut sums.values[channel], &mut sums.weights[channel]);
            for (patch, (_, [y, x])) in stack.iter_mut().zip(found.iter()) {
                self.transform.undo(patch);
                for i in 0..SIDE {
                    let place = (y - sums.top + i) * width + x;
                    let (values, weights) = (&mut values[place..][..SIDE], &mut weights[place..][..SIDE]);
                    for k in 0..SIDE {
                        let share = weight * self.window[i * SIDE + k];
                        values[k] += share * patch[i * SIDE + k];
                        weights[k] += share;
                    }
                }
            }
        }
    }

    /// The transformed stack of patches of a channel.
    #[inline(always)]
    fn gather(&self, plane: &[f32], found: &[(f32, [usize; 2])], stack: &mut [Patch], scratch: &mut [Patch]) {
        for (patch, (_, [y, x])) in stack.iter_mut().zip(found) {
            for (i, row) in patch.chunks_exact_mut(SIDE).enumerate() {
                row.copy_from_slice(&plane[(y + i) * self.noisy.width + x..][..SIDE]);
            }
            self.transform.apply(patch);
        }
        haar(stack, scratch);
    }

    /// Sets weak coefficients to 0; returns how many are left.
    #[inline(always)]
    fn thresholded(&self, stack: &mut [Patch]) -> f32 {
        let least = THRESHOLD * self.sigma;
        // The mean is always kept.
        let mean = stack[0][0];
        let mut left = 0.0;
        for patch in stack.iter_mut() {
            for value in patch {
                let keep = f32::from(u8::from(value.abs() >= least));
                *value *= keep;
                left += keep;
            }
        }
        stack[0][0] = mean;
        left
    }

    /// Shrinks the coefficients by Wiener's factors; returns the sum of their squares.
    #[inline(always)]
    fn shrunk(&self, stack: &mut [Patch], basic: &[Patch]) -> f32 {
        // Where there is no noise, 0 stays 0.
        let variance = (self.sigma * self.sigma).max(f32::MIN_POSITIVE);
        let mut energy = 0.0;
        for (patch, basic) in stack.iter_mut().zip(basic) {
            for (value, basic) in patch.iter_mut().zip(basic) {
                let factor = basic * basic / (basic * basic + variance);
                *value *= factor;
                energy += factor * factor;
            }
        }
        energy
    }
}

/// Rows of reference patches of a step.
fn rows_of_step() -> usize {
    BAND * rayon::current_num_threads()
}

/// Steps of a pass over a picture of that height.
pub(super) fn steps(height: usize) -> usize {
    places(height).len().div_ceil(rows_of_step())
}

/// The places of reference patches along an axis: every third, and the last one.
fn places(length: usize) -> Vec<usize> {
    let last = length - SIDE;
    let mut places: Vec<usize> = (0..last).step_by(STRIDE).collect();
    places.push(last);
    places
}
