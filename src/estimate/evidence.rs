//! Pictures of what a diagnosis was read from.

use image::{Rgb, Rgb32FImage, imageops};

use super::spectrum::Spectrum;
use super::{BlurEstimate, Diagnosis};
use crate::picture::Picture;
use crate::psf::Kernel;

/// Side of every picture.
const SIDE: u32 = 512;
/// Decades that a spectrum shows.
const DECADES: f64 = 9.0;
/// What noise and fine detail are multiplied by.
const MAGNIFIED: f32 = 8.0;

impl Diagnosis {
    /// Square pictures of a photo, of its fine detail, of its spectrum and of its blur, where there are any, with a label for each.
    pub fn evidence(&self, photo: &Picture) -> Vec<(String, Rgb32FImage)> {
        let inside = self.inside.as_ref().map(|inside| inside.of(photo));
        let content = inside.as_ref().unwrap_or(photo);
        let mut all = vec![
            (format!("photo, {}x{}", photo.width(), photo.height()), fitted(photo.pixels())),
            (format!("fine detail x{MAGNIFIED}"), detail(content)),
        ];
        if let Some(spectrum) = Spectrum::of(content, &self.noise) {
            all.push(("spectrum of its luminance".into(), shown(&spectrum)));
        }
        if let Some(BlurEstimate { psf, .. }) = &self.blur
            && let Ok(kernel) = psf.kernel()
        {
            all.push((psf.to_string(), of_blur(&kernel)));
        }
        all
    }
}

/// The whole, as large as fits, on grey.
fn fitted(pixels: &Rgb32FImage) -> Rgb32FImage {
    let (width, height) = pixels.dimensions();
    let scale = f64::from(SIDE) / f64::from(width.max(height));
    let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).clamp(1, SIDE);
    let small = imageops::resize(pixels, side(width), side(height), imageops::FilterType::Triangle);
    let mut sheet = Rgb32FImage::from_pixel(SIDE, SIDE, Rgb([0.5; 3]));
    let middle = |side: u32| i64::from((SIDE - side) / 2);
    imageops::replace(&mut sheet, &small, middle(small.width()), middle(small.height()));
    sheet
}

/// The middle of a photo, each pixel twice as large, less the mean of its neighbourhood.
fn detail(photo: &Picture) -> Rgb32FImage {
    let (width, height) = photo.pixels().dimensions();
    let (wide, high) = (width.min(SIDE / 2), height.min(SIDE / 2));
    let middle = photo.cropped((width - wide) / 2, (height - high) / 2, wide, high);
    let smooth = imageops::blur(middle.pixels(), 1.5);
    let mut detail = middle.pixels().clone();
    for (pixel, smooth) in detail.pixels_mut().zip(smooth.pixels()) {
        (0..3).for_each(|c| pixel[c] = (0.5 + MAGNIFIED * (pixel[c] - smooth[c])).clamp(0.0, 1.0));
    }
    fitted(&imageops::resize(&detail, 2 * wide, 2 * high, imageops::FilterType::Nearest))
}

/// The logarithm of a spectrum, the mean in the middle.
fn shown(spectrum: &Spectrum) -> Rgb32FImage {
    let side = spectrum.side;
    let strongest = spectrum.power.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let at = |x: u32, y: u32| {
        let centered = |i: u32| (i as usize + side / 2) % side;
        let power = spectrum.power[centered(y) * side + centered(x)];
        (1.0 + (power / strongest).max(f64::MIN_POSITIVE).log10() / DECADES).clamp(0.0, 1.0) as f32
    };
    let picture = Rgb32FImage::from_fn(side as u32, side as u32, |x, y| Rgb([at(x, y); 3]));
    imageops::resize(&picture, SIDE, SIDE, imageops::FilterType::Nearest)
}

/// A kernel as a grey picture, its brightest pixel white.
pub fn picture_of(kernel: &Kernel) -> Picture {
    let brightest = kernel.values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let light = |x: u32, y: u32| (kernel.values[y as usize * kernel.width + x as usize] / brightest) as f32;
    let pixels = Rgb32FImage::from_fn(kernel.width as u32, kernel.height as u32, |x, y| Rgb([light(x, y); 3]));
    let mut picture = Picture::new(pixels);
    (picture.extras.gray, picture.extras.deep) = (true, true);
    picture
}

/// The light of a point under a blur, in a square that it fills half of.
fn of_blur(kernel: &Kernel) -> Rgb32FImage {
    let light = picture_of(kernel);
    let longer = kernel.height.max(kernel.width) as u32;
    let mut square = Rgb32FImage::new(2 * longer, 2 * longer);
    let middle = |side: usize| (i64::from(2 * longer) - side as i64) / 2;
    imageops::replace(&mut square, light.pixels(), middle(light.width()), middle(light.height()));
    imageops::resize(&square, SIDE, SIDE, imageops::FilterType::Nearest)
}
