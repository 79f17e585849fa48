//! Comparison with the outputs of the reference implementations. Case names, shapes and parameters come from the files.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use fdgr::control::Silent;
use fdgr::degradation::{
    Convolution, Degradation, Form, LinearOperator, Mask, Psf, Separable, Stage, average_pooling::AveragePooling,
    colorization::Colorization, deblur::Deblur, denoising::Denoising, inpainting::Inpainting, sr_bicubic::SrBicubic,
    walsh_hadamard::Coefficients,
};
use fdgr::model::Checkpoint;
use fdgr::noise::{Noise, Tape};
use fdgr::prior::{
    AdmOptions, AdmUnet, Call, ClassGradient, Classifier, DdpmUnet, Denoiser, Precision, Prior, PriorFile,
};
use fdgr::regularizer::Regularization;
use fdgr::sampler::{
    Data, Ddnm, Ddpg, Ddrm, DdrmSampler, Estimate, Fdgr, Guidance, Moment, Needs, Problem, Run, Sampler, StepSizeMode,
    Timeline, Travel,
    schedule::{self, Betas},
    signed_sigma,
};
use serde::Deserialize;

use crate::support::{GaussianPrior, Golden, aloud, assert_close, golden_dir, on_devices, relative_error, values};

#[test]
fn schedules() {
    let golden = Golden::named("schedule");
    let mut compared = 0;
    for name in golden.names() {
        let expected = golden.values(name);
        let (kind, rest) = name.split_once('.').expect("KIND.CASE");
        let actual: Vec<f32> = match kind {
            "betas" => Betas::named(rest).expect(rest).betas().into_iter().map(|v| v as f32).collect(),
            "alpha_bar" => Betas::named(rest).expect(rest).alpha_bar().into_iter().map(|v| v as f32).collect(),
            "times" => {
                let number = |part: &str| part.trim_start_matches(char::is_alphabetic).parse().expect(part);
                let [steps, length, repeat] = rest.split('.').map(number).collect::<Vec<usize>>()[..] else {
                    panic!("{name}")
                };
                schedule::times(steps, length, repeat).into_iter().map(|t| t as f32).collect()
            }
            _ => panic!("{name} is of an unknown kind"),
        };
        assert_close(name, &actual, expected, 1e-4);
        compared += 1;
    }
    assert!(compared > 0);
}

/// The operator of a golden case, with the kernels, masks and orders of its file.
fn operator(name: &str, golden: &Golden, size: [usize; 2], device: &Device) -> Box<dyn LinearOperator> {
    let [height, width] = size;
    let vector = |key: &str| -> Vec<f64> { golden.values(key).iter().map(|&v| v.into()).collect() };
    let optional = |key: &str, otherwise: Psf| {
        let (vertical, _) = otherwise.factors().expect("a separable kernel");
        if golden.has(key) { vector(key) } else { vertical }
    };
    let plane = |values: Vec<f64>, h: usize, w: usize| {
        let values = values.into_iter().map(|v| v as f32).collect();
        let kernel = Psf::Measured { height: h, width: w, values }.kernel().expect("a kernel");
        Box::new(Convolution::new(&kernel, [3, height, width], device).expect("a kernel that fits"))
    };
    let square = |taps: &[f64]| {
        let values = taps.iter().flat_map(|v| taps.iter().map(move |h| v * h)).collect();
        plane(values, taps.len(), taps.len())
    };
    let build = |stage: Stage| Degradation::from(stage).build(size, device).expect(name);
    let gauss = || optional("kernel.gauss_1d", Psf::REFERENCE_GAUSSIAN);
    let uniform = || optional("kernel.uniform_1d", Psf::REFERENCE_UNIFORM);
    match name {
        "denoising" => build(Denoising {}.into()),
        "colorization" => build(Colorization {}.into()),
        "inpainting" => {
            let known = golden.values("mask");
            let mask = Mask::from_fn(height, width, |y, x| known[y * width + x] > 0.5);
            build(Inpainting { mask }.into())
        }
        "cs_walshhadamard" => {
            let order: Vec<usize> = golden.values("perm").iter().map(|&v| v as usize).collect();
            Box::new(Coefficients::new(&order, 0.25, [3, height, width], device))
        }
        "sr_averagepooling" => build(AveragePooling { scale: 4 }.into()),
        "sr_bicubic_svd" => build(SrBicubic { scale: 4, form: Form::Svd }.into()),
        "sr_bicubic_fft" => build(SrBicubic { scale: 4, form: Form::Fft }.into()),
        "deblur_gauss_fft" => square(&gauss()),
        "deblur_uni_fft" => square(&uniform()),
        "deblur_gauss_svd" => Box::new(Separable::blur(&gauss(), &gauss(), [3, height, width], device)),
        "deblur_uni_svd" => Box::new(Separable::blur(&uniform(), &uniform(), [3, height, width], device)),
        "deblur_aniso_fft" => {
            let [h, w] = golden.shape("kernel.aniso")[..] else { panic!("a kernel of rank 2") };
            plane(vector("kernel.aniso"), h, w)
        }
        "deblur_aniso_svd" => build(Deblur { psf: Psf::REFERENCE_ANISOTROPIC, form: Form::Svd }.into()),
        "motion_deblur_fft" => {
            let key = golden.names().find(|name| name.starts_with("kernel.motion")).expect("a motion kernel");
            let [h, w] = golden.shape(key)[..] else { panic!("a kernel of rank 2") };
            plane(vector(key), h, w)
        }
        _ => panic!("no operator is called {name}"),
    }
}

/// The reference's blur by singular values assigns them to the wrong components: it repeats the sorted list three times
/// where the components of a pixel's three colours stand side by side, after a sort whose order of equal values is not
/// defined. Its `A` is therefore no blur, and differs from run to run; only its singular values are compared.
fn scrambled_by_the_reference(name: &str) -> bool {
    name.starts_with("deblur_") && name.ends_with("_svd")
}

#[test]
fn operators() {
    let golden = Golden::named("operators_64");
    let [_, _, height, width] = golden.shape("x")[..] else { panic!("an image") };
    let cases: Vec<&str> = golden.names().filter_map(|name| name.strip_suffix(".AtAx")).collect();
    assert!(!cases.is_empty());
    on_devices(|on, device| {
        let (x, z) = (golden.tensor("x", device), golden.tensor("z", device));
        for case in &cases {
            let a = operator(case, &golden, [height, width], device);
            let singular = format!("{case}.singular_values_sorted_unique_channel");
            if let (true, Some(spectral)) = (golden.has(&singular), a.spectral()) {
                let mut actual = spectral.singular_values();
                let mut expected = golden.values(&singular).to_vec();
                actual.sort_by(f32::total_cmp);
                expected.sort_by(f32::total_cmp);
                assert_close(&format!("{singular} on {on}"), &actual, &expected, 1e-4);
            }
            if scrambled_by_the_reference(case) {
                continue;
            }
            let compare = |what: &str, actual: Tensor<4>| {
                let name = format!("{case}.{what}");
                if golden.has(&name) {
                    assert_close(&format!("{name} on {on}"), &values(actual), golden.values(&name), 1e-4);
                }
            };
            let y = a.apply(x.clone());
            compare("Ax", y.clone());
            compare("AtAx", a.adjoint(y.clone()));
            let prefix = format!("{case}.pinv_eta");
            for name in golden.names().filter_map(|name| name.strip_prefix(&prefix)) {
                let (eta, of) = name.rsplit_once('.').expect("ETA.WHAT");
                let measured = match of {
                    "Ax" => y.clone(),
                    "residual" => y.clone() - a.apply(z.clone()),
                    _ => panic!("{name}"),
                };
                let eta = eta.parse().expect("a number");
                compare(&format!("pinv_eta{name}"), a.regularized_inverse(measured, eta));
            }
        }
    });
}

#[test]
fn kernels_of_the_reference() {
    let golden = Golden::named("operators_64");
    let compare = |name: &str, values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        assert_close(name, &values, golden.values(name), 1e-4);
    };
    compare("kernel.gauss_1d", &Psf::REFERENCE_GAUSSIAN.factors().unwrap().0);
    compare("kernel.uniform_1d", &Psf::REFERENCE_UNIFORM.factors().unwrap().0);
    compare("kernel.aniso", &Psf::REFERENCE_ANISOTROPIC.kernel().unwrap().values);
    compare("kernel.bicubic_fft", &fdgr::degradation::psf::Kernel::bicubic(4).values);
}

#[test]
fn regularizers() {
    let golden = Golden::named("regularizers");
    let cases: Vec<&str> = golden.names().filter(|name| name.starts_with("reg.")).collect();
    assert!(!cases.is_empty());
    on_devices(|on, device| {
        for case in &cases {
            let mut parts = case.splitn(4, '.').skip(1);
            let (size, mode, rest) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            let number = |key: &str, end: &str| -> f64 {
                let from = rest.find(key).expect(key) + key.len();
                let to = rest[from..].find(end).filter(|_| !end.is_empty()).map_or(rest.len(), |i| from + i);
                rest[from..to].parse().expect(rest)
            };
            let parameters = serde_json::json!({
                "mode": mode,
                "lam": number("lam", ".alpha"),
                "alpha": number("alpha", ".sigma_g"),
                "sigma_g": number("sigma_g", ""),
            });
            let regularization: Regularization = serde_json::from_value(parameters).expect(case);
            let x = golden.tensor(&format!("x.{size}"), device);
            let [_, _, h, w] = x.dims();
            let actual = regularization.build(h, w, device).unwrap().gradient(x);
            // float32 against a reference in float64: s^(alpha/2 - 1) near s = 1e-6 magnifies rounding of differences.
            assert_close(&format!("{case} on {on}"), &values(actual), golden.values(case), 3e-4);
        }
    });
}

#[test]
fn ddpm_unets_in_every_file_form() {
    let golden = Golden::named("simple_unet_32");
    for file in ["simple_unet_32.pt", "simple_unet_32_legacy.pt"] {
        let checkpoint = Checkpoint::open(&golden_dir().join(file)).expect(file);
        on_devices(|on, device| {
            let unet = DdpmUnet::load(&checkpoint, Precision::F32, device).expect(file);
            check_steps(&format!("{file} on {on}"), &golden, "eps.t", device, |x, t| {
                unet.predict_noise(x, &Call::at(t)).unwrap()
            });
        });
    }
}

#[test]
fn drunet_is_that_of_an_independent_implementation() {
    let file = Path::new("tests/data/drunet.safetensors");
    let golden = Golden::open("tests/data/drunet_expected.safetensors".as_ref());
    on_devices(|on, device| {
        let prior = PriorFile::open(file).unwrap().load(Precision::F32, None, device, &Silent).unwrap();
        check_steps(&format!("DRUNet on {on}"), &golden, "eps.t", device, |x, t| {
            prior.predict_noise(x, &Call::at(t)).unwrap()
        });
    });
}

/// Compares a network with every output `PREFIXt` of a file.
fn check_steps(
    what: &str,
    golden: &Golden,
    prefix: &str,
    device: &Device,
    network: impl Fn(Tensor<4>, usize) -> Tensor<4>,
) {
    let outputs: Vec<&str> = golden.names().filter(|name| name.starts_with(prefix)).collect();
    assert!(!outputs.is_empty(), "{what}: no reference outputs");
    for name in outputs {
        let t = name.trim_start_matches(prefix).parse().expect(name);
        let actual = values(network(golden.tensor("x", device), t));
        assert_close(&format!("{what}, {name}"), &actual, golden.values(name), 1e-3);
    }
}

/// Files of reference outputs whose name starts with `start`, without their ending.
fn golden_stems(start: &str) -> Vec<String> {
    let entries = std::fs::read_dir(golden_dir()).expect("the folder of reference outputs");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut stems: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".safetensors")?.to_owned()))
        .filter(|s| s.starts_with(start))
        .collect();
    stems.sort();
    assert!(!stems.is_empty(), "no reference outputs {start}*");
    stems
}

#[test]
fn guided_diffusion_unets() {
    for stem in golden_stems("adm_unet_") {
        let golden = Golden::named(&stem);
        // Variants of the arithmetic share the weights of the file they are named after.
        let file = golden_dir().join(format!("{stem}.pt"));
        let file =
            if file.exists() { file } else { golden_dir().join(format!("{}.pt", stem.rsplit_once('_').unwrap().0)) };
        let checkpoint = Checkpoint::open(&file).expect(&stem);
        let config = &golden.metadata["config"];
        let options: AdmOptions = serde_json::from_str(config).expect(config);
        // The files do not say the class; their description says 7.
        let class = checkpoint.contains("label_emb.weight").then_some(7);
        on_devices(|on, device| {
            let unet = AdmUnet::load(&checkpoint, options, class, Precision::F32, device).expect(&stem);
            check_steps(&format!("{stem} on {on}"), &golden, "out.t", device, |x, t| unet.forward(x, t));
        });
    }
}

#[test]
fn classifiers_and_their_gradient() {
    for stem in golden_stems("classifier_") {
        let golden = Golden::named(&stem);
        let checkpoint = Checkpoint::open(&golden_dir().join(format!("{stem}.pt"))).expect(&stem);
        let number = |key: &str| golden.metadata[key].parse::<usize>().expect(key);
        let (t, class) = (number("t"), number("class"));
        let options: AdmOptions = serde_json::from_str(&golden.metadata["config"]).expect("options");
        on_devices(|on, device| {
            let classifier = Classifier::load(&checkpoint, options, device).expect(&stem);
            let logits = values(classifier.logits(golden.tensor("x", device), t));
            assert_close(&format!("{stem}, logits on {on}"), &logits, golden.values("logits"), 1e-3);
            let gradient = values(classifier.gradient(golden.tensor("x", device), class, &Call::at(t)).unwrap());
            let expected = golden.values(&format!("grad_logprob_class{class}"));
            assert_close(&format!("{stem}, gradient on {on}"), &gradient, expected, 1e-3);
        });
    }
}

#[test]
fn diffusers_folders_in_both_namings() {
    const NAMINGS: [(&str, &str); 4] =
        [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")];
    let folder = golden_dir().join("diffusers_unet_32");
    let golden = Golden::open(&folder.join("expected.safetensors"));
    let older = tempfile::tempdir().unwrap();
    let weights = std::fs::read(folder.join("diffusion_pytorch_model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let rename = |name: &str| NAMINGS.iter().fold(name.to_owned(), |name, (new, old)| name.replace(new, old));
    let renamed: Vec<_> = file.iter().map(|(name, view)| (rename(name), view)).collect();
    assert!(renamed.iter().any(|(name, _)| name.contains("proj_attn")));
    let target = older.path().join("diffusion_pytorch_model.safetensors");
    std::fs::write(target, safetensors::serialize(renamed, None).unwrap()).unwrap();
    std::fs::copy(folder.join("config.json"), older.path().join("config.json")).unwrap();
    for folder in [folder.as_path(), older.path()] {
        on_devices(|on, device| {
            let prior = PriorFile::open(folder)
                .expect("a folder")
                .load(Precision::F32, None, device, &Silent)
                .expect("a prior");
            check_steps(&format!("{} on {on}", folder.display()), &golden, "eps.t", device, |x, t| {
                prior.predict_noise(x, &Call::at(t)).unwrap()
            });
        });
    }
}

#[test]
fn weights_kept_in_half_precision() {
    // Rounding the weights to 11 bits changes the output by about 1e-3; widening them wrongly, by about 1.
    let golden = Golden::named("simple_unet_32");
    let checkpoint = Checkpoint::open(&golden_dir().join("simple_unet_32.pt")).unwrap();
    let reference = DdpmUnet::load(&checkpoint, Precision::F16, &Device::flex()).unwrap();
    on_devices(|on, device| {
        let unet = DdpmUnet::load(&checkpoint, Precision::F16, device).unwrap();
        let actual = values(unet.predict_noise(golden.tensor("x", device), &Call::at(500)).unwrap());
        assert_close(&format!("f16 on {on}"), &actual, golden.values("eps.t500"), 1e-2);
        let same = values(reference.predict_noise(golden.tensor("x", &Device::flex()), &Call::at(500)).unwrap());
        assert_close(&format!("f16 on {on} and on the CPU"), &actual, &same, 1e-4);
    });
}

#[test]
fn embedded_prior() {
    let golden = Golden::open(Path::new("assets/prior/expected.safetensors"));
    on_devices(|on, device| {
        let prior = Prior::open(fdgr::prior::EMBEDDED, device).unwrap();
        for name in golden.names().filter(|name| name.starts_with("eps.")) {
            let (size, t) = name.trim_start_matches("eps.").split_once(".t").expect(name);
            let eps = prior
                .predict_noise(golden.tensor(&format!("x.{size}"), device), &Call::at(t.parse().expect(name)))
                .unwrap();
            assert_close(&format!("{name} on {on}"), &values(eps), golden.values(name), 1e-3);
        }
    });
}

/// Parameters of a sampler case, by the reference's names.
#[derive(Deserialize)]
struct Case {
    deg: String,
    sigma_y: f64,
    #[serde(rename = "T")]
    steps: usize,
    #[serde(default = "once")]
    travel_length: usize,
    #[serde(default = "once")]
    travel_repeat: usize,
    #[serde(flatten)]
    method: Method,
}

fn once() -> usize {
    1
}

/// Parameters tell the method.
#[derive(Deserialize)]
#[serde(untagged)]
enum Method {
    Guided(Box<Guided>),
    Ddrm(Ddrm),
    Ddnm(Ddnm),
}

#[derive(Deserialize)]
struct Guided {
    #[serde(flatten)]
    regularization: Regularization,
    gamma: f64,
    eta_tilde: f64,
    xi: f64,
    scale_ls: f64,
    step_size_mode: u8,
    inject_noise: u8,
    zeta: f64,
}

impl Case {
    fn sampler(&self, name: &str, size: [usize; 2], device: &Device) -> Box<dyn Sampler> {
        let guided = match &self.method {
            Method::Guided(guided) => guided,
            Method::Ddrm(parameters) => return Box::new(DdrmSampler::new(*parameters)),
            Method::Ddnm(method) if self.sigma_y > 0.0 => {
                return Box::new(ReferenceDdnmPlus(*method, Components::of(&self.deg, size)));
            }
            Method::Ddnm(method) => return Box::new(*method),
        };
        let guidance = Guidance {
            gamma: guided.gamma,
            eta_tilde: guided.eta_tilde,
            xi: guided.xi,
            zeta: guided.zeta,
            scale_ls: guided.scale_ls,
            step_size_mode: StepSizeMode::try_from(guided.step_size_mode).unwrap(),
            inject_noise: guided.inject_noise == 1,
        };
        let regularization = guided.regularization;
        if name.starts_with("fdgr") {
            Box::new(Fdgr::new(guidance, regularization.build(size[0], size[1], device).unwrap()))
        } else {
            Box::new(Ddpg::new(guidance))
        }
    }
}

/// The reference's basis of singular components, in which DDNM+ and DDRM draw their noise. Where all singular values of a
/// block of `scale` x `scale` pixels but one are 0, it is the Householder reflection that LAPACK's full decomposition of one
/// row gives.
struct Components {
    scale: usize,
    size: [usize; 2],
}

impl Components {
    fn of(deg: &str, size: [usize; 2]) -> Self {
        match deg {
            "denoising" => Self { scale: 1, size },
            "sr_averagepooling" => Self { scale: 4, size },
            _ => panic!("the reference's components of {deg} are not known here"),
        }
    }

    fn blocks(&self) -> usize {
        3 * self.size[0] * self.size[1] / (self.scale * self.scale)
    }

    fn pixel(&self, block: usize, i: usize) -> usize {
        let ([height, width], s) = (self.size, self.scale);
        let (channel, place) = (block * s * s / (height * width), block % (height * width / (s * s)));
        let (top, left) = (place / (width / s) * s, place % (width / s) * s);
        (channel * height + top + i / s) * width + left + i % s
    }

    /// `V c`, where component `j` of a block is `c[place(block, j)]`.
    fn image(&self, c: &[f32], place: impl Fn(usize, usize) -> usize) -> Vec<f32> {
        if self.scale == 1 {
            return c.to_vec();
        }
        let (n, r) = (self.scale * self.scale, self.scale as f32);
        let v = |i: usize, j: usize| match (i, j) {
            (0, _) | (_, 0) => -1.0 / r,
            _ => f32::from(u8::from(i == j)) - 1.0 / (n as f32 + r),
        };
        let mut image = vec![0.0; c.len()];
        for (block, i) in (0..self.blocks()).flat_map(|block| (0..n).map(move |i| (block, i))) {
            image[self.pixel(block, i)] = (0..n).map(|j| v(i, j) * c[place(block, j)]).sum();
        }
        image
    }

    /// DDRM orders components by their singular values: the measured ones of all blocks first.
    fn sorted(&self, c: &[f32]) -> Vec<f32> {
        let (n, blocks) = (self.scale * self.scale, self.blocks());
        self.image(c, |block, j| if j == 0 { block } else { blocks + block * (n - 1) + j - 1 })
    }
}

/// DDNM+ with an oversight of the reference: `Lambda_noise` scales the predicted noise's components without having
/// transformed it into components, so that it takes the pixels of a block for them (the paper's eq. 51 has `V diag Vᵀ`).
struct ReferenceDdnmPlus(Ddnm, Components);

impl Sampler for ReferenceDdnmPlus {
    fn needs(&self, sigma_y: f64) -> Needs {
        self.0.needs(sigma_y)
    }

    fn step(&mut self, at: Moment, x_t: Tensor<4>, estimate: Estimate) -> fdgr::Result<Tensor<4>> {
        let (shape, device) = (estimate.eps.dims(), estimate.eps.device());
        let image = self.1.image(&values(estimate.eps), |block, j| self.1.pixel(block, j));
        let eps = Tensor::from_data(TensorData::new(image, shape), &device);
        self.0.step(at, x_t, Estimate::new(eps, estimate.x0))
    }
}

/// Recorded noise of a method whose reference draws it for singular components.
struct ComponentTape {
    tape: std::vec::IntoIter<Vec<f32>>,
    components: Components,
    /// DDRM: noise of the measurement, and that of the next state at each step, for the measured components.
    ddrm: Option<(f64, std::vec::IntoIter<f64>)>,
}

impl Noise for ComponentTape {
    fn draw(&mut self, shape: [usize; 4], device: &Device) -> Tensor<4> {
        let mut next = || self.tape.next().expect("a noise tape longer than the run");
        let components = &self.components;
        let image = match &mut self.ddrm {
            // DDNM+ takes the pixels of a block for its components.
            None => components.image(&next(), |block, j| components.pixel(block, j)),
            // DDRM draws three times a step: for all components, for those measured worse than the state knows them, and for
            // all measured ones, of which it takes those measured better.
            Some((sigma_y, sigmas)) => {
                let (mut drawn, worse, better) = (next(), next(), next());
                let sigma = sigmas.next().expect("a draw a step");
                let measured = ..components.blocks();
                if sigma > *sigma_y {
                    drawn[measured].copy_from_slice(&better[measured]);
                } else if sigma < *sigma_y {
                    drawn[measured].copy_from_slice(&worse[measured]);
                }
                components.sorted(&drawn)
            }
        };
        Tensor::from_data(TensorData::new(image, shape), device)
    }
}

/// The measurement `y` as the operator returns it, from the reference's flattened form.
fn measurement(flat: &[f32], case: &Case, golden: &Golden, like: &Tensor<4>) -> Tensor<4> {
    let [b, c, h, w] = like.dims();
    let data = if case.deg == "inpainting" {
        // Known entries of the pixel-interleaved image.
        let mut known = flat.iter();
        let mut data = vec![0.0; c * h * w];
        for (i, _) in golden.values("mask").iter().enumerate().filter(|(_, known)| **known > 0.5) {
            for channel in 0..c {
                data[channel * h * w + i] = *known.next().expect("as many entries as known pixels");
            }
        }
        data
    } else {
        flat.to_vec()
    };
    Tensor::from_data(TensorData::new(data, [b, c, h, w]), &like.device())
}

/// Relative change of the start that moves the first estimate as far as float32 rounding does.
///
/// G+ multiplies differences near 0 by up to `alpha (1e-6)^(alpha/2 - 1) / (2 sigma_g²)`, some 10^4, at every step. Where its
/// step size is large the runs are chaotic: computed in f32 and in f64 they end as far apart as two pictures. No tolerance
/// fits these; they must come as close to the reference as to a run of their own started nearby. How near: rounding the first
/// `x0 = (x_t - sqrt(1 - a) eps) / sqrt(a)` costs some 6e-8 |x_t| / sqrt(a), which is 1e-5 and 1e-3 of the first estimates.
const PERTURBATION: f64 = 1e-3;

/// Runs with G+ whose step size is large, with the analytic prior.
const CHAOTIC: [&str; 4] = ["fdgr_gplus_deblur", "fdgr_gplus_denoise", "fdgr_gplus_motion", "fdgr_gplus_readme"];

/// Root mean square of the difference.
fn rms(a: &[f32], b: &[f32]) -> f64 {
    (a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

/// `chaotic` names the cases that may be further from the reference than float32 rounding.
fn sampler_cases(golden: &Golden, prior: &dyn Fn(&Device) -> Box<dyn Denoiser>, chaotic: &[&str]) -> usize {
    let [_, _, height, width] = golden.shape("ground_truth")[..] else { panic!("an image") };
    let entry = golden.shape("noise_tape")[1..].iter().product();
    let tape: Vec<Vec<f32>> = golden.values("noise_tape").chunks(entry).map(<[f32]>::to_vec).collect();
    let guided: Vec<&String> = golden.metadata.keys().filter(|name| golden.has(&format!("{name}.out"))).collect();
    let mut compared = 0;
    on_devices(|_, device| {
        assert!(prior(device).predict_noise(golden.tensor("x_T", device), &Call::at(0)).unwrap().dims()[1] == 3)
    });
    for name in guided {
        let case: Case = serde_json::from_str(&golden.metadata[name]).expect(name);
        on_devices(|on, device| {
            let a = operator(&case.deg, golden, [height, width], device);
            let ground_truth = golden.tensor("ground_truth", device);
            let like = a.apply(ground_truth);
            let y = measurement(golden.values(&format!("{name}.y")), &case, golden, &like);
            let travel = Travel { length: case.travel_length, repeat: case.travel_repeat };
            let timeline = Timeline::new(Betas::Linear, case.steps, 1.0, travel).unwrap();
            let data = Data::Exact(y);
            let problem =
                Problem { operator: a.as_ref(), data: &data, sigma_y: signed_sigma(case.sigma_y), beyond: None };
            let denoiser = prior(device);
            let run =
                Run { prior: denoiser.as_ref(), guidance: None, problem: &problem, timeline: &timeline, clip: false };
            // Who draws noise for singular components.
            let components = match case.method {
                Method::Ddnm(_) if case.sigma_y == 0.0 => None,
                Method::Ddnm(_) | Method::Ddrm(_) => Some(|| Components::of(&case.deg, [height, width])),
                Method::Guided(_) => None,
            };
            let is_ddrm = matches!(case.method, Method::Ddrm(_));
            let noise = || -> Box<dyn Noise> {
                let Some(components) = &components else { return Box::new(Tape::new(tape.clone())) };
                let components = components();
                let singular = 1.0 / components.scale as f64;
                let sigma = |a: f64| singular * ((1.0 - a) / a).sqrt();
                let sigmas: Vec<f64> = timeline.steps().map(|step| sigma(step.a_next)).collect();
                let ddrm = is_ddrm.then(|| (problem.sigma_y, sigmas.into_iter()));
                Box::new(ComponentTape { tape: tape.clone().into_iter(), components, ddrm })
            };
            let from = |z: Tensor<4>| {
                let mut sampler = case.sampler(name, [height, width], device);
                values(run.sample(sampler.as_mut(), z, None, noise().as_mut(), &Silent).expect(name))
            };
            let start = match &components {
                Some(components) if is_ddrm => {
                    let image = components().sorted(golden.values("x_T"));
                    Tensor::from_data(TensorData::new(image, [1, 3, height, width]), device)
                }
                _ => golden.tensor("x_T", device),
            };
            let out = from(start.clone());
            let expected = golden.values(&format!("{name}.out"));
            if relative_error(&out, expected) > 1e-3 {
                assert!(chaotic.contains(&name.as_str()), "{name} on {on}: {:.1e} off", relative_error(&out, expected));
                let apart = rms(&out, &from(start * (1.0 + PERTURBATION)));
                let gap = rms(&out, expected);
                assert!(
                    gap <= 3.0 * apart,
                    "{name} on {on}: {gap:.1e} from the reference, but only {apart:.1e} from a run started nearby"
                );
                aloud(&format!(
                    "{name} on {on} is chaotic: {gap:.1e} from the reference, {apart:.1e} from a run started nearby"
                ));
            }
        });
        compared += 1;
    }
    compared
}

#[test]
fn samplers_with_an_analytic_prior() {
    let golden = Golden::named("samplers_32");
    assert!(sampler_cases(&golden, &|_| Box::new(GaussianPrior::new(0.25)), &CHAOTIC) > 0);
}

#[test]
fn samplers_with_the_embedded_prior() {
    let golden = Golden::open(Path::new("assets/prior/restore_64.safetensors"));
    let prior = |device: &Device| -> Box<dyn Denoiser> {
        Box::new(Prior::open(fdgr::prior::EMBEDDED, device).expect("the embedded prior"))
    };
    assert!(sampler_cases(&golden, &prior, &["fdgr_gplus_deblur", "fdgr_gplus_sr"]) > 0);
}
