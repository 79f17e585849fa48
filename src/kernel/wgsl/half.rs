//! Weights in half precision on wgpu.

use burn::backend::wgpu::{CubeTensor, into_contiguous};
use burn::tensor::{DType, Shape};

use super::assembly::part;
use super::launch::{launch, word};
use super::shader::{Entry, entries, shader};

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    entries::<WidenHalf>()
}

shader! {
    WidenHalf = "widen_half" like kernel::half::widen_reference;
    parts [part::ELEMENTWISE];
    buffers ["words", "widened"];
    WidenHalfUniform { threads: u32 }
}

/// See [`crate::kernel::half::widen`].
pub(super) fn widen(words: CubeTensor) -> CubeTensor {
    let words = into_contiguous(words);
    let count = words.meta.shape()[0];
    let buffer = words.client.empty(2 * count * size_of::<f32>());
    let (client, device) = (words.client.clone(), words.device.clone());
    let output = CubeTensor::new_contiguous(client, device, Shape::from([2 * count]), buffer, DType::F32);
    launch(WidenHalf, &[&words], &output, &WidenHalfUniform { threads: word(count) });
    output
}
