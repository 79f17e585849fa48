//! `fdgr restore`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use walkdir::WalkDir;

use super::words::Flags;
use super::{DeviceArgs, method, note, prior, progress, say, stream, task};
use crate::control::{Control, Silent};
use crate::degradation::{Context, Degradation};
use crate::device;
use crate::error::{Error, Hint, PathContext, Result, Setting};
use crate::files;
use crate::picture::{self, Picture};
use crate::recipe::{Input, Recipe, check_hash};
use crate::restore::{Auto, PriorChoice, Request, RestoreConfig, Restorer, Source, TargetSize};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fdgr restore photo.jpg -o better.png
  fdgr restore small.jpg -o big.png --task sr --scale 4
  fdgr restore small.jpg -o wide.png --task sr --width 3000
  fdgr restore blurred.png -o sharp.png --task deblur --kernel gauss:1.6 --sigma 0.02
  fdgr restore shaken.jpg -o sharp.png --task deblur --kernel auto
  fdgr restore noisy.jpg -o clean.png --task denoise --sigma 0.1
  fdgr restore blocky.jpg -o smooth.png --task jpeg
  fdgr restore torn.png -o whole.png --task inpaint --mask holes.png
  fdgr restore grey.jpg -o colour.png --task colorize
  fdgr restore soft.jpg -o big.png --task deblur,sr --kernel gauss:1 --scale 2
  fdgr restore *.jpg -o restored/ --task denoise
  curl -s https://example.org/photo.jpg | fdgr restore - -o - > better.png
  fdgr restore photos/ -o restored/ --task denoise --skip-existing
  fdgr restore --recipe big.png.recipe.json -o again.png")]
pub(super) struct Args {
    /// The photos; of a folder all pictures in it and below
    photos: Vec<PathBuf>,
    /// Where the picture goes; a folder for several [default: NAME-restored.png beside each photo]
    #[arg(short, long, value_name = "FILE|FOLDER")]
    output: Option<PathBuf>,
    /// Leave photos out whose output and recipe are there already, such as those of a run that was stopped
    #[arg(long)]
    skip_existing: bool,
    /// Page of a TIFF, the first is 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    page: Option<u32>,
    /// Factor by which the photo was enlarged by interpolation: it is reduced by that first
    #[arg(long, value_name = "FACTOR")]
    enlarged: Option<f64>,
    /// Width of the result in pixels
    #[arg(long, value_name = "PIXELS", conflicts_with = "height")]
    width: Option<usize>,
    /// Height of the result in pixels
    #[arg(long, value_name = "PIXELS")]
    height: Option<usize>,
    /// Denoise a photo without --task even if nothing is found that would be improved
    #[arg(long, conflicts_with = "task")]
    force: bool,
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
    /// Seed of all noise that methods draw [default: 0]
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

/// A job whose input was read and understood.
struct Prepared {
    source: Source,
    input: Input,
    config: RestoreConfig,
    /// Whether what happened to it was found out.
    is_found: bool,
    /// What is not taken over, in sentences.
    remarks: Vec<String>,
}

impl Prepared {
    fn discards_colors(&self) -> bool {
        self.config.degradation.discards_colors() && self.source.photo().is_some_and(|photo| !photo.extras.gray)
    }
}

/// A recipe that is repeated, and where it is.
type Repeated = (Recipe, PathBuf);

pub(super) fn run(mut args: Args) -> anyhow::Result<()> {
    let repeated = args.recipe.as_deref().map(|path| load_recipe(&args, path)).transpose()?;
    if args.pick {
        args.photos = pick()?;
    }
    if let (Some((recipe, path)), true) = (&repeated, args.photos.is_empty()) {
        let input = recipe.find_input(path);
        if stream::is_meant(&input) {
            let fact = "its photo came from standard input";
            return Err(Error::document(path, fact, "name the photo").into());
        }
        args.photos.push(input);
    }
    if args.photos.is_empty() {
        return Err(
            Error::mismatch("a photo", "it is missing", "name one, or pass --pick to choose it in a dialog").into()
        );
    }
    let jobs = plan(&args)?;
    if jobs.is_empty() {
        return Ok(());
    }
    progress::stop_on_ctrl_c();
    let (mut failed, mut left) = (0, 0);
    let mut ready = Vec::new();
    // Bad input is found before a device is opened and a prior loaded; one bad picture does not cost the others.
    for job in &jobs {
        match prepare(&args, job, repeated.as_ref(), &progress::Terminal::new(&job.photo.display().to_string())) {
            // Who reads standard output needs a picture.
            Err(error @ Error::NotNeeded { .. }) if !stream::is_meant(&job.output) => {
                note_of(&job.photo, &error);
                left += 1;
            }
            Err(error) if jobs.len() > 1 && !progress::stopped() => {
                note_of(&job.photo, &error);
                failed += 1;
            }
            prepared => {
                let prepared = prepared?;
                for remark in &prepared.remarks {
                    note(format!("{}: {remark}", job.photo.display()));
                }
                if prepared.discards_colors() {
                    note(format!("{}: existing colours are discarded", job.output.display()));
                }
                // Pictures of a batch are read again, so that not all of them are in memory at once.
                ready.push((job, Some(prepared).filter(|_| jobs.len() == 1)));
            }
        }
    }
    if ready.is_empty() && failed == 0 {
        return Ok(());
    }
    anyhow::ensure!(!ready.is_empty(), "none of {} pictures can be restored", jobs.len() - left);
    let (restorer, choice) = load(&args, repeated.as_ref())?;
    for (job, prepared) in ready {
        match restore(&args, job, prepared, &choice, repeated.as_ref(), &restorer) {
            Err(error) if jobs.len() > 1 && !progress::stopped() => {
                note_of(&job.photo, &error);
                failed += 1;
            }
            done => done?,
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} pictures were not restored", jobs.len());
    Ok(())
}

/// Says what is wrong with a photo of several, and which one it is.
fn note_of(photo: &Path, error: &Error) {
    let (name, sentence) = (photo.display().to_string(), error.sentence(&Flags::Common));
    note(if sentence.contains(&name) { sentence } else { format!("{name}: {sentence}") });
}

/// Opens the device and loads the prior.
fn load(args: &Args, repeated: Option<&Repeated>) -> Result<(Restorer, PriorChoice)> {
    let device_name = match repeated {
        Some((recipe, _)) if args.device.device.is_none() => recipe.device.name.as_str(),
        _ => args.device.name(),
    };
    let selected = device::open(device_name)?;
    note(format!("{} ({})", selected.description, selected.reason));
    if let Some((recipe, path)) = repeated {
        for difference in recipe.differences(&selected) {
            note(format!("{} {difference}", path.display()));
        }
    }
    let choice = repeated.map_or_else(|| args.prior.choice(), |(recipe, _)| recipe.prior.choice.clone());
    let restorer = Restorer::load(&choice, selected, &progress::Terminal::new("prior"))?;
    note(format!("prior {}", prior::describe(restorer.prior())));
    if let Some((recipe, path)) = repeated {
        recipe.prior.check_same(&restorer, path)?;
    }
    Ok((restorer, choice))
}

/// Reads a photo, and finds out how it is to be restored.
fn prepare(args: &Args, job: &Job, repeated: Option<&Repeated>, control: &dyn Control) -> Result<Prepared> {
    let bytes = stream::read(&job.photo)?;
    let page = repeated.map_or(args.page.map_or(0, |page| page as usize - 1), |(recipe, _)| recipe.input.page);
    let input = Input { path: job.photo.clone(), sha256: files::sha256(&bytes), page };
    if let Some((recipe, path)) = repeated {
        check_hash(path, "input", &input.sha256, &recipe.input.sha256)?;
    }
    let source = Source::decode(&bytes, &job.photo, page)?;
    if args.page.is_some() && source.photo().is_none() {
        let fact = "files of measurements have no pages";
        return Err(Error::mismatch(job.photo.as_path(), fact, "leave the page out"));
    }
    let (config, is_found) = match repeated {
        Some((recipe, _)) => (recipe.config.clone(), false),
        None => {
            let request = request(args, &source)?;
            (request.resolve(&source, control)?, request.is_open(&source) && !request.force)
        }
    };
    config.check_for(config.image_size(&source))?;
    let size = config.result_size(&source);
    let mut remarks = Vec::new();
    if let Some(photo) = source.photo() {
        remarks.clone_from(&photo.remarks);
        let losses = photo.losses(stream::format_of(&job.output), size)?;
        remarks.extend(losses.into_iter().map(|lost| format!("{} will lack {lost}", job.output.display())));
    }
    Ok(Prepared { source, input, config, is_found, remarks })
}

/// What the flags ask for.
fn request(args: &Args, source: &Source) -> Result<Request> {
    let made = match source {
        Source::Photo(_) => None,
        Source::Sensed(sensed) => Some(&sensed.description.degradation),
    };
    // Masks and the like are of the photo before it was enlarged.
    let reduced = args.enlarged.and_then(|factor| Some(source.photo()?.before_enlargement(factor)));
    let photo = reduced.as_ref().or(source.photo());
    let size = photo.map_or(source.measured_size(), |photo| [photo.height(), photo.width()]);
    let seed = args.seed.unwrap_or(0);
    let made_with = args.seed.or(made.and_then(Degradation::seed));
    let context = Context { size, seed: made_with.unwrap_or(0), photo, shows_damage: true };
    let given = args.width.map(TargetSize::Width).or(args.height.map(TargetSize::Height));
    let (task, target) = args.task.sized(given, size)?;
    let named = made.is_some_and(|made| task.tasks == [made.name()]) && !task.has_values();
    let is_open = task.tasks.is_empty() && (made.is_some() || !task.has_values());
    let degradation = match is_open || named {
        true => Auto::Auto,
        false => Auto::Given(task.degradation(&context)?),
    };
    let (sigma, overrides) = (task.sigma.into(), args.method.overrides());
    Ok(Request { degradation, sigma, seed, enlarged: args.enlarged, size: target, force: args.force, overrides })
}

fn restore(
    args: &Args,
    job: &Job,
    prepared: Option<Prepared>,
    choice: &PriorChoice,
    repeated: Option<&Repeated>,
    restorer: &Restorer,
) -> Result<()> {
    let begun = Instant::now();
    let Prepared { source, input, config, is_found, .. } = match prepared {
        Some(prepared) => prepared,
        None => prepare(args, job, repeated, &Silent)?,
    };
    prior::hint(restorer.prior(), config.image_size(&source));
    let terminal = progress::Terminal::new(&job.photo.display().to_string());
    let restored = restorer.restore(&source, &config, &terminal)?;
    drop(terminal);
    let (sigma, evaluations) = (config.sigma, restored.receipt.evaluations);
    if is_found {
        restored.receipt.check_found(&config, &job.photo)?;
    }
    if stream::is_meant(&job.output) {
        stream::write(&restored.picture)?;
    } else {
        restored.picture.write(&job.output).map_err(Error::at_output)?;
        let recipe = Recipe::new(input, &restored, restorer, choice);
        recipe.write(&Recipe::path_for(&job.output)).map_err(Error::at_output)?;
    }
    let line = format!(
        "{}: {}x{} from {}, noise {sigma:.3}, {} with {evaluations} network evaluations (NFE), {:.1} s; {}",
        job.output.display(),
        restored.picture.width(),
        restored.picture.height(),
        job.photo.display(),
        config.method.name(),
        begun.elapsed().as_secs_f64(),
        restored.receipt.describe(sigma),
    );
    // The picture itself may be on standard output.
    if stream::is_meant(&job.output) {
        note(line)
    } else {
        say(line)
    }
    Ok(())
}

fn load_recipe(args: &Args, path: &Path) -> Result<Repeated> {
    let sized = args.width.is_some() || args.height.is_some() || args.enlarged.is_some() || args.page.is_some();
    if args.task.any() || args.method.any() || args.seed.is_some() || args.prior.any() || sized || args.force {
        let fact = "it already says task, method, size, page, seed and prior";
        return Err(Error::document(path, fact, "pass only --recipe, -o, --device and the photo"));
    }
    Ok((Recipe::read(path)?, path.into()))
}

/// What the names of outputs beside their photos end in.
const RESTORED: &str = "-restored.png";

/// The photos that were named, and where they lie below the folders that were.
fn found(args: &Args) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut all = Vec::new();
    for named in &args.photos {
        if stream::is_meant(named) && args.photos.len() > 1 {
            let fact = "standard input is one photo";
            return Err(Error::mismatch(named.as_path(), fact, "restore the others by themselves"));
        }
        if stream::is_meant(named) && args.output.is_none() {
            let fact = "standard input has no name for the result";
            return Err(Error::mismatch(
                named.as_path(),
                fact,
                "name a place with -o, or pass -o - for standard output",
            ));
        }
        if !named.is_dir() {
            all.push((named.clone(), named.file_name().unwrap_or_default().into()));
            continue;
        }
        // What an earlier run wrote is no photo.
        let is_output = |path: &Path| match &args.output {
            Some(output) => path.starts_with(output) && output != named,
            None => path.to_string_lossy().ends_with(RESTORED),
        };
        let before = all.len();
        for entry in WalkDir::new(named).sort_by_file_name() {
            let entry = entry.map_err(|e| Error::unreadable(named, e))?;
            let path = entry.path();
            if entry.file_type().is_file() && picture::has_known_ending(path) && !is_output(path) {
                let below = path.strip_prefix(named).unwrap_or(path).to_path_buf();
                all.push((path.to_path_buf(), below));
            }
        }
        if all.len() == before {
            let fact = "there is no picture in it or below";
            return Err(Error::mismatch(named.as_path(), fact, "name a folder with pictures"));
        }
    }
    Ok(all)
}

/// Pairs photos with outputs, and refuses what cannot be written before anything is computed.
fn plan(args: &Args) -> Result<Vec<Job>> {
    let found = found(args)?;
    let has_folders = args.photos.iter().any(|photo| photo.is_dir());
    let is_streamed = args.output.as_deref().is_some_and(stream::is_meant);
    if is_streamed && (found.len() > 1 || has_folders || args.skip_existing) {
        let fact = "standard output is for one picture";
        return Err(Error::mismatch(Path::new("-"), fact, "pass a folder with -o"));
    }
    let into_folder = args.output.as_ref().is_some_and(|output| {
        let named_folder = output.as_os_str().to_string_lossy().ends_with(['/', '\\']);
        found.len() > 1 || has_folders || output.is_dir() || named_folder
    });
    if let (Some(output), true) = (&args.output, found.len() > 1 || has_folders)
        && (output.is_file() || Picture::has_picture_ending(output))
    {
        let fact = "it is the name of one picture, but there are several photos";
        return Err(Error::mismatch(output.as_path(), fact, "pass a folder with -o"));
    }
    let job = |(photo, below): &(PathBuf, PathBuf)| {
        let named = |end: &str| {
            let mut name = photo.file_stem().unwrap_or_default().to_owned();
            name.push(end);
            name
        };
        let output = match &args.output {
            Some(folder) if into_folder => folder.join(below.with_file_name(named(".png"))),
            Some(file) => file.clone(),
            None => photo.with_file_name(named(RESTORED)),
        };
        Job { photo: photo.clone(), output }
    };
    let mut jobs: Vec<Job> = found.iter().map(job).collect();
    if args.skip_existing {
        // The recipe is written last.
        let is_done = |job: &Job| job.output.exists() && Recipe::path_for(&job.output).exists();
        let all = jobs.len();
        jobs.retain(|job| !is_done(job));
        note(format!("{} of {all} photos have their output already", all - jobs.len()));
    }
    if let Some(output) = files::collision(jobs.iter().map(|job| job.output.as_path())) {
        let hint = "give each photo a name of its own, or restore them one by one";
        return Err(Error::mismatch(output, "two photos would be restored to it", hint));
    }
    for job in jobs.iter().filter(|job| !stream::is_meant(&job.output)) {
        if let (true, Some(folder)) = (into_folder, job.output.parent()) {
            std::fs::create_dir_all(folder).writing(folder).map_err(Error::at_output)?;
        }
        let inputs = found.iter().map(|(photo, _)| photo.as_path()).chain(args.task.files());
        let inputs: Vec<&Path> = inputs.chain(args.recipe.as_deref()).chain(args.prior.files()).collect();
        let recipe = Recipe::path_for(&job.output);
        refuse_overwriting(&job.output, inputs.iter().copied())?;
        refuse_overwriting(&recipe, inputs)?;
        Picture::check_output(&job.output).map_err(Error::at_output)?;
        files::check_writable(&recipe).map_err(Error::at_output)?;
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
        return Err(Error::Overwrites { path: output.into(), hint: Hint::Give(Setting::OUTPUT) });
    }
    Ok(())
}

fn pick() -> anyhow::Result<Vec<PathBuf>> {
    let chosen =
        rfd::FileDialog::new().add_filter("Pictures", &picture::endings()).set_title("Photos to restore").pick_files();
    chosen.filter(|files| !files.is_empty()).context("no photo was chosen; name it on the command line instead")
}
