//! Rectangles of a large photo that are restored anew, and fade into the rest.

use burn::tensor::{Tensor, TensorData};

/// Sides of the blocks in which pixels are gathered.
const BLOCK: usize = 64;
/// Pixels at a rectangle's border that are not used, and those over which it fades into the rest: as in windows of the prior.
const UNUSED: usize = 16;
const FADE: usize = 32;
/// Pixels around those that rectangles are about, beside the reach of what they change.
const AROUND: usize = UNUSED + FADE + 16;
/// Rectangles of more than this share of a photo are all of it.
const MOST: f64 = 0.5;

/// A rectangle of a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    /// Columns before it.
    pub left: usize,
    /// Rows above it.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Region {
    /// All of a photo.
    pub fn whole([height, width]: [usize; 2]) -> Self {
        Self { left: 0, top: 0, width, height }
    }

    /// Whether it is all of a photo.
    pub fn is_whole(&self, size: [usize; 2]) -> bool {
        *self == Self::whole(size)
    }

    /// Rectangles of a photo of `size` (height, width) that have no pixel in common, with all pixels (x, y) that `is_meant`, and `reach` and
    /// more pixels around them: all of the photo where they are most of it.
    pub fn around(is_meant: impl Fn(usize, usize) -> bool, size: [usize; 2], reach: usize) -> Vec<Self> {
        let [height, width] = size;
        let around = reach + AROUND;
        let mut regions: Vec<Self> = Vec::new();
        for (top, left) in (0..height).step_by(BLOCK).flat_map(|y| (0..width).step_by(BLOCK).map(move |x| (y, x))) {
            let (bottom, right) = ((top + BLOCK).min(height), (left + BLOCK).min(width));
            if (top..bottom).any(|y| (left..right).any(|x| is_meant(x, y))) {
                let (left, top) = (left.saturating_sub(around), top.saturating_sub(around));
                let [right, bottom] = [(right, width), (bottom, height)].map(|(end, side)| (end + around).min(side));
                let mut region = Self { left, top, width: right - left, height: bottom - top };
                while let Some(other) = regions.iter().position(|other| other.meets(&region)) {
                    region = region.hull(&regions.swap_remove(other));
                }
                regions.push(region);
            }
        }
        let pixels: usize = regions.iter().map(|region| region.width * region.height).sum();
        if pixels as f64 > MOST * (width * height) as f64 { vec![Self::whole(size)] } else { regions }
    }

    fn ends(&self) -> [usize; 2] {
        [self.left + self.width, self.top + self.height]
    }

    fn meets(&self, other: &Self) -> bool {
        let ([right, bottom], [other_right, other_bottom]) = (self.ends(), other.ends());
        self.left < other_right && other.left < right && self.top < other_bottom && other.top < bottom
    }

    fn hull(&self, other: &Self) -> Self {
        let ([right, bottom], [other_right, other_bottom]) = (self.ends(), other.ends());
        let (left, top) = (self.left.min(other.left), self.top.min(other.top));
        Self { left, top, width: right.max(other_right) - left, height: bottom.max(other_bottom) - top }
    }

    /// The image `[b, c, h, w]` of which the upper left `size` (height, width) is a photo, with `part` of the photo in the rectangle, which fades
    /// into the rest.
    pub fn pasted(&self, image: Tensor<4>, part: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        let ([b, c, _, _], device) = (image.dims(), image.device());
        let fade = |start: usize, length: usize, side: usize| -> Vec<f32> {
            let inner = |distance: usize| ((distance as f32 - UNUSED as f32 + 0.5) / FADE as f32).clamp(0.0, 1.0);
            let before = move |i: usize| if start == 0 { 1.0 } else { inner(i) };
            let after = move |i: usize| if start + length == side { 1.0 } else { inner(length - 1 - i) };
            (0..length).map(|i| before(i) * after(i)).collect()
        };
        let down = TensorData::new(fade(self.top, self.height, size[0]), [1, 1, self.height, 1]);
        let across = TensorData::new(fade(self.left, self.width, size[1]), [1, 1, 1, self.width]);
        let weights = Tensor::<4>::from_data(down, &device) * Tensor::<4>::from_data(across, &device);
        let place = [0..b, 0..c, self.top..self.top + self.height, self.left..self.left + self.width];
        let before = image.clone().slice(place.clone());
        image.slice_assign(place, before.clone() + (part - before) * weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn every_pixel_that_is_meant_has_its_surroundings_in_one_rectangle() {
        let size = [900, 1500];
        let meant = [(3, 5), (150, 5), (1490, 890), (700, 450), (705, 451), (1100, 300)];
        let regions = Region::around(|x, y| meant.contains(&(x, y)), size, 20);
        assert_eq!(regions.len(), 4, "{regions:?}");
        for (x, y) in meant {
            let holders = |(x, y): (usize, usize)| {
                let holds = |r: &&Region| (r.left..r.ends()[0]).contains(&x) && (r.top..r.ends()[1]).contains(&y);
                regions.iter().filter(holds).collect::<Vec<_>>()
            };
            let own = holders((x, y));
            assert_eq!(own.len(), 1, "({x}, {y})");
            let corners = [(x.saturating_sub(84), y.saturating_sub(84)), ((x + 84).min(1499), (y + 84).min(899))];
            assert!(corners.into_iter().all(|corner| holders(corner) == own), "({x}, {y})");
        }
        assert!(Region::around(|_, _| false, size, 20).is_empty());
    }

    #[test]
    fn most_of_a_photo_is_all_of_it() {
        let size = [300, 400];
        assert_eq!(Region::around(|x, y| (x, y) == (200, 150), size, 20), [Region::whole(size)]);
    }

    #[test]
    fn parts_fade_into_the_rest_and_reach_the_border() {
        let device = device::cpu(String::new()).device;
        let size = [200, 300];
        let region = Region { left: 0, top: 40, width: 150, height: 160 };
        let part = Tensor::<4>::ones([1, 1, region.height, region.width], &device);
        let pasted = region.pasted(Tensor::zeros([1, 1, 208, 304], &device), part, size);
        let pasted = pasted.into_data().try_to_vec::<f32>().unwrap();
        let at = |x: usize, y: usize| pasted[y * 304 + x];
        assert_eq!([at(0, 199), at(50, 150), at(0, 88)], [1.0; 3]);
        assert_eq!([at(149, 100), at(20, 41), at(50, 200), at(200, 100)], [0.0; 4]);
        let fading: Vec<f32> = (100..150).map(|x| at(x, 150)).collect();
        assert!(fading.windows(2).all(|pair| pair[0] >= pair[1] && pair[0] - pair[1] < 0.04), "{fading:?}");
    }
}
