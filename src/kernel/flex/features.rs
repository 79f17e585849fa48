//! Feature maps with the memory layout `[b, h, w, c]` (channels last).

use burn::tensor::{Shape, TensorData};
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// Elements that a thread processes at a time.
const PIECE: usize = 8 << 10;

/// A tensor `[b, c, h, w]` with the memory layout `[b, h, w, c]`.
pub(super) struct Features(FlexTensor);

impl Features {
    /// Copies a tensor into that layout, unless it has it already.
    pub fn of(x: &FlexTensor) -> Self {
        Self(x.permute(&[0, 2, 3, 1]).to_contiguous())
    }

    /// `[b, h, w, c]`
    pub fn dims(&self) -> [usize; 4] {
        let shape = self.0.layout().shape();
        [shape[0], shape[1], shape[2], shape[3]]
    }

    /// The elements.
    pub fn values(&self) -> &[f32] {
        values(&self.0)
    }

    /// The tensor with the channels of both.
    pub fn concatenated(&self, other: &Self) -> FlexTensor {
        let ([batch, height, width, own], [_, _, _, others]) = (self.dims(), other.dims());
        let mut both = vec![0.0; self.values().len() + other.values().len()];
        let rows = both.par_chunks_mut(width * (own + others));
        let sources = self.values().par_chunks(width * own).zip(other.values().par_chunks(width * others));
        rows.zip(sources).for_each(|(both, (a, b))| {
            let pixels = a.chunks_exact(own).zip(b.chunks_exact(others));
            for (both, (a, b)) in both.chunks_exact_mut(own + others).zip(pixels) {
                both[..own].copy_from_slice(a);
                both[own..].copy_from_slice(b);
            }
        });
        Self::tensor(both, [batch, height, width, own + others])
    }

    /// The matrix `[b h w, c]`.
    pub fn rows(&self) -> FlexTensor {
        let [batch, height, width, channels] = self.dims();
        self.0.reshape(Shape::from([batch * height * width, channels]))
    }

    /// The tensor `[b, c, h, w]` of rows `[b h w, c]`, plus a `bias` for each channel and the residual, if there is
    /// one.
    pub fn of_rows(mut rows: FlexTensor, bias: &[f32], residual: Option<&Self>, dims: [usize; 4]) -> FlexTensor {
        let piece = (PIECE / bias.len()).max(1) * bias.len();
        let add = |sums: &mut [f32], numbers: &[f32]| sums.iter_mut().zip(numbers).for_each(|(sum, v)| *sum += v);
        rows.storage_mut().par_chunks_mut(piece).enumerate().for_each(|(i, sums)| {
            sums.chunks_exact_mut(bias.len()).for_each(|sums| add(sums, bias));
            if let Some(residual) = residual {
                add(sums, &residual.values()[i * piece..]);
            }
        });
        rows.reshape(Shape::from(dims)).permute(&[0, 3, 1, 2])
    }

    /// The tensor `[b, c, h, w]` of values in the layout `[b, h, w, c]`.
    pub fn tensor(numbers: Vec<f32>, dims: [usize; 4]) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(numbers, Shape::from(dims))).permute(&[0, 3, 1, 2])
    }
}

/// The elements of a contiguous tensor.
pub(super) fn values(x: &FlexTensor) -> &[f32] {
    &x.storage()[x.layout().start_offset()..][..x.layout().shape().num_elements()]
}
