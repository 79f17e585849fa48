//! Areas of one colour in a photo with too few pixels: what they were reduced from is of that colour, too, where a prior of photographs leaves a fine
//! pattern. Of photos with noise there are none.

use super::{Method, RestoreConfig};
use crate::degradation::Family;
use crate::picture::Picture;

/// Pixels in each direction that have to be of the same colour: as far as a reduction by cubics mixes.
const REACH: u32 = 2;

/// The restored picture, with the photo's colour in the pixels of each of the photo's that has only its like around it.
pub(super) fn kept_flat(photo: &Picture, restored: Picture, config: &RestoreConfig) -> Picture {
    let is_meant = config.degradation.family() == Some(Family::Resolution) && matches!(config.method, Method::Hqs(_));
    let ((width, height), (wide, high)) = (photo.pixels().dimensions(), restored.pixels().dimensions());
    let scale = wide / width.max(1);
    if !is_meant || [wide, high] != [width * scale, height * scale] {
        return restored;
    }
    let mut pixels = restored.pixels().clone();
    let around = |at: u32, side: u32| at.saturating_sub(REACH)..=(at + REACH).min(side - 1);
    for (x, y, color) in photo.pixels().enumerate_pixels() {
        let is_alike = |x: u32, y: u32| photo.pixels().get_pixel(x, y) == color;
        if around(y, height).all(|y| around(x, width).all(|x| is_alike(x, y))) {
            (0..scale * scale).for_each(|i| pixels.put_pixel(x * scale + i % scale, y * scale + i / scale, *color));
        }
    }
    Picture::new(pixels).with_extras_of(&restored, true)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, Rgb32FImage};

    use super::*;
    use crate::degradation::{Form, denoising::Denoising, sr_bicubic::SrBicubic};

    #[test]
    fn only_what_is_far_from_every_edge_is_flat() {
        let edge = |x: u32| if x < 8 { Rgb([0.8, 0.1, 0.1]) } else { Rgb([0.2; 3]) };
        let photo = Picture::new(Rgb32FImage::from_fn(16, 12, |x, _| edge(x)));
        let restored = Picture::new(Rgb32FImage::from_pixel(32, 24, Rgb([0.5; 3])));
        let doubled = RestoreConfig::new(SrBicubic { scale: 2, form: Form::Svd }, 0.0);
        let kept = kept_flat(&photo, restored.clone(), &doubled);
        for (x, _, color) in kept.pixels().enumerate_pixels() {
            let is_far = !(6..10).contains(&(x / 2));
            assert_eq!(*color, if is_far { edge(x / 2) } else { Rgb([0.5; 3]) }, "column {x}");
        }
        let same = kept_flat(&photo, restored.clone(), &RestoreConfig::new(Denoising {}, 0.0));
        assert_eq!(same.pixels(), restored.pixels());
    }
}
