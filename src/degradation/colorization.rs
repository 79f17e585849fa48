//! Colorization: `y` `[b, 1, h, w]` is a weighted mean of red, green and blue.

use burn::tensor::{Device, Tensor};

use super::LinearOperator;

/// Weights of the channels, as DDRM and its successors round thirds.
const WEIGHTS: [f64; 3] = [0.3333, 0.3334, 0.3333];

/// The weighted mean of the channels.
#[derive(Debug)]
pub struct Colorization {
    size: [usize; 2],
    weights: Tensor<4>,
}

impl Colorization {
    /// The mean of RGB images of `height` x `width`.
    pub fn new(height: usize, width: usize, device: &Device) -> Self {
        let weights = Tensor::<1>::from_floats(WEIGHTS.map(|w| w as f32), device).reshape([1, 3, 1, 1]);
        Self { size: [height, width], weights }
    }

    fn squared_norm() -> f64 {
        WEIGHTS.iter().map(|w| w * w).sum()
    }
}

impl LinearOperator for Colorization {
    fn image_size(&self) -> [usize; 2] {
        self.size
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        (x * self.weights.clone()).sum_dim(1)
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        y * self.weights.clone()
    }

    fn regularized_inverse(&self, y: Tensor<4>, eta: f64) -> Tensor<4> {
        self.adjoint(y / (Self::squared_norm() + eta))
    }

    fn singular_values(&self) -> Option<Vec<f32>> {
        Some(vec![Self::squared_norm().sqrt() as f32])
    }
}
