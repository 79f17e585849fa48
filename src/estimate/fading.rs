//! Fading of a photo: what became of black and of white in each channel.

use serde::{Deserialize, Serialize};

use crate::picture::Picture;

/// Share of a channel's values that may be darker than its black, and as many brighter than its white.
const BEYOND: f64 = 0.005;
/// Black that is brighter, or white that is darker than this by itself is a choice of the photographer's.
const MOST: f32 = 0.45;
/// A channel of a smaller range than this is faded.
const FULL: f32 = 0.85;

/// Fading `y = black + (white - black) x` of each channel, of values in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fading {
    /// What became of 0.
    pub black: [f32; 3],
    /// What became of 1.
    pub white: [f32; 3],
}

impl Fading {
    /// What the darkest and the brightest values of each channel say, transparent pixels and bars aside; none where every channel has its
    /// full range.
    ///
    /// A photo of a dark room, or of fog, is faded by the same measure: only who knows the scene can tell.
    pub fn find(photo: &Picture) -> Option<Self> {
        let inside = super::Inside::find(photo);
        let content = inside.as_ref().map(|inside| inside.of(photo));
        let photo = content.as_ref().unwrap_or(photo);
        let hidden = photo.transparent().unwrap_or_default();
        let seen = photo.pixels().pixels().enumerate().filter(|(i, _)| !hidden.get(*i).copied().unwrap_or(false));
        let seen: Vec<[f32; 3]> = seen.map(|(_, pixel)| pixel.0).collect();
        if seen.is_empty() {
            return None;
        }
        let rank = (BEYOND * (seen.len() - 1) as f64).round() as usize;
        let ends = [0, 1, 2].map(|channel| {
            let mut values: Vec<f32> = seen.iter().map(|pixel| pixel[channel]).collect();
            values.sort_unstable_by(f32::total_cmp);
            [values[rank], values[values.len() - 1 - rank]]
        });
        let is_faded = ends.iter().any(|[black, white]| white - black < FULL);
        is_faded.then(|| Self {
            black: ends.map(|[black, _]| black.min(MOST)),
            white: ends.map(|[_, white]| white.max(1.0 - MOST)),
        })
    }

    /// The photo before it faded.
    pub fn undone(&self, photo: &Picture) -> Picture {
        photo.map_channels(|channel, value| {
            let (black, white) = (self.black[channel], self.white[channel]);
            ((value - black) / (white - black)).clamp(0.0, 1.0)
        })
    }

    /// What was found, in one clause.
    pub fn describe(&self) -> String {
        let levels = |values: [f32; 3]| values.map(|value| format!("{:.0}", 255.0 * value)).join(", ");
        format!(
            "faded: red, green and blue are {} where they were black, and {} where they were white, of 255",
            levels(self.black),
            levels(self.white)
        )
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, Rgb32FImage};

    use super::*;

    fn photo() -> Picture {
        Picture::new(Rgb32FImage::from_fn(64, 48, |x, y| {
            Rgb([x as f32 / 63.0, y as f32 / 47.0, ((x * 7 + y * 3) % 48) as f32 / 47.0])
        }))
    }

    #[test]
    fn fading_is_found_and_undone() {
        assert_eq!(Fading::find(&photo()), None, "the full range is there");
        let faded = Fading { black: [0.2, 0.15, 0.1], white: [0.9, 0.8, 0.65] };
        let old = photo().map_channels(|c, v| faded.black[c] + (faded.white[c] - faded.black[c]) * v);
        let found = Fading::find(&old).unwrap();
        for c in 0..3 {
            assert!(
                (found.black[c] - faded.black[c]).abs() < 0.02 && (found.white[c] - faded.white[c]).abs() < 0.02,
                "{found:?}"
            );
        }
        let (again, before) = (found.undone(&old), photo());
        let worst = again.pixels().iter().zip(before.pixels().iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 0.03, "{worst}");
    }

    #[test]
    fn what_has_hardly_a_range_is_not_made_into_noise() {
        let flat = Picture::new(Rgb32FImage::from_pixel(40, 40, Rgb([0.5, 0.5, 0.5])));
        let found = Fading::find(&flat).unwrap();
        assert!(found.white.iter().zip(found.black).all(|(white, black)| white - black > 0.09), "{found:?}");
    }
}
