//! `fdgr report`

use std::path::PathBuf;

use super::say;
use crate::error::Error;
use crate::experiment::report::{self, Run};
use crate::files::write_atomically;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr report exp/image_samples/sr4
  fdgr report exp/image_samples/fdgr exp/image_samples/ddpg exp/image_samples/ddrm -o methods.html
  fdgr report part1/sr4 part2/sr4 -o sr4.html        merges parts of one experiment into one run")]
pub(super) struct Args {
    /// Folders of results; the others are compared with the first
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// File of the page
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let runs = Run::open(&args.runs)?;
    for run in &runs {
        let done = run.done().count();
        let missing = run.settings.pictures.len().saturating_sub(done);
        let state = if missing > 0 { format!(", {missing} are not done") } else { String::new() };
        say(format!("{}: {done} {}{state}", run.name, if done == 1 { "picture" } else { "pictures" }));
    }
    anyhow::ensure!(
        runs.iter().any(|run| run.done().next().is_some()),
        "no picture is done yet; run the experiment first"
    );
    write_atomically(&args.output, report::page(&runs).as_bytes()).map_err(Error::at_output)?;
    say(format!("look at {}", args.output.display()));
    Ok(())
}
