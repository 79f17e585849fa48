//! Lamps and reflections that were brighter than white. A blurred one is not what its kernel makes of any picture, so that deblurring
//! would put rings around it: its surroundings are unknown, and it stays as it is.

use burn::tensor::{Bool, Tensor, TensorData};
use image::{GenericImageView as _, ImageBuffer, Luma, Rgb};

use super::RestoreConfig;
use crate::picture::{Picture, is_white};
use crate::sampler::Data;

/// More is paper or sky, whose edges are known.
const MOST: f64 = 0.03;
/// Fewer pixels in a row or column are glints, which the kernel explains.
const LEAST: u32 = 2;
/// Reach of the surroundings in pixels: at least, and at most.
const REACH: [usize; 2] = [3, 16];

/// The lights of a photo.
pub(super) struct Lights {
    /// Pixels from the closest light, up to the reach and one more.
    distances: Vec<usize>,
    reach: usize,
    size: [usize; 2],
}

impl Lights {
    /// Those of a photo that was blurred, and neither reduced nor mixed, if it has any.
    pub fn of(photo: &Picture, config: &RestoreConfig) -> Option<Self> {
        let kernel = config.degradation.single_blur()?;
        if config.method.needs(config.sigma).exact_data {
            return None;
        }
        let radius = kernel.height.max(kernel.width) / 2;
        let reach = (radius / 2).clamp(REACH[0], REACH[1]);
        let (width, height) = photo.pixels().dimensions();
        let is_bright = |x: u32, y: u32| {
            photo.pixels().in_bounds(x, y) && photo.pixels().get_pixel(x, y).0.iter().all(|&v| is_white(v))
        };
        let is_light = |x: u32, y: u32| {
            // Inside a square of white pixels.
            let square = |left: u32, top: u32| (0..LEAST * LEAST).all(|i| is_bright(left + i % LEAST, top + i / LEAST));
            let starts = |at: u32| at.saturating_sub(LEAST - 1)..=at;
            starts(y).any(|top| starts(x).any(|left| square(left, top)))
        };
        let mut edge: Vec<u32> = (0..height * width).filter(|i| is_light(i % width, i / width)).collect();
        if edge.is_empty() || edge.len() as f64 > MOST * f64::from(height * width) {
            return None;
        }
        let mut distances = vec![reach + 1; (height * width) as usize];
        edge.iter().for_each(|&i| distances[i as usize] = 0);
        for step in 1..=reach {
            let neighbours = |i: u32| {
                let (x, y) = (i % width, i / width);
                let inside =
                    [(x > 0, -1), (x + 1 < width, 1), (y > 0, -i64::from(width)), (y + 1 < height, width.into())];
                inside.into_iter().filter(|(inside, _)| *inside).map(move |(_, to)| (i64::from(i) + to) as u32)
            };
            let mut grown = Vec::new();
            for i in edge.into_iter().flat_map(neighbours) {
                if distances[i as usize] > step {
                    distances[i as usize] = step;
                    grown.push(i);
                }
            }
            edge = grown;
        }
        Some(Self { distances, reach, size: [height as usize, width as usize] })
    }

    /// The photo with colours from around in the place of lights, so that the classical estimate has no rings either.
    pub fn hidden_in(&self, photo: &Picture) -> Picture {
        let mut hidden = photo.clone();
        let (width, height) = photo.pixels().dimensions();
        let opacity = |x: u32, y: u32| photo.extras.alpha.as_ref().map_or(1.0, |alpha| alpha.get_pixel(x, y)[0]);
        let is_unknown = |x: u32, y: u32| self.distances[(y * width + x) as usize] <= self.reach;
        hidden.extras.alpha = Some(ImageBuffer::from_fn(width, height, |x, y| {
            Luma([if is_unknown(x, y) { 0.0 } else { opacity(x, y) }])
        }));
        Picture::new(hidden.spread().into_owned()).with_extras_of(photo, true)
    }

    /// The data with nothing known of lights and their surroundings.
    pub fn unknown_in(&self, data: Data) -> Data {
        let (y, low, high) = match data {
            Data::Exact(y) => (y.clone(), y.clone(), y),
            Data::Interval { y, low, high } => (y, low, high),
            set @ Data::Set { .. } => return set,
        };
        let [height, width] = self.size;
        let unknown: Vec<bool> = self.distances.iter().map(|distance| *distance <= self.reach).collect();
        let mask = Tensor::<4, Bool>::from_data(TensorData::new(unknown, [1, 1, height, width]), &y.device());
        let mask = mask.expand(y.shape());
        let low = low.mask_fill(mask.clone(), f32::NEG_INFINITY);
        Data::Interval { low, high: high.mask_fill(mask, f32::INFINITY), y }
    }

    /// The restored picture with the photo's lights, which fade into their surroundings.
    pub fn put_back(&self, photo: &Picture, restored: Picture) -> Picture {
        let width = self.size[1];
        let mut pixels = restored.pixels().clone();
        for (i, distance) in self.distances.iter().enumerate().filter(|(_, distance)| **distance <= self.reach) {
            let (x, y) = ((i % width) as u32, (i / width) as u32);
            let share = 1.0 - *distance as f32 / (self.reach + 1) as f32;
            let (light, inside) = (photo.pixels().get_pixel(x, y), pixels.get_pixel(x, y));
            let mixed = [0, 1, 2].map(|c| share * light[c] + (1.0 - share) * inside[c]);
            pixels.put_pixel(x, y, Rgb(mixed));
        }
        Picture::new(pixels).with_extras_of(&restored, true)
    }
}
