//! `fdgr restore`

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::errands::{Errand, MAP, SAMPLES, beside, pick, plan};
use super::words::Flags;
use super::{DeviceArgs, method, note, prior, progress, say, sheet, stream, task, writing};
use crate::control::{Control, Silent};
use crate::device;
use crate::error::{Error, Result};
use crate::job::{Job, Opened, Plan};
use crate::picture::Picture;
use crate::recipe::Recipe;
use crate::restore::{COVERED, PriorChoice, Restored, Restorer, TargetSize, Uncertainty, Wish};

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
  fdgr restore print.jpg -o new.png --task old-photo --mask scratches.png
  fdgr restore noisy.jpg -o clean.png --task denoise --uncertainty 8
  fdgr restore *.jpg -o restored/ --task denoise
  curl -s https://example.org/photo.jpg | fdgr restore - -o - > better.png
  fdgr restore photos/ -o restored/ --task denoise --skip-existing
  fdgr restore --recipe big.png.recipe.json -o again.png")]
pub(super) struct Args {
    /// The photos; of a folder all pictures in it and below
    pub photos: Vec<PathBuf>,
    /// Where the picture goes; a folder for several [default: NAME-restored.png beside each photo]
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub output: Option<PathBuf>,
    /// Leave photos out whose output and recipe are there already, such as those of a run that was stopped
    #[arg(long)]
    pub skip_existing: bool,
    /// Page of a TIFF, the first is 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    page: Option<u32>,
    /// Undo fading first: give each channel its full range from black to white
    #[arg(long)]
    unfade: bool,
    /// Factor by which the photo was enlarged by interpolation: it is reduced by that first
    #[arg(long, value_name = "FACTOR")]
    enlarged: Option<f64>,
    /// Width of the result in pixels
    #[arg(long, value_name = "PIXELS", conflicts_with = "height")]
    width: Option<usize>,
    /// Height of the result in pixels
    #[arg(long, value_name = "PIXELS")]
    height: Option<usize>,
    /// Draw so many samples of what else the photo could have been: NAME.uncertainty.png beside the output shows how far from it
    /// the truth may be, NAME.samples.png the samples
    #[arg(long, value_name = "SAMPLES")]
    pub uncertainty: Option<usize>,
    /// Write the kernel that was undone as a picture, which --kernel takes again
    #[arg(long, value_name = "FILE")]
    save_kernel: Option<PathBuf>,
    /// Denoise a photo without --task even if nothing is found that would be improved
    #[arg(long, conflicts_with = "task")]
    force: bool,
    /// Choose the photos in a dialog
    #[arg(long, conflicts_with = "photos")]
    pick: bool,
    /// Repeat what a recipe says
    #[arg(long, value_name = "FILE", conflicts_with = "pick")]
    pub recipe: Option<PathBuf>,
    #[command(flatten)]
    writing: writing::Args,
    #[command(flatten)]
    pub task: task::Args,
    #[command(flatten)]
    method: method::Args,
    /// Seed of all noise that methods draw [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    pub prior: prior::Args,
    #[command(flatten)]
    device: DeviceArgs,
}

/// What is known of a photo before it is its turn.
enum Prepared {
    /// All.
    Job(Box<Job>),
    /// How it is restored.
    Plan(Box<Plan>),
    /// That it can be restored.
    Again,
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
    let errands = plan(&args)?;
    if errands.is_empty() {
        return Ok(());
    }
    if let Some(place) = &args.save_kernel {
        if errands.len() > 1 {
            let fact = "it is the name of one picture, but there are several photos";
            return Err(Error::mismatch(place.as_path(), fact, "restore them one by one").into());
        }
        let others = errands.iter().flat_map(|errand| [errand.photo.as_path(), errand.output.as_path()]);
        crate::files::refuse_overwriting(place, others)?;
        Picture::check_output(place).map_err(Error::at_output)?;
    }
    progress::stop_on_ctrl_c();
    let (mut failed, mut left) = (0, 0);
    let mut ready = Vec::new();
    // Bad input is found before a device is opened and a prior loaded; one bad picture does not cost the others.
    for errand in &errands {
        let terminal = progress::Terminal::new(&errand.photo.display().to_string());
        let prepared = prepare(&args, errand, repeated.as_ref(), &terminal).and_then(|job| {
            if let (Some(place), None) = (&args.save_kernel, job.config.psf()) {
                let fact = "there is no kernel to write, since no blur alone is undone";
                return Err(Error::mismatch(place.as_path(), fact, "leave it out, or pass --task deblur"));
            }
            let remarks =
                job.opened.remarks(stream::format_of(&errand.output), job.result_size(), &args.writing.writing())?;
            Ok((job, remarks))
        });
        drop(terminal);
        match prepared {
            // Who reads standard output needs a picture.
            Err(error @ Error::NotNeeded { .. }) if !stream::is_meant(&errand.output) => {
                note_of(&errand.photo, &error);
                left += 1;
            }
            Err(error) if errands.len() > 1 && !progress::stopped() => {
                note_of(&errand.photo, &error);
                failed += 1;
            }
            prepared => {
                let (job, remarks) = prepared?;
                for remark in remarks {
                    note(format!("{}: {remark}", errand.photo.display()));
                }
                if job.discards_colors() {
                    note(format!("{}: existing colours are discarded", errand.output.display()));
                }
                // Pictures of a batch are read again, so that not all of them are in memory at once.
                let prepared = match errands.len() {
                    1 => Prepared::Job(Box::new(job)),
                    // Finding it again would take seconds; what else is found out again takes less, and may be masks of the photo's size.
                    _ if job.is_found && wish(&args).seeks_kernel() => Prepared::Plan(Box::new(job.into_plan())),
                    _ => Prepared::Again,
                };
                ready.push((errand, prepared));
            }
        }
    }
    if ready.is_empty() && failed == 0 {
        return Ok(());
    }
    anyhow::ensure!(!ready.is_empty(), "none of {} pictures can be restored", errands.len() - left);
    let (restorer, choice) = load(&args, repeated.as_ref())?;
    for (errand, prepared) in ready {
        match restore(&args, errand, prepared, &choice, repeated.as_ref(), &restorer) {
            Err(error) if errands.len() > 1 && !progress::stopped() => {
                note_of(&errand.photo, &error);
                failed += 1;
            }
            done => done?,
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} pictures were not restored", errands.len());
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

/// Reads a photo.
fn open(args: &Args, errand: &Errand, repeated: Option<&Repeated>) -> Result<Opened> {
    let page = repeated.map_or(args.page.map_or(0, |page| page as usize - 1), |(recipe, _)| recipe.input.page);
    let opened = Opened::decode(&stream::read(&errand.photo)?, &errand.photo, page)?;
    if args.page.is_some() && opened.source.photo().is_none() {
        let fact = "files of measurements have no pages";
        return Err(Error::mismatch(errand.photo.as_path(), fact, "leave the page out"));
    }
    Ok(opened)
}

/// Reads a photo, and finds out how it is to be restored.
fn prepare(args: &Args, errand: &Errand, repeated: Option<&Repeated>, control: &dyn Control) -> Result<Job> {
    let opened = open(args, errand, repeated)?;
    match repeated {
        Some((recipe, path)) => Job::repeated(opened, recipe, path),
        None => Job::new(opened, &wish(args), &args.prior.choice(), control),
    }
}

/// What the flags ask for.
fn wish(args: &Args) -> Wish {
    Wish {
        tasks: args.task.tasks.clone(),
        values: args.task.values.clone(),
        sigma: args.task.sigma,
        seed: args.seed,
        unfade: args.unfade,
        settled: None,
        enlarged: args.enlarged,
        size: args.width.map(TargetSize::Width).or(args.height.map(TargetSize::Height)),
        force: args.force,
        overrides: args.method.overrides(),
    }
}

fn restore(
    args: &Args,
    errand: &Errand,
    prepared: Prepared,
    choice: &PriorChoice,
    repeated: Option<&Repeated>,
    restorer: &Restorer,
) -> Result<()> {
    let begun = Instant::now();
    let job = match prepared {
        Prepared::Job(job) => *job,
        Prepared::Plan(plan) => Job::resumed(open(args, errand, repeated)?, *plan)?,
        Prepared::Again => prepare(args, errand, repeated, &Silent)?,
    };
    prior::hint(restorer.prior(), job.config.image_size(&job.opened.source));
    let terminal = progress::Terminal::new(&errand.photo.display().to_string());
    let done = job.restore(restorer, choice, &terminal)?;
    drop(terminal);
    let Restored { picture, receipt, .. } = &done.restored;
    if stream::is_meant(&errand.output) {
        stream::write(picture, &args.writing.writing())?;
    } else {
        done.save(&errand.output, &args.writing.writing())?;
    }
    if let Some(place) = &args.save_kernel {
        write_kernel(place, &done.restored)?;
    }
    if let Some(count) = args.uncertainty {
        let terminal = progress::Terminal::new(&errand.photo.display().to_string());
        let uncertainty = restorer.uncertainty(&job.opened.source, &done.restored, count, &terminal)?;
        drop(terminal);
        write_uncertainty(errand, &done.restored, &uncertainty)?;
    }
    let line = format!(
        "{}: {}x{} from {}, noise {:.3}, {} with {} network evaluations (NFE), {:.1} s; {}",
        errand.output.display(),
        picture.width(),
        picture.height(),
        errand.photo.display(),
        job.config.sigma,
        job.config.method.name(),
        receipt.evaluations,
        begun.elapsed().as_secs_f64(),
        receipt.describe(job.config.sigma),
    );
    // The picture itself may be on standard output.
    if stream::is_meant(&errand.output) {
        note(line)
    } else {
        say(line)
    }
    Ok(())
}

/// Writes the kernel that was undone.
fn write_kernel(place: &Path, restored: &Restored) -> Result<()> {
    let Some(kernel) = restored.config.kernel_picture()? else { return Ok(()) };
    kernel.write(place).map_err(Error::at_output)?;
    say(format!("{}: the kernel", place.display()));
    Ok(())
}

/// Writes the map, and the result beside what else it could have been.
fn write_uncertainty(errand: &Errand, restored: &Restored, uncertainty: &Uncertainty) -> Result<()> {
    let sheet = beside(&errand.output, SAMPLES);
    let others = uncertainty.samples.iter().enumerate();
    let others = others.map(|(i, sample)| (format!("sample {}", i + 1), sample.pixels()));
    let all: Vec<_> = std::iter::once(("result".to_owned(), restored.picture.pixels())).chain(others).collect();
    match &uncertainty.map {
        Ok(map) => {
            let place = beside(&errand.output, MAP);
            map.write(&place).map_err(Error::at_output)?;
            let share = 100.0 * COVERED;
            say(format!(
                "{}: the distance within which {share:.0}% of the true values lie, for photos like those it was calibrated on",
                place.display()
            ));
        }
        Err(why) => note(format!("{}: no map of its uncertainty: {why}", errand.output.display())),
    }
    Picture::new(sheet::in_rows(&all)).write(&sheet).map_err(Error::at_output)?;
    say(format!("{}: the result and {} samples", sheet.display(), uncertainty.samples.len()));
    Ok(())
}

fn load_recipe(args: &Args, path: &Path) -> Result<Repeated> {
    let sized =
        args.width.is_some() || args.height.is_some() || args.enlarged.is_some() || args.unfade || args.page.is_some();
    if args.task.any() || args.method.any() || args.seed.is_some() || args.prior.any() || sized || args.force {
        let fact = "it already says task, method, size, page, seed and prior";
        return Err(Error::document(path, fact, "pass only --recipe, -o, --device and the photo"));
    }
    Ok((Recipe::read(path)?, path.into()))
}
