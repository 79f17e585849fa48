//! What a file of weights holds, and whether devices agree on what it computes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::denoiser::{Call, Denoiser};
use super::file::{Place, PriorFile};
use super::weights::Precision;
use crate::control::Control;
use crate::device::Selected;
use crate::error::{Error, PathContext, Result, Setting};
use crate::files::write_atomically;
use crate::metrics::Network;
use crate::model::{Checkpoint, Comparison, Subject};
use crate::noise::{Noise, Seeded, Stream};

/// What a file of weights holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The file.
    pub file: PathBuf,
    /// Which of several dictionaries in it, where that needs saying.
    pub origin: Option<String>,
    /// The network, in words.
    pub network: String,
    /// What is taken for granted because neither the file nor its configuration tells it.
    pub assumption: Option<&'static str>,
    /// Number of parameters.
    pub parameters: usize,
    /// Number types of its tensors.
    pub precision: String,
    /// What does not agree between the network and the file.
    pub comparison: Comparison,
    /// Licence, where it is known.
    pub licence: Option<String>,
    /// Which pictures it suits, or what else it is for.
    pub suits: String,
}

/// Inspects the weights of a built-in or installed model, a file or a folder: those of priors, classifiers and metrics.
///
/// # Errors
/// Names that mean nothing, files that cannot be read, and networks that are not known.
pub fn inspect(model: &str) -> Result<Inspection> {
    let own = "that of this program; its training pictures are listed in assets/prior";
    let (place, licence) = match Place::of(model)? {
        Place::Embedded(_) => (None, Some(own.to_owned())),
        Place::Installed(installed) => (Some(installed.path()), installed.record.licence),
        Place::File(path) => (Some(path), None),
    };
    if let Some((checkpoint, network)) = place.map(|place| of_metric(&place)).transpose()?.flatten() {
        return Ok(Inspection {
            file: checkpoint.path().into(),
            origin: checkpoint.origin().map(str::to_owned),
            network: network.describe().into(),
            assumption: None,
            parameters: network.tensors().values().map(|shape| shape.iter().product::<usize>()).sum(),
            precision: checkpoint.precision(),
            comparison: network.compare(&checkpoint),
            licence,
            suits: Subject::Metric.suits().into(),
        });
    }
    let file = PriorFile::find(model)?;
    let (checkpoint, architecture) = (file.checkpoint(), file.architecture());
    Ok(Inspection {
        file: checkpoint.path().into(),
        origin: checkpoint.origin().map(str::to_owned),
        network: architecture.describe(),
        assumption: architecture.assumption(),
        parameters: architecture.parameters(),
        precision: checkpoint.precision(),
        comparison: architecture.compare(checkpoint),
        licence,
        suits: suits(&file),
    })
}

fn suits(file: &PriorFile) -> String {
    match (file.subject(), file.architecture().published()) {
        (Some(subject), _) => subject.suits().into(),
        (None, _) if file.architecture().is_classifier() => Subject::Classifier.suits().into(),
        (None, Some(published)) => {
            format!("not known; it has the shape of {}, and those suit what they were trained on", published.title)
        }
        (None, None) => "not known; a prior suits pictures like those it was trained on".into(),
    }
}

/// The checkpoint of a file, and the network of a metric that it holds, if it does.
///
/// # Errors
/// Files that cannot be read.
pub fn of_metric(path: &Path) -> Result<Option<(Checkpoint, Network)>> {
    if !path.is_file() {
        return Ok(None);
    }
    let checkpoint = Checkpoint::open(path)?;
    Ok(Network::recognise(&checkpoint).map(|network| (checkpoint, network)))
}

/// Finds the weights file for a path and checks that it is complete and of a prior, a classifier or a metric: what can be
/// installed ([`crate::model::Examine`]).
///
/// # Errors
/// Files that cannot be read, networks that are not known, and files that lack tensors.
pub fn installable(path: &Path) -> Result<PathBuf> {
    match of_metric(path)? {
        Some((checkpoint, network)) => {
            network.compare(&checkpoint).check(path)?;
            Ok(path.into())
        }
        None => PriorFile::examine(path),
    }
}

/// An input for a network, and what it must give.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Batch, channels, height and width of the input.
    pub shape: [usize; 4],
    /// The input in row-major order.
    pub x: Vec<f32>,
    /// The expected noise, where it is known.
    pub expected: Option<Vec<f32>>,
    /// Time of the training schedule.
    pub t: usize,
}

impl Probe {
    /// Last time of the training schedule.
    const LAST: usize = 999;
    /// Largest side of noise.
    const MAX_SIDE: usize = 4096;

    /// Noise of `side` x `side` pixels.
    ///
    /// # Errors
    /// Times and sides out of range.
    pub fn noise(side: usize, t: usize) -> Result<Self> {
        check_time(t)?;
        if side == 0 || side > Self::MAX_SIDE {
            let fact = format!("it must be between 1 and {}", Self::MAX_SIDE);
            return Err(Error::parameter(Setting::SIDE, side, fact));
        }
        let shape = [1, 3, side, side];
        let device = Device::flex();
        let x = Seeded::new(0, Stream::Sampling).draw(shape, &device);
        let x = x.try_into_vec_as::<f32>().map_err(|e| Error::no_result(&device, e))?;
        Ok(Self { shape, x, expected: None, t })
    }

    /// The tensor `x` `[b, 3, h, w]` of a safetensors file, and `eps.tT` or `out.tT` as what is expected, if the file has it.
    ///
    /// # Errors
    /// Times out of range, files that cannot be read, and those without such an `x`.
    pub fn read(path: &Path, t: usize) -> Result<Self> {
        check_time(t)?;
        let bytes = std::fs::read(path).reading(path)?;
        let hint = "pass a safetensors file with a float32 tensor `x` of shape [b, 3, h, w]";
        let refuse = |fact: String| Error::checkpoint(path, fact, hint);
        let file = SafeTensors::deserialize(&bytes).map_err(|e| refuse(format!("it is no safetensors file ({e})")))?;
        let floats = |view: TensorView| {
            (view.dtype() == Dtype::F32).then(|| bytemuck::pod_collect_to_vec::<u8, f32>(view.data()))
        };
        let view = file.tensor("x").map_err(|_| refuse("it has no tensor `x`".into()))?;
        let shape: [usize; 4] = view.shape().try_into().map_err(|_| refuse("its `x` has not four axes".into()))?;
        let x = floats(view).ok_or_else(|| refuse("its `x` is not float32".into()))?;
        if shape[1] != 3 || x.is_empty() {
            return Err(refuse(format!("its `x` is of shape {shape:?}")));
        }
        let expected = ["eps", "out"].iter().find_map(|kind| file.tensor(&format!("{kind}.t{t}")).ok());
        let expected = expected.filter(|view| view.shape() == shape).and_then(floats);
        Ok(Self { shape, x, expected, t })
    }
}

fn check_time(t: usize) -> Result<()> {
    if t <= Probe::LAST {
        return Ok(());
    }
    Err(Error::parameter(Setting::TIME, t, format!("it must be between 0 and {}", Probe::LAST)))
}

/// What became of a probe on a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The noise in row-major order, and how long it took.
    Ran {
        /// Time to load the network.
        load: Duration,
        /// Time of the evaluation, compilation of kernels included.
        step: Duration,
        /// The predicted noise.
        eps: Vec<f32>,
    },
    /// It was not run, because it takes more memory than is free.
    Memory {
        /// Bytes it takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// It was not run, because a tensor is larger than the largest buffer.
    Buffer {
        /// Bytes of the tensor.
        needed: u64,
        /// Bytes of the largest buffer.
        limit: u64,
    },
}

/// Loads the prior `model` onto a device and evaluates it once.
///
/// # Errors
/// As [`PriorFile::find`] and [`PriorFile::load`], and a device that does not give its results back.
pub fn run(
    model: &str,
    class: Option<usize>,
    precision: Precision,
    probe: &Probe,
    device: &Selected,
    control: &dyn Control,
) -> Result<Outcome> {
    let begun = Instant::now();
    let prior = PriorFile::find(model)?.load(precision, class, &device.device, control)?;
    let load = begun.elapsed();
    let [batch, _, height, width] = probe.shape;
    let needed = prior.working_memory(height * width, batch, false);
    if needed > device.memory {
        return Ok(Outcome::Memory { needed, free: device.memory });
    }
    let needed = prior.largest_tensor(height * width, batch);
    if let Some(limit) = device.max_tensor.filter(|&limit| needed > limit) {
        return Ok(Outcome::Buffer { needed, limit });
    }
    let begun = Instant::now();
    let x = Tensor::<4>::from_data(TensorData::new(probe.x.clone(), probe.shape), &device.device);
    let eps = prior.predict_noise(x, &Call { control, ..Call::at(probe.t) })?;
    let eps = eps.try_into_vec_as::<f32>().map_err(|e| Error::no_result(&device.device, e))?;
    Ok(Outcome::Ran { load, step: begun.elapsed(), eps })
}

/// Writes a result of the shape of a probe as `eps` of a safetensors file.
///
/// # Errors
/// Places that cannot be written.
pub fn write_noise(path: &Path, shape: [usize; 4], eps: &[f32]) -> Result<()> {
    let view = TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(eps)).writing(path)?;
    let bytes = safetensors::serialize([("eps", view)], None).writing(path)?;
    write_atomically(path, &bytes)
}

/// Largest deviation relative to the largest magnitude expected; NaN if any number is.
pub fn relative_error(actual: &[f32], expected: &[f32]) -> f64 {
    let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let gap = actual.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs()));
    gap.fold(0.0, |worst: f64, gap| if gap.is_nan() { f64::NAN } else { worst.max(gap) }) / f64::from(scale)
}
