//! Launches of shaders through CubeCL.

use burn::backend::wgpu::{CubeTensor, KernelSource, SourceKernel, SourceTemplate};
use burn::cubecl::{
    CubeCount, CubeDim,
    prelude::KernelId,
    server::{KernelArguments, MetadataBindingInfo},
};
use burn::tensor::Shape;

use super::assembly::WORKGROUP;
use super::shader::{Shader, Uniform};

/// Workgroups that one dimension of a grid may hold.
const MAX_GROUPS: u32 = 65_535;

/// Runs a shader over the threads or workgroups that its uniform counts; `inputs` and then `output` are bound in the
/// order of [`Shader::buffers`].
///
/// # Panics
/// If there are more buffers, or fewer.
pub(super) fn launch<S: Shader>(shader: S, inputs: &[&CubeTensor], output: &CubeTensor, uniform: &S::Uniform) {
    assert_eq!(inputs.len() + 1, shader.buffers().len(), "{shader:?} has other buffers");
    let groups = uniform.workgroups();
    let wide = groups.clamp(1, MAX_GROUPS);
    let count = CubeCount::Static(wide, groups.div_ceil(wide).max(1), 1);
    let buffers = inputs.iter().copied().chain([output]).map(|t| t.handle.clone().binding()).collect();
    let arguments = KernelArguments::new().with_buffers(buffers).with_info(packed(uniform));
    let kernel = SourceKernel::new(Source(shader), CubeDim::new_1d(WORKGROUP));
    output.client.launch(Box::new(kernel), count, arguments);
}

/// A shader as CubeCL takes it.
struct Source<S>(S);

impl<S: Shader> KernelSource for Source<S> {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.0.wgsl())
    }

    fn id(&self) -> KernelId {
        KernelId::new::<S>().info(self.0)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// The words of a uniform, padded to the 16 bytes that uniforms are aligned to.
fn packed<U: Uniform>(uniform: &U) -> MetadataBindingInfo {
    let mut words: Vec<u32> = bytemuck::cast_slice::<U, u32>(std::slice::from_ref(uniform)).to_vec();
    words.resize(words.len().next_multiple_of(4), 0);
    MetadataBindingInfo::custom(words.chunks_exact(2).map(|w| u64::from(w[0]) | u64::from(w[1]) << 32).collect())
}

/// A size as a field of a uniform.
///
/// # Panics
/// Above `u32::MAX`; picture sizes are checked before a launch.
pub(super) fn word(size: usize) -> u32 {
    u32::try_from(size).expect("picture sizes are checked before a launch")
}

/// An uninitialised contiguous tensor of floats on the device of `like`.
pub(super) fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    let buffer = like.client.empty(shape.num_elements() * size_of::<f32>());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
}
