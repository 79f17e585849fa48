//! The operations on wgpu: the kernels of `shaders/`, launched through CubeCL.

mod choice;
mod convolution;

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
use super::convolution::Sampling;
use super::{Kernels, fft, field_shape};

/// Threads of a workgroup.
const WORKGROUP: u32 = 64;
/// Workgroups an axis of the grid may hold.
const MAX_GROUPS: u32 = 65_535;

impl Kernels for CubeBackend {
    fn fft_lines(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        axis: usize,
        inverse: bool,
        real_output: bool,
    ) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        let table = into_contiguous(table);
        let lines = Lines { axis, inverse, scale: 1.0 };
        let length = x.meta.shape()[axis];
        let scale = if inverse { 1.0 / length as f32 } else { 1.0 };
        match fft::radices(length) {
            Some(radices) => stockham(x, &table, &radices, real_output, Lines { scale, ..lines }),
            None => bluestein(x, &table, real_output, Lines { scale, ..lines }),
        }
    }

    fn transfer_product(x: FloatTensor<Self>, transfer: FloatTensor<Self>) -> FloatTensor<Self> {
        let transfer = into_contiguous(transfer);
        let plane = transfer.meta.shape()[0] * transfer.meta.shape()[1];
        let shape = x.meta.shape().clone();
        let product = LineProduct { length_in: plane, length_out: plane, inner: 1, offset: 0, scale: 1.0 };
        product.launch(into_contiguous(x), &transfer, shape, false)
    }

    fn spectral_derivative(x: FloatTensor<Self>, divergence: bool) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        let shape = x.meta.shape().clone();
        let threads = shape.num_elements() / 2;
        let output = empty(&x, shape.clone());
        let parameters = [Value::from(threads), shape[2].into(), shape[3].into()];
        Shader::SpectralDerivative { divergence }.launch(&[&x], &output, threads, &parameters);
        output
    }

    fn gradient_penalty(x: FloatTensor<Self>, alpha: f32, rate: f32, scale: f32) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        let threads = x.meta.shape().num_elements() / 2;
        let output = empty(&x, x.meta.shape().clone());
        let parameters = [threads.into(), alpha.into(), rate.into(), scale.into()];
        Shader::GradientFrequency.launch(&[&x], &output, threads, &parameters);
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

    fn group_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        groups: usize,
        epsilon: f32,
        activate: bool,
    ) -> FloatTensor<Self> {
        let [x, scale, shift] = [x, scale, shift].map(into_contiguous);
        let shape = x.meta.shape().clone();
        let (channels, plane) = (shape[1], shape[2] * shape[3]);
        let all_groups = shape[0] * groups;
        let lanes = if plane % 4 == 0 { 4 } else { 1 };
        let plane = plane / lanes;
        let statistics = empty(&x, Shape::from([all_groups, 2]));
        let parameters = [all_groups.into(), Value::from(channels / groups * plane), epsilon.into()];
        Shader::GroupStatistics { lanes }.launch(&[&x], &statistics, all_groups * WORKGROUP as usize, &parameters);

        let output = empty(&x, shape.clone());
        let threads = shape.num_elements() / lanes;
        let parameters = [threads.into(), plane.into(), channels.into(), Value::from(channels / groups)];
        Shader::GroupNormalize { silu: activate, lanes }.launch(
            &[&x, &statistics, &scale, &shift],
            &output,
            threads,
            &parameters,
        );
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

/// How the lines of a field are transformed.
#[derive(Clone, Copy)]
struct Lines {
    axis: usize,
    inverse: bool,
    /// Factor on the result.
    scale: f32,
}

impl Lines {
    /// Distance of neighbours on a line, in complex numbers.
    fn inner(&self, shape: &Shape) -> usize {
        if self.axis == 2 { shape[3] } else { 1 }
    }
}

fn stockham(x: CubeTensor, table: &CubeTensor, radices: &[usize], real_output: bool, lines: Lines) -> CubeTensor {
    let shape = x.meta.shape().clone();
    let length = shape[lines.axis];
    let elements = shape[0] * shape[1] * shape[2] * shape[3];
    // A line of one element still needs a pass to change between real and complex.
    let radices = if radices.is_empty() { &[1] } else { radices };
    let mut span = 1;
    let mut field = x;
    for (pass, &radix) in radices.iter().enumerate() {
        let last = pass + 1 == radices.len();
        let real_output = last && real_output;
        let shader = Shader::FftRadix { radix, inverse: lines.inverse, real_input: is_real(&field), real_output };
        let output = empty(&field, field_shape(&shape, &real_output));
        let threads = elements / radix;
        let scale = if last { lines.scale } else { 1.0 };
        let parameters = [threads.into(), length.into(), lines.inner(&shape).into(), Value::from(span), scale.into()];
        shader.launch(&[&field, table], &output, threads, &parameters);
        span *= radix;
        field = output;
    }
    field
}

/// Transform of any length `n` as a circular convolution with a chirp (L. Bluestein, 1970); layout of `table` in
/// [`fft::table`].
fn bluestein(x: CubeTensor, table: &CubeTensor, real_output: bool, lines: Lines) -> CubeTensor {
    let shape = x.meta.shape().clone();
    let n = shape[lines.axis];
    let m = fft::chirp_length(n);
    let mut padded = field_shape(&shape, &false);
    padded[lines.axis] = m;
    let inner = lines.inner(&shape);
    let radices = fft::radices(m).unwrap_or_default();
    let convolution = |inverse| Lines { inverse, scale: 1.0, ..lines };

    let chirp = LineProduct { length_in: n, length_out: m, inner, offset: m, scale: 1.0 };
    let field = chirp.launch_conjugate(x, table, padded.clone(), false, lines.inverse);
    let field = stockham(field, table, &radices, false, convolution(false));
    let spectrum = LineProduct { length_in: m, length_out: m, inner, offset: m + n, scale: 1.0 };
    let field = spectrum.launch_conjugate(field, table, padded, false, lines.inverse);
    let field = stockham(field, table, &radices, false, convolution(true));
    let chirp = LineProduct { length_in: m, length_out: n, inner, offset: m, scale: lines.scale };
    let output = field_shape(&shape, &real_output);
    chirp.launch_conjugate(field, table, output, real_output, lines.inverse)
}

/// Parameters of `line_product.wgsl`.
struct LineProduct {
    length_in: usize,
    length_out: usize,
    inner: usize,
    offset: usize,
    scale: f32,
}

impl LineProduct {
    fn launch(&self, x: CubeTensor, table: &CubeTensor, shape: Shape, real_output: bool) -> CubeTensor {
        self.launch_conjugate(x, table, shape, real_output, false)
    }

    fn launch_conjugate(
        &self,
        x: CubeTensor,
        table: &CubeTensor,
        shape: Shape,
        real_output: bool,
        conjugate: bool,
    ) -> CubeTensor {
        let output = empty(&x, shape.clone());
        let threads = shape.num_elements() / if real_output { 1 } else { 2 };
        let shader = Shader::LineProduct { conjugate, real_input: is_real(&x), real_output };
        let parameters = [
            threads.into(),
            self.length_in.into(),
            self.length_out.into(),
            self.inner.into(),
            Value::from(self.offset),
            self.scale.into(),
        ];
        shader.launch(&[&x, table], &output, threads, &parameters);
        output
    }
}

fn is_real(x: &CubeTensor) -> bool {
    x.meta.shape().num_dims() == 4
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
    FftRadix { radix: usize, inverse: bool, real_input: bool, real_output: bool },
    /// `line_product.wgsl`
    LineProduct { conjugate: bool, real_input: bool, real_output: bool },
    /// `spectral_derivative.wgsl`
    SpectralDerivative { divergence: bool },
    /// `gradient_spatial.wgsl`
    GradientSpatial,
    /// `gradient_frequency.wgsl`
    GradientFrequency,
    /// `group_statistics.wgsl`
    GroupStatistics { lanes: usize },
    /// `group_normalize.wgsl`
    GroupNormalize { silu: bool, lanes: usize },
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
    /// Every variant that can be launched.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::GradientSpatial, Self::GradientFrequency, Self::WidenHalf];
        all.extend([1, 4].map(|lanes| Self::GroupStatistics { lanes }));
        all.extend([Self::GatherTaps, Self::GatherTiles, Self::WeighTaps, Self::WeighTiles]);
        all.extend([8, 16].map(|side| Self::Multiply { rows: side, columns: side }));
        for a in [false, true] {
            all.push(Self::ScatterPixels { residual: a });
            all.push(Self::ScatterTiles { residual: a });
            all.push(Self::SpectralDerivative { divergence: a });
            all.extend([1, 4].map(|lanes| Self::GroupNormalize { silu: a, lanes }));
            for (real_input, real_output) in [(false, false), (false, true), (true, false), (true, true)] {
                all.push(Self::LineProduct { conjugate: a, real_input, real_output });
                for radix in [1, 2, 3, 4, 5, 7, 8, 11, 13] {
                    all.push(Self::FftRadix { radix, inverse: a, real_input, real_output });
                }
            }
        }
        all
    }

    /// The complete WGSL text.
    pub fn wgsl(&self) -> String {
        let (constants, parts): (String, &[&str]) = match *self {
            Self::FftRadix { radix, inverse, real_input, real_output } => (
                format!(
                    "const RADIX: u32 = {radix}u;\nconst INVERSE: bool = {inverse};\n{}",
                    access(real_input, real_output)
                ),
                &[text::COMPLEX, text::butterfly(radix), text::FFT_RADIX, text::ELEMENTWISE],
            ),
            Self::LineProduct { conjugate, real_input, real_output } => (
                format!("const CONJUGATE: bool = {conjugate};\n{}", access(real_input, real_output)),
                &[text::COMPLEX, text::LINE_PRODUCT, text::ELEMENTWISE],
            ),
            Self::SpectralDerivative { divergence } => (
                format!("const DIVERGENCE: bool = {divergence};\n"),
                &[text::COMPLEX, text::SPECTRAL_DERIVATIVE, text::ELEMENTWISE],
            ),
            Self::GradientSpatial => (String::new(), &[text::PENALTY, text::GRADIENT_SPATIAL, text::ELEMENTWISE]),
            Self::GradientFrequency => (String::new(), &[text::PENALTY, text::GRADIENT_FREQUENCY, text::ELEMENTWISE]),
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
            Self::GroupStatistics { lanes } => (numbers(lanes), &[text::GROUP_STATISTICS]),
            Self::GroupNormalize { silu, lanes } => {
                let constants = format!("const SILU: bool = {silu};\n{}", numbers(lanes));
                (constants, &[text::GROUP_NORMALIZE, text::ELEMENTWISE])
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

/// How source and destination elements become complex numbers.
fn access(real_input: bool, real_output: bool) -> String {
    let source = match real_input {
        true => "alias Source = f32;\nfn load(v: Source) -> vec2<f32> { return vec2(v, 0.0); }\n",
        false => "alias Source = vec2<f32>;\nfn load(v: Source) -> vec2<f32> { return v; }\n",
    };
    let destination = match real_output {
        true => "alias Destination = f32;\nfn store(v: vec2<f32>) -> Destination { return v.x; }\n",
        false => "alias Destination = vec2<f32>;\nfn store(v: vec2<f32>) -> Destination { return v; }\n",
    };
    format!("{source}{destination}")
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
    pub const COMPLEX: &str = include_str!("../../../shaders/common/complex.wgsl");
    pub const ELEMENTWISE: &str = include_str!("../../../shaders/common/elementwise.wgsl");
    pub const FFT_RADIX: &str = include_str!("../../../shaders/fft_radix.wgsl");
    pub const GRADIENT_FREQUENCY: &str = include_str!("../../../shaders/gradient_frequency.wgsl");
    pub const GRADIENT_SPATIAL: &str = include_str!("../../../shaders/gradient_spatial.wgsl");
    pub const GROUP_NORMALIZE: &str = include_str!("../../../shaders/group_normalize.wgsl");
    pub const GROUP_STATISTICS: &str = include_str!("../../../shaders/group_statistics.wgsl");
    pub const LINE_PRODUCT: &str = include_str!("../../../shaders/line_product.wgsl");
    pub const PENALTY: &str = include_str!("../../../shaders/common/penalty.wgsl");
    pub const WINOGRAD: &str = include_str!("../../../shaders/common/winograd.wgsl");
    pub const SPECTRAL_DERIVATIVE: &str = include_str!("../../../shaders/spectral_derivative.wgsl");
    pub const GATHER_TAPS: &str = include_str!("../../../shaders/gather_taps.wgsl");
    pub const GATHER_TILES: &str = include_str!("../../../shaders/gather_tiles.wgsl");
    pub const MULTIPLY: &str = include_str!("../../../shaders/multiply.wgsl");
    pub const SCATTER_PIXELS: &str = include_str!("../../../shaders/scatter_pixels.wgsl");
    pub const SCATTER_TILES: &str = include_str!("../../../shaders/scatter_tiles.wgsl");
    pub const WEIGH_TAPS: &str = include_str!("../../../shaders/weigh_taps.wgsl");
    pub const WEIGH_TILES: &str = include_str!("../../../shaders/weigh_tiles.wgsl");
    pub const WIDEN_HALF: &str = include_str!("../../../shaders/widen_half.wgsl");

    /// The transform of `radix` numbers.
    pub fn butterfly(radix: usize) -> &'static str {
        match radix {
            2 => include_str!("../../../shaders/butterfly/2.wgsl"),
            4 => include_str!("../../../shaders/butterfly/4.wgsl"),
            8 => include_str!("../../../shaders/butterfly/8.wgsl"),
            _ => include_str!("../../../shaders/butterfly/any.wgsl"),
        }
    }
}
