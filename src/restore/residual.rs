//! What of a photo a result leaves unexplained, as a picture.

use burn::tensor::Tensor;
use image::{RgbImage, imageops};

use crate::error::Result;
use crate::estimate::Inside;
use crate::picture::Picture;

/// How much stronger differences are in pictures of them than they are: noise of a few levels is seen.
pub const DIFFERENCE_GAIN: f32 = 4.0;
/// No difference.
const NONE: u8 = 128;

/// The residual `y - A x` of a photo `y`, as a picture: middle grey where it is 0, brighter and darker by [`DIFFERENCE_GAIN`] times
/// the difference. It is of what is measured: of the photo as it was before an enlargement or fading, and where the channels share their
/// noise, of mixtures in which they do not. Of a right result it is noise; structure of the photo in it is what the result does not explain.
pub type Residual = RgbImage;

/// The residual of `[1, 1, h, w]` or `[1, 3, h, w]` in units of [-1, 1]; none of what is measured otherwise than as a picture.
pub(super) fn picture(residual: Tensor<4>) -> Result<Option<Residual>> {
    let [_, channels, height, width] = residual.dims();
    if ![1, 3].contains(&channels) || height == 1 || width == 1 {
        return Ok(None);
    }
    let picture = Picture::from_tensor(residual * DIFFERENCE_GAIN)?;
    let (width, height) = picture.pixels().dimensions();
    let bytes = picture.pixels().iter().map(|value| (255.0 * value).round() as u8).collect();
    Ok(RgbImage::from_raw(width, height, bytes))
}

/// The residual of the inside of a photo, with bars of nothing around it.
pub(super) fn framed(photo: &Picture, inside: &Inside, residual: &Residual) -> Residual {
    let (width, height) = photo.pixels().dimensions();
    let mut whole = RgbImage::from_pixel(width, height, image::Rgb([NONE; 3]));
    imageops::replace(&mut whole, residual, inside.left.into(), inside.top.into());
    whole
}
