//! `fdgr inspect`

use std::path::PathBuf;

use super::errands::{is_result, photos_below};
use super::words::Flags;
use super::{note, say, sheet, stream};
use crate::error::{Error, Result, Setting, Words as _};
use crate::estimate::{Diagnosis, Treatment};
use crate::picture::Picture;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr inspect photo.jpg
  fdgr inspect *.jpg
  fdgr inspect photo.jpg --picture evidence.png
  fdgr inspect photos/
  curl -s https://example.org/photo.jpg | fdgr inspect -

It looks for blur, enlargement, compression by JPEG, noise, bars and pixels that are cut off; not for scratches or lost colours.")]
pub(super) struct Args {
    /// The photos; of a folder all pictures in it and below, and - is standard input
    #[arg(required = true)]
    photos: Vec<PathBuf>,
    /// Page of a TIFF, the first is 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    page: Option<u32>,
    /// Show what it was read from: the spectrum, fine detail and the blur, as a picture
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let photos = named(&args.photos)?;
    if let Some(place) = &args.picture {
        if photos.len() > 1 {
            let fact = "it is the name of one picture, but there are several photos";
            return Err(Error::mismatch(place.as_path(), fact, "inspect them one by one").into());
        }
        crate::files::refuse_overwriting(place, photos.iter().map(PathBuf::as_path))?;
        Picture::check_output(place).map_err(Error::at_output)?;
    }
    let page = args.page.map_or(0, |page| page as usize - 1);
    let mut failed = 0;
    for path in &photos {
        let photo = match stream::read(path).and_then(|bytes| Picture::decode_page(&bytes, path, page)) {
            Err(error) if photos.len() > 1 => {
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
                let output = if stream::is_meant(path) { " -o better.png" } else { "" };
                let page = args.page.map(|page| format!(" --page {page}")).unwrap_or_default();
                say(format!("    fdgr restore {}{output}{page} {}", path.display(), command(treatment, &photo)));
            }
        }
        if let Some(place) = &args.picture {
            let evidence = Picture::new(sheet::side_by_side(&diagnosis.evidence(&photo)));
            evidence.write(place).map_err(Error::at_output)?;
            say(format!("  look at {}", place.display()));
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} pictures could not be read", photos.len());
    Ok(())
}

/// The photos of these names: of a folder, all below it.
fn named(names: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut photos = Vec::new();
    for name in names {
        if stream::is_meant(name) && names.len() > 1 {
            let fact = "standard input is one photo";
            return Err(Error::mismatch(name.as_path(), fact, "inspect the others by themselves"));
        }
        if name.is_dir() {
            photos.extend(photos_below(name, is_result)?);
        } else {
            photos.push(name.clone());
        }
    }
    Ok(photos)
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
