//! Weights on their way from a file to a device.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use half::f16;
use serde::{Deserialize, Serialize};

use crate::control::{Control, Event, check};
use crate::error::{Error, Hint, Result, Setting};
use crate::kernel;
use crate::model::{Checkpoint, same_shape};

/// How weights are kept on the device; the arithmetic is in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Four bytes a parameter
    F32,
    /// Two bytes a parameter; convolutions and matrices are widened when they are used
    F16,
}

impl Precision {
    /// Bytes a parameter takes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// Gives layers their tensors: from a checkpoint, one by one, or as placeholders where only names and shapes are wanted.
pub(super) struct Weights<'a> {
    source: Option<Source<'a>>,
    /// Every tensor that was asked for.
    wanted: BTreeMap<String, Vec<usize>>,
    /// Parameters that were read.
    done: u64,
    /// Of these, those that were sent to the device and may still lie in a queue.
    sent: usize,
}

/// Where tensors come from, and where they go.
#[derive(Clone, Copy)]
struct Source<'a> {
    checkpoint: &'a Checkpoint,
    device: &'a Device,
    precision: Precision,
    /// Parameters of the whole network.
    all: u64,
    control: &'a dyn Control,
}

/// Parameters after which the device is waited for, so that what is on the way to it does not pile up in main memory.
const QUEUED: usize = 16 << 20;

impl<'a> Weights<'a> {
    /// The tensors of a checkpoint for a network of `all` parameters; `control` hears of every tensor and may cancel.
    pub fn load(
        checkpoint: &'a Checkpoint,
        device: &'a Device,
        precision: Precision,
        all: usize,
        control: &'a dyn Control,
    ) -> Self {
        let source = Source { checkpoint, device, precision, all: all as u64, control };
        Self { source: Some(source), wanted: BTreeMap::new(), done: 0, sent: 0 }
    }

    /// Names and shapes of the tensors that `build` asks for.
    pub fn wanted<T>(build: impl FnOnce(&mut Self) -> Result<T>) -> BTreeMap<String, Vec<usize>> {
        let mut weights = Self { source: None, wanted: BTreeMap::new(), done: 0, sent: 0 };
        // Placeholders never fail.
        _ = build(&mut weights);
        weights.wanted
    }

    /// Number of parameters that `build` asks for.
    pub fn parameters<T>(build: impl FnOnce(&mut Self) -> Result<T>) -> usize {
        Self::wanted(build).values().map(|shape| shape.iter().product::<usize>()).sum()
    }

    /// The file that is read, if there is one.
    pub fn path(&self) -> Option<&'a Path> {
        self.source.map(|source| source.checkpoint.path())
    }

    /// Bytes on the device of all parameters that were read.
    pub fn bytes(&self) -> u64 {
        self.source.map_or(0, |source| self.done * source.precision.bytes())
    }

    /// A tensor of a shape, if there is a file; axes of length 1 at its end may be missing in the file, or be more.
    pub fn values(&mut self, name: String, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        let values = match self.source {
            Some(source) => {
                check(source.control, || "while the weights were read".into())?;
                let values = read(source, &name, shape)?;
                self.count(source, values.len())?;
                Some(values)
            }
            None => None,
        };
        self.wanted.insert(name, shape.to_vec());
        Ok(values)
    }

    /// Counts a tensor that is about to be sent, and waits for the device now and then.
    fn count(&mut self, source: Source, parameters: usize) -> Result<()> {
        self.sent += parameters;
        if self.sent > QUEUED {
            self.sent = parameters;
            source.device.sync().map_err(|e| Error::Device {
                device: format!("{:?}", source.device),
                fact: format!("it stopped while weights were loaded ({e}), and may lack memory"),
                hint: Hint::set(Setting::PRECISION, "f16").or(Hint::use_cpu()),
            })?;
        }
        self.done += parameters as u64;
        source.control.emit(Event::Loading { done: self.done, all: source.all });
        Ok(())
    }

    /// Numbers that are kept in f32 whatever the precision, because they are few.
    pub fn tensor<const D: usize>(&mut self, name: String, shape: [usize; D]) -> Result<Tensor<D>> {
        Ok(match (self.values(name, &shape)?, self.source) {
            (Some(values), Some(Source { device, .. })) => Tensor::from_data(TensorData::new(values, shape), device),
            _ => Tensor::zeros([1; D], &Device::flex()),
        })
    }

    /// Zeros in the place of a tensor that the file does not have.
    pub fn zeros<const D: usize>(&self, shape: [usize; D]) -> Tensor<D> {
        match self.source {
            Some(Source { device, .. }) => Tensor::zeros(shape, device),
            None => Tensor::zeros([1; D], &Device::flex()),
        }
    }

    /// Many numbers, as they are kept.
    pub fn parameter<const D: usize>(
        &self,
        name: &str,
        values: Option<Vec<f32>>,
        shape: [usize; D],
    ) -> Result<Parameter<D>> {
        let (Some(values), Some(Source { checkpoint, device, precision, .. })) = (values, self.source) else {
            return Ok(Parameter::Missing);
        };
        // Rows of pairs: an odd number of values has no half form, and is small.
        if precision == Precision::F32 || values.len() % 2 == 1 {
            return Ok(Parameter::Full(Tensor::from_data(TensorData::new(values, shape), device)));
        }
        if values.iter().any(|v| f16::from_f32(*v).is_infinite()) {
            let fact = format!("{name} holds values too large for f16");
            return Err(Error::checkpoint(checkpoint.path(), fact, Hint::set(Setting::PRECISION, "f32")));
        }
        let word = |pair: &[f32]| {
            let [low, high] = [pair[0], pair[1]].map(|v| u32::from(f16::from_f32(v).to_bits()));
            (high << 16 | low) as i32
        };
        let words: Vec<i32> = values.chunks_exact(2).map(word).collect();
        let data = TensorData::new(words, [values.len() / 2]);
        Ok(Parameter::Half { words: Tensor::from_data(data, (device, DType::I32)), shape })
    }
}

/// A tensor of the checkpoint, if it has the shape.
fn read(Source { checkpoint, .. }: Source, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    match checkpoint.find(name) {
        Some(found) if !same_shape(found, shape) => {
            let fact = format!("{name} is of shape {found:?}, which does not fit: it should be {shape:?}");
            Err(Checkpoint::refusal(checkpoint.path(), fact))
        }
        _ => checkpoint.values(name),
    }
}

/// Weights as they are kept.
pub(super) enum Parameter<const D: usize> {
    Full(Tensor<D>),
    /// Pairs of f16 in 32-bit words, the first in the low half.
    Half {
        words: Tensor<1, Int>,
        shape: [usize; D],
    },
    /// Of a network that was built for its names only.
    Missing,
}

impl<const D: usize> Parameter<D> {
    pub fn value(&self) -> Tensor<D> {
        match self {
            Self::Full(tensor) => tensor.clone(),
            Self::Half { words, shape } => kernel::half::widen(words.clone()).reshape(*shape),
            Self::Missing => unreachable!("a network without weights is never run"),
        }
    }
}
