//! Mirroring at borders, the border pixel repeated.

use burn::tensor::{Int, Tensor, TensorData};

/// Index `i` reflected into `0..n`.
pub(crate) fn index(i: i64, n: usize) -> usize {
    let period = 2 * n as i64;
    let phase = i.rem_euclid(period);
    phase.min(period - 1 - phase) as usize
}

/// The pixels of `x` at these indices along `axis`, inside and beyond its borders.
pub(crate) fn select(x: Tensor<4>, axis: usize, indices: impl Iterator<Item = i64>) -> Tensor<4> {
    let n = x.dims()[axis];
    let indices: Vec<i32> = indices.map(|i| index(i, n) as i32).collect();
    let device = x.device();
    x.select(axis, Tensor::<1, Int>::from_data(TensorData::from(indices.as_slice()), &device))
}
