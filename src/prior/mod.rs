//! Diffusion priors: networks that predict the noise in a picture.

mod checkpoint;
mod ddpm;
mod pickle;

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

pub use checkpoint::Checkpoint;
pub use ddpm::DdpmUnet;

/// Name of the prior compiled into the program.
pub const EMBEDDED: &str = "photo";
static EMBEDDED_FILE: &[u8] = include_bytes!("../../assets/prior/photo.safetensors");

/// Predicts the noise in `x_t = sqrt(a) x0 + sqrt(1 - a) eps`.
pub trait Denoiser {
    /// `eps` of `x_t` `[b, c, h, w]` at time `t` of the training schedule, of the same shape.
    fn predict_noise(&self, x_t: Tensor<4>, t: usize) -> Tensor<4>;
}

/// A denoiser and where it came from.
pub struct Prior {
    denoiser: DdpmUnet,
    name: String,
    sha256: String,
}

impl Prior {
    /// The prior named `model`: [`EMBEDDED`], or a checkpoint file.
    ///
    /// # Errors
    /// Files that cannot be read, and checkpoints of no known architecture.
    pub fn open(model: &str, device: &Device) -> Result<Self> {
        if model == EMBEDDED {
            return Self::new(model, Checkpoint::safetensors(Path::new(EMBEDDED), EMBEDDED_FILE.into())?, device);
        }
        let path = Path::new(model);
        if !path.exists() {
            return Err(Error::Checkpoint {
                path: path.into(),
                fact: "there is no such file".into(),
                remedy: format!("pass --model {EMBEDDED} for the built-in prior, or a .pt or .safetensors file"),
            });
        }
        Self::new(model, Checkpoint::open(path)?, device)
    }

    fn new(name: &str, checkpoint: Checkpoint, device: &Device) -> Result<Self> {
        let sha256 = sha256(checkpoint.bytes());
        Ok(Self { denoiser: DdpmUnet::load(&checkpoint, device)?, name: name.into(), sha256 })
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.denoiser.parameters()
    }

    /// Bytes one step needs on the device for a picture of that many pixels, the weights included.
    pub fn working_memory(&self, pixels: usize) -> u64 {
        self.denoiser.working_memory(pixels)
    }

    /// Bytes of the largest single tensor of a step for a picture of that many pixels.
    pub fn largest_tensor(&self, pixels: usize) -> u64 {
        self.denoiser.largest_tensor(pixels)
    }
}

impl Denoiser for Prior {
    /// Pictures of any size: they are extended by reflection to the multiple the network needs, and cropped again.
    fn predict_noise(&self, x_t: Tensor<4>, t: usize) -> Tensor<4> {
        let [b, c, h, w] = x_t.dims();
        let multiple = self.denoiser.multiple();
        let (height, width) = (h.next_multiple_of(multiple), w.next_multiple_of(multiple));
        if (height, width) == (h, w) {
            return self.denoiser.predict_noise(x_t, t);
        }
        let extended = extend(extend(x_t, 2, height), 3, width);
        self.denoiser.predict_noise(extended, t).slice([0..b, 0..c, 0..h, 0..w])
    }
}

/// Mirrors `x` behind its end along `axis` until it is `length` long.
fn extend(x: Tensor<4>, axis: usize, length: usize) -> Tensor<4> {
    let n = x.dims()[axis];
    if n == length {
        return x;
    }
    let fold = |i: usize| (i % (2 * n)).min(2 * n - 1 - i % (2 * n)) as i32;
    let indices: Vec<i32> = (0..length).map(fold).collect();
    let device = x.device();
    x.select(axis, Tensor::<1, Int>::from_data(TensorData::from(indices.as_slice()), &device))
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
