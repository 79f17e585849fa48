//! `fdgr models`

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{note, say};
use crate::device;
use crate::error::{Error, Result};
use crate::metrics::Network;
use crate::model::{self, Checkpoint, Comparison, EMBEDDED, Installed, ModelFolder, ModelRecord, Subject, catalog};
use crate::noise::{Noise, Seeded, Stream};
use crate::picture::write_atomically;
use crate::prior::{self, Architecture, Denoiser, Precision, PriorFile};

/// Largest difference between devices that is rounding, relative to the largest magnitude.
const TOLERANCE: f64 = 1e-3;

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
    /// Show what is built in, installed, and known
    List,
    /// Install a checkpoint file, or a folder of the diffusers library
    Add {
        /// .pt, .pth, .ckpt, .safetensors or a folder
        path: PathBuf,
        /// What to call it [default: the file's name]
        #[arg(long)]
        name: Option<String>,
    },
    /// Say what a file holds, and what is wrong with it
    Info {
        /// A name, a file or a folder
        model: String,
    },
    /// Fetch a known prior
    Pull {
        /// A name of `fdgr models list`
        name: String,
    },
    /// Compare installed files with what was installed
    Verify {
        /// One name [default: all]
        name: Option<String>,
    },
    /// Delete an installed model
    Remove {
        /// Its name
        name: String,
    },
    /// Run a prior once on every device, and compare
    Check(CheckArgs),
}

#[derive(clap::Args)]
struct CheckArgs {
    /// A name, a file or a folder
    model: String,
    /// Input: a safetensors file with `x` [b, 3, h, w], and `eps.tT` to compare with if there is one [default: noise]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where the CPU's result goes, as `eps`
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Time of the training schedule, from 0 to 999
    #[arg(long, default_value_t = 500)]
    t: usize,
    /// Side of the noise
    #[arg(long, default_value_t = 64, conflicts_with = "input")]
    size: usize,
    /// Class of ImageNet, for priors that need one
    #[arg(long, value_name = "NUMBER|NAME")]
    class: Option<String>,
    /// How the weights are kept
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = ModelFolder::open()?;
    match &args.action {
        Action::List => list(&folder)?,
        Action::Add { path, name } => add(&folder, path, name.as_deref())?,
        Action::Info { model } => return info(&folder, model),
        Action::Pull { name } => pull(&folder, name)?,
        Action::Verify { name } => return verify(&folder, name.as_deref()),
        Action::Remove { name } => {
            folder.remove(name)?;
            say(format!("removed {name}"));
        }
        Action::Check(args) => return check(args),
    }
    Ok(())
}

/// What can be installed.
fn examine(path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        let checkpoint = Checkpoint::open(path)?;
        if let Some(network) = Network::recognise(&checkpoint) {
            network.compare(&checkpoint).check(&checkpoint)?;
            return Ok(path.into());
        }
    }
    PriorFile::examine(path)
}

/// The metric's network of a name or file, if it is one.
fn metric_network(folder: &ModelFolder, model: &str) -> Result<Option<(Checkpoint, Network)>> {
    let installed = folder.find(model)?.map(|installed| installed.path());
    let path = installed.or_else(|| Some(PathBuf::from(model)).filter(|path| path.is_file()));
    let Some(checkpoint) = path.map(|path| Checkpoint::open(&path)).transpose()? else { return Ok(None) };
    Ok(Network::recognise(&checkpoint).map(|network| (checkpoint, network)))
}

fn list(folder: &ModelFolder) -> Result<()> {
    say("built in:");
    say(format!("  {EMBEDDED:<26} {}", Subject::Photos.suits()));
    let (installed, damaged): (Vec<_>, Vec<_>) = folder.installed().into_iter().partition(Result::is_ok);
    let installed: Vec<Installed> = installed.into_iter().flatten().collect();
    damaged.into_iter().filter_map(Result::err).for_each(note);
    say(format!("installed in {}:", folder.root().display()));
    for model in &installed {
        let suits = model.record.subject.map_or("not known what it suits", Subject::suits);
        say(format!("  {:<26} {:>5} MB  {suits}", model.name, model.record.bytes / 1_000_000));
    }
    if installed.is_empty() {
        say("  none yet");
    }
    say("known (`fdgr models pull NAME` fetches one):");
    for known in catalog()?.iter().filter(|known| installed.iter().all(|model| model.name != known.name)) {
        say(format!("  {:<26} {:>5} MB  {}", known.name, known.megabytes, known.title));
        say(format!("  {:<26}           licence: {}", "", known.licence));
    }
    Ok(())
}

fn add(folder: &ModelFolder, path: &Path, name: Option<&str>) -> Result<()> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // Metrics find their networks by name.
    let network = metric_network(folder, &path.display().to_string())?.map(|(_, network)| network.model());
    let name = name.or(network).unwrap_or(&stem);
    let known = catalog()?
        .into_iter()
        .find(|known| known.name == name || path.file_name().is_some_and(|f| f == known.file.as_str()));
    let record = ModelRecord {
        file: String::new(),
        sha256: String::new(),
        bytes: 0,
        source: std::path::absolute(path).unwrap_or_else(|_| path.into()).display().to_string(),
        licence: known.as_ref().map(|known| known.licence.clone()),
        subject: known.as_ref().map(|known| known.subject),
    };
    let bar = Transfer::new(name);
    let installed = folder.add(path, name, record, &examine, &mut |done, all| bar.show(done, all))?;
    drop(bar);
    say_installed(&installed);
    Ok(())
}

fn pull(folder: &ModelFolder, name: &str) -> Result<()> {
    let catalog = catalog()?;
    let Some(known) = catalog.iter().find(|known| known.name == name) else {
        let names: Vec<&str> = catalog.iter().map(|known| known.name.as_str()).collect();
        return Err(Error::Mismatch {
            what: name.into(),
            fact: "no published prior of that name is known".into(),
            remedy: format!("it is one of {}; a file you have is installed with `fdgr models add`", names.join(", ")),
        });
    };
    note(format!("{}: {}, {} MB, licence: {}", known.name, known.title, known.megabytes, known.licence));
    let bar = Transfer::new(name);
    let installed = model::pull(folder, known, &examine, &mut |done, all| bar.show(done, all))?;
    drop(bar);
    say_installed(&installed);
    Ok(())
}

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

fn verify(folder: &ModelFolder, name: Option<&str>) -> anyhow::Result<()> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let found = folder.installed().into_iter().map(|model| model.map(|model| model.name));
            found.collect::<Result<Vec<String>>>()?
        }
    };
    let mut changed = 0;
    for name in &names {
        let bar = Transfer::new(name);
        let verified = folder.verify(name, &mut |done, all| bar.show(done, all));
        drop(bar);
        match verified {
            Ok(model) => say(format!("{name}: unchanged, SHA-256 {}", model.record.sha256)),
            Err(error) if names.len() > 1 => {
                note(error);
                changed += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::ensure!(changed == 0, "{changed} of {} models changed", names.len());
    Ok(())
}

fn info(folder: &ModelFolder, model: &str) -> anyhow::Result<()> {
    let installed = folder.find(model)?;
    if let Some((checkpoint, network)) = metric_network(folder, model)? {
        let parameters = network.tensors().values().map(|shape| shape.iter().product::<usize>()).sum();
        let licence = installed.and_then(|model| model.record.licence);
        let texts = [network.describe(), licence.as_deref().unwrap_or("not known"), Subject::Metric.suits()];
        return describe(&checkpoint, &network.compare(&checkpoint), parameters, texts, &[]);
    }
    let file = PriorFile::find(model)?;
    let (checkpoint, architecture) = (file.checkpoint(), file.architecture());
    let licence = installed.as_ref().and_then(|model| model.record.licence.clone());
    let licence = licence.unwrap_or_else(|| licence_of(model).into());
    let heads =
        "attention heads of 64 channels, as in the published checkpoints; a config.json beside it may say otherwise";
    let remarks: &[&str] = if file.assumed_heads() { &[heads] } else { &[] };
    let (network, suits) = (architecture.describe(), suits(&file, installed.as_ref()));
    let texts = [network.as_str(), &licence, &suits];
    describe(checkpoint, &architecture.compare(checkpoint), architecture.parameters(), texts, remarks)
}

/// Prints what a file holds; `texts` are its network, its licence and what it suits.
fn describe(
    checkpoint: &Checkpoint,
    comparison: &Comparison,
    parameters: usize,
    [network, licence, suits]: [&str; 3],
    remarks: &[&str],
) -> anyhow::Result<()> {
    say(format!("file          {}", checkpoint.path().display()));
    if let Some(origin) = checkpoint.origin() {
        say(format!("weights from  {origin}"));
    }
    say(format!("network       {network}"));
    for remark in remarks {
        say(format!("              {remark}"));
    }
    say(format!("parameters    {:.1} M in {}", parameters as f64 / 1e6, checkpoint.precision()));
    for (what, names) in
        [("missing", &comparison.missing), ("mis-shaped", &comparison.misshaped), ("not needed", &comparison.extra)]
    {
        let more = if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
        if !names.is_empty() {
            say(format!("{what:<13} {}{more}", names[..names.len().min(5)].join(", ")));
        }
    }
    say(format!("licence       {licence}"));
    say(format!("suits         {suits}"));
    comparison.check(checkpoint)?;
    say("complete      every tensor of the network is there, in its shape");
    Ok(())
}

fn licence_of(model: &str) -> &'static str {
    if model == EMBEDDED {
        "that of this program; its training pictures are listed in assets/prior"
    } else {
        "not known"
    }
}

fn suits(file: &PriorFile, installed: Option<&Installed>) -> String {
    if let Some(subject) = installed.and_then(|model| model.record.subject) {
        return subject.suits().into();
    }
    let like = |name: &str| format!("not known; it has the shape of {name}, and those suit what they were trained on");
    match file.architecture() {
        _ if file.name() == EMBEDDED => Subject::Photos.suits().into(),
        Architecture::Classifier(_) => Subject::Classifier.suits().into(),
        Architecture::Ddpm(config) if *config == prior::DdpmConfig::celeba_hq() => {
            like("the DDPM checkpoints for CelebA-HQ, LSUN bedrooms and churches at 256x256")
        }
        Architecture::GuidedDiffusion(config, _)
            if prior::AdmConfig { classes: None, ..config.clone() } == prior::AdmConfig::imagenet() =>
        {
            like("the guided-diffusion checkpoints for ImageNet at 256x256")
        }
        _ => "not known; a prior suits pictures like those it was trained on".into(),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    if args.t > 999 {
        return Err(Error::parameter("--t", args.t, "it must be between 0 and 999").into());
    }
    let file = PriorFile::find(&args.model)?;
    let classes = file.architecture().classes();
    let class = match (&args.class, classes) {
        (Some(text), Some(classes)) => Some(prior::find_class(text, classes)?),
        (Some(_), None) => {
            return Err(Error::Mismatch {
                what: "--class".into(),
                fact: "this prior knows no classes".into(),
                remedy: "leave it out".into(),
            }
            .into());
        }
        (None, _) => None,
    };
    drop(file);
    let input = args.input.as_deref().map(|path| read_input(path, args.t)).transpose()?;
    let (shape, values, expected) = match input {
        Some(input) => input,
        None => {
            if args.size == 0 || args.size > 4096 {
                return Err(Error::parameter("--size", args.size, "it must be between 1 and 4096").into());
            }
            let shape = [1, 3, args.size, args.size];
            let noise = Seeded::new(0, Stream::Sampling).draw(shape, &Device::flex());
            (shape, noise.try_into_vec_as::<f32>().map_err(|e| anyhow::anyhow!("{e}"))?, None)
        }
    };
    let mut devices = vec![device::cpu("the reference".into())];
    for adapter in device::adapters() {
        match device::open(&adapter.name) {
            Ok(selected) => devices.push(selected),
            Err(error) => note(error),
        }
    }
    let mut reference: Option<Vec<f32>> = None;
    let mut differ = Vec::new();
    for selected in &devices {
        let begun = Instant::now();
        let loaded = PriorFile::find(&args.model)?.load(args.precision, class, &selected.device)?;
        let load = begun.elapsed().as_secs_f64();
        let pixels = shape[2] * shape[3];
        let needed = loaded.working_memory(pixels, shape[0], false);
        if needed > selected.memory {
            note(format!(
                "{}: not run, because it takes {} MiB of memory, and {} MiB are free; try a smaller --size",
                selected.description,
                needed >> 20,
                selected.memory >> 20
            ));
            continue;
        }
        if let Some(limit) = selected.max_tensor.filter(|&limit| loaded.largest_tensor(pixels, shape[0]) > limit) {
            note(format!(
                "{}: not run, because a tensor of {} MiB is larger than its buffers of {} MiB; try a smaller --size",
                selected.description,
                loaded.largest_tensor(pixels, shape[0]) >> 20,
                limit >> 20
            ));
            continue;
        }
        let begun = Instant::now();
        let x = Tensor::<4>::from_data(TensorData::new(values.clone(), shape), &selected.device);
        let eps = loaded.predict_noise(x, args.t).try_into_vec_as::<f32>().map_err(|e| Error::Device {
            device: selected.description.clone(),
            fact: format!("it gave no result ({e})"),
            remedy: "try a smaller --size".into(),
        })?;
        let step = begun.elapsed().as_secs_f64();
        let mut line = format!("{}: loaded in {load:.2} s, one step in {step:.2} s", selected.description);
        let others = [("the CPU", &reference), ("the file's expected values", &expected)];
        for (what, other) in others.into_iter().filter_map(|(what, other)| Some((what, other.as_ref()?))) {
            let error = relative_error(&eps, other);
            line += &format!(", {error:.1e} off {what}");
            if error.is_nan() || error > TOLERANCE {
                differ.push(format!("{} from {what}", selected.description));
            }
        }
        say(line);
        reference.get_or_insert(eps);
    }
    if let (Some(path), Some(eps)) = (&args.output, &reference) {
        if args.input.as_deref().is_some_and(|input| input.canonicalize().ok() == path.canonicalize().ok()) {
            return Err(Error::Overwrites { path: path.clone() }.into());
        }
        write_output(path, shape, eps)?;
    }
    anyhow::ensure!(reference.is_some(), "no device had the memory to run it");
    anyhow::ensure!(differ.is_empty(), "results differ by more than {TOLERANCE:.0e}: {}", differ.join(", "));
    Ok(())
}

type Input = ([usize; 4], Vec<f32>, Option<Vec<f32>>);

fn read_input(path: &Path, t: usize) -> Result<Input> {
    let bytes = std::fs::read(path).map_err(|e| Error::Unreadable { path: path.into(), reason: e.to_string() })?;
    let refuse = |fact: String| Error::Checkpoint {
        path: path.into(),
        fact,
        remedy: "pass a safetensors file with a float32 tensor `x` of shape [b, 3, h, w]".into(),
    };
    let file = SafeTensors::deserialize(&bytes).map_err(|e| refuse(format!("it is no safetensors file ({e})")))?;
    let floats =
        |view: TensorView| (view.dtype() == Dtype::F32).then(|| bytemuck::pod_collect_to_vec::<u8, f32>(view.data()));
    let view = file.tensor("x").map_err(|_| refuse("it has no tensor `x`".into()))?;
    let shape: [usize; 4] = view.shape().try_into().map_err(|_| refuse("its `x` has not four axes".into()))?;
    let values = floats(view).ok_or_else(|| refuse("its `x` is not float32".into()))?;
    if shape[1] != 3 || values.is_empty() {
        return Err(refuse(format!("its `x` is of shape {shape:?}")));
    }
    let expected = ["eps", "out"].iter().find_map(|kind| file.tensor(&format!("{kind}.t{t}")).ok());
    let same = expected.filter(|view| view.shape() == shape);
    Ok((shape, values, same.and_then(floats)))
}

fn write_output(path: &Path, shape: [usize; 4], eps: &[f32]) -> Result<()> {
    let unwritable = |reason: String| Error::Unwritable { path: path.into(), reason };
    let view = TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(eps));
    let view = view.map_err(|e| unwritable(e.to_string()))?;
    let bytes = safetensors::serialize([("eps", view)], None).map_err(|e| unwritable(e.to_string()))?;
    write_atomically(path, &bytes)
}

fn relative_error(actual: &[f32], expected: &[f32]) -> f64 {
    let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let gap = actual.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs()));
    gap.fold(0.0, |worst: f64, gap| if gap.is_nan() { f64::NAN } else { worst.max(gap) }) / f64::from(scale)
}

/// A bar for bytes, hidden where standard error is no terminal.
struct Transfer(ProgressBar);

impl Transfer {
    fn new(name: &str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{prefix} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    fn show(&self, done: u64, all: u64) {
        self.0.set_length(all.max(done));
        self.0.set_position(done);
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
