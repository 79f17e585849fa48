//! The command line: it parses, calls the library and prints.

mod degrade;
mod demo;
mod devices;
mod errands;
mod eval;
mod experiment;
mod flags;
mod inspect;
mod method;
mod models;
mod prior;
mod progress;
mod report;
mod restore;
mod sheet;
mod stream;
mod sweep;
mod task;
#[cfg(feature = "gui")]
mod window;
mod words;
mod writing;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::Error;
use crate::picture::is_decoding;

/// Restore degraded photos with a diffusion prior; no training, no CUDA.
#[derive(Parser)]
#[command(version, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  fdgr                                                            open the window
  fdgr demo                                                       see it work
  fdgr restore small.jpg -o big.png --task sr --scale 4           enlarge
  fdgr restore photo.jpg -o better.png                            find out what is wrong, and undo it
  fdgr restore shaky.jpg -o sharp.png --task deblur --kernel auto
  fdgr restore noisy.jpg -o clean.png --task denoise
  fdgr restore blocky.jpg -o smooth.png --task jpeg
  fdgr inspect photo.jpg                                          what it shows of blur, noise, compression
  fdgr restore torn.png -o whole.png --task inpaint --mask holes.png
  fdgr experiment --model photo --path_y photos/ --deg deblur_gauss -i blur        measure it on many pictures
  fdgr models list                                                list available priors
  fdgr devices                                                    list compute devices";

#[derive(Subcommand)]
enum Command {
    /// Restore photos that are already degraded
    Restore(Box<restore::Args>),
    /// Open the window: everything that restore does, with the mouse
    #[cfg(feature = "gui")]
    Window(window::Args),
    /// Say what a photo shows of blur, enlargement, compression and noise, and what would treat it
    Inspect(inspect::Args),
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
    /// List, install, fetch and inspect priors
    Models(models::Args),
    /// List compute devices, and the one that would be taken
    Devices,
}

/// Runs the command line and reports errors as one sentence.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        if is_decoding() {
            return;
        }
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        complain(&format!(
            "internal error{place}: {message}; this is a fault of the program or of a driver: try --device cpu, and report it"
        ));
    }));
    // Shells of Windows leave patterns such as *.jpg to the program.
    let words = with_window(wild::args_os().collect());
    let typed: Vec<OsString> = words.iter().skip(2).cloned().collect();
    let cli = Cli::parse_from(words);
    let Some(command) = cli.command.or_else(usual) else {
        _ = Cli::command().print_help();
        return ExitCode::from(2);
    };
    let flags = match command {
        Command::Experiment(_) | Command::Sweep(_) => words::Flags::Experiment,
        _ => words::Flags::Common,
    };
    let done = match command {
        Command::Restore(args) => restore::run(*args),
        Command::Degrade(args) => degrade::run(&args),
        #[cfg(feature = "gui")]
        Command::Window(args) => window::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Experiment(args) => experiment::run(&args, &typed),
        Command::Eval(args) => eval::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Sweep(args) => sweep::run(&args, &typed),
        Command::Models(args) => models::run(&args),
        Command::Devices => devices::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let sentence = match error.downcast_ref::<Error>() {
                Some(error) => error.sentence(&flags),
                None => format!("{error:#}"),
            };
            complain(&format!("error: {sentence}"));
            let stopped = matches!(error.downcast_ref(), Some(Error::Stopped { .. }));
            ExitCode::from(if stopped { 130 } else { 1 })
        }
    }
}

/// Photos without a command are opened in the window: that is how systems call a program that files are dropped on or opened with.
fn with_window(mut words: Vec<OsString>) -> Vec<OsString> {
    let is_command = |word: &OsString| {
        let mut known = Cli::command();
        known.build();
        known.get_subcommands().any(|command| *word == *command.get_name())
    };
    if cfg!(feature = "gui") && words.get(1).is_some_and(|word| Path::new(word).exists() && !is_command(word)) {
        words.insert(1, "window".into());
    }
    words
}

/// What is done where nothing is asked for: the window is opened, where there is one and a screen for it.
fn usual() -> Option<Command> {
    #[cfg(feature = "gui")]
    if crate::gui::has_screen() {
        return Some(Command::Window(window::Args::default()));
    }
    None
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
#[derive(Clone, Default, clap::Args)]
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
