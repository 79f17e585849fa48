//! Fourier transforms on wgpu: Stockham passes over complex lines, each packed from two real lines.

use burn::backend::wgpu::CubeTensor;
use burn::tensor::Shape;

use super::assembly::{Constant, part};
use super::launch::{empty, launch, word};
use super::shader::{Entry, entries, shader};
use crate::kernel::fft::{chirp_length, half, image_shape, radices, spectrum_shape};

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    [entries::<FftRadix>(), entries::<LineProduct>(), entries::<SplitPairs>(), entries::<JoinPairs>()].concat()
}

/// How the lines of a shader's source or destination are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Access {
    /// Complex numbers.
    Complex,
    /// Two real lines per complex line.
    RealPairs,
}

impl Access {
    const ALL: [Self; 2] = [Self::Complex, Self::RealPairs];

    /// Every source with every destination.
    fn combinations() -> impl Iterator<Item = (Self, Self)> {
        Self::ALL.into_iter().flat_map(|from| Self::ALL.map(|to| (from, to)))
    }

    /// The text that reads them.
    fn load(self) -> &'static str {
        match self {
            Self::Complex => include_str!("../../../shaders/access/load_complex.wgsl"),
            Self::RealPairs => include_str!("../../../shaders/access/load_real_pairs.wgsl"),
        }
    }

    /// The text that writes them.
    fn store(self) -> &'static str {
        match self {
            Self::Complex => include_str!("../../../shaders/access/store_complex.wgsl"),
            Self::RealPairs => include_str!("../../../shaders/access/store_real_pairs.wgsl"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FftRadix {
    radix: usize,
    inverse: bool,
    from: Access,
    to: Access,
}

shader! {
    impl FftRadix = "fft_radix" like kernel::fft::reference;
    FftRadixUniform {
        threads: u32,
        length: u32,
        inner: u32,
        span: u32,
        scale: f32,
        lines: u32,
        stride: u32,
    }

    fn variants() -> Vec<Self> {
        let mut all = Vec::new();
        for (from, to) in Access::combinations() {
            for inverse in [false, true] {
                let radices = [1, 2, 3, 4, 5, 7, 8, 11, 13, 16];
                all.extend(radices.map(|radix| Self { radix, inverse, from, to }));
            }
        }
        all
    }

    fn constants(self) -> Vec<Constant> {
        vec![Constant::Count("RADIX", self.radix), Constant::Flag("INVERSE", self.inverse)]
    }

    fn includes(self) -> Vec<&'static str> {
        let butterfly = part::butterfly(self.radix);
        vec![part::ADDRESS, part::COMPLEX, part::ELEMENTWISE, butterfly, self.from.load(), self.to.store()]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["source", "table", "destination"]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct LineProduct {
    conjugate: bool,
    from: Access,
    to: Access,
}

shader! {
    impl LineProduct = "line_product" like kernel::fft::filter_reference;
    LineProductUniform {
        threads: u32,
        length_in: u32,
        length_out: u32,
        inner: u32,
        offset: u32,
        scale: f32,
        lines: u32,
        stride: u32,
    }

    fn variants() -> Vec<Self> {
        let both = |(from, to)| [false, true].map(|conjugate| Self { conjugate, from, to });
        Access::combinations().flat_map(both).collect()
    }

    fn constants(self) -> Vec<Constant> {
        vec![Constant::Flag("CONJUGATE", self.conjugate)]
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::ADDRESS, part::COMPLEX, part::ELEMENTWISE, self.from.load(), self.to.store()]
    }

    fn buffers(self) -> &'static [&'static str] {
        &["source", "table", "destination"]
    }
}

shader! {
    SplitPairs = "split_pairs" like kernel::fft::reference;
    parts [part::COMPLEX, part::ELEMENTWISE];
    buffers ["source", "destination"];
    SplitPairsUniform { threads: u32, width: u32, half_: u32, lines: u32 }
}

shader! {
    JoinPairs = "join_pairs" like kernel::fft::inverse_reference;
    parts [part::ELEMENTWISE];
    buffers ["source", "destination"];
    JoinPairsUniform { threads: u32, width: u32, half_: u32, lines: u32 }
}

/// See [`crate::kernel::Fft2::forward`].
pub(super) fn forward(x: &CubeTensor, rows: &CubeTensor, columns: &CubeTensor) -> CubeTensor {
    let lines = Lines::pairs(x.meta.shape(), 3);
    let transform = Transform { table: rows, inverse: false, from: Access::RealPairs, to: Access::Complex };
    let joined = transform.apply(x, lines, lines.complex_shape());
    let spectra = empty(x, spectrum_shape(x.meta.shape()));
    let [threads, width, half_, lines] = lines.halves().map(word);
    launch(SplitPairs, &[&joined], &spectra, &SplitPairsUniform { threads, width, half_, lines });
    Transform::columns(columns, false).apply(&spectra, Lines::columns(&spectra), spectra.meta.shape().clone())
}

/// See [`crate::kernel::Fft2::inverse`].
pub(super) fn inverse(x: &CubeTensor, rows: &CubeTensor, columns: &CubeTensor, width: usize) -> CubeTensor {
    let spectra = Transform::columns(columns, true).apply(x, Lines::columns(x), x.meta.shape().clone());
    let image = image_shape(x.meta.shape(), &width);
    let pairs = Lines::pairs(&image, 3);
    let joined = empty(x, pairs.complex_shape());
    let [threads, width, half_, lines] = pairs.halves().map(word);
    launch(JoinPairs, &[&spectra], &joined, &JoinPairsUniform { threads, width, half_, lines });
    Transform { table: rows, inverse: true, from: Access::Complex, to: Access::RealPairs }.apply(&joined, pairs, image)
}

/// See [`crate::kernel::Fft2::filter`].
pub(super) fn filter(x: &CubeTensor, rows: &CubeTensor, columns: &CubeTensor, transfer: &CubeTensor) -> CubeTensor {
    let spectra = forward(x, rows, columns);
    let plane = transfer.meta.shape().num_elements() / 2;
    let lines = Lines { count: spectra.meta.shape().num_elements() / 2 / plane, length: plane, inner: 1, real: NONE };
    let product = Product { table: transfer, offset: 0, conjugate: false, scale: 1.0 };
    let spectra = product.apply(&spectra, lines, plane, [Access::Complex; 2], spectra.meta.shape().clone());
    inverse(&spectra, rows, columns, x.meta.shape()[3])
}

/// See [`crate::kernel::LineFilter`]. A filter with a real impulse response keeps the real and the imaginary part of a
/// complex line separate, so both real lines of a pair are filtered at once.
pub(super) fn filter_lines(x: &CubeTensor, table: &CubeTensor, transfer: &CubeTensor, axis: usize) -> CubeTensor {
    let lines = Lines::pairs(x.meta.shape(), axis);
    let transform = Transform { table, inverse: false, from: Access::RealPairs, to: Access::Complex };
    let spectra = transform.apply(x, lines, lines.complex_shape());
    let product = Product { table: transfer, offset: 0, conjugate: false, scale: 1.0 };
    let spectra = product.apply(&spectra, lines, lines.length, [Access::Complex; 2], lines.complex_shape());
    let back = Transform { table, inverse: true, from: Access::Complex, to: Access::RealPairs };
    back.apply(&spectra, lines, x.meta.shape().clone())
}

/// Complex lines that are transformed in one pass.
#[derive(Clone, Copy)]
struct Lines {
    count: usize,
    length: usize,
    /// Distance of adjacent elements of a line.
    inner: usize,
    real: RealLines,
}

/// The real lines of pairs.
#[derive(Clone, Copy)]
struct RealLines {
    count: usize,
    /// Distance of adjacent elements of a line.
    stride: usize,
}

/// For complex lines.
const NONE: RealLines = RealLines { count: 0, stride: 1 };

impl Lines {
    /// Pairs of the lines of images along `axis`.
    fn pairs(image: &Shape, axis: usize) -> Self {
        let length = image[axis];
        let real = image.num_elements() / length;
        let count = real.div_ceil(2);
        let (inner, stride) = if axis == 2 { (count, image[3]) } else { (1, 1) };
        Self { count, length, inner, real: RealLines { count: real, stride } }
    }

    /// The columns of spectra `[b, c, h, half, 2]`.
    fn columns(spectra: &CubeTensor) -> Self {
        let shape = spectra.meta.shape();
        let (length, inner) = (shape[2], shape[3]);
        Self { count: shape.num_elements() / 2 / length, length, inner, real: NONE }
    }

    /// Shape of a buffer of complex lines.
    fn complex_shape(&self) -> Shape {
        Shape::from([self.count, self.length, 2])
    }

    /// Uniform of `split_pairs.wgsl` and `join_pairs.wgsl`: threads, width, length of a half spectrum, number of real
    /// lines.
    fn halves(&self) -> [usize; 4] {
        let half = half(self.length);
        [self.count * half, self.length, half, self.real.count]
    }
}

/// A DFT of lines; layout of `table` in [`crate::kernel::fft::table`].
#[derive(Clone, Copy)]
struct Transform<'a> {
    table: &'a CubeTensor,
    inverse: bool,
    from: Access,
    to: Access,
}

impl<'a> Transform<'a> {
    fn columns(table: &'a CubeTensor, inverse: bool) -> Self {
        Self { table, inverse, from: Access::Complex, to: Access::Complex }
    }

    /// Transforms lines; the inverse is divided by their length.
    fn apply(&self, x: &CubeTensor, lines: Lines, output: Shape) -> CubeTensor {
        let scale = if self.inverse { 1.0 / lines.length as f32 } else { 1.0 };
        match radices(lines.length) {
            Some(radices) => self.stockham(x, lines, &radices, scale, output),
            None => self.bluestein(x, lines, scale, output),
        }
    }

    fn stockham(&self, x: &CubeTensor, lines: Lines, radices: &[usize], scale: f32, output: Shape) -> CubeTensor {
        // A line of one element still needs a pass to change between real and complex.
        let radices = if radices.is_empty() { &[1] } else { radices };
        let mut span = 1;
        let mut field = x.clone();
        for (pass, &radix) in radices.iter().enumerate() {
            let last = pass + 1 == radices.len();
            let from = if pass == 0 { self.from } else { Access::Complex };
            let to = if last { self.to } else { Access::Complex };
            let target = empty(x, if last { output.clone() } else { lines.complex_shape() });
            let uniform = FftRadixUniform {
                threads: word(lines.count * lines.length / radix),
                length: word(lines.length),
                inner: word(lines.inner),
                span: word(span),
                scale: if last { scale } else { 1.0 },
                lines: word(lines.real.count),
                stride: word(lines.real.stride),
            };
            launch(FftRadix { radix, inverse: self.inverse, from, to }, &[&field, self.table], &target, &uniform);
            span *= radix;
            field = target;
        }
        field
    }

    /// Transform of any length `n` as a circular convolution with a chirp (L. Bluestein, 1970).
    fn bluestein(&self, x: &CubeTensor, lines: Lines, scale: f32, output: Shape) -> CubeTensor {
        let (n, m) = (lines.length, chirp_length(lines.length));
        let padded = Lines { length: m, ..lines };
        let radices = radices(m).unwrap_or_default();
        let convolution = |inverse| Self::columns(self.table, inverse);
        let product = |offset, scale| Product { table: self.table, offset, conjugate: self.inverse, scale };

        let field = product(m, 1.0).apply(x, lines, m, [self.from, Access::Complex], padded.complex_shape());
        let field = convolution(false).stockham(&field, padded, &radices, 1.0, padded.complex_shape());
        let field = product(m + n, 1.0).apply(&field, padded, m, [Access::Complex; 2], padded.complex_shape());
        let field = convolution(true).stockham(&field, padded, &radices, 1.0, padded.complex_shape());
        product(m, scale).apply(&field, padded, n, [Access::Complex, self.to], output)
    }
}

/// A product of every line with the entries of a table from `offset` on.
struct Product<'a> {
    table: &'a CubeTensor,
    offset: usize,
    conjugate: bool,
    scale: f32,
}

impl Product<'_> {
    /// The product of lines cut, or padded with zeros, to `length`.
    fn apply(&self, x: &CubeTensor, lines: Lines, length: usize, [from, to]: [Access; 2], output: Shape) -> CubeTensor {
        let target = empty(x, output);
        let uniform = LineProductUniform {
            threads: word(lines.count * length),
            length_in: word(lines.length),
            length_out: word(length),
            inner: word(lines.inner),
            offset: word(self.offset),
            scale: self.scale,
            lines: word(lines.real.count),
            stride: word(lines.real.stride),
        };
        launch(LineProduct { conjugate: self.conjugate, from, to }, &[x, self.table], &target, &uniform);
        target
    }
}
