//! PSNR and SSIM of every task with its default parameters, against the classical estimate.
//!
//! `cargo bench --bench quality -- [--device NAME] [--task NAME]... [--set PATH=JSON]... [PICTURE...]`, by default on
//! `assets/samples`. `--set` changes a parameter of the configuration, for example `--set method.lam=1.0`.

#![allow(clippy::print_stderr, clippy::print_stdout)]

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
    pictures: Vec<PathBuf>,
}

fn main() -> Result<()> {
    let options = parse()?;
    let restorer = Restorer::new(&PriorChoice::named(prior::EMBEDDED), device::open(&options.device)?)?;
    println!("fdgr {}, {}", env!("CARGO_PKG_VERSION"), restorer.device().description);
    println!("| task | sigma | classical estimate | restored | seconds a picture |\n| --- | --- | --- | --- | --- |");
    for (name, degradation, sigma) in tasks() {
        if !options.tasks.is_empty() && !options.tasks.iter().any(|task| task == name) {
            continue;
        }
        let mut before = [0.0; 2];
        let mut after = [0.0; 2];
        let mut seconds = 0.0;
        for path in &options.pictures {
            let photo = Picture::read(path)?;
            let (b, a, s) = measure(&restorer, &photo, degradation(&photo), sigma, &options.settings)
                .with_context(|| format!("{name} of {}", path.display()))?;
            eprintln!("{name} {}: {:.2} / {:.3} -> {:.2} / {:.3}", path.display(), b[0], b[1], a[0], a[1]);
            let add =
                |sum: &mut [f64; 2], more: [f64; 2]| sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            add(&mut before, b);
            add(&mut after, a);
            seconds += s;
        }
        let n = options.pictures.len() as f64;
        println!(
            "| {name} | {sigma} | {:.2} / {:.3} | {:.2} / {:.3} | {:.1} |",
            before[0] / n,
            before[1] / n,
            after[0] / n,
            after[1] / n,
            seconds / n
        );
    }
    Ok(())
}

/// A degradation that may depend on the picture's size.
type OfPicture = Box<dyn Fn(&Picture) -> Degradation>;

/// Name, degradation and noise of each task.
fn tasks() -> Vec<(&'static str, OfPicture, f64)> {
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
    let mut options = Options { device: "auto".into(), tasks: Vec::new(), settings: Vec::new(), pictures: Vec::new() };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--device" => options.device = value()?,
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
