//! `fdgr sweep`

use super::{experiment, note, progress, say};
use crate::error::{Error, Result};
use crate::experiment::results::means;
use crate::experiment::sweep::{self, Axis, Row};
use crate::metrics;

#[derive(Clone, clap::Args)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  fdgr sweep --model photo --defaults restore --path_y photos/ --deg sr_bicubic --deg_scale 4 --operator_imp SVD \\
    --vary lam=0.5,1,2,4 --vary gamma=8:24:3 -i sweeps/sr4
  fdgr sweep ... --vary lam=log:0.1:10:9 --vary alpha=0.1:1:10 --random 20 --metric ssim

Takes every flag of `fdgr experiment`; each combination is an experiment of its own below EXP/image_samples/NAME, beside
sweep.csv and sweep.html."
)]
pub(super) struct Args {
    /// A flag and its values: NAME=V,V,... or NAME=FROM:TO:COUNT or NAME=log:FROM:TO:COUNT
    #[arg(long = "vary", required = true, value_name = "NAME=VALUES", action = clap::ArgAction::Append)]
    vary: Vec<String>,
    /// As many random combinations instead of all
    #[arg(long, value_name = "COUNT")]
    random: Option<usize>,
    /// Which metric decides
    #[arg(long, default_value = "psnr")]
    metric: String,
    #[command(flatten)]
    pub experiment: experiment::Args,
}

/// Runs every combination; `with` gives the flags of this command with more behind them.
pub(super) fn run(args: &Args, with: &dyn Fn(&[String]) -> anyhow::Result<Args>) -> anyhow::Result<()> {
    let axes = args.vary.iter().map(|text| Axis::parse(text)).collect::<Result<Vec<_>>>()?;
    let metric = metrics::ALL.into_iter().find(|about| about.name == args.metric).ok_or_else(|| Error::Mismatch {
        what: format!("--metric {}", args.metric),
        fact: "no metric of single pictures has that name".into(),
        remedy: format!("pass one of {}", metrics::ALL.map(|about| about.name).join(", ")),
    })?;
    let points = match args.random {
        Some(count) => sweep::random(&axes, count, args.experiment.seed()),
        None => sweep::grid(&axes)?,
    };
    // All flags are read before anything is computed.
    let flags =
        |point: &sweep::Point| point.iter().map(|(name, value)| format!("--{name}={value}")).collect::<Vec<_>>();
    let runs = points.iter().map(|point| with(&flags(point))).collect::<anyhow::Result<Vec<_>>>()?;
    runs.iter().try_for_each(|run| run.experiment.check())?;
    progress::stop_on_ctrl_c();
    let root = args.experiment.folder()?;
    let mut loaded = None;
    let mut rows = Vec::new();
    for (i, (point, run)) in points.iter().zip(&runs).enumerate() {
        note(format!("run {} of {}: {}", i + 1, points.len(), sweep::described(point)));
        let folder = root.join(sweep::folder_name(point));
        let (_, outcome) = experiment::experiment(&run.experiment.quieter(), &folder, &mut loaded)?;
        let row = Row { point: point.clone(), means: means(&outcome.records) };
        let value = row
            .means
            .get(metric.name)
            .map_or_else(String::new, |mean| crate::experiment::report::shown_mean(&metric, mean));
        say(format!("{}: {} {value}", sweep::described(point), metric.title));
        rows.push(row);
        // After each, so that a sweep that is stopped has something to show.
        sweep::write(&root, &root.display().to_string(), &axes, &rows, &metric)?;
    }
    if let Some(best) = sweep::best(&rows, &metric) {
        say(format!("best by {}: {}", metric.title, sweep::described(&best.point)));
    }
    say(format!("look at {}", root.join("sweep.html").display()));
    Ok(())
}
