//! Old photos: faded, blurred, noisy and scratched ones come closer to what they were.

use std::path::Path;

use fdgr::control::Silent;
use fdgr::degradation::{Degradation, Form, Psf, deblur::Deblur, denoising::Denoising};
use fdgr::device;
use fdgr::job::{Job, Opened};
use fdgr::metrics::psnr;
use fdgr::parameter::Values;
use fdgr::picture::{Picture, Writing};
use fdgr::recipe::Input;
use fdgr::restore::{Border, OLD_PHOTO, PriorChoice, Restorer, Source, Wish};
use image::{Rgb, Rgb32FImage};

const BLACK: [f32; 3] = [0.2, 0.15, 0.11];
const WHITE: [f32; 3] = [0.88, 0.79, 0.68];

fn sample(name: &str) -> Picture {
    Picture::read(Path::new(&format!("assets/samples/{name}.png"))).unwrap().cropped(40, 40, 160, 160)
}

/// The photo faded, and then degraded.
fn old(photo: &Picture, degradation: &Degradation, noise: f64) -> Picture {
    let faded = Rgb32FImage::from_fn(photo.pixels().width(), photo.pixels().height(), |x, y| {
        let Rgb(pixel) = *photo.pixels().get_pixel(x, y);
        Rgb([0, 1, 2].map(|c| BLACK[c] + (WHITE[c] - BLACK[c]) * pixel[c]))
    });
    match Source::degraded(&Picture::new(faded), degradation, Border::Extend, noise, 4).unwrap() {
        Source::Photo(photo) => photo.in_eight_bits(),
        Source::Sensed(_) => panic!("it is a picture"),
    }
}

/// PSNR after the best factor and offset of each channel: how bright white was, nobody can know.
fn fitted(result: &Picture, truth: &Picture) -> f64 {
    let line = [0, 1, 2].map(|c| {
        let pairs =
            result.pixels().pixels().zip(truth.pixels().pixels()).map(|(a, b)| (f64::from(a[c]), f64::from(b[c])));
        let count = pairs.clone().count() as f64;
        let mean = |of: fn((f64, f64)) -> f64| pairs.clone().map(of).sum::<f64>() / count;
        let (a, b) = (mean(|(a, _)| a), mean(|(_, b)| b));
        let slope = (mean(|(a, b)| a * b) - a * b) / (mean(|(a, _)| a * a) - a * a);
        [slope, b - slope * a]
    });
    let changed = Rgb32FImage::from_fn(truth.pixels().width(), truth.pixels().height(), |x, y| {
        let Rgb(pixel) = *result.pixels().get_pixel(x, y);
        Rgb([0, 1, 2].map(|c| (line[c][0] * f64::from(pixel[c]) + line[c][1]).clamp(0.0, 1.0) as f32))
    });
    psnr(&changed, truth.pixels())
}

fn restored(restorer: &Restorer, photo: &Picture, wish: &Wish) -> Picture {
    let input = Input { path: "old.png".into(), sha256: String::new(), page: 0 };
    let job = Job::new(Opened { source: photo.clone().into(), input }, wish, &PriorChoice::default(), &Silent).unwrap();
    job.restore(restorer, &PriorChoice::default(), &Silent).unwrap().restored.picture
}

fn wish(task: &str, kernel: Option<&str>, unfade: bool) -> Wish {
    let values = kernel.map_or_else(Values::default, |kernel| Values::default().with("kernel", kernel));
    Wish { tasks: vec![task.to_owned()], values, unfade, ..Wish::default() }
}

#[test]
fn old_photos_come_closer_to_what_they_were() {
    let restorer = Restorer::load(&PriorChoice::default(), device::cpu("asked for".into()), &Silent).unwrap();
    let blur = Deblur { psf: Psf::gaussian(1.6), form: Form::Fft }.into();
    // Noise, whether it is a JPEG, the kernel where it is blurred, and what is gained at least.
    let cases: [(&Degradation, f64, bool, Option<&str>, f64); 4] = [
        (&Denoising {}.into(), 0.03, false, None, 2.0),
        (&blur, 0.0, false, Some("gauss:1.6"), 3.0),
        (&blur, 0.01, false, Some("gauss:1.6"), 1.0),
        // Half of what it was when it was measured: compression grows with the contrast.
        (&blur, 0.0, true, Some("gauss:1.6"), 0.45),
    ];
    for name in ["10_otter", "21_citrus"] {
        let truth = sample(name);
        for (degradation, noise, is_jpeg, kernel, gain) in &cases {
            let photo = old(&truth, degradation, *noise);
            let photo = match is_jpeg {
                true => {
                    let writing = Writing { quality: 85, metadata: true };
                    Picture::decode(&photo.encode("a.jpg".as_ref(), &writing).unwrap(), "a.jpg".as_ref()).unwrap()
                }
                false => photo,
            };
            let case = format!("{name}, noise {noise}, JPEG {is_jpeg}, {kernel:?}");
            let plain = if kernel.is_some() { "deblur" } else { "denoise" };
            let [before, whole, without] = [
                photo.clone(),
                restored(&restorer, &photo, &wish(OLD_PHOTO, *kernel, false)),
                restored(&restorer, &photo, &wish(plain, *kernel, false)),
            ]
            .map(|picture| fitted(&picture, &truth));
            assert!(whole > before + gain, "{case}: {before:.2} -> {whole:.2} dB");
            assert!(whole > without - 0.7, "{case}: {whole:.2} dB, and {without:.2} with its fading");
        }
    }
}

#[test]
fn a_part_of_a_photo_is_restored_as_the_whole_is() {
    let photo = old(&sample("21_citrus"), &Denoising {}.into(), 0.03);
    let source = Source::from(photo.clone());
    let settled = wish(OLD_PHOTO, None, false).settled(&source).unwrap();
    let [whole, part] =
        [&source, &Source::from(photo.cropped(0, 0, 48, 48))].map(|source| settled.request(source).unwrap());
    assert!(whole.fading.is_some());
    assert_eq!((whole.fading, whole.degradation), (part.fading, part.degradation));
}
