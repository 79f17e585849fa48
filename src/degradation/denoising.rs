//! Denoising: `A = I`.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Family, Kind, LinearOperator, Preconditioner, Preset, Spectral, StageKind};
use crate::error::Result;

/// Nothing but noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Denoising {}

/// The kind.
pub static KIND: Kind = Kind {
    name: "denoising",
    task: "denoise",
    title: "Noisy",
    chosen_by: None,
    parameters: &[],
    presets: &[Preset::new("denoising", "Noise only")],
    usual_sigma: Some(0.1),
    parse: |_, _| Ok(Denoising {}.into()),
    examples: |_| vec![("denoising", Denoising {}.into())],
};

impl StageKind for Denoising {
    fn family(&self) -> Family {
        Family::Noise
    }

    fn check(&self, image: [usize; 3]) -> Result<[usize; 3]> {
        Ok(image)
    }

    fn build(&self, image: [usize; 3], _: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(Box::new(Identity::new(image)))
    }

    fn classical_estimate(&self, _: &dyn LinearOperator, y: Tensor<4>, _: f64) -> Result<Tensor<4>> {
        Ok(y)
    }
}

/// The identity.
pub struct Identity {
    shape: [usize; 3],
}

impl Identity {
    /// The identity on images `[channels, height, width]`.
    pub fn new(shape: [usize; 3]) -> Self {
        Self { shape }
    }
}

impl LinearOperator for Identity {
    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn measured_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        x
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        y
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        y * p.gain(1.0)
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Identity {
    fn singular_values(&self) -> Vec<f32> {
        vec![1.0; self.shape[1] * self.shape[2]]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        x * f(1.0)
    }
}
