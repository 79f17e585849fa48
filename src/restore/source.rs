//! What is restored: photos, and files of measurements that are no pictures.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::degradation::Degradation;
use crate::error::{Error, PathContext, Result};
use crate::files;
use crate::picture::Picture;

/// Larger images are refused.
const MAX_PIXELS: usize = 64_000_000;
/// Key of the metadata entry.
const KEY: &str = "fdgr";

/// What is restored.
pub enum Source {
    /// A photo.
    Photo(Picture),
    /// Measurements of compressed sensing.
    Sensed(Box<Sensed>),
}

/// Measurements that are no picture, and how they were made.
pub struct Sensed {
    /// `y`, `[1, c, 1, m]`.
    values: Vec<f32>,
    shape: [usize; 4],
    /// How they were made.
    pub description: Description,
}

/// How measurements were made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Description {
    /// Height and width of the image measured.
    pub size: [usize; 2],
    /// What was measured of it.
    pub degradation: Degradation,
    /// Standard deviation of the noise, of a `[0, 1]` image.
    pub sigma: f64,
}

impl Source {
    /// Reads a photo or a file of measurements, by the ending of its name.
    ///
    /// # Errors
    /// Files that cannot be read or decoded.
    pub fn read(path: &Path) -> Result<Self> {
        Self::decode(&std::fs::read(path).reading(path)?, path, 0)
    }

    /// Decodes a page of the bytes of a file, the first is 0; `path` decides its kind.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn decode(bytes: &[u8], path: &Path, page: usize) -> Result<Self> {
        if Self::is_measurements(path) {
            return Ok(Self::Sensed(Box::new(Sensed::decode(bytes, path)?)));
        }
        Picture::decode_page(bytes, path, page).map(Self::Photo)
    }

    /// Whether a name is one of measurements that are no picture.
    pub fn is_measurements(path: &Path) -> bool {
        path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"))
    }

    /// The photo, if it is one.
    pub fn photo(&self) -> Option<&Picture> {
        match self {
            Self::Photo(photo) => Some(photo),
            Self::Sensed(_) => None,
        }
    }

    /// Height and width of a photo, or of the image of which there are measurements.
    pub fn measured_size(&self) -> [usize; 2] {
        match self {
            Self::Photo(photo) => [photo.height(), photo.width()],
            Self::Sensed(sensed) => sensed.description.size,
        }
    }

    /// Height and width of the image that a degradation made this of.
    pub fn image_size(&self, degradation: &Degradation) -> [usize; 2] {
        match self {
            Self::Photo(photo) => degradation.image_size([photo.height(), photo.width()]),
            Self::Sensed(sensed) => sensed.description.size,
        }
    }
}

impl From<Picture> for Source {
    fn from(photo: Picture) -> Self {
        Self::Photo(photo)
    }
}

impl Sensed {
    /// Takes measurements from their device.
    ///
    /// # Errors
    /// A device that does not give its data back.
    pub fn new(y: Tensor<4>, description: Description) -> Result<Self> {
        let (shape, device) = (y.dims(), y.device());
        let values = y.try_into_vec_as::<f32>().map_err(|e| Error::no_result(&device, e))?;
        Ok(Self { values, shape, description })
    }

    /// `y` on a device.
    pub fn to_tensor(&self, device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(self.values.clone(), self.shape), device)
    }

    /// Writes a safetensors file with the description in its metadata.
    ///
    /// # Errors
    /// Places that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let view =
            TensorView::new(Dtype::F32, self.shape.to_vec(), bytemuck::cast_slice(&self.values)).writing(path)?;
        let text = serde_json::to_string(&self.description).writing(path)?;
        let metadata = HashMap::from([(KEY.to_owned(), text)]);
        files::write_atomically(path, &safetensors::serialize([("y", view)], Some(metadata)).writing(path)?)
    }

    fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let refuse = |fact: String| Error::picture(path, fact, "pass a file of measurements that this program wrote");
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
        let expected = description.shape(values.len()).map_err(refuse)?;
        if shape != expected {
            return Err(refuse(format!("its measurements are {shape:?} where {expected:?} belong")));
        }
        Ok(Self { values, shape, description })
    }
}

impl Description {
    /// The shape of the measurements, of which a file holds `count` values; else what is wrong with it.
    fn shape(&self, count: usize) -> std::result::Result<[usize; 4], String> {
        if self.degradation.is_picture() {
            return Err("it was not measured by compressed sensing".into());
        }
        // Before anything of that size is allocated: a share of at least one in a thousand is measured.
        let [height, width] = self.size;
        let pixels = height.checked_mul(width).filter(|pixels| (1..=MAX_PIXELS).contains(pixels));
        let pixels = pixels.ok_or_else(|| format!("it says its picture is {width}x{height}"))?;
        if pixels > 1000 * count.max(1) {
            return Err(format!("it holds too few measurements for a picture of {width}x{height}"));
        }
        let operator = self.degradation.build(self.size, &Device::flex()).map_err(|e| e.to_string())?;
        let [c, h, w] = operator.measured_shape();
        Ok([1, c, h, w])
    }
}
