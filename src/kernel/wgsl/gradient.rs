//! The gradient regularisers on wgpu.

use burn::backend::wgpu::{CubeTensor, into_contiguous};

use super::assembly::part;
use super::launch::{empty, launch, word};
use super::shader::{Entry, entries, shader};

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    [entries::<GradientSpatial>(), entries::<JointWeight>()].concat()
}

shader! {
    GradientSpatial = "gradient_spatial" like kernel::gradient::spatial_reference;
    parts [part::PENALTY, part::ELEMENTWISE];
    buffers ["image", "gradient"];
    GradientSpatialUniform { threads: u32, height: u32, width: u32, lam: f32, alpha: f32, rate: f32 }
}

shader! {
    JointWeight = "joint_weight" like kernel::gradient::joint_weight_reference;
    parts [part::PENALTY, part::ELEMENTWISE];
    buffers ["du", "dv", "weights"];
    JointWeightUniform { threads: u32, alpha: f32, rate: f32, scale: f32 }
}

/// See [`crate::kernel::gradient::spatial`].
pub(super) fn spatial(x: CubeTensor, lam: f32, alpha: f32, rate: f32) -> CubeTensor {
    let x = into_contiguous(x);
    let shape = x.meta.shape().clone();
    let output = empty(&x, shape.clone());
    let [threads, height, width] = [shape.num_elements(), shape[2], shape[3]].map(word);
    launch(GradientSpatial, &[&x], &output, &GradientSpatialUniform { threads, height, width, lam, alpha, rate });
    output
}

/// See [`crate::kernel::gradient::joint_weight`].
pub(super) fn joint_weight(du: CubeTensor, dv: CubeTensor, scale: f32, alpha: f32, rate: f32) -> CubeTensor {
    let [du, dv] = [du, dv].map(into_contiguous);
    let output = empty(&du, du.meta.shape().clone());
    let threads = word(du.meta.shape().num_elements());
    launch(JointWeight, &[&du, &dv], &output, &JointWeightUniform { threads, alpha, rate, scale });
    output
}
