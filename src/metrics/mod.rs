//! How close two pictures are.

mod psnr;
mod ssim;

pub use psnr::psnr;
pub use ssim::ssim;

use image::Rgb32FImage;

/// The three planes of a picture, row by row.
fn planes(picture: &Rgb32FImage) -> [Vec<f64>; 3] {
    std::array::from_fn(|c| picture.pixels().map(|p| f64::from(p[c])).collect())
}
