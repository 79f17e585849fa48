//! Convolutions of UNets: odd square kernels; the resolution is kept, halved or doubled; bias and residual are added.

use burn::backend::Dispatch;
use burn::tensor::{
    Shape, Tensor,
    module::{conv2d, interpolate},
    ops::{ConvOptions, InterpolateMode, InterpolateOptions},
};

use super::{NetworkKernels, profile, reference_mode};

/// Change of resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// As many pixels out as in, zero padding on all sides.
    Keep,
    /// Stride 2, zero padding on all sides: `ceil(n / 2)` pixels of `n`.
    Halve,
    /// Stride 2, zero padding at the bottom and on the right only: `floor(n / 2)` pixels of `n`.
    HalveAsymmetric,
    /// Nearest-neighbour upsampling by two, then as [`Sampling::Keep`].
    Double,
}

impl Sampling {
    /// Stride of the convolution.
    pub(super) fn stride(self) -> usize {
        match self {
            Self::Keep | Self::Double => 1,
            Self::Halve | Self::HalveAsymmetric => 2,
        }
    }

    /// Rows of zeros above, and columns of zeros on the left.
    pub(super) fn padding(self, taps: usize) -> usize {
        if self == Self::HalveAsymmetric { 0 } else { taps / 2 }
    }

    /// Pixels of the result for `n` pixels.
    fn size(self, n: usize) -> usize {
        match self {
            Self::Keep => n,
            Self::Halve => n.div_ceil(2),
            Self::HalveAsymmetric => n / 2,
            Self::Double => 2 * n,
        }
    }
}

/// Shape of the convolution of `x` with `weight`.
pub(super) fn shape(x: &Shape, weight: &Shape, sampling: &Sampling) -> Shape {
    Shape::from([x[0], weight[3], sampling.size(x[2]), sampling.size(x[3])])
}

/// Convolution of `x` `[b, in, h, w]` with `weight` `[taps, taps, in, out]`, and `bias` `[out]` added.
///
/// `x` may have any memory layout. On the CPU the result is laid out as `[b, h, w, c]`, which the operations of this
/// module prefer.
pub fn convolve(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, sampling: Sampling) -> Tensor<4> {
    if reference_mode::is_on() {
        return reference(x, weight, bias, sampling);
    }
    let (device, kind) = (x.device(), kind(&x, &weight, sampling));
    profile::timed(&device, kind, || {
        let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
        Tensor::from_dispatch(Dispatch::convolve(x, weight, bias, sampling))
    })
}

/// [`convolve`], plus a `residual` of the result's shape.
pub fn convolve_add(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Tensor<4>,
    sampling: Sampling,
) -> Tensor<4> {
    if reference_mode::is_on() {
        return reference(x, weight, bias, sampling) + residual;
    }
    let (device, kind) = (x.device(), kind(&x, &weight, sampling));
    profile::timed(&device, kind, || {
        let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
        let (bias, residual) = (bias.into_dispatch(), residual.into_dispatch());
        Tensor::from_dispatch(Dispatch::convolve_add(x, weight, bias, residual, sampling))
    })
}

/// Name of a convolution in a profile.
fn kind(x: &Tensor<4>, weight: &Tensor<4>, sampling: Sampling) -> impl FnOnce() -> String + use<> {
    let ([_, _, h, w], [taps, _, inputs, outputs]) = (x.dims(), weight.dims());
    let change = match sampling {
        Sampling::Keep => "",
        Sampling::Halve | Sampling::HalveAsymmetric => ", halved",
        Sampling::Double => ", doubled first",
    };
    move || format!("convolution {taps}x{taps}, {inputs} to {outputs} at {w}x{h}{change}")
}

/// The channels of `a` followed by those of `b`, feature maps of the same size.
pub fn concatenate(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    if reference_mode::is_on() {
        return Tensor::cat(vec![a, b], 1);
    }
    let (device, [_, _, h, w]) = (a.device(), a.dims());
    let channels = a.dims()[1] + b.dims()[1];
    let kind = move || format!("concatenation to {channels}x{w}x{h}");
    profile::timed(&device, kind, || Tensor::from_dispatch(Dispatch::concatenate(a.into_dispatch(), b.into_dispatch())))
}

/// [`convolve`] in tensor operations.
pub fn reference(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, sampling: Sampling) -> Tensor<4> {
    let taps = weight.dims()[0];
    let [_, _, h, w] = x.dims();
    let x = match sampling {
        Sampling::Keep | Sampling::Halve => x,
        Sampling::HalveAsymmetric => x.pad([(0, taps / 2), (0, taps / 2)], 0.0),
        Sampling::Double => {
            let nearest = InterpolateOptions::new(InterpolateMode::Nearest);
            interpolate(x, nearest.with_output_size([2 * h, 2 * w]))
        }
    };
    let options = ConvOptions::new([sampling.stride(); 2], [sampling.padding(taps); 2], [1; 2], 1);
    conv2d(x, weight.permute([3, 2, 0, 1]), Some(bias), options)
}
