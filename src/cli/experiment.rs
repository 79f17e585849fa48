//! `fdgr experiment`

mod screen;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use super::words::Flags;
use super::{DeviceArgs, method, note, prior, progress, say};
use crate::degradation::{Form, preset_names};
use crate::error::{Result, Words};
use crate::experiment::results::{Existing, Record, Results};
use crate::experiment::{Defaults, Driver, Plan, Shard, recipes, report};
use crate::metrics;
use crate::restore::PriorChoice;

pub(super) use screen::{Screen, Verbose};

#[derive(Clone, clap::Args)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  fdgr experiment --model photo --path_y photos/ --deg sr_bicubic --deg_scale 4 --operator_imp SVD -i sr4
  fdgr experiment --config celeba_hq.yml --path_y celeba_hq --deg sr_bicubic --sigma_y 0.05 -i FDG+R/Celeba_4SR_0.05 \\
    --inject_noise 0 --gamma 16 --eta_tilde 0.2 --step_size_mode 0 --deg_scale 4 --operator_imp SVD --mode G+ \\
    --lam 1.3 --alpha 0.2 --sigma_g 0.8
  fdgr experiment --recipe ddpg/celeba/deblur_gauss/0.05
  fdgr experiment --list-recipes
  fdgr experiment --recipe ddrm/celeba/sr4/0.05 --shard 3/8      the third of eight parts
  fdgr experiment ... --resume                                   continue an interrupted run

Results go to EXP/image_samples/NAME: N_0.png, Apy/orig_N.png, Apy/y_N.png, Apy/Apy_N.png, results.json, results.csv and
report.html. Flags and their defaults are those of the reference implementation of FDGR."
)]
pub(super) struct Args {
    /// Configuration: a file, a name in configs/, or celeba_hq.yml, imagenet_256.yml or imagenet_256_cc.yml
    #[arg(long, value_name = "FILE", default_value = "celeba_hq.yml")]
    config: String,
    /// Pictures: a folder, or the name of one in EXP/datasets
    #[arg(long = "path_y", visible_alias = "path-y", value_name = "FOLDER", default_value = "celeba_hq")]
    path_y: String,
    #[arg(long, value_name = "NAME", default_value = "deblur_gauss", help = degradations())]
    deg: String,
    /// Factor of super-resolution, or sampling ratio of compressed sensing
    #[arg(long = "deg_scale", visible_alias = "deg-scale", default_value_t = 0.0)]
    deg_scale: f64,
    /// Standard deviation of the noise, for pixels in [0, 1]
    #[arg(long = "sigma_y", visible_aliases = ["sigma-y", "sigma_0"], default_value_t = 0.05, allow_negative_numbers = true)]
    sigma_y: f64,
    /// How the operator is inverted
    #[arg(
        long = "operator_imp",
        visible_alias = "operator-imp",
        value_enum,
        ignore_case = true,
        default_value = "FFT"
    )]
    operator_imp: Form,
    /// Mask of inpainting, a NumPy array (.npy) or a picture: 0 or black is missing [default: EXP/inp_masks/mask.npy]
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// 1 or white is missing
    #[arg(long = "invert-mask", requires = "mask")]
    invert_mask: bool,
    /// Name of the results
    #[arg(short, long = "image_folder", visible_alias = "image-folder", value_name = "NAME", default_value = "demo")]
    image_folder: String,
    /// Experiment folder: datasets, checkpoints (logs) and results (image_samples)
    #[arg(long, value_name = "FOLDER", default_value = "exp")]
    exp: PathBuf,
    /// Seed of all noise
    #[arg(long, default_value_t = 1234)]
    seed: u64,
    /// Index of the first picture; -1 for the first of the set
    #[arg(long = "subset_start", visible_alias = "subset-start", default_value_t = -1, allow_negative_numbers = true)]
    subset_start: i64,
    /// Index after the last picture; -1 for the end of the set
    #[arg(long = "subset_end", visible_alias = "subset-end", default_value_t = -1, allow_negative_numbers = true)]
    subset_end: i64,
    /// Save originals and measurements, too (default)
    #[arg(long = "save_y", visible_alias = "save-y", overrides_with = "no_save_y")]
    save_y: bool,
    /// Save restored pictures only
    #[arg(long = "no_save_y", visible_alias = "no-save-y")]
    no_save_y: bool,
    /// Never ask
    #[arg(long)]
    ni: bool,
    /// What is printed
    #[arg(long, value_enum, default_value = "info")]
    verbose: Verbose,
    /// Pictures per batch [default: that of the configuration]
    #[arg(long)]
    batch: Option<usize>,
    /// Defaults of the method: those of the reference, or those of `fdgr restore` for the task
    #[arg(long, value_enum, default_value = "reference")]
    defaults: Defaults,
    /// Continue an interrupted run
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Delete existing results
    #[arg(long)]
    overwrite: bool,
    /// One part of several, such as 3/8; all parts share one folder of results. Implies --resume
    #[arg(long, value_name = "I/N", conflicts_with = "overwrite")]
    shard: Option<String>,
    /// Flags of a published command line; flags given beside it take precedence
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// List published command lines
    #[arg(long = "list-recipes")]
    list_recipes: bool,
    /// Name of the data in DDRM's command lines; ignored
    #[arg(long, hide = true)]
    doc: Option<String>,
    #[command(flatten)]
    method: method::Args,
    #[command(flatten)]
    prior: prior::Args,
    #[command(flatten)]
    device: DeviceArgs,
}

/// What `--deg` takes.
fn degradations() -> String {
    format!("Degradation: {}", preset_names().collect::<Vec<_>>().join(", "))
}

impl Args {
    /// The experiment that the flags describe.
    pub fn plan(&self) -> Result<Plan> {
        let choice = self.prior.choice();
        // Without a model, the configuration chooses.
        let model = if self.prior.chooses_model() { choice.model.clone() } else { String::new() };
        Ok(Plan {
            config: self.config.clone(),
            path_y: self.path_y.clone(),
            deg: self.deg.clone(),
            deg_scale: self.deg_scale,
            sigma_y: self.sigma_y,
            operator_imp: self.operator_imp,
            mask: self.mask.clone(),
            invert_mask: self.invert_mask,
            image_folder: self.image_folder.clone(),
            exp: self.exp.clone(),
            seed: self.seed,
            subset_start: usize::try_from(self.subset_start).ok(),
            subset_end: usize::try_from(self.subset_end).ok(),
            keep_measured: !self.no_save_y,
            batch: self.batch,
            defaults: self.defaults,
            existing: match (self.overwrite, self.resume || self.shard.is_some()) {
                (true, _) => Existing::Overwrite,
                (false, true) => Existing::Resume,
                (false, false) => Existing::Refuse,
            },
            shard: match &self.shard {
                Some(text) => text.parse()?,
                None => Shard::WHOLE,
            },
            overrides: self.method.overrides(),
            prior: PriorChoice { model, ..choice },
            device: self.device.name().into(),
        })
    }

    /// Name of the published command line that the flags start from.
    pub fn recipe(&self) -> Option<&str> {
        self.recipe.as_deref()
    }

    /// What is printed.
    pub fn verbose(&self) -> Verbose {
        self.verbose
    }

    /// What to do with existing results in any of the folders; asks where no flag says it and somebody can answer.
    pub fn existing(&self, plan: &Plan, folders: &[PathBuf]) -> anyhow::Result<Existing> {
        let present = folders.iter().find(|folder| Results::are_in(folder));
        let (Existing::Refuse, Some(folder)) = (plan.existing, present) else { return Ok(plan.existing) };
        if self.ni || !std::io::stdin().is_terminal() {
            return Ok(Existing::Refuse);
        }
        ask(&format!("{}: there are results in it already. [r]esume, [o]verwrite or [s]top? ", folder.display()))
    }
}

/// The flags of a subcommand: `flags` of a recipe, then those `typed` after the subcommand's name, which take precedence.
///
/// # Errors
/// Unknown flags and values.
pub(super) fn args_from<A: clap::Args>(flags: &[String], typed: &[OsString]) -> anyhow::Result<A> {
    let command = A::augment_args(clap::Command::new("fdgr").no_binary_name(true).args_override_self(true));
    let words = flags.iter().map(OsString::from).chain(typed.iter().cloned());
    let parsed = command.try_get_matches_from(words).and_then(|matches| A::from_arg_matches(&matches));
    parsed.map_err(|e| {
        let text = e.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        anyhow::anyhow!("{first}; `--help` lists the flags")
    })
}

/// Runs the subcommand; `typed` is what was typed after its name.
pub(super) fn run(args: &Args, typed: &[OsString]) -> anyhow::Result<()> {
    if args.list_recipes {
        for recipe in recipes::all() {
            say(format!("{:<40} {}", recipe.name, recipe.source));
        }
        return Ok(());
    }
    let args = match args.recipe() {
        Some(name) => args_from(&recipes::find(name)?.flags, typed)?,
        None => args.clone(),
    };
    let mut plan = args.plan()?;
    let folder = plan.resolve()?.folder;
    plan.existing = args.existing(&plan, &[folder])?;
    progress::stop_on_ctrl_c();
    let screen = Screen::new(args.verbose);
    let outcome = Driver::default().run(&plan, &screen)?;
    drop(screen);
    say_means(&outcome.records, &outcome.sets);
    for unavailable in &outcome.unavailable {
        note(format!("{unavailable}; {}", Flags::Experiment.hint(&unavailable.hint())));
    }
    if let Some(place) = outcome.write_report()? {
        say(format!("look at     {}", place.display()));
    }
    let (skipped, all) = (outcome.skipped(), outcome.records.len());
    if skipped > 0 {
        note(format!("{skipped} of {all} pictures were skipped; --resume tries them again"));
    }
    // A shard may have nothing to do.
    anyhow::ensure!(all == 0 || skipped < all, "no picture was restored");
    Ok(())
}

/// Prints the mean of every metric.
pub(super) fn say_means(records: &[Record], sets: &std::collections::BTreeMap<String, f64>) {
    let means = crate::experiment::results::means(records);
    for about in metrics::ALL.iter().filter(|about| means.contains_key(about.name)) {
        let mean = &means[about.name];
        let pictures = if mean.count == 1 { "picture" } else { "pictures" };
        say(format!("{:<18} {} over {} {pictures}", about.title, report::shown_mean(about, mean), mean.count));
    }
    for about in [metrics::FID, metrics::KID] {
        if let Some(value) = sets.get(about.name) {
            say(format!("{:<18} {}", about.title, about.shown(*value)));
        }
    }
}

/// Asks what to do with existing results.
fn ask(question: &str) -> anyhow::Result<Existing> {
    let mut errors = std::io::stderr();
    _ = write!(errors, "{question}");
    _ = errors.flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "r" | "resume" => Ok(Existing::Resume),
        "o" | "overwrite" => Ok(Existing::Overwrite),
        _ => anyhow::bail!("stopped; nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(flags: &str, typed: &str) -> anyhow::Result<Plan> {
        let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        let typed: Vec<OsString> = typed.split_whitespace().map(OsString::from).collect();
        Ok(args_from::<Args>(&flags, &typed)?.plan()?)
    }

    #[test]
    fn typed_flags_win_over_those_of_a_recipe() {
        let plan = parsed("--gamma 16 --zeta 0.7 -i published", "--recipe x --zeta 0.9 --exp here").unwrap();
        let parameter = |name| plan.overrides.parameters.get(name);
        assert_eq!((parameter("gamma"), parameter("zeta")), (Some("16"), Some("0.9")));
        assert_eq!((plan.image_folder.as_str(), plan.exp.as_path()), ("published", std::path::Path::new("here")));
        let error = parsed("--gamma 16", "--nothing 1").err().unwrap().to_string();
        assert!(error.contains("--nothing") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn flags_are_the_references() {
        let [plan, default] = [parsed("", "").unwrap(), Plan::default()];
        assert_eq!((plan.config, plan.path_y, plan.deg), (default.config, default.path_y, default.deg));
        assert_eq!((plan.seed, plan.existing, plan.shard), (default.seed, default.existing, default.shard));
        assert_eq!((plan.prior.model.as_str(), plan.subset_end), ("", None));
        let plan = parsed("", "--shard 3/8 --operator_imp svd --subset-start 2").unwrap();
        assert_eq!((plan.existing, plan.subset_start), (Existing::Resume, Some(2)));
        assert_eq!((plan.operator_imp, plan.shard), (Form::Svd, Shard { index: 2, count: 8 }));
    }

    #[test]
    fn every_recipe_is_understood() {
        for recipe in recipes::all() {
            let plan = args_from::<Args>(&recipe.flags, &[]).and_then(|args| Ok(args.plan()?));
            assert!(plan.is_ok_and(|plan| plan.folder().is_ok()), "{}", recipe.name);
        }
    }
}
