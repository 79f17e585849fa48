//! Group normalisation on wgpu.

use burn::backend::wgpu::{CubeTensor, into_contiguous};
use burn::tensor::Shape;

use super::assembly::{Constant, part};
use super::launch::{empty, launch, word};
use super::shader::{Entry, entries, shader};
use crate::kernel::normalization::GroupNorm;

/// Floats of a `Vector` in the shaders' variants.
const LANES: [usize; 2] = [1, 4];

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    [
        entries::<GroupStatistics>(),
        entries::<GroupNormalize>(),
        entries::<GroupProjections>(),
        entries::<GroupGradient>(),
    ]
    .concat()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GroupStatistics {
    lanes: usize,
}

shader! {
    impl GroupStatistics = "group_statistics" like kernel::normalization::GroupNorm::reference;
    GroupStatisticsUniform { groups: u32, length: u32, epsilon: f32 }

    fn variants() -> Vec<Self> {
        LANES.map(|lanes| Self { lanes }).to_vec()
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::lanes(self.lanes), part::WORKGROUP_SUM]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["x", "statistics"]
    }
}

/// What the variants of the shaders that know of SiLU differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Variant {
    silu: bool,
    lanes: usize,
}

impl Variant {
    fn all() -> impl Iterator<Item = Self> {
        [false, true].into_iter().flat_map(|silu| LANES.map(|lanes| Self { silu, lanes }))
    }

    fn constants(self) -> Vec<Constant> {
        vec![Constant::Flag("SILU", self.silu)]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GroupNormalize(Variant);

shader! {
    impl GroupNormalize = "group_normalize" like kernel::normalization::GroupNorm::reference;
    GroupNormalizeUniform { threads: u32, plane: u32, channels: u32, group_channels: u32 }

    fn variants() -> Vec<Self> {
        Variant::all().map(Self).collect()
    }

    fn constants(self) -> Vec<Constant> {
        self.0.constants()
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::lanes(self.0.lanes), part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["x", "statistics", "scale", "shift", "normed"]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GroupProjections(Variant);

shader! {
    impl GroupProjections = "group_projections" like kernel::normalization::GroupNorm::reference;
    GroupProjectionsUniform { groups: u32, length: u32, plane: u32, channels: u32 }

    fn variants() -> Vec<Self> {
        Variant::all().map(Self).collect()
    }

    fn constants(self) -> Vec<Constant> {
        self.0.constants()
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::lanes(self.0.lanes), part::WORKGROUP_SUM, part::NORMALIZED_GRADIENT]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["x", "gradient", "statistics", "scale", "shift", "projections"]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GroupGradient(Variant);

shader! {
    impl GroupGradient = "group_gradient" like kernel::normalization::GroupNorm::reference;
    GroupGradientUniform { threads: u32, plane: u32, channels: u32, group_channels: u32 }

    fn variants() -> Vec<Self> {
        Variant::all().map(Self).collect()
    }

    fn constants(self) -> Vec<Constant> {
        self.0.constants()
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::lanes(self.0.lanes), part::NORMALIZED_GRADIENT, part::ELEMENTWISE]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["x", "gradient", "statistics", "scale", "shift", "projections", "result"]
    }
}

/// See [`GroupNorm::forward`].
pub(super) fn forward(x: CubeTensor, scale: CubeTensor, shift: CubeTensor, norm: GroupNorm) -> CubeTensor {
    let [x, scale, shift] = [x, scale, shift].map(into_contiguous);
    let groups = Groups::new(&x, norm.groups);
    let statistics = groups.statistics(&x, norm.epsilon);
    let output = empty(&x, x.meta.shape().clone());
    let uniform = GroupNormalizeUniform {
        threads: groups.vectors,
        plane: groups.plane,
        channels: groups.channels,
        group_channels: groups.group_channels,
    };
    launch(GroupNormalize(groups.variant(norm)), &[&x, &statistics, &scale, &shift], &output, &uniform);
    output
}

/// The gradient with respect to `x`, from the `gradient` with respect to the result of [`forward`].
pub(super) fn gradient(
    x: CubeTensor,
    gradient: CubeTensor,
    scale: CubeTensor,
    shift: CubeTensor,
    norm: GroupNorm,
) -> CubeTensor {
    let [x, gradient, scale, shift] = [x, gradient, scale, shift].map(into_contiguous);
    let groups = Groups::new(&x, norm.groups);
    let statistics = groups.statistics(&x, norm.epsilon);
    let inputs = [&x, &gradient, &statistics, &scale, &shift];
    let projections = empty(&x, groups.pairs());
    let uniform = GroupProjectionsUniform {
        groups: groups.count,
        length: groups.length,
        plane: groups.plane,
        channels: groups.channels,
    };
    launch(GroupProjections(groups.variant(norm)), &inputs, &projections, &uniform);

    let inputs = [&x, &gradient, &statistics, &scale, &shift, &projections];
    let output = empty(&x, x.meta.shape().clone());
    let uniform = GroupGradientUniform {
        threads: groups.vectors,
        plane: groups.plane,
        channels: groups.channels,
        group_channels: groups.group_channels,
    };
    launch(GroupGradient(groups.variant(norm)), &inputs, &output, &uniform);
    output
}

/// The groups of channels of feature maps `[b, c, h, w]`, as vectors of one float or four.
struct Groups {
    /// Groups of the whole batch.
    count: u32,
    /// Floats of a vector.
    lanes: usize,
    /// Vectors of a plane, of a group, and of all maps.
    plane: u32,
    length: u32,
    vectors: u32,
    /// Channels of a picture, and of a group.
    channels: u32,
    group_channels: u32,
}

impl Groups {
    fn new(x: &CubeTensor, groups: usize) -> Self {
        let shape = x.meta.shape();
        let (channels, plane) = (shape[1], shape[2] * shape[3]);
        let lanes = if plane % 4 == 0 { 4 } else { 1 };
        let (plane, group_channels) = (plane / lanes, channels / groups);
        Self {
            count: word(shape[0] * groups),
            lanes,
            plane: word(plane),
            length: word(group_channels * plane),
            vectors: word(shape.num_elements() / lanes),
            channels: word(channels),
            group_channels: word(group_channels),
        }
    }

    fn variant(&self, norm: GroupNorm) -> Variant {
        Variant { silu: norm.activate, lanes: self.lanes }
    }

    /// Shape of two floats per group.
    fn pairs(&self) -> Shape {
        Shape::from([self.count as usize, 2])
    }

    /// Mean and inverse standard deviation of each group.
    fn statistics(&self, x: &CubeTensor, epsilon: f32) -> CubeTensor {
        let statistics = empty(x, self.pairs());
        let uniform = GroupStatisticsUniform { groups: self.count, length: self.length, epsilon };
        launch(GroupStatistics { lanes: self.lanes }, &[x], &statistics, &uniform);
        statistics
    }
}
