//! Large images, window by window within every evaluation.
//!
//! The noise that a network predicts is averaged over windows that overlap a little (MultiDiffusion, arXiv:2302.08113, with ramps
//! instead of counts), so that samplers, operators and data see one image. Where the windows lie changes with every evaluation: what
//! one leaves at a border, the next ones mend (SpotDiffusion, arXiv:2407.15507).

use std::f32::consts::FRAC_PI_2;

use burn::tensor::{Device, Tensor, TensorData};

use super::Prior;
use super::denoiser::{Call, Denoiser, Vjp};
use crate::control::{self, Event, Silent};
use crate::error::Result;
use crate::noise::splitmix64;

/// Pixels at the border of a window that are not used: the network knows little of what is beyond.
const MARGIN: usize = 32;
/// Pixels over which one window fades into the next.
const RAMP: usize = 32;
/// How far windows move between evaluations.
const JITTER: usize = 128;
/// Windows begin at multiples of this, which suits every network.
const GRID: usize = 16;
/// Below this, windows are more border than inside.
pub(crate) const SMALLEST: usize = 2 * (MARGIN + RAMP) + 64;

/// A prior for images of any size: those with a side above that of a window are evaluated by windows.
pub struct Windowed<'a> {
    prior: &'a Prior,
    side: usize,
}

/// A window along one axis, and what it counts there.
struct Span {
    start: usize,
    length: usize,
    weights: Vec<f32>,
}

/// Along one axis, windows of at most `side` that cover `n` pixels, moved by `offset` of at most [`JITTER`]; the weights at each pixel add up
/// to 1.
fn spans(n: usize, side: usize, offset: usize) -> Vec<Span> {
    if n <= side {
        return vec![Span { start: 0, length: n, weights: vec![1.0; n] }];
    }
    let overlap = 2 * MARGIN + RAMP;
    let count = (n - side + JITTER).div_ceil(side - overlap) + 1;
    // As small as so many windows may be.
    let side = (n + JITTER + (count - 1) * overlap).div_ceil(count).next_multiple_of(GRID).min(side);
    let stride = side - overlap;
    let mut starts: Vec<usize> = (0..count).map(|k| (k * stride).saturating_sub(offset).min(n - side)).collect();
    starts.dedup();
    let mut spans: Vec<Span> = starts
        .into_iter()
        .map(|start| {
            let inner = |distance: usize| match distance.checked_sub(MARGIN) {
                None => 0.0,
                Some(d) if d < RAMP => (FRAC_PI_2 * (d as f32 + 0.5) / RAMP as f32).sin().powi(2),
                Some(_) => 1.0,
            };
            let weight = |i: usize| {
                let left = if start == 0 { 1.0 } else { inner(i) };
                let right = if start + side == n { 1.0 } else { inner(side - 1 - i) };
                left * right
            };
            Span { start, length: side, weights: (0..side).map(weight).collect() }
        })
        .collect();
    let mut sums = vec![0.0; n];
    for span in &spans {
        span.weights.iter().enumerate().for_each(|(i, weight)| sums[span.start + i] += weight);
    }
    for span in &mut spans {
        let start = span.start;
        span.weights.iter_mut().enumerate().for_each(|(i, weight)| *weight /= sums[start + i]);
    }
    spans
}

impl<'a> Windowed<'a> {
    /// Windows of `side` pixels, a multiple of 16 of at least 192.
    ///
    /// # Panics
    /// If the side is smaller.
    pub fn new(prior: &'a Prior, side: usize) -> Self {
        assert!(side >= SMALLEST, "windows of {side} pixels");
        Self { prior, side: side / GRID * GRID }
    }

    /// Down and across, the windows of an evaluation.
    fn grid(&self, [height, width]: [usize; 2], index: usize) -> [Vec<Span>; 2] {
        let offset = |axis: usize| {
            let steps = (JITTER / GRID + 1) as u64;
            (splitmix64((2 * index + axis) as u64) % steps) as usize * GRID
        };
        [spans(height, self.side, offset(0)), spans(width, self.side, offset(1))]
    }
}

/// The weights of a window, `[1, 1, h, w]`.
fn weights(down: &Span, across: &Span, device: &Device) -> Tensor<4> {
    let column = Tensor::<4>::from_data(TensorData::new(down.weights.clone(), [1, 1, down.length, 1]), device);
    column * Tensor::<4>::from_data(TensorData::new(across.weights.clone(), [1, 1, 1, across.length]), device)
}

/// The part of a tensor in a window.
fn part(x: &Tensor<4>, down: &Span, across: &Span) -> Tensor<4> {
    x.clone().narrow(2, down.start, down.length).narrow(3, across.start, across.length)
}

/// The sum with a window's part.
fn add(sum: Tensor<4>, more: Tensor<4>, down: &Span, across: &Span) -> Tensor<4> {
    let [b, c, _, _] = sum.dims();
    let place = [0..b, 0..c, down.start..down.start + down.length, across.start..across.start + across.length];
    let before = sum.clone().slice(place.clone());
    sum.slice_assign(place, before + more)
}

impl Denoiser for Windowed<'_> {
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> Result<Tensor<4>> {
        let [b, c, h, w] = x_t.dims();
        if h.max(w) <= self.side {
            return self.prior.predict_noise(x_t, call);
        }
        let x = self.prior.extended(x_t);
        let [_, _, height, width] = x.dims();
        let [down, across] = self.grid([height, width], call.index);
        let all = down.len() * across.len();
        let mut eps = x.zeros_like();
        for (i, (rows, columns)) in down.iter().flat_map(|rows| across.iter().map(move |c| (rows, c))).enumerate() {
            control::check(call.control, || format!("at step {}", call.index + 1))?;
            let predicted = self.prior.predict_noise(part(&x, rows, columns), call)?;
            eps = add(eps, predicted * weights(rows, columns, &x.device()), rows, columns);
            call.control.emit(Event::Window { done: i + 1, all });
        }
        Ok(eps.slice([0..b, 0..c, 0..h, 0..w]))
    }

    /// The product with the transposed derivative is the sum over windows, each evaluated again.
    fn differentiate(&self, x_t: Tensor<4>, call: &Call) -> Result<(Tensor<4>, Vjp<'_>)> {
        let [b, c, h, w] = x_t.dims();
        if h.max(w) <= self.side {
            return self.prior.differentiate(x_t, call);
        }
        let eps = self.predict_noise(x_t.clone(), call)?;
        let (t, a, index) = (call.t, call.a, call.index);
        let vjp = move |v: Tensor<4>| {
            let device = v.device();
            let whole = self.prior.extended(x_t.clone());
            let [_, _, height, width] = whole.dims();
            let v = Tensor::<4>::zeros([b, c, height, width], &device).slice_assign([0..b, 0..c, 0..h, 0..w], v);
            let [down, across] = self.grid([height, width], index);
            let mut sum = whole.zeros_like();
            for (rows, columns) in down.iter().flat_map(|rows| across.iter().map(move |c| (rows, c))) {
                let call = Call { t, a, index, control: &Silent };
                let (_, of_window) = self.prior.differentiate(part(&whole, rows, columns), &call)?;
                let gradient = of_window(part(&v, rows, columns) * weights(rows, columns, &device))?;
                sum = add(sum, gradient, rows, columns);
            }
            Ok(self.prior.folded(x_t, sum))
        };
        Ok((eps, Box::new(vjp)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_pixel_once() {
        for n in [300, 512, 513, 700, 1024, 1500, 4000] {
            for offset in (0..=JITTER).step_by(GRID) {
                let spans = spans(n, 256, offset);
                let mut sums = vec![0.0; n];
                for span in &spans {
                    assert!(span.start + span.length <= n, "{n}, {offset}");
                    span.weights.iter().enumerate().for_each(|(i, weight)| sums[span.start + i] += weight);
                }
                assert!(sums.iter().all(|sum| (sum - 1.0f32).abs() < 1e-5), "{n}, {offset}");
                // No more windows than needed.
                assert!(spans.len() <= (n - 256 + JITTER).div_ceil(256 - 2 * MARGIN - RAMP) + 1);
            }
        }
        assert_eq!(spans(200, 256, 64).len(), 1);
    }
}
