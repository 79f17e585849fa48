//! Learned perceptual image patch similarity (R. Zhang et al., 2018, arXiv:1801.03924), version 0.1.
//!
//! The linear layers of all three networks are compiled in (BSD-2-Clause, `assets/lpips`); the networks are torchvision's.

use burn::tensor::{Device, Tensor, TensorData};
use image::Rgb32FImage;

use super::Metric;
use super::features::{Features, Network, Tensors, tensors_of};
use crate::error::{Error, Result};
use crate::model::Checkpoint;

static LINEAR: &[u8] = include_bytes!("../../assets/lpips/linear.safetensors");
/// Mean and deviation that pixels in `[-1, 1]` are normalised with.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];
/// Keeps directions finite where there is no feature.
const EPSILON: f64 = 1e-10;

/// LPIPS with one network.
pub struct Lpips {
    name: &'static str,
    features: Features,
    /// Weights of the channels of each layer, `[1, c, 1, 1]`.
    linear: Vec<Tensor<4>>,
    shift: Tensor<4>,
    scale: Tensor<4>,
    device: Device,
}

impl Lpips {
    /// The metric `name` with the weights of a checkpoint.
    ///
    /// # Errors
    /// Checkpoints that lack tensors.
    pub fn load(name: &'static str, network: Network, checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        network.compare(checkpoint).check(checkpoint)?;
        Self::new(name, network, &mut tensors_of(checkpoint), device)
    }

    /// The same with tensors from elsewhere, by torchvision's names.
    ///
    /// # Errors
    /// What `tensors` says.
    pub fn new(name: &'static str, network: Network, tensors: &mut Tensors, device: &Device) -> Result<Self> {
        let layers = Checkpoint::embedded("lpips", LINEAR)?;
        let prefix = match network {
            Network::AlexNet => "alex",
            Network::Vgg16 => "vgg",
            Network::SqueezeNet => "squeeze",
            Network::Inception => unreachable!("LPIPS has no layers for Inception"),
        };
        let names = (0..).map(|i| format!("{prefix}.{i}")).take_while(|name| layers.contains(name));
        let linear = names.map(|name| {
            let weights = layers.values(&name)?;
            let shape = [1, weights.len(), 1, 1];
            Ok(Tensor::from_data(TensorData::new(weights, shape), device))
        });
        let constant = |values: [f32; 3]| Tensor::<1>::from_floats(values, device).reshape([1, 3, 1, 1]);
        Ok(Self {
            name,
            features: Features::new(network, tensors, device)?,
            linear: linear.collect::<Result<_>>()?,
            shift: constant(SHIFT),
            scale: constant(SCALE),
            device: device.clone(),
        })
    }

    /// The distance of each layer; LPIPS is their sum.
    ///
    /// # Errors
    /// A device that does not give its results back.
    pub fn layers(&self, a: &Rgb32FImage, b: &Rgb32FImage) -> Result<Vec<f64>> {
        let directions = |picture| self.features.forward(self.normalized(picture)).into_iter().map(unit);
        let distance = |((a, b), weights): ((Tensor<4>, Tensor<4>), &Tensor<4>)| {
            ((a - b).square() * weights.clone()).sum_dim(1).mean()
        };
        let distances: Vec<Tensor<1>> = directions(a).zip(directions(b)).zip(&self.linear).map(distance).collect();
        let distances = Tensor::cat(distances, 0).try_into_vec_as::<f32>().map_err(|e| Error::Device {
            device: format!("{:?}", self.device),
            fact: format!("it gave no features ({e})"),
            remedy: "try smaller pictures, or --device cpu".into(),
        })?;
        Ok(distances.into_iter().map(f64::from).collect())
    }

    fn normalized(&self, picture: &Rgb32FImage) -> Tensor<4> {
        let values: Vec<f32> = (0..3).flat_map(|c| picture.pixels().map(move |p| 2.0 * p[c] - 1.0)).collect();
        let shape = [1, 3, picture.height() as usize, picture.width() as usize];
        let x = Tensor::<4>::from_data(TensorData::new(values, shape), &self.device);
        (x - self.shift.clone()) / self.scale.clone()
    }
}

/// Features divided by their length at each place.
fn unit(features: Tensor<4>) -> Tensor<4> {
    let length = features.clone().square().sum_dim(1).sqrt();
    features / (length + EPSILON)
}

impl Metric for Lpips {
    fn name(&self) -> &'static str {
        self.name
    }

    fn compare(&self, picture: &Rgb32FImage, original: &Rgb32FImage) -> Result<Option<f64>> {
        const SMALLEST: u32 = 64;
        if picture.width().min(picture.height()) < SMALLEST {
            return Ok(None);
        }
        Ok(Some(self.layers(picture, original)?.iter().sum()))
    }
}
