//! `fdgr restore`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use super::{DeviceArgs, measurement, method, note, prior, progress, say, task};
use crate::device;
use crate::error::{Error, Result};
use crate::model::sha256;
use crate::picture::Picture;
use crate::recipe::{Input, PriorRecord, Recipe};
use crate::restore::{PriorChoice, RestoreConfig, Restorer};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr restore small.jpg -o big.png --task sr --scale 4
  fdgr restore blurred.png -o sharp.png --task deblur --kernel gauss:1.6 --sigma 0.02
  fdgr restore shaken.jpg -o sharp.png --task deblur --kernel motion:15,30
  fdgr restore noisy.jpg -o clean.png --task denoise --sigma 0.1
  fdgr restore torn.png -o whole.png --task inpaint --mask holes.png
  fdgr restore grey.jpg -o colour.png --task colorize
  fdgr restore *.jpg -o restored/ --task denoise
  fdgr restore --recipe big.png.recipe.json -o again.png")]
pub(super) struct Args {
    /// The photos
    photos: Vec<PathBuf>,
    /// Where the picture goes; a folder for several [default: NAME-restored.png beside each photo]
    #[arg(short, long, value_name = "FILE|FOLDER")]
    output: Option<PathBuf>,
    /// Choose the photos in a dialog
    #[arg(long, conflicts_with = "photos")]
    pick: bool,
    /// Repeat what a recipe says
    #[arg(long, value_name = "FILE", conflicts_with = "pick")]
    recipe: Option<PathBuf>,
    #[command(flatten)]
    task: task::Args,
    #[command(flatten)]
    method: method::Args,
    /// Seed of all noise [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    prior: prior::Args,
    #[command(flatten)]
    device: DeviceArgs,
}

/// One picture to restore.
struct Job {
    photo: PathBuf,
    output: PathBuf,
}

pub(super) fn run(mut args: Args) -> anyhow::Result<()> {
    let recipe = args.recipe.as_deref().map(|path| load_recipe(&args, path)).transpose()?;
    if args.pick {
        args.photos = pick()?;
    }
    if let (Some((recipe, _)), true) = (&recipe, args.photos.is_empty()) {
        args.photos.push(recipe.input.path.clone());
    }
    if args.photos.is_empty() {
        return Err(missing("a photo", "name one, or pass --pick to choose it in a dialog").into());
    }
    if recipe.is_none() && args.task.task.is_none() {
        return Err(missing("--task", "pass --task sr, deblur, denoise, inpaint, colorize or cs").into());
    }
    let jobs = plan(&args)?;
    progress::stop_on_ctrl_c();

    let device_name = match &recipe {
        Some((recipe, _)) if args.device.device.is_none() => recipe.device.name.as_str(),
        _ => args.device.name(),
    };
    let selected = device::open(device_name)?;
    note(format!("{} ({})", selected.description, selected.reason));
    if let Some((recipe, path)) = &recipe
        && recipe.device.description != selected.description
    {
        note(format!("{} was made on {}; pixels may differ slightly", path.display(), recipe.device.description));
    }
    if let Some((recipe, path)) = &recipe
        && recipe.version != env!("CARGO_PKG_VERSION")
    {
        note(format!("{} was made by version {}; pixels may differ", path.display(), recipe.version));
    }
    let choice = recipe.as_ref().map_or_else(|| args.prior.choice(), |(recipe, _)| recipe.prior.choice.clone());
    let restorer = Restorer::new(&choice, selected)?;
    note(format!("prior {}", prior::describe(restorer.prior())));
    if let Some((recipe, path)) = &recipe {
        check_hash(path, "prior", restorer.prior().sha256(), &recipe.prior.sha256)?;
    }
    let mut failed = 0;
    for job in &jobs {
        let done =
            restore(&args, job, &choice, recipe.as_ref().map(|(recipe, path)| (recipe, path.as_path())), &restorer);
        match done {
            // One bad picture does not cost the others.
            Err(error) if jobs.len() > 1 && !progress::stopped() => {
                note(format!("{error:#}"));
                failed += 1;
            }
            done => done?,
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} pictures were not restored", jobs.len());
    Ok(())
}

fn restore(
    args: &Args,
    job: &Job,
    choice: &PriorChoice,
    recipe: Option<(&Recipe, &Path)>,
    restorer: &Restorer,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let device = &restorer.device().device;
    let bytes =
        std::fs::read(&job.photo).map_err(|e| Error::Unreadable { path: job.photo.clone(), reason: e.to_string() })?;
    let hash = sha256(&bytes);
    if let Some((recipe, path)) = recipe {
        check_hash(path, "input", &hash, &recipe.input.sha256)?;
    }

    let measured = if measurement::is_measurements(&job.photo) {
        Measured::Sensed(Box::new(measurement::read(&bytes, &job.photo, device)?))
    } else {
        Measured::Picture(Picture::decode(&bytes, &job.photo)?)
    };
    let config = match recipe {
        Some((recipe, _)) => recipe.config.clone(),
        None => configure(args, &measured, &job.output)?,
    };
    let (y, size) = match &measured {
        Measured::Sensed(sensed) => (sensed.0.clone(), sensed.1.size),
        Measured::Picture(photo) => (
            measurement::from_picture(photo, &config.degradation, device)?,
            config.restored_size([photo.height(), photo.width()]),
        ),
    };

    prior::hint(restorer.prior(), size);
    let bar = progress::Bar::new(&job.photo.display().to_string(), &restorer.device().description);
    let mut steps = 0;
    let restored = restorer.run(&config, y, size, &mut |progress| {
        steps = progress.steps;
        bar.observe(progress)
    })?;
    drop(bar);
    let mut restored = Picture::from_tensor(restored)?;
    if let Measured::Picture(photo) = &measured {
        let colored = config.degradation == crate::degradation::Degradation::Colorization;
        restored = restored.with_extras_of(photo, !colored);
    }
    restored.write(&job.output)?;
    let recipe = Recipe {
        version: env!("CARGO_PKG_VERSION").into(),
        input: Input { path: job.photo.clone(), sha256: hash },
        prior: PriorRecord {
            choice: PriorChoice {
                model: lasting_name(&choice.model),
                precision: Some(restorer.prior().precision()),
                classifier: choice.classifier.as_deref().map(lasting_name),
                ..choice.clone()
            },
            sha256: restorer.prior().sha256().into(),
        },
        device: restorer.device().record(),
        config,
    };
    recipe.write(&Recipe::path_for(&job.output))?;
    say(format!(
        "{}: {}x{} from {}, noise {:.3}, {steps} of {} steps, {:.1} s",
        job.output.display(),
        restored.width(),
        restored.height(),
        job.photo.display(),
        recipe.config.sigma,
        recipe.config.steps,
        begun.elapsed().as_secs_f64(),
    ));
    Ok(())
}

/// What a file held.
enum Measured {
    Picture(Picture),
    Sensed(Box<(burn::tensor::Tensor<4>, measurement::Description)>),
}

fn configure(args: &Args, measured: &Measured, output: &Path) -> Result<RestoreConfig> {
    let seed = args.seed.unwrap_or(0);
    let task = args.task.task.ok_or_else(|| missing("--task", "say what happened to the picture"))?;
    let mut config = match measured {
        Measured::Sensed(sensed) => {
            let description = &sensed.1;
            if task != task::Task::Cs {
                let fact = format!(
                    "the file holds measurements of compressed sensing, not a picture for {}",
                    task::name(task)
                );
                return Err(Error::Mismatch { what: "--task".into(), fact, remedy: "pass --task cs".into() });
            }
            args.task.check_measured(&description.degradation)?;
            RestoreConfig::new(description.degradation.clone(), args.task.sigma.unwrap_or(description.sigma))
        }
        Measured::Picture(_) if task == task::Task::Cs => {
            return Err(Error::Mismatch {
                what: "--task cs".into(),
                fact: "a picture is not a file of measurements".into(),
                remedy: "make one with `fdgr degrade --task cs -o measured.safetensors`".into(),
            });
        }
        Measured::Picture(photo) => {
            photo.check_transparency(output)?;
            if task == task::Task::Colorize && !photo.extras.gray {
                note(format!("{}: its colours are put aside, and others invented", output.display()));
            }
            let degradation = args.task.degradation(task, [photo.height(), photo.width()], seed)?;
            let sigma = args.task.sigma.unwrap_or_else(|| match task {
                task::Task::Inpaint | task::Task::Colorize => 0.0,
                _ => photo.noise_level(),
            });
            RestoreConfig::new(degradation, sigma)
        }
    };
    config.seed = seed;
    args.method.apply(&mut config)?;
    Ok(config)
}

fn load_recipe(args: &Args, path: &Path) -> anyhow::Result<(Recipe, PathBuf)> {
    if args.task.any() || args.method.any() || args.seed.is_some() || args.prior.any() {
        return Err(Error::Recipe {
            path: path.into(),
            fact: "it already says task, method, seed and prior".into(),
            remedy: "pass only --recipe, -o, --device and the photo".into(),
        }
        .into());
    }
    let mut recipe = Recipe::read(path)?;
    if !recipe.input.path.exists()
        && let Some(beside) = path.parent().map(|folder| folder.join(&recipe.input.path))
        && beside.exists()
    {
        recipe.input.path = beside;
    }
    Ok((recipe, path.into()))
}

/// A prior's name that means the same in every folder.
fn lasting_name(model: &str) -> String {
    match std::path::absolute(model) {
        Ok(path) if path.exists() => path.display().to_string(),
        _ => model.into(),
    }
}

fn check_hash(recipe: &Path, what: &str, actual: &str, expected: &str) -> Result<()> {
    if actual == expected {
        return Ok(());
    }
    Err(Error::Recipe {
        path: recipe.into(),
        fact: format!("the {what} is another file than the one it was made from"),
        remedy: format!("find the {what} with SHA-256 {expected}"),
    })
}

/// Pairs photos with outputs, and refuses what cannot be written before anything is computed.
fn plan(args: &Args) -> Result<Vec<Job>> {
    let into_folder = args.output.as_ref().is_some_and(|output| {
        args.photos.len() > 1 || output.is_dir() || output.as_os_str().to_string_lossy().ends_with(['/', '\\'])
    });
    if let (Some(output), true) = (&args.output, args.photos.len() > 1)
        && (output.is_file() || Picture::has_picture_ending(output))
    {
        return Err(Error::Mismatch {
            what: output.display().to_string(),
            fact: "it is the name of one picture, but there are several photos".into(),
            remedy: "pass a folder with -o".into(),
        });
    }
    let mut jobs: Vec<Job> = Vec::new();
    for photo in &args.photos {
        let stem = photo.file_stem().unwrap_or_default().to_string_lossy();
        let output = match &args.output {
            Some(folder) if into_folder => folder.join(format!("{stem}.png")),
            Some(file) => file.clone(),
            None => photo.with_file_name(format!("{stem}-restored.png")),
        };
        if jobs.iter().any(|job| job.output == output) {
            return Err(Error::Mismatch {
                what: output.display().to_string(),
                fact: "two photos would be restored to it".into(),
                remedy: "give each photo a name of its own, or restore them one by one".into(),
            });
        }
        jobs.push(Job { photo: photo.clone(), output });
    }
    if let (Some(folder), true) = (&args.output, into_folder) {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::Unwritable { path: folder.clone(), reason: e.to_string() })?;
    }
    for job in &jobs {
        let inputs = args.photos.iter().map(PathBuf::as_path).chain(args.task.files());
        let inputs: Vec<&Path> = inputs.chain(args.recipe.as_deref()).chain(args.prior.files()).collect();
        refuse_overwriting(&job.output, inputs.iter().copied())?;
        refuse_overwriting(&Recipe::path_for(&job.output), inputs)?;
        Picture::check_output(&job.output)?;
    }
    Ok(jobs)
}

/// Refuses an output that is one of the inputs, by whatever name.
pub(super) fn refuse_overwriting<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let same = |input: &Path| match (output.canonicalize(), input.canonicalize()) {
        (Ok(output), Ok(input)) => output == input,
        _ => false,
    };
    if inputs.into_iter().any(same) {
        return Err(Error::Overwrites { path: output.into() });
    }
    Ok(())
}

fn pick() -> anyhow::Result<Vec<PathBuf>> {
    let chosen = rfd::FileDialog::new()
        .add_filter("Pictures", &["png", "jpg", "jpeg", "webp", "tif", "tiff"])
        .set_title("Photos to restore")
        .pick_files();
    chosen.filter(|files| !files.is_empty()).context("no photo was chosen; name it on the command line instead")
}

fn missing(what: &str, remedy: &str) -> Error {
    Error::Mismatch { what: what.into(), fact: "it is missing".into(), remedy: remedy.into() }
}
