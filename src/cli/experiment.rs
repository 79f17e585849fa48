//! `fdgr experiment`

mod plan;

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use plan::{measurement, parse_shard, prior_choice, restore_config, subset};

use super::{DeviceArgs, method, note, prior, progress, say};
use crate::degradation::Form;
use crate::device;
use crate::error::{Error, Result};
use crate::experiment::config::Config;
use crate::experiment::report::{self, Run};
use crate::experiment::results::{Existing, Record, Results};
use crate::experiment::{Event, Experiment, Settings, Shard, dataset, evaluation, recipes};
use crate::metrics::{self, Metrics};
use crate::picture::write_atomically;
use crate::recipe::PriorRecord;
use crate::restore::{PriorChoice, Restorer};

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
  fdgr experiment ... --resume                                   go on where it was stopped

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
    /// Degradation: cs_walshhadamard, cs_blockbased, inpainting, denoising, colorization, sr_averagepooling, sr_bicubic,
    /// deblur_uni, deblur_gauss, deblur_aniso or motion_deblur
    #[arg(long, value_name = "NAME", default_value = "deblur_gauss")]
    deg: String,
    /// Its scale: factor of super-resolution, share of compressed sensing
    #[arg(long = "deg_scale", visible_alias = "deg-scale", default_value_t = 0.0)]
    deg_scale: f64,
    /// Noise: standard deviation for pixels from 0 to 1
    #[arg(long = "sigma_y", visible_aliases = ["sigma-y", "sigma_0"], default_value_t = 0.05, allow_negative_numbers = true)]
    sigma_y: f64,
    /// How it is inverted: by singular values or by the Fourier transform
    #[arg(
        long = "operator_imp",
        visible_alias = "operator-imp",
        value_enum,
        ignore_case = true,
        default_value = "FFT"
    )]
    operator_imp: Form,
    /// Known pixels of inpainting, an array (.npy) or a picture: 0 or black is missing [default: EXP/inp_masks/mask.npy]
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// 1 or white is missing
    #[arg(long = "invert-mask", requires = "mask")]
    invert_mask: bool,
    /// Name of the results
    #[arg(short, long = "image_folder", visible_alias = "image-folder", value_name = "NAME", default_value = "demo")]
    image_folder: String,
    /// Folder of everything: datasets, checkpoints (logs) and results (image_samples)
    #[arg(long, value_name = "FOLDER", default_value = "exp")]
    exp: PathBuf,
    /// Seed of all noise
    #[arg(long, default_value_t = 1234)]
    seed: u64,
    /// First picture
    #[arg(long = "subset_start", visible_alias = "subset-start", default_value_t = -1, allow_negative_numbers = true)]
    subset_start: i64,
    /// The picture behind the last
    #[arg(long = "subset_end", visible_alias = "subset-end", default_value_t = -1, allow_negative_numbers = true)]
    subset_end: i64,
    /// Keep originals and measurements beside the results, which is the default
    #[arg(long = "save_y", visible_alias = "save-y", overrides_with = "no_save_y")]
    save_y: bool,
    /// Keep restored pictures only
    #[arg(long = "no_save_y", visible_alias = "no-save-y")]
    no_save_y: bool,
    /// Never ask
    #[arg(long)]
    ni: bool,
    /// What is printed
    #[arg(long, value_enum, default_value = "info")]
    verbose: Verbose,
    /// Pictures at once [default: what the configuration says]
    #[arg(long)]
    batch: Option<usize>,
    /// Defaults of the method: those of the reference, or those of `fdgr restore` for the task
    #[arg(long, value_enum, default_value = "reference")]
    defaults: Defaults,
    /// Go on with the results that are there
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Delete the results that are there
    #[arg(long)]
    overwrite: bool,
    /// One part of several, such as 3/8; the others go to the same results. Goes on with what is there
    #[arg(long, value_name = "I/N", conflicts_with = "overwrite")]
    shard: Option<String>,
    /// Flags of a published command line; flags beside it take precedence
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Show published command lines
    #[arg(long = "list-recipes")]
    list_recipes: bool,
    /// What DDRM's command lines call their data
    #[arg(long, hide = true)]
    doc: Option<String>,
    #[command(flatten)]
    method: method::Args,
    #[command(flatten)]
    prior: prior::Args,
    #[command(flatten)]
    device: DeviceArgs,
}

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Verbose {
    /// A line for each picture, and times
    Debug,
    /// A line for each picture
    Info,
    /// Remarks and the result
    Warning,
    /// The result
    Critical,
}

/// Where parameters come from that no flag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Defaults {
    /// The reference implementation's: whole runs from noise, estimates not clipped
    Reference,
    /// Those of `fdgr restore`, measured with the built-in prior
    Restore,
}

/// A prior that was loaded, for those who run several experiments.
pub(super) struct Loaded {
    pub restorer: Restorer,
    pub metrics: Metrics,
    choice: PriorChoice,
    device: String,
}

impl Args {
    /// Where the results go.
    pub fn folder(&self) -> Result<PathBuf> {
        let name = Path::new(&self.image_folder);
        let inside = name.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside || self.image_folder.is_empty() {
            let fact = "it must be a name below EXP/image_samples; --exp chooses another place";
            return Err(Error::parameter("-i", &self.image_folder, fact));
        }
        Ok(self.exp.join("image_samples").join(name))
    }

    /// Reads everything that flags say, without loading a prior.
    pub fn check(&self) -> Result<()> {
        let file = Config::find(&self.config)?;
        let pictures = subset(self, dataset::list(&self.exp, &self.path_y, &file)?)?;
        restore_config(self, &file, &measurement(self, file.data.image_size)?, pictures[0].index).map(drop)
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same without a line for each picture.
    pub fn quieter(&self) -> Self {
        Self { verbose: self.verbose.max(Verbose::Warning), ..self.clone() }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if args.list_recipes {
        for recipe in recipes::all() {
            say(format!("{:<40} {}", recipe.name, recipe.source));
        }
        return Ok(());
    }
    progress::stop_on_ctrl_c();
    let folder = args.folder()?;
    let mut loaded = None;
    let (results, outcome) = experiment(args, &folder, &mut loaded)?;
    let metrics = &loaded.as_ref().expect("loaded for the run").metrics;
    say_means(&outcome.records, &outcome.sets);
    for unavailable in &metrics.unavailable {
        note(unavailable);
    }
    let place = results.report();
    let runs = Run::open(&[results.root().to_owned()])?;
    if runs[0].done().next().is_some() {
        write_atomically(&place, report::page(&runs).as_bytes())?;
        say(format!("look at     {}", place.display()));
    }
    let skipped = outcome.records.iter().filter(|record| record.error.is_some()).count();
    if skipped > 0 {
        note(format!("{skipped} of {} pictures were skipped; --resume tries them again", outcome.records.len()));
    }
    // A shard may have nothing to do.
    anyhow::ensure!(outcome.records.is_empty() || skipped < outcome.records.len(), "no picture was restored");
    Ok(())
}

/// What came out of an experiment.
pub(super) struct Outcome {
    pub records: Vec<Record>,
    pub sets: std::collections::BTreeMap<String, f64>,
}

/// Runs one experiment into `folder`, with the prior that is loaded if it is the same.
pub(super) fn experiment(
    args: &Args,
    folder: &Path,
    loaded: &mut Option<Loaded>,
) -> anyhow::Result<(Results, Outcome)> {
    let config_file = Config::find(&args.config)?;
    let shard = args.shard.as_deref().map_or(Ok(Shard::WHOLE), parse_shard)?;
    let pictures = subset(args, dataset::list(&args.exp, &args.path_y, &config_file)?)?;
    let side = config_file.data.image_size;
    let measurement = measurement(args, side)?;
    let config = restore_config(args, &config_file, &measurement, pictures[0].index)?;
    refuse_own_results(folder, &pictures)?;
    let existing = existing(args, folder)?;
    let choice = prior_choice(args, &config_file)?;
    load(args, choice, loaded)?;
    let Loaded { restorer, metrics, choice, .. } = loaded.as_ref().expect("loaded above");
    if args.verbose <= Verbose::Warning {
        prior::hint(restorer.prior(), [side; 2]);
    }
    // Results that are there say how many pictures share a batch, whatever memory this machine has.
    let kept = Results::open(folder).ok().filter(|_| existing == Existing::Resume && args.batch.is_none());
    let kept = kept.map(|results| results.settings.batch);
    let wanted = args.batch.or(kept).unwrap_or(config_file.sampling.batch_size).max(1);
    let batch = if measurement.differs_by_picture() {
        1
    } else {
        kept.unwrap_or_else(|| restorer.batch_that_fits(&config, [side; 2], wanted))
    };
    if batch < wanted && args.verbose <= Verbose::Warning {
        note(match measurement.differs_by_picture() {
            true => "one picture at a time, because each has a kernel of its own".to_owned(),
            false => format!("{batch} pictures at a time, because {wanted} do not fit the memory"),
        });
    }
    let settings = Settings {
        version: env!("CARGO_PKG_VERSION").into(),
        measurement,
        config,
        prior: PriorRecord {
            choice: PriorChoice { precision: Some(restorer.prior().precision()), ..choice.clone() },
            sha256: restorer.prior().sha256().into(),
        },
        device: restorer.device().record(),
        side,
        batch,
        pictures,
    };
    let (method, steps) = (settings.config.method.name(), settings.config.steps);
    if args.defaults == Defaults::Reference && 2 * steps < method.published_steps() && args.verbose <= Verbose::Warning
    {
        let published = method.published_steps();
        note(format!(
            "{method} was published with {published} steps, and {steps} will be run; --steps {published} runs as many"
        ));
    }
    if args.verbose <= Verbose::Info {
        say(describe(&settings));
    }
    let results = Results::create(folder, settings, existing)?;
    let bar = progress::Pictures::new(&restorer.device().description);
    let experiment = Experiment { restorer, metrics, results: &results, keep_measured: !args.no_save_y };
    let ran = experiment.run(shard, &mut |event| {
        match event {
            Event::Begun { pending, done } => {
                bar.begin(pending);
                if done > 0 && args.verbose <= Verbose::Warning {
                    note(format!("{done} pictures are done already"));
                }
            }
            Event::Step { pictures, progress } => bar.step(pictures, progress),
            Event::Picture(record) => {
                bar.picture();
                match &record.error {
                    Some(error) => bar.print(|| note(format!("picture {} was skipped: {error}", record.index))),
                    None if args.verbose <= Verbose::Info => bar.print(|| say(line(record, args.verbose))),
                    None => {}
                }
            }
        }
        if progress::stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    drop(bar);
    // What was done before an interruption is worth a table, too.
    let records = results.summarize(&results.sets())?;
    ran?;
    let complete = results.settings.pictures.iter().all(|entry| records.iter().any(|r| r.index == entry.index));
    let sets = match (&metrics.inception, complete && !args.no_save_y) {
        (Some(_), true) => {
            let pairs = evaluation::pairs_of_results(folder)?;
            let bar = progress::Pictures::new("features of sets");
            bar.begin(pairs.len());
            evaluation::sets(&pairs, metrics, &mut || bar.picture())?
        }
        _ => Default::default(),
    };
    let records = if sets.is_empty() { records } else { results.summarize(&sets)? };
    Ok((results, Outcome { records, sets }))
}

/// Refuses pictures that are results of the run itself.
fn refuse_own_results(folder: &Path, pictures: &[dataset::Entry]) -> Result<()> {
    let Ok(folder) = folder.canonicalize() else { return Ok(()) };
    let own = |entry: &&dataset::Entry| entry.path.canonicalize().is_ok_and(|path| path.starts_with(&folder));
    pictures.iter().find(own).map_or(Ok(()), |entry| Err(Error::Overwrites { path: entry.path.clone() }))
}

/// Loads the prior of `choice`, unless it is loaded.
fn load(args: &Args, choice: PriorChoice, loaded: &mut Option<Loaded>) -> anyhow::Result<()> {
    let name = args.device.name();
    if loaded.as_ref().is_some_and(|loaded| loaded.choice == choice && loaded.device == name) {
        return Ok(());
    }
    let selected = device::open(name)?;
    if args.verbose <= Verbose::Info {
        say(format!("device      {} ({})", selected.description, selected.reason));
    }
    let metrics = Metrics::load(&selected.device)?;
    let restorer = Restorer::new(&choice, selected)?;
    if args.verbose <= Verbose::Info {
        say(format!("prior       {}", prior::describe(restorer.prior())));
    }
    *loaded = Some(Loaded { restorer, metrics, choice, device: name.into() });
    Ok(())
}

fn describe(settings: &Settings) -> String {
    let Settings { measurement, config, side, pictures, .. } = settings;
    let scale = if measurement.deg_scale > 0.0 { format!(" {}", measurement.deg_scale) } else { String::new() };
    let parameters = match serde_json::to_value(&config.method) {
        Ok(serde_json::Value::Object(fields)) => {
            let others = fields.into_iter().filter(|(name, _)| name != "name");
            others
                .map(|(name, value)| format!("{name} {}", value.to_string().trim_matches('"')))
                .collect::<Vec<_>>()
                .join(", ")
        }
        _ => String::new(),
    };
    format!(
        "task        {}{scale}, noise {}, {} pictures of {side}x{side}\nmethod      {}, {} steps, {parameters}",
        measurement.deg,
        config.sigma,
        pictures.len(),
        config.method.name(),
        config.steps,
    )
}

/// A line about a picture, as the reference logs it.
fn line(record: &Record, verbose: Verbose) -> String {
    let value =
        |about: &metrics::About| Some(format!("{} {}", about.title, about.shown(*record.metrics.get(about.name)?)));
    let values: Vec<String> = metrics::ALL.iter().filter_map(value).collect();
    let seconds = if verbose == Verbose::Debug { format!(", {:.2} s", record.seconds) } else { String::new() };
    format!("{}: {}{seconds}", record.index, values.join(", "))
}

/// Prints the mean of every metric.
pub(super) fn say_means(records: &[Record], sets: &std::collections::BTreeMap<String, f64>) {
    let means = crate::experiment::results::means(records);
    for about in metrics::ALL.iter().filter(|about| means.contains_key(about.name)) {
        let mean = &means[about.name];
        say(format!("{:<18} {} over {} pictures", about.title, report::shown_mean(about, mean), mean.count));
    }
    for about in [metrics::FID, metrics::KID] {
        if let Some(value) = sets.get(about.name) {
            say(format!("{:<18} {}", about.title, about.shown(*value)));
        }
    }
}

/// What to do with results that are there; asks where nobody said, and somebody can answer.
fn existing(args: &Args, folder: &Path) -> anyhow::Result<Existing> {
    if args.overwrite {
        return Ok(Existing::Overwrite);
    }
    if args.resume || args.shard.is_some() {
        return Ok(Existing::Resume);
    }
    let asked = !args.ni && folder.join("experiment.json").is_file() && std::io::stdin().is_terminal();
    if !asked {
        if folder.join("experiment.json").is_file() {
            // Before a prior is loaded for nothing.
            return Err(Results::present(folder).into());
        }
        return Ok(Existing::Refuse);
    }
    print_question(&format!(
        "{}: there are results in it already. [r]esume, [o]verwrite or [s]top? ",
        folder.display()
    ));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "r" | "resume" => Ok(Existing::Resume),
        "o" | "overwrite" => Ok(Existing::Overwrite),
        _ => anyhow::bail!("stopped; nothing was changed"),
    }
}

fn print_question(text: &str) {
    let mut errors = std::io::stderr();
    _ = write!(errors, "{text}");
    _ = errors.flush();
}
