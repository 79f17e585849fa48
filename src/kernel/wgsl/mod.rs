//! The operations on wgpu: the kernels of `shaders/`, launched through CubeCL.

mod attention;
mod choice;
mod convolution;
mod fft;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::wgpu::{CubeBackend, CubeTensor, KernelSource, SourceKernel, SourceTemplate, into_contiguous};
use burn::cubecl::{
    CubeCount, CubeDim,
    prelude::KernelId,
    server::{KernelArguments, MetadataBindingInfo},
};
use burn::tensor::{DType, Shape};

use self::choice::Method;
use self::fft::Access;
use super::convolution::Sampling;
use super::{Kernels, NetworkKernels};

/// Threads of a workgroup.
const WORKGROUP: u32 = 64;
/// Workgroups an axis of the grid may hold.
const MAX_GROUPS: u32 = 65_535;

impl Kernels for CubeBackend {
    fn fft2(x: FloatTensor<Self>, rows: FloatTensor<Self>, columns: FloatTensor<Self>) -> FloatTensor<Self> {
        let [x, rows, columns] = [x, rows, columns].map(into_contiguous);
        fft::forward(&x, &rows, &columns)
    }

    fn inverse_fft2(
        x: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        columns: FloatTensor<Self>,
        width: usize,
    ) -> FloatTensor<Self> {
        let [x, rows, columns] = [x, rows, columns].map(into_contiguous);
        fft::inverse(&x, &rows, &columns, width)
    }

    fn filter(
        x: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        columns: FloatTensor<Self>,
        transfer: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let [x, rows, columns, transfer] = [x, rows, columns, transfer].map(into_contiguous);
        fft::filter(&x, &rows, &columns, &transfer)
    }

    fn filter_lines(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        transfer: FloatTensor<Self>,
        axis: usize,
    ) -> FloatTensor<Self> {
        let [x, table, transfer] = [x, table, transfer].map(into_contiguous);
        fft::filter_lines(&x, &table, &transfer, axis)
    }

    fn joint_weight(
        du: FloatTensor<Self>,
        dv: FloatTensor<Self>,
        scale: f32,
        alpha: f32,
        rate: f32,
    ) -> FloatTensor<Self> {
        let [du, dv] = [du, dv].map(into_contiguous);
        let threads = du.meta.shape().num_elements();
        let output = empty(&du, du.meta.shape().clone());
        let parameters = [threads.into(), alpha.into(), rate.into(), scale.into()];
        Shader::GradientFrequency.launch(&[&du, &dv], &output, threads, &parameters);
        output
    }

    fn gradient_spatial(x: FloatTensor<Self>, lam: f32, alpha: f32, rate: f32) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        let shape = x.meta.shape().clone();
        let threads = shape.num_elements();
        let output = empty(&x, shape.clone());
        let parameters = [threads.into(), shape[2].into(), shape[3].into(), lam.into(), alpha.into(), rate.into()];
        Shader::GradientSpatial.launch(&[&x], &output, threads, &parameters);
        output
    }

    fn group_norm_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        groups: usize,
        epsilon: f32,
        activate: bool,
    ) -> FloatTensor<Self> {
        let [x, gradient, scale, shift] = [x, gradient, scale, shift].map(into_contiguous);
        let groups = Groups::new(&x, groups);
        let statistics = groups.statistics(&x, epsilon);
        let inputs = [&x, &gradient, &statistics, &scale, &shift];
        let projections = empty(&x, Shape::from([groups.count, 2]));
        let shader = Shader::GroupProjections { silu: activate, lanes: groups.lanes };
        let parameters = [groups.count, groups.length, groups.plane, groups.channels].map(Value::from);
        shader.launch(&inputs, &projections, groups.count * WORKGROUP as usize, &parameters);
        let output = empty(&x, x.meta.shape().clone());
        let shader = Shader::GroupGradient { silu: activate, lanes: groups.lanes };
        let inputs = [&x, &gradient, &statistics, &scale, &shift, &projections];
        shader.launch(&inputs, &output, groups.numbers, &groups.parameters());
        output
    }

    fn widen_half(words: IntTensor<Self>) -> FloatTensor<Self> {
        let words = into_contiguous(words);
        let count = words.meta.shape()[0];
        let buffer = words.client.empty(2 * count * size_of::<f32>());
        let (client, device) = (words.client.clone(), words.device.clone());
        let output = CubeTensor::new_contiguous(client, device, Shape::from([2 * count]), buffer, DType::F32);
        Shader::WidenHalf.launch(&[&words], &output, count, &[count.into()]);
        output
    }
}

impl NetworkKernels for CubeBackend {
    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        groups: usize,
        epsilon: f32,
        activate: bool,
    ) -> FloatTensor<Self> {
        let [x, scale, shift] = [x, scale, shift].map(into_contiguous);
        let groups = Groups::new(&x, groups);
        let statistics = groups.statistics(&x, epsilon);
        let output = empty(&x, x.meta.shape().clone());
        let shader = Shader::GroupNormalize { silu: activate, lanes: groups.lanes };
        shader.launch(&[&x, &statistics, &scale, &shift], &output, groups.numbers, &groups.parameters());
        output
    }

    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self> {
        Method::of(&x).convolve(x, weight, bias, None, sampling)
    }

    fn convolve_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        sampling: Sampling,
    ) -> FloatTensor<Self> {
        Method::of(&x).convolve(x, weight, bias, Some(residual), sampling)
    }

    fn concatenate(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_cat(vec![a, b], 1)
    }

    fn attend(query: FloatTensor<Self>, key: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        attention::attend(query, key, value)
    }
}

/// The groups of channels of feature maps `[b, c, h, w]`, whose floats kernels take one or four at a time.
struct Groups {
    /// Of all pictures.
    count: usize,
    /// Floats of a number.
    lanes: usize,
    /// Numbers of a plane, of a group, and of all maps.
    plane: usize,
    length: usize,
    numbers: usize,
    /// Channels of a picture, and of a group.
    channels: usize,
    group_channels: usize,
}

impl Groups {
    fn new(x: &CubeTensor, groups: usize) -> Self {
        let shape = x.meta.shape();
        let (channels, plane) = (shape[1], shape[2] * shape[3]);
        let lanes = if plane % 4 == 0 { 4 } else { 1 };
        let (plane, group_channels) = (plane / lanes, channels / groups);
        Self {
            count: shape[0] * groups,
            lanes,
            plane,
            length: group_channels * plane,
            numbers: shape.num_elements() / lanes,
            channels,
            group_channels,
        }
    }

    /// Mean and inverse deviation of each.
    fn statistics(&self, x: &CubeTensor, epsilon: f32) -> CubeTensor {
        let statistics = empty(x, Shape::from([self.count, 2]));
        let parameters = [self.count.into(), Value::from(self.length), epsilon.into()];
        let threads = self.count * WORKGROUP as usize;
        Shader::GroupStatistics { lanes: self.lanes }.launch(&[x], &statistics, threads, &parameters);
        statistics
    }

    /// Parameters of `group_normalize.wgsl` and `group_gradient.wgsl`.
    fn parameters(&self) -> [Value; 4] {
        [self.numbers, self.plane, self.channels, self.group_channels].map(Value::from)
    }
}

fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    let buffer = like.client.empty(shape.num_elements() * size_of::<f32>());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
}

/// A kernel of `shaders/` with the constants set in front of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are the constants that the shader's contract names")]
pub enum Shader {
    /// `fft_radix.wgsl`
    FftRadix { radix: usize, inverse: bool, from: Access, to: Access },
    /// `line_product.wgsl`
    LineProduct { conjugate: bool, from: Access, to: Access },
    /// `split_pairs.wgsl`
    SplitPairs,
    /// `join_pairs.wgsl`
    JoinPairs,
    /// `gradient_spatial.wgsl`
    GradientSpatial,
    /// `gradient_frequency.wgsl`
    GradientFrequency,
    /// `group_statistics.wgsl`
    GroupStatistics { lanes: usize },
    /// `group_normalize.wgsl`
    GroupNormalize { silu: bool, lanes: usize },
    /// `group_projections.wgsl`
    GroupProjections { silu: bool, lanes: usize },
    /// `group_gradient.wgsl`
    GroupGradient { silu: bool, lanes: usize },
    /// `softmax_columns.wgsl`
    SoftmaxColumns,
    /// `widen_half.wgsl`
    WidenHalf,
    /// `gather_taps.wgsl`
    GatherTaps,
    /// `gather_tiles.wgsl`
    GatherTiles,
    /// `weigh_taps.wgsl`
    WeighTaps,
    /// `weigh_tiles.wgsl`
    WeighTiles,
    /// `multiply.wgsl`
    Multiply { rows: usize, columns: usize },
    /// `scatter_pixels.wgsl`
    ScatterPixels { residual: bool },
    /// `scatter_tiles.wgsl`
    ScatterTiles { residual: bool },
}

impl Shader {
    /// Every variant.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::SplitPairs, Self::JoinPairs, Self::GradientSpatial, Self::GradientFrequency];
        all.extend([Self::SoftmaxColumns, Self::WidenHalf]);
        all.extend([1, 4].map(|lanes| Self::GroupStatistics { lanes }));
        all.extend([Self::GatherTaps, Self::GatherTiles, Self::WeighTaps, Self::WeighTiles]);
        all.extend([8, 16].map(|side| Self::Multiply { rows: side, columns: side }));
        for a in [false, true] {
            all.push(Self::ScatterPixels { residual: a });
            all.push(Self::ScatterTiles { residual: a });
            for lanes in [1, 4] {
                all.push(Self::GroupNormalize { silu: a, lanes });
                all.push(Self::GroupProjections { silu: a, lanes });
                all.push(Self::GroupGradient { silu: a, lanes });
            }
            for from in Access::ALL {
                for to in Access::ALL {
                    all.push(Self::LineProduct { conjugate: a, from, to });
                    let radices = [1, 2, 3, 4, 5, 7, 8, 11, 13, 16];
                    all.extend(radices.map(|radix| Self::FftRadix { radix, inverse: a, from, to }));
                }
            }
        }
        all
    }

    /// The complete WGSL text.
    pub fn wgsl(&self) -> String {
        let (constants, parts): (String, &[&str]) = match *self {
            Self::FftRadix { radix, inverse, from, to } => (
                format!(
                    "const RADIX: u32 = {radix}u;\nconst INVERSE: bool = {inverse};\n{}{}",
                    from.load(),
                    to.store()
                ),
                &[text::ADDRESS, text::COMPLEX, text::butterfly(radix), text::FFT_RADIX, text::ELEMENTWISE],
            ),
            Self::LineProduct { conjugate, from, to } => (
                format!("const CONJUGATE: bool = {conjugate};\n{}{}", from.load(), to.store()),
                &[text::ADDRESS, text::COMPLEX, text::LINE_PRODUCT, text::ELEMENTWISE],
            ),
            Self::SplitPairs => (String::new(), &[text::COMPLEX, text::SPLIT_PAIRS, text::ELEMENTWISE]),
            Self::JoinPairs => (String::new(), &[text::JOIN_PAIRS, text::ELEMENTWISE]),
            Self::GradientSpatial => (String::new(), &[text::PENALTY, text::GRADIENT_SPATIAL, text::ELEMENTWISE]),
            Self::GradientFrequency => (String::new(), &[text::PENALTY, text::GRADIENT_FREQUENCY, text::ELEMENTWISE]),
            Self::SoftmaxColumns => (String::new(), &[text::SOFTMAX_COLUMNS, text::ELEMENTWISE]),
            Self::WidenHalf => (String::new(), &[text::WIDEN_HALF, text::ELEMENTWISE]),
            Self::GatherTaps => (String::new(), &[text::GATHER_TAPS, text::ELEMENTWISE]),
            Self::GatherTiles => (String::new(), &[text::WINOGRAD, text::GATHER_TILES, text::ELEMENTWISE]),
            Self::WeighTaps => (String::new(), &[text::WEIGH_TAPS, text::ELEMENTWISE]),
            Self::WeighTiles => (String::new(), &[text::WINOGRAD, text::WEIGH_TILES, text::ELEMENTWISE]),
            Self::Multiply { rows, columns } => {
                let constants = format!("const ROWS: u32 = {rows}u;\nconst COLUMNS: u32 = {columns}u;\n");
                (constants + &unrolled(text::MULTIPLY, rows, columns), &[text::ELEMENTWISE])
            }
            Self::ScatterPixels { residual } => (scattered(residual), &[text::SCATTER_PIXELS, text::ELEMENTWISE]),
            Self::ScatterTiles { residual } => {
                (scattered(residual), &[text::WINOGRAD, text::SCATTER_TILES, text::ELEMENTWISE])
            }
            Self::GroupStatistics { lanes } => (numbers(lanes), &[text::TOTAL, text::GROUP_STATISTICS]),
            Self::GroupNormalize { silu, lanes } => {
                (activation(silu) + &numbers(lanes), &[text::GROUP_NORMALIZE, text::ELEMENTWISE])
            }
            Self::GroupProjections { silu, lanes } => {
                (activation(silu) + &numbers(lanes), &[text::TOTAL, text::SLOPE, text::GROUP_PROJECTIONS])
            }
            Self::GroupGradient { silu, lanes } => {
                (activation(silu) + &numbers(lanes), &[text::SLOPE, text::GROUP_GRADIENT, text::ELEMENTWISE])
            }
        };
        format!("const WORKGROUP: u32 = {WORKGROUP}u;\n{constants}{}", parts.concat())
    }

    fn launch(self, inputs: &[&CubeTensor], output: &CubeTensor, threads: usize, parameters: &[Value]) {
        let groups = u32::try_from(threads).unwrap_or(u32::MAX).div_ceil(WORKGROUP);
        let wide = groups.clamp(1, MAX_GROUPS);
        let count = CubeCount::Static(wide, groups.div_ceil(wide).max(1), 1);
        let buffers = inputs.iter().copied().chain([output]).map(|t| t.handle.clone().binding()).collect();
        let arguments = KernelArguments::new().with_buffers(buffers).with_info(uniform(parameters));
        output.client.launch(Box::new(SourceKernel::new(self, CubeDim::new_1d(WORKGROUP))), count, arguments);
    }
}

impl KernelSource for Shader {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.wgsl())
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(*self)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Whether SiLU follows a normalisation.
fn activation(silu: bool) -> String {
    format!("const SILU: bool = {silu};\n")
}

/// Floats that a kernel takes one or four at a time.
fn numbers(lanes: usize) -> String {
    let (name, sum) = if lanes == 1 { ("f32", "v") } else { ("vec4<f32>", "dot(v, vec4(1.0))") };
    format!("const LANES: u32 = {lanes}u;\nalias Number = {name};\nfn added(v: Number) -> f32 {{ return {sum}; }}\n")
}

/// The bindings of the kernels that put pixels together.
fn scattered(residual: bool) -> String {
    let mut names = vec!["products", "bias"];
    names.extend(residual.then_some("residual"));
    names.push("convolved");
    let storage = |(i, name)| format!("@group(0) @binding({i}) var<storage, read_write> {name}: array<f32>;\n");
    let buffers: String = names.iter().enumerate().map(storage).collect();
    let value = if residual { "residual[at]" } else { "0.0" };
    let parameters = names.len();
    format!(
        "{buffers}@group(0) @binding({parameters}) var<uniform> parameters: Parameters;\n\
         fn residual_at(at: u32) -> f32 {{ return {value}; }}\n"
    )
}

/// Repeats lines as `multiply.wgsl` says.
fn unrolled(text: &str, rows: usize, columns: usize) -> String {
    let element = |i: usize| format!("{}.{}", i / 4, ["x", "y", "z", "w"][i % 4]);
    let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with("//")).map(str::to_owned).collect();
    for (number, count) in [("$r", rows), ("$c", columns), ("$q", rows / 4), ("$d", columns / 4)] {
        let repeated = |line: String| {
            let count = if line.contains(number) { count } else { 1 };
            let one = move |i: usize| line.replace(&format!("{number}.v"), &element(i)).replace(number, &i.to_string());
            (0..count).map(one).collect::<Vec<_>>()
        };
        lines = lines.into_iter().flat_map(repeated).collect();
    }
    lines.join("\n") + "\n"
}

/// One 32-bit word of a uniform.
struct Value(u32);

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self(u32::try_from(value).expect("picture sizes are checked before a launch"))
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self(value.to_bits())
    }
}

/// Packs the parameters, filled up to the 16 bytes that uniforms are aligned to.
fn uniform(parameters: &[Value]) -> MetadataBindingInfo {
    let mut words: Vec<u32> = parameters.iter().map(|value| value.0).collect();
    words.resize(words.len().next_multiple_of(4), 0);
    MetadataBindingInfo::custom(words.chunks_exact(2).map(|w| u64::from(w[0]) | u64::from(w[1]) << 32).collect())
}

/// The files of `shaders/`.
mod text {
    pub const ADDRESS: &str = include_str!("../../../shaders/common/address.wgsl");
    pub const COMPLEX: &str = include_str!("../../../shaders/common/complex.wgsl");
    pub const ELEMENTWISE: &str = include_str!("../../../shaders/common/elementwise.wgsl");
    pub const FFT_RADIX: &str = include_str!("../../../shaders/fft_radix.wgsl");
    pub const GRADIENT_FREQUENCY: &str = include_str!("../../../shaders/gradient_frequency.wgsl");
    pub const GRADIENT_SPATIAL: &str = include_str!("../../../shaders/gradient_spatial.wgsl");
    pub const GROUP_GRADIENT: &str = include_str!("../../../shaders/group_gradient.wgsl");
    pub const GROUP_NORMALIZE: &str = include_str!("../../../shaders/group_normalize.wgsl");
    pub const GROUP_PROJECTIONS: &str = include_str!("../../../shaders/group_projections.wgsl");
    pub const GROUP_STATISTICS: &str = include_str!("../../../shaders/group_statistics.wgsl");
    pub const JOIN_PAIRS: &str = include_str!("../../../shaders/join_pairs.wgsl");
    pub const LINE_PRODUCT: &str = include_str!("../../../shaders/line_product.wgsl");
    pub const PENALTY: &str = include_str!("../../../shaders/common/penalty.wgsl");
    pub const WINOGRAD: &str = include_str!("../../../shaders/common/winograd.wgsl");
    pub const GATHER_TAPS: &str = include_str!("../../../shaders/gather_taps.wgsl");
    pub const GATHER_TILES: &str = include_str!("../../../shaders/gather_tiles.wgsl");
    pub const MULTIPLY: &str = include_str!("../../../shaders/multiply.wgsl");
    pub const SCATTER_PIXELS: &str = include_str!("../../../shaders/scatter_pixels.wgsl");
    pub const SCATTER_TILES: &str = include_str!("../../../shaders/scatter_tiles.wgsl");
    pub const SLOPE: &str = include_str!("../../../shaders/common/slope.wgsl");
    pub const SOFTMAX_COLUMNS: &str = include_str!("../../../shaders/softmax_columns.wgsl");
    pub const SPLIT_PAIRS: &str = include_str!("../../../shaders/split_pairs.wgsl");
    pub const TOTAL: &str = include_str!("../../../shaders/common/total.wgsl");
    pub const WEIGH_TAPS: &str = include_str!("../../../shaders/weigh_taps.wgsl");
    pub const WEIGH_TILES: &str = include_str!("../../../shaders/weigh_tiles.wgsl");
    pub const WIDEN_HALF: &str = include_str!("../../../shaders/widen_half.wgsl");

    /// The transform of `radix` numbers.
    pub fn butterfly(radix: usize) -> &'static str {
        match radix {
            2 => include_str!("../../../shaders/butterfly/2.wgsl"),
            4 => include_str!("../../../shaders/butterfly/4.wgsl"),
            8 => include_str!("../../../shaders/butterfly/8.wgsl"),
            16 => include_str!("../../../shaders/butterfly/16.wgsl"),
            _ => include_str!("../../../shaders/butterfly/any.wgsl"),
        }
    }
}
