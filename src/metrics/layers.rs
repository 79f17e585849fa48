//! Layers of the networks that metrics use, and where they take their weights from.

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::relu,
    module::{conv2d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};

use crate::error::{Error, Result};

/// Gives a network its tensors by name and shape, in row-major order.
pub type Tensors<'a> = dyn FnMut(&str, &[usize]) -> Result<Vec<f32>> + 'a;

/// The numbers of a tensor, as many as its shape has.
///
/// # Errors
/// What `tensors` says, and other counts.
pub(super) fn take(tensors: &mut Tensors, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let values = tensors(name, shape)?;
    if values.len() == shape.iter().product::<usize>() {
        return Ok(values);
    }
    let fact = format!("it has {} numbers, which do not fill the shape {shape:?}", values.len());
    Err(Error::mismatch(name.to_owned(), fact, "give every tensor the shape that is asked for"))
}

/// A convolution with a bias; ReLU follows.
pub(super) struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
}

impl Conv {
    /// From a weight `[out, in, h, w]` and a bias `[out]`, each with as many numbers as its shape has.
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

    /// From `NAME.weight` `[out, in, h, w]` and `NAME.bias` `[out]`; `geometry` is stride and padding.
    pub fn load(
        tensors: &mut Tensors,
        name: &str,
        shape: [usize; 4],
        geometry: [usize; 2],
        device: &Device,
    ) -> Result<Self> {
        let weight = take(tensors, &format!("{name}.weight"), &shape)?;
        let bias = take(tensors, &format!("{name}.bias"), &shape[..1])?;
        Ok(Self::new(weight, bias, shape, geometry[0], [geometry[1]; 2], device))
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(conv2d(x, self.weight.clone(), Some(self.bias.clone()), self.options.clone()))
    }
}

/// Maximum over squares of `side` pixels, every other pixel.
pub(super) fn maximum(x: Tensor<4>, side: usize, beyond: bool) -> Tensor<4> {
    let mut options = MaxPoolOptions::new([side; 2]).with_stride([2; 2]);
    options.ceil_mode = beyond;
    max_pool2d(x, options)
}
