//! `fdgr report`

use std::path::PathBuf;

use super::say;
use crate::experiment::report::{self, Run};
use crate::picture::write_atomically;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr report exp/image_samples/sr4
  fdgr report exp/image_samples/fdgr exp/image_samples/ddpg exp/image_samples/ddrm -o methods.html
  fdgr report part1/sr4 part2/sr4 -o sr4.html        parts of one experiment become one run again")]
pub(super) struct Args {
    /// Folders of results; the others are compared with the first
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the page goes
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let runs = Run::open(&args.runs)?;
    for run in &runs {
        let missing = run.settings.pictures.len() - run.done().count();
        let state = if missing > 0 { format!(", {missing} are not done") } else { String::new() };
        say(format!("{}: {} pictures{state}", run.name, run.done().count()));
    }
    anyhow::ensure!(
        runs.iter().any(|run| run.done().next().is_some()),
        "no picture is done yet; run the experiment first"
    );
    write_atomically(&args.output, report::page(&runs).as_bytes())?;
    say(format!("look at {}", args.output.display()));
    Ok(())
}
