//! Rectangles of a large photo that are restored anew, and fade into the rest.

use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

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

    /// How much each row and each column of it counts in a photo of `size` (height, width): 1 inside and at the photo's border.
    pub fn weights(&self, size: [usize; 2]) -> [Vec<f32>; 2] {
        let along = |start: usize, length: usize, side: usize| -> Vec<f32> {
            let inner = |distance: usize| ((distance as f32 - UNUSED as f32 + 0.5) / FADE as f32).clamp(0.0, 1.0);
            let before = |i: usize| if start == 0 { 1.0 } else { inner(i) };
            let after = |i: usize| if start + length == side { 1.0 } else { inner(length - 1 - i) };
            (0..length).map(|i| before(i) * after(i)).collect()
        };
        [along(self.top, self.height, size[0]), along(self.left, self.width, size[1])]
    }

    /// The image `[b, c, h, w]` of which the upper left `size` (height, width) is a photo, with what an image `part` has in its upper left as the
    /// rectangle, which fades into the rest. Beyond the photo's border the light comes from the part as well: opposite ends of both images meet in
    /// their margins.
    pub fn pasted(&self, image: Tensor<4>, part: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        let device = image.device();
        let ([_, _, height, width], [_, _, part_height, part_width]) = (image.dims(), part.dims());
        let [down, across] = self.weights(size);
        let down = Along::new(self.top, &down, size[0], [height, part_height]);
        let across = Along::new(self.left, &across, size[1], [width, part_width]);
        let indices = |at: &[i32]| Tensor::<1, Int>::from_data(TensorData::from(at), &device);
        let [rows, columns] = [&down, &across].map(|along| indices(&along.of_image));
        let part = part.select(2, indices(&down.of_part)).select(3, indices(&across.of_part));
        let before = image.clone().select(2, rows.clone()).select(3, columns.clone());
        let (n, m) = (down.weights.len(), across.weights.len());
        let weights = Tensor::<4>::from_data(TensorData::new(down.weights, [1, 1, n, 1]), &device)
            * Tensor::<4>::from_data(TensorData::new(across.weights, [1, 1, 1, m]), &device);
        let change = (part - before) * weights;
        let [b, c, ..] = change.dims();
        let strip = Tensor::zeros([b, c, n, width], &device);
        let strip = strip.select_assign(3, columns, change, IndexingUpdateOp::Add);
        image.select_assign(2, rows, strip, IndexingUpdateOp::Add)
    }
}

/// Lines of an image and of a part that is pasted into it, along one axis.
struct Along {
    of_image: Vec<i32>,
    of_part: Vec<i32>,
    weights: Vec<f32>,
}

impl Along {
    /// Of a part with these `weights` from `start` on in a photo of `side`; `wholes` are the sides of the image and of the part with their margins, of
    /// which half belongs to either end.
    fn new(start: usize, weights: &[f32], side: usize, wholes: [usize; 2]) -> Self {
        let length = weights.len();
        let margin = (wholes[0] - side).min(wholes[1] - length) / 2;
        let before = if start == 0 { margin } else { 0 };
        let after = if start + length == side { margin } else { 0 };
        let lines = -(before as i64)..(length + after) as i64;
        let around = |first: usize, whole: usize| {
            lines.clone().map(move |i| (first as i64 + i).rem_euclid(whole as i64) as i32).collect()
        };
        Self {
            of_image: around(start, wholes[0]),
            of_part: around(0, wholes[1]),
            weights: lines.clone().map(|i| weights[i.clamp(0, length as i64 - 1) as usize]).collect(),
        }
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
        let size = [240, 320];
        assert_eq!(Region::around(|x, y| (x, y) == (150, 100), size, 20), [Region::whole(size)]);
    }

    #[test]
    fn parts_fade_into_the_rest_and_reach_the_border() {
        let device = device::cpu(String::new()).device;
        let size = [200, 300];
        let region = Region { left: 0, top: 40, width: 150, height: 160 };
        // The part has a margin of 12 rows and 20 columns, the image of 8 and 4.
        let part = Tensor::<4>::ones([1, 1, region.height + 12, region.width + 20], &device);
        let pasted = region.pasted(Tensor::zeros([1, 1, 208, 304], &device), part, size);
        let pasted = pasted.into_data().try_to_vec::<f32>().unwrap();
        let at = |x: usize, y: usize| pasted[y * 304 + x];
        assert_eq!([at(0, 199), at(50, 150), at(0, 88)], [1.0; 3]);
        // Light from below, and from beyond the left border, which meets the right one in the margin.
        assert_eq!([at(50, 203), at(303, 150), at(302, 203)], [1.0; 3]);
        assert_eq!([at(149, 100), at(20, 41), at(200, 100), at(50, 204), at(301, 150)], [0.0; 5]);
        let fading: Vec<f32> = (100..150).map(|x| at(x, 150)).collect();
        assert!(fading.windows(2).all(|pair| pair[0] >= pair[1] && pair[0] - pair[1] < 0.04), "{fading:?}");
    }
}
