//! The gradient regularisers on wgpu.

use burn::backend::wgpu::{CubeTensor, into_contiguous};

use super::assembly::part;
use super::launch::{empty, launch, word};
use super::shader::{Entry, File, Shader, entries, reference, uniform, wgsl_file};

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    [entries::<GradientSpatial>(), entries::<JointWeight>()].concat()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GradientSpatial;

uniform! {
    struct GradientSpatialUniform { threads: u32, height: u32, width: u32, lam: f32, alpha: f32, rate: f32 }
}

impl Shader for GradientSpatial {
    type Uniform = GradientSpatialUniform;

    const FILE: File = wgsl_file!("gradient_spatial");
    const REFERENCE: &'static str = reference!(kernel::gradient::spatial_reference);

    fn variants() -> Vec<Self> {
        vec![Self]
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::PENALTY, part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["image", "gradient"]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct JointWeight;

uniform! {
    struct JointWeightUniform { threads: u32, alpha: f32, rate: f32, scale: f32 }
}

impl Shader for JointWeight {
    type Uniform = JointWeightUniform;

    const FILE: File = wgsl_file!("joint_weight");
    const REFERENCE: &'static str = reference!(kernel::gradient::joint_weight_reference);

    fn variants() -> Vec<Self> {
        vec![Self]
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::PENALTY, part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["du", "dv", "weights"]
    }
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
