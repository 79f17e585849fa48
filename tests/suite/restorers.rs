//! The library's way from a photo to a restored photo: operators of one's own, previews, cancellation, and what it refuses.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burn::tensor::{Device, Tensor};
use fdgr::control::{Control, Event, Silent};
use fdgr::degradation::{
    Degradation, Form, LinearOperator, Psf, average_pooling::AveragePooling, deblur::Deblur, denoising::Denoising,
};
use fdgr::error::{Error, Result};
use fdgr::noise::{Seeded, Stream};
use fdgr::picture::Picture;
use fdgr::prior::{Call, Denoiser, Network, Prior, Windowed};
use fdgr::restore::{Measurement, Method, PriorChoice, RestoreConfig, Restorer, Source};
use fdgr::sampler::{Data, Problem, Run, Timeline, Travel, schedule::Betas};
use fdgr::{device, metrics::psnr};
use image::{Rgb, Rgb32FImage};

use crate::support::{GaussianPrior, assert_close, random, values};

/// Every second pixel of each axis.
struct EverySecond {
    height: usize,
    width: usize,
}

impl LinearOperator for EverySecond {
    fn image_shape(&self) -> [usize; 3] {
        [3, self.height, self.width]
    }

    fn measured_shape(&self) -> [usize; 3] {
        [3, self.height / 2, self.width / 2]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        let rows = x.reshape([b * c, h / 2, 2, w]).narrow(2, 0, 1);
        rows.reshape([b * c, h / 2, w / 2, 2]).narrow(3, 0, 1).reshape([b, c, h / 2, w / 2])
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        let [b, c, h, w] = y.dims();
        let columns = y.reshape([b * c, h, w, 1]).pad([(0, 0), (0, 1)], 0.0).reshape([b * c, h, 1, 2 * w]);
        columns.pad([(0, 1), (0, 0)], 0.0).reshape([b, c, 2 * h, 2 * w])
    }
}

fn picture(width: u32, height: u32) -> Picture {
    Picture::new(Rgb32FImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        Rgb([0.2 + 0.6 * u, 0.3 + 0.4 * v, 0.7 - 0.5 * u * v])
    }))
}

fn restorer() -> Restorer {
    Restorer::load(&PriorChoice::default(), device::open("cpu").unwrap(), &Silent).unwrap()
}

#[test]
fn restorers_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Restorer>();
    shared::<Measurement>();
    shared::<Prior>();
    shared::<Box<dyn LinearOperator>>();
    shared::<Error>();
}

#[test]
fn operators_of_ones_own_restore() {
    let restorer = restorer();
    let device = &restorer.device().device;
    let original = picture(32, 48);
    let measurement = Measurement::custom(Box::new(EverySecond { height: 48, width: 32 }));
    let y = measurement.measure(original.to_tensor(device));
    let method = Method::named("hqs").unwrap();
    let config = RestoreConfig { method, ..RestoreConfig::new(Denoising {}, 0.0) };
    let mut noise = Seeded::new(0, Stream::Sampling);
    let x = restorer.sample(&measurement, &Data::Exact(y.clone()), &config, &mut noise, &Silent).unwrap();
    let restored = Picture::from_tensor(x.clone()).unwrap();
    // Alone, an inverse of what was measured is black between the known pixels.
    let inverse = Picture::from_tensor(measurement.regularized_inverse(y.clone(), 0.0).unwrap()).unwrap();
    let gain = psnr(restored.pixels(), original.pixels()) - psnr(inverse.pixels(), original.pixels());
    assert!(gain > 10.0, "{gain} dB better than the inverse");
    let off = values(measurement.measure(x) - y).iter().fold(0.0f32, |worst, v| worst.max(v.abs()));
    assert!(off < 0.05, "{off} from what was measured");
}

/// Keeps the sizes of previews, and counts steps.
#[derive(Default)]
struct Watching {
    interval: Duration,
    seen: Mutex<(Vec<(u32, u32)>, usize)>,
}

impl Control for Watching {
    fn emit(&self, event: Event) {
        let mut seen = self.seen.lock().unwrap();
        match event {
            Event::Preview(picture) => seen.0.push((picture.width() as u32, picture.height() as u32)),
            Event::Step { done, .. } => {
                assert_eq!(done, seen.1, "steps are counted from the one before the first");
                seen.1 += 1;
            }
            _ => {}
        }
    }

    fn preview_interval(&self) -> Option<Duration> {
        Some(self.interval)
    }
}

#[test]
fn previews_have_the_size_of_the_result_and_keep_their_distance() {
    let restorer = restorer();
    // The image that is sought has a margin.
    let blur = Deblur { psf: Psf::gaussian(1.0), form: Form::Fft };
    let config = RestoreConfig::new(blur, 0.02);
    let photo = Source::Photo(picture(40, 24));
    let every = Watching::default();
    restorer.restore(&photo, &config, &every).unwrap();
    let (sizes, steps) = every.seen.into_inner().unwrap();
    assert!(steps > 2 && sizes.len() == steps - 1, "{} previews of {steps} steps", sizes.len());
    assert!(sizes.iter().all(|&size| size == (40, 24)), "{sizes:?}");
    let rare = Watching { interval: Duration::from_secs(3600), ..Watching::default() };
    restorer.restore(&photo, &config, &rare).unwrap();
    assert_eq!(rare.seen.into_inner().unwrap().0.len(), 1);
}

/// Cancels as soon as the operator is built.
#[derive(Default)]
struct Impatient(AtomicBool);

impl Control for Impatient {
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn emit(&self, event: Event) {
        if matches!(event, Event::Estimating(_)) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_decomposition_is_not_waited_for() {
    // Its matrix of 1500 x 1500 takes long.
    let blur = Deblur { psf: Psf::gaussian(1.0), form: Form::Svd };
    let config = RestoreConfig::new(blur, 0.02);
    let photo = Source::Photo(picture(1500, 16));
    let error = restorer().restore(&photo, &config, &Impatient::default()).unwrap_err();
    assert!(matches!(&error, Error::Stopped { during } if during == "before the first step"), "{error}");
}

#[test]
fn results_say_what_decided_them() {
    let restorer = restorer();
    let config = RestoreConfig::new(Denoising {}, 0.05);
    let restored = restorer.restore(&Source::Photo(picture(16, 16)), &config, &Silent).unwrap();
    assert_eq!(restored.config, config);
    assert_eq!(restored.receipt.evaluations, config.evaluations().unwrap());
}

/// A denoiser that knows nothing.
struct Nothing;

impl Denoiser for Nothing {
    fn predict_noise(&self, x_t: Tensor<4>, _: &Call) -> Result<Tensor<4>> {
        Ok(x_t)
    }
}

#[test]
fn runs_refuse_what_does_not_fit() {
    let device = Device::flex();
    let a = Degradation::from(AveragePooling { scale: 2 }).build([16, 16], &device).unwrap();
    let own = EverySecond { height: 16, width: 16 };
    let timeline = Timeline::new(Betas::Linear, 4, 1.0, Travel::NONE).unwrap();
    let run = |a: &dyn LinearOperator, data: &Data, estimate: Option<Tensor<4>>, method: &str| {
        let mut sampler = Method::named(method).unwrap().sampler([16, 16], &device).unwrap();
        let problem = Problem { operator: a, data, sigma_y: 0.1, beyond: None };
        let prior = GaussianPrior::new(1.0);
        let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: true };
        let z = random([1, 3, 16, 16], 2, &device);
        let refused = run.sample(sampler.as_mut(), z, estimate, &mut Seeded::new(1, Stream::Sampling), &Silent);
        refused.expect_err(method).to_string()
    };
    let point = |size: usize| Data::Exact(random([1, 3, size, size], 1, &device));
    assert!(run(a.as_ref(), &point(16), None, "fdgr").contains("which the operator does not give"));
    let small = random([1, 3, 8, 8], 3, &device);
    assert!(run(a.as_ref(), &point(8), Some(small.clone()), "hqs").contains("the classical estimate"));
    let torn = Data::Interval { y: small.clone(), low: small.clone(), high: random([1, 3, 8, 4], 4, &device) };
    assert!(run(a.as_ref(), &torn, None, "fdgr").contains("other shapes"));
    for method in ["ddrm", "ddnm"] {
        assert!(run(&own, &point(8), None, method).contains("singular values"), "{method}");
    }
    // A method that is asked for a step before it began does what it can.
    let timeline = Timeline::new(Betas::Linear, 4, 1.0, Travel::NONE).unwrap();
    let mut sampler = Method::named("reddiff").unwrap().sampler([16, 16], &device).unwrap();
    let data = point(8);
    let problem = Problem { operator: a.as_ref(), data: &data, sigma_y: 0.1, beyond: None };
    let x = random([1, 3, 16, 16], 5, &device);
    let eps = Nothing.predict_noise(x.clone(), &Call::at(500)).unwrap();
    let estimate = fdgr::sampler::Estimate::new(eps, x.clone());
    let mut noise = Seeded::new(1, Stream::Sampling);
    let at = fdgr::sampler::Moment { step: timeline.first(), problem: &problem, noise: &mut noise };
    assert_eq!(sampler.step(at, x.clone(), estimate).map_or(x.dims(), |next| next.dims()), x.dims());
}

/// `eps` from the pixel and its neighbours to the left and above, black beyond the border.
struct Local;

impl Denoiser for Local {
    fn predict_noise(&self, x_t: Tensor<4>, _: &Call) -> Result<Tensor<4>> {
        let [_, _, h, w] = x_t.dims();
        let left = x_t.clone().pad([(0, 0), (1, 0)], 0.0).narrow(3, 0, w);
        let above = x_t.clone().pad([(1, 0), (0, 0)], 0.0).narrow(2, 0, h);
        Ok(x_t * 0.5 + left * 0.3 - above * 0.2)
    }
}

impl Network for Local {
    fn multiple(&self) -> usize {
        16
    }
}

#[test]
fn windows_are_the_whole_where_a_network_looks_near() {
    let device = Device::flex();
    let prior = Prior::custom("local", Box::new(Local));
    let windowed = Windowed::new(&prior, 192);
    let x = random([1, 3, 410, 250], 1, &device);
    for index in 0..4 {
        let call = Call { index, ..Call::at(500) };
        let (whole, of_whole) = prior.differentiate(x.clone(), &call).unwrap();
        let (parts, of_parts) = windowed.differentiate(x.clone(), &call).unwrap();
        assert_close("eps", &values(parts), &values(whole), 1e-5);
        let v = random(x.dims(), 2, &device);
        assert_close("its derivative", &values(of_parts(v.clone()).unwrap()), &values(of_whole(v).unwrap()), 1e-5);
    }
    // What fits one window is the same to the last bit.
    let small = random([1, 3, 100, 192], 3, &device);
    let call = Call::at(200);
    let (one, whole) =
        (windowed.predict_noise(small.clone(), &call).unwrap(), prior.predict_noise(small, &call).unwrap());
    assert_eq!(values(one), values(whole));
}

#[test]
fn windows_cost_no_quality() {
    let restorer = restorer();
    let device = &restorer.device().device;
    let original = Picture::read("assets/samples/10_otter.png".as_ref()).unwrap();
    let x = original.to_tensor(device);
    // One call as a denoiser, at the time that has the noise of the picture.
    let call = Call::at(100);
    let noise = random(x.dims(), 4, device);
    let state = x * call.a.sqrt() + noise * (1.0 - call.a).sqrt();
    let quality = |denoiser: &dyn Denoiser| {
        let eps = denoiser.predict_noise(state.clone(), &call).unwrap();
        let x0 = (state.clone() - eps * (1.0 - call.a).sqrt()) / call.a.sqrt();
        psnr(Picture::from_tensor(x0).unwrap().pixels(), original.pixels())
    };
    let (whole, parts) = (quality(restorer.prior()), quality(&Windowed::new(restorer.prior(), 192)));
    assert!(parts > whole - 0.05, "whole {whole} dB, in windows {parts} dB");
}

#[test]
fn a_device_can_be_opened_again() {
    if crate::support::adapter().is_none() {
        return;
    }
    let open = || fdgr::device::open("gpu").or_else(|_| fdgr::device::open("software")).unwrap();
    let (first, second) = (open(), open());
    assert_eq!(first.device, second.device);
    let sum = Tensor::<1>::ones([8], &second.device).sum().into_scalar::<f32>();
    assert_eq!(sum, 8.0);
}
