//! Attention on wgpu: two products of matrices with a softmax between them, for a range of queries at a time.

use burn::backend::ops::FloatTensorOps;
use burn::backend::wgpu::{CubeBackend, CubeTensor, into_contiguous};

use super::assembly::part;
use super::choice::Method;
use super::launch::{empty, launch, word};
use super::matrix::{Sizes, multiply};
use super::shader::{Entry, entries, shader};
use crate::kernel::attention::{SCORES, banded};

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    entries::<SoftmaxColumns>()
}

shader! {
    SoftmaxColumns = "softmax_columns" like kernel::attention::reference;
    parts [part::ELEMENTWISE];
    buffers ["scores", "weights"];
    SoftmaxColumnsUniform { threads: u32, rows: u32, columns: u32, scale: f32 }
}

/// See [`crate::kernel::attention::attend`]. Burn's operations are used if they are faster on the device, or if the
/// sizes are not whole blocks.
pub(super) fn attend(query: CubeTensor, key: CubeTensor, value: CubeTensor) -> CubeTensor {
    let shape = query.meta.shape().clone();
    let [heads, channels, tokens] = [shape[0], shape[1], shape[2]];
    let block = match Method::of(&query) {
        Method::Fdgr(block) if channels % block.0 == 0 && tokens % block.0 == 0 => block,
        _ => return banded::<CubeBackend>(query, key, value),
    };
    let [query, key, value] = [query, key, CubeBackend::float_swap_dims(value, 1, 2)].map(into_contiguous);
    let scale = (channels as f32).sqrt().recip();
    let fitting = (SCORES / (heads * tokens) / block.0).max(1) * block.0;
    let attended = |first: usize| {
        let columns = fitting.min(tokens - first);
        // One row per key.
        let sizes = Sizes { points: heads, depth: channels, rows: tokens, columns, pitch: tokens, first };
        let weights = softmax(&multiply(block, &key, &query, sizes), scale);
        let sizes = Sizes { points: heads, depth: tokens, rows: channels, columns, pitch: columns, first: 0 };
        multiply(block, &value, &weights, sizes)
    };
    CubeBackend::float_cat((0..tokens).step_by(fitting).map(attended).collect(), 2)
}

/// Softmax of `scale` times every column of scores `[heads, rows, columns]`.
fn softmax(scores: &CubeTensor, scale: f32) -> CubeTensor {
    let shape = scores.meta.shape().clone();
    let [threads, rows, columns] = [shape[0] * shape[2], shape[1], shape[2]].map(word);
    let weights = empty(scores, shape);
    launch(SoftmaxColumns, &[scores], &weights, &SoftmaxColumnsUniform { threads, rows, columns, scale });
    weights
}
