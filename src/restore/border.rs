//! The margin of a blurred photograph, whose light came from beyond its border.

use burn::tensor::{Int, Tensor, TensorData};

use crate::degradation::psf::Kernel;

/// Sides are extended to a multiple of this, which suits both the network and the transforms.
const MULTIPLE: usize = 16;

/// Rows and columns to add for a kernel: twice its reach, rounded up so that the whole is a multiple of 16.
pub(super) fn margin(kernel: &Kernel, [height, width]: [usize; 2]) -> [usize; 2] {
    let along = |side: usize, taps: usize| (side + 2 * (taps - 1)).next_multiple_of(MULTIPLE) - side;
    [along(height, kernel.height), along(width, kernel.width)]
}

/// Appends `margin` rows and columns that lead smoothly from the last one back to the first: the mirrored end fades into
/// the mirrored beginning.
pub(super) fn extended(y: Tensor<4>, margin: [usize; 2]) -> Tensor<4> {
    extended_along(extended_along(y, 2, margin[0]), 3, margin[1])
}

fn extended_along(y: Tensor<4>, axis: usize, margin: usize) -> Tensor<4> {
    if margin == 0 {
        return y;
    }
    let n = y.dims()[axis];
    let device = y.device();
    let mirrored = |indices: Vec<i64>| {
        let fold = |i: i64| {
            let phase = i.rem_euclid(2 * n as i64);
            phase.min(2 * n as i64 - 1 - phase) as i32
        };
        let indices: Vec<i32> = indices.into_iter().map(fold).collect();
        y.clone().select(axis, Tensor::<1, Int>::from_data(TensorData::from(indices.as_slice()), &device))
    };
    let end = mirrored((0..margin as i64).map(|i| n as i64 + i).collect());
    let beginning = mirrored((0..margin as i64).map(|i| i - margin as i64).collect());
    let fade: Vec<f32> =
        (0..margin).map(|i| 0.5 - 0.5 * (std::f32::consts::PI * (i as f32 + 0.5) / margin as f32).cos()).collect();
    let mut shape = [1; 4];
    shape[axis] = margin;
    let fade = Tensor::<4>::from_data(TensorData::new(fade, shape), &device);
    let bridge = end.clone() + (beginning - end) * fade;
    Tensor::cat(vec![y, bridge], axis)
}
