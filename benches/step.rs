//! Time of one step: the network alone, everything around it, and the transforms.
//!
//! `cargo bench --bench step -- --help` lists what can be chosen. Medians of synchronised runs.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod common;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use clap::Parser;
use common::{RUNS, median, middle, wait};
use fdgr::degradation::{Degradation, Form, Psf};
use fdgr::device;
use fdgr::kernel::{Fft2, by_specification, profile::Calls};
use fdgr::noise::{Noise, Seeded, Stream};
use fdgr::prior::{Denoiser, EMBEDDED, Prior};
use fdgr::regularizer::{Mode, Regularization};
use fdgr::sampler::{Fdgr, Guidance, Problem, Progress, Run, Timeline, Travel, schedule::Betas};

#[derive(Parser)]
struct Args {
    /// Side of the picture in pixels
    #[arg(default_value_t = 256)]
    side: usize,
    /// auto, cpu, gpu, software or part of a name
    #[arg(long, default_value = "auto")]
    device: String,
    /// A prior's name or path
    #[arg(long, default_value = EMBEDDED)]
    model: String,
    /// Time the network only
    #[arg(long)]
    network: bool,
    /// Tell where the time of the network goes
    #[arg(long)]
    profile: bool,
    /// Time the network by Burn's own operations as well, in turns
    #[arg(long)]
    stock: bool,
    /// Time a step with derivatives as well
    #[arg(long)]
    derivatives: bool,
    /// What `cargo bench` passes
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    fdgr::memory::keep_freed();
    let Args { side, device: name, model, network: network_only, profile, stock, derivatives, bench: _ } =
        Args::parse();
    let begun = Instant::now();
    let selected = device::open(&name)?;
    let device = &selected.device;
    println!("fdgr {}, {}, {side}x{side}", env!("CARGO_PKG_VERSION"), selected.description);
    let prior = Prior::open(&model, device)?;
    device.sync().context("the device does not answer")?;
    println!("prior loaded in {:.2} s", begun.elapsed().as_secs_f64());

    let mut noise = Seeded::new(1, Stream::Sampling);
    let x = noise.draw([1, 3, side, side], device) * 0.5;
    let first = Instant::now();
    wait(prior.predict_noise(x.clone(), 500))?;
    println!("first step, kernels compiled: {:.2} s", first.elapsed().as_secs_f64());
    let network = median(device, || prior.predict_noise(x.clone(), 500))?;
    println!("network: {network:.4} s");

    if profile {
        show_profile(|| wait(prior.predict_noise(x.clone(), 500)))?;
    }
    if stock {
        let timed = |of: &dyn Fn() -> Tensor<4>| {
            let begun = Instant::now();
            wait(of()).map(|_| begun.elapsed().as_secs_f64())
        };
        let ours = || prior.predict_noise(x.clone(), 500);
        let burns = || by_specification(ours);
        let worst = (ours() - burns()).abs().max().into_scalar::<f32>();
        let rounds: Result<Vec<_>> = (0..3).map(|_| Ok((timed(&ours)?, timed(&burns)?))).collect();
        let (ours, burns) = rounds?.into_iter().unzip();
        let (ours, burns) = (middle(ours), middle(burns));
        println!("in turns with Burn's own operations: {ours:.4} s and {burns:.4} s, ratio {:.3}", ours / burns);
        println!("largest difference of the results: {worst:.1e}");
    }
    if derivatives {
        let both = median(device, || {
            let (eps, pull_back) = prior.differentiate(x.clone(), 500);
            pull_back(eps)
        })?;
        println!("network and its derivative: {both:.4} s, {:.1} times the network", both / network);
    }
    if network_only {
        return Ok(());
    }

    let timeline = Timeline::new(Betas::Linear, STEPS, 0.3, Travel::NONE)?;
    for (task, degradation) in [
        ("super-resolution", Degradation::SrBicubic { scale: 4, form: Form::Svd }),
        ("deblurring", Degradation::Deblur { psf: Psf::REFERENCE_GAUSSIAN, form: Form::Fft }),
    ] {
        let operator = degradation.build(side, side, device)?;
        let y = operator.apply(x.clone());
        let problem = Problem { operator: operator.as_ref(), y, sigma_y: 0.1 };
        for (mode, inject_noise) in [(Mode::Spatial, false), (Mode::Frequency, false), (Mode::Spatial, true)] {
            let regularization = Regularization { mode, ..Regularization::DEFAULT };
            let guidance = Guidance { inject_noise, ..Guidance::DEFAULT };
            let mut sampler = Fdgr::new(guidance, regularization.build(side, side, device)?);
            let timed = Timed { prior: &prior, device, network: Cell::new(0.0) };
            let run = Run { prior: &timed, guidance: None, problem: &problem, timeline: &timeline, clip: false };
            let mut around = Vec::new();
            let mut last = Instant::now();
            let mut record = |_: &Progress| {
                // A device that fails shows in the result.
                _ = device.sync();
                around.push(last.elapsed().as_secs_f64() - timed.network.take());
                last = Instant::now();
                ControlFlow::Continue(())
            };
            let mut noise = Seeded::new(1, Stream::Sampling);
            run.sample(&mut sampler, x.clone(), Some(x.clone()), &mut noise, &mut record)?;
            // The first step may compile kernels.
            let around = middle(around.split_off(1));
            let share = 100.0 * around / (around + network);
            let injection = if inject_noise { ", noise injected" } else { "" };
            println!("{task}, {mode:?}{injection}: {:.2} ms around the network, {share:.1}% of a step", 1e3 * around);
        }
    }
    let power_of_two = side.next_power_of_two();
    for n in [power_of_two, side + 1, 1000] {
        let plan = Fft2::new(n, n, device);
        let x = noise.draw([1, 3, n, n], device);
        let seconds = median(device, || plan.forward(x.clone()))?;
        println!(
            "forward transform 3x{n}x{n}: {:.2} ms, {:.1} ns an element",
            1e3 * seconds,
            1e9 * seconds / (3 * n * n) as f64
        );
    }
    Ok(())
}

/// Prints the operations of `step` by the share they have of its time, alike ones together.
fn show_profile(step: impl Fn() -> Result<f32>) -> Result<()> {
    let begun = Instant::now();
    let (all, calls) = fdgr::kernel::profile::profile(|| (0..RUNS).try_for_each(|_| step().map(drop)));
    all?;
    let all = begun.elapsed().as_secs_f64();
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.time));
    println!("\n| operation | calls | ms | share |\n| --- | --- | --- | --- |");
    let mut rest = all;
    for (kind, Calls { count, time }) in calls {
        let seconds = time.as_secs_f64();
        rest -= seconds;
        let each = 1e3 * seconds / RUNS as f64;
        println!("| {kind} | {} | {each:.2} | {:.1}% |", count / RUNS, 100.0 * seconds / all);
    }
    println!("| all else | | {:.2} | {:.1}% |\n", 1e3 * rest / RUNS as f64, 100.0 * rest / all);
    Ok(())
}

/// Steps of a run of which the median is taken.
const STEPS: usize = 12;

/// A prior whose time is taken, so that the rest of a step can be told from it.
struct Timed<'a> {
    prior: &'a Prior,
    device: &'a Device,
    /// Seconds since it was last looked at.
    network: Cell<f64>,
}

impl Denoiser for Timed<'_> {
    fn predict_noise(&self, x_t: Tensor<4>, t: usize) -> Tensor<4> {
        // A device that fails shows in the result.
        _ = self.device.sync();
        let begun = Instant::now();
        let eps = self.prior.predict_noise(x_t, t);
        _ = self.device.sync();
        self.network.set(self.network.get() + begun.elapsed().as_secs_f64());
        eps
    }
}
