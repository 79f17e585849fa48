//! Colorization: `y` `[b, 1, h, w]` is a weighted mean of red, green and blue.

use burn::tensor::{Device, Tensor};

use super::{LinearOperator, Preconditioner, Spectral, filter_flat};

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

    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4> {
        self.adjoint(y * preconditioner.gain(Self::squared_norm()))
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Colorization {
    fn singular_values(&self) -> Vec<f32> {
        vec![Self::squared_norm().sqrt() as f32]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        filter_flat(self, Self::squared_norm().sqrt(), x, f)
    }
}
