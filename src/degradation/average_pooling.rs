//! Super-resolution from block means: `y` `[b, c, h / scale, w / scale]`.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::operator::filter_flat;
use super::{Family, Kind, LinearOperator, Preconditioner, Preset, Spectral, StageKind, check_scale, sr_bicubic};
use crate::error::Result;

/// Reduced by means over blocks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AveragePooling {
    /// Factor of both sides.
    pub scale: usize,
}

/// The kind.
pub static KIND: Kind = Kind {
    name: "sr_averagepooling",
    task: "sr",
    title: "Too few pixels",
    chosen_by: Some(("reduction", "average")),
    parameters: &[sr_bicubic::SCALE, sr_bicubic::REDUCTION],
    presets: &[Preset { scale: Some("scale"), ..Preset::new("sr_averagepooling", "Means over blocks") }],
    usual_sigma: None,
    parse: |values, _| Ok(AveragePooling { scale: sr_bicubic::scale(values)? }.into()),
    examples: |_| vec![("sr_averagepooling", AveragePooling { scale: 4 }.into())],
};

impl StageKind for AveragePooling {
    fn family(&self) -> Family {
        Family::Resolution
    }

    fn check(&self, image: [usize; 3]) -> Result<[usize; 3]> {
        check_scale(self.scale, image)
    }

    fn build(&self, image: [usize; 3], _: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(Box::new(BlockMean::new(self.scale, image)))
    }

    fn image_size(&self, measured: [usize; 2]) -> [usize; 2] {
        measured.map(|side| side.saturating_mul(self.scale))
    }

    fn classical_estimate(&self, _: &dyn LinearOperator, y: Tensor<4>, _: f64) -> Result<Tensor<4>> {
        sr_bicubic::enlarged(y, self.scale)
    }
}

/// Mean over blocks of `scale` x `scale`.
pub struct BlockMean {
    scale: usize,
    shape: [usize; 3],
    size: [usize; 2],
}

impl BlockMean {
    /// The block mean of images `[channels, height, width]`, sides multiples of `scale`.
    ///
    /// # Panics
    /// If `scale` is 0.
    pub fn new(scale: usize, shape: [usize; 3]) -> Self {
        assert!(scale > 0, "blocks of at least one pixel");
        Self { scale, shape, size: [shape[1], shape[2]] }
    }

    fn pixels(&self) -> f64 {
        (self.scale * self.scale) as f64
    }
}

impl LinearOperator for BlockMean {
    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn measured_shape(&self) -> [usize; 3] {
        [self.shape[0], self.size[0] / self.scale, self.size[1] / self.scale]
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

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        y * p.gain(1.0 / self.pixels())
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for BlockMean {
    fn singular_values(&self) -> Vec<f32> {
        vec![1.0 / self.scale as f32; self.size[0] * self.size[1] / (self.scale * self.scale)]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        filter_flat(self, 1.0 / self.scale as f64, x, f)
    }
}
