//! Denoising: `A = I`.

use burn::tensor::Tensor;

use super::{LinearOperator, Preconditioner, Spectral};

/// The identity.
#[derive(Debug)]
pub struct Denoising {
    size: [usize; 2],
}

impl Denoising {
    /// The identity on images of `height` x `width`.
    pub fn new(height: usize, width: usize) -> Self {
        Self { size: [height, width] }
    }
}

impl LinearOperator for Denoising {
    fn image_size(&self) -> [usize; 2] {
        self.size
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        x
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        y
    }

    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4> {
        y * preconditioner.gain(1.0)
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Denoising {
    fn singular_values(&self) -> Vec<f32> {
        vec![1.0; self.size[0] * self.size[1]]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        x * f(1.0)
    }
}
