//! Every method against what can be computed: derivatives by differences, posteriors of a Gaussian prior.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Tensor};
use fdgr::control::{Control, Event, Silent};
use fdgr::degradation::{
    Degradation, Form, LinearOperator, Psf, Stage, average_pooling::AveragePooling, deblur::Deblur,
    denoising::Denoising, sr_bicubic::SrBicubic,
};
use fdgr::error::{Error, Result};
use fdgr::kernel::testing::by_reference;
use fdgr::noise::{Noise, Seeded, Stream, Tape};
use fdgr::prior::{Call, ClassGradient, Denoiser, EMBEDDED, Prior};
use fdgr::restore::Method;
use fdgr::sampler::{
    ClassGuidance, Data, Ddpg, Dps, Guidance, Hqs, HqsSampler, Problem, RedDiff, Run, Sampler, Step, Timeline, Travel,
    schedule::Betas,
};

use crate::support::{GaussianPrior, Golden, assert_close, on_devices, random, values};

/// Keeps the last estimate of a run.
#[derive(Default)]
struct Estimates(Mutex<Vec<f32>>);

impl Control for Estimates {
    fn emit(&self, event: Event) {
        if let Event::Estimate(x0) = event {
            *self.0.lock().unwrap() = values(x0.clone());
        }
    }
}

fn build(stage: impl Into<Stage>, side: usize, device: &Device) -> Result<Box<dyn LinearOperator>> {
    Degradation::from(stage.into()).build([side, side], device)
}

fn dot(a: &Tensor<4>, b: &Tensor<4>) -> f64 {
    values(a.clone()).iter().zip(values(b.clone())).map(|(&a, b)| f64::from(a) * f64::from(b)).sum()
}

#[test]
fn priors_are_differentiated() {
    // <Jᵀ v, u> against <v, (eps(x + h u) - eps(x - h u)) / 2h>, which float32 leaves some three digits of.
    const H: f64 = 1e-2;
    on_devices(|on, device| {
        let prior = Prior::open(EMBEDDED, device).unwrap();
        let [x, u, v] = [1, 2, 3].map(|seed| random([2, 3, 32, 48], seed, device));
        for t in [20, 500, 900] {
            let call = Call::at(t);
            let (eps, vjp) = prior.differentiate(x.clone(), &call).unwrap();
            let plain = prior.predict_noise(x.clone(), &call).unwrap();
            let specified = values(by_reference(|| prior.predict_noise(x.clone(), &call)).unwrap());
            assert_close(&format!("the network by reference on {on}"), &values(plain.clone()), &specified, 1e-4);
            let (_, specified) = by_reference(|| prior.differentiate(x.clone(), &call)).unwrap();
            let (slope, specified) = (vjp(v.clone()).unwrap(), values(specified(v.clone()).unwrap()));
            assert_close(&format!("its derivative on {on}"), &values(slope.clone()), &specified, 1e-4);
            let gap = (eps - plain.clone()).abs().max().into_scalar::<f32>();
            assert!(gap <= 1e-3, "t {t} on {on}: the noise differs by {gap:e} where it is differentiated");
            let ahead = prior.predict_noise(x.clone() + u.clone() * H, &call).unwrap();
            let behind = prior.predict_noise(x.clone() - u.clone() * H, &call).unwrap();
            let expected = dot(&v, &((ahead - behind) / (2.0 * H)));
            let actual = dot(&slope, &u);
            let scale = dot(&v, &v).sqrt() * dot(&u, &u).sqrt();
            assert!((actual - expected).abs() <= 2e-3 * scale, "t {t} on {on}: {actual} and {expected} of {scale}");
        }
    });
}

#[test]
fn guidance_through_the_prior_is_the_papers() {
    // For images from N(0, I) the estimate is sqrt(a) x_t and its derivative sqrt(a), so that steps have closed forms.
    on_devices(|on, device| {
        let a = build(SrBicubic { scale: 4, form: Form::Svd }, 32, device).unwrap();
        let (x_t, sigma_y) = (random([2, 3, 32, 32], 1, device), 0.1);
        let data = Data::Exact(random([2, 3, 8, 8], 2, device));
        let problem = Problem { operator: a.as_ref(), data: &data, sigma_y, beyond: None };
        let step = Step { t: 400, a: Betas::Linear.alpha_bar()[401], a_next: Betas::Linear.alpha_bar()[391] };
        let z = Seeded::new(5, Stream::Sampling).draw(x_t.dims(), device);
        let x0 = x_t.clone() * step.a.sqrt();
        let residual = data.y().clone() - a.apply(x0.clone());
        let (beta, rest) = (1.0 - step.a / step.a_next, 1.0 - step.a_next);
        let fresh = (beta * rest / (1.0 - step.a)).sqrt();

        let norms: Vec<f64> = (0..2).map(|i| residual.clone().narrow(0, i, 1)).map(|r| dot(&r, &r).sqrt()).collect();
        let norms = Tensor::<1>::from_floats([norms[0] as f32, norms[1] as f32], device).reshape([2, 1, 1, 1]);
        let mean = x0.clone() * (step.a_next.sqrt() * beta / (1.0 - step.a))
            + x_t.clone() * ((step.a / step.a_next).sqrt() * rest / (1.0 - step.a));
        let dps = mean + z.clone() * fresh + a.adjoint(residual.clone()) / norms * (0.3 * step.a.sqrt());

        let correction = a.regularized_inverse(residual, sigma_y * sigma_y / (1.0 - step.a));
        let eps = x_t.clone() * (1.0 - step.a).sqrt();
        let pigdm = x0 * step.a_next.sqrt()
            + z * fresh
            + eps * (rest - fresh * fresh).sqrt()
            + correction * (step.a.sqrt() * step.a.sqrt());

        let prior = GaussianPrior::new(1.0);
        let timeline = Timeline::single(step);
        let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: false };
        for (name, expected) in [("dps", dps), ("pigdm", pigdm)] {
            let mut sampler = Method::named(name).unwrap().sampler([32, 32], device).unwrap();
            let noise = &mut Seeded::new(5, Stream::Sampling);
            let actual = run.sample(sampler.as_mut(), x_t.clone(), None, noise, &Silent).unwrap();
            assert_close(&format!("{name} on {on}"), &values(actual), &values(expected), 1e-5);
        }
    });
}

/// A classifier whose logarithmic probability is `x · direction`.
struct Linear(Tensor<4>);

impl ClassGradient for Linear {
    fn gradient(&self, _: Tensor<4>, class: usize, _: &Call) -> Result<Tensor<4>> {
        assert_eq!(class, 3);
        Ok(self.0.clone())
    }
}

#[test]
fn a_class_guides_as_dhariwal_and_nichol_say() {
    // eps -= scale sqrt(1 - a) gradient, so that the estimate moves by scale (1 - a) / sqrt(a) gradient: towards the class.
    on_devices(|on, device| {
        let a = build(Denoising {}, 8, device).unwrap();
        let (x_t, direction) = (random([1, 3, 8, 8], 1, device), random([1, 3, 8, 8], 2, device));
        let data = Data::Exact(x_t.clone());
        let problem = Problem { operator: a.as_ref(), data: &data, sigma_y: 0.1, beyond: None };
        let step = Step { t: 400, a: Betas::Linear.alpha_bar()[401], a_next: 1.0 };
        let (prior, timeline, classifier) =
            (GaussianPrior::new(1.0), Timeline::single(step), Linear(direction.clone()));
        let estimate = |guidance: Option<&ClassGuidance>| {
            let run = Run { prior: &prior, guidance, problem: &problem, timeline: &timeline, clip: false };
            let mut sampler = Method::named("ddnm").unwrap().sampler([8, 8], device).unwrap();
            let noise = &mut Seeded::new(5, Stream::Sampling);
            let estimates = Estimates::default();
            run.sample(sampler.as_mut(), x_t.clone(), None, noise, &estimates).unwrap();
            estimates.0.into_inner().unwrap()
        };
        let guided = estimate(Some(&ClassGuidance { classifier: &classifier, class: 3, scale: 2.0 }));
        let moved: Vec<f32> = guided.iter().zip(estimate(None)).map(|(guided, plain)| guided - plain).collect();
        let expected = values(direction * (2.0 * (1.0 - step.a) / step.a.sqrt()));
        assert_close(&format!("on {on}"), &moved, &expected, 1e-4);
    });
}

#[test]
fn red_diff_descends_its_loss() {
    // Adam's first step is as long as its rate says, against the sign of the gradient.
    on_devices(|on, device| {
        let a = build(AveragePooling { scale: 4 }, 32, device).unwrap();
        let data = Data::Exact(random([1, 3, 8, 8], 2, device));
        let problem = Problem { operator: a.as_ref(), data: &data, sigma_y: 0.1, beyond: None };
        let (mu, z) = (random([1, 3, 32, 32], 1, device), random([1, 3, 32, 32], 3, device));
        let step = Step { t: 400, a: Betas::Linear.alpha_bar()[401], a_next: 1.0 };
        let parameters = RedDiff { grad_term_weight: 0.5, ..RedDiff::DEFAULT };
        let x_t = mu.clone() * step.a.sqrt() + z.clone() * (1.0 - step.a).sqrt();
        let eps = x_t * (1.0 - step.a).sqrt();
        let weight = 0.5 * ((1.0 - step.a) / step.a).sqrt();
        let gradient = a.adjoint(a.apply(mu.clone()) - data.y().clone()) / (3 * 8 * 8) as f64
            + (eps - z.clone()) * (weight / (3 * 32 * 32) as f64);
        let expected = mu.clone() - gradient.clone() / (gradient.abs() + 1e-8) * parameters.lr;

        let (prior, timeline) = (GaussianPrior::new(1.0), Timeline::single(step));
        let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: false };
        let mut sampler = Method::RedDiff(parameters).sampler([32, 32], device).unwrap();
        let noise = &mut Seeded::new(5, Stream::Sampling);
        let actual = run.sample(sampler.as_mut(), z, Some(mu), noise, &Silent).unwrap();
        assert_close(&format!("on {on}"), &values(actual), &values(expected), 1e-3);
    });
}

/// Root mean square of what the operator sees of `x`, in units of the image.
fn seen(a: &dyn LinearOperator, x: Tensor<4>) -> f64 {
    let projected = a.spectral().unwrap().filter(x, &|s| if s > 0.0 { 1.0 } else { 0.0 });
    let blocks = values(a.apply(projected.clone())).len() as f64;
    (dot(&projected, &projected) / blocks).sqrt()
}

fn restored(method: &Method, a: &dyn LinearOperator, y: &Tensor<4>, sigma_y: f64, device: &Device) -> Tensor<4> {
    let prior = GaussianPrior::new(1.0);
    let data = Data::Exact(y.clone());
    let problem = Problem { operator: a, data: &data, sigma_y, beyond: None };
    let timeline = Timeline::new(Betas::Linear, 200, 1.0, Travel::NONE).unwrap();
    let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: false };
    let size = a.image_size();
    let z = random([1, 3, size[0], size[1]], 11, device);
    let mut sampler = method.sampler(size, device).unwrap();
    let mut noise = Seeded::new(5, Stream::Sampling);
    run.sample(sampler.as_mut(), z, None, &mut noise, &Silent).unwrap()
}

#[test]
fn every_method_goes_beyond_the_pseudo_inverse() {
    // Images from N(0, I), their block means with noise of 0.5: in the components seen A⁺ y is 2 off, a sample of the
    // posterior 1.26 (0.63 of that), its mean 0.89. Methods differ in how well they approximate either.
    on_devices(|on, device| {
        let a = build(AveragePooling { scale: 4 }, 32, device).unwrap();
        let truth = random([1, 3, 32, 32], 1, device);
        let y = a.apply(truth.clone());
        let y = y.clone() + random(y.dims(), 2, device) * 0.5;
        let classical = seen(a.as_ref(), a.regularized_inverse(y.clone(), 0.0) - truth.clone());
        // RED-diff looks for one image, and does not know how noisy the measurement is.
        // Half-quadratic splitting starts from a classical estimate, not from noise.
        for &name in Method::NAMES.iter().filter(|name| !["reddiff", "hqs"].contains(name)) {
            let method = match name {
                // Its step is for a norm of 196608 values and 1000 steps.
                "dps" => Method::Dps(Dps { step_scale: 1.0 }),
                name => Method::named(name).unwrap(),
            };
            let error = seen(a.as_ref(), restored(&method, a.as_ref(), &y, 0.5, device) - truth.clone());
            // PiGDM's weight of its guidance, sqrt(a), is far above that of the exact posterior here.
            let bound = if name == "pigdm" { 0.95 } else { 0.84 };
            assert!(error <= bound * classical, "{name} on {on}: {error:.3}, where A⁺ y is {classical:.3} off");
        }
    });
}

/// Gives `0.1 x_t`, and what is no number at one call.
struct FailingPrior {
    calls: AtomicUsize,
    fails_at: usize,
}

impl Denoiser for FailingPrior {
    fn predict_noise(&self, x_t: Tensor<4>, _: &Call) -> Result<Tensor<4>> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(x_t * if call == self.fails_at { f64::NAN } else { 0.1 })
    }
}

#[test]
fn runs_whose_estimates_are_no_pictures_end_with_the_step() {
    on_devices(|on, device| {
        let a = build(Denoising {}, 8, device).unwrap();
        let timeline = Timeline::new(Betas::Linear, 6, 1.0, Travel::NONE).unwrap();
        let run = |z: Tensor<4>, fails_at| {
            let data = Data::Exact(z.clone());
            let problem = Problem { operator: a.as_ref(), data: &data, sigma_y: 0.1, beyond: None };
            let prior = FailingPrior { calls: 0.into(), fails_at };
            let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: true };
            let mut sampler = Ddpg::new(Guidance::DEFAULT);
            let mut noise = Seeded::new(1, Stream::Sampling);
            run.sample(&mut sampler, z, None, &mut noise, &Silent)
        };
        let picture = || random([1, 3, 8, 8], 1, device);
        assert!(run(picture(), 0).is_ok(), "on {on}");
        for fails_at in [1, 3, 6] {
            let error = run(picture(), fails_at).err();
            let named = matches!(&error, Some(Error::BadEstimate { step, fact, .. }) if *step == fails_at && fact.contains("not finite"));
            assert!(named, "a fault at step {fails_at} on {on}: {error:?}");
        }
        let error = run(Tensor::full([1, 3, 8, 8], 0.5, device), 0).err();
        let named = matches!(&error, Some(Error::BadEstimate { step: 1, fact, .. }) if fact.contains("the same"));
        assert!(named, "a picture of one colour on {on}: {error:?}");
    });
}

/// A toy denoiser: `D(u, s) = u + w (T u - u)` with `w = s / (s + 0.1)` and `T` a circular correlation that no symmetry keeps.
struct Correlation;

/// Circular correlation with a kernel of 3 x 3.
fn correlated(x: &Tensor<4>, taps: [[f64; 3]; 3]) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    let moved = |x: Tensor<4>, axis: usize, n: usize, by: usize| match by {
        0 => x,
        by => Tensor::cat(vec![x.clone().narrow(axis, by, n - by), x.narrow(axis, 0, by)], axis),
    };
    let mut sum = x.zeros_like();
    for (i, row) in taps.iter().enumerate() {
        for (j, tap) in row.iter().enumerate() {
            let shifted = moved(moved(x.clone(), 2, h, (h + i - 1) % h), 3, w, (w + j - 1) % w);
            sum = sum + shifted * *tap;
        }
    }
    sum
}

impl Denoiser for Correlation {
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> Result<Tensor<4>> {
        const TAPS: [[f64; 3]; 3] = [[0.05, 0.1, 0.0], [0.15, 0.3, 0.2], [0.05, 0.1, 0.05]];
        let a = Betas::Linear.alpha_bar()[call.t + 1];
        let s = ((1.0 - a) / a).sqrt();
        let u = x_t.clone() / a.sqrt();
        let x0 = u.clone() + (correlated(&u, TAPS) - u) * (s / (s + 0.1));
        Ok((x_t - x0 * a.sqrt()) / (1.0 - a).sqrt())
    }
}

/// The generator's blur, which is its own reflection through its centre.
const BLUR: [f32; 9] = [0.0, 0.0625, 0.125, 0.0625, 0.5, 0.0625, 0.125, 0.0625, 0.0];

/// What the generator says of a case.
#[derive(serde::Deserialize)]
struct SplittingCase {
    operator: String,
    sigma_y: f64,
    clip: bool,
    parameters: Hqs,
    times: Vec<usize>,
}

#[test]
fn half_quadratic_splitting_is_that_of_an_independent_implementation() {
    let golden = Golden::open("tests/data/hqs.safetensors".as_ref());
    let mut compared = 0;
    for (name, text) in &golden.metadata {
        let case: SplittingCase = serde_json::from_str(text).expect(name);
        on_devices(|on, device| {
            let of_case = |what: &str| golden.tensor(&format!("{name}.{what}"), device);
            let (y, estimate) = (of_case("y"), of_case("estimate"));
            let [_, _, height, width] = estimate.dims();
            let a: Box<dyn LinearOperator> = match case.operator.as_str() {
                "denoising" => Degradation::from(Denoising {}).build([height, width], device).unwrap(),
                "averaging" => Degradation::from(AveragePooling { scale: 4 }).build([height, width], device).unwrap(),
                "blur" => {
                    let psf = Psf::Measured { height: 3, width: 3, values: BLUR.to_vec() };
                    Degradation::from(Deblur { psf, form: Form::Fft }).build([height, width], device).unwrap()
                }
                other => panic!("{other} is no operator of the golden file"),
            };
            let data = if golden.has(&format!("{name}.low")) {
                Data::Interval { y, low: of_case("low"), high: of_case("high") }
            } else {
                Data::Exact(y)
            };
            let mut sampler = HqsSampler(case.parameters);
            let timeline = sampler.timeline(case.sigma_y, Betas::Linear).unwrap().unwrap();
            assert_eq!(timeline.steps().map(|step| step.t).collect::<Vec<_>>(), case.times, "{name}");
            let problem = Problem { operator: a.as_ref(), data: &data, sigma_y: case.sigma_y, beyond: None };
            let run =
                Run { prior: &Correlation, guidance: None, problem: &problem, timeline: &timeline, clip: case.clip };
            // One entry a call, the first of them for the first state.
            let mut tape = if golden.has(&format!("{name}.noise")) {
                let noise = values(of_case("noise"));
                Tape::new(noise.chunks(estimate.dims().iter().product()).map(<[f32]>::to_vec).collect())
            } else {
                Tape::new(Vec::new())
            };
            let z = if case.parameters.zeta > 0.0 { tape.draw(estimate.dims(), device) } else { estimate.zeros_like() };
            let out = run.sample(&mut sampler, z, Some(estimate), &mut tape, &Silent).unwrap();
            assert_close(&format!("{name} on {on}"), &values(out), golden.values(&format!("{name}.out")), 1e-4);
        });
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn methods_that_need_a_point_refuse_intervals_by_name() {
    let device = Device::flex();
    let a = build(AveragePooling { scale: 4 }, 16, &device).unwrap();
    let y = random([1, 3, 4, 4], 1, &device);
    let data = Data::Interval { low: y.clone() - 0.1, high: y.clone() + 0.1, y };
    for name in Method::NAMES {
        let method = Method::named(name).unwrap();
        let mut sampler = method.sampler([16, 16], &device).unwrap();
        let problem = Problem { operator: a.as_ref(), data: &data, sigma_y: 0.1, beyond: None };
        let timeline = Timeline::new(Betas::Linear, 4, 1.0, Travel::NONE).unwrap();
        let prior = GaussianPrior::new(1.0);
        let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: true };
        let z = random([1, 3, 16, 16], 2, &device);
        let done = run.sample(sampler.as_mut(), z.clone(), Some(z), &mut Seeded::new(1, Stream::Sampling), &Silent);
        assert_eq!(done.is_err(), ["ddrm", "ddnm"].contains(name), "{name}");
        assert!(done.err().is_none_or(|e| e.to_string().contains("intervals")), "{name}");
    }
}

#[test]
fn nothing_pulls_at_what_lies_in_its_interval() {
    on_devices(|on, device| {
        let a = build(Denoising {}, 8, device).unwrap();
        let x = random([1, 3, 8, 8], 1, device);
        let white = Tensor::full([1, 3, 8, 8], f32::INFINITY, device);
        let data = Data::Interval { y: x.clone(), low: x.clone() - 0.5, high: white };
        let problem = Problem { operator: a.as_ref(), data: &data, sigma_y: 0.1, beyond: None };
        let residual = |by: f64| values(problem.residual(x.clone() + by));
        assert!(residual(100.0).iter().chain(&residual(-0.4)).all(|v| v.abs() < 1e-6), "inside, on {on}");
        assert!(residual(-0.75).iter().all(|v| (v + 0.25).abs() < 1e-5), "below, on {on}");
    });
}

/// Stops a run after some steps.
struct Stopping(AtomicUsize);

impl Control for Stopping {
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn emit(&self, event: Event) {
        if let Event::Step { done: 1.., .. } = event {
            _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(1)));
        }
    }
}

#[test]
fn runs_stop_within_a_step_and_keep_a_finished_result() {
    let device = Device::flex();
    let a = build(Denoising {}, 8, &device).unwrap();
    let z = random([1, 3, 8, 8], 1, &device);
    let data = Data::Exact(z.clone());
    let problem = Problem { operator: a.as_ref(), data: &data, sigma_y: 0.1, beyond: None };
    let timeline = Timeline::new(Betas::Linear, 6, 1.0, Travel::NONE).unwrap();
    let prior = GaussianPrior::new(1.0);
    let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: true };
    let stopped_after = |steps: usize| {
        let mut sampler = Ddpg::new(Guidance::DEFAULT);
        run.sample(&mut sampler, z.clone(), None, &mut Seeded::new(1, Stream::Sampling), &Stopping(steps.into()))
    };
    let error = stopped_after(3).unwrap_err();
    assert!(matches!(&error, Error::Stopped { during } if during.contains("step 3 of 6")), "{error}");
    assert!(stopped_after(6).is_ok(), "the last step was done");
}
