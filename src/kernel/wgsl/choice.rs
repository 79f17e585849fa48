//! Which convolution a device runs: ours, with more or fewer sums in registers, or Burn's own.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use burn::backend::ops::{ConvOptions, FloatTensorOps, ModuleOps};
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::convolution::{Block, convolve};
use super::empty;
use crate::kernel::convolution::Sampling;

/// A way to convolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Method {
    Ours(Block),
    /// Where the resolution is kept; else ours.
    Burns,
}

const METHODS: [Method; 3] = [Method::Ours(Block(8)), Method::Ours(Block(16)), Method::Burns];

impl Method {
    /// The fastest for the device of `x`: what was measured once and is kept in the user's folder of caches.
    ///
    /// Adapters that are no hardware are not measured: there the largest block was the fastest of all by far.
    pub fn of(x: &CubeTensor) -> Self {
        static KNOWN: Mutex<BTreeMap<String, Method>> = Mutex::new(BTreeMap::new());
        let identity = &x.client.properties().identity;
        if identity.physical.is_none() {
            return Self::Ours(Block(16));
        }
        let key = format!("{}, {}, fdgr {}", identity.name, identity.fingerprint, env!("CARGO_PKG_VERSION"));
        let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.is_empty() {
            known.extend(read_cache().unwrap_or_default());
        }
        *known.entry(key).or_insert_with_key(|key| {
            let method = Self::fastest(x);
            // Without the file the next program measures again.
            _ = keep(key, method);
            method
        })
    }

    /// The fastest of all in one short measurement.
    pub fn fastest(like: &CubeTensor) -> Self {
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
            // The first run compiles. What fails is not taken.
            (0..=RUNS).map(|_| run().unwrap_or(f64::INFINITY)).skip(1).fold(f64::INFINITY, f64::min)
        };
        let measured = METHODS.map(|method| (seconds(method), method));
        measured.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map_or(Self::Burns, |(_, method)| method)
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
        let block = match (self, sampling) {
            (Self::Ours(block), _) => block,
            (Self::Burns, Sampling::Keep) => {
                let padding = sampling.padding(weight.meta.shape()[0]);
                let weight = CubeBackend::float_permute(weight, &[3, 2, 0, 1]);
                let options = ConvOptions::new([1; 2], [padding; 2], [1; 2], 1);
                let result = CubeBackend::conv2d(x, weight, Some(bias), options);
                return match residual {
                    Some(residual) => CubeBackend::float_add(result, residual),
                    None => result,
                };
            }
            (Self::Burns, _) => Block(8),
        };
        convolve(x, weight, bias, residual, sampling, block)
    }
}

fn cache_file() -> Option<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.cache_dir().join("fdgr").join("convolutions.json"))
}

fn read_cache() -> Option<BTreeMap<String, Method>> {
    serde_json::from_slice(&std::fs::read(cache_file()?).ok()?).ok()
}

fn keep(key: &str, method: Method) -> Option<()> {
    let path = cache_file()?;
    let folder = path.parent()?;
    let mut known = read_cache().unwrap_or_default();
    known.insert(key.to_owned(), method);
    std::fs::create_dir_all(folder).ok()?;
    let mut file = tempfile::NamedTempFile::new_in(folder).ok()?;
    file.write_all(&serde_json::to_vec_pretty(&known).ok()?).ok()?;
    file.persist(path).ok().map(drop)
}

#[cfg(test)]
mod tests {
    use burn::backend::{DispatchKindConversion, DispatchTensor};
    use burn::tensor::{Device, Distribution, Tensor};

    use super::*;
    use crate::kernel::convolution::specification;

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
        let expected = specification(x.clone(), weight.clone(), bias.clone(), Sampling::Keep) + residual.clone();
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
        assert!(METHODS.contains(&Method::fastest(&cube(&x))));
    }
}
