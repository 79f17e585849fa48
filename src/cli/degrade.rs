//! `fdgr degrade`

use std::path::PathBuf;

use super::{measurement, say, task};
use crate::degradation::Degradation;
use crate::error::Error;
use crate::noise::{Noise, Seeded, Stream};
use crate::picture::Picture;
use crate::{device, restore};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr degrade photo.png -o small.png --task sr --scale 4 --sigma 0.05
  fdgr degrade photo.png -o blurred.png --task deblur --kernel gauss:1.6 --sigma 0.02
  fdgr degrade photo.png -o measured.safetensors --task cs --ratio 0.25")]
pub(super) struct Args {
    /// The photo
    photo: PathBuf,
    /// Where the degraded picture goes (.safetensors for compressed sensing)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    task: task::Args,
    /// Where a blurred picture's light beyond its border comes from: its mirror image, or the opposite side
    #[arg(long, value_enum, default_value = "extend")]
    border: restore::Border,
    /// Seed of the noise and of sampling patterns
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let task = args.task.task.ok_or_else(|| Error::Mismatch {
        what: "--task".into(),
        fact: "it is missing".into(),
        remedy: "pass --task sr, deblur, denoise, inpaint, colorize or cs".into(),
    })?;
    super::restore::refuse_overwriting(&args.output, args.task.files().chain([args.photo.as_path()]))?;
    let photo = Picture::read(&args.photo)?;
    photo.check_transparency(&args.output)?;
    let size = [photo.height(), photo.width()];
    let degradation = args.task.degradation(task, size, args.seed)?;
    let sigma = args.task.sigma.unwrap_or(if task == task::Task::Denoise { 0.1 } else { 0.0 });
    restore::RestoreConfig::new(degradation.clone(), sigma).check()?;
    let device = device::cpu("degrading is quick".into()).device;

    let sensed = matches!(degradation, Degradation::CsWalshhadamard { .. } | Degradation::CsBlockbased { .. });
    if sensed != measurement::is_measurements(&args.output) {
        let (fact, remedy) = match sensed {
            true => ("measurements of compressed sensing are no picture", "end the output in .safetensors"),
            false => ("this degradation makes a picture", "end the output in .png, .jpg, .webp or .tiff"),
        };
        let what = args.output.display().to_string();
        return Err(Error::Mismatch { what, fact: fact.into(), remedy: remedy.into() }.into());
    }
    let operator = degradation.build(size[0], size[1], &device)?;
    let y = restore::measure(&degradation, args.border, photo.to_tensor(&device))?;
    let noise = Seeded::new(args.seed, Stream::Measurement).draw(y.dims(), &device);
    let y = y + operator_support(&degradation, noise, operator.as_ref()) * (2.0 * sigma);
    if sensed {
        measurement::write(&args.output, y, &measurement::Description { size, degradation, sigma })?;
    } else {
        Picture::from_tensor(y)?.with_extras_of(&photo, true).write(&args.output)?;
    }
    say(format!("{}: noise {sigma}, seed {}", args.output.display(), args.seed));
    Ok(())
}

/// Noise falls only on what is measured: not into holes.
fn operator_support(
    degradation: &Degradation,
    noise: burn::tensor::Tensor<4>,
    operator: &dyn crate::degradation::LinearOperator,
) -> burn::tensor::Tensor<4> {
    match degradation {
        Degradation::Inpainting { .. } => operator.apply(noise),
        _ => noise,
    }
}
