//! The kernels of every device against their specifications in tensor operations.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fdgr::kernel::{
    Fft2,
    convolution::{self, Sampling, concatenate, convolve, convolve_add},
    fft,
    gradient::{self, Penalty},
    half,
    normalization::GroupNorm,
};

use crate::support::{assert_close, on_devices, random, values};

const SIZES: [[usize; 2]; 6] = [[1, 1], [5, 7], [64, 64], [97, 101], [256, 256], [480, 640]];
/// Error of a transform in f32, the specification's own rounding included.
const TOLERANCE: f64 = 2e-5;

fn at_every_size(test: impl Fn(String, [usize; 2], &Device)) {
    on_devices(|on, device| {
        for [h, w] in SIZES {
            test(format!("{h}x{w} on {on}"), [h, w], device);
        }
    });
}

/// Specifications run on the CPU, whatever the device.
fn specified(x: &Tensor<4>, of: impl Fn(Tensor<4>) -> Vec<f32>) -> Vec<f32> {
    let cpu = Device::flex();
    let data = x.clone().try_into_data().expect("data");
    of(Tensor::from_data(data, &cpu))
}

fn complex(x: Tensor<4>) -> Tensor<5> {
    Tensor::stack(vec![x.clone(), x.zeros_like()], 4)
}

#[test]
fn transforms() {
    at_every_size(|name, [h, w], device| {
        let x = random([2, 3, h, w], 4, device);
        let plan = Fft2::new(h, w, device);
        let spectrum = plan.forward(x.clone());
        let expected = specified(&x, |x| values(fft::specification(complex(x), false)));
        assert_close(&format!("forward {name}"), &values(spectrum.clone()), &expected, TOLERANCE);

        let from_complex = plan.forward_complex(complex(x.clone()));
        assert_close(&format!("forward, complex {name}"), &values(from_complex), &expected, TOLERANCE);

        let back = plan.inverse(spectrum.clone());
        assert_close(&format!("inverse {name}"), &values(back), &values(complex(x.clone())), TOLERANCE);
        assert_close(&format!("inverse, real {name}"), &values(plan.inverse_real(spectrum)), &values(x), TOLERANCE);
    });
}

#[test]
fn inverses_of_any_spectrum() {
    // A spectrum without symmetry, so that the imaginary part counts.
    at_every_size(|name, [h, w], device| {
        let (re, im) = (random([1, 2, h, w], 5, device), random([1, 2, h, w], 6, device));
        let field = Fft2::new(h, w, device).inverse(Tensor::stack(vec![re.clone(), im.clone()], 4));
        let im = im.try_into_data().expect("data");
        let expected = specified(&re, |re| {
            let im = Tensor::from_data(im.clone(), &re.device());
            values(fft::specification(Tensor::stack(vec![re, im], 4), true))
        });
        assert_close(&format!("inverse {name}"), &values(field), &expected, TOLERANCE);
    });
}

#[test]
fn transfer_products() {
    at_every_size(|name, [h, w], device| {
        let (re, im) = (random([2, 3, h, w], 7, device), random([2, 3, h, w], 8, device));
        let (tre, tim) = (random([1, 1, h, w], 9, device), random([1, 1, h, w], 10, device));
        let stacked: Tensor<5> = Tensor::stack(vec![tre.clone(), tim.clone()], 4);
        let transfer: Tensor<3> = stacked.reshape([h, w, 2]);
        let actual = fft::multiply(Tensor::stack(vec![re.clone(), im.clone()], 4), &transfer);
        let expected: Tensor<5> =
            Tensor::stack(vec![re.clone() * tre.clone() - im.clone() * tim.clone(), re * tim + im * tre], 4);
        assert_close(&name, &values(actual), &values(expected), 1e-6);
    });
}

#[test]
fn spectral_derivatives() {
    at_every_size(|name, [h, w], device| {
        let x = Tensor::stack(vec![random([1, 3, h, w], 11, device), random([1, 3, h, w], 12, device)], 4);
        for divergence in [false, true] {
            let expected = values(gradient::derivative_specification(x.clone(), divergence));
            let actual = values(gradient::spectral_derivative(x.clone(), divergence));
            assert_close(&format!("divergence {divergence} {name}"), &actual, &expected, 1e-6);
        }
    });
}

#[test]
fn group_norms() {
    on_devices(|on, device| {
        for [b, c, h, w, groups] in [[1, 32, 1, 1, 32], [2, 64, 5, 7, 32], [1, 96, 33, 17, 32], [2, 8, 64, 64, 4]] {
            // An offset far above the deviation, where a variance in one pass would cancel.
            let x = random([b, c, h, w], 14, device) * 3.0 + 50.0;
            let parameter = |seed| random([1, 1, 1, c], seed, device).reshape([c]);
            let (scale, shift) = (parameter(15), parameter(16));
            for activate in [false, true] {
                let norm = GroupNorm { groups, epsilon: 1e-6, activate };
                let expected = values(norm.specification(x.clone(), &scale, &shift));
                let actual = values(norm.forward(x.clone(), &scale, &shift));
                assert_close(&format!("{norm:?} of {c}x{h}x{w} on {on}"), &actual, &expected, 2e-5);
            }
        }
    });
}

#[test]
fn regularizer_kernels() {
    at_every_size(|name, [h, w], device| {
        let x = random([2, 3, h, w], 13, device) * 0.3;
        let plan = Fft2::new(h, w, device);
        for penalty in [Penalty { alpha: 0.2, sigma_g: 0.8 }, Penalty { alpha: 0.5, sigma_g: 1.5 }] {
            let expected = specified(&x, |x| values(gradient::spatial_specification(x, 1.3, penalty)));
            let actual = values(gradient::spatial(x.clone(), 1.3, penalty));
            assert_close(&format!("G+ {penalty:?} {name}"), &actual, &expected, 1e-4);

            let field = Tensor::stack(vec![x.clone(), x.clone() * -0.5], 4);
            let expected = values(gradient::penalty_specification(field.clone(), -0.7, penalty));
            let actual = values(gradient::penalty(field, -0.7, penalty));
            assert_close(&format!("penalty {penalty:?} {name}"), &actual, &expected, 1e-5);

            let expected = specified(&x, |x| values(gradient::frequency_specification(x, -0.09, penalty)));
            let actual = values(gradient::frequency(&plan, x.clone(), -0.09, penalty));
            assert_close(&format!("G- {penalty:?} {name}"), &actual, &expected, 1e-4);
        }
    });
}

#[test]
fn halves() {
    // Every f16 but infinities and NaN, in an order that mixes them.
    let finite = |bits: &u16| bits >> 10 & 0x1f != 0x1f;
    let halves: Vec<u16> = (0..=u16::MAX).map(|i| i.wrapping_mul(40_503)).filter(finite).collect();
    let words: Vec<i32> = halves.chunks_exact(2).map(|w| (u32::from(w[1]) << 16 | u32::from(w[0])) as i32).collect();
    let upload = |device: &Device| {
        let data = TensorData::new(words.clone(), [words.len()]);
        Tensor::<1, Int>::from_data(data, (device, DType::I32))
    };
    let exact: Vec<f32> = halves.iter().map(|&bits| ::half::f16::from_bits(bits).to_f32()).collect();
    assert_close("the specification", &values(half::widen_specification(upload(&Device::flex()))), &exact, 1e-6);
    on_devices(|on, device| {
        let widened = values(half::widen(upload(device)));
        assert_eq!(widened.len(), exact.len());
        let wrong = widened.iter().zip(&exact).filter(|(a, b)| (*a - *b).abs() > 1e-6 * b.abs()).count();
        assert_eq!(wrong, 0, "halves widened wrongly on {on}");
    });
}

#[test]
fn convolutions() {
    on_devices(|on, device| {
        // Shapes around the edges of tiles, blocks and vectors, few positions and many.
        for [b, inputs, outputs, h, w, taps] in [
            [1, 3, 5, 1, 1, 3],
            [1, 12, 64, 37, 41, 3],
            [2, 33, 3, 9, 30, 3],
            [1, 64, 48, 24, 24, 3],
            [1, 40, 72, 8, 8, 3],
            [2, 24, 40, 13, 7, 1],
            [1, 16, 16, 16, 16, 1],
            [1, 64, 64, 96, 100, 3],
        ] {
            let x = random([b, inputs, h, w], 20, device);
            let weight = random([taps, taps, inputs, outputs], 21, device) * ((taps * taps * inputs) as f64).powf(-0.5);
            let bias = random([1, 1, 1, outputs], 22, device).reshape([outputs]);
            for sampling in [Sampling::Keep, Sampling::Halve, Sampling::HalveAsymmetric, Sampling::Double] {
                if sampling == Sampling::HalveAsymmetric && (taps == 1 || h < 2 || w < 2) {
                    continue;
                }
                let name = format!("{sampling:?} of {b}x{inputs}x{h}x{w} to {outputs}, {taps} taps, on {on}");
                let data = |x: Tensor<4>| x.try_into_data().expect("data");
                let cpu = Device::flex();
                let [x_cpu, weight_cpu] = [&x, &weight].map(|t| Tensor::from_data(data(t.clone()), &cpu));
                let bias_cpu = Tensor::from_data(bias.clone().try_into_data().expect("data"), &cpu);
                let expected = convolution::specification(x_cpu, weight_cpu, bias_cpu, sampling);
                let actual = convolve(x.clone(), weight.clone(), bias.clone(), sampling);
                assert_eq!(actual.dims(), expected.dims(), "{name}");
                assert_close(&name, &values(actual.clone()), &values(expected.clone()), 2e-5);

                let residual = random(actual.dims(), 23, device);
                let sum = expected + Tensor::from_data(data(residual.clone()), &cpu);
                let actual = convolve_add(x.clone(), weight.clone(), bias.clone(), residual, sampling);
                assert_close(&format!("sum, {name}"), &values(actual), &values(sum), 2e-5);
            }
        }
    });
}

#[test]
fn convolutions_whose_weights_fill_several_buffers() {
    on_devices(|on, device| {
        let (inputs, outputs) = (768, 720);
        let x = random([1, inputs, 24, 24], 26, device);
        let weight = random([3, 3, inputs, outputs], 27, device) * 0.012;
        let bias = random([1, 1, 1, outputs], 28, device).reshape([outputs]);
        let expected = values(convolution::specification(x.clone(), weight.clone(), bias.clone(), Sampling::Keep));
        assert_close(on, &values(convolve(x, weight, bias, Sampling::Keep)), &expected, 2e-5);
    });
}

#[test]
fn concatenations() {
    on_devices(|on, device| {
        let (a, b) = (random([2, 3, 5, 7], 24, device), random([2, 4, 5, 7], 25, device));
        let expected = values(Tensor::cat(vec![a.clone(), b.clone()], 1));
        assert_eq!(values(concatenate(a.clone(), b.clone())), expected, "on {on}");
        // Of feature maps as convolutions leave them.
        let kept = |x: Tensor<4>| {
            let c = x.dims()[1];
            let identity = Tensor::<2>::eye(c, device).reshape([1, 1, c, c]);
            convolve(x, identity, Tensor::zeros([c], device), Sampling::Keep)
        };
        assert_eq!(values(concatenate(kept(a), b)), expected, "of a convolution on {on}");
    });
}
