//! `fdgr demo`

use std::path::PathBuf;
use std::time::Instant;

use image::{Rgb32FImage, imageops};

use super::{DeviceArgs, prior, progress, say, sheet};
use crate::degradation::{Degradation, Form, sr_bicubic::SrBicubic};
use crate::device;
use crate::error::{Error, PathContext};
use crate::metrics::{psnr, ssim};
use crate::noise::{Noise, Seeded, Stream};
use crate::picture::Picture;
use crate::restore::{DataModel, Measurement, RestoreConfig, Restorer};
use crate::sampler::signed_sigma;

/// Blue flowers, CC0, from the Budgie Desktop backgrounds.
static SAMPLE: &[u8] = include_bytes!("../../assets/samples/07_blue_flowers.png");
const DEGRADED: &str = "degraded.png";
const RESTORED: &str = "restored.png";
const COMPARISON: &str = "comparison.png";
const SCALE: usize = 4;
const SIGMA: f64 = 0.05;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr demo
  fdgr demo --photo holiday.jpg --output holiday-demo")]
pub(super) struct Args {
    /// Another photo than the built-in sample, with sides that are multiples of 4
    #[arg(long, value_name = "FILE")]
    photo: Option<PathBuf>,
    /// Folder of the pictures
    #[arg(short, long, value_name = "FOLDER", default_value = "demo")]
    output: PathBuf,
    /// Seed of all noise
    #[arg(long, default_value_t = 7)]
    seed: u64,
    #[command(flatten)]
    prior: prior::Args,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let photo = match &args.photo {
        Some(path) => Picture::read(path)?,
        None => Picture::decode(SAMPLE, "the built-in sample".as_ref())?,
    };
    for name in [DEGRADED, RESTORED, COMPARISON] {
        crate::files::refuse_overwriting(&args.output.join(name), args.photo.as_deref())?;
    }
    std::fs::create_dir_all(&args.output).writing(&args.output).map_err(Error::at_output)?;
    progress::stop_on_ctrl_c();
    let begun = Instant::now();
    let restorer =
        Restorer::load(&args.prior.choice(), device::open(args.device.name())?, &progress::Terminal::new("prior"))?;
    let device = restorer.device();
    say(format!("device      {} ({})", device.description, device.reason));
    say(format!("prior       {}", prior::describe(restorer.prior())));

    let size = [photo.height(), photo.width()];
    prior::hint(restorer.prior(), size);
    let degradation = Degradation::from(SrBicubic { scale: SCALE, form: Form::Svd });
    let config = RestoreConfig { seed: args.seed, ..RestoreConfig::new(degradation, SIGMA) };
    let measurement = Measurement::new(&config.degradation, config.border, size, &device.device)?;
    let y = measurement.measure(photo.to_tensor(&device.device));
    let noise = Seeded::new(args.seed, Stream::Measurement).draw(y.dims(), &device.device);
    let y = measurement.with_noise(y, noise, signed_sigma(SIGMA));
    let degraded = Picture::from_tensor(y.clone())?;

    let sampling = Instant::now();
    let terminal = progress::Terminal::new("restoring");
    let mut noise = Seeded::new(args.seed, Stream::Sampling);
    let data = measurement.data(y, DataModel::Exact);
    let restored = restorer.sample(&measurement, &data, &config, &mut noise, &terminal)?;
    drop(terminal);
    let restored = Picture::from_tensor(restored)?;
    let sampled = sampling.elapsed().as_secs_f64();
    let bicubic = degraded.enlarged(SCALE);

    let quality = |picture: &Picture| {
        let psnr = psnr(picture.pixels(), photo.pixels());
        let ssim = ssim(picture.pixels(), photo.pixels()).unwrap_or(f64::NAN);
        format!("{psnr:.2} dB, SSIM {ssim:.3}")
    };
    let measured = Picture::new(blocks(&degraded, size));
    let (raw, before, after) = (quality(&measured), quality(&bicubic), quality(&restored));
    degraded.write(&args.output.join(DEGRADED))?;
    restored.write(&args.output.join(RESTORED))?;
    let panels = [
        ("original".to_owned(), photo.pixels().clone()),
        (format!("measured, {}x{}", degraded.width(), degraded.height()), measured.pixels().clone()),
        (format!("bicubic, {before}"), bicubic.pixels().clone()),
        (format!("{}, {after}", config.method.name()), restored.pixels().clone()),
    ];
    let comparison = args.output.join(COMPARISON);
    Picture::new(sheet::side_by_side(&panels)).write(&comparison)?;

    say(format!("task        super-resolution x{SCALE}, noise {SIGMA}, {}x{}", size[1], size[0]));
    say(format!("degraded    {raw}"));
    say(format!("bicubic     {before}"));
    say(format!("restored    {after}"));
    say(format!("time        {:.1} s in all, {sampled:.1} s of sampling", begun.elapsed().as_secs_f64()));
    say(format!("look at     {}", comparison.display()));
    Ok(())
}

/// The measured pixels as blocks of the original's size.
fn blocks(degraded: &Picture, [height, width]: [usize; 2]) -> Rgb32FImage {
    imageops::resize(degraded.pixels(), width as u32, height as u32, imageops::FilterType::Nearest)
}
