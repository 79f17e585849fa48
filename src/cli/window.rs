//! `fdgr window`

use std::path::PathBuf;

use super::DeviceArgs;
use crate::gui;

#[derive(Default, clap::Args)]
#[command(after_help = "\
Examples:
  fdgr window
  fdgr window photo.jpg photos/
  fdgr                                                            the same without photos")]
pub(super) struct Args {
    /// Photos, and folders of photos
    photos: Vec<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    Ok(gui::open(&args.photos, args.device.device.clone())?)
}
