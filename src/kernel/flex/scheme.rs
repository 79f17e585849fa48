//! How a convolution becomes products of matrices.

use pulp::Simd;

use super::product::CHUNK;

/// Sizes of a convolution; pictures are padded with zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub batch: usize,
    /// Of the input.
    pub height: usize,
    pub width: usize,
    pub inputs: usize,
    /// Of the result.
    pub out_height: usize,
    pub out_width: usize,
    pub outputs: usize,
    /// Side of the kernel.
    pub taps: usize,
    pub stride: usize,
    /// Rows of zeros above and columns on the left.
    pub padding: usize,
    /// Whether the input is doubled first by nearest-neighbour upsampling.
    pub doubled: bool,
}

impl Geometry {
    /// The channels of a pixel, none in the padding.
    #[inline(always)]
    pub fn pixel<'a>(&self, x: &'a [f32], image: usize, row: isize, column: isize) -> &'a [f32] {
        let shift = usize::from(self.doubled);
        let inside =
            |at: isize, length: usize| usize::try_from(at).ok().map(|at| at >> shift).filter(|&at| at < length);
        match (inside(row, self.height), inside(column, self.width)) {
            (Some(row), Some(column)) => {
                &x[((image * self.height + row) * self.width + column) * self.inputs..][..self.inputs]
            }
            _ => &[],
        }
    }

    /// The inputs, padded to whole chunks.
    pub fn padded_inputs(&self) -> usize {
        self.inputs.next_multiple_of(CHUNK)
    }
}

/// A position of the result.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub image: usize,
    /// Its first pixel.
    pub row: usize,
    pub column: usize,
}

/// A scheme: `POINTS` products of a matrix of positions by inputs with one of inputs by outputs.
pub(super) trait Scheme: Copy + Send + Sync {
    /// Number of products.
    const POINTS: usize;
    /// Side of a position of the result in pixels.
    const TILE: usize;

    /// Length of the sums, in whole chunks.
    fn depth(self, geometry: &Geometry) -> usize;

    /// Passes the row of `tile` in every input matrix to `store(point, vector of the row, value)`.
    fn transform_inputs<S: Simd>(
        self,
        simd: S,
        geometry: &Geometry,
        x: &[f32],
        tile: Tile,
        store: impl FnMut(usize, usize, S::f32s),
    );

    /// Passes one vector of outputs, the one from output `first` on, of every row of every weight matrix to
    /// `store(point, row, value)`.
    fn transform_weights<S: Simd>(
        self,
        simd: S,
        geometry: &Geometry,
        weight: &[f32],
        first: usize,
        store: impl FnMut(usize, usize, S::f32s),
    );

    /// Computes the pixels of one position from its products, `load(point)`, and passes them to
    /// `store(row, column, value)`.
    fn transform_outputs<S: Simd>(
        self,
        simd: S,
        load: impl Fn(usize) -> S::f32s,
        store: impl FnMut(usize, usize, S::f32s),
    );
}
