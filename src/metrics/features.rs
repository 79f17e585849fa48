//! Networks that metrics take features from: their shapes, and what their files look like.

use std::collections::BTreeMap;

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::relu,
    module::{conv2d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};

use super::inception;
use crate::error::Result;
use crate::model::{Checkpoint, Comparison};

/// A network that metrics use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// AlexNet of torchvision.
    AlexNet,
    /// VGG16 of torchvision.
    Vgg16,
    /// SqueezeNet 1.1 of torchvision.
    SqueezeNet,
    /// Inception v3 with the weights of TensorFlow, as FID has it.
    Inception,
}

/// Gives a network its tensors, by name and shape.
pub type Tensors<'a> = dyn FnMut(&str, &[usize]) -> Result<Vec<f32>> + 'a;

impl Network {
    const ALL: [Self; 4] = [Self::AlexNet, Self::Vgg16, Self::SqueezeNet, Self::Inception];

    /// Name of the model whose weights it takes.
    pub fn model(self) -> &'static str {
        match self {
            Self::AlexNet => "lpips-alex",
            Self::Vgg16 => "lpips-vgg",
            Self::SqueezeNet => "lpips-squeeze",
            Self::Inception => "fid-inception",
        }
    }

    /// What it is, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::AlexNet => "AlexNet, for LPIPS",
            Self::Vgg16 => "VGG16, for LPIPS",
            Self::SqueezeNet => "SqueezeNet 1.1, for LPIPS",
            Self::Inception => "Inception v3, for FID and KID",
        }
    }

    /// The network of a checkpoint, if it is one of these.
    pub fn recognise(checkpoint: &Checkpoint) -> Option<Self> {
        let (name, shape): (&str, &[usize]) = match checkpoint.find("features.0.weight") {
            Some(shape) => ("features", shape),
            None => ("", &[]),
        };
        match (name, shape) {
            ("features", [64, 3, 11, 11]) => Some(Self::AlexNet),
            ("features", _) if checkpoint.contains("features.3.squeeze.weight") => Some(Self::SqueezeNet),
            ("features", [64, 3, 3, 3]) if checkpoint.contains("features.28.weight") => Some(Self::Vgg16),
            _ if checkpoint.contains("Mixed_7c.branch_pool.conv.weight") => Some(Self::Inception),
            _ => None,
        }
    }

    /// Names and shapes of its tensors.
    pub fn tensors(self) -> BTreeMap<String, Vec<usize>> {
        let mut wanted = BTreeMap::new();
        let mut record = |name: &str, shape: &[usize]| {
            wanted.insert(name.to_owned(), shape.to_vec());
            Ok(vec![0.0; shape.iter().product()])
        };
        // Placeholders never fail.
        _ = match self {
            Self::Inception => inception::Inception::new(&mut record, &Device::flex()).map(drop),
            network => Features::new(network, &mut record, &Device::flex()).map(drop),
        };
        wanted
    }

    /// What does not agree between the network and a file.
    pub fn compare(self, checkpoint: &Checkpoint) -> Comparison {
        Comparison::new(&self.tensors(), checkpoint)
    }

    /// The network of a model's name.
    pub fn of_model(model: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.model() == model)
    }
}

/// A convolution with a bias; ReLU follows.
pub(super) struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
}

impl Conv {
    /// From a weight `[out, in, h, w]` and a bias `[out]`.
    pub fn new(
        weight: Vec<f32>,
        bias: Vec<f32>,
        shape: [usize; 4],
        stride: usize,
        padding: [usize; 2],
        device: &Device,
    ) -> Self {
        Self {
            bias: Tensor::from_data(TensorData::new(bias, [shape[0]]), device),
            weight: Tensor::from_data(TensorData::new(weight, shape), device),
            options: ConvOptions::new([stride; 2], padding, [1; 2], 1),
        }
    }

    fn load(
        tensors: &mut Tensors,
        name: &str,
        shape: [usize; 4],
        geometry: [usize; 2],
        device: &Device,
    ) -> Result<Self> {
        let weight = tensors(&format!("{name}.weight"), &shape)?;
        let bias = tensors(&format!("{name}.bias"), &shape[..1])?;
        Ok(Self::new(weight, bias, shape, geometry[0], [geometry[1]; 2], device))
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(conv2d(x, self.weight.clone(), Some(self.bias.clone()), self.options.clone()))
    }
}

/// A part of a network of torchvision.
enum Layer {
    Conv(Box<Conv>),
    /// Maximum over squares of the given side, every other pixel, or beyond the border where the flag says so.
    Pool(usize, bool),
    /// SqueezeNet's: 1 x 1 to few channels, then 1 x 1 and 3 x 3 to many.
    Fire(Box<[Conv; 3]>),
    /// Here features are taken.
    Tap,
}

/// The convolutional part of AlexNet, VGG16 or SqueezeNet, for LPIPS.
pub(super) struct Features(Vec<Layer>);

impl Features {
    pub fn new(network: Network, tensors: &mut Tensors, device: &Device) -> Result<Self> {
        let mut layers = Vec::new();
        let mut conv = |layers: &mut Vec<Layer>, i: usize, inputs, outputs, taps, geometry| -> Result<()> {
            let shape = [outputs, inputs, taps, taps];
            let loaded = Conv::load(tensors, &format!("features.{i}"), shape, geometry, device)?;
            layers.push(Layer::Conv(Box::new(loaded)));
            Ok(())
        };
        match network {
            Network::AlexNet => {
                conv(&mut layers, 0, 3, 64, 11, [4, 2])?;
                layers.extend([Layer::Tap, Layer::Pool(3, false)]);
                conv(&mut layers, 3, 64, 192, 5, [1, 2])?;
                layers.extend([Layer::Tap, Layer::Pool(3, false)]);
                for (i, inputs, outputs) in [(6, 192, 384), (8, 384, 256), (10, 256, 256)] {
                    conv(&mut layers, i, inputs, outputs, 3, [1, 1])?;
                    layers.push(Layer::Tap);
                }
            }
            Network::Vgg16 => {
                let (mut i, mut inputs) = (0, 3);
                for (count, outputs) in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)] {
                    if i > 0 {
                        layers.push(Layer::Pool(2, false));
                    }
                    for _ in 0..count {
                        conv(&mut layers, i, inputs, outputs, 3, [1, 1])?;
                        (i, inputs) = (i + 2, outputs);
                    }
                    // Behind the last ReLU of a block stands its pooling.
                    i += 1;
                    layers.push(Layer::Tap);
                }
            }
            Network::SqueezeNet => {
                conv(&mut layers, 0, 3, 64, 3, [2, 0])?;
                layers.push(Layer::Tap);
                let fires = [
                    (3, 64, 16, 64),
                    (4, 128, 16, 64),
                    (6, 128, 32, 128),
                    (7, 256, 32, 128),
                    (9, 256, 48, 192),
                    (10, 384, 48, 192),
                    (11, 384, 64, 256),
                    (12, 512, 64, 256),
                ];
                for (i, inputs, few, many) in fires {
                    if matches!(i, 3 | 6 | 9) {
                        layers.push(Layer::Pool(3, true));
                    }
                    let mut part = |name: &str, shape, padding| {
                        Conv::load(tensors, &format!("features.{i}.{name}"), shape, [1, padding], device)
                    };
                    layers.push(Layer::Fire(Box::new([
                        part("squeeze", [few, inputs, 1, 1], 0)?,
                        part("expand1x1", [many, few, 1, 1], 0)?,
                        part("expand3x3", [many, few, 3, 3], 1)?,
                    ])));
                    if !matches!(i, 3 | 6) {
                        layers.push(Layer::Tap);
                    }
                }
            }
            Network::Inception => unreachable!("Inception is no sequence of layers"),
        }
        Ok(Self(layers))
    }

    /// Feature maps `[b, c, h, w]` of every tap.
    pub fn forward(&self, mut x: Tensor<4>) -> Vec<Tensor<4>> {
        let mut taps = Vec::new();
        for layer in &self.0 {
            x = match layer {
                Layer::Conv(conv) => conv.forward(x),
                Layer::Pool(side, beyond) => maximum(x, *side, *beyond),
                Layer::Fire(parts) => {
                    let [squeeze, small, large] = parts.as_ref();
                    let squeezed = squeeze.forward(x);
                    Tensor::cat(vec![small.forward(squeezed.clone()), large.forward(squeezed)], 1)
                }
                Layer::Tap => {
                    taps.push(x.clone());
                    x
                }
            };
        }
        taps
    }
}

/// Maximum over squares of `side` pixels, every other pixel.
pub(super) fn maximum(x: Tensor<4>, side: usize, beyond: bool) -> Tensor<4> {
    let mut options = MaxPoolOptions::new([side; 2]).with_stride([2; 2]);
    options.ceil_mode = beyond;
    max_pool2d(x, options)
}

/// Reads the tensors of a checkpoint that was compared with what is wanted.
pub(super) fn tensors_of(checkpoint: &Checkpoint) -> impl FnMut(&str, &[usize]) -> Result<Vec<f32>> + '_ {
    |name, _| checkpoint.values(name)
}
