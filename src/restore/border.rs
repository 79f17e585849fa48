//! The margin of a blurred photograph, whose light came from beyond its border.

use burn::tensor::{Tensor, TensorData};

use crate::degradation::psf::Kernel;
use crate::mirror;

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
    let device = y.device();
    let (n, added) = (y.dims()[axis] as i64, margin as i64);
    let end = mirror::select(y.clone(), axis, n..n + added);
    let beginning = mirror::select(y.clone(), axis, -added..0);
    let fade: Vec<f32> =
        (0..margin).map(|i| 0.5 - 0.5 * (std::f32::consts::PI * (i as f32 + 0.5) / margin as f32).cos()).collect();
    let mut shape = [1; 4];
    shape[axis] = margin;
    let fade = Tensor::<4>::from_data(TensorData::new(fade, shape), &device);
    let bridge = end.clone() + (beginning - end) * fade;
    Tensor::cat(vec![y, bridge], axis)
}
