//! Planes of numbers, and what metrics do with them.

use image::Rgb32FImage;

/// A plane of numbers, row by row.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f64>,
}

/// Red, green and blue.
pub(super) fn rgb(picture: &Rgb32FImage) -> [Plane; 3] {
    std::array::from_fn(|c| Plane {
        width: picture.width() as usize,
        height: picture.height() as usize,
        values: picture.pixels().map(|p| f64::from(p[c])).collect(),
    })
}

/// The weighted sum of three planes.
pub(super) fn mixed(planes: &[Plane; 3], weights: [f64; 3]) -> Plane {
    let at = |i: usize| planes.iter().zip(weights).map(|(plane, weight)| weight * plane.values[i]).sum();
    Plane { values: (0..planes[0].values.len()).map(at).collect(), ..planes[0] }
}

impl Plane {
    /// Means over blocks of 2 x 2; those at an odd border are smaller.
    pub fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mean = |i: usize| {
            let (top, left) = (2 * (i / width), 2 * (i % width));
            let rows = top..(top + 2).min(self.height);
            let columns = left..(left + 2).min(self.width);
            let count = rows.len() * columns.len();
            let block = rows.flat_map(|y| columns.clone().map(move |x| self.values[y * self.width + x]));
            block.sum::<f64>() / count as f64
        };
        Self { width, height, values: (0..width * height).map(mean).collect() }
    }

    /// The value at a place, 0 outside.
    pub fn at(&self, y: i64, x: i64) -> f64 {
        let (Ok(y), Ok(x)) = (usize::try_from(y), usize::try_from(x)) else { return 0.0 };
        if y < self.height && x < self.width { self.values[y * self.width + x] } else { 0.0 }
    }

    /// `f` of every place.
    pub fn map(&self, f: impl Fn(i64, i64) -> f64) -> Self {
        let place = |i: usize| f((i / self.width) as i64, (i % self.width) as i64);
        Self { values: (0..self.values.len()).map(place).collect(), ..*self }
    }
}
