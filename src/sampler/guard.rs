//! Stops runs whose estimates must not become pictures.

use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use crate::error::{Error, Result};

/// Refuses estimates that are not finite, or the same everywhere.
///
/// Their moments stay on the device for a few steps where these are fast, so that it does not wait for the host at every one.
pub(super) struct Guard {
    /// Steps of the run.
    steps: usize,
    /// Steps whose moments were read.
    passed: usize,
    /// Mean and variance of each step since, one after the other.
    pending: Vec<Tensor<1>>,
    /// Steps between two reads.
    stride: usize,
    last_read: Instant,
}

impl Guard {
    /// Minimum interval between device reads. It bounds both how far the host can run ahead and how late a failure is noticed.
    const INTERVAL: Duration = Duration::from_millis(100);

    pub fn new(steps: usize) -> Self {
        Self { steps, passed: 0, pending: Vec::new(), stride: 1, last_read: Instant::now() }
    }

    /// Takes the estimate of the next step.
    pub fn watch(&mut self, x0: &Tensor<4>) -> Result<()> {
        let mean = x0.clone().mean();
        let variance = (x0.clone() - mean.clone().reshape([1, 1, 1, 1])).square().mean();
        // A single pixel may be grey.
        let variance = if x0.dims()[2] * x0.dims()[3] > 1 { variance } else { variance + 1.0 };
        self.pending.extend([mean, variance]);
        if self.pending.len() < 2 * self.stride { Ok(()) } else { self.read() }
    }

    /// Judges what was taken.
    pub fn read(&mut self) -> Result<()> {
        let Some(device) = self.pending.first().map(Tensor::device) else { return Ok(()) };
        let moments = Tensor::cat(std::mem::take(&mut self.pending), 0).try_into_vec_as::<f32>();
        let moments = moments.map_err(|e| Error::no_result(&device, e))?;
        let moments = moments.as_chunks().0;
        let a_step = self.last_read.elapsed().as_secs_f64() / moments.len() as f64;
        self.stride = (Self::INTERVAL.as_secs_f64() / a_step.max(1e-6)).max(1.0) as usize;
        self.last_read = Instant::now();
        for [mean, variance] in moments {
            self.passed += 1;
            let fact = match (mean + variance).is_finite() {
                false => "holds values that are not finite",
                true if *variance == 0.0 => "is the same in every pixel",
                true => continue,
            };
            return Err(Error::BadEstimate {
                // The result comes after the last step.
                step: self.passed.min(self.steps),
                fact: fact.into(),
                hint: "check the kernel and sigma, or go back to the default parameters".into(),
            });
        }
        Ok(())
    }
}
