//! Learned perceptual image patch similarity (R. Zhang et al., 2018, arXiv:1801.03924), version 0.1.
//!
//! The linear layers of all three networks are compiled in (BSD-2-Clause, `assets/lpips`); the networks are torchvision's.

use burn::tensor::{Device, Tensor, TensorData};
use image::Rgb32FImage;

use super::about::{About, about};
use super::features::{Backbone, Features};
use super::layers::Tensors;
use super::metric::{Entry, Metric, Source, check_sizes};
use super::network::Network;
use crate::error::{Error, Result};
use crate::model::Checkpoint;

static LINEAR: &[u8] = include_bytes!("../../assets/lpips/linear.safetensors");
/// Mean and deviation that pixels in `[-1, 1]` are normalised with.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];
/// Keeps directions finite where there is no feature.
const EPSILON: f64 = 1e-10;

/// LPIPS with AlexNet.
pub const LPIPS_ALEX: About = about("lpips_alex", "LPIPS (AlexNet)", false, 4);
/// LPIPS with VGG16.
pub const LPIPS_VGG: About = about("lpips_vgg", "LPIPS (VGG16)", false, 4);
/// LPIPS with SqueezeNet.
pub const LPIPS_SQUEEZE: About = about("lpips_squeeze", "LPIPS (SqueezeNet)", false, 4);

pub(super) const ALEX: Entry = entry(Backbone::AlexNet, |weights, device| boxed(Backbone::AlexNet, weights, device));
pub(super) const VGG: Entry = entry(Backbone::Vgg16, |weights, device| boxed(Backbone::Vgg16, weights, device));
pub(super) const SQUEEZE: Entry =
    entry(Backbone::SqueezeNet, |weights, device| boxed(Backbone::SqueezeNet, weights, device));

const fn entry(backbone: Backbone, load: fn(&Checkpoint, &Device) -> Result<Box<dyn Metric>>) -> Entry {
    Entry { about: backbone.about(), source: Source::Weights(backbone.network(), load) }
}

fn boxed(backbone: Backbone, weights: &Checkpoint, device: &Device) -> Result<Box<dyn Metric>> {
    Ok(Box::new(Lpips::load(backbone, weights, device)?))
}

impl Network {
    /// AlexNet of torchvision.
    pub const ALEX_NET: Self = Self {
        model: "lpips-alex",
        title: "AlexNet, for LPIPS",
        recognise: |checkpoint| matches!(checkpoint.find(FIRST), Some([64, 3, 11, 11])),
        ask: |tensors| Features::new(Backbone::AlexNet, tensors, &Device::flex()).map(drop),
    };
    /// VGG16 of torchvision.
    pub const VGG16: Self = Self {
        model: "lpips-vgg",
        title: "VGG16, for LPIPS",
        recognise: |checkpoint| {
            matches!(checkpoint.find(FIRST), Some([64, 3, 3, 3])) && checkpoint.contains("features.28.weight")
        },
        ask: |tensors| Features::new(Backbone::Vgg16, tensors, &Device::flex()).map(drop),
    };
    /// SqueezeNet 1.1 of torchvision.
    pub const SQUEEZE_NET: Self = Self {
        model: "lpips-squeeze",
        title: "SqueezeNet 1.1, for LPIPS",
        recognise: |checkpoint| checkpoint.contains(FIRST) && checkpoint.contains("features.3.squeeze.weight"),
        ask: |tensors| Features::new(Backbone::SqueezeNet, tensors, &Device::flex()).map(drop),
    };
}

/// The first tensor of torchvision's networks.
const FIRST: &str = "features.0.weight";

impl Backbone {
    const fn about(self) -> About {
        match self {
            Self::AlexNet => LPIPS_ALEX,
            Self::Vgg16 => LPIPS_VGG,
            Self::SqueezeNet => LPIPS_SQUEEZE,
        }
    }

    const fn network(self) -> Network {
        match self {
            Self::AlexNet => Network::ALEX_NET,
            Self::Vgg16 => Network::VGG16,
            Self::SqueezeNet => Network::SQUEEZE_NET,
        }
    }

    /// Names of its linear layers begin so.
    fn prefix(self) -> &'static str {
        match self {
            Self::AlexNet => "alex",
            Self::Vgg16 => "vgg",
            Self::SqueezeNet => "squeeze",
        }
    }
}

/// LPIPS with one network.
pub struct Lpips {
    backbone: Backbone,
    features: Features,
    /// Weights of the channels of each layer, `[1, c, 1, 1]`.
    linear: Vec<Tensor<4>>,
    shift: Tensor<4>,
    scale: Tensor<4>,
    device: Device,
}

impl Lpips {
    /// The metric with the weights of a checkpoint.
    ///
    /// # Errors
    /// Checkpoints that lack tensors.
    pub fn load(backbone: Backbone, checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        backbone.network().read(checkpoint, |tensors| Self::new(backbone, tensors, device))
    }

    /// The same with tensors from elsewhere, by torchvision's names.
    ///
    /// # Errors
    /// What `tensors` says, and tensors of another size.
    pub fn new(backbone: Backbone, tensors: &mut Tensors, device: &Device) -> Result<Self> {
        let layers = Checkpoint::decode("lpips", LINEAR)?;
        let prefix = backbone.prefix();
        let names = (0..).map(|i| format!("{prefix}.{i}")).take_while(|name| layers.contains(name));
        let linear = names.map(|name| {
            let weights = layers.values(&name)?;
            let shape = [1, weights.len(), 1, 1];
            Ok(Tensor::from_data(TensorData::new(weights, shape), device))
        });
        let constant = |values: [f32; 3]| Tensor::<1>::from_floats(values, device).reshape([1, 3, 1, 1]);
        Ok(Self {
            backbone,
            features: Features::new(backbone, tensors, device)?,
            linear: linear.collect::<Result<_>>()?,
            shift: constant(SHIFT),
            scale: constant(SCALE),
            device: device.clone(),
        })
    }

    /// The distance of each layer; LPIPS is their sum.
    ///
    /// # Errors
    /// Pictures of different sizes or without pixels, and a device that does not give its results back.
    pub fn layers(&self, a: &Rgb32FImage, b: &Rgb32FImage) -> Result<Vec<f64>> {
        check_sizes(a, b)?;
        let directions = |picture| self.features.forward(self.normalized(picture)).into_iter().map(unit);
        let distance = |((a, b), weights): ((Tensor<4>, Tensor<4>), &Tensor<4>)| {
            ((a - b).square() * weights.clone()).sum_dim(1).mean()
        };
        let distances: Vec<Tensor<1>> = directions(a).zip(directions(b)).zip(&self.linear).map(distance).collect();
        let distances = Tensor::cat(distances, 0).try_into_vec_as::<f32>();
        let distances = distances.map_err(|e| Error::no_result(&self.device, e))?;
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
        self.backbone.about().name
    }

    fn compare(&self, picture: &Rgb32FImage, original: &Rgb32FImage) -> Result<Option<f64>> {
        const SMALLEST: u32 = 64;
        if picture.width().min(picture.height()) < SMALLEST {
            return Ok(None);
        }
        Ok(Some(self.layers(picture, original)?.iter().sum()))
    }
}
