//! PSNR and SSIM of tasks, noise levels and methods, beside the classical estimate.
//!
//! `cargo bench --bench quality -- [--device NAME] [--task NAME]... [--noise SIGMA]... [--method NAME]... [--set PATH=JSON]...
//! [--gray] [--known] [--write FOLDER] [PICTURE...]`, by default on `assets/samples` with the default method of each task. `--set` changes a
//! parameter of the configuration, for example `--set method.lambda=0.5`. Pictures are restored as a user would: from
//! files of 8 bits, with the noise estimated, or told with `--known`. `--gray` measures grey pictures, with one noise in all
//! channels. `--write` also writes every case as
//! `FOLDER/PICTURE/CASE/` for `benches/peer/quality.py`, which adds the classical answers: `original.png`, `input.npy` (f32,
//! `[h, w, 3]` in [0, 1]), `mask.png` of holes (black is missing) and `case.json` with `case`, `task`, `sigma`, the
//! `parameters`, the `kernel` of blurs as rows, and PSNR and SSIM of each `result`.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod common;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use burn::tensor::Tensor;
use fdgr::control::Silent;
use fdgr::degradation::{self, Degradation, Mask, Stage, inpainting::Inpainting};
use fdgr::device;
use fdgr::metrics::{psnr, ssim};
use fdgr::noise::{Noise, Seeded, Stream, splitmix64};
use fdgr::parameter::Values;
use fdgr::picture::Picture;
use fdgr::restore::{
    Auto, Channels, DataModel, Measurement, Overrides, PriorChoice, Request, RestoreConfig, Restorer, Source,
};
use fdgr::sampler::signed_sigma;
use font8x8::UnicodeFonts;
use npyz::WriterBuilder;
use serde_json::{Map, Value, json};

#[derive(Default)]
struct Options {
    device: Option<String>,
    tasks: Vec<String>,
    noise: Vec<f64>,
    methods: Vec<String>,
    settings: Vec<(String, Value)>,
    write: Option<PathBuf>,
    /// Whether the level of the noise is told.
    known: bool,
    /// Pictures as grey ones.
    gray: bool,
    pictures: Vec<PathBuf>,
}

/// Name, task and parameters; holes are made for the picture's size.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: [Case; 20] = [
    ("denoise", "denoise", &[]),
    ("sr2", "sr", &[("scale", "2")]),
    ("sr3", "sr", &[("scale", "3")]),
    ("sr4", "sr", &[("scale", "4")]),
    ("gauss0.8", "deblur", &[("kernel", "gauss:0.8")]),
    ("gauss1.6", "deblur", &[("kernel", "gauss:1.6")]),
    ("gauss2.5", "deblur", &[("kernel", "gauss:2.5")]),
    ("gauss4", "deblur", &[("kernel", "gauss:4")]),
    ("motion9", "deblur", &[("kernel", "motion:9,30")]),
    ("motion15", "deblur", &[("kernel", "motion:15,30")]),
    ("motion31", "deblur", &[("kernel", "motion:31,30")]),
    ("uniform9", "deblur", &[("kernel", "uniform:9")]),
    ("scratches", "inpaint", &[]),
    ("boxes", "inpaint", &[]),
    ("text", "inpaint", &[]),
    ("holes20", "inpaint", &[]),
    ("holes50", "inpaint", &[]),
    ("colour", "colorize", &[]),
    ("cs25", "cs", &[("ratio", "0.25")]),
    ("cs10", "cs", &[("ratio", "0.1")]),
];

fn main() -> Result<()> {
    common::memory::keep_freed();
    let options = parse()?;
    let device = device::open(options.device.as_deref().unwrap_or("auto"))?;
    let restorer = Restorer::load(&PriorChoice::default(), device, &Silent)?;
    println!("fdgr {}, {}", env!("CARGO_PKG_VERSION"), restorer.device().description);
    let header = if options.methods.is_empty() { vec!["default".to_owned()] } else { options.methods.clone() };
    println!("| case | sigma | classical estimate | {} |", header.join(" | "));
    println!("| --- | --- | --- |{}", " --- |".repeat(header.len()));
    for (name, task, values) in CASES {
        let wanted = options.tasks.is_empty() || options.tasks.iter().any(|t| t == name || t == task);
        for &sigma in options.noise.iter().filter(|_| wanted) {
            row(&restorer, &options, (name, task, values), sigma)?;
        }
    }
    Ok(())
}

/// PSNR in dB and SSIM.
type Quality = [f64; 2];

fn row(restorer: &Restorer, options: &Options, case: Case, sigma: f64) -> Result<()> {
    let methods: Vec<Option<&str>> = match options.methods.is_empty() {
        true => vec![None],
        false => options.methods.iter().map(|name| Some(name.as_str())).collect(),
    };
    let mut means = vec![([0.0; 2], 0.0); methods.len() + 1];
    let n = options.pictures.len() as f64;
    for path in &options.pictures {
        let photo = Picture::read(path)?;
        let photo = if case.1 == "sr" { cropped(&photo, 12) } else { photo };
        let photo = if options.gray { without_color(&photo) } else { photo };
        let made = Made::new(restorer, &photo, case, sigma)?;
        let classical = made.measurement.crop(made.measurement.estimate(&made.y, signed_sigma(sigma))?);
        let mut results = vec![(compared(Picture::from_tensor(classical)?, &photo), 0.0)];
        for method in &methods {
            results.push(made.restored(restorer, &photo, *method, options)?);
        }
        if let Some(folder) = &options.write {
            let names = std::iter::once("estimate").chain(methods.iter().map(|method| method.unwrap_or("default")));
            let measured: Map<String, Value> =
                names.zip(&results).map(|(name, (quality, _))| (name.to_owned(), json!(quality))).collect();
            made.write(&folder.join(path.file_stem().unwrap_or_default()), &photo, case, sigma, measured)?;
        }
        for ((mean, seconds), (quality, took)) in means.iter_mut().zip(results) {
            mean.iter_mut().zip(quality).for_each(|(mean, more): (&mut f64, f64)| *mean += more / n);
            *seconds += took / n;
        }
    }
    let cell = |(quality, seconds): &(Quality, f64)| format!("{:.2} / {:.3} ({seconds:.1} s)", quality[0], quality[1]);
    let cells: Vec<String> = means.iter().map(cell).collect();
    println!("| {} | {sigma} | {} |", case.0, cells.join(" | "));
    Ok(())
}

/// The middle, with sides that `multiple` divides.
fn cropped(photo: &Picture, multiple: usize) -> Picture {
    let [w, h] = [photo.width(), photo.height()].map(|side| (side / multiple * multiple) as u32);
    Picture::new(image::imageops::crop_imm(photo.pixels(), 0, 0, w, h).to_image())
}

/// Known pixels of a picture of that size.
fn holes(case: &str, [height, width]: [usize; 2]) -> Mask {
    // Pixels lost at random.
    let random = |share: f64| {
        Mask::from_fn(height, width, |y, x| {
            (splitmix64((y * width + x) as u64) >> 11) as f64 >= share * (1u64 << 53) as f64
        })
    };
    match case {
        "holes20" => random(0.2),
        "holes50" => random(0.5),
        // Five squares of 24 pixels.
        "boxes" => Mask::from_fn(height, width, |y, x| {
            let corners = [(30, 40), (90, 180), (140, 60), (200, 200), (60, 110)];
            !corners.iter().any(|&(top, left)| (top..top + 24).contains(&y) && (left..left + 24).contains(&x))
        }),
        // Lines of letters of 16 pixels.
        "text" => Mask::from_fn(height, width, |y, x| {
            const LINE: &str = "THE PICTURE SAYS MORE";
            let (row, line) = (y % 32 / 2, y / 32);
            let glyph = LINE.chars().cycle().nth(x / 16 + 5 * line).and_then(|letter| font8x8::BASIC_FONTS.get(letter));
            row >= 8 || glyph.is_none_or(|glyph| glyph[row] >> (x % 16 / 2) & 1 == 0)
        }),
        // Stripes and scratches over a fifth of the picture.
        _ => Mask::from_fn(height, width, |y, x| (x + y / 3) % 48 >= 6 && (y + x / 5) % 64 >= 6),
    }
}

fn without_color(photo: &Picture) -> Picture {
    let mut pixels = photo.pixels().clone();
    for pixel in pixels.pixels_mut() {
        pixel.0 = [pixel.0.iter().sum::<f32>() / 3.0; 3];
    }
    Picture::new(pixels)
}

/// A degraded picture.
struct Made {
    config: RestoreConfig,
    measurement: Measurement,
    y: Tensor<4>,
}

impl Made {
    fn new(restorer: &Restorer, photo: &Picture, (name, task, values): Case, sigma: f64) -> Result<Self> {
        let size = [photo.height(), photo.width()];
        let values = values.iter().fold(Values::default(), |all, (name, text)| all.with(name, text));
        let degradation = match task {
            "inpaint" => Degradation::from(Inpainting { mask: holes(name, size) }),
            _ => degradation::of_task(task, &values, &degradation::Context { size, seed: 3, ..Default::default() })?
                .into(),
        };
        let device = &restorer.device().device;
        let channels = if photo.is_gray() { Channels::Gray } else { Channels::Independent };
        let config = RestoreConfig { seed: 7, ..RestoreConfig::of(degradation, sigma, channels) };
        let measurement = Measurement::of(&config, size, device)?;
        let y = measurement.measure(photo.to_tensor(device));
        let noise = Seeded::new(7, Stream::Measurement).draw(y.dims(), device);
        let y = measurement.with_noise(y, noise, signed_sigma(sigma));
        let channels = y.dims()[1];
        let y = match measurement.is_picture() {
            // Grey files hold one channel.
            true => Picture::from_tensor(y)?.in_eight_bits().to_tensor(device).narrow(1, 0, channels),
            false => y,
        };
        Ok(Self { config, measurement, y })
    }

    fn restored(
        &self,
        restorer: &Restorer,
        photo: &Picture,
        method: Option<&str>,
        options: &Options,
    ) -> Result<(Quality, f64)> {
        let begun = Instant::now();
        let overrides = Overrides { method: method.map(str::to_owned), ..Overrides::default() };
        let quality = if self.measurement.is_picture() {
            let source = Source::Photo(Picture::from_tensor(self.y.clone())?.in_eight_bits());
            let request = Request {
                degradation: Auto::Given(self.config.degradation.clone()),
                sigma: options.known.then_some(self.config.sigma).into(),
                seed: self.config.seed,
                overrides,
                ..Request::default()
            };
            let config = changed(&request.resolve(&source, &Silent)?, &options.settings)?;
            compared(restorer.restore(&source, &config, &Silent)?.picture, photo)
        } else {
            let mut config = self.config.clone();
            overrides.apply(&mut config)?;
            let config = changed(&config, &options.settings)?;
            let data = self.measurement.data(self.y.clone(), DataModel::Exact);
            let mut noise = Seeded::new(config.seed, Stream::Sampling);
            let restored = restorer.sample(&self.measurement, &data, &config, &mut noise, &Silent)?;
            compared(Picture::from_tensor(restored)?, photo)
        };
        Ok((quality, begun.elapsed().as_secs_f64()))
    }

    fn write(
        &self,
        folder: &Path,
        photo: &Picture,
        (name, task, values): Case,
        sigma: f64,
        result: Map<String, Value>,
    ) -> Result<()> {
        let folder = folder.join(format!("{name}-{sigma}"));
        std::fs::create_dir_all(&folder)?;
        photo.write(&folder.join("original.png"))?;
        let [_, c, h, w] = self.y.dims();
        let y = ((self.y.clone() + 1.0) / 2.0).permute([0, 2, 3, 1]);
        let y: Vec<f32> = y.try_into_vec_as().map_err(|e| anyhow::anyhow!("{e}"))?;
        let file = std::io::BufWriter::new(std::fs::File::create(folder.join("input.npy"))?);
        let shape = [h as u64, w as u64, c as u64];
        let mut array = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
        array.extend(y)?;
        array.finish()?;
        let parameters: Map<String, Value> =
            values.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect();
        let mut case =
            json!({ "case": name, "task": task, "sigma": sigma, "parameters": parameters, "result": result });
        match &self.config.degradation.stages()[0] {
            Stage::Deblur(blur) => {
                let kernel = blur.psf.kernel()?;
                case["kernel"] = kernel.values.chunks(kernel.width).map(Value::from).collect();
            }
            Stage::Inpainting(holes) => {
                let [height, width] = holes.mask.size().map(|side| side as u32);
                let bytes = holes.mask.values().into_iter().map(|known| if known > 0.0 { 255 } else { 0 }).collect();
                let mask = image::GrayImage::from_raw(width, height, bytes).context("a value for every pixel")?;
                mask.save(folder.join("mask.png"))?;
            }
            _ => {}
        }
        Ok(std::fs::write(folder.join("case.json"), case.to_string())?)
    }
}

fn compared(picture: Picture, photo: &Picture) -> Quality {
    let ssim = ssim(picture.pixels(), photo.pixels()).unwrap_or(f64::NAN);
    [psnr(picture.pixels(), photo.pixels()), ssim]
}

/// Parameters that a configuration leaves out where they have their defaults.
const LEFT_OUT: [&str; 2] = ["bm3d", "channels"];

fn changed(config: &RestoreConfig, settings: &[(String, Value)]) -> Result<RestoreConfig> {
    let mut value = serde_json::to_value(config)?;
    for (path, new) in settings {
        let (folder, name) = path.rsplit_once('.').unwrap_or(("", path));
        let pointer =
            folder.split('.').filter(|part| !part.is_empty()).map(|part| format!("/{part}")).collect::<String>();
        let folder = value.pointer_mut(&pointer).and_then(Value::as_object_mut);
        let folder = folder.with_context(|| format!("there is no parameter {path}"))?;
        anyhow::ensure!(folder.contains_key(name) || LEFT_OUT.contains(&path.as_str()), "there is no parameter {path}");
        folder.insert(name.to_owned(), new.clone());
    }
    Ok(serde_json::from_value(value)?)
}

fn parse() -> Result<Options> {
    let mut options = Options::default();
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--device" => options.device = Some(value()?),
            "--task" => options.tasks.push(value()?),
            "--noise" => options.noise.push(value()?.parse()?),
            "--method" => options.methods.push(value()?),
            "--known" => options.known = true,
            "--gray" => options.gray = true,
            "--write" => options.write = Some(value()?.into()),
            "--set" => {
                let setting = value()?;
                let (path, json) = setting.split_once('=').context("--set takes PATH=JSON")?;
                options.settings.push((path.to_owned(), serde_json::from_str(json)?));
            }
            _ => options.pictures.push(word.into()),
        }
    }
    if options.noise.is_empty() {
        options.noise = vec![0.0, 0.01, 0.02, 0.05, 0.1, 0.2];
    }
    if options.pictures.is_empty() {
        let samples = std::fs::read_dir("assets/samples")?.filter_map(|entry| Some(entry.ok()?.path()));
        options.pictures = samples.filter(|path| path.extension().is_some_and(|ending| ending == "png")).collect();
        options.pictures.sort();
    }
    Ok(options)
}
