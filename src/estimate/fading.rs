//! Fading of a photo: what became of black and of white in each channel.

use serde::{Deserialize, Serialize};

use crate::picture::Picture;

/// Share of a channel's values below its black, and share above its white.
const BEYOND: f64 = 0.005;
/// A channel of a smaller range than this is faded.
const FULL: f32 = 0.85;
/// A photo whose widest channel has a smaller range shows nothing of what it was.
const FLAT: f32 = 0.15;
/// The channel that faded most is widened at most so many times as much as the one that faded least: it may never have had a full range.
const UNEVEN: f32 = 2.5;
/// Smallest range of a channel, so that noise is not all that is left of it.
const LEAST: f32 = 0.05;
/// What is left free at both ends of the range while a photo is restored: nothing was cut off there.
const FREE: f32 = 0.01;

/// Fading `y = black + (white - black) x` of each channel, of values in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fading {
    /// What became of 0.
    pub black: [f32; 3],
    /// What became of 1.
    pub white: [f32; 3],
    /// What becomes 0 while the photo is restored: below all of its values, so that no shadow looks cut off.
    pub low: [f32; 3],
    /// What becomes 1: above all of its values.
    pub high: [f32; 3],
}

impl Fading {
    /// What the darkest and the brightest values of each channel say, transparent pixels and bars aside; none where every channel has its
    /// full range, or none has any.
    ///
    /// A photo of a dark room, or of fog, is faded by the same measure: only who knows the scene can tell.
    pub fn find(photo: &Picture) -> Option<Self> {
        let inside = super::Inside::find(photo);
        let content = inside.as_ref().map(|inside| inside.of(photo));
        let ends = ends(content.as_ref().unwrap_or(photo), BEYOND)?;
        let all = self::ends(photo, 0.0)?;
        let ranges = ends.map(|[black, white]| white - black);
        let widest = ranges.into_iter().fold(0.0, f32::max);
        let is_faded = ranges.iter().any(|range| *range < FULL);
        if widest < FLAT || !is_faded {
            return None;
        }
        let wide = ends.map(|[black, white]| {
            let missing = (widest / UNEVEN - (white - black)).max(0.0);
            [black - missing / 2.0, white + missing / 2.0]
        });
        let free = wide.map(|[black, white]| FREE * (white - black));
        Some(Self {
            black: wide.map(|[black, _]| black),
            white: wide.map(|[_, white]| white),
            low: [0, 1, 2].map(|c| wide[c][0].min(all[c][0] - free[c])),
            high: [0, 1, 2].map(|c| wide[c][1].max(all[c][1] + free[c])),
        })
    }

    /// Whether values can be brought back from it.
    pub fn is_plausible(&self) -> bool {
        let spread = |(low, high): (f32, f32)| low.abs() <= 2.0 && high.abs() <= 2.0 && high - low >= LEAST;
        let pairs = |one: [f32; 3], other: [f32; 3]| one.into_iter().zip(other);
        pairs(self.black, self.white).all(spread) && pairs(self.low, self.high).all(spread)
    }

    /// The photo with its contrast, for as long as it is restored: with all of its values, the brightest glint among them, between 0 and 1.
    pub fn stretched(&self, photo: &Picture) -> Picture {
        photo.map_channels(|c, value| (value - self.low[c]) / (self.high[c] - self.low[c]))
    }

    /// The photo before it faded, of one that is stretched.
    pub fn unfaded(&self, stretched: &Picture) -> Picture {
        stretched.map_channels(|c, value| {
            let value = self.low[c] + (self.high[c] - self.low[c]) * value;
            ((value - self.black[c]) / (self.white[c] - self.black[c])).clamp(0.0, 1.0)
        })
    }

    /// How much differences between values grow in the channel where they grow most, while it is restored.
    pub fn gain(&self) -> f64 {
        let ranges = self.low.into_iter().zip(self.high).map(|(low, high)| high - low);
        1.0 / f64::from(ranges.fold(f32::INFINITY, f32::min))
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

/// The values of each channel that a share of all is darker, and as much brighter than; none of a photo that is transparent throughout.
fn ends(photo: &Picture, beyond: f64) -> Option<[[f32; 2]; 3]> {
    let hidden = photo.transparent().unwrap_or_default();
    let seen = photo.pixels().pixels().enumerate().filter(|(i, _)| !hidden.get(*i).copied().unwrap_or(false));
    let seen: Vec<[f32; 3]> = seen.map(|(_, pixel)| pixel.0).collect();
    let last = seen.len().checked_sub(1)?;
    let rank = (beyond * last as f64).round() as usize;
    Some([0, 1, 2].map(|channel| {
        let mut values: Vec<f32> = seen.iter().map(|pixel| pixel[channel]).collect();
        let at = |values: &mut Vec<f32>, rank: usize| *values.select_nth_unstable_by(rank, f32::total_cmp).1;
        [at(&mut values, rank), at(&mut values, last - rank)]
    }))
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
        for (black, white) in [([0.2, 0.15, 0.1], [0.9, 0.8, 0.65]), ([0.1, 0.1, 0.1], [0.85, 0.65, 0.42])] {
            let old = photo().map_channels(|c, v| black[c] + (white[c] - black[c]) * v);
            let found = Fading::find(&old).unwrap();
            for c in 0..3 {
                assert!(
                    (found.black[c] - black[c]).abs() < 0.02 && (found.white[c] - white[c]).abs() < 0.02,
                    "{found:?}"
                );
            }
            let stretched = found.stretched(&old);
            assert!(stretched.pixels().iter().all(|v| (0.005..0.995).contains(v)), "nothing looks cut off");
            let (again, before) = (found.unfaded(&stretched), photo());
            let off = again.pixels().iter().zip(before.pixels().iter()).map(|(a, b)| (a - b).abs());
            assert!(off.clone().fold(0.0, f32::max) < 0.03);
            assert!((found.gain() - 1.0 / f64::from(white[2] - black[2])).abs() < 0.1, "{}", found.gain());
        }
    }

    #[test]
    fn what_has_no_range_is_left_alone() {
        for level in [0.0, 0.5, 1.0] {
            assert_eq!(Fading::find(&Picture::new(Rgb32FImage::from_pixel(40, 40, Rgb([level; 3])))), None);
        }
        // A channel without a range of its own does not get all of one.
        let warm = photo().map_channels(|c, v| if c == 2 { 0.1 + 0.01 * v } else { 0.1 + 0.6 * v });
        let found = Fading::find(&warm).unwrap();
        assert!(found.white[2] - found.black[2] > 0.2, "{found:?}");
    }

    #[test]
    fn levels_that_say_nothing_are_refused() {
        let fading = |black, white| Fading { black: [black; 3], white: [white; 3], low: [black; 3], high: [white; 3] };
        assert!(fading(0.1, 0.8).is_plausible());
        for (black, white) in [(0.5, 0.5), (0.8, 0.1), (f32::NAN, 1.0), (0.0, f32::INFINITY), (-1e30, 1e30)] {
            assert!(!fading(black, white).is_plausible(), "{black} {white}");
        }
    }
}
