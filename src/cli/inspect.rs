//! `fdgr inspect`

use std::path::PathBuf;

use super::words::Flags;
use super::{note, say};
use crate::estimate;
use crate::picture::Picture;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr inspect photo.jpg
  fdgr inspect *.jpg

It looks for noise, for compression by JPEG and for pixels that are cut off; not for a blur, an enlargement or lost colours.")]
pub(super) struct Args {
    /// The photos
    #[arg(required = true)]
    photos: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
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
        for found in estimate::diagnosis(&photo) {
            say(format!("  {}", found.fact));
            if let Some(task) = found.task {
                say(format!("    fdgr restore {} --task {task}", path.display()));
            }
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} pictures could not be read", args.photos.len());
    Ok(())
}
