//! Time of one step: the network alone, everything around it, and the transforms.
//!
//! `cargo bench --bench step -- --help` lists the options. Medians of synchronised runs.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use clap::Parser;
use common::{RUNS, median, middle, try_median, wait};
use fdgr::control::{Control, Event};
use fdgr::degradation::{Degradation, Form, Psf, deblur::Deblur, sr_bicubic::SrBicubic};
use fdgr::device;
use fdgr::kernel::Fft2;
use fdgr::kernel::testing::{Calls, by_reference, profile};
use fdgr::noise::{Noise, Seeded, Stream};
use fdgr::prior::{Call, Denoiser, EMBEDDED, Prior};
use fdgr::regularizer::Regularization;
use fdgr::sampler::{Data, Fdgr, Guidance, Problem, Run, Timeline, Travel, schedule::Betas};

#[derive(Parser)]
struct Args {
    /// Side of the picture in pixels
    #[arg(default_value_t = 256)]
    side: usize,
    /// auto, cpu, gpu, software or part of a name
    #[arg(long, default_value = "auto")]
    device: String,
    /// Name or path of a prior
    #[arg(long, default_value = EMBEDDED)]
    model: String,
    /// Time the network only
    #[arg(long)]
    network: bool,
    /// List the operations of the network by their share of its time
    #[arg(long)]
    profile: bool,
    /// Time the network with Burn's own operations as well, in turns
    #[arg(long)]
    stock: bool,
    /// Time a step with derivatives as well
    #[arg(long)]
    derivatives: bool,
    /// What `cargo bench` passes
    #[arg(long, hide = true)]
    bench: bool,
}

/// Time of the schedule at which the network is evaluated.
const T: usize = 500;

/// Steps of a run of which the median is taken.
const STEPS: usize = 12;

fn main() -> Result<()> {
    common::memory::keep_freed();
    let args = Args::parse();
    let side = args.side;
    let begun = Instant::now();
    let selected = device::open(&args.device)?;
    let device = &selected.device;
    println!("fdgr {}, {}, {side}x{side}", env!("CARGO_PKG_VERSION"), selected.description);
    let prior = Prior::open(&args.model, device)?;
    device.sync().context("the device does not answer")?;
    println!("prior loaded in {:.2} s", begun.elapsed().as_secs_f64());

    let x = Seeded::new(1, Stream::Sampling).draw([1, 3, side, side], device) * 0.5;
    let first = Instant::now();
    wait(prior.predict_noise(x.clone(), &Call::at(T))?)?;
    println!("first step, kernels compiled: {:.2} s", first.elapsed().as_secs_f64());
    let network = try_median(device, || prior.predict_noise(x.clone(), &Call::at(T)))?;
    println!("network: {network:.4} s");

    if args.profile {
        show_profile(|| wait(prior.predict_noise(x.clone(), &Call::at(T))?))?;
    }
    if args.stock {
        compare_with_burn(&prior, &x)?;
    }
    if args.derivatives {
        let both = try_median(device, || {
            let (eps, vjp) = prior.differentiate(x.clone(), &Call::at(T))?;
            vjp(eps)
        })?;
        println!("network and its derivative: {both:.4} s, {:.1} times the network", both / network);
    }
    if args.network {
        return Ok(());
    }
    for (task, degradation) in [
        ("super-resolution", Degradation::from(SrBicubic { scale: 4, form: Form::Svd })),
        ("deblurring", Degradation::from(Deblur { psf: Psf::REFERENCE_GAUSSIAN, form: Form::Fft })),
    ] {
        show_around_network(task, &degradation, &prior, &x, network)?;
    }
    show_transforms(side, device)
}

/// Prints the operations of `step` by their share of its time, grouped by kind and size.
fn show_profile(step: impl Fn() -> Result<f32>) -> Result<()> {
    let begun = Instant::now();
    let (all, calls) = profile(|| (0..RUNS).try_for_each(|_| step().map(drop)));
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

/// Prints the time of the network by fdgr's kernels and by Burn's own operations, run in turns.
fn compare_with_burn(prior: &Prior, x: &Tensor<4>) -> Result<()> {
    let by_fdgr = || prior.predict_noise(x.clone(), &Call::at(T));
    let by_burn = || by_reference(by_fdgr);
    let worst = (by_fdgr()? - by_burn()?).abs().max().into_scalar::<f32>();
    let (mut fdgr, mut burn) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let begun = Instant::now();
        wait(by_fdgr()?)?;
        fdgr.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        wait(by_burn()?)?;
        burn.push(begun.elapsed().as_secs_f64());
    }
    let (fdgr, burn) = (middle(fdgr), middle(burn));
    println!("in turns with Burn's own operations: {fdgr:.4} s and {burn:.4} s, ratio {:.3}", fdgr / burn);
    println!("largest difference of the results: {worst:.1e}");
    Ok(())
}

/// Prints the time that steps of real runs take beside the `network`, for each regulariser.
fn show_around_network(
    task: &str,
    degradation: &Degradation,
    prior: &Prior,
    x: &Tensor<4>,
    network: f64,
) -> Result<()> {
    let ([_, _, height, width], device) = (x.dims(), &x.device());
    let timeline = Timeline::new(Betas::Linear, STEPS, 0.3, Travel::NONE)?;
    let operator = degradation.build([height, width], device)?;
    let data = Data::Exact(operator.apply(x.clone()));
    let problem = Problem { operator: operator.as_ref(), data: &data, sigma_y: 0.1, beyond: None };
    for (name, regularization, inject_noise) in [
        ("G+", Regularization::DEFAULT, false),
        ("G-", Regularization::REFERENCE_FREQUENCY, false),
        ("G+", Regularization::DEFAULT, true),
    ] {
        let guidance = Guidance { inject_noise, ..Guidance::DEFAULT };
        let mut sampler = Fdgr::new(guidance, regularization.build(height, width, device)?);
        let timed = Timed { prior, device, nanoseconds: AtomicU64::new(0) };
        let run = Run { prior: &timed, guidance: None, problem: &problem, timeline: &timeline, clip: false };
        let record = Record { timed: &timed, steps: Mutex::new((Instant::now(), Vec::new())) };
        let mut noise = Seeded::new(1, Stream::Sampling);
        run.sample(&mut sampler, x.clone(), Some(x.clone()), &mut noise, &record)?;
        let (_, mut around) = record.steps.into_inner().unwrap_or_else(PoisonError::into_inner);
        // The first step may compile kernels.
        let around = middle(around.split_off(1));
        let share = 100.0 * around / (around + network);
        let injection = if inject_noise { ", noise injected" } else { "" };
        println!("{task}, {name}{injection}: {:.2} ms around the network, {share:.1}% of a step", 1e3 * around);
    }
    Ok(())
}

/// Prints the time of forward transforms of three sizes.
fn show_transforms(side: usize, device: &Device) -> Result<()> {
    let mut noise = Seeded::new(1, Stream::Sampling);
    for n in [side.next_power_of_two(), side + 1, 1000] {
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

/// A prior that measures its own time, to tell it from the rest of a step.
struct Timed<'a> {
    prior: &'a Prior,
    device: &'a Device,
    /// Time of the evaluations since the last reset.
    nanoseconds: AtomicU64,
}

impl Timed<'_> {
    /// The time in seconds since the last reset; resets it.
    fn take(&self) -> f64 {
        1e-9 * self.nanoseconds.swap(0, Ordering::Relaxed) as f64
    }
}

impl Denoiser for Timed<'_> {
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> fdgr::Result<Tensor<4>> {
        // A device that fails shows in the result.
        _ = self.device.sync();
        let begun = Instant::now();
        let eps = self.prior.predict_noise(x_t, call);
        _ = self.device.sync();
        let elapsed = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(elapsed, Ordering::Relaxed);
        eps
    }
}

/// Records the time of each step without that of the network.
struct Record<'a> {
    timed: &'a Timed<'a>,
    /// End of the last step, and seconds of all steps so far.
    steps: Mutex<(Instant, Vec<f64>)>,
}

impl Control for Record<'_> {
    fn emit(&self, event: Event) {
        let Event::Step { done, .. } = event else { return };
        // A device that fails shows in the result.
        _ = self.timed.device.sync();
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, around) = &mut *steps;
        let took = last.elapsed().as_secs_f64() - self.timed.take();
        if done > 0 {
            around.push(took);
        }
        *last = Instant::now();
    }
}
