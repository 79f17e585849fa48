//! Group normalisation with an optional SiLU, as one operation.

use burn::backend::Dispatch;
use burn::tensor::{Tensor, activation::silu};

use super::{NetworkKernels, profile, reference_mode};

/// Normalises `x` `[b, c, h, w]` over each of `groups` groups of channels, multiplies with `scale` and adds `shift`,
/// both `[c]`; if `activate`, SiLU `v / (1 + exp(-v))` follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNorm {
    /// Number of groups; it divides the channels.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether SiLU follows.
    pub activate: bool,
}

impl GroupNorm {
    /// Applies it.
    pub fn forward(&self, x: Tensor<4>, scale: &Tensor<1>, shift: &Tensor<1>) -> Tensor<4> {
        if reference_mode::is_on() {
            return self.reference(x, scale, shift);
        }
        let (device, [_, c, h, w]) = (x.device(), x.dims());
        let kind = move || format!("normalisation of {c}x{w}x{h}");
        profile::timed(&device, kind, || {
            let (scale, shift) = (scale.clone().into_dispatch(), shift.clone().into_dispatch());
            Tensor::from_dispatch(Dispatch::group_norm(x.into_dispatch(), scale, shift, *self))
        })
    }

    /// [`GroupNorm::forward`] in tensor operations.
    pub fn reference(&self, x: Tensor<4>, scale: &Tensor<1>, shift: &Tensor<1>) -> Tensor<4> {
        let [b, c, h, w] = x.dims();
        let grouped = x.reshape([b, self.groups, c / self.groups * h * w]);
        let (variance, mean) = grouped.clone().var_mean_bias(2);
        let normed = ((grouped - mean) / (variance + self.epsilon).sqrt()).reshape([b, c, h, w]);
        let normed = normed * scale.clone().reshape([1, c, 1, 1]) + shift.clone().reshape([1, c, 1, 1]);
        if self.activate { silu(normed) } else { normed }
    }
}
