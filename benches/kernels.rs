//! Time of our kernels, beside the same in Burn's tensor operations, and how much of the machine they use.
//!
//! `cargo bench --bench kernels -- [--device NAME]`. For convolutions the share of the measured peak of fused multiply-adds is
//! given (of the multiplications that are done, not of those a direct convolution would need), and that of the memory's
//! bandwidth for the rest.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod common;
#[path = "common/peak.rs"]
mod peak;

use anyhow::Result;
use burn::tensor::Tensor;
use clap::Parser;
use common::median;
use fdgr::device;
use fdgr::kernel::convolution::{self, Sampling, concatenate, convolve};
use fdgr::kernel::gradient::{self, Derivatives, Penalty};
use fdgr::kernel::{Fft2, fft, normalization::GroupNorm};
use fdgr::noise::{Noise, Seeded, Stream};
use peak::Peak;

#[derive(Parser)]
struct Args {
    /// auto, cpu, gpu, software or part of a name
    #[arg(long, default_value = "auto")]
    device: String,
    /// What `cargo bench` passes
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    fdgr::memory::keep_freed();
    let selected = device::open(&Args::parse().device)?;
    let device = &selected.device;
    println!("fdgr {}, {}", env!("CARGO_PKG_VERSION"), selected.description);
    let peak = Peak::measure(&selected)?;
    println!("peak: {:.0} GFLOP/s, copying {:.1} GB/s", peak.operations / 1e9, peak.bytes / 1e9);
    let mut noise = Seeded::new(1, Stream::Sampling);
    let mut random = |shape: [usize; 4]| noise.draw(shape, device);

    println!("\n| convolution | ours | GFLOP/s of a direct one | share of the peak | Burn's | ratio |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (inputs, outputs, side, taps, sampling) in [
        (64, 64, 128, 3, Sampling::Keep),
        (128, 64, 128, 3, Sampling::Keep),
        (128, 128, 64, 3, Sampling::Keep),
        (256, 256, 32, 3, Sampling::Keep),
        (256, 256, 16, 3, Sampling::Keep),
        (128, 128, 256, 3, Sampling::Keep),
        (256, 128, 256, 1, Sampling::Keep),
        (64, 64, 128, 3, Sampling::Halve),
        (128, 128, 64, 3, Sampling::Double),
    ] {
        let x = random([1, inputs, side, side]);
        let weight = random([taps, taps, inputs, outputs]) * 0.05;
        let bias = Tensor::zeros([outputs], device);
        // Each in the memory order that it prefers.
        let kept = as_convolutions_leave(x.clone());
        let ours = median(device, || convolve(kept.clone(), weight.clone(), bias.clone(), sampling))?;
        let stock = median(device, || convolution::specification(x.clone(), weight.clone(), bias.clone(), sampling))?;
        let (results, what) = match sampling {
            Sampling::Keep => (side * side, ""),
            Sampling::Halve | Sampling::HalveAsymmetric => (side * side / 4, ", halved"),
            Sampling::Double => (4 * side * side, ", doubled first"),
        };
        let direct = 2.0 * (results * taps * taps * inputs * outputs) as f64;
        // F(4x4, 3x3) needs a quarter of the multiplications.
        let done = if taps == 3 && results >= side * side { direct / 4.0 } else { direct };
        println!(
            "| {taps}x{taps}, {inputs} to {outputs} at {side}x{side}{what} | {:.2} ms | {:.0} | {} | {:.2} ms | {:.2} |",
            1e3 * ours,
            direct / ours / 1e9,
            format_args!("{:.0}%", 100.0 * done / ours / peak.operations),
            1e3 * stock,
            ours / stock
        );
    }

    println!(
        "\n| kernel | ours | GB/s | share of copying | tensor operations | ratio |\n| --- | --- | --- | --- | --- | --- |"
    );
    let report = |name: &str, floats: usize, ours: f64, specification: Option<f64>| {
        let bytes = (floats * size_of::<f32>()) as f64;
        println!(
            "| {name} | {:.2} ms | {:.1} | {} | {} | {} |",
            1e3 * ours,
            bytes / ours / 1e9,
            format_args!("{:.0}%", 100.0 * bytes / ours / peak.bytes),
            specification.map_or("".into(), |s| format!("{:.2} ms", 1e3 * s)),
            specification.map_or("".into(), |s| format!("{:.2}", ours / s)),
        );
    };
    for (channels, side) in [(64, 128), (128, 256)] {
        let x = as_convolutions_leave(random([1, channels, side, side]));
        let (scale, shift) = (Tensor::ones([channels], device), Tensor::zeros([channels], device));
        let norm = GroupNorm { groups: 32, epsilon: 1e-6, activate: true };
        let ours = median(device, || norm.forward(x.clone(), &scale, &shift))?;
        let specification = median(device, || norm.specification(x.clone(), &scale, &shift))?;
        report(
            &format!("GroupNorm and SiLU, {channels}x{side}x{side}"),
            3 * channels * side * side,
            ours,
            Some(specification),
        );
    }
    for (channels, side) in [(64, 128), (128, 256)] {
        let half = as_convolutions_leave(random([1, channels / 2, side, side]));
        let ours = median(device, || concatenate(half.clone(), half.clone()))?;
        let contiguous = random([1, channels / 2, side, side]);
        let specification = median(device, || Tensor::cat(vec![contiguous.clone(), contiguous.clone()], 1))?;
        let name = format!("concatenation to {channels}x{side}x{side}");
        report(&name, 2 * channels * side * side, ours, Some(specification));
    }
    for [h, w] in [[256, 256], [257, 257], [480, 640], [512, 512], [1000, 1000], [1024, 1024]] {
        let (plan, x) = (Fft2::new(h, w, device), random([1, 3, h, w]));
        let ours = median(device, || plan.forward(x.clone()))?;
        let matrices = (h == 256).then(|| median(device, || fft::specification(x.clone())));
        let name = format!("forward transform, 3x{h}x{w} ({:.1} ns an element)", 1e9 * ours / (3 * h * w) as f64);
        // Real numbers in, half as many complex ones out, read and written again between rows and columns.
        report(&name, 3 * h * w * 4, ours, matrices.transpose()?);
    }
    let x = random([1, 3, 256, 256]) * 0.3;
    let penalty = Penalty { alpha: 0.2, sigma_g: 0.8 };
    let ours = median(device, || gradient::spatial(x.clone(), 1.3, penalty))?;
    let specification = median(device, || gradient::spatial_specification(x.clone(), 1.3, penalty))?;
    report("G+, 3x256x256", 2 * 3 * 256 * 256, ours, Some(specification));
    let derivatives = Derivatives::new(256, 256, device);
    let ours = median(device, || gradient::frequency(&derivatives, x.clone(), -0.09, penalty))?;
    let specification = median(device, || gradient::frequency_specification(x.clone(), -0.09, penalty))?;
    report("G-, 3x256x256", 2 * 3 * 256 * 256, ours, Some(specification));
    let plan = Fft2::new(256, 256, device);
    let transfer = plan.forward(x.clone().narrow(1, 0, 1)).squeeze_dims::<3>(&[0, 1]);
    let ours = median(device, || plan.filter(x.clone(), &transfer))?;
    let specification = median(device, || fft::filter_specification(x.clone(), &transfer))?;
    report("circular convolution, 3x256x256", 2 * 3 * 256 * 256, ours, Some(specification));
    Ok(())
}

/// The same numbers in the memory order that our convolutions leave.
fn as_convolutions_leave(x: Tensor<4>) -> Tensor<4> {
    let (channels, device) = (x.dims()[1], x.device());
    let identity = Tensor::<2>::eye(channels, &device).reshape([1, 1, channels, channels]);
    convolve(x, identity, Tensor::zeros([channels], &device), Sampling::Keep)
}
