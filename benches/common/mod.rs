//! How the benches take time, and memory.

#![allow(dead_code)]

use std::time::Instant;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use fdgr::memory::MiMalloc;

/// Memory as the command has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Runs of which the median is taken.
pub const RUNS: usize = 7;

/// Median time of `work`, its result waited for.
///
/// # Errors
/// A device that fails.
pub fn median<const D: usize>(device: &Device, mut work: impl FnMut() -> Tensor<D>) -> Result<f64> {
    wait(work())?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        device.sync().context("the device does not answer")?;
        let begun = Instant::now();
        wait(work())?;
        times.push(begun.elapsed().as_secs_f64());
    }
    Ok(middle(times))
}

/// The median of numbers.
pub fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Waits until a result is there, by looking at one number of it: data that is not looked at may still be on its way.
///
/// # Errors
/// A device that fails.
pub fn wait<const D: usize>(x: Tensor<D>) -> Result<f32> {
    let first = x.slice(std::array::from_fn::<_, D, _>(|_| 0..1)).try_into_vec_as::<f32>();
    first.map(|first| std::hint::black_box(first[0])).map_err(|e| anyhow::anyhow!("the device gave no result: {e}"))
}
