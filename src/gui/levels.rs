//! Pictures as they are painted: halved again and again, and cut into tiles, so that large ones pan smoothly.

use eframe::egui::{Color32, ColorImage};
use image::{Luma, Rgb, RgbImage};
use rayon::prelude::*;

use crate::picture::Picture;
use crate::restore::DIFFERENCE_GAIN;

/// Side of a tile in pixels.
pub const TILE: usize = 1024;

/// A picture at its own size, at half of it, and so on until it fits a tile.
pub struct Levels {
    levels: Vec<Level>,
}

/// A picture at one size.
pub struct Level {
    width: usize,
    height: usize,
    tiles: Vec<ColorImage>,
}

impl Levels {
    /// Of a picture, in the colours of its file.
    pub fn of(picture: &Picture) -> Self {
        Self::of_image(color_image(picture))
    }

    /// Of pixels.
    pub fn of_image(image: ColorImage) -> Self {
        let mut levels = Vec::new();
        let mut image = image;
        loop {
            let is_last = image.width().max(image.height()) <= TILE;
            levels.push(Level::of(&image));
            if is_last {
                return Self { levels };
            }
            image = halved(&image);
        }
    }

    /// How far two pictures of one size differ: grey where they agree, brighter and darker by [`DIFFERENCE_GAIN`] times the difference.
    pub fn of_difference(before: &Picture, after: &Picture) -> Option<Self> {
        let size = before.pixels().dimensions();
        (size == after.pixels().dimensions()).then(|| {
            let value = |(a, b): (&f32, &f32)| to_byte(0.5 + DIFFERENCE_GAIN * (b - a));
            let bytes: Vec<u8> = before.pixels().iter().zip(after.pixels().iter()).map(value).collect();
            Self::of_image(ColorImage::from_rgb([size.0 as usize, size.1 as usize], &bytes))
        })
    }

    /// Of a picture in 8 bits.
    pub fn of_rgb(image: &RgbImage) -> Self {
        Self::of_image(ColorImage::from_rgb([image.width() as usize, image.height() as usize], image.as_raw()))
    }

    /// A map of values, so many times as bright.
    pub fn of_map(map: &Picture, gain: f32) -> Self {
        let bytes: Vec<u8> = map.luminance().iter().map(|value| to_byte(gain * value)).collect();
        Self::of_image(ColorImage::from_gray([map.width(), map.height()], &bytes))
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.levels[0].width, self.levels[0].height]
    }

    /// How many sizes there are.
    pub fn count(&self) -> usize {
        self.levels.len()
    }

    /// A size: 0 is the picture's own.
    pub fn level(&self, index: usize) -> &Level {
        &self.levels[index.min(self.levels.len() - 1)]
    }
}

impl Level {
    fn of(image: &ColorImage) -> Self {
        let [width, height] = image.size;
        let mut tiles = Vec::new();
        for top in (0..height).step_by(TILE) {
            for left in (0..width).step_by(TILE) {
                let size = [TILE.min(width - left), TILE.min(height - top)];
                tiles.push(image.region_by_pixels([left, top], size));
            }
        }
        Self { width, height, tiles }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.width, self.height]
    }

    /// Columns and rows of tiles.
    pub fn grid(&self) -> [usize; 2] {
        [self.width.div_ceil(TILE), self.height.div_ceil(TILE)]
    }

    /// The tile in a column and row.
    pub fn tile(&self, [column, row]: [usize; 2]) -> &ColorImage {
        &self.tiles[row * self.grid()[0] + column]
    }
}

/// A value in `[0, 1]` as a byte; others are cut off.
fn to_byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// The pixels of a picture, with its transparency.
pub fn color_image(picture: &Picture) -> ColorImage {
    let (width, height) = picture.pixels().dimensions();
    let opaque = |Rgb([r, g, b]): &Rgb<f32>| Color32::from_rgb(to_byte(*r), to_byte(*g), to_byte(*b));
    let pixels: Vec<Color32> = match &picture.extras.alpha {
        None => picture.pixels().as_raw().par_chunks(3).map(|p| opaque(&Rgb([p[0], p[1], p[2]]))).collect(),
        Some(alpha) => {
            let seen = |(p, Luma([a])): (&Rgb<f32>, &Luma<f32>)| {
                let [r, g, b, _] = opaque(p).to_array();
                Color32::from_rgba_unmultiplied(r, g, b, to_byte(*a))
            };
            picture.pixels().pixels().zip(alpha.pixels()).map(seen).collect()
        }
    };
    ColorImage::new([width as usize, height as usize], pixels)
}

/// The same in half the size, by means of four pixels.
fn halved(image: &ColorImage) -> ColorImage {
    let [width, height] = image.size;
    let size = [width.div_ceil(2), height.div_ceil(2)];
    let at = |x: usize, y: usize| image.pixels[y.min(height - 1) * width + x.min(width - 1)].to_array();
    let mean = |x: usize, y: usize| {
        let four = [at(2 * x, 2 * y), at(2 * x + 1, 2 * y), at(2 * x, 2 * y + 1), at(2 * x + 1, 2 * y + 1)];
        let [r, g, b, a] = [0, 1, 2, 3].map(|c| (four.iter().map(|p| u16::from(p[c])).sum::<u16>() + 2) / 4);
        Color32::from_rgba_premultiplied(r as u8, g as u8, b as u8, a as u8)
    };
    let pixels = (0..size[0] * size[1]).into_par_iter().map(|i| mean(i % size[0], i / size[0])).collect();
    ColorImage::new(size, pixels)
}

#[cfg(test)]
mod tests {
    use image::Rgb32FImage;

    use super::*;

    #[test]
    fn every_pixel_is_in_one_tile_and_levels_end_in_one() {
        let picture = Picture::new(Rgb32FImage::from_fn(2500, 1100, |x, y| {
            Rgb([(x % 256) as f32 / 255.0, (y % 256) as f32 / 255.0, 0.5])
        }));
        let levels = Levels::of(&picture);
        assert_eq!(levels.size(), [2500, 1100]);
        assert_eq!((levels.count(), levels.level(2).size(), levels.level(2).grid()), (3, [625, 275], [1, 1]));
        let whole = levels.level(0);
        assert_eq!(whole.grid(), [3, 2]);
        let pixel = |x: usize, y: usize| {
            let tile = whole.tile([x / TILE, y / TILE]);
            tile.pixels[(y % TILE) * tile.width() + x % TILE].to_array()
        };
        for (x, y) in [(0, 0), (1023, 1023), (1024, 1023), (2499, 1099)] {
            assert_eq!(pixel(x, y), [(x % 256) as u8, (y % 256) as u8, 128, 255], "{x}, {y}");
        }
    }
}
