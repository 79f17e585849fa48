//! Colorization: `y` `[b, 1, h, w]` is the mean of red, green and blue.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{ChannelMix, Family, Kind, LinearOperator, Preset, StageKind};
use crate::error::{Error, Result, Setting};

/// Weights of the channels, as DDRM and its successors round thirds.
pub const WEIGHTS: [f64; 3] = [0.3333, 0.3334, 0.3333];

/// The colours are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Colorization {}

/// The kind.
pub static KIND: Kind = Kind {
    name: "colorization",
    task: "colorize",
    title: "Without colour",
    chosen_by: None,
    parameters: &[],
    presets: &[Preset::new("colorization", "No colour")],
    usual_sigma: Some(0.0),
    parse: |_, _| Ok(Colorization {}.into()),
    examples: |_| vec![("colorization", Colorization {}.into())],
};

impl StageKind for Colorization {
    fn family(&self) -> Family {
        Family::Colors
    }

    fn check(&self, [channels, height, width]: [usize; 3]) -> Result<[usize; 3]> {
        if channels != WEIGHTS.len() {
            return Err(Error::mismatch(Setting::DEGRADATION, "the colours are lost already", "name this stage once"));
        }
        Ok([1, height, width])
    }

    fn build(&self, [_, height, width]: [usize; 3], device: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(Box::new(ChannelMix::new(&[WEIGHTS.to_vec()], [height, width], device)))
    }

    fn classical_estimate(&self, _: &dyn LinearOperator, y: Tensor<4>, _: f64) -> Result<Tensor<4>> {
        Ok(y.repeat_dim(1, 3))
    }

    /// The mean of its channels.
    fn of_photo(&self, photo: Tensor<4>) -> Tensor<4> {
        let [_, channels, height, width] = photo.dims();
        if channels != WEIGHTS.len() {
            return photo;
        }
        ChannelMix::new(&[WEIGHTS.to_vec()], [height, width], &photo.device()).apply(photo)
    }
}
