//! Bars of one colour around a photo: letterboxes, margins of scans. No light of the scene reached them.

use image::Rgb;

use crate::picture::Picture;

/// Colours of one bar differ by no more than this: rounding and compression.
const SAME: f32 = 4.0 / 255.0;
/// Fewer lines are no bar.
const THINNEST: u32 = 2;
/// Less inside is no photo.
const SMALLEST: u32 = 16;

/// The rectangle inside the bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Columns before it.
    pub left: u32,
    /// Rows above it.
    pub top: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Inside {
    /// Inside the bars around a photo, if it has any.
    pub fn find(photo: &Picture) -> Option<Self> {
        let pixels = photo.pixels();
        let (width, height) = pixels.dimensions();
        let close = |a: &Rgb<f32>, b: &Rgb<f32>| a.0.iter().zip(b.0).all(|(a, b)| (a - b).abs() <= SAME);
        // Lines in a row, from a corner on, that have the corner's colour all along.
        let bar = |corner: (u32, u32), lines: u32, is: &dyn Fn(u32, &Rgb<f32>) -> bool| -> u32 {
            let color = pixels.get_pixel(corner.0, corner.1);
            let count = (0..lines).take_while(|&line| is(line, color)).count() as u32;
            if count < THINNEST { 0 } else { count }
        };
        let row = |y: u32, color: &Rgb<f32>| (0..width).all(|x| close(pixels.get_pixel(x, y), color));
        let top = bar((0, 0), height, &|i, color| row(i, color));
        if top == height {
            return None;
        }
        let bottom = bar((0, height - 1), height, &|i, color| row(height - 1 - i, color));
        let between = top..height.checked_sub(bottom)?;
        let column = |x: u32, color: &Rgb<f32>| between.clone().all(|y| close(pixels.get_pixel(x, y), color));
        let left = bar((0, top), width, &|i, color| column(i, color));
        let right = bar((width - 1, top), width, &|i, color| column(width - 1 - i, color));
        let (inner_width, inner_height) = (width.checked_sub(left + right)?, height.checked_sub(top + bottom)?);
        let is_framed = inner_width < width || inner_height < height;
        (is_framed && inner_width.min(inner_height) >= SMALLEST).then_some(Self {
            left,
            top,
            width: inner_width,
            height: inner_height,
        })
    }

    /// The photo inside.
    pub fn of(&self, photo: &Picture) -> Picture {
        photo.cropped(self.left, self.top, self.width, self.height)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use image::Rgb32FImage;

    use super::*;

    pub(crate) fn letterboxed(width: u32, height: u32, bars: [u32; 4]) -> Picture {
        let [left, top, right, bottom] = bars;
        Picture::new(Rgb32FImage::from_fn(width, height, |x, y| {
            let inside = (left..width - right).contains(&x) && (top..height - bottom).contains(&y);
            Rgb(if inside { [0.2 + (x % 7) as f32 * 0.1, 0.3 + (y % 5) as f32 * 0.1, 0.5] } else { [0.01; 3] })
        }))
    }

    #[test]
    fn bars_are_found_and_nothing_else() {
        let found = |width, height, bars| Inside::find(&letterboxed(width, height, bars));
        let frame = |left, top, width, height| Some(Inside { left, top, width, height });
        assert_eq!(found(60, 50, [0, 9, 0, 12]), frame(0, 9, 60, 29));
        assert_eq!(found(60, 50, [5, 0, 0, 0]), frame(5, 0, 55, 50));
        assert_eq!(found(60, 50, [5, 6, 7, 8]), frame(5, 6, 48, 36));
        assert_eq!(found(60, 50, [0; 4]), None);
        assert_eq!(found(60, 50, [0, 1, 0, 0]), None, "one line");
        assert_eq!(found(60, 50, [0, 20, 0, 20]), None, "hardly anything inside");
        assert_eq!(Inside::find(&Picture::new(Rgb32FImage::new(40, 40))), None, "a flat picture");
    }
}
