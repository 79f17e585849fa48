//! Time of fdgr's kernels beside the same in Burn's tensor operations, and the share of the machine's peak that they
//! reach.
//!
//! `cargo bench --bench kernels -- [--device NAME]`. For convolutions the share is that of the measured peak of fused
//! multiply-adds (of the multiplications that are done, not of those that a direct convolution needs), for the other
//! kernels that of the memory bandwidth.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod common;
#[path = "common/peak.rs"]
mod peak;

use anyhow::Result;
use burn::tensor::{Device, Tensor};
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
    common::memory::keep_freed();
    let selected = device::open(&Args::parse().device)?;
    println!("fdgr {}, {}", env!("CARGO_PKG_VERSION"), selected.description);
    let peak = Peak::measure(&selected)?;
    println!("peak: {:.0} GFLOP/s, copying {:.1} GB/s", peak.operations / 1e9, peak.bytes / 1e9);
    let mut bench = Bench { device: &selected.device, peak, noise: Seeded::new(1, Stream::Sampling) };

    println!("\n| convolution | fdgr | GFLOP/s of a direct one | share of the peak | Burn | ratio |");
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
        bench.convolution([inputs, outputs], side, taps, sampling)?;
    }

    println!("\n| kernel | fdgr | GB/s | share of copying | tensor operations | ratio |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (channels, side) in [(64, 128), (128, 256)] {
        bench.normalization(channels, side)?;
    }
    for (channels, side) in [(64, 128), (128, 256)] {
        bench.concatenation(channels, side)?;
    }
    for [h, w] in [[256, 256], [257, 257], [480, 640], [512, 512], [1000, 1000], [1024, 1024]] {
        bench.transform(h, w)?;
    }
    bench.regularizers()?;
    bench.circular_convolution()
}

/// A device, what it can do at most, and random numbers.
struct Bench<'a> {
    device: &'a Device,
    peak: Peak,
    noise: Seeded,
}

impl Bench<'_> {
    fn random(&mut self, shape: [usize; 4]) -> Tensor<4> {
        self.noise.draw(shape, self.device)
    }

    fn convolution(
        &mut self,
        [inputs, outputs]: [usize; 2],
        side: usize,
        taps: usize,
        sampling: Sampling,
    ) -> Result<()> {
        let x = self.random([1, inputs, side, side]);
        let weight = self.random([taps, taps, inputs, outputs]) * 0.05;
        let bias = Tensor::zeros([outputs], self.device);
        // Each in the memory layout that it prefers.
        let kept = as_convolutions_leave(x.clone());
        let fdgr = median(self.device, || convolve(kept.clone(), weight.clone(), bias.clone(), sampling))?;
        let reference = || convolution::reference(x.clone(), weight.clone(), bias.clone(), sampling);
        let burn = median(self.device, reference)?;
        let (results, change) = match sampling {
            Sampling::Keep => (side * side, ""),
            Sampling::Halve | Sampling::HalveAsymmetric => (side * side / 4, ", halved"),
            Sampling::Double => (4 * side * side, ", doubled first"),
        };
        let direct = 2.0 * (results * taps * taps * inputs * outputs) as f64;
        // F(4x4, 3x3) needs a quarter of the multiplications.
        let done = if taps == 3 && results >= side * side { direct / 4.0 } else { direct };
        let name = format!("{taps}x{taps}, {inputs} to {outputs} at {side}x{side}{change}");
        println!(
            "| {name} | {:.2} ms | {:.0} | {:.0}% | {:.2} ms | {:.2} |",
            1e3 * fdgr,
            direct / fdgr / 1e9,
            100.0 * done / fdgr / self.peak.operations,
            1e3 * burn,
            fdgr / burn
        );
        Ok(())
    }

    fn normalization(&mut self, channels: usize, side: usize) -> Result<()> {
        let x = as_convolutions_leave(self.random([1, channels, side, side]));
        let (scale, shift) = (Tensor::ones([channels], self.device), Tensor::zeros([channels], self.device));
        let norm = GroupNorm { groups: 32, epsilon: 1e-6, activate: true };
        let fdgr = median(self.device, || norm.forward(x.clone(), &scale, &shift))?;
        let reference = median(self.device, || norm.reference(x.clone(), &scale, &shift))?;
        let name = format!("GroupNorm and SiLU, {channels}x{side}x{side}");
        self.report(&name, 3 * channels * side * side, fdgr, Some(reference));
        Ok(())
    }

    fn concatenation(&mut self, channels: usize, side: usize) -> Result<()> {
        let half = as_convolutions_leave(self.random([1, channels / 2, side, side]));
        let fdgr = median(self.device, || concatenate(half.clone(), half.clone()))?;
        let contiguous = self.random([1, channels / 2, side, side]);
        let reference = median(self.device, || Tensor::cat(vec![contiguous.clone(), contiguous.clone()], 1))?;
        let name = format!("concatenation to {channels}x{side}x{side}");
        self.report(&name, 2 * channels * side * side, fdgr, Some(reference));
        Ok(())
    }

    fn transform(&mut self, h: usize, w: usize) -> Result<()> {
        let (plan, x) = (Fft2::new(h, w, self.device), self.random([1, 3, h, w]));
        let fdgr = median(self.device, || plan.forward(x.clone()))?;
        let matrices = (h == 256).then(|| median(self.device, || fft::reference(x.clone())));
        let name = format!("forward transform, 3x{h}x{w} ({:.1} ns an element)", 1e9 * fdgr / (3 * h * w) as f64);
        // Real numbers in, half as many complex ones out, read and written again between rows and columns.
        self.report(&name, 3 * h * w * 4, fdgr, matrices.transpose()?);
        Ok(())
    }

    fn regularizers(&mut self) -> Result<()> {
        let x = self.random([1, 3, 256, 256]) * 0.3;
        let penalty = Penalty { alpha: 0.2, sigma_g: 0.8 };
        let fdgr = median(self.device, || gradient::spatial(x.clone(), 1.3, penalty))?;
        let reference = median(self.device, || gradient::spatial_reference(x.clone(), 1.3, penalty))?;
        self.report("G+, 3x256x256", 2 * 3 * 256 * 256, fdgr, Some(reference));
        let derivatives = Derivatives::new(256, 256, self.device);
        let fdgr = median(self.device, || gradient::frequency(&derivatives, x.clone(), -0.09, penalty))?;
        let reference = median(self.device, || gradient::frequency_reference(x.clone(), -0.09, penalty))?;
        self.report("G-, 3x256x256", 2 * 3 * 256 * 256, fdgr, Some(reference));
        Ok(())
    }

    fn circular_convolution(&mut self) -> Result<()> {
        let x = self.random([1, 3, 256, 256]) * 0.3;
        let plan = Fft2::new(256, 256, self.device);
        let transfer = plan.forward(x.clone().narrow(1, 0, 1)).squeeze_dims::<3>(&[0, 1]);
        let fdgr = median(self.device, || plan.filter(x.clone(), &transfer))?;
        let reference = median(self.device, || fft::filter_reference(x.clone(), &transfer))?;
        self.report("circular convolution, 3x256x256", 2 * 3 * 256 * 256, fdgr, Some(reference));
        Ok(())
    }

    /// Prints a row: a kernel that moves so many `floats` in `fdgr` seconds, and the seconds of its reference.
    fn report(&self, name: &str, floats: usize, fdgr: f64, reference: Option<f64>) {
        let bytes = (floats * size_of::<f32>()) as f64;
        println!(
            "| {name} | {:.2} ms | {:.1} | {:.0}% | {} | {} |",
            1e3 * fdgr,
            bytes / fdgr / 1e9,
            100.0 * bytes / fdgr / self.peak.bytes,
            reference.map_or("".into(), |s| format!("{:.2} ms", 1e3 * s)),
            reference.map_or("".into(), |s| format!("{:.2}", fdgr / s)),
        );
    }
}

/// The same values in the memory layout of the results of convolutions.
fn as_convolutions_leave(x: Tensor<4>) -> Tensor<4> {
    let (channels, device) = (x.dims()[1], x.device());
    let identity = Tensor::<2>::eye(channels, &device).reshape([1, 1, channels, channels]);
    convolve(x, identity, Tensor::zeros([channels], &device), Sampling::Keep)
}
