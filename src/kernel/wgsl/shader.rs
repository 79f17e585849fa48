//! The kernels of `shaders/`: their texts, put together, and their launch through CubeCL.

use burn::backend::wgpu::{CubeTensor, KernelSource, SourceKernel, SourceTemplate};
use burn::cubecl::{
    CubeCount, CubeDim,
    prelude::KernelId,
    server::{KernelArguments, MetadataBindingInfo},
};

use super::fft::Access;

/// Threads of a workgroup.
pub(super) const WORKGROUP: u32 = 64;
/// Workgroups an axis of the grid may hold.
const MAX_GROUPS: u32 = 65_535;

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

    /// Runs it over so many threads; `output` is bound behind the inputs.
    pub(super) fn launch(self, inputs: &[&CubeTensor], output: &CubeTensor, threads: usize, parameters: &[Value]) {
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
pub(super) struct Value(u32);

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
