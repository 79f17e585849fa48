//! Weights in half precision on wgpu.

use burn::backend::wgpu::{CubeTensor, into_contiguous};
use burn::tensor::{DType, Shape};

use super::assembly::part;
use super::launch::{launch, word};
use super::shader::{Entry, File, Shader, entries, reference, uniform, wgsl_file};

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    entries::<WidenHalf>()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct WidenHalf;

uniform! {
    struct WidenHalfUniform { threads: u32 }
}

impl Shader for WidenHalf {
    type Uniform = WidenHalfUniform;

    const FILE: File = wgsl_file!("widen_half");
    const REFERENCE: &'static str = reference!(kernel::half::widen_reference);

    fn variants() -> Vec<Self> {
        vec![Self]
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["words", "widened"]
    }
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
