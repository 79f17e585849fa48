//! Derivatives of the layers of networks with respect to feature maps; weights are constants.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind, binary, unary},
};
use burn::backend::{Autodiff, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Shape, Slice};

use super::convolution::Sampling;
use super::normalization::GroupNorm;
use super::{Kernels, NetworkKernels};

impl<B: Kernels + NetworkKernels, C: CheckpointStrategy> NetworkKernels for Autodiff<B, C> {
    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let [scale, shift] = [scale, shift].map(|parameter| parameter.into_primitive());
        let normed = B::group_norm(x.clone(), scale.clone(), shift.clone(), norm);
        match Normalization.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(NormalizationState { x, scale, shift, norm }, normed),
            OpsKind::UnTracked(prep) => prep.finish(normed),
        }
    }

    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let [weight, bias] = [weight, bias].map(|parameter| parameter.into_primitive());
        let size = x.shape();
        let result = B::convolve(x, weight.clone(), bias, sampling);
        match Convolution.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(ConvolutionState { weight, sampling, size }, result),
            OpsKind::UnTracked(prep) => prep.finish(result),
        }
    }

    fn convolve_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self> {
        let ((x, node), (residual, residual_node)) = (x.into_parts(), residual.into_parts());
        let [weight, bias] = [weight, bias].map(|parameter| parameter.into_primitive());
        let size = x.shape();
        let result = B::convolve_add(x, weight.clone(), bias, residual, sampling);
        match Convolution.prepare::<C>([node, residual_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(ConvolutionState { weight, sampling, size }, result),
            OpsKind::UnTracked(prep) => prep.finish(result),
        }
    }

    fn concatenate(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((a, node_a), (b, node_b)) = (a.into_parts(), b.into_parts());
        let channels = a.shape()[1];
        let both = B::concatenate(a, b);
        match Concatenation.prepare::<C>([node_a, node_b]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(channels, both),
            OpsKind::UnTracked(prep) => prep.finish(both),
        }
    }
}

#[derive(Debug)]
struct Normalization;

#[derive(Clone, Debug)]
struct NormalizationState<T> {
    x: T,
    scale: T,
    shift: T,
    norm: GroupNorm,
}

impl<B: Kernels> Backward<B, 1> for Normalization {
    type State = NormalizationState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let NormalizationState { x, scale, shift, norm } = ops.state;
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            B::group_norm_gradient(x, gradient, scale, shift, norm)
        });
    }
}

#[derive(Debug)]
struct Convolution;

#[derive(Clone, Debug)]
struct ConvolutionState<T> {
    weight: T,
    sampling: Sampling,
    /// Shape of the input.
    size: Shape,
}

impl<B: NetworkKernels> Backward<B, 1> for Convolution {
    type State = ConvolutionState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let state = ops.state;
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| transposed::<B>(state, gradient));
    }
}

/// With a residual, whose gradient is the gradient of the sum.
impl<B: NetworkKernels> Backward<B, 2> for Convolution {
    type State = ConvolutionState<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let state = ops.state;
        binary::<B, _, _>(
            ops.parents,
            ops.node,
            gradients,
            |gradient| transposed::<B>(state, gradient),
            |gradient| gradient,
        );
    }
}

/// The transposed convolution of a `gradient`: a convolution that keeps the resolution, with the weights rotated by 180
/// degrees and inputs and outputs exchanged. Strides are undone before it by inserting zeros, upsampling after it by
/// sums of 2 x 2 pixels.
fn transposed<B: NetworkKernels>(
    ConvolutionState { weight, sampling, size }: ConvolutionState<FloatTensor<B>>,
    gradient: FloatTensor<B>,
) -> FloatTensor<B> {
    let (taps, inputs) = (weight.shape()[0], weight.shape()[2]);
    let bias = B::float_zeros(Shape::from([inputs]), &gradient.device(), gradient.dtype().into());
    let turned = B::float_swap_dims(B::float_flip(weight, &[0, 1]), 2, 3);
    let convolved = |gradient| B::convolve(gradient, turned, bias, Sampling::Keep);
    let size = [size[2], size[3]];
    match sampling {
        Sampling::Keep => convolved(gradient),
        Sampling::Halve => convolved(spread::<B>(gradient, size, 0)),
        Sampling::HalveAsymmetric => convolved(spread::<B>(gradient, size, taps / 2)),
        Sampling::Double => {
            let full = convolved(gradient);
            let every_other = |[row, column]: [isize; 2]| {
                let from = |first| Slice::new(first, None, 2);
                B::float_slice(full.clone(), &[Slice::full(), Slice::full(), from(row), from(column)])
            };
            let pixels = [[0, 0], [0, 1], [1, 0], [1, 1]].map(every_other);
            pixels.into_iter().reduce(B::float_add).expect("four pixels")
        }
    }
}

/// The pixels of `x` at every other place from `first` on, zeros between them.
fn spread<B: NetworkKernels>(x: FloatTensor<B>, [height, width]: [usize; 2], first: usize) -> FloatTensor<B> {
    let shape = x.shape();
    let black = Shape::from([shape[0], shape[1], height, width]);
    let black = B::float_zeros(black, &x.device(), x.dtype().into());
    let places = |n: usize| Slice::new(first as isize, Some((first + 2 * n - 1) as isize), 2);
    B::float_slice_assign(black, &[Slice::full(), Slice::full(), places(shape[2]), places(shape[3])], x)
}

#[derive(Debug)]
struct Concatenation;

impl<B: NetworkKernels> Backward<B, 2> for Concatenation {
    /// Channels of the first tensor.
    type State = usize;

    fn backward(self, ops: Ops<usize, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let channels = ops.state as isize;
        let part =
            |slice| move |gradient| B::float_slice(gradient, &[Slice::full(), slice, Slice::full(), Slice::full()]);
        let (first, second) = (Slice::new(0, Some(channels), 1), Slice::new(channels, None, 1));
        binary::<B, _, _>(ops.parents, ops.node, gradients, part(first), part(second));
    }
}
