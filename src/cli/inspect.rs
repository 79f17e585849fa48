//! `fdgr inspect`

use std::path::PathBuf;

use super::words::Flags;
use super::{note, say, sheet};
use crate::error::{Error, Setting, Words as _};
use crate::estimate::{Diagnosis, Treatment};
use crate::picture::Picture;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr inspect photo.jpg
  fdgr inspect *.jpg
  fdgr inspect photo.jpg --picture evidence.png

It looks for blur, enlargement, compression by JPEG, noise, bars and pixels that are cut off; not for scratches or lost colours.")]
pub(super) struct Args {
    /// The photos
    #[arg(required = true)]
    photos: Vec<PathBuf>,
    /// Show what it was read from: the spectrum, fine detail and the blur, as a picture
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(place) = &args.picture {
        if args.photos.len() > 1 {
            let fact = "it is the name of one picture, but there are several photos";
            return Err(Error::mismatch(place.as_path(), fact, "inspect them one by one").into());
        }
        crate::files::refuse_overwriting(place, args.photos.iter().map(PathBuf::as_path))?;
        Picture::check_output(place).map_err(Error::at_output)?;
    }
    let mut failed = 0;
    for path in &args.photos {
        let photo = match Picture::read(path) {
            Err(error) if args.photos.len() > 1 => {
                note(error.sentence(&Flags::Common));
                failed += 1;
                continue;
            }
            read => read?,
        };
        say(format!("{}: {}x{} pixels", path.display(), photo.width(), photo.height()));
        photo.remarks.iter().for_each(|remark| say(format!("  {remark}")));
        let diagnosis = Diagnosis::of(&photo);
        for found in &diagnosis.findings {
            say(format!("  {}", found.fact));
            if let Some(treatment) = &found.treatment {
                say(format!("    fdgr restore {} {}", path.display(), command(treatment, &photo)));
            }
        }
        if let Some(place) = &args.picture {
            let evidence = Picture::new(sheet::side_by_side(&diagnosis.evidence(&photo)));
            evidence.write(place).map_err(Error::at_output)?;
            say(format!("  look at {}", place.display()));
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} pictures could not be read", args.photos.len());
    Ok(())
}

/// The flags that ask for a treatment of a photo.
fn command(treatment: &Treatment, photo: &Picture) -> String {
    let values = treatment.values.iter().map(|(name, value)| {
        let flag = Flags::Common.setting(&Setting(name.to_owned().into()));
        format!(" {flag} {value}")
    });
    let size = match treatment.enlarged {
        Some(factor) if factor.fract() == 0.0 => format!(" --enlarged {factor}"),
        Some(factor) => format!(" --enlarged {factor:.3} --width {}", photo.width()),
        None => String::new(),
    };
    format!("--task {}{}{size}", treatment.task, values.collect::<String>())
}
