//! Full-size checkpoints without the published weights: writes one in its real format, filled by a formula, loads it, runs
//! one step, and reports time, memory and a checksum.
//!
//! `cargo run --release --example full_size -- celebahq` (455 MB on disk, seconds)
//! `cargo run --release --example full_size -- imagenet` (2.2 GB on disk, a minute or two)
//! `cargo run --release --example full_size -- drunet` (131 MB on disk, seconds)
//!
//! Element `i` of tensor `k`, in the order of the sorted names, is `unit(i, k) = 2 (splitmix64(i + k 2^32) >> 40) / 2^24 - 1`,
//! scaled by `sqrt(6 / fan_in) / 2` in matrices and convolutions; scales of norms are `1 + 0.1 unit`, other vectors `0.1 unit`.

#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::{Tensor, TensorData};
use clap::{Parser, ValueEnum};
use fdgr::control::Silent;
use fdgr::device;
use fdgr::noise::splitmix64;
use fdgr::prior::{AdmConfig, Architecture, Call, DdpmConfig, Denoiser, DrunetConfig, Precision, PriorFile};
use rayon::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

#[derive(Parser)]
struct Args {
    model: Model,
    /// As for `fdgr restore`
    #[arg(long, default_value = "cpu")]
    device: String,
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
    /// Side of the picture
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Keep the checkpoint here, and use it where it is there already
    #[arg(long)]
    keep: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Model {
    /// The DDPM UNet for CelebA-HQ, a list `[model, optimizer, step, epoch, ema]`
    Celebahq,
    /// The guided-diffusion UNet for ImageNet, a state dictionary
    Imagenet,
    /// DPIR's denoiser of colour pictures, a state dictionary
    Drunet,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let (architecture, file) = match args.model {
        Model::Celebahq => (Architecture::from(DdpmConfig::celeba_hq()), "celeba_hq.ckpt"),
        Model::Imagenet => (Architecture::from(AdmConfig::imagenet()), "256x256_diffusion_uncond.pt"),
        Model::Drunet => (Architecture::from(DrunetConfig::color()), "drunet_color.pth"),
    };
    let temporary = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    let path = folder.join(file);
    if !path.exists() {
        let begun = Instant::now();
        std::fs::create_dir_all(folder)?;
        write_checkpoint(&path, &architecture.tensors(), args.model == Model::Celebahq)?;
        println!("written   {} bytes in {:.1} s", path.metadata()?.len(), begun.elapsed().as_secs_f64());
    }
    println!("network   {}", architecture.describe());
    let parameters = architecture.parameters();
    println!("size      {parameters} parameters, {:.0} MiB in f32", parameters as f64 * 4.0 / 1048576.0);

    let selected = device::open(&args.device)?;
    println!("device    {}", selected.description);
    let begun = Instant::now();
    let found = PriorFile::open(&path)?;
    let recognised = found.architecture();
    let same = recognised.tensors() == architecture.tensors() && recognised.published() == architecture.published();
    anyhow::ensure!(same, "recognised as {}", recognised.describe());
    let before = peak_mib();
    let prior = found.load(args.precision, None, &selected.device, &Silent)?;
    let peak = peak_mib();
    println!("loaded    in {:.2} s, peak memory {peak:.0} MiB ({before:.0} before)", begun.elapsed().as_secs_f64());
    let ratio = peak / (parameters as f64 * 4.0 / 1048576.0);
    println!("          {ratio:.2} times the size of the weights in f32");

    let side = args.size;
    let pixels = side * side;
    if let Some(limit) = selected.max_tensor.filter(|&limit| prior.largest_tensor(pixels, 1) > limit) {
        let needed = prior.largest_tensor(pixels, 1) >> 20;
        bail!(
            "a step at {side}x{side} needs tensors of {needed} MiB, but this device's buffers hold {} MiB",
            limit >> 20
        );
    }
    for step in 1..=2 {
        let x: Vec<f32> = (0..3 * pixels as u64).map(|i| unit(i, u64::from(u32::MAX))).collect();
        let x = Tensor::<4>::from_data(TensorData::new(x, [1, 3, side, side]), &selected.device);
        let begun = Instant::now();
        let eps = prior.predict_noise(x, &Call::at(500))?;
        let eps = eps.try_into_vec_as::<f32>().map_err(|e| anyhow::anyhow!("{e}"))?;
        let (sum, squares) = eps.iter().fold((0.0, 0.0), |(s, q), &v| (s + f64::from(v), q + f64::from(v).powi(2)));
        println!(
            "step {step}    {side}x{side} in {:.2} s, peak memory {:.0} MiB, sum {sum:.6e}, sum of squares {squares:.6e}",
            begun.elapsed().as_secs_f64(),
            peak_mib()
        );
    }
    Ok(())
}

/// In `[-1, 1)`.
fn unit(i: u64, k: u64) -> f32 {
    2.0 * (splitmix64(i.wrapping_add(k << 32)) >> 40) as f32 / (1 << 24) as f32 - 1.0
}

/// The elements of tensor `k`.
fn filled(name: &str, shape: &[usize], k: u64) -> Vec<u8> {
    let fan_in: usize = shape[1..].iter().product();
    let (offset, scale) = match shape.len() {
        1 if name.ends_with(".weight") => (1.0, 0.1),
        1 => (0.0, 0.1),
        _ => (0.0, (6.0 / fan_in as f32).sqrt() / 2.0),
    };
    let count: usize = shape.iter().product();
    (0..count as u64).into_par_iter().flat_map_iter(|i| (offset + scale * unit(i, k)).to_le_bytes()).collect()
}

/// A checkpoint as PyTorch 1.6 and later write it.
fn write_checkpoint(path: &Path, tensors: &BTreeMap<String, Vec<usize>>, as_list: bool) -> Result<()> {
    let mut archive = ZipWriter::new(BufWriter::new(File::create(path)?));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    archive.start_file("archive/data.pkl", options)?;
    archive.write_all(&pickled(tensors, as_list))?;
    for (k, (name, shape)) in tensors.iter().enumerate() {
        archive.start_file(format!("archive/data/{k}"), options)?;
        archive.write_all(&filled(name, shape, k as u64))?;
    }
    archive.start_file("archive/version", options)?;
    archive.write_all(b"3\n")?;
    archive.finish()?.flush().context("the checkpoint could not be written")
}

/// The pickle of a state dictionary, or of the list in which trainers keep it, with model and averages the same tensors.
fn pickled(tensors: &BTreeMap<String, Vec<usize>>, as_list: bool) -> Vec<u8> {
    let mut out = b"\x80\x02".to_vec();
    let text = |out: &mut Vec<u8>, text: &str| {
        out.push(b'X');
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.as_bytes());
    };
    let int = |out: &mut Vec<u8>, n: usize| {
        out.push(b'J');
        out.extend((n as u32).to_le_bytes());
    };
    let tuple = |out: &mut Vec<u8>, values: &[usize]| {
        out.push(b'(');
        values.iter().for_each(|&n| int(out, n));
        out.push(b't');
    };
    let dictionary = |out: &mut Vec<u8>| {
        out.extend(b"ccollections\nOrderedDict\n)R(");
        for (k, (name, shape)) in tensors.iter().enumerate() {
            text(out, name);
            let count: usize = shape.iter().product();
            let strides: Vec<usize> = (1..=shape.len()).map(|axis| shape[axis..].iter().product()).collect();
            out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            text(out, "storage");
            out.extend(b"ctorch\nFloatStorage\n");
            text(out, &k.to_string());
            text(out, "cpu");
            int(out, count);
            out.extend(b"tQ");
            int(out, 0);
            tuple(out, shape);
            tuple(out, &strides);
            out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        }
        out.push(b'u');
    };
    if as_list {
        out.extend(b"](");
        dictionary(&mut out);
        out.extend(b"}(");
        text(&mut out, "state");
        out.push(b'}');
        text(&mut out, "param_groups");
        out.extend(b"]u");
        int(&mut out, 1_000_000);
        int(&mut out, 500);
        dictionary(&mut out);
        out.push(b'e');
    } else {
        dictionary(&mut out);
    }
    out.push(b'.');
    out
}

/// Most memory this process ever held, where the system tells.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
