//! `fdgr sweep`

use std::ffi::OsString;

use super::experiment::{self, Screen, Verbose, args_from};
use super::{progress, say};
use crate::error::Result;
use crate::experiment::sweep::{Axis, Sweep, described};
use crate::experiment::{Driver, recipes};

#[derive(Clone, clap::Args)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  fdgr sweep --model photo --defaults restore --path_y photos/ --deg sr_bicubic --deg_scale 4 --operator_imp SVD \\
    --vary lam=0.5,1,2,4 --vary gamma=8:24:3 -i sweeps/sr4
  fdgr sweep ... --vary lam=log:0.1:10:9 --vary alpha=0.1:1:10 --random 20 --metric ssim

Takes every flag of `fdgr experiment`. Each combination is an experiment with its own folder in EXP/image_samples/NAME, next to
sweep.csv and sweep.html."
)]
pub(super) struct Args {
    /// A parameter of a method, or a setting, and its values: NAME=V,V,... or NAME=FROM:TO:COUNT or NAME=log:FROM:TO:COUNT
    #[arg(long = "vary", required = true, value_name = "NAME=VALUES", action = clap::ArgAction::Append)]
    vary: Vec<String>,
    /// Number of random combinations to run instead of all
    #[arg(long, value_name = "COUNT")]
    random: Option<usize>,
    /// Metric to compare by
    #[arg(long, default_value = "psnr")]
    metric: String,
    #[command(flatten)]
    experiment: experiment::Args,
}

/// Runs the subcommand; `typed` is what was typed after its name.
pub(super) fn run(args: &Args, typed: &[OsString]) -> anyhow::Result<()> {
    let args: Args = match args.experiment.recipe() {
        Some(name) => args_from(&recipes::find(name)?.flags, typed)?,
        None => args.clone(),
    };
    let mut plan = args.experiment.plan()?;
    let axes = args.vary.iter().map(|text| Axis::parse(text)).collect::<Result<Vec<_>>>()?;
    let sweep = Sweep::new(axes, args.random, plan.seed, &args.metric)?;
    plan.existing = args.experiment.existing(&plan, &sweep.folders(&plan)?)?;
    progress::stop_on_ctrl_c();
    let screen = Screen::new(args.experiment.verbose().max(Verbose::Warning));
    let rows = sweep.run(&plan, &mut Driver::default(), &screen)?;
    drop(screen);
    if let Some(best) = sweep.best(&rows) {
        say(format!("best by {}: {}", sweep.metric().title, described(&best.point)));
    }
    say(format!("look at {}", plan.folder()?.join("sweep.html").display()));
    Ok(())
}
