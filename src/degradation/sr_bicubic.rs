//! Super-resolution from a bicubic reduction: `y` `[b, c, h / scale, w / scale]`.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{
    Convolution, Family, Form, Kind, LinearOperator, Mirrored, Preset, Separable, StageKind, check_scale, deblur,
};
use crate::error::Result;
use crate::parameter::{self, Parameter, Values};
use crate::picture::Picture;

/// Bicubic reduction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SrBicubic {
    /// Factor of both sides.
    pub scale: usize,
    /// How it is inverted.
    pub form: Form,
}

/// Largest side whose matrix is decomposed, which takes time with its cube.
const LARGEST_DECOMPOSED: usize = 512;

/// Factor of super-resolution.
pub(super) const SCALE: Parameter =
    Parameter::new("scale", "factor of super-resolution", parameter::Kind::Whole { low: 1, high: 64 });
/// How pixels were lost.
pub(super) const REDUCTION: Parameter =
    Parameter::new("reduction", "downsampling kernel", parameter::Kind::Choice(&["bicubic", "average"]));

/// The factor that was given, or 4.
pub(super) fn scale(values: &Values) -> Result<usize> {
    let given = values.get("scale").map(|text| SCALE.parse(text)).transpose()?;
    Ok(given.and_then(|value| value.as_u64()).map_or(4, |scale| scale as usize))
}

/// The kind.
pub static KIND: Kind = Kind {
    name: "sr_bicubic",
    task: "sr",
    title: "Too few pixels",
    chosen_by: Some(("reduction", "bicubic")),
    parameters: &[SCALE, REDUCTION, deblur::FORM],
    presets: &[Preset { scale: Some("scale"), ..Preset::new("sr_bicubic", "Bicubic reduction") }],
    usual_sigma: None,
    parse: |values, _| Ok(SrBicubic { scale: scale(values)?, form: deblur::form(values)?.unwrap_or(Form::Svd) }.into()),
    examples: |_| {
        let stage = |scale, form| SrBicubic { scale, form }.into();
        vec![
            ("sr_bicubic_svd", stage(4, Form::Svd)),
            ("sr_bicubic_fft", stage(4, Form::Fft)),
            ("sr_bicubic_x2", stage(2, Form::Svd)),
        ]
    },
};

impl StageKind for SrBicubic {
    fn family(&self) -> Family {
        Family::Resolution
    }

    fn check(&self, image: [usize; 3]) -> Result<[usize; 3]> {
        check_scale(self.scale, image)
    }

    fn build(&self, image: [usize; 3], device: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(match self.form {
            Form::Svd if image[1].max(image[2]) > LARGEST_DECOMPOSED => {
                Box::new(Mirrored::bicubic(self.scale, image, device))
            }
            Form::Svd => Box::new(Separable::bicubic(self.scale, image, device)),
            Form::Fft => Box::new(Convolution::bicubic(self.scale, image, device)?),
        })
    }

    fn image_size(&self, measured: [usize; 2]) -> [usize; 2] {
        measured.map(|side| side.saturating_mul(self.scale))
    }

    fn classical_estimate(&self, _: &dyn LinearOperator, y: Tensor<4>, _: f64) -> Result<Tensor<4>> {
        enlarged(y, self.scale)
    }
}

/// A batch enlarged by bicubic interpolation.
pub(super) fn enlarged(y: Tensor<4>, scale: usize) -> Result<Tensor<4>> {
    let channels = y.dims()[1];
    let enlarge = |y: Tensor<4>| {
        let x = Picture::from_tensor(y.clone())?.enlarged(scale).to_tensor(&y.device());
        Ok(x.narrow(1, 0, channels))
    };
    Ok(Tensor::cat(y.split(1, 0).into_iter().map(enlarge).collect::<Result<_>>()?, 0))
}
