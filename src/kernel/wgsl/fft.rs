//! Fourier transforms on wgpu: Stockham passes over complex lines, each of them two real lines.

use burn::backend::wgpu::CubeTensor;
use burn::tensor::Shape;

use super::{Shader, Value, empty};
use crate::kernel::fft::{chirp_length, half, image_shape, radices, spectrum_shape};

/// What the lines of a kernel's source or destination are in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Complex numbers.
    Complex,
    /// Two real lines for each complex one.
    RealPairs,
}

impl Access {
    pub(super) const ALL: [Self; 2] = [Self::Complex, Self::RealPairs];

    /// The file of `shaders/access` that reads them.
    pub(super) fn load(self) -> &'static str {
        match self {
            Self::Complex => include_str!("../../../shaders/access/load_complex.wgsl"),
            Self::RealPairs => include_str!("../../../shaders/access/load_real_pairs.wgsl"),
        }
    }

    /// The file of `shaders/access` that writes them.
    pub(super) fn store(self) -> &'static str {
        match self {
            Self::Complex => include_str!("../../../shaders/access/store_complex.wgsl"),
            Self::RealPairs => include_str!("../../../shaders/access/store_real_pairs.wgsl"),
        }
    }
}

/// See [`crate::kernel::Fft2::forward`].
pub(super) fn forward(x: &CubeTensor, rows: &CubeTensor, columns: &CubeTensor) -> CubeTensor {
    let lines = Lines::pairs(x.meta.shape(), 3);
    let transform = Transform { table: rows, inverse: false, from: Access::RealPairs, to: Access::Complex };
    let joined = transform.apply(x, lines, lines.numbers());
    let spectra = empty(x, spectrum_shape(x.meta.shape()));
    Shader::SplitPairs.launch(&[&joined], &spectra, lines.count * half(lines.length), &lines.halves());
    Transform::columns(columns, false).apply(&spectra, Lines::columns(&spectra), spectra.meta.shape().clone())
}

/// See [`crate::kernel::Fft2::inverse`].
pub(super) fn inverse(x: &CubeTensor, rows: &CubeTensor, columns: &CubeTensor, width: usize) -> CubeTensor {
    let spectra = Transform::columns(columns, true).apply(x, Lines::columns(x), x.meta.shape().clone());
    let image = image_shape(x.meta.shape(), &width);
    let lines = Lines::pairs(&image, 3);
    let joined = empty(x, lines.numbers());
    Shader::JoinPairs.launch(&[&spectra], &joined, lines.count * half(width), &lines.halves());
    Transform { table: rows, inverse: true, from: Access::Complex, to: Access::RealPairs }.apply(&joined, lines, image)
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

/// See [`crate::kernel::LineFilter`]. What maps real lines to real lines maps the complex line of a pair to that of the results.
pub(super) fn filter_lines(x: &CubeTensor, table: &CubeTensor, transfer: &CubeTensor, axis: usize) -> CubeTensor {
    let lines = Lines::pairs(x.meta.shape(), axis);
    let transform = Transform { table, inverse: false, from: Access::RealPairs, to: Access::Complex };
    let spectra = transform.apply(x, lines, lines.numbers());
    let product = Product { table: transfer, offset: 0, conjugate: false, scale: 1.0 };
    let spectra = product.apply(&spectra, lines, lines.length, [Access::Complex; 2], lines.numbers());
    let back = Transform { table, inverse: true, from: Access::Complex, to: Access::RealPairs };
    back.apply(&spectra, lines, x.meta.shape().clone())
}

/// Complex lines that are transformed together.
#[derive(Clone, Copy)]
struct Lines {
    count: usize,
    length: usize,
    /// Distance of neighbours on a line.
    inner: usize,
    real: RealLines,
}

/// The real lines of pairs.
#[derive(Clone, Copy)]
struct RealLines {
    count: usize,
    /// Distance of neighbours on a line.
    stride: usize,
}

/// Where no line is real.
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

    /// Shape of a buffer for them.
    fn numbers(&self) -> Shape {
        Shape::from([self.count, self.length, 2])
    }

    /// Parameters of `split_pairs.wgsl` and `join_pairs.wgsl`.
    fn halves(&self) -> [Value; 4] {
        let half = half(self.length);
        [self.count * half, self.length, half, self.real.count].map(Value::from)
    }
}

/// A transform of lines; layout of `table` in [`crate::kernel::fft::table`].
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
            let target = empty(x, if last { output.clone() } else { lines.numbers() });
            let threads = lines.count * lines.length / radix;
            let parameters = [
                threads.into(),
                lines.length.into(),
                lines.inner.into(),
                Value::from(span),
                (if last { scale } else { 1.0 }).into(),
                lines.real.count.into(),
                lines.real.stride.into(),
            ];
            let shader = Shader::FftRadix { radix, inverse: self.inverse, from, to };
            shader.launch(&[&field, self.table], &target, threads, &parameters);
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

        let field = product(m, 1.0).apply(x, lines, m, [self.from, Access::Complex], padded.numbers());
        let field = convolution(false).stockham(&field, padded, &radices, 1.0, padded.numbers());
        let field = product(m + n, 1.0).apply(&field, padded, m, [Access::Complex; 2], padded.numbers());
        let field = convolution(true).stockham(&field, padded, &radices, 1.0, padded.numbers());
        product(m, scale).apply(&field, padded, n, [Access::Complex, self.to], output)
    }
}

/// A product of every line with the numbers of a table from `offset` on.
struct Product<'a> {
    table: &'a CubeTensor,
    offset: usize,
    conjugate: bool,
    scale: f32,
}

impl Product<'_> {
    /// Of lines that are cut, or filled with zeros, to `length`.
    fn apply(&self, x: &CubeTensor, lines: Lines, length: usize, [from, to]: [Access; 2], output: Shape) -> CubeTensor {
        let target = empty(x, output);
        let threads = lines.count * length;
        let parameters = [
            threads.into(),
            lines.length.into(),
            length.into(),
            lines.inner.into(),
            Value::from(self.offset),
            self.scale.into(),
            lines.real.count.into(),
            lines.real.stride.into(),
        ];
        let shader = Shader::LineProduct { conjugate: self.conjugate, from, to };
        shader.launch(&[x, self.table], &target, threads, &parameters);
        target
    }
}
