//! Devices, golden files and errors relative to scale.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use burn::tensor::{Device, Tensor, TensorData};
use fdgr::device;
use fdgr::error::Result;
use fdgr::noise::{Noise, Seeded, Stream};
use fdgr::prior::Call;
use fdgr::prior::Denoiser;
use fdgr::sampler::schedule::Betas;
use safetensors::SafeTensors;

/// Runs `test` on the CPU, and on the adapter of this machine if there is one. Without one the test says so, and fails
/// where `FDGR_REQUIRE_GPU=1`. One test at a time uses the adapter.
pub fn on_devices(test: impl Fn(&str, &Device)) {
    test("cpu", &Device::flex());
    if let Some(adapter) = adapter() {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        test("adapter", adapter);
    }
}

/// The adapter: hardware, else software.
pub fn adapter() -> Option<&'static Device> {
    static ADAPTER: OnceLock<Option<Device>> = OnceLock::new();
    let adapter = ADAPTER.get_or_init(|| {
        let found = device::open("gpu").or_else(|_| device::open("software"));
        found.ok().map(|selected| selected.device)
    });
    if adapter.is_none() {
        skip("GPU", "there is no adapter");
    }
    adapter.as_ref()
}

/// Says something in the output of a test that passes, which the test runner would keep to itself.
pub fn aloud(line: &str) {
    use std::io::Write;
    _ = writeln!(std::io::stderr(), "{line}");
}

/// Says that a test was skipped for what is missing; fails where `FDGR_REQUIRE_` and `what` is 1.
pub fn skip(what: &str, missing: &str) {
    let variable = format!("FDGR_REQUIRE_{what}");
    assert!(!std::env::var(&variable).is_ok_and(|value| value == "1"), "{variable}=1, but {missing}");
    aloud(&format!("SKIPPED: {missing}"));
}

/// The folder of reference outputs.
pub fn golden_dir() -> PathBuf {
    std::env::var_os("FDGR_GOLDEN_DIR").map_or_else(|| Path::new("tests/golden").into(), PathBuf::from)
}

/// The file of the built-in prior.
pub fn photo_prior() -> Vec<u8> {
    let parts = ["1", "2", "3"].map(|part| std::fs::read(format!("assets/prior/{part}/part")).unwrap());
    parts.concat()
}

/// A file of named tensors and its metadata.
pub struct Golden {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    pub metadata: BTreeMap<String, String>,
}

impl Golden {
    pub fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let tensors = SafeTensors::deserialize(&bytes)
            .expect("a safetensors file")
            .iter()
            .map(|(name, view)| {
                let data = view.data();
                let values = match view.dtype() {
                    safetensors::Dtype::F32 => bytemuck::pod_collect_to_vec::<u8, f32>(data),
                    safetensors::Dtype::F64 => {
                        bytemuck::pod_collect_to_vec::<u8, f64>(data).into_iter().map(|v| v as f32).collect()
                    }
                    safetensors::Dtype::I64 => {
                        bytemuck::pod_collect_to_vec::<u8, i64>(data).into_iter().map(|v| v as f32).collect()
                    }
                    other => panic!("{name} is of type {other:?}"),
                };
                (name.to_owned(), (view.shape().to_vec(), values))
            })
            .collect();
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        Self { tensors, metadata }
    }

    pub fn named(name: &str) -> Self {
        Self::open(&golden_dir().join(format!("{name}.safetensors")))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.get(name).0
    }

    pub fn values(&self, name: &str) -> &[f32] {
        &self.get(name).1
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub fn tensor(&self, name: &str, device: &Device) -> Tensor<4> {
        let (shape, values) = self.get(name);
        let shape: [usize; 4] = shape.as_slice().try_into().expect("a tensor of rank 4");
        Tensor::from_data(TensorData::new(values.clone(), shape), device)
    }

    fn get(&self, name: &str) -> &(Vec<usize>, Vec<f32>) {
        self.tensors.get(name).unwrap_or_else(|| panic!("{name} is missing"))
    }
}

pub fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_vec_as().expect("a device that gives its data back")
}

/// Largest deviation relative to the largest magnitude expected.
pub fn relative_error(actual: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(actual.len(), expected.len(), "sizes");
    let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let worst = actual.iter().zip(expected).fold(0f64, |worst, (a, b)| {
        let gap = f64::from((a - b).abs());
        if gap.is_nan() { f64::INFINITY } else { worst.max(gap) }
    });
    worst / f64::from(scale).max(1e-30)
}

/// Fails, by name, where the relative error is above `tolerance`.
pub fn assert_close(what: &str, actual: &[f32], expected: &[f32], tolerance: f64) {
    let error = relative_error(actual, expected);
    if std::env::var_os("FDGR_SHOW_ERRORS").is_some() {
        aloud(&format!("{what}: relative error {error:.1e}"));
    }
    assert!(error <= tolerance, "{what}: relative error {error:.2e} above {tolerance:.0e}");
}

/// A seeded standard normal tensor.
pub fn random(shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    Seeded::new(seed, Stream::Measurement).draw(shape, device)
}

/// The exact denoiser of images drawn from `N(0, variance I)`.
pub struct GaussianPrior {
    variance: f64,
    alpha_bar: Vec<f64>,
}

impl GaussianPrior {
    pub fn new(variance: f64) -> Self {
        Self { variance, alpha_bar: Betas::Linear.alpha_bar() }
    }
}

impl Denoiser for GaussianPrior {
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> Result<Tensor<4>> {
        let a = self.alpha_bar[call.t + 1];
        Ok(x_t * ((1.0 - a).sqrt() / (self.variance * a + 1.0 - a)))
    }
}

/// `unit(i, k)` of the formula that fills networks without files: in `[-1, 1)`, from splitmix64.
pub fn unit(i: usize, k: usize) -> f64 {
    let x = (i as u64).wrapping_add((k as u64) << 32).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    2.0 * ((x ^ x >> 31) >> 40) as f64 / f64::from(1 << 24) - 1.0
}
