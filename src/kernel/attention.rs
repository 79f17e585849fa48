//! Scaled dot-product attention that never holds all scores in memory.
//!
//! Queries, keys and values are columns `[heads, c, n]`; the result is `value softmax(queryᵀ key / sqrt(c))ᵀ`, of the
//! same shape.

use burn::backend::{Backend, Dispatch, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Slice, Tensor, activation::softmax};

use super::{NetworkKernels, profile, reference_mode};

/// Upper bound of the scores that are in memory at a time.
pub const SCORES: usize = 16 << 20;

/// The attention of columns `[heads, c, n]`.
pub fn attend(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>) -> Tensor<3> {
    if reference_mode::is_on() {
        return reference(query, key, value);
    }
    let (device, [heads, c, n]) = (query.device(), query.dims());
    let kind = move || format!("attention of {heads} x {c}x{n}");
    profile::timed(&device, kind, || {
        let (query, key, value) = (query.into_dispatch(), key.into_dispatch(), value.into_dispatch());
        Tensor::from_dispatch(Dispatch::attend(query, key, value))
    })
}

/// [`attend`] in tensor operations.
pub fn reference(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>) -> Tensor<3> {
    let scale = (query.dims()[1] as f64).powf(-0.5);
    let scores = (query * scale).swap_dims(1, 2).matmul(key);
    value.matmul(softmax(scores, 2).swap_dims(1, 2))
}

/// [`attend`] by a backend's own operations, for as many queries at a time as [`SCORES`] allows.
pub(super) fn banded<B: Backend>(query: FloatTensor<B>, key: FloatTensor<B>, value: FloatTensor<B>) -> FloatTensor<B> {
    let shape = query.shape();
    let [heads, channels, tokens] = [shape[0], shape[1], shape[2]];
    let query = B::float_mul_scalar(query, (channels as f64).powf(-0.5).into());
    let fitting = (SCORES / (heads * tokens)).clamp(1, tokens);
    let attended = |first: usize| {
        let range = Slice::new(first as isize, Some((first + fitting).min(tokens) as isize), 1);
        let query = B::float_slice(query.clone(), &[Slice::full(), Slice::full(), range]);
        let scores = B::float_matmul(B::float_swap_dims(query, 1, 2), key.clone());
        B::float_matmul(value.clone(), B::float_swap_dims(B::softmax(scores, 2), 1, 2))
    };
    B::float_cat((0..tokens).step_by(fitting).map(attended).collect(), 2)
}
