//! How the benches measure time, with the allocator of the command.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::time::Instant;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};

#[allow(unused_imports, reason = "its tests are not compiled into benches")]
#[path = "../../src/memory.rs"]
pub mod memory;

/// The allocator of the command.
#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// Runs of which the median is taken.
pub const RUNS: usize = 7;

/// Median time in seconds until the result of `work` is there.
///
/// # Errors
/// A device that fails.
pub fn median<const D: usize>(device: &Device, mut work: impl FnMut() -> Tensor<D>) -> Result<f64> {
    try_median(device, || Ok(work()))
}

/// [`median`] of work that may fail.
///
/// # Errors
/// Work or a device that fails.
pub fn try_median<const D: usize>(device: &Device, mut work: impl FnMut() -> fdgr::Result<Tensor<D>>) -> Result<f64> {
    wait(work()?)?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        device.sync().context("the device does not answer")?;
        let begun = Instant::now();
        wait(work()?)?;
        times.push(begun.elapsed().as_secs_f64());
    }
    Ok(middle(times))
}

/// The median of numbers.
pub fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Waits for a result by reading one element of it; a device may still be computing what is not read.
///
/// # Errors
/// A device that fails.
pub fn wait<const D: usize>(x: Tensor<D>) -> Result<f32> {
    let first = x.slice(std::array::from_fn::<_, D, _>(|_| 0..1)).try_into_vec_as::<f32>();
    first.map(|first| std::hint::black_box(first[0])).map_err(|e| anyhow::anyhow!("the device gave no result: {e}"))
}
