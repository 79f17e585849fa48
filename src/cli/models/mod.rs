//! `fdgr models`

mod add;
mod check;
mod info;
mod list;
mod pull;
mod remove;
mod verify;

use clap::Subcommand;

use super::say;
use crate::metrics::Network;
use crate::model::{Installed, ModelFolder, Subject};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr models list
  fdgr models info celeba_hq.ckpt
  fdgr models add celeba_hq.ckpt --name celebahq-256
  fdgr models pull imagenet-256
  fdgr models check celebahq-256
  fdgr restore face.png -o sharp.png --task sr --model celebahq-256

The folder of models is fdgr/models where this system keeps programs' data; FDGR_MODELS names another.")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List built-in, installed and known models
    List,
    /// Install a checkpoint file, or a folder of the diffusers library
    Add(add::Args),
    /// Inspect a file: network, parameters, missing and mis-shaped tensors
    Info(info::Args),
    /// Download a known model
    Pull(pull::Args),
    /// Compare installed files with their recorded SHA-256
    Verify(verify::Args),
    /// Delete an installed model
    Remove(remove::Args),
    /// Evaluate a prior once on every device, and compare the results
    Check(check::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = ModelFolder::open()?;
    match &args.action {
        Action::List => list::run(&folder),
        Action::Add(args) => add::run(&folder, args),
        Action::Info(args) => info::run(args),
        Action::Pull(args) => pull::run(&folder, args),
        Action::Verify(args) => verify::run(&folder, args),
        Action::Remove(args) => remove::run(&folder, args),
        Action::Check(args) => check::run(args),
    }
}

/// Prints what was installed, and how it is used.
fn say_installed(model: &Installed) {
    say(format!("installed {} ({} bytes, SHA-256 {})", model.name, model.record.bytes, model.record.sha256));
    if let Some(subject) = model.record.subject {
        say(format!("it suits {}", subject.suits()));
    }
    say(match model.record.subject {
        Some(Subject::Classifier) => format!("use it with --classifier {} beside --class", model.name),
        Some(Subject::Metric) => match Network::of_model(&model.name) {
            Some(_) => "`fdgr eval` and `fdgr experiment` use it from now on".into(),
            None => format!("metrics look for it under its own name; remove {}, and add it without --name", model.name),
        },
        _ => format!("use it with --model {}", model.name),
    });
}
