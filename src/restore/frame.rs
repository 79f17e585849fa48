//! Photos with bars around them: the bars are no part of what is restored.

use image::imageops;

use super::{Border, RestoreConfig};
use crate::estimate::Inside;
use crate::picture::Picture;

/// What is inside the bars around a photo, if it has any and the configuration does not depend on its size.
pub(super) fn inside(photo: &Picture, config: &RestoreConfig) -> Option<Inside> {
    let depends_on_all = !config.degradation.is_uniform() || !config.degradation.is_picture();
    let wraps_around = config.border == Border::Periodic && config.degradation.has_border().unwrap_or(true);
    // Transparent surroundings have colours of their own making.
    if depends_on_all || wraps_around || photo.transparent().is_some() {
        return None;
    }
    let inside = Inside::find(photo)?;
    // The scale must divide what is measured again.
    config.check_for(config.degradation.image_size([inside.height as usize, inside.width as usize])).ok()?;
    Some(inside)
}

/// What was restored of the inside, with the bars around it again.
pub(super) fn framed(photo: &Picture, inside: &Inside, restored: &Picture, config: &RestoreConfig) -> Picture {
    let [height, width] = config.degradation.image_size([photo.height(), photo.width()]);
    let scale = restored.pixels().width() / inside.width.max(1);
    let (wide, high) = (width as u32, height as u32);
    let mut whole = imageops::resize(photo.pixels(), wide, high, imageops::FilterType::Nearest);
    imageops::replace(&mut whole, restored.pixels(), (inside.left * scale).into(), (inside.top * scale).into());
    let keeps_gray = restored.extras.gray || !config.degradation.discards_colors();
    Picture::new(whole).with_extras_of(photo, keeps_gray)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, Rgb32FImage};

    use super::*;
    use crate::degradation::{Form, denoising::Denoising, sr_bicubic::SrBicubic};
    use crate::estimate::letterboxed;

    #[test]
    fn bars_come_back_around_what_was_inside() {
        let photo = letterboxed(64, 48, [0, 8, 0, 8]);
        let config = RestoreConfig::new(SrBicubic { scale: 2, form: Form::Svd }, 0.0);
        let found = inside(&photo, &config).unwrap();
        let restored = Picture::new(Rgb32FImage::from_pixel(128, 64, Rgb([0.9; 3])));
        let whole = framed(&photo, &found, &restored, &config);
        assert_eq!((whole.width(), whole.height()), (128, 96));
        assert_eq!(whole.pixels().get_pixel(5, 15).0, [0.01; 3]);
        assert_eq!(whole.pixels().get_pixel(5, 16).0, [0.9; 3]);
        assert_eq!(whole.pixels().get_pixel(127, 80).0, [0.01; 3]);
        assert!(inside(&photo, &RestoreConfig::new(Denoising {}, 0.1)).is_some());
    }
}
