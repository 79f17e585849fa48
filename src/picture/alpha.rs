//! Colours under transparency.

use std::borrow::Cow;

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma, Rgb, Rgb32FImage, Rgba, Rgba32FImage};

use super::Picture;

impl Picture {
    /// The pixels with the colours of what is opaque spread into what is fully transparent, where files hold anything: so that
    /// neither filters nor networks bring it in at the edges.
    ///
    /// From a pyramid of means of what is opaque ("pull and push", Gortler et al., 1996).
    pub fn spread(&self) -> Cow<'_, Rgb32FImage> {
        let Some(alpha) = &self.extras.alpha else { return Cow::Borrowed(&self.pixels) };
        if alpha.pixels().all(|a| a[0] > 0.0) {
            return Cow::Borrowed(&self.pixels);
        }
        let weighted = Rgba32FImage::from_fn(self.pixels.width(), self.pixels.height(), |x, y| {
            let Rgb([r, g, b]) = *self.pixels.get_pixel(x, y);
            if alpha.get_pixel(x, y)[0] > 0.0 { Rgba([r, g, b, 1.0]) } else { Rgba([0.0; 4]) }
        });
        let filled = filled(weighted);
        Cow::Owned(ImageBuffer::from_fn(filled.width(), filled.height(), |x, y| {
            let Rgba([r, g, b, _]) = *filled.get_pixel(x, y);
            Rgb([r, g, b])
        }))
    }

    /// Which pixels are fully transparent, row by row, if any are.
    pub fn transparent(&self) -> Option<Vec<bool>> {
        let alpha = self.extras.alpha.as_ref()?;
        let transparent: Vec<bool> = alpha.pixels().map(|a| a[0] <= 0.0).collect();
        transparent.contains(&true).then_some(transparent)
    }

    /// The same, opaque at these pixels, row by row: what was filled in can be seen.
    #[must_use]
    pub fn opaque_at(mut self, filled: impl IntoIterator<Item = bool>) -> Self {
        let alpha = self.extras.alpha.iter_mut().flat_map(|alpha| alpha.pixels_mut());
        let changed = alpha.zip(filled).filter(|(_, filled)| *filled).map(|(a, _)| a[0] = 1.0).count();
        // Formats without transparency hold what has none any more.
        let is_opaque = |alpha: &ImageBuffer<Luma<f32>, Vec<f32>>| alpha.pixels().all(|a| a[0] >= 1.0);
        if changed > 0 && self.extras.alpha.as_ref().is_some_and(is_opaque) {
            self.extras.alpha = None;
        }
        self
    }

    /// The same, fully transparent at these pixels, row by row: holes to be filled in.
    #[must_use]
    pub fn transparent_at(mut self, holes: impl IntoIterator<Item = bool>) -> Self {
        let (width, height) = self.pixels.dimensions();
        let alpha = self.extras.alpha.get_or_insert_with(|| ImageBuffer::from_pixel(width, height, Luma([1.0])));
        alpha.pixels_mut().zip(holes).filter(|(_, hole)| *hole).for_each(|(a, _)| a[0] = 0.0);
        self
    }

    /// What a helper picture (a mask, a kernel) marks, row by row: its brightness where it is opaque, or its opacity if it has one
    /// colour.
    pub fn marks(&self) -> Vec<f32> {
        let brightness = self.luminance();
        let Some(alpha) = &self.extras.alpha else { return brightness };
        let seen: Vec<f32> =
            brightness.iter().zip(alpha.pixels()).filter(|(_, a)| a[0] > 0.0).map(|(v, _)| *v).collect();
        let one_color = seen.iter().all(|v| (v - seen[0]).abs() < 2.0 / 255.0);
        let varies = alpha.pixels().any(|a| a[0] != alpha.get_pixel(0, 0)[0]);
        match one_color && varies {
            true => alpha.pixels().map(|a| a[0]).collect(),
            false => brightness.into_iter().zip(alpha.pixels()).map(|(v, a)| v * a[0]).collect(),
        }
    }
}

/// Pixels of weight 0 filled from those around them; alpha is the weight.
fn filled(image: Rgba32FImage) -> Rgba32FImage {
    let (width, height) = image.dimensions();
    if image.pixels().all(|p| p[3] >= 1.0) || width.max(height) == 1 {
        return image;
    }
    let half = ImageBuffer::from_fn(width.div_ceil(2), height.div_ceil(2), |x, y| {
        let mut sum = [0.0f32; 4];
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            if let Some(Rgba([r, g, b, w])) = image.get_pixel_checked(2 * x + dx, 2 * y + dy) {
                sum = [sum[0] + r * w, sum[1] + g * w, sum[2] + b * w, sum[3] + w];
            }
        }
        let [r, g, b, w] = sum;
        if w > 0.0 { Rgba([r / w, g / w, b / w, w.min(1.0)]) } else { Rgba([0.0; 4]) }
    });
    let coarse = resize(&filled(half), width, height, FilterType::Triangle);
    ImageBuffer::from_fn(width, height, |x, y| {
        let (Rgba(fine), Rgba(coarse)) = (image.get_pixel(x, y), coarse.get_pixel(x, y));
        let mixed = |c: usize| fine[c] * fine[3] + coarse[c] * (1.0 - fine[3]);
        Rgba([mixed(0), mixed(1), mixed(2), 1.0])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_alpha(pixels: Rgb32FImage, alpha: impl Fn(u32, u32) -> f32) -> Picture {
        let (width, height) = pixels.dimensions();
        let mut picture = Picture::new(pixels);
        picture.extras.alpha = Some(ImageBuffer::from_fn(width, height, |x, y| Luma([alpha(x, y)])));
        picture
    }

    #[test]
    fn colours_spread_into_what_is_transparent_and_nothing_else_changes() {
        let (red, junk) = ([0.8, 0.1, 0.1], [0.0, 1.0, 0.0]);
        let inside = |x: u32, y: u32| (5..12).contains(&x) && (3..9).contains(&y);
        let pixels = Rgb32FImage::from_fn(23, 17, |x, y| Rgb(if inside(x, y) { red } else { junk }));
        let picture = with_alpha(pixels.clone(), |x, y| if inside(x, y) { 1.0 } else { 0.0 });
        for Rgb(color) in picture.spread().pixels() {
            assert!(color.iter().zip(red).all(|(a, b)| (a - b).abs() < 1e-4), "{color:?}");
        }
        let opaque = with_alpha(pixels.clone(), |_, _| 0.5);
        assert_eq!(*opaque.spread(), pixels);
    }

    #[test]
    fn masks_may_be_drawn_with_opacity() {
        let white = with_alpha(Rgb32FImage::from_pixel(4, 1, Rgb([1.0; 3])), |x, _| x as f32 / 3.0);
        assert_eq!(white.marks(), [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]);
        let drawn = Rgb32FImage::from_fn(4, 1, |x, _| Rgb([x as f32 / 3.0; 3]));
        assert_eq!(with_alpha(drawn, |_, _| 1.0).marks(), [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]);
    }
}
