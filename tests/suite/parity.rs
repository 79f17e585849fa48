//! The kernels of every device against their references in tensor operations.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fdgr::kernel::{
    Fft2, attention,
    convolution::{self, Sampling, concatenate, convolve, convolve_add},
    fft,
    gradient::{self, Derivatives, Penalty},
    half,
    normalization::GroupNorm,
};

use crate::support::{assert_close, on_devices, random, values};

const SIZES: [[usize; 2]; 6] = [[1, 1], [5, 7], [64, 64], [97, 101], [256, 256], [480, 640]];
/// Error of a transform in f32, the rounding of the reference included.
const TOLERANCE: f64 = 2e-5;

fn at_every_size(test: impl Fn(String, [usize; 2], &Device)) {
    on_devices(|on, device| {
        for [h, w] in SIZES {
            test(format!("{h}x{w} on {on}"), [h, w], device);
        }
    });
}

/// References run on the CPU, whatever the device.
fn on_cpu(x: &Tensor<4>, of: impl Fn(Tensor<4>) -> Vec<f32>) -> Vec<f32> {
    let cpu = Device::flex();
    let data = x.clone().try_into_data().expect("data");
    of(Tensor::from_data(data, &cpu))
}

#[test]
fn transforms() {
    at_every_size(|name, [h, w], device| {
        // Odd and even numbers of images: lines are transformed in pairs.
        for count in [1, 2] {
            let x = random([count, 3, h, w], 4, device);
            let plan = Fft2::new(h, w, device);
            let spectrum = plan.forward(x.clone());
            let expected = on_cpu(&x, |x| values(fft::reference(x)));
            assert_close(&format!("forward {name}"), &values(spectrum.clone()), &expected, TOLERANCE);
            assert_close(&format!("inverse {name}"), &values(plan.inverse(spectrum)), &values(x), TOLERANCE);
            // Random numbers, which include spectra of no real image.
            let half = |seed| random([count, 3, h, fft::half(w)], seed, device);
            let (re, im) = (half(5), half(6));
            let im_data = im.clone().try_into_data().expect("data");
            let expected = on_cpu(&re, |re| {
                let im = Tensor::from_data(im_data.clone(), &re.device());
                values(fft::inverse_reference(Tensor::stack(vec![re, im], 4), w))
            });
            let back = values(plan.inverse(Tensor::stack(vec![re, im], 4)));
            assert_close(&format!("inverse of anything {name}"), &back, &expected, TOLERANCE);
        }
    });
}

#[test]
fn circular_convolutions() {
    at_every_size(|name, [h, w], device| {
        let x = random([2, 3, h, w], 7, device);
        let plan = Fft2::new(h, w, device);
        // A transfer function of a real kernel.
        let transfer = plan.forward(random([1, 1, h, w], 9, device)).squeeze_dims::<3>(&[0, 1]);
        let data = transfer.clone().try_into_data().expect("data");
        let expected = on_cpu(&x, |x| {
            let transfer = Tensor::from_data(data.clone(), &x.device());
            values(fft::filter_reference(x, &transfer))
        });
        assert_close(&name, &values(plan.filter(x.clone(), &transfer)), &expected, TOLERANCE);
        // An image that is not contiguous in memory.
        let turned = x.swap_dims(2, 3).flip([3]).flip([3]).swap_dims(2, 3);
        assert_close(&format!("strided {name}"), &values(plan.filter(turned, &transfer)), &expected, TOLERANCE);
    });
}

#[test]
fn fourier_derivatives() {
    at_every_size(|name, [h, w], device| {
        let x = random([1, 3, h, w], 11, device);
        let derivatives = Derivatives::new(h, w, device);
        let along = |axis| on_cpu(&x, |x| values(gradient::derivative_reference(x, axis)));
        // The second one of an image that is not contiguous in memory.
        let [du, _] = derivatives.gradient(x.clone());
        let turned = x.clone().swap_dims(2, 3).flip([3]).flip([3]).swap_dims(2, 3);
        let [_, dv] = derivatives.gradient(turned);
        assert_close(&format!("along the width {name}"), &values(du), &along(3), TOLERANCE);
        assert_close(&format!("along the height {name}"), &values(dv), &along(2), TOLERANCE);
        let sum: Vec<f32> = along(3).iter().zip(along(2)).map(|(a, b)| a + b).collect();
        let divergence = derivatives.divergence([x.clone(), x.clone()]);
        assert_close(&format!("divergence {name}"), &values(divergence), &sum, TOLERANCE);
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
                let expected = values(norm.reference(x.clone(), &scale, &shift));
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
        let derivatives = Derivatives::new(h, w, device);
        for penalty in [Penalty { alpha: 0.2, sigma_g: 0.8 }, Penalty { alpha: 0.5, sigma_g: 1.5 }] {
            let expected = on_cpu(&x, |x| values(gradient::spatial_reference(x, 1.3, penalty)));
            let actual = values(gradient::spatial(x.clone(), 1.3, penalty));
            assert_close(&format!("G+ {penalty:?} {name}"), &actual, &expected, 1e-4);

            let (du, dv) = (x.clone(), random([2, 3, h, w], 12, device));
            let expected = values(gradient::joint_weight_reference(du.clone(), dv.clone(), -0.7, penalty));
            let actual = values(gradient::joint_weight(du, dv, -0.7, penalty));
            assert_close(&format!("weights {penalty:?} {name}"), &actual, &expected, 1e-5);

            let expected = on_cpu(&x, |x| values(gradient::frequency_reference(x, -0.09, penalty)));
            let actual = values(gradient::frequency(&derivatives, x.clone(), -0.09, penalty));
            assert_close(&format!("G- {penalty:?} {name}"), &actual, &expected, 1e-4);
        }
    });
}

#[test]
fn halves() {
    // Every finite f16, in a mixed order.
    let finite = |bits: &u16| bits >> 10 & 0x1f != 0x1f;
    let halves: Vec<u16> = (0..=u16::MAX).map(|i| i.wrapping_mul(40_503)).filter(finite).collect();
    let words: Vec<i32> = halves.chunks_exact(2).map(|w| (u32::from(w[1]) << 16 | u32::from(w[0])) as i32).collect();
    let upload = |device: &Device| {
        let data = TensorData::new(words.clone(), [words.len()]);
        Tensor::<1, Int>::from_data(data, (device, DType::I32))
    };
    let exact: Vec<f32> = halves.iter().map(|&bits| ::half::f16::from_bits(bits).to_f32()).collect();
    assert_close("the reference", &values(half::widen_reference(upload(&Device::flex()))), &exact, 1e-6);
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
                let expected = convolution::reference(x_cpu, weight_cpu, bias_cpu, sampling);
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
        let expected = values(convolution::reference(x.clone(), weight.clone(), bias.clone(), Sampling::Keep));
        assert_close(on, &values(convolve(x, weight, bias, Sampling::Keep)), &expected, 2e-5);
    });
}

#[test]
fn concatenations() {
    on_devices(|on, device| {
        let (a, b) = (random([2, 3, 5, 7], 24, device), random([2, 4, 5, 7], 25, device));
        let expected = values(Tensor::cat(vec![a.clone(), b.clone()], 1));
        assert_eq!(values(concatenate(a.clone(), b.clone())), expected, "on {on}");
        // Feature maps in the memory layout of a convolution.
        let kept = |x: Tensor<4>| {
            let c = x.dims()[1];
            let identity = Tensor::<2>::eye(c, device).reshape([1, 1, c, c]);
            convolve(x, identity, Tensor::zeros([c], device), Sampling::Keep)
        };
        assert_eq!(values(concatenate(kept(a), b)), expected, "of a convolution on {on}");
    });
}

/// The gradient with respect to `x` of the inner product of `of(x)` with random numbers.
fn gradient(x: &Tensor<4>, of: impl Fn(Tensor<4>) -> Tensor<4>) -> Vec<f32> {
    let x = x.clone().autodiff().require_grad();
    let y = of(x.clone());
    let factors = random(y.dims(), 29, &y.clone().inner().device());
    let gradients = (y * factors.autodiff()).sum().backward();
    values(x.grad(&gradients).expect("it depends on x"))
}

#[test]
fn derivatives_of_normalisations() {
    on_devices(|on, device| {
        for [b, c, h, w, groups] in [[1, 64, 3, 5, 32], [2, 64, 5, 7, 32], [1, 96, 33, 17, 32], [2, 8, 64, 64, 4]] {
            let x = random([b, c, h, w], 14, device) * 3.0 + 5.0;
            let parameter = |seed| random([1, 1, 1, c], seed, device).reshape([c]);
            let (scale, shift) = (parameter(15), parameter(16));
            for activate in [false, true] {
                let norm = GroupNorm { groups, epsilon: 1e-6, activate };
                let expected = gradient(&x, |x| norm.reference(x, &scale, &shift));
                let actual = gradient(&x, |x| norm.forward(x, &scale, &shift));
                assert_close(&format!("{norm:?} of {b}x{c}x{h}x{w} on {on}"), &actual, &expected, 5e-5);
            }
        }
    });
}

#[test]
fn derivatives_of_convolutions() {
    on_devices(|on, device| {
        for [b, inputs, outputs, h, w, taps] in [
            [1, 3, 5, 2, 3, 3],
            [1, 12, 20, 37, 41, 3],
            [2, 33, 3, 9, 30, 3],
            [2, 24, 40, 13, 7, 1],
            [1, 8, 8, 10, 12, 5],
        ] {
            let x = random([b, inputs, h, w], 20, device);
            let weight = random([taps, taps, inputs, outputs], 21, device) * ((taps * taps * inputs) as f64).powf(-0.5);
            let bias = random([1, 1, 1, outputs], 22, device).reshape([outputs]);
            for sampling in [Sampling::Keep, Sampling::Halve, Sampling::HalveAsymmetric, Sampling::Double] {
                if sampling == Sampling::HalveAsymmetric && taps != 3 {
                    continue;
                }
                let name = format!("{sampling:?} of {b}x{inputs}x{h}x{w} to {outputs}, {taps} taps, on {on}");
                let reference = |x| convolution::reference(x, weight.clone(), bias.clone(), sampling);
                let expected = gradient(&x, reference);
                let actual = gradient(&x, |x| convolve(x, weight.clone(), bias.clone(), sampling));
                assert_close(&name, &actual, &expected, 2e-5);
                // Through the residual as well.
                let expected = gradient(&x, |x| reference(x.clone()) + reference(x) * 0.5);
                let sum = |x: Tensor<4>| {
                    let half = convolve(x.clone(), weight.clone(), bias.clone(), sampling) * 0.5;
                    convolve_add(x, weight.clone(), bias.clone(), half, sampling)
                };
                assert_close(&format!("sum, {name}"), &gradient(&x, sum), &expected, 2e-5);
            }
        }
    });
}

#[test]
fn derivatives_of_concatenations() {
    on_devices(|on, device| {
        let x = random([2, 3, 5, 7], 24, device);
        let expected = gradient(&x, |x| Tensor::cat(vec![x.clone() * 2.0, x], 1));
        let actual = gradient(&x, |x| concatenate(x.clone() * 2.0, x));
        assert_close(on, &actual, &expected, 1e-6);
    });
}

#[test]
fn attentions() {
    on_devices(|on, device| {
        // Around the edges of blocks of keys, groups of queries and vectors of channels.
        for [heads, c, n] in
            [[1, 16, 1], [2, 33, 7], [3, 5, 96], [1, 64, 256], [4, 32, 700], [2, 32, 320], [1, 256, 257]]
        {
            let columns = |seed| random([1, heads, c, n], seed, device).squeeze_dim::<3>(0);
            // Scores of a wide range, as in trained networks.
            let (query, key, value) = (columns(30) * 4.0, columns(31), columns(32));
            let expected = values(attention::reference(query.clone(), key.clone(), value.clone()));
            let actual = values(attention::attend(query.clone(), key.clone(), value.clone()));
            let name = format!("{heads} heads of {c}x{n} on {on}");
            assert_close(&name, &actual, &expected, 1e-5);

            let mixed = |x: &Tensor<4>| x.clone().squeeze_dim::<3>(0);
            let value = query.clone().unsqueeze_dim::<4>(0);
            let expected =
                gradient(&value, |x| attention::reference(mixed(&x), mixed(&x) * 0.1, mixed(&x)).unsqueeze_dim(0));
            let actual =
                gradient(&value, |x| attention::attend(mixed(&x), mixed(&x) * 0.1, mixed(&x)).unsqueeze_dim(0));
            assert_close(&format!("derivative, {name}"), &actual, &expected, 1e-5);
        }
    });
}
