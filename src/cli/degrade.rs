//! `fdgr degrade`

use std::path::PathBuf;

use super::{note, say, task, writing};
use crate::degradation::{self, Context};
use crate::error::{Error, Hint, Setting};
use crate::picture::Picture;
use crate::restore::{Border, OLD_PHOTO, RestoreConfig, Source};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr degrade photo.png -o small.png --task sr --scale 4 --sigma 0.05
  fdgr degrade photo.png -o blurred.png --task deblur --kernel gauss:1.6 --sigma 0.02
  fdgr degrade photo.png -o old.png --task deblur,sr --kernel gauss:1.6 --scale 2 --sigma 0.02
  fdgr degrade photo.png -o measured.safetensors --task cs --ratio 0.25")]
pub(super) struct Args {
    /// The photo
    photo: PathBuf,
    /// Where the degraded picture goes (.safetensors for compressed sensing)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    writing: writing::Args,
    #[command(flatten)]
    task: task::Args,
    /// Where a blurred picture's light beyond its border comes from: its mirror image, or the opposite side
    #[arg(long, value_enum, default_value = "extend")]
    border: Border,
    /// Seed of the noise and of sampling patterns
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if args.task.tasks.is_empty() {
        return Err(Error::mismatch(Setting::DEGRADATION, "it is missing", Hint::Give(Setting::DEGRADATION)).into());
    }
    if args.task.tasks.iter().any(|task| task == OLD_PHOTO) {
        let fact = "it stands for several kinds of damage";
        return Err(Error::mismatch(OLD_PHOTO, fact, "name those to be done, such as deblur,denoise").into());
    }
    crate::files::refuse_overwriting(&args.output, args.task.files().chain([args.photo.as_path()]))?;
    let photo = Picture::read(&args.photo)?;
    photo.remarks.iter().for_each(|remark| note(format!("{}: {remark}", args.photo.display())));
    let size = [photo.height(), photo.width()];
    let context = Context { size, seed: args.seed, photo: Some(&photo), shows_damage: false };
    let degradation = degradation::of_tasks(&args.task.tasks, &args.task.values, &context)?;
    let usual = degradation.single().and_then(|stage| stage.kind().usual_sigma).unwrap_or(0.0);
    let sigma = args.task.sigma.unwrap_or(usual);
    RestoreConfig::new(degradation.clone(), sigma).check()?;
    let is_picture = degradation.is_picture();
    if is_picture == Source::is_measurements(&args.output) {
        let (fact, hint) = match is_picture {
            false => ("measurements of compressed sensing are no picture", "end the output in .safetensors"),
            true => ("this degradation makes a picture", "end the output in .png, .jpg, .webp or .tiff"),
        };
        return Err(Error::mismatch(args.output.as_path(), fact, hint).into());
    }
    if is_picture {
        let [_, height, width] = degradation.check(size)?;
        for lost in photo.losses(&args.output, [height, width], &args.writing.writing())? {
            note(format!("{} will lack {lost}", args.output.display()));
        }
    }
    let degraded = Source::degraded(&photo, &degradation, args.border, sigma, args.seed)?;
    degraded.write(&args.output, &args.writing.writing()).map_err(Error::at_output)?;
    say(format!("{}: noise {sigma}, seed {}", args.output.display(), args.seed));
    Ok(())
}
