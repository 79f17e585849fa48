//! Every method against what can be computed: derivatives by differences, posteriors of a Gaussian prior.

use std::cell::Cell;
use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use clap::ValueEnum;
use fdgr::degradation::{Degradation, Form, LinearOperator};
use fdgr::error::Error;
use fdgr::kernel::by_specification;
use fdgr::noise::{Noise, Seeded, Stream};
use fdgr::prior::{ClassGradient, Denoiser, EMBEDDED, Prior};
use fdgr::restore::{Method, MethodName};
use fdgr::sampler::{
    ClassGuidance, Ddpg, Dps, Guidance, Problem, Progress, RedDiff, Run, Step, Timeline, Travel, schedule::Betas,
};

use crate::support::{GaussianPrior, assert_close, on_devices, random, values};

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
            let (eps, pull_back) = prior.differentiate(x.clone(), t);
            let plain = prior.predict_noise(x.clone(), t);
            let specified = values(by_specification(|| prior.predict_noise(x.clone(), t)));
            assert_close(&format!("the network by specification on {on}"), &values(plain.clone()), &specified, 1e-4);
            let (_, specified) = by_specification(|| prior.differentiate(x.clone(), t));
            let (slope, specified) = (pull_back(v.clone()), values(specified(v.clone())));
            assert_close(&format!("its derivative on {on}"), &values(slope.clone()), &specified, 1e-4);
            let gap = (eps - plain.clone()).abs().max().into_scalar::<f32>();
            assert!(gap <= 1e-3, "t {t} on {on}: the noise differs by {gap:e} where it is differentiated");
            let ahead = prior.predict_noise(x.clone() + u.clone() * H, t);
            let behind = prior.predict_noise(x.clone() - u.clone() * H, t);
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
        let a = Degradation::SrBicubic { scale: 4, form: Form::Svd }.build(32, 32, device).unwrap();
        let (x_t, sigma_y) = (random([2, 3, 32, 32], 1, device), 0.1);
        let problem = Problem { operator: a.as_ref(), y: random([2, 3, 8, 8], 2, device), sigma_y };
        let step = Step { t: 400, a: Betas::Linear.alpha_bar()[401], a_next: Betas::Linear.alpha_bar()[391] };
        let z = Seeded::new(5, Stream::Sampling).draw(x_t.dims(), device);
        let x0 = x_t.clone() * step.a.sqrt();
        let residual = problem.y.clone() - a.apply(x0.clone());
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
        for (name, expected) in [(MethodName::Dps, dps), (MethodName::PiGdm, pigdm)] {
            let mut sampler = Method::published(name).sampler([32, 32], device).unwrap();
            let observer = &mut |_: &Progress| ControlFlow::Continue(());
            let noise = &mut Seeded::new(5, Stream::Sampling);
            let actual = run.sample(sampler.as_mut(), x_t.clone(), None, noise, observer).unwrap();
            assert_close(&format!("{name} on {on}"), &values(actual), &values(expected), 1e-5);
        }
    });
}

/// A classifier whose logarithmic probability is `x · direction`.
struct Linear(Tensor<4>);

impl ClassGradient for Linear {
    fn gradient(&self, _: Tensor<4>, _: usize, class: usize) -> Tensor<4> {
        assert_eq!(class, 3);
        self.0.clone()
    }
}

#[test]
fn a_class_guides_as_dhariwal_and_nichol_say() {
    // eps -= scale sqrt(1 - a) gradient, so that the estimate moves by scale (1 - a) / sqrt(a) gradient: towards the class.
    on_devices(|on, device| {
        let a = Degradation::Denoising.build(8, 8, device).unwrap();
        let (x_t, direction) = (random([1, 3, 8, 8], 1, device), random([1, 3, 8, 8], 2, device));
        let problem = Problem { operator: a.as_ref(), y: x_t.clone(), sigma_y: 0.1 };
        let step = Step { t: 400, a: Betas::Linear.alpha_bar()[401], a_next: 1.0 };
        let (prior, timeline, classifier) =
            (GaussianPrior::new(1.0), Timeline::single(step), Linear(direction.clone()));
        let estimate = |guidance: Option<&ClassGuidance>| {
            let run = Run { prior: &prior, guidance, problem: &problem, timeline: &timeline, clip: false };
            let mut seen = Vec::new();
            let mut sampler = Method::published(MethodName::Ddnm).sampler([8, 8], device).unwrap();
            let noise = &mut Seeded::new(5, Stream::Sampling);
            let observer = &mut |progress: &Progress| {
                seen = values(progress.x0.clone());
                ControlFlow::Continue(())
            };
            run.sample(sampler.as_mut(), x_t.clone(), None, noise, observer).unwrap();
            seen
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
        let a = Degradation::SrAveragepooling { scale: 4 }.build(32, 32, device).unwrap();
        let problem = Problem { operator: a.as_ref(), y: random([1, 3, 8, 8], 2, device), sigma_y: 0.1 };
        let (mu, z) = (random([1, 3, 32, 32], 1, device), random([1, 3, 32, 32], 3, device));
        let step = Step { t: 400, a: Betas::Linear.alpha_bar()[401], a_next: 1.0 };
        let parameters = RedDiff { grad_term_weight: 0.5, ..RedDiff::DEFAULT };
        let x_t = mu.clone() * step.a.sqrt() + z.clone() * (1.0 - step.a).sqrt();
        let eps = x_t * (1.0 - step.a).sqrt();
        let weight = 0.5 * ((1.0 - step.a) / step.a).sqrt();
        let gradient = a.adjoint(a.apply(mu.clone()) - problem.y.clone()) / (3 * 8 * 8) as f64
            + (eps - z.clone()) * (weight / (3 * 32 * 32) as f64);
        let expected = mu.clone() - gradient.clone() / (gradient.abs() + 1e-8) * parameters.lr;

        let (prior, timeline) = (GaussianPrior::new(1.0), Timeline::single(step));
        let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: false };
        let mut sampler = Method::RedDiff(parameters).sampler([32, 32], device).unwrap();
        let observer = &mut |_: &Progress| ControlFlow::Continue(());
        let noise = &mut Seeded::new(5, Stream::Sampling);
        let actual = run.sample(sampler.as_mut(), z, Some(mu), noise, observer).unwrap();
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
    let problem = Problem { operator: a, y: y.clone(), sigma_y };
    let timeline = Timeline::new(Betas::Linear, 200, 1.0, Travel::NONE).unwrap();
    let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: false };
    let size = a.image_size();
    let z = random([1, 3, size[0], size[1]], 11, device);
    let mut sampler = method.sampler(size, device).unwrap();
    let mut noise = Seeded::new(5, Stream::Sampling);
    run.sample(sampler.as_mut(), z, None, &mut noise, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn every_method_goes_beyond_the_pseudo_inverse() {
    // Images from N(0, I), their block means with noise of 0.5: in the components seen A⁺ y is 2 off, a sample of the
    // posterior 1.26 (0.63 of that), its mean 0.89. Methods differ in how well they approximate either.
    on_devices(|on, device| {
        let a = Degradation::SrAveragepooling { scale: 4 }.build(32, 32, device).unwrap();
        let truth = random([1, 3, 32, 32], 1, device);
        let y = a.apply(truth.clone());
        let y = y.clone() + random(y.dims(), 2, device) * 0.5;
        let classical = seen(a.as_ref(), a.regularized_inverse(y.clone(), 0.0) - truth.clone());
        // RED-diff looks for one image, and does not know how noisy the measurement is.
        let samplers = MethodName::value_variants().iter().filter(|name| **name != MethodName::RedDiff);
        for &name in samplers {
            let method = match name {
                // Its step is for a norm of 196608 values and 1000 steps.
                MethodName::Dps => Method::Dps(Dps { step_scale: 1.0 }),
                name => Method::published(name),
            };
            let error = seen(a.as_ref(), restored(&method, a.as_ref(), &y, 0.5, device) - truth.clone());
            // PiGDM's weight of its guidance, sqrt(a), is far above that of the exact posterior here.
            let bound = if name == MethodName::PiGdm { 0.95 } else { 0.84 };
            assert!(error <= bound * classical, "{name} on {on}: {error:.3}, where A⁺ y is {classical:.3} off");
        }
    });
}

/// Gives `0.1 x_t`, and what is no number at one call.
struct FailingPrior {
    calls: Cell<usize>,
    fails_at: usize,
}

impl Denoiser for FailingPrior {
    fn predict_noise(&self, x_t: Tensor<4>, _t: usize) -> Tensor<4> {
        self.calls.set(self.calls.get() + 1);
        let factor = if self.calls.get() == self.fails_at { f64::NAN } else { 0.1 };
        x_t * factor
    }
}

#[test]
fn runs_whose_estimates_are_no_pictures_end_with_the_step() {
    on_devices(|on, device| {
        let a = Degradation::Denoising.build(8, 8, device).unwrap();
        let timeline = Timeline::new(Betas::Linear, 6, 1.0, Travel::NONE).unwrap();
        let run = |z: Tensor<4>, fails_at| {
            let problem = Problem { operator: a.as_ref(), y: z.clone(), sigma_y: 0.1 };
            let prior = FailingPrior { calls: Cell::new(0), fails_at };
            let run = Run { prior: &prior, guidance: None, problem: &problem, timeline: &timeline, clip: true };
            let mut sampler = Ddpg::new(Guidance::DEFAULT);
            let mut noise = Seeded::new(1, Stream::Sampling);
            run.sample(&mut sampler, z, None, &mut noise, &mut |_| ControlFlow::Continue(()))
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
