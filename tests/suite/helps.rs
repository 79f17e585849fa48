//! Restorations of photos with the defaults of every task: they help, and magnify nothing.

use std::mem::discriminant;
use std::path::Path;
use std::sync::OnceLock;

use burn::tensor::Device;
use fdgr::bm3d::{Planes, bm3d};
use fdgr::control::Silent;
use fdgr::degradation::{
    self, Context, Degradation, Form, Mask, Psf, deblur::Deblur, denoising, inpainting::Inpainting,
};
use fdgr::device;
use fdgr::metrics::psnr;
use fdgr::noise::{Noise, Seeded, Stream, splitmix64};
use fdgr::parameter::Values;
use fdgr::picture::Picture;
use fdgr::restore::{
    Border, Measurement, Overrides, Preference, PriorChoice, Quality, Request, Restorer, Source, Wish,
};
use fdgr::sampler::signed_sigma;
use image::{GenericImageView, Rgb, Rgb32FImage};

/// Pictures that the prior was not trained on.
const PICTURES: [&str; 2] = ["assets/samples/10_otter.png", "assets/samples/21_citrus.png"];

/// The built-in prior on the CPU.
fn restorer() -> &'static Restorer {
    static RESTORER: OnceLock<Restorer> = OnceLock::new();
    RESTORER.get_or_init(|| {
        let device = device::open("cpu").expect("the CPU");
        Restorer::load(&PriorChoice::default(), device, &Silent).expect("the built-in prior")
    })
}

/// A row of `tests/data/helps.json`.
#[derive(serde::Deserialize)]
struct Case {
    task: String,
    #[serde(default)]
    parameters: std::collections::BTreeMap<String, String>,
    sigma: f64,
    /// How far the result is above the classical estimate at least, in dB: half of what `cargo bench --bench quality` gave
    /// on the worse of the pictures.
    margin: f64,
    /// How far it may be below the input, in dB: colours are drawn, and may be wrong.
    #[serde(default)]
    loss: f64,
}

impl Case {
    fn degradation(&self, size: [usize; 2]) -> Degradation {
        if self.task == "inpaint" {
            let known = |y: usize, x: usize| !splitmix64((y * size[1] + x) as u64).is_multiple_of(5);
            return Inpainting { mask: Mask::from_fn(size[0], size[1], known) }.into();
        }
        let values = self.parameters.iter().fold(Values::default(), |all, (name, text)| all.with(name, text));
        degradation::of_task(&self.task, &values, &Context { size, seed: 3, ..Default::default() })
            .expect("a task")
            .into()
    }
}

/// A picture, cropped so that every scale divides its sides.
fn photo(path: &str, side: u32) -> Picture {
    Picture::new(Picture::read(Path::new(path)).unwrap().pixels().view(0, 0, side, side).to_image())
}

/// The same without colour.
fn gray(photo: &Picture) -> Picture {
    let mean = |p: &Rgb<f32>| [p.0.iter().sum::<f32>() / 3.0; 3];
    let pixels = photo.pixels();
    Picture::new(Rgb32FImage::from_fn(pixels.width(), pixels.height(), |x, y| Rgb(mean(pixels.get_pixel(x, y)))))
}

/// A file of 8 bits of what a degradation makes of a photo, and the classical estimate of the photo.
fn degraded(photo: &Picture, degradation: &Degradation, sigma: f64) -> (Picture, Picture) {
    let device = Device::flex();
    let size = [photo.height(), photo.width()];
    let measurement = Measurement::new(degradation, Border::Extend, size, &device).expect("a measurement");
    let y = measurement.measure(photo.to_tensor(&device));
    let noise = Seeded::new(7, Stream::Measurement).draw(y.dims(), &device);
    // Grey photos have one noise.
    let noise = if photo.is_gray() { noise.narrow(1, 0, 1).repeat_dim(1, y.dims()[1]) } else { noise };
    let y = measurement.with_noise(y, noise, signed_sigma(sigma));
    let file = Picture::from_tensor(y).unwrap().in_eight_bits();
    let y = measurement.of_photo(file.to_tensor(&device)).expect("a measurement");
    let estimate = measurement.crop(measurement.estimate(&y, signed_sigma(sigma)).expect("an estimate"));
    (file, Picture::from_tensor(estimate).unwrap())
}

fn restored(picture: Picture, degradation: &Degradation, sigma: Option<f64>) -> Picture {
    let source = Source::Photo(picture);
    let request = Request { sigma: sigma.into(), ..Request::new(degradation.clone()) };
    let config = request.resolve(&source, &Silent).expect("a configuration");
    restorer().restore(&source, &config, &Silent).expect("a result").picture
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/helps.json")).unwrap();
    let tasks = degradation::kinds().iter().map(|kind| kind.task).filter(|task| *task != "cs");
    for task in tasks {
        assert!(cases.iter().any(|case| case.task == task), "no case of {task}");
    }
    cases
}

#[test]
fn every_task_helps_with_and_without_the_level_of_the_noise() {
    let mut missed = Vec::new();
    for case in cases() {
        for path in PICTURES {
            let photo = photo(path, 192);
            let degradation = case.degradation([192, 192]);
            let (input, estimate) = degraded(&photo, &degradation, case.sigma);
            let quality = |picture: &Picture| psnr(picture.pixels(), photo.pixels());
            let same_size = (input.width(), input.height()) == (photo.width(), photo.height());
            let before = if same_size { quality(&input) } else { 0.0 };
            for sigma in [Some(case.sigma), None] {
                let (after, classical) = (quality(&restored(input.clone(), &degradation, sigma)), quality(&estimate));
                if after <= before - case.loss || after < classical + case.margin {
                    missed.push(format!(
                        "{path}, {} {:?} at {}, told {sigma:?}: {after:.2} dB, where the input has {before:.2} dB, the classical \
                         estimate {classical:.2} dB, and {:.2} dB more are due",
                        case.task, case.parameters, case.sigma, case.margin
                    ));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Of weak noise in texture the prior alone knows less than what repeats in the photo. Of grey photos the noise is told: in fine texture one channel
/// does not tell noise of 0.01, which is then said with low confidence.
#[test]
fn denoising_is_as_good_as_bm3d_that_is_told_the_noise() {
    const ESTIMATED: f64 = 0.1;
    let degradation = Degradation::from(denoising::Denoising {});
    for path in PICTURES {
        let color = photo(path, 192);
        for (photo, channels) in [(&color, 3), (&gray(&color), 1)] {
            for sigma in [0.01, 0.02, 0.05, 0.1] {
                let told = (channels == 1).then_some(sigma);
                let (input, _) = degraded(photo, &degradation, sigma);
                let plane = |c: usize| input.pixels().pixels().map(|pixel| pixel[c]).collect();
                let noisy = Planes { channels: (0..channels).map(plane).collect(), height: 192, width: 192 };
                let answer = bm3d(&noisy, None, sigma as f32, |_, _| true).expect("it is large enough").channels;
                let answer = Rgb32FImage::from_fn(192, 192, |x, y| {
                    Rgb([0, 1, 2].map(|c: usize| answer[c.min(channels - 1)][(y * 192 + x) as usize].clamp(0.0, 1.0)))
                });
                let restored = restored(input, &degradation, told);
                let (after, classical) = (psnr(restored.pixels(), photo.pixels()), psnr(&answer, photo.pixels()));
                assert!(
                    after >= classical - ESTIMATED,
                    "{path} at {sigma}, {channels} channels: {after:.2} dB, BM3D {classical:.2} dB"
                );
            }
        }
    }
}

/// Mean square of second differences along rows and columns of luma, which are strongest at the highest frequencies.
fn sharpness(picture: &Picture) -> f64 {
    let pixels = picture.pixels();
    let luma = |x: u32, y: u32| pixels.get_pixel(x, y).0.iter().map(|&v| f64::from(v)).sum::<f64>() / 3.0;
    let places = (1..pixels.height() - 1).flat_map(|y| (1..pixels.width() - 1).map(move |x| (x, y)));
    let squares = places.map(|(x, y)| {
        let across = luma(x - 1, y) - 2.0 * luma(x, y) + luma(x + 1, y);
        let down = luma(x, y - 1) - 2.0 * luma(x, y) + luma(x, y + 1);
        across * across + down * down
    });
    squares.sum::<f64>() / f64::from((pixels.height() - 2) * (pixels.width() - 2))
}

/// On average over the pictures: within a third for noise, and for blurs half of it at least, where the most probable picture has a fifth.
#[test]
fn natural_results_are_as_sharp_as_photographs() {
    let blur = Some(("kernel", "gauss:1.6"));
    for (task, parameters, sigma, least) in [("denoise", None, 0.1, 0.75), ("deblur", blur, 0.02, 0.45)] {
        let values = parameters.iter().fold(Values::default(), |all, (name, text)| all.with(name, text));
        let context = Context { size: [192, 192], seed: 3, ..Default::default() };
        let degradation: Degradation = degradation::of_task(task, &values, &context).expect("a task").into();
        let shares = PICTURES.map(|path| {
            let photo = photo(path, 192);
            let (input, _) = degraded(&photo, &degradation, sigma);
            let source = Source::Photo(input);
            let overrides = Overrides { preference: Some(Preference::Naturalness), ..Overrides::default() };
            let request = Request { sigma: Some(sigma).into(), overrides, ..Request::new(degradation.clone()) };
            let config = request.resolve(&source, &Silent).expect("a configuration");
            sharpness(&restorer().restore(&source, &config, &Silent).expect("a result").picture) / sharpness(&photo)
        });
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        assert!((least..1.33).contains(&mean), "{task}: {shares:?}");
    }
}

#[test]
fn grey_photos_are_restored_about_as_well_as_coloured_ones() {
    // A colour's noise is averaged out over three channels, so that a grey photo of the same noise is worse.
    const AVERAGED: f64 = 2.5;
    for (task, parameters, sigma) in [("denoise", "", 0.1), ("deblur", "gauss:1.6", 0.04), ("sr", "2", 0.08)] {
        let named = if task == "deblur" { "kernel" } else { "scale" };
        let parameters = (!parameters.is_empty()).then(|| (named.to_owned(), parameters.to_owned()));
        let case =
            Case { task: task.into(), parameters: parameters.into_iter().collect(), sigma, margin: 0.0, loss: 0.0 };
        let degradation = case.degradation([192, 192]);
        for path in PICTURES {
            let color = photo(path, 192);
            let quality = |photo: &Picture| {
                let (input, _) = degraded(photo, &degradation, sigma);
                let after = restored(input.clone(), &degradation, None);
                assert_eq!(after.is_gray(), photo.is_gray());
                psnr(after.pixels(), photo.pixels())
            };
            let (in_color, in_gray) = (quality(&color), quality(&gray(&color)));
            assert!(in_gray > in_color - AVERAGED, "{path}, {task}: {in_gray:.2} dB grey, {in_color:.2} dB in colour");
        }
    }
}

#[test]
fn noise_of_luma_alone_is_taken_away_told_or_not() {
    let denoising = Case { task: "denoise".into(), parameters: [].into(), sigma: 0.08, margin: 0.0, loss: 0.0 };
    for path in PICTURES {
        let clean = photo(path, 192);
        let shape = [1, 1, clean.height(), clean.width()];
        let z: Vec<f32> = Seeded::new(9, Stream::Measurement).draw(shape, &Device::flex()).try_into_vec_as().unwrap();
        let mut pixels = clean.pixels().clone();
        pixels.pixels_mut().zip(&z).for_each(|(pixel, z)| pixel.0 = pixel.0.map(|v| v + 0.08 * z));
        let noisy = Picture::new(pixels).in_eight_bits();
        for sigma in [None, Some(denoising.sigma)] {
            let after = restored(noisy.clone(), &denoising.degradation([192, 192]), sigma);
            let [before, after] = [&noisy, &after].map(|picture| psnr(picture.pixels(), clean.pixels()));
            assert!(after > before + 5.0, "{path}, told {sigma:?}: {before:.2} dB become {after:.2}");
        }
    }
}

#[test]
fn nothing_is_magnified() {
    for case in cases() {
        for path in PICTURES {
            let color = photo(path, 96);
            let photos = if case.task == "colorize" { vec![color] } else { vec![color.clone(), gray(&color)] };
            for photo in photos {
                let degradation = case.degradation([96, 96]);
                let (input, _) = degraded(&photo, &degradation, case.sigma);
                let mut pixels = input.pixels().clone();
                for (i, pixel) in pixels.pixels_mut().enumerate() {
                    // Of one sign in all channels, so that a grey picture stays one.
                    let change = if splitmix64(i as u64) & 1 == 0 { 1e-6 } else { -1e-6 };
                    pixel.0 = pixel.0.map(|v| v + change);
                }
                let [one, other] = [input, Picture::new(pixels)].map(|p| restored(p, &degradation, Some(case.sigma)));
                let pairs = one.pixels().iter().zip(other.pixels().iter());
                let worst = pairs.fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
                let what = format!("{path}, {}, grey: {}", case.task, photo.is_gray());
                assert!(worst <= 1.0 / 255.0, "{what}: a change of 1e-6 becomes one of {worst}");
            }
        }
    }
}

#[test]
fn what_needs_no_restoring_is_hardly_touched() {
    let denoising = Case { task: "denoise".into(), parameters: [].into(), sigma: 0.0, margin: 0.0, loss: 0.0 };
    for path in PICTURES {
        let photo = photo(path, 192);
        let after = restored(photo.clone(), &denoising.degradation([192, 192]), None);
        let quality = psnr(after.pixels(), photo.pixels());
        assert!(quality > 45.0, "{path}: a clean photo comes out at {quality:.2} dB");
    }
    let doubled = Case {
        task: "sr".into(),
        parameters: [("scale".into(), "2".into())].into(),
        sigma: 0.0,
        margin: 0.0,
        loss: 0.0,
    };
    let text = Rgb32FImage::from_fn(64, 64, |x, y| {
        let ink = (16..48).contains(&x) && y > 20 && y < 44 && (x / 3 + y / 5) % 3 == 0;
        Rgb([f32::from(u8::from(!ink)); 3])
    });
    let flat = |color: [f32; 3]| Rgb32FImage::from_pixel(64, 64, Rgb(color));
    let red = [200.0 / 255.0, 30.0 / 255.0, 30.0 / 255.0];
    for (what, pixels, paper) in
        [("white", flat([1.0; 3]), [1.0; 3]), ("red", flat(red), red), ("text", text, [1.0; 3])]
    {
        let after = restored(Picture::new(pixels), &doubled.degradation([128, 128]), None);
        // Far from the ink.
        let far = after.pixels().enumerate_pixels().filter(|(x, y, _)| *y < 24 || *y >= 104 || *x < 16 || *x >= 112);
        let worst = far.fold(0f32, |worst, (_, _, p)| (0..3).fold(worst, |w, c| w.max((p[c] - paper[c]).abs())));
        assert!(worst < 0.5 / 255.0, "{what}: flat areas are off by {:.1}/255", worst * 255.0);
    }
}

/// Lenses out of focus and a shake that nobody told: at least this many dB above the photo.
#[test]
fn kernels_that_nobody_told_are_found_and_undone() {
    let wish = Wish {
        tasks: vec!["deblur".into()],
        values: Values::default().with("kernel", "auto"),
        overrides: Overrides { quality: Some(Quality::Draft), ..Overrides::default() },
        ..Wish::default()
    };
    let shaken = Psf::Random { size: 25, intensity: 0.5, seed: 4 };
    // The citrus are against white that is cut off, which hides how far they were shaken.
    let cases = [
        (Psf::Disc { radius: 3.0 }, PICTURES[0], 3.0),
        (Psf::Disc { radius: 3.0 }, PICTURES[1], 3.0),
        // A disc would explain what this made as well.
        (Psf::gaussian(2.5), PICTURES[0], 1.5),
        (shaken, PICTURES[0], 2.0),
    ];
    for (psf, path, gain) in cases {
        let photo = photo(path, 256);
        let degradation = Deblur { psf: psf.clone(), form: Form::Fft }.into();
        let (blurred, _) = degraded(&photo, &degradation, 1.0 / 255.0);
        let before = psnr(blurred.pixels(), photo.pixels());
        let source = Source::Photo(blurred);
        let request = wish.request(&source).unwrap_or_else(|e| panic!("{psf}, {path}: {e}"));
        let config = request.resolve(&source, &Silent).expect("a configuration");
        assert!(config.refine && request.is_open(&source));
        let restored = restorer().restore(&source, &config, &Silent).expect("a picture");
        let after = psnr(restored.picture.pixels(), photo.pixels());
        let found = restored.config.psf().expect("a kernel");
        assert!(after >= before + gain, "{psf}, {path}: {before:.2} dB, restored {after:.2} with {found}");
        let is_shape = matches!(psf, Psf::Disc { .. } | Psf::Gaussian { .. });
        assert!(!is_shape || discriminant(found) == discriminant(&psf), "{psf}, {path}: {found}");
        assert!(!restored.config.refine, "a recipe repeats the kernel, and not the search");
        let kernel = restored.config.kernel_picture().unwrap().expect("a kernel");
        assert!(kernel.width() >= 5 && kernel.pixels().iter().any(|&v| v >= 1.0));
    }
    let sharp = Source::Photo(photo(PICTURES[0], 256));
    let refused = wish.request(&sharp).expect_err("no blur").to_string();
    assert!(refused.contains("no blur was found"), "{refused}");
}
