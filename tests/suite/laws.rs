//! Laws of every operator in [`fdgr::degradation::examples`].

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use fdgr::degradation::{
    ChannelMix, Convolution, Crop, Degradation, Form, LinearOperator, Mixed, Preconditioner, Psf, examples, kinds,
    sr_bicubic::SrBicubic,
};

use crate::support::{assert_close, on_devices, random, relative_error, values};

/// Height and width: square and not, even where a reduction by 4 needs it, with a prime factor above 13.
const SIZES: [[usize; 2]; 3] = [[32, 32], [48, 20], [28, 68]];

fn dot(a: Tensor<4>, b: Tensor<4>) -> f64 {
    values(a).iter().zip(values(b)).map(|(&a, b)| f64::from(a) * f64::from(b)).sum()
}

/// The examples, and operators that no degradation is made of alone.
fn operators(height: usize, width: usize, device: &Device) -> Vec<(String, Box<dyn LinearOperator>)> {
    let mut all = examples(height, width, device).expect("examples of that size");
    let luma = [vec![0.299, 0.587, 0.114], vec![-0.169, -0.331, 0.5]];
    let mix = |rows: &[Vec<f64>]| ChannelMix::new(rows, [height, width], device);
    all.push(("channel mix".into(), Box::new(mix(&luma))));
    let whitening = [vec![1.4, -0.3, -0.1], vec![-0.3, 1.1, -0.2], vec![-0.1, -0.2, 0.9]];
    let thirds = [vec![1.0 / 3.0; 3]];
    let gaussian = Psf::gaussian(1.0).kernel().expect("a kernel");
    let blur = || Box::new(Convolution::new(&gaussian, [1, height, width], device).expect("a blur that fits"));
    let reduced = Degradation::from(SrBicubic { scale: 2, form: Form::Svd })
        .build_for([1, height, width], device)
        .expect("even sides");
    all.push(("grey blur".into(), Box::new(Mixed::new(blur(), mix(&thirds)))));
    all.push(("whitened blur".into(), Box::new(Mixed::new(blur(), mix(&whitening)))));
    all.push(("whitened reduction".into(), Box::new(Mixed::new(reduced, mix(&whitening)))));
    all
}

fn for_every_operator(law: impl Fn(&str, &dyn LinearOperator, Tensor<4>, &Device)) {
    on_devices(|on, device| {
        for [height, width] in SIZES {
            for (name, a) in operators(height, width, device) {
                assert_eq!(a.image_shape(), [3, height, width], "{name}");
                let x = random([2, 3, height, width], 1, device);
                assert_eq!(a.apply(x.clone()).dims()[1..], a.measured_shape(), "{name}");
                law(&format!("{name} {height}x{width} on {on}"), a.as_ref(), x, device);
            }
        }
    });
}

#[test]
fn the_adjoint_is_the_adjoint() {
    for_every_operator(|name, a, x, device| {
        let ax = a.apply(x.clone());
        let y = random(ax.dims(), 2, device);
        let (left, right) = (dot(ax.clone(), y.clone()), dot(x, a.adjoint(y.clone())));
        let scale = dot(ax.clone(), ax).sqrt() * dot(y.clone(), y).sqrt();
        assert!((left - right).abs() <= 1e-5 * scale, "{name}: {left} and {right} of {scale}");
    });
}

#[test]
fn the_regularized_inverse_solves_its_equation() {
    // v = A' w with w = (A A' + eta)^-1 y; then A v + eta w = y. Of w only A' w is at hand, so the equation is tested
    // after A': A' A v + eta v = A' y.
    for_every_operator(|name, a, x, device| {
        let y = random(a.apply(x).dims(), 3, device);
        for eta in [1e-2, 1.0] {
            let v = a.regularized_inverse(y.clone(), eta);
            let left = a.adjoint(a.apply(v.clone())) + v * eta;
            assert_close(&format!("{name}, eta {eta}"), &values(left), &values(a.adjoint(y.clone())), 1e-4);
        }
    });
}

#[test]
fn preconditioners_are_sums() {
    for_every_operator(|name, a, x, device| {
        let y = random(a.apply(x).dims(), 12, device);
        let (eta, inverse, identity) = (0.05, 0.7, -1.3);
        let whole = a.preconditioned_adjoint(y.clone(), Preconditioner { eta, inverse, identity });
        let sum = a.regularized_inverse(y.clone(), eta) * inverse + a.adjoint(y) * identity;
        assert_close(name, &values(whole), &values(sum), 1e-5);
    });
}

#[test]
fn the_pseudo_inverse_reproduces_measurements() {
    // A A+ A = A in the limit: what is left of A x is eta / (s² + eta) of each component.
    for_every_operator(|name, a, x, _| {
        let y = a.apply(x);
        let gap = |eta: f64| {
            let again = a.apply(a.regularized_inverse(y.clone(), eta));
            relative_error(&values(again), &values(y.clone()))
        };
        let (coarse, fine) = (gap(1e-2), gap(1e-6));
        // Conjugate gradients are cut off before they solve a badly conditioned blur.
        let bound = if a.spectral().is_some() { 2e-2 } else { 0.1 };
        assert!(fine <= bound && fine <= coarse, "{name}: {coarse:.1e} at 1e-2, {fine:.1e} at 1e-6");
    });
}

#[test]
fn a_batch_is_its_pictures() {
    for_every_operator(|name, a, x, _| {
        let second = x.clone().narrow(0, 1, 1);
        let both = a.apply(x.clone());
        let alone = a.apply(second.clone());
        assert_close(&format!("{name}, A"), &values(both.clone().narrow(0, 1, 1)), &values(alone.clone()), 1e-5);
        let both = a.regularized_inverse(both, 0.1).narrow(0, 1, 1);
        assert_close(&format!("{name}, inverse"), &values(both), &values(a.regularized_inverse(alone, 0.1)), 1e-5);
    });
}

#[test]
fn singular_values_bound_the_operator() {
    for_every_operator(|name, a, x, _| {
        let Some(spectral) = a.spectral() else { return };
        let singular = spectral.singular_values();
        let largest = f64::from(singular.iter().fold(0f32, |m, &s| m.max(s)));
        let ax = a.apply(x.clone());
        let gain = (dot(ax.clone(), ax) / dot(x.clone(), x)).sqrt();
        assert!(gain <= largest * (1.0 + 1e-4), "{name}: gain {gain} above {largest}");
    });
}

#[test]
fn functions_of_singular_values_are_functions_of_the_operator() {
    for_every_operator(|name, a, x, _| {
        let Some(spectral) = a.spectral() else { return };
        let compare = |what: &str, f: &dyn Fn(f64) -> f64, expected: Tensor<4>| {
            let actual = values(spectral.filter(x.clone(), f));
            assert_close(&format!("{name}, {what}"), &actual, &values(expected), 1e-4);
        };
        compare("1", &|_| 1.0, x.clone());
        compare("s²", &|s| s * s, a.adjoint(a.apply(x.clone())));
        let damped = |s: f64| s * s / (s * s + 0.01);
        compare("s² / (s² + eta)", &damped, a.regularized_inverse(a.apply(x.clone()), 0.01));
        let unseen = x.clone() - a.regularized_inverse(a.apply(x.clone()), 0.01);
        compare("eta / (s² + eta)", &|s| 1.0 - damped(s), unseen);
        let twice = spectral.filter(spectral.filter(x.clone(), &|s| 2.0 - s), &|s| 3.0 * s + 0.5);
        compare("a product", &|s| (2.0 - s) * (3.0 * s + 0.5), twice);
    });
}

#[test]
fn a_blur_from_beyond_the_border() {
    on_devices(|on, device| {
        let kernel = Psf::Motion { length: 7.0, angle: 30.0 }.kernel().unwrap();
        let circular = Convolution::new(&kernel, [3, 48, 48], device).unwrap();
        let a = Crop::new(Arc::new(circular), [28, 37]);
        assert_eq!((a.image_shape(), a.measured_shape()), ([3, 48, 48], [3, 28, 37]));
        let x = random([2, 3, 48, 48], 1, device);
        let y = random([2, 3, 28, 37], 2, device);
        let (left, right) = (dot(a.apply(x.clone()), y.clone()), dot(x, a.adjoint(y.clone())));
        assert!((left - right).abs() <= 1e-5 * dot(y.clone(), y.clone()), "on {on}: {left} and {right}");
        // The inverse is approximate: less so where the regularisation is strong.
        for (eta, tolerance) in [(1.0, 1e-4), (0.1, 1e-2)] {
            let v = a.regularized_inverse(y.clone(), eta);
            let equation = a.adjoint(a.apply(v.clone())) + v * eta;
            let expected = values(a.adjoint(y.clone()));
            assert_close(&format!("eta {eta} on {on}"), &values(equation), &expected, tolerance);
        }
        let plain = values(a.apply(a.adjoint(y.clone())));
        assert_close(&format!("A Aᵀ on {on}"), &values(a.gram(y.clone())), &plain, 1e-4);
        let zero = a.regularized_inverse(y.zeros_like(), 0.1);
        assert!(values(zero).iter().all(|&v| v == 0.0), "the inverse of nothing is nothing");
    });
}

/// Of single pixels nothing is known: their values do not matter, and the inverse solves the equation of the others.
#[test]
fn a_blur_with_unknown_pixels() {
    on_devices(|on, device| {
        let kernel = Psf::Motion { length: 7.0, angle: 30.0 }.kernel().unwrap();
        let circular = Arc::new(Convolution::new(&kernel, [3, 48, 48], device).unwrap());
        let known = (random([1, 1, 28, 37], 7, device) + 1.0).greater_elem(0.0).float();
        let holes = values(known.clone()).iter().filter(|&&v| v == 0.0).count();
        assert!((50..300).contains(&holes), "{holes} holes");
        let a = Crop::new(circular, [28, 37]).knowing(known.clone());
        let (x, y) = (random([2, 3, 48, 48], 1, device), random([2, 3, 28, 37], 2, device));
        let other = y.clone() + (known.ones_like() - known) * 5.0;
        let (left, right) = (dot(a.apply(x.clone()), other.clone()), dot(x, a.adjoint(other.clone())));
        assert!((left - right).abs() <= 1e-5 * dot(other.clone(), other.clone()), "on {on}: {left} and {right}");
        assert_eq!(values(a.adjoint(y.clone())), values(a.adjoint(other)), "on {on}");
        let plain = values(a.apply(a.adjoint(y.clone())));
        assert_close(&format!("A Aᵀ with holes on {on}"), &values(a.gram(y.clone())), &plain, 1e-4);
        for (eta, tolerance) in [(1.0, 1e-4), (0.1, 1e-2)] {
            let v = a.regularized_inverse(y.clone(), eta);
            let equation = a.adjoint(a.apply(v.clone())) + v * eta;
            let expected = values(a.adjoint(y.clone()));
            assert_close(&format!("eta {eta} on {on}"), &values(equation), &expected, tolerance);
        }
    });
}

/// Planes of large photos are inverted one after the other, to the values that each has alone.
#[test]
fn a_large_blur_is_inverted_plane_by_plane() {
    let device = Device::flex();
    let kernel = Psf::gaussian(1.0).kernel().unwrap();
    let circular = Convolution::new(&kernel, [3, 1056, 1040], &device).unwrap();
    let a = Crop::new(Arc::new(circular), [1040, 1024]);
    let y = random([1, 3, 1040, 1024], 3, &device);
    let p = Preconditioner { eta: 0.1, inverse: 0.7, identity: 0.3 };
    let all = a.precondition(y.clone(), p);
    for channel in 0..3 {
        let alone = a.precondition(y.clone().narrow(1, channel, 1), p);
        assert_close(&format!("plane {channel}"), &values(all.clone().narrow(1, channel, 1)), &values(alone), 1e-5);
    }
}

#[test]
fn gram_operators_are_the_operator_after_its_adjoint() {
    for_every_operator(|name, a, x, device| {
        let y = random(a.apply(x).dims(), 17, device);
        assert_close(name, &values(a.gram(y.clone())), &values(a.apply(a.adjoint(y))), 1e-4);
    });
}

#[test]
fn preconditioners_are_those_of_the_adjoint() {
    for_every_operator(|name, a, x, device| {
        let y = a.apply(x.clone()) + random(a.apply(x).dims(), 13, device) * 0.1;
        let p = Preconditioner { eta: 0.1, inverse: 0.8, identity: 0.3 };
        let (fused, plain) = (a.preconditioned_adjoint(y.clone(), p), a.adjoint(a.precondition(y, p)));
        assert_close(name, &values(fused), &values(plain), 1e-4);
    });
}

#[test]
fn degradations_know_the_shape_of_what_they_measure() {
    let device = Device::flex();
    let mut compared = 0;
    for size in SIZES {
        for (name, stage) in kinds().iter().flat_map(|kind| (kind.examples)(size)) {
            let degradation = Degradation::from(stage);
            let a = degradation.build(size, &device).expect(name);
            assert_eq!(degradation.check(size).expect(name), a.measured_shape(), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 0);
}

#[test]
fn a_product_with_the_identity_is_its_other_factor() {
    use fdgr::degradation::{deblur::Deblur, denoising::Denoising};
    on_devices(|on, device| {
        let blur = Deblur { psf: Psf::gaussian(1.0), form: Form::Fft };
        let pair = Degradation::new(vec![Denoising {}.into(), blur.clone().into()]).build([32, 20], device).unwrap();
        let alone = Degradation::from(blur).build([32, 20], device).unwrap();
        let x = random([1, 3, 32, 20], 5, device);
        assert_close(&format!("A on {on}"), &values(pair.apply(x.clone())), &values(alone.apply(x.clone())), 1e-6);
        let (pair, alone) = (pair.regularized_inverse(x.clone(), 0.01), alone.regularized_inverse(x, 0.01));
        assert_close(&format!("inverse on {on}"), &values(pair), &values(alone), 1e-3);
    });
}

#[test]
fn degradations_are_read_as_one_stage_or_several() {
    use fdgr::degradation::Degradation;
    let one: Degradation = serde_json::from_str(r#"{"name": "sr_averagepooling", "scale": 4}"#).unwrap();
    let several: Degradation = serde_json::from_str(r#"[{"name": "sr_averagepooling", "scale": 4}]"#).unwrap();
    assert_eq!(one, several);
    assert_eq!(serde_json::to_string(&one).unwrap(), r#"[{"name":"sr_averagepooling","scale":4}]"#);
    assert!(serde_json::from_str::<Degradation>("[]").is_err());
}
