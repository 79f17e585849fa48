//! Pixels of a blurred photo that its kernel did not make: lamps brighter than white, captions, dates, dust, dead pixels. Deblurring would put
//! rings around them, so that nothing is known of them, and they stay as they are (Cho, Wang and Lee, "Handling outliers in non-blind image
//! deconvolution", ICCV 2011).

use burn::tensor::{Device, Tensor, TensorData, module::max_pool2d, ops::MaxPoolOptions};
use image::{GenericImageView as _, ImageBuffer, Luma, Rgb};

use super::RestoreConfig;
use super::receipt::ROUNDING;
use super::region::Region;
use crate::error::{Error, Result};
use crate::picture::{Picture, is_white};
use crate::sampler::Data;

/// Where more is white it is paper or sky, whose edges are known.
const MOST_LIGHT: f64 = 0.03;
/// Fewer white pixels in a row or column are glints, which the kernel explains.
const LEAST_LIGHT: u32 = 2;
/// Reach of a light's surroundings in pixels: at least, and at most.
const REACH_OF_LIGHT: [usize; 2] = [3, 16];
/// What is further from what a result measures than so many times the noise is no noise.
const FAR: f64 = 6.0;
/// Less than this of a `[0, 1]` image, or than so many times the noise, of a first result is not worth another run.
const FAR_AT_FIRST: f64 = 0.08;
const TIMES_AT_FIRST: f64 = 10.0;
/// Rings around an outlier are at most this share of it.
const RINGS: f64 = 0.4;

/// Pixels of a photo that nothing is known of.
pub(super) struct Outliers {
    /// Share of each pixel that stays as it is; nothing is known where it is not 0.
    shares: Vec<f32>,
    size: [usize; 2],
    /// Pixels that were found, without their surroundings.
    pub core: usize,
}

impl Outliers {
    /// The lamps and reflections of a photo that were brighter than white, and their surroundings, if it has any.
    pub fn lights(photo: &Picture, config: &RestoreConfig) -> Option<Self> {
        let kernel = config.degradation.single_blur()?;
        if config.method.needs(config.sigma).exact_data {
            return None;
        }
        let radius = kernel.height.max(kernel.width) / 2;
        let reach = (radius / 2).clamp(REACH_OF_LIGHT[0], REACH_OF_LIGHT[1]);
        let (width, height) = photo.pixels().dimensions();
        let is_bright = |x: u32, y: u32| {
            photo.pixels().in_bounds(x, y) && photo.pixels().get_pixel(x, y).0.iter().all(|&v| is_white(v))
        };
        let is_light = |i: usize| {
            let (x, y) = (i as u32 % width, i as u32 / width);
            // Inside a square of white pixels.
            let square = |left: u32, top: u32| {
                (0..LEAST_LIGHT * LEAST_LIGHT).all(|i| is_bright(left + i % LEAST_LIGHT, top + i / LEAST_LIGHT))
            };
            let starts = |at: u32| at.saturating_sub(LEAST_LIGHT - 1)..=at;
            starts(y).any(|top| starts(x).any(|left| square(left, top)))
        };
        Self::around(is_light, [height as usize, width as usize], reach)
            .filter(|lights| lights.core as f64 <= MOST_LIGHT * lights.shares.len() as f64)
    }

    /// The pixels where a residual `y - A x`, `[1, c, h, w]` of a `[-1, 1]` image, is no noise of standard deviation `sigma` of a `[0, 1]` image,
    /// if there are any.
    ///
    /// Of a first result only those that are not much smaller than the largest within `reach`: the others may be its rings.
    pub fn unexplained(residual: Tensor<4>, sigma: f64, reach: Option<usize>) -> Result<Option<Self>> {
        let ([_, _, height, width], device) = (residual.dims(), residual.device());
        let samples = |x: Tensor<4>| x.try_into_vec_as::<f32>().map_err(|e| Error::no_result(&device, e));
        let largest = residual.abs().max_dim(1);
        let around = match reach {
            Some(reach) => {
                let along = |x: Tensor<4>, reach: [usize; 2]| {
                    let options = MaxPoolOptions::new(reach.map(|reach| 2 * reach + 1)).with_stride([1, 1]);
                    max_pool2d(x, options.with_padding(reach))
                };
                samples(along(along(largest.clone(), [reach, 0]), [0, reach]) * RINGS)?
            }
            None => vec![0.0; height * width],
        };
        let largest = samples(largest)?;
        let noise = sigma.hypot(ROUNDING);
        let far = if reach.is_some() { FAR_AT_FIRST.max(TIMES_AT_FIRST * noise) } else { FAR * noise };
        let far = 2.0 * far as f32;
        Ok(Self::around(|i| largest[i] > far && largest[i] >= around[i], [height, width], 1))
    }

    /// Pixels and their surroundings, which fade into what is known, if there are any.
    fn around(is_meant: impl Fn(usize) -> bool, [height, width]: [usize; 2], reach: usize) -> Option<Self> {
        let mut shares = vec![0.0; height * width];
        let mut edge: Vec<usize> = (0..height * width).filter(|&i| is_meant(i)).collect();
        if edge.is_empty() {
            return None;
        }
        let core = edge.len();
        edge.iter().for_each(|&i| shares[i] = 1.0);
        for step in 1..=reach {
            let neighbours = |i: usize| {
                let (x, y) = (i % width, i / width);
                let left = (x > 0).then(|| i - 1);
                let right = (x + 1 < width).then_some(i + 1);
                let above = (y > 0).then(|| i - width);
                let below = (y + 1 < height).then_some(i + width);
                [left, right, above, below].into_iter().flatten()
            };
            let mut grown = Vec::new();
            for i in edge.into_iter().flat_map(neighbours) {
                if shares[i] == 0.0 {
                    shares[i] = 1.0 - step as f32 / (reach + 1) as f32;
                    grown.push(i);
                }
            }
            edge = grown;
        }
        Some(Self { shares, size: [height, width], core })
    }

    /// None in a photo of `size` (height, width).
    pub fn none(size: [usize; 2]) -> Self {
        Self { shares: vec![0.0; size[0] * size[1]], size, core: 0 }
    }

    /// Those in a rectangle of the photo, if there are any.
    pub fn within(&self, region: &Region) -> Option<Self> {
        let rows = (region.top..region.top + region.height).map(|y| y * self.size[1] + region.left);
        let shares: Vec<f32> = rows.flat_map(|start| &self.shares[start..start + region.width]).copied().collect();
        let core = shares.iter().filter(|share| **share == 1.0).count();
        shares.iter().any(|share| *share > 0.0).then_some(Self { shares, size: [region.height, region.width], core })
    }

    /// These, and others of a rectangle of the photo, where its result is what is shown.
    pub fn with_those_of(mut self, region: &Region, others: &Self) -> Self {
        let [down, across] = region.weights(self.size);
        for (y, row) in others.shares.chunks_exact(region.width).enumerate().filter(|(y, _)| down[*y] == 1.0) {
            let start = (region.top + y) * self.size[1] + region.left;
            for (x, other) in row.iter().enumerate().filter(|(x, _)| across[*x] == 1.0) {
                let own = &mut self.shares[start + x];
                self.core += usize::from(*own < 1.0 && *other == 1.0);
                *own = own.max(*other);
            }
        }
        self
    }

    /// Whether a pixel was found, row by row.
    pub fn is_core(&self) -> impl Fn(usize, usize) -> bool + '_ {
        move |x, y| self.shares[y * self.size[1] + x] == 1.0
    }

    /// The share of the photo that nothing is known of.
    pub fn share(&self) -> f64 {
        self.shares.iter().filter(|share| **share > 0.0).count() as f64 / self.shares.len() as f64
    }

    /// These, and others that were known before.
    pub fn with(mut self, others: Option<&Self>) -> Self {
        for (share, other) in self.shares.iter_mut().zip(others.into_iter().flat_map(|others| &others.shares)) {
            *share = share.max(*other);
        }
        self
    }

    /// The photo with colours from around in the place of outliers.
    pub fn hidden_in(&self, photo: &Picture) -> Picture {
        let mut hidden = photo.clone();
        let (width, height) = photo.pixels().dimensions();
        let opacity = |x: u32, y: u32| photo.extras.alpha.as_ref().map_or(1.0, |alpha| alpha.get_pixel(x, y)[0]);
        let is_unknown = |x: u32, y: u32| self.shares[(y * width + x) as usize] > 0.0;
        hidden.extras.alpha = Some(ImageBuffer::from_fn(width, height, |x, y| {
            Luma([if is_unknown(x, y) { 0.0 } else { opacity(x, y) }])
        }));
        Picture::new(hidden.spread().into_owned()).with_extras_of(photo, true)
    }

    /// The data with nothing known of outliers.
    pub fn unknown_in(&self, data: Data) -> Data {
        match data {
            Data::Exact(y) => Data::Partial { known: self.known(&y.device()), y },
            Data::Interval { y, low, high } => {
                let mask = self.known(&y.device()).equal_elem(0.0).expand(y.shape());
                let low = low.mask_fill(mask.clone(), f32::NEG_INFINITY);
                Data::Interval { low, high: high.mask_fill(mask, f32::INFINITY), y }
            }
            other @ (Data::Partial { .. } | Data::Set { .. }) => other,
        }
    }

    /// 1 where something is known, else 0, as `[1, 1, h, w]`.
    pub fn known(&self, device: &Device) -> Tensor<4> {
        let [height, width] = self.size;
        let known: Vec<f32> = self.shares.iter().map(|share| if *share > 0.0 { 0.0 } else { 1.0 }).collect();
        Tensor::from_data(TensorData::new(known, [1, 1, height, width]), device)
    }

    /// The restored picture with the photo's outliers, which fade into their surroundings.
    pub fn put_back(&self, photo: &Picture, restored: Picture) -> Picture {
        let mut pixels = restored.pixels().clone();
        let all = pixels.pixels_mut().zip(photo.pixels().pixels()).zip(&self.shares);
        for ((pixel, own), share) in all.filter(|(_, share)| **share > 0.0) {
            *pixel = Rgb([0, 1, 2].map(|c| share * own[c] + (1.0 - share) * pixel[c]));
        }
        Picture::new(pixels).with_extras_of(&restored, true)
    }
}
