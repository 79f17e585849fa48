//! Products of matrices on wgpu, which convolutions and attention are made of.

use burn::backend::wgpu::CubeTensor;
use burn::tensor::Shape;
use serde::{Deserialize, Serialize};

use super::assembly::{Constant, part};
use super::launch::{empty, launch, word};
use super::shader::{Entry, entries, shader};
use super::unroll::unrolled;

/// The shaders of this file.
pub(super) fn shaders() -> Vec<Entry> {
    entries::<Multiply>()
}

/// Side of the square of sums that a thread keeps in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Block(pub usize);

impl Block {
    pub const SMALL: Self = Self(8);
    pub const LARGE: Self = Self(16);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Multiply {
    block: Block,
}

shader! {
    impl Multiply = "multiply" like kernel::convolution::reference;
    MultiplyUniform { threads: u32, depth: u32, rows: u32, columns: u32, pitch: u32, first: u32 }

    fn variants() -> Vec<Self> {
        [Block::SMALL, Block::LARGE].map(|block| Self { block }).to_vec()
    }

    fn constants(self) -> Vec<Constant> {
        ["ROWS", "COLUMNS"].map(|name| Constant::Count(name, self.block.0)).to_vec()
    }

    fn includes(self) -> Vec<&'static str> {
        vec![part::ELEMENTWISE]
    }

    fn text(self) -> String {
        unrolled(Self::FILE.text, self.block.0, self.block.0)
    }

    fn buffers(self) -> &'static [&'static str] {
        &["left", "right", "products"]
    }
}

/// Sizes of a batched product.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Products.
    pub points: usize,
    /// Length of the sums.
    pub depth: usize,
    /// Rows of a product, in whole blocks.
    pub rows: usize,
    /// Columns of a product, in whole blocks.
    pub columns: usize,
    /// Columns of the right-hand matrices, of which `columns` from `first` on are used.
    pub pitch: usize,
    pub first: usize,
}

/// `leftᵀ right`, `[points, rows, columns]`, of `left` `[points, depth, rows]` and columns of `right`
/// `[points, depth, pitch]`.
pub(super) fn multiply(block: Block, left: &CubeTensor, right: &CubeTensor, sizes: Sizes) -> CubeTensor {
    let Sizes { points, depth, rows, columns, pitch, first } = sizes;
    let products = empty(left, Shape::from([points, rows, columns]));
    let threads = points * rows * columns / (block.0 * block.0);
    let [threads, depth, rows, columns, pitch, first] = [threads, depth, rows, columns, pitch, first].map(word);
    let uniform = MultiplyUniform { threads, depth, rows, columns, pitch, first };
    launch(Multiply { block }, &[left, right], &products, &uniform);
    products
}
