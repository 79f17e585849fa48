//! `fdgr eval`

use std::path::PathBuf;

use super::experiment::{Screen, Verbose};
use super::words::Flags;
use super::{DeviceArgs, experiment, note, progress, say};
use crate::control::Silent;
use crate::device;
use crate::error::{Error, Words};
use crate::experiment::evaluation::{evaluate, pairs_of_folders, pairs_of_results};
use crate::experiment::results::write_json;
use crate::metrics::Metrics;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr eval exp/image_samples/sr4             pairs N_0.png and Apy/orig_N.png
  fdgr eval restored/ originals/              pictures of the same names
  fdgr eval restored.png original.png
  fdgr models pull lpips-alex                 makes LPIPS available, fid-inception FID and KID")]
pub(super) struct Args {
    /// A folder of results, a folder of pictures, or a picture
    pictures: PathBuf,
    /// The originals, unless the first is a folder of results
    originals: Option<PathBuf>,
    /// Write all measurements to this JSON file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let pairs = match &args.originals {
        Some(originals) => pairs_of_folders(&args.pictures, originals)?,
        None => pairs_of_results(&args.pictures)?,
    };
    let metrics = Metrics::load(&device::open(args.device.name())?.device, &Silent)?;
    progress::stop_on_ctrl_c();
    let screen = Screen::new(Verbose::Warning);
    let evaluation = evaluate(&pairs, &metrics, &screen)?;
    drop(screen);
    for record in &evaluation.records {
        if let Some(error) = &record.error {
            note(error);
        }
    }
    experiment::say_means(&evaluation.records, &evaluation.sets);
    for unavailable in &metrics.unavailable {
        say(format!("{unavailable}; {}", Flags::Common.hint(&unavailable.hint())));
    }
    if let Some(path) = &args.output {
        write_json(path, &evaluation).map_err(Error::at_output)?;
    }
    let failed = evaluation.records.iter().filter(|record| record.error.is_some()).count();
    anyhow::ensure!(failed == 0, "{failed} of {} pictures were not compared", evaluation.records.len());
    Ok(())
}
