//! Time of one step: the network alone, everything around it, and the transforms.
//!
//! `cargo bench --bench step -- --help` lists what can be chosen. Medians of synchronised runs.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod common;

use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use common::{median, wait};
use fdgr::degradation::{Degradation, Form, Psf};
use fdgr::device;
use fdgr::kernel::Fft2;
use fdgr::noise::{Noise, Seeded, Stream};
use fdgr::prior::{Denoiser, EMBEDDED, Prior};
use fdgr::regularizer::{Mode, Regularization};
use fdgr::sampler::{Estimate, Fdgr, Guidance, Problem, Sampler, Timeline, Travel, schedule::Betas};

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
    /// What `cargo bench` passes
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let Args { side, device: name, model, network: network_only, bench: _ } = Args::parse();
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

    if network_only {
        return Ok(());
    }

    let timeline = Timeline::new(Betas::Linear, 100, 0.3, Travel::NONE)?;
    let step = timeline.first();
    for (task, degradation) in [
        ("super-resolution", Degradation::SrBicubic { scale: 4, form: Form::Svd }),
        ("deblurring", Degradation::Deblur { psf: Psf::REFERENCE_GAUSSIAN, form: Form::Fft }),
    ] {
        let operator = degradation.build(side, side, device)?;
        let y = operator.apply(x.clone());
        let problem = Problem { operator: operator.as_ref(), y, sigma_y: 0.1 };
        for mode in [Mode::Spatial, Mode::Frequency] {
            let regularization = Regularization { mode, ..Regularization::DEFAULT };
            let mut sampler = Fdgr::new(Guidance::DEFAULT, regularization.build(side, side, device)?);
            let around = median(device, || {
                let estimate = Estimate::new(x.clone(), x.clone());
                sampler.step(&step, x.clone(), estimate, &problem, &mut Seeded::new(1, Stream::Sampling))
            })?;
            let share = 100.0 * around / (around + network);
            println!("{task}, {mode:?}: {around:.4} s around the network, {share:.1}% of a step");
        }
    }
    let power_of_two = side.next_power_of_two();
    for n in [power_of_two, side + 1, 1000] {
        let plan = Fft2::new(n, n, device);
        let x = noise.draw([1, 3, n, n], device);
        let seconds = median(device, || plan.forward(x.clone()).narrow(4, 0, 1).reshape([1, 3, n, n]))?;
        println!(
            "forward transform 3x{n}x{n}: {:.2} ms, {:.1} ns an element",
            1e3 * seconds,
            1e9 * seconds / (3 * n * n) as f64
        );
    }
    Ok(())
}
