//! `fdgr models check`

use std::path::PathBuf;

use crate::cli::progress::{Terminal, stop_on_ctrl_c};
use crate::cli::words::Flags;
use crate::cli::{note, say};
use crate::device;
use crate::error::{Error, Hint, Result, Setting};
use crate::files::refuse_overwriting;
use crate::prior::inspect::{self, Outcome, Probe, relative_error};
use crate::prior::{Precision, PriorFile, find_class};

/// Largest difference between devices that is rounding, relative to the largest magnitude.
const TOLERANCE: f64 = 1e-3;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A name, a file or a folder
    model: String,
    /// Input: a safetensors file with `x` [b, 3, h, w], and `eps.tT` to compare with if there is one [default: noise]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write the CPU's result to this file, as `eps`
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Time of the training schedule, from 0 to 999
    #[arg(long, default_value_t = 500)]
    t: usize,
    /// Side of the noise
    #[arg(long, default_value_t = 64, conflicts_with = "input")]
    size: usize,
    /// Class of ImageNet, for class-conditional priors
    #[arg(long, value_name = "NUMBER|NAME")]
    class: Option<String>,
    /// How the weights are kept
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
}

impl Args {
    fn class(&self) -> Result<Option<usize>> {
        let classes = PriorFile::find(&self.model)?.architecture().classes();
        match (&self.class, classes) {
            (Some(text), Some(classes)) => find_class(text, classes).map(Some),
            (Some(_), None) => {
                let hint = Hint::Omit(Setting::CLASS);
                Err(Error::mismatch(Setting::CLASS, "this prior knows no classes", hint))
            }
            (None, _) => Ok(None),
        }
    }

    fn probe(&self) -> Result<Probe> {
        match &self.input {
            Some(path) => Probe::read(path, self.t),
            None => Probe::noise(self.size, self.t),
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    stop_on_ctrl_c();
    let class = args.class()?;
    let probe = args.probe()?;
    if let Some(output) = &args.output {
        refuse_overwriting(output, args.input.as_deref())?;
    }
    let mut devices = vec![device::cpu("the reference".into())];
    for adapter in device::adapters() {
        match adapter.open("checked".into()) {
            Ok(selected) => devices.push(selected),
            Err(error) => note(error.sentence(&Flags::Common)),
        }
    }
    let mut reference: Option<Vec<f32>> = None;
    let mut differ = Vec::new();
    for selected in &devices {
        let name = &selected.description;
        let terminal = Terminal::new(name);
        let outcome = inspect::run(&args.model, class, args.precision, &probe, selected, &terminal)?;
        drop(terminal);
        let (load, step, eps) = match outcome {
            Outcome::Ran { load, step, eps } => (load, step, eps),
            Outcome::Memory { needed, free } => {
                let (needed, free) = (needed >> 20, free >> 20);
                note(format!(
                    "{name}: not run, because it takes {needed} MiB of memory, and {free} MiB are free; try a smaller --size"
                ));
                continue;
            }
            Outcome::Buffer { needed, limit } => {
                let (needed, limit) = (needed >> 20, limit >> 20);
                note(format!(
                    "{name}: not run, because a tensor of {needed} MiB is larger than its buffers of {limit} MiB; try a \
                     smaller --size"
                ));
                continue;
            }
        };
        let (load, step) = (load.as_secs_f64(), step.as_secs_f64());
        let mut line = format!("{name}: loaded in {load:.2} s, one step in {step:.2} s");
        let others = [("the CPU", &reference), ("the file's expected values", &probe.expected)];
        for (what, other) in others.into_iter().filter_map(|(what, other)| Some((what, other.as_ref()?))) {
            let error = relative_error(&eps, other);
            line += &format!(", {error:.1e} off {what}");
            if error.is_nan() || error > TOLERANCE {
                differ.push(format!("{name} from {what}"));
            }
        }
        say(line);
        reference.get_or_insert(eps);
    }
    if let (Some(path), Some(eps)) = (&args.output, &reference) {
        inspect::write_noise(path, probe.shape, eps).map_err(Error::at_output)?;
    }
    anyhow::ensure!(reference.is_some(), "no device had the memory to run it");
    anyhow::ensure!(differ.is_empty(), "results differ by more than {TOLERANCE:.0e}: {}", differ.join(", "));
    Ok(())
}
