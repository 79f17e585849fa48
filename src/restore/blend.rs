//! The mean of what the prior says of a noisy photo and of what repeats in it: the two err in different places.

use burn::tensor::{Tensor, TensorData};

use super::{Channels, Measurement, RestoreConfig};
use crate::bm3d::{Planes, bm3d};
use crate::control::{self, Control, Event};
use crate::error::{Error, Result};
use crate::sampler::Data;

/// `(1 - w) x + w b` of the prior's answer `x`, `[1, 3, h, w]` in `[-1, 1]`, and BM3D's answer `b` to the measurement, with the weight `w` that the
/// configuration says; `x` itself where that is 0, and of pictures smaller than a patch.
///
/// Of a grey file of 8 bits many patches are equally far, and a change of 1e-6 would choose others: there, and where colours share their noise,
/// patches are compared in `x`.
///
/// # Errors
/// A device that does not give its data back, and being cancelled.
pub(super) fn blended(
    x: Tensor<4>,
    measurement: &Measurement,
    data: &Data,
    config: &RestoreConfig,
    control: &dyn Control,
) -> Result<Tensor<4>> {
    if config.bm3d == 0.0 {
        return Ok(x);
    }
    control.emit(Event::Estimating("what repeats in the picture"));
    let y = data.y();
    let ([_, channels, height, width], device) = (y.dims(), y.device());
    let samples = |tensor: Tensor<4>| tensor.try_into_vec_as::<f32>().map_err(|e| Error::no_result(&device, e));
    let guide = match config.channels {
        Channels::Independent => None,
        Channels::Gray | Channels::Correlated(_) => Some(samples(measurement.mixed(x.clone()).mean_dim(1))?),
    };
    let noisy = samples(y.clone())?;
    let planes = noisy.chunks_exact(height * width).map(|plane| plane.iter().map(|v| (v + 1.0) / 2.0).collect());
    let noisy = Planes { channels: planes.collect(), height, width };
    let answer = bm3d(&noisy, guide.as_deref(), config.sigma as f32, |done, all| {
        control.emit(Event::Step { done, all });
        !control.cancelled()
    });
    control::check(control, || "after the last step".into())?;
    let Some(answer) = answer else { return Ok(x) };
    let samples: Vec<f32> = answer.channels.iter().flatten().map(|v| 2.0 * v - 1.0).collect();
    let answer = Tensor::from_data(TensorData::new(samples, [1, channels, height, width]), &device);
    Ok(x * (1.0 - config.bm3d) + measurement.unmixed(answer) * config.bm3d)
}
