//! Which convolution a device runs: one of fdgr's, with more or fewer sums in registers, or Burn's own.
//!
//! The choice is measured once for each graphics processor and kept in `fdgr/convolutions.json` of the user's cache
//! folder. If the environment variable `FDGR_NO_CACHE` is set and not empty, that file is neither read nor written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use burn::backend::ops::{ConvOptions, FloatTensorOps, ModuleOps};
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::convolution::convolve;
use super::launch::empty;
use super::matrix::Block;
use crate::files::write_atomically;
use crate::kernel::convolution::Sampling;

/// An implementation of convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Method {
    Fdgr(Block),
    /// Burn's for [`Sampling::Keep`], fdgr's otherwise.
    Burn,
}

const METHODS: [Method; 3] = [Method::Fdgr(Block::SMALL), Method::Fdgr(Block::LARGE), Method::Burn];

/// The environment variable that turns the cache file off.
const NO_CACHE: &str = "FDGR_NO_CACHE";

impl Method {
    /// The fastest on the device of `x`. The first call for a device measures it, unless the cache has its record;
    /// calls for the same device wait meanwhile, those for others do not.
    ///
    /// Software adapters are not measured: the largest block is by far the fastest of all there.
    pub fn of(x: &CubeTensor) -> Self {
        static CHOSEN: Mutex<BTreeMap<String, Arc<OnceLock<Method>>>> = Mutex::new(BTreeMap::new());
        let identity = &x.client.properties().identity;
        if identity.physical.is_none() {
            return Self::Fdgr(Block::LARGE);
        }
        let key = key(&identity.name, &identity.fingerprint, env!("CARGO_PKG_VERSION"));
        let chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().clone();
        *chosen.get_or_init(|| Cache::of_user(std::env::var_os(NO_CACHE)).recall(&key, || Self::fastest(x)))
    }

    /// The fastest in one short measurement.
    fn fastest(like: &CubeTensor) -> Self {
        const SIDE: usize = 128;
        const CHANNELS: usize = 64;
        const RUNS: usize = 3;
        let tensor = |shape: &[usize]| CubeBackend::float_mul_scalar(empty(like, Shape::from(shape)), 0.0.into());
        let (x, bias) = (tensor(&[1, CHANNELS, SIDE, SIDE]), tensor(&[CHANNELS]));
        let weight = tensor(&[3, 3, CHANNELS, CHANNELS]);
        let seconds = |method: Method| {
            let run = || {
                let begun = Instant::now();
                let result = method.convolve(x.clone(), weight.clone(), bias.clone(), None, Sampling::Keep);
                pollster::block_on(result.client.sync()).map(|()| begun.elapsed().as_secs_f64())
            };
            // The first run compiles. A method that fails counts as infinitely slow.
            (0..=RUNS).map(|_| run().unwrap_or(f64::INFINITY)).skip(1).fold(f64::INFINITY, f64::min)
        };
        let measured = METHODS.map(|method| (seconds(method), method));
        measured.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map_or(Self::Burn, |(_, method)| method)
    }

    /// See [`convolve`].
    pub fn convolve(
        self,
        x: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        residual: Option<CubeTensor>,
        sampling: Sampling,
    ) -> CubeTensor {
        match (self, sampling) {
            (Self::Fdgr(block), _) => convolve(x, weight, bias, residual, sampling, block),
            (Self::Burn, Sampling::Keep) => convolve_by_burn(x, weight, bias, residual),
            (Self::Burn, _) => convolve(x, weight, bias, residual, sampling, Block::SMALL),
        }
    }
}

/// [`convolve`] with [`Sampling::Keep`] by Burn's operations.
fn convolve_by_burn(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, residual: Option<CubeTensor>) -> CubeTensor {
    let padding = Sampling::Keep.padding(weight.meta.shape()[0]);
    let weight = CubeBackend::float_permute(weight, &[3, 2, 0, 1]);
    let options = ConvOptions::new([1; 2], [padding; 2], [1; 2], 1);
    let result = CubeBackend::conv2d(x, weight, Some(bias), options);
    match residual {
        Some(residual) => CubeBackend::float_add(result, residual),
        None => result,
    }
}

/// What a record of the cache is valid for.
fn key(adapter: &str, fingerprint: &str, version: &str) -> String {
    format!("{adapter}, {fingerprint}, fdgr {version}")
}

/// The file of choices, if there is one.
struct Cache(Option<PathBuf>);

/// Choices by [`key`]. Records that this version cannot read are kept as they are.
type Records = BTreeMap<String, serde_json::Value>;

impl Cache {
    /// The file of the user, unless `opt_out`, the value of [`NO_CACHE`], says otherwise.
    fn of_user(opt_out: Option<OsString>) -> Self {
        if opt_out.is_some_and(|value| !value.is_empty()) {
            return Self(None);
        }
        let strategy = etcetera::base_strategy::choose_native_strategy().ok();
        Self(strategy.map(|strategy| strategy.cache_dir().join("fdgr").join("convolutions.json")))
    }

    /// The choice on record, else the one that is measured, which is then recorded. A file that cannot be written only
    /// means that the next program measures again.
    fn recall(&self, key: &str, measure: impl FnOnce() -> Method) -> Method {
        let Some(path) = &self.0 else { return measure() };
        let recorded = records(path).and_then(|mut records| records.remove(key));
        if let Some(method) = recorded.and_then(|record| serde_json::from_value(record).ok()) {
            return method;
        }
        let method = measure();
        _ = record(path, key, method);
        method
    }
}

fn records(path: &Path) -> Option<Records> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn record(path: &Path, key: &str, method: Method) -> Option<()> {
    let folder = path.parent()?;
    let mut records = records(path).unwrap_or_default();
    records.insert(key.to_owned(), serde_json::to_value(method).ok()?);
    std::fs::create_dir_all(folder).ok()?;
    write_atomically(path, &serde_json::to_vec_pretty(&records).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use burn::backend::{DispatchKindConversion, DispatchTensor};
    use burn::tensor::{Device, Distribution, Tensor};

    use super::*;
    use crate::kernel::convolution::reference;

    fn cube<const D: usize>(tensor: &Tensor<D>) -> CubeTensor {
        let tensor = tensor.clone().into_dispatch();
        <DispatchTensor as DispatchKindConversion<CubeBackend>>::try_into_backend(tensor).expect("on wgpu").float()
    }

    #[test]
    fn every_method_convolves() {
        let Ok(selected) = crate::device::open("software") else {
            assert!(std::env::var_os("FDGR_REQUIRE_GPU").is_none(), "there is no software adapter");
            return;
        };
        let random = |shape| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex());
        let (x, weight, residual) = (random([1, 20, 28, 36]), random([3, 3, 20, 24]) * 0.1, random([1, 24, 28, 36]));
        let bias: Tensor<1> = random([1, 1, 1, 24]).reshape([24]);
        let expected = reference(x.clone(), weight.clone(), bias.clone(), Sampling::Keep) + residual.clone();
        let expected = expected.try_into_vec_as::<f32>().expect("numbers");
        let moved =
            |tensor: Tensor<4>| Tensor::<4>::from_data(tensor.try_into_data().expect("numbers"), &selected.device);
        let bias = Tensor::<1>::from_data(bias.try_into_data().expect("numbers"), &selected.device);
        let [x, weight, residual] = [x, weight, residual].map(moved);
        for method in METHODS {
            let [x, weight, residual] = [&x, &weight, &residual].map(cube);
            let sum = method.convolve(x, weight, cube(&bias), Some(residual), Sampling::Keep);
            let data = pollster::block_on(CubeBackend::float_into_data(sum)).expect("a result");
            let worst = data.iter::<f32>().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-4, "{method:?} is off by {worst:e}");
        }
        // The measurement itself, and its record.
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache(Some(folder.path().join("convolutions.json")));
        let chosen = cache.recall("software", || Method::fastest(&cube(&x)));
        assert_eq!(cache.recall("software", || unreachable!("it is on record")), chosen);
    }

    #[test]
    fn choices_are_recorded_for_one_adapter_and_version() {
        let own = key("adapter", "driver 1", "0.1.0");
        let others = [
            key("other", "driver 1", "0.1.0"),
            key("adapter", "driver 2", "0.1.0"),
            key("adapter", "driver 1", "0.2.0"),
        ];
        for method in METHODS {
            let folder = tempfile::tempdir().expect("a folder");
            let cache = Cache(Some(folder.path().join("made").join("convolutions.json")));
            let recorded = || cache.recall(&own, || unreachable!("it is on record"));
            assert_eq!(cache.recall(&own, || method), method);
            assert_eq!(recorded(), method);
            let different = METHODS.into_iter().find(|other| *other != method).expect("several methods");
            for other in &others {
                assert_eq!(cache.recall(other, || different), different, "{other} has the record of {own}");
            }
            assert_eq!(recorded(), method);
        }
    }

    #[test]
    fn records_of_other_versions_and_damaged_files_do_no_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("convolutions.json");
        std::fs::write(&path, r#"{"old": {"ours": 8}, "new": "unheard-of"}"#).expect("a file");
        let cache = Cache(Some(path.clone()));
        assert_eq!(cache.recall("old", || Method::Burn), Method::Burn);
        let records = records(&path).expect("records");
        assert_eq!(records["new"], "unheard-of", "a record of another version is lost");
        std::fs::write(&path, "damaged").expect("a file");
        assert_eq!(cache.recall("old", || Method::Fdgr(Block(8))), Method::Fdgr(Block(8)));
        assert_eq!(cache.recall("old", || Method::Burn), Method::Fdgr(Block(8)));
    }

    #[test]
    fn the_cache_can_be_turned_off() {
        let off = Cache::of_user(Some("1".into()));
        assert!(off.0.is_none());
        assert_eq!(off.recall("adapter", || Method::Burn), Method::Burn);
        assert_eq!(off.recall("adapter", || Method::Fdgr(Block(8))), Method::Fdgr(Block(8)));
    }
}
