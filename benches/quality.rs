//! PSNR and SSIM of every task with its default parameters, against the classical estimate.
//!
//! `cargo bench --bench quality -- [--device NAME] [--task NAME]... [--set PATH=JSON]... [PICTURE...]`, by default on
//! `assets/samples`. `--set` changes a parameter of the configuration, for example `--set method.lam=1.0`. `--curve` gives
//! the quality for other numbers of network calls, started late as by default and from noise alone.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod common;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use fdgr::degradation::{Degradation, Form, Mask, Psf};
use fdgr::metrics::{psnr, ssim};
use fdgr::noise::{Noise, Seeded, Stream};
use fdgr::picture::Picture;
use fdgr::restore::{Border, PriorChoice, RestoreConfig, Restorer};
use fdgr::{device, prior};
use serde_json::Value;

struct Options {
    device: String,
    tasks: Vec<String>,
    settings: Vec<(String, Value)>,
    curve: bool,
    pictures: Vec<PathBuf>,
}

fn main() -> Result<()> {
    fdgr::memory::keep_freed();
    let options = parse()?;
    let restorer = Restorer::new(&PriorChoice::named(prior::EMBEDDED), device::open(&options.device)?)?;
    println!("fdgr {}, {}", env!("CARGO_PKG_VERSION"), restorer.device().description);
    let tasks =
        tasks().into_iter().filter(|(name, ..)| options.tasks.is_empty() || options.tasks.iter().any(|t| t == name));
    if options.curve {
        let header: Vec<String> = CALLS.map(|calls| format!("{calls} calls")).to_vec();
        println!("| task | start | {} |\n| --- | --- |{}", header.join(" | "), " --- |".repeat(CALLS.len()));
        for task in tasks {
            curve(&restorer, &options, &task)?;
        }
        return Ok(());
    }
    println!("| task | sigma | classical estimate | restored | seconds a picture |\n| --- | --- | --- | --- | --- |");
    for task in tasks {
        let Mean { before, after, seconds } = mean(&restorer, &options, &task, &options.settings)?;
        println!("| {} | {} | {} | {} | {seconds:.1} |", task.0, task.2, shown(before), shown(after));
    }
    Ok(())
}

/// Network calls of the curve.
const CALLS: [usize; 5] = [5, 10, 20, 50, 100];

/// Prints the quality of a task for every number of calls: from the classical estimate, and from noise alone.
fn curve(restorer: &Restorer, options: &Options, task: &Task) -> Result<()> {
    let photo = Picture::read(options.pictures.first().context("no pictures")?)?;
    let late = RestoreConfig::new((task.1)(&photo), task.2).start;
    for start in [late, 1.0] {
        let mut cells = Vec::new();
        for calls in CALLS {
            let steps = (calls as f64 / start).round() as usize;
            let mut settings = vec![("steps".to_owned(), steps.into()), ("start".to_owned(), start.into())];
            settings.extend_from_slice(&options.settings);
            cells.push(shown(mean(restorer, options, task, &settings)?.after));
        }
        println!("| {} | {start} | {} |", task.0, cells.join(" | "));
    }
    Ok(())
}

/// What a task comes to over all pictures.
struct Mean {
    before: Quality,
    after: Quality,
    seconds: f64,
}

fn mean(restorer: &Restorer, options: &Options, task: &Task, settings: &[(String, Value)]) -> Result<Mean> {
    let (name, degradation, sigma) = task;
    let mut mean = Mean { before: [0.0; 2], after: [0.0; 2], seconds: 0.0 };
    let n = options.pictures.len() as f64;
    let add = |mean: &mut Quality, more: Quality| mean.iter_mut().zip(more).for_each(|(mean, more)| *mean += more / n);
    for path in &options.pictures {
        let photo = Picture::read(path)?;
        let (before, after, seconds) = measure(restorer, &photo, degradation(&photo), *sigma, settings)
            .with_context(|| format!("{name} of {}", path.display()))?;
        eprintln!("{name} {}: {} -> {}", path.display(), shown(before), shown(after));
        add(&mut mean.before, before);
        add(&mut mean.after, after);
        mean.seconds += seconds / n;
    }
    Ok(mean)
}

fn shown([psnr, ssim]: Quality) -> String {
    format!("{psnr:.2} / {ssim:.3}")
}

/// A degradation that may depend on the picture's size.
type OfPicture = Box<dyn Fn(&Picture) -> Degradation>;

/// Name, degradation and noise.
type Task = (&'static str, OfPicture, f64);

fn tasks() -> Vec<Task> {
    let fixed = |degradation: Degradation| -> OfPicture { Box::new(move |_| degradation.clone()) };
    let blur = |psf: Psf| fixed(Degradation::Deblur { psf, form: Form::Fft });
    // Stripes and scratches over a fifth of the picture.
    let holes = |photo: &Picture| Degradation::Inpainting {
        mask: Mask::from_fn(photo.height(), photo.width(), |y, x| (x + y / 3) % 48 >= 6 && (y + x / 5) % 64 >= 6),
    };
    vec![
        ("sr", fixed(Degradation::SrBicubic { scale: 4, form: Form::Svd }), 0.05),
        ("sr-clean", fixed(Degradation::SrBicubic { scale: 4, form: Form::Svd }), 0.01),
        ("sr2", fixed(Degradation::SrBicubic { scale: 2, form: Form::Svd }), 0.02),
        ("deblur-gauss", blur(Psf::REFERENCE_GAUSSIAN), 0.05),
        ("deblur-gauss-clean", blur(Psf::gaussian(1.6)), 0.01),
        ("deblur-motion", blur(Psf::Random { size: 31, intensity: 0.5, seed: 7 }), 0.05),
        ("deblur-motion-clean", blur(Psf::Motion { length: 15.0, angle: 30.0 }), 0.01),
        ("denoise", fixed(Degradation::Denoising), 0.1),
        ("denoise-strong", fixed(Degradation::Denoising), 0.2),
        ("denoise-weak", fixed(Degradation::Denoising), 0.03),
        ("inpaint", Box::new(holes), 0.0),
        ("colorize", fixed(Degradation::Colorization), 0.0),
        ("cs", fixed(Degradation::CsWalshhadamard { ratio: 0.25, seed: 3 }), 0.01),
        ("cs-blocks", fixed(Degradation::CsBlockbased { ratio: 0.25, seed: 3 }), 0.01),
    ]
}

type Quality = [f64; 2];

fn measure(
    restorer: &Restorer,
    photo: &Picture,
    degradation: Degradation,
    sigma: f64,
    settings: &[(String, Value)],
) -> Result<(Quality, Quality, f64)> {
    let size = [photo.height(), photo.width()];
    let device = &restorer.device().device;
    let operator = degradation.build(size[0], size[1], device)?;
    let y = operator.apply(photo.to_tensor(device));
    let noise = Seeded::new(7, Stream::Measurement).draw(y.dims(), device);
    let y = y + noise * (2.0 * sigma);
    let base = RestoreConfig { border: Border::Periodic, seed: 7, ..RestoreConfig::new(degradation.clone(), sigma) };
    let config = changed(&base, settings)?;
    let begun = Instant::now();
    let restored = restorer.run(&config, y.clone(), size, &mut |_| ControlFlow::Continue(()))?;
    let seconds = begun.elapsed().as_secs_f64();
    let quality = |x| -> Result<Quality> {
        let picture = Picture::from_tensor(x)?;
        let ssim = ssim(picture.pixels(), photo.pixels()).unwrap_or(f64::NAN);
        Ok([psnr(picture.pixels(), photo.pixels()), ssim])
    };
    let classical = fdgr::restore::classical_estimate(&degradation, operator.as_ref(), &y, sigma)?;
    Ok((quality(classical)?, quality(restored)?, seconds))
}

fn changed(config: &RestoreConfig, settings: &[(String, Value)]) -> Result<RestoreConfig> {
    let mut value = serde_json::to_value(config)?;
    for (path, new) in settings {
        let pointer = format!("/{}", path.replace('.', "/"));
        *value.pointer_mut(&pointer).with_context(|| format!("there is no parameter {path}"))? = new.clone();
    }
    Ok(serde_json::from_value(value)?)
}

fn parse() -> Result<Options> {
    let mut options =
        Options { device: "auto".into(), tasks: Vec::new(), settings: Vec::new(), curve: false, pictures: Vec::new() };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--device" => options.device = value()?,
            "--curve" => options.curve = true,
            "--task" => options.tasks.push(value()?),
            "--set" => {
                let setting = value()?;
                let (path, json) = setting.split_once('=').context("--set takes PATH=JSON")?;
                options.settings.push((path.to_owned(), serde_json::from_str(json)?));
            }
            _ => options.pictures.push(word.into()),
        }
    }
    if options.pictures.is_empty() {
        let samples = std::fs::read_dir("assets/samples")?.filter_map(|entry| Some(entry.ok()?.path()));
        options.pictures = samples.filter(|path| path.extension().is_some_and(|ending| ending == "png")).collect();
        options.pictures.sort();
    }
    Ok(options)
}
