//! The command line: a thin shell over [`crate::restore`].

mod degrade;
mod demo;
mod devices;
mod eval;
mod experiment;
mod measurement;
mod method;
mod models;
mod prior;
mod progress;
mod report;
mod restore;
mod sweep;
mod task;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;
use crate::experiment::recipes;

/// Restore degraded photos with a diffusion prior; no training, no CUDA.
#[derive(Parser)]
#[command(version, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  fdgr demo                                                       see it work
  fdgr restore small.jpg -o big.png --task sr --scale 4           enlarge
  fdgr restore shaky.jpg -o sharp.png --task deblur --kernel motion:15,30
  fdgr restore noisy.jpg -o clean.png --task denoise
  fdgr restore torn.png -o whole.png --task inpaint --mask holes.png
  fdgr experiment --model photo --path_y photos/ --deg deblur_gauss -i blur        measure it on many pictures
  fdgr models list                                                what knowledge of pictures there is
  fdgr devices                                                    what can compute here";

#[derive(Subcommand)]
enum Command {
    /// Restore photos that are already degraded
    Restore(Box<restore::Args>),
    /// Degrade a photo, for trying things out
    Degrade(degrade::Args),
    /// Degrade and restore a sample photo, with numbers and a picture
    Demo(demo::Args),
    /// Degrade, restore and measure a set of pictures, as papers do
    Experiment(Box<experiment::Args>),
    /// Measure how close pictures are to their originals
    Eval(eval::Args),
    /// Write a page about experiments, and compare them
    Report(report::Args),
    /// Run experiments over values of parameters
    Sweep(Box<sweep::Args>),
    /// List, install, fetch and examine priors
    Models(models::Args),
    /// List what can compute, and what would be taken
    Devices,
}

/// Runs the command line and reports errors as one sentence.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        complain(&format!(
            "internal error{place}: {message}; this is a fault of the program or of a driver: try --device cpu, and report it"
        ));
    }));
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Restore(args) => restore::run(*args),
        Command::Degrade(args) => degrade::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Experiment(args) => with_recipe(args).and_then(|args| experiment::run(&args)),
        Command::Eval(args) => eval::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Sweep(args) => sweep::run(&args, &|more| reparsed_sweep(&args, more)),
        Command::Models(args) => models::run(&args),
        Command::Devices => devices::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            let stopped = matches!(error.downcast_ref(), Some(Error::Stopped { .. }));
            ExitCode::from(if stopped { 130 } else { 1 })
        }
    }
}

/// The flags of an experiment, those of its recipe before them.
fn with_recipe(args: Box<experiment::Args>) -> anyhow::Result<Box<experiment::Args>> {
    let Some(name) = &args.recipe else { return Ok(args) };
    match reparsed(&recipes::find(name)?.flags, &[])? {
        Command::Experiment(args) => Ok(args),
        _ => Ok(args),
    }
}

/// The flags of a sweep, those of its recipe before them and `more` behind them.
fn reparsed_sweep(args: &sweep::Args, more: &[String]) -> anyhow::Result<sweep::Args> {
    let recipe = args.experiment.recipe.as_deref().map(recipes::find).transpose()?;
    match reparsed(&recipe.map(|recipe| recipe.flags).unwrap_or_default(), more)? {
        Command::Sweep(args) => Ok(*args),
        _ => Ok(args.clone()),
    }
}

/// The command line of this program with more flags, before and behind those of its subcommand; later ones take precedence.
fn reparsed(before: &[String], behind: &[String]) -> anyhow::Result<Command> {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let (start, flags) = typed.split_at(typed.len().min(2));
    let words = start.iter().cloned().chain(before.iter().map(OsString::from));
    let words = words.chain(flags.iter().cloned()).chain(behind.iter().map(OsString::from));
    let parsed = Cli::try_parse_from(words).map_err(|e| {
        let text = e.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        anyhow::anyhow!("{first}; `--help` lists the flags")
    })?;
    Ok(parsed.command)
}

fn complain(message: &str) {
    _ = writeln!(std::io::stderr(), "fdgr: {message}");
}

/// A line of a result, on standard output; nobody may be listening any more.
fn say(line: impl std::fmt::Display) {
    _ = writeln!(std::io::stdout(), "{line}");
}

/// A remark beside the result, on standard error.
fn note(line: impl std::fmt::Display) {
    complain(&line.to_string());
}

/// Flags of every command that computes.
#[derive(Clone, clap::Args)]
struct DeviceArgs {
    /// auto, cpu, gpu, software, or part of a name that `fdgr devices` lists [default: auto, or what a recipe says]
    #[arg(long)]
    device: Option<String>,
}

impl DeviceArgs {
    fn name(&self) -> &str {
        self.device.as_deref().unwrap_or("auto")
    }
}
