//! What is found out of photos.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fdgr::degradation::{Context, Degradation, of_task};
use fdgr::estimate::{self, BlurEstimate, Confidence, Grain, NoiseEstimate};
use fdgr::noise::{Noise, Seeded, Stream};
use fdgr::parameter::Values;
use fdgr::picture::Picture;
use fdgr::psf::Psf;
use fdgr::restore::{Border, Source};
use image::{GenericImageView, ImageBuffer, ImageEncoder, Luma, Rgb, Rgb32FImage, imageops};

/// Pictures that the prior was not trained on.
fn samples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("assets/samples").unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "png")).collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

fn photo(path: &Path) -> Rgb32FImage {
    Picture::read(path).unwrap().pixels().clone()
}

/// Standard normals of the size of a picture, as many as it has samples.
fn normals(pixels: &Rgb32FImage) -> Vec<f32> {
    let shape = [1, 3, pixels.height() as usize, pixels.width() as usize];
    Seeded::new(11, Stream::Measurement).draw(shape, &Device::flex()).try_into_vec_as().unwrap()
}

/// The photo with noise of standard deviation `sigma`/255 in a file of 8 bits; `mix` makes that of a pixel's channels from normals.
fn noisy(pixels: &Rgb32FImage, sigma: f32, mix: impl Fn([f32; 3]) -> [f32; 3]) -> Rgb32FImage {
    let (z, n) = (normals(pixels), (pixels.width() * pixels.height()) as usize);
    Rgb32FImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let i = (y * pixels.width() + x) as usize;
        let noise = mix([z[i], z[n + i], z[2 * n + i]]);
        let value = |c: usize| (pixels.get_pixel(x, y)[c] + noise[c] * sigma / 255.0).clamp(0.0, 1.0);
        Rgb([0, 1, 2].map(|c| (value(c) * 255.0).round() / 255.0))
    })
}

fn white(z: [f32; 3]) -> [f32; 3] {
    z
}

fn luma([z, ..]: [f32; 3]) -> [f32; 3] {
    [z; 3]
}

/// Root mean square of a difference, in 255ths.
fn distance(a: &Rgb32FImage, b: &Rgb32FImage) -> f64 {
    let squares: f64 = a.iter().zip(b.iter()).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (squares / a.len() as f64).sqrt() * 255.0
}

fn in_255ths(estimate: &NoiseEstimate) -> f64 {
    estimate.sigma * 255.0
}

/// What a JPEG file makes of a picture.
fn compressed(pixels: &Rgb32FImage, quality: u8) -> Rgb32FImage {
    let bytes: Vec<u8> = pixels.iter().map(|v| (v * 255.0).round() as u8).collect();
    let mut file = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality);
    encoder.write_image(&bytes, pixels.width(), pixels.height(), image::ExtendedColorType::Rgb8).unwrap();
    image::load_from_memory(&file).unwrap().into_rgb32f()
}

#[test]
fn white_noise_is_measured_to_5_percent() {
    for path in samples() {
        let clean = photo(&path);
        for sigma in [2.0, 5.0, 10.0, 20.0, 35.0, 50.0] {
            let made = noisy(&clean, sigma, white);
            // Black and white cut some of it off; where they do not it has the strength that was added.
            let (added, left) = (f64::from(sigma), distance(&made, &clean));
            let estimate = estimate::noise(&Picture::new(made));
            let nearest = in_255ths(&estimate).clamp(left.min(added), added.max(left));
            let error = (in_255ths(&estimate) - nearest).abs();
            let bound = (0.05 * added).max(0.6);
            assert!(error <= bound, "{}: {estimate:?} for {left:.2} to {added}/255", path.display());
            assert!(
                !estimate.is_shared() && estimate.grain == Grain::Fine,
                "{}, {sigma}: {estimate:?}",
                path.display()
            );
        }
    }
}

#[test]
fn noise_of_luma_alone_is_told_by_its_covariance() {
    for path in samples() {
        let clean = photo(&path);
        for sigma in [5.0, 10.0, 25.0] {
            let estimate = estimate::noise(&Picture::new(noisy(&clean, sigma, luma)));
            // Texture is of luma as well, and is told from it less well than from white noise.
            let error = (in_255ths(&estimate) - f64::from(sigma)).abs();
            assert!(error <= (0.1 * f64::from(sigma)).max(0.8), "{}, {sigma}: {estimate:?}", path.display());
            assert!(estimate.is_shared() && estimate.correlation() > 0.9, "{}, {sigma}: {estimate:?}", path.display());
        }
    }
}

#[test]
fn clean_photos_and_drawings_are_called_clean() {
    for path in samples() {
        let clean = photo(&path);
        for (what, pixels) in [("as it is", clean.clone()), ("JPEG", compressed(&clean, 85))] {
            let estimate = estimate::noise(&Picture::new(pixels));
            assert!(in_255ths(&estimate) < 2.0, "{} {what}: {estimate:?}", path.display());
        }
    }
    let flat = |color: [f32; 3]| Picture::new(Rgb32FImage::from_pixel(64, 48, Rgb(color)));
    // Black strokes on white paper, and dots.
    let strokes = Rgb32FImage::from_fn(128, 128, |x, y| Rgb([f32::from(u8::from((x / 3 + y / 11) % 4 > 0)); 3]));
    let dots = Rgb32FImage::from_fn(64, 64, |x, y| Rgb([f32::from(u8::from((x + y) % 2 == 0)); 3]));
    for (what, picture) in [
        ("white", flat([1.0; 3])),
        ("red", flat([0.8, 0.1, 0.1])),
        ("strokes", Picture::new(strokes)),
        ("dots", Picture::new(dots)),
        ("one pixel", Picture::new(Rgb32FImage::new(1, 1))),
    ] {
        let estimate = estimate::noise(&picture);
        assert!(estimate.is_clean(), "{what}: {estimate:?}");
    }
}

#[test]
fn bars_flat_areas_and_what_is_transparent_are_left_out() {
    let (sigma, path) = (20.0, &samples()[0]);
    let made = noisy(&photo(path), sigma, white);
    let (width, height) = made.dimensions();
    let framed = |color: f32| {
        let mut canvas = Rgb32FImage::from_pixel(width * 2, height * 2, Rgb([color; 3]));
        imageops::replace(&mut canvas, &made, 0, 0);
        Picture::new(canvas)
    };
    let mut cut_out = framed(0.4);
    let opaque = |x: u32, y: u32| Luma([if x < width && y < height { 1.0 } else { 0.0 }]);
    cut_out.extras.alpha = Some(ImageBuffer::from_fn(width * 2, height * 2, opaque));
    for (what, picture) in
        [("black bars", framed(0.0)), ("white margin", framed(1.0)), ("grey card", framed(0.5)), ("cut out", cut_out)]
    {
        let error = (in_255ths(&estimate::noise(&picture)) - f64::from(sigma)).abs();
        assert!(error <= 0.05 * f64::from(sigma), "{what}: off by {error:.2}/255");
    }
}

#[test]
fn noise_of_jpeg_and_enlarged_photos_is_seen() {
    // A picture that is fine texture throughout, as one of the samples is, hides coarse noise.
    let hidden = 1;
    for (sigma, quality) in [(10.0, 75), (10.0, 90), (25.0, 90)] {
        let right = |path: &PathBuf| {
            let file = compressed(&noisy(&photo(path), sigma, white), quality);
            let ratio = in_255ths(&estimate::noise(&Picture::new(file))) / f64::from(sigma);
            (1.0 / 1.5..1.5).contains(&ratio)
        };
        let count = samples().iter().filter(|path| right(path)).count();
        assert!(count + hidden >= samples().len(), "{sigma} at {quality}: {count} right");
    }
    let seen = |path: &PathBuf| {
        let small = noisy(&photo(path).view(0, 0, 128, 128).to_image(), 10.0, white);
        let large = imageops::resize(&small, 256, 256, imageops::FilterType::CatmullRom);
        let estimate = estimate::noise(&Picture::new(large));
        estimate.grain == Grain::Coarse && in_255ths(&estimate) > 6.0
    };
    let count = samples().iter().filter(|path| seen(path)).count();
    assert!(count + hidden >= samples().len(), "enlarged: {count} seen");
}

fn blur_of(photo: &Picture) -> Option<BlurEstimate> {
    estimate::blur(photo, &estimate::noise(photo)).filter(|found| found.confidence == Confidence::High)
}

/// Whether a blur that was found is the one of a kernel such as `gauss:1.6`.
fn is_right(found: &Psf, kernel: &str) -> bool {
    let (kind, numbers) = kernel.split_once(':').unwrap();
    let numbers: Vec<f64> = numbers.split(',').map(|number| number.parse().unwrap()).collect();
    match (found, kind, &numbers[..]) {
        (Psf::Gaussian { sigma, .. }, "gauss", [expected]) => (sigma / expected - 1.0).abs() <= 0.2,
        (Psf::Motion { length, angle }, "motion", [expected, direction]) => {
            let turned = (angle - direction + 90.0).rem_euclid(180.0) - 90.0;
            (length / expected - 1.0).abs() <= 0.12 && turned.abs() <= 8.0
        }
        _ => false,
    }
}

#[test]
fn blurs_are_found() {
    let table: serde_json::Value = serde_json::from_slice(&std::fs::read("tests/data/blurs.json").unwrap()).unwrap();
    for case in table["cases"].as_array().unwrap() {
        let kernel = case["kernel"].as_str().unwrap();
        let stage = of_task("deblur", &Values::default().with("kernel", kernel), &Context::default()).unwrap();
        let (degradation, sigma) = (Degradation::from(stage), case["sigma"].as_f64().unwrap() / 255.0);
        let blurred = samples().into_iter().map(|path| {
            let photo = Picture::read(&path).unwrap();
            match Source::degraded(&photo, &degradation, Border::Extend, sigma, 5).unwrap() {
                Source::Photo(photo) => photo.in_eight_bits(),
                Source::Sensed(_) => unreachable!(),
            }
        });
        let found: Vec<BlurEstimate> = blurred.filter_map(|photo| blur_of(&photo)).collect();
        let wrong = found.iter().filter(|found| !is_right(&found.psf, kernel)).count();
        let [least, most] = ["found", "wrong"].map(|name| case[name].as_u64().unwrap() as usize);
        assert!(found.len() >= least, "{case}: {} found", found.len());
        assert!(wrong <= most, "{case}: {found:?}");
    }
}

#[test]
fn sharp_photos_are_not_called_blurred() {
    for path in samples() {
        let clean = photo(&path);
        for (what, pixels) in [("as it is", clean.clone()), ("noisy", noisy(&clean, 5.0, white))] {
            assert_eq!(blur_of(&Picture::new(pixels)), None, "{} {what}", path.display());
        }
        assert_eq!(estimate::enlargement(&Picture::new(clean)), None, "{}", path.display());
    }
}

#[test]
fn enlargements_are_found() {
    for path in samples() {
        let clean = photo(&path);
        for (factor, filter) in [
            (1.5, imageops::FilterType::CatmullRom),
            (2.0, imageops::FilterType::Triangle),
            (2.0, imageops::FilterType::Lanczos3),
            (3.0, imageops::FilterType::CatmullRom),
        ] {
            let side = |side: u32| (f64::from(side) * factor) as u32;
            let small = clean.view(0, 0, 200, 160).to_image();
            let mut large = imageops::resize(&small, side(200), side(160), filter);
            large.iter_mut().for_each(|v| *v = (v.clamp(0.0, 1.0) * 255.0).round() / 255.0);
            let found = estimate::enlargement(&Picture::new(large)).unwrap_or(1.0);
            assert!((found / factor - 1.0).abs() < 0.02, "{} by {factor}, {filter:?}: {found}", path.display());
        }
    }
}
