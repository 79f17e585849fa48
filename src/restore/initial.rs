//! Classical estimates, from which a shortened run starts.

use burn::tensor::Tensor;

use crate::degradation::{Degradation, LinearOperator};
use crate::error::Result;
use crate::picture::Picture;

/// Steps of the diffusion that fills holes, a level.
const FILL_STEPS: usize = 64;

/// An image `[b, 3, h, w]` without any prior: enlarged by bicubic interpolation, deconvolved by a regularised inverse, holes
/// filled smoothly, or the measurement itself.
///
/// # Errors
/// A device that does not give its data back.
pub fn estimate(
    degradation: &Degradation,
    operator: &dyn LinearOperator,
    y: &Tensor<4>,
    sigma: f64,
) -> Result<Tensor<4>> {
    Ok(match degradation {
        Degradation::Denoising => y.clone(),
        Degradation::Colorization => y.clone().repeat_dim(1, 3),
        Degradation::SrBicubic { scale, .. } | Degradation::SrAveragepooling { scale } => {
            let enlarge = |y: Tensor<4>| Ok(Picture::from_tensor(y.clone())?.enlarged(*scale).to_tensor(&y.device()));
            Tensor::cat(y.clone().split(1, 0).into_iter().map(enlarge).collect::<Result<_>>()?, 0)
        }
        Degradation::Inpainting { .. } => fill(operator, y),
        Degradation::Deblur { .. } => operator.regularized_inverse(y.clone(), (4.0 * sigma * sigma).max(1e-4)),
        Degradation::CsWalshhadamard { .. } | Degradation::CsBlockbased { .. } => {
            operator.regularized_inverse(y.clone(), (4.0 * sigma * sigma).max(1e-4))
        }
    })
}

/// Fills unknown pixels by normalised convolution over growing windows.
fn fill(operator: &dyn LinearOperator, y: &Tensor<4>) -> Tensor<4> {
    let known = operator.apply(y.ones_like());
    let mut sum = y.clone();
    let mut weight = known.clone();
    let mut filled = y.clone();
    let mut empty = known.ones_like() - known;
    let mut reach = 1;
    for _ in 0..FILL_STEPS {
        sum = blurred(sum, reach);
        weight = blurred(weight, reach);
        let reached = weight.clone().greater_elem(1e-6).float() * empty.clone();
        filled = filled + reached.clone() * sum.clone() / weight.clone().clamp_min(1e-6);
        empty = empty - reached;
        reach = (reach * 2).min(y.dims()[2].min(y.dims()[3]) / 2).max(1);
    }
    filled
}

/// Mean with the neighbours at distance `reach` on both axes, the border repeated periodically.
fn blurred(x: Tensor<4>, reach: usize) -> Tensor<4> {
    let along = |x: Tensor<4>, axis: usize| {
        let n = x.dims()[axis];
        let by = reach % n;
        if by == 0 {
            return x;
        }
        let shifted =
            |by: usize| Tensor::cat(vec![x.clone().narrow(axis, n - by, by), x.clone().narrow(axis, 0, n - by)], axis);
        (x.clone() * 2.0 + shifted(by) + shifted(n - by)) / 4.0
    };
    along(along(x, 2), 3)
}
