//! Super-resolution from block means: `y` `[b, c, h / scale, w / scale]`.

use burn::tensor::Tensor;

use super::{LinearOperator, Preconditioner, Spectral, filter_flat};

/// Mean over blocks of `scale` x `scale`.
#[derive(Debug)]
pub struct AveragePooling {
    scale: usize,
    size: [usize; 2],
}

impl AveragePooling {
    /// The block mean of images of `height` x `width`, multiples of `scale`.
    pub fn new(scale: usize, height: usize, width: usize) -> Self {
        Self { scale, size: [height, width] }
    }

    fn pixels(&self) -> f64 {
        (self.scale * self.scale) as f64
    }
}

impl LinearOperator for AveragePooling {
    fn image_size(&self) -> [usize; 2] {
        self.size
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let ([b, c, _, _], [h, w], s) = (x.dims(), self.size, self.scale);
        let rows = x.reshape([b * c * h / s, s, w]).sum_dim(1);
        rows.reshape([b * c * h / s * (w / s), s]).sum_dim(1).reshape([b, c, h / s, w / s]) / self.pixels()
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        let ([b, c, _, _], [h, w], s) = (y.dims(), self.size, self.scale);
        let columns = y.reshape([b * c * (h / s) * (w / s), 1]).repeat_dim(1, s);
        columns.reshape([b * c * h / s, 1, w]).repeat_dim(1, s).reshape([b, c, h, w]) / self.pixels()
    }

    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4> {
        self.adjoint(y * preconditioner.gain(1.0 / self.pixels()))
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for AveragePooling {
    fn singular_values(&self) -> Vec<f32> {
        vec![1.0 / self.scale as f32; self.size[0] * self.size[1] / (self.scale * self.scale)]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        filter_flat(self, 1.0 / self.scale as f64, x, f)
    }
}
