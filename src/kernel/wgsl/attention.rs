//! Attention on wgpu: two products of matrices with a softmax between them, for some queries at a time.

use burn::backend::ops::FloatTensorOps;
use burn::backend::wgpu::{CubeBackend, CubeTensor, into_contiguous};

use super::choice::Method;
use super::convolution::multiply;
use super::{Shader, Value, empty};
use crate::kernel::attention::{SCORES, banded};

/// See [`crate::kernel::attention::attend`]. By Burn's operations where those are faster, or blocks of products do not fit.
pub(super) fn attend(query: CubeTensor, key: CubeTensor, value: CubeTensor) -> CubeTensor {
    let shape = query.meta.shape().clone();
    let [heads, channels, tokens] = [shape[0], shape[1], shape[2]];
    let block = match Method::of(&query) {
        Method::Ours(block) if channels % block.0 == 0 && tokens % block.0 == 0 => block,
        _ => return banded::<CubeBackend>(query, key, value),
    };
    let [query, key, value] = [query, key, CubeBackend::float_swap_dims(value, 1, 2)].map(into_contiguous);
    let scale = (channels as f32).sqrt().recip();
    let fitting = (SCORES / (heads * tokens) / block.0).max(1) * block.0;
    let of_some = |first: usize| {
        let columns = fitting.min(tokens - first);
        // Of every key a row.
        let scores = multiply(block, &key, &query, [heads, channels, tokens, columns], tokens, first);
        let weights = empty(&scores, scores.meta.shape().clone());
        let threads = heads * columns;
        let parameters = [threads.into(), tokens.into(), Value::from(columns), scale.into()];
        Shader::SoftmaxColumns.launch(&[&scores], &weights, threads, &parameters);
        multiply(block, &value, &weights, [heads, tokens, channels, columns], columns, 0)
    };
    CubeBackend::float_cat((0..tokens).step_by(fitting).map(of_some).collect(), 2)
}
