//! The convolutional parts of torchvision's networks that LPIPS takes features from.

use burn::tensor::{Device, Tensor};

use super::layers::{Conv, Tensors, maximum};
use crate::error::Result;

/// A network of torchvision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backbone {
    /// AlexNet.
    AlexNet,
    /// VGG16.
    Vgg16,
    /// SqueezeNet 1.1.
    SqueezeNet,
}

/// A part of a network of torchvision.
enum Layer {
    Conv(Box<Conv>),
    /// Maximum over squares of the given side, every other pixel, or beyond the border where the flag says so.
    Pool(usize, bool),
    /// SqueezeNet's: 1 x 1 to few channels, then 1 x 1 and 3 x 3 to many.
    Fire(Box<[Conv; 3]>),
    /// Features are taken here.
    Tap,
}

/// The convolutional part of AlexNet, VGG16 or SqueezeNet, for LPIPS.
pub(super) struct Features(Vec<Layer>);

impl Features {
    /// Reads the layers up to the last that features are taken from.
    ///
    /// # Errors
    /// What `tensors` says, and tensors of another size.
    pub fn new(backbone: Backbone, tensors: &mut Tensors, device: &Device) -> Result<Self> {
        let mut layers = Vec::new();
        let mut conv = |layers: &mut Vec<Layer>, i: usize, inputs, outputs, taps, geometry| -> Result<()> {
            let shape = [outputs, inputs, taps, taps];
            let loaded = Conv::load(tensors, &format!("features.{i}"), shape, geometry, device)?;
            layers.push(Layer::Conv(Box::new(loaded)));
            Ok(())
        };
        match backbone {
            Backbone::AlexNet => {
                conv(&mut layers, 0, 3, 64, 11, [4, 2])?;
                layers.extend([Layer::Tap, Layer::Pool(3, false)]);
                conv(&mut layers, 3, 64, 192, 5, [1, 2])?;
                layers.extend([Layer::Tap, Layer::Pool(3, false)]);
                for (i, inputs, outputs) in [(6, 192, 384), (8, 384, 256), (10, 256, 256)] {
                    conv(&mut layers, i, inputs, outputs, 3, [1, 1])?;
                    layers.push(Layer::Tap);
                }
            }
            Backbone::Vgg16 => {
                let (mut i, mut inputs) = (0, 3);
                for (count, outputs) in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)] {
                    if i > 0 {
                        layers.push(Layer::Pool(2, false));
                    }
                    for _ in 0..count {
                        conv(&mut layers, i, inputs, outputs, 3, [1, 1])?;
                        (i, inputs) = (i + 2, outputs);
                    }
                    // The pooling takes the number after the last ReLU of a block.
                    i += 1;
                    layers.push(Layer::Tap);
                }
            }
            Backbone::SqueezeNet => {
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
