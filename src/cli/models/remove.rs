//! `fdgr models remove`

use crate::cli::say;
use crate::model::ModelFolder;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Its name
    name: String,
}

pub(super) fn run(folder: &ModelFolder, args: &Args) -> anyhow::Result<()> {
    folder.remove(&args.name)?;
    say(format!("removed {}", args.name));
    Ok(())
}
