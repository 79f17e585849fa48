//! Measurements as files: pictures, and for compressed sensing safetensors with the degradation in their metadata.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::degradation::Degradation;
use crate::error::{Error, Result};
use crate::picture::{Picture, write_atomically};

/// Pictures said to be larger are refused.
const MAX_PIXELS: usize = 64_000_000;
/// Key of the metadata entry.
const KEY: &str = "fdgr";

/// What a file of measurements says about itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Description {
    /// Height and width of the image measured.
    pub size: [usize; 2],
    pub degradation: Degradation,
    pub sigma: f64,
}

/// Whether a name is one of measurements that are no picture.
pub(super) fn is_measurements(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"))
}

/// The tensor `y` a picture is for a degradation.
pub(super) fn from_picture(picture: &Picture, degradation: &Degradation, device: &Device) -> Result<Tensor<4>> {
    let x = picture.to_tensor(device);
    let size = [picture.height(), picture.width()];
    Ok(match degradation {
        Degradation::Inpainting { .. } | Degradation::Colorization => {
            degradation.build(size[0], size[1], device)?.apply(x)
        }
        _ => x,
    })
}

/// Writes measurements that are no picture.
pub(super) fn write(path: &Path, y: Tensor<4>, description: &Description) -> Result<()> {
    let failed = |reason: String| Error::Unwritable { path: path.into(), reason };
    let shape = y.dims().to_vec();
    let values = y.try_into_vec_as::<f32>().map_err(|e| failed(e.to_string()))?;
    let view = TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(&values)).map_err(|e| failed(e.to_string()))?;
    let text = serde_json::to_string(description).map_err(|e| failed(e.to_string()))?;
    let metadata = HashMap::from([(KEY.to_owned(), text)]);
    let bytes = safetensors::serialize([("y", view)], Some(metadata)).map_err(|e| failed(e.to_string()))?;
    write_atomically(path, &bytes)
}

/// Reads such a file.
pub(super) fn read(bytes: &[u8], path: &Path, device: &Device) -> Result<(Tensor<4>, Description)> {
    let refuse = |fact: String| Error::Picture {
        path: path.into(),
        fact,
        remedy: "pass a file that `fdgr degrade --task cs` wrote".into(),
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| refuse(format!("it is damaged ({e})")))?;
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let text = text.ok_or_else(|| refuse("it does not say how it was measured".into()))?;
    let description: Description =
        serde_json::from_str(text).map_err(|e| refuse(format!("its description is damaged ({e})")))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| refuse(format!("it is damaged ({e})")))?;
    let view = tensors.tensor("y").map_err(|_| refuse("it holds no measurements".into()))?;
    let shape: [usize; 4] = view.shape().try_into().map_err(|_| refuse("its measurements have no shape".into()))?;
    if view.dtype() != Dtype::F32 {
        return Err(refuse(format!("its measurements are {:?}, not F32", view.dtype())));
    }
    let values = bytemuck::pod_collect_to_vec::<u8, f32>(view.data());
    let [height, width] = description.size;
    let expected = match description.degradation {
        Degradation::CsWalshhadamard { ratio, .. } | Degradation::CsBlockbased { ratio, .. } => {
            // Before anything of that size is allocated.
            let pixels = height.checked_mul(width).filter(|pixels| (1..=MAX_PIXELS).contains(pixels));
            let pixels = pixels.ok_or_else(|| refuse(format!("it says its picture is {width}x{height}")))?;
            if ratio * pixels as f64 > 2.0 * values.len() as f64 {
                return Err(refuse(format!("it holds too few measurements for a picture of {width}x{height}")));
            }
            let operator = description.degradation.build(height, width, device)?;
            operator.apply(Tensor::zeros([1, 3, height, width], device)).dims()
        }
        _ => return Err(refuse("it was not measured by compressed sensing".into())),
    };
    if shape != expected {
        return Err(refuse(format!("its measurements are {shape:?} where {expected:?} belong")));
    }
    Ok((Tensor::from_data(TensorData::new(values, shape), device), description))
}
