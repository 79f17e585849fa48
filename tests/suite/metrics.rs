//! Metrics against the packages that papers use: piqa, lpips and pytorch-fid.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use fdgr::error::Result;
use fdgr::metrics::frechet::{features, fid, kid};
use fdgr::metrics::{
    ALL, Backbone, FID, Inception, KID, LPIPS_SQUEEZE, LPIPS_VGG, Lpips, Metric, Metrics, Network, gmsd, haarpsi,
    ms_ssim, named, psnr, ssim,
};
use fdgr::picture::Picture;
use image::{Pixel, Rgb, Rgb32FImage};
use serde::Deserialize;

use crate::support::{Golden, assert_close, on_devices, unit};

/// RGB in `[0, 1]` of a golden file.
fn picture(golden: &Golden, name: &str) -> Rgb32FImage {
    let [_, _, h, w] = golden.shape(name)[..] else { panic!("an image") };
    let values = golden.values(name);
    Rgb32FImage::from_fn(w as u32, h as u32, |x, y| {
        let i = y as usize * w + x as usize;
        Rgb([0, 1, 2].map(|c| values[c * h * w + i]))
    })
}

#[test]
fn signal_to_noise_and_structural_similarity() {
    let golden = Golden::named("metrics");
    let (a, b) = (picture(&golden, "a"), picture(&golden, "b"));
    assert_close("psnr", &[psnr(&a, &b) as f32], golden.values("psnr"), 1e-4);
    let ssim = ssim(&a, &b).expect("pictures larger than the window");
    assert_close("ssim", &[ssim as f32], golden.values("ssim_piqa"), 1e-4);
    assert_eq!(ms_ssim(&a, &b), None, "a sixteenth of 64 pixels is smaller than the window");
}

/// `k`-th convolution of a network by the formula: weights `unit sqrt(6 / fan_in)`, biases a tenth of unit.
fn by_formula() -> impl FnMut(&str, &[usize]) -> Result<Vec<f32>> {
    let mut layer = 0;
    move |name, shape| {
        let count: usize = shape.iter().product();
        Ok(if name.ends_with(".bias") {
            layer += 1;
            (0..count).map(|i| (0.1 * unit(i, 1000 + layer - 1)) as f32).collect()
        } else {
            let scale = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
            (0..count).map(|i| (unit(i, layer) * scale) as f32).collect()
        })
    }
}

#[test]
fn perceptual_similarity() {
    let golden = Golden::named("metrics");
    let (a, b) = (picture(&golden, "a"), picture(&golden, "b"));
    on_devices(|on, device| {
        let lpips = Lpips::new(Backbone::AlexNet, &mut by_formula(), device).unwrap();
        let layers: Vec<f32> = lpips.layers(&a, &b).unwrap().into_iter().map(|d| d as f32).collect();
        assert_close(&format!("layers on {on}"), &layers, golden.values("lpips_alex.per_layer"), 1e-3);
        let whole = lpips.compare(&a, &b).unwrap().unwrap();
        assert_close(&format!("lpips_alex on {on}"), &[whole as f32], golden.values("lpips_alex"), 1e-3);
    });
}

#[test]
fn features_of_inception() {
    let golden = Golden::named("metrics");
    let order: Vec<String> = serde_json::from_str(&golden.metadata["inception_conv_order"]).unwrap();
    let mut tensors = |name: &str, shape: &[usize]| {
        let count: usize = shape.iter().product();
        Ok(match name.rsplit_once(".bn.") {
            Some((_, "bias")) => vec![0.1; count],
            Some((_, "running_mean")) => vec![0.0; count],
            Some(_) => vec![1.0; count],
            None => {
                let conv = name.trim_end_matches(".weight");
                let k = order.iter().position(|name| name == conv).unwrap_or_else(|| panic!("{name}"));
                let scale = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
                (0..count).map(|i| (unit(i, k) * scale) as f32).collect()
            }
        })
    };
    let inception = Inception::new(&mut tensors, &Device::flex()).unwrap();
    let actual = inception.features(&picture(&golden, "a")).unwrap();
    assert_close("features", &actual, golden.values("inception_fid.features"), 1e-3);
}

#[test]
fn distances_of_sets() {
    let golden = Golden::named("metrics");
    let set = |name: &str| {
        let width = golden.shape(name)[1];
        features(&golden.values(name).chunks(width).map(<[f32]>::to_vec).collect::<Vec<_>>())
    };
    let (a, b) = (set("fid.features_a"), set("fid.features_b"));
    let expected = f64::from(golden.values("fid")[0]);
    let actual = fid(&a, &b).unwrap();
    assert!((actual - expected).abs() <= 1e-4 * expected, "{actual} and {expected}");
    assert!(fid(&a, &a).unwrap().abs() <= 1e-6 * expected, "a set is no distance from itself");
    // Fewer pictures than features: the covariances have no inverse, and the distance is the same whoever comes first.
    let (few, many) = (a.rows(0, 5).into_owned(), b.rows(0, 7).into_owned());
    let (there, back) = (fid(&few, &many).unwrap(), fid(&many, &few).unwrap());
    assert!((there - back).abs() <= 1e-9 * there);
}

/// The unbiased squared maximum mean discrepancy with the kernel `(x · y / d + 1)³`, pair by pair.
fn discrepancy(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    let kernel = |x: &Vec<f32>, y: &Vec<f32>| {
        let product: f64 = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        (product / x.len() as f64 + 1.0).powi(3)
    };
    let pairs =
        |x: &[Vec<f32>], y: &[Vec<f32>]| -> f64 { x.iter().map(|x| y.iter().map(|y| kernel(x, y)).sum::<f64>()).sum() };
    let within = |x: &[Vec<f32>]| {
        let n = x.len() as f64;
        (pairs(x, x) - x.iter().map(|x| kernel(x, x)).sum::<f64>()) / (n * (n - 1.0))
    };
    within(a) + within(b) - 2.0 * pairs(a, b) / (a.len() * b.len()) as f64
}

#[test]
fn kernel_distances_of_sets() {
    let golden = Golden::named("metrics");
    let set = |name: &str| -> Vec<Vec<f32>> {
        golden.values(name).chunks(golden.shape(name)[1]).map(<[f32]>::to_vec).collect()
    };
    let (a, b) = (set("fid.features_a"), set("fid.features_b"));
    // By a few lines of Python.
    for (rows_a, rows_b, expected) in [(200, 200, 5.5190236035927125), (5, 7, 18.860020090217002)] {
        let (a, b) = (&a[..rows_a], &b[..rows_b]);
        let actual = kid(&features(a), &features(b)).unwrap();
        for expected in [expected, discrepancy(a, b)] {
            assert!((actual - expected).abs() <= 1e-9 * expected, "{rows_a} and {rows_b}: {actual} and {expected}");
        }
    }
    assert_eq!(kid(&features(&a), &features(&a[..1])), None);

    // Above 1000 pictures the mean over random subsets, which all but one of the pictures are in.
    let large = |offset: usize, shift: f64| -> Vec<Vec<f32>> {
        (0..1001).map(|i| (0..3).map(|j| (unit(3 * i + j, offset) + shift) as f32).collect()).collect()
    };
    let (a, b) = (large(0, 0.0), large(1, 0.5));
    let (actual, expected) = (kid(&features(&a), &features(&b)).unwrap(), discrepancy(&a, &b));
    assert!(expected > 0.1 && (actual / expected - 1.0).abs() < 0.01, "{actual} and {expected}");
    assert_eq!(kid(&features(&a), &features(&b)), Some(actual), "the subsets are the same each time");
}

#[test]
fn every_metric_has_one_row() {
    for (i, about) in ALL.iter().enumerate() {
        assert!(ALL[..i].iter().all(|other| other.name != about.name), "{}", about.name);
        assert_eq!(named(about.name), Some(*about));
    }
    assert_eq!((named("fid"), named("kid"), named("nothing")), (Some(FID), Some(KID), None));
    let plain: Vec<&str> = Metrics::plain().pictures.iter().map(|metric| metric.name()).collect();
    assert_eq!(plain, ["psnr", "ssim", "ms_ssim", "gmsd", "haarpsi"]);
    for network in Network::all() {
        assert_eq!(Network::of_model(network.model()).map(|found| found.model()), Some(network.model()));
    }
}

#[test]
fn what_cannot_be_measured_gets_a_sentence() {
    let (a, b) = (Rgb32FImage::new(70, 70), Rgb32FImage::new(70, 71));
    let error = Metrics::plain().compare(&a, &b).unwrap_err().to_string();
    assert!(error.contains("70x70") && error.contains("70x71"), "{error}");
    let lpips = Lpips::new(Backbone::AlexNet, &mut by_formula(), &Device::flex()).unwrap();
    assert!(lpips.compare(&a, &b).unwrap_err().to_string().contains("70x71"));
    // Tensors of another size than asked for.
    let short = Lpips::new(Backbone::Vgg16, &mut |_: &str, _: &[usize]| Ok(vec![0.0; 3]), &Device::flex());
    let error = short.err().expect("three numbers are no convolution").to_string();
    assert!(error.contains("features.0.weight") && error.contains("3 numbers"), "{error}");
    assert!(Inception::new(&mut |_: &str, _: &[usize]| Ok(Vec::new()), &Device::flex()).is_err());
}

/// Values by other packages for a picture and its mixture with another one.
#[derive(Deserialize)]
struct Case {
    pictures: [String; 2],
    share: f32,
    values: BTreeMap<String, f64>,
}

/// `tests/data/metrics.py` made the values.
#[test]
fn other_packages_agree() {
    let text = std::fs::read_to_string("tests/data/metrics.json").unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty());
    let networks = [(LPIPS_VGG, Backbone::Vgg16), (LPIPS_SQUEEZE, Backbone::SqueezeNet)];
    for Case { pictures, share, values } in cases {
        let [a, b] = pictures.each_ref().map(|path| Picture::read(Path::new(path)).unwrap());
        let (a, mut b) = (a.pixels(), b.pixels().clone());
        b.pixels_mut().zip(a.pixels()).for_each(|(b, a)| b.apply2(a, |b, a| a + (b - a) * share));
        let b = &b;
        for (name, expected) in values {
            let actual = match name.as_str() {
                "ms_ssim" => ms_ssim(a, b).unwrap(),
                "ssim" => ssim(a, b).unwrap(),
                "gmsd" => gmsd(a, b),
                "haarpsi" => haarpsi(a, b),
                name => {
                    let (_, backbone) =
                        networks.into_iter().find(|(about, _)| about.name == name).expect("a known metric");
                    let lpips = Lpips::new(backbone, &mut by_formula(), &Device::flex()).unwrap();
                    lpips.compare(a, b).unwrap().unwrap()
                }
            };
            let gap = (actual - expected).abs();
            assert!(gap <= 1e-3 * expected.abs(), "{name} of {pictures:?}: {actual}, elsewhere {expected}");
        }
    }
}

#[test]
fn equal_pictures_are_equal() {
    let a = Picture::read(Path::new("assets/samples/10_otter.png")).unwrap();
    let a = a.pixels();
    assert!(psnr(a, a).is_infinite());
    assert!((ssim(a, a).unwrap() - 1.0).abs() < 1e-12 && (ms_ssim(a, a).unwrap() - 1.0).abs() < 1e-12);
    assert!(gmsd(a, a) == 0.0 && (haarpsi(a, a) - 1.0).abs() < 1e-9);
    let black = Rgb32FImage::new(1, 1);
    assert!((haarpsi(&black, &black) - 1.0).abs() < 1e-9 && gmsd(&black, &black) == 0.0);
    assert_eq!(ssim(&black, &black), None);
}
