//! What a photo and its file show of what happened to it.

use super::{NoiseEstimate, noise};
use crate::picture::Picture;

/// Compression at this quality or better leaves nothing that a restoration would gain.
const GOOD_QUALITY: u32 = 85;
/// A smaller share of pixels without a value is that of lamps and pupils.
const MUCH: f64 = 0.01;

/// One thing that was looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was found, in one clause.
    pub fact: String,
    /// The task that would treat it.
    pub task: Option<&'static str>,
}

/// What is found of noise, of compression and of pixels without a value. A blur, an enlargement and lost colours are not looked for.
pub fn diagnosis(photo: &Picture) -> Vec<Finding> {
    let compressed = compression(photo);
    let noise = of_noise(&noise(photo), compressed.as_ref().is_some_and(|found| found.task.is_some()));
    compressed.into_iter().chain([noise]).chain(cut_off(photo)).collect()
}

fn compression(photo: &Picture) -> Option<Finding> {
    let compression = photo.compression.as_ref()?;
    let quality = compression.quality();
    let share = match compression.sampling {
        [1, 1] => String::new(),
        [rows, columns] => format!(", colours for {rows}x{columns} pixels at a time"),
    };
    let is_low = quality < GOOD_QUALITY;
    let gain = if is_low { "" } else { ": good enough to be left alone" };
    Some(Finding {
        fact: format!("compressed by JPEG at a quality of about {quality}{share}{gain}"),
        task: is_low.then_some("jpeg"),
    })
}

/// The noise of a compressed picture is what JPEG made of it, which its own task treats.
fn of_noise(estimate: &NoiseEstimate, compressed: bool) -> Finding {
    if compressed {
        let fact = format!("its noise after compression is about {:.1}/255", estimate.sigma * 255.0);
        return Finding { fact, task: None };
    }
    Finding { fact: estimate.describe(), task: (!estimate.is_clean()).then_some("denoise") }
}

fn cut_off(photo: &Picture) -> Option<Finding> {
    const HALF_STEP: f32 = 0.5 / 255.0;
    let is_lost = |pixel: &&image::Rgb<f32>| pixel.0.iter().all(|v| *v <= HALF_STEP || *v >= 1.0 - HALF_STEP);
    let count = photo.pixels().pixels().filter(is_lost).count();
    let share = count as f64 / (photo.width() * photo.height()) as f64;
    (share >= MUCH).then(|| Finding {
        fact: format!(
            "{:.0}% of its pixels are black, white or of a pure colour, and say nothing of their light",
            100.0 * share
        ),
        task: None,
    })
}

#[cfg(test)]
mod tests {
    use image::{Rgb, Rgb32FImage};

    use super::*;
    use crate::noise::splitmix64;
    use crate::picture::Compression;

    fn noisy(strength: f32) -> Picture {
        Picture::new(Rgb32FImage::from_fn(128, 96, |x, y| {
            let at = |c: u64| splitmix64(u64::from(x) + 1000 * u64::from(y) + 1_000_000 * c) as f32 / u64::MAX as f32;
            Rgb([0, 1, 2].map(|c| 0.3 + 0.002 * x as f32 + strength * (at(c) - 0.5)))
        }))
    }

    #[test]
    fn noise_is_treated_where_there_is_some() {
        let tasks = |photo: &Picture| diagnosis(photo).into_iter().filter_map(|found| found.task).collect::<Vec<_>>();
        assert_eq!(tasks(&noisy(0.3)), ["denoise"]);
        assert_eq!(tasks(&noisy(0.0)), [""; 0]);
        let with = |quality| {
            let mut photo = noisy(0.3);
            photo.compression = Some(Compression::standard(quality));
            photo
        };
        assert_eq!(tasks(&with(30)), ["jpeg"]);
        assert_eq!(tasks(&with(95)), ["denoise"]);
    }

    #[test]
    fn pixels_without_a_value_are_counted() {
        let half = Picture::new(Rgb32FImage::from_fn(40, 40, |x, y| {
            Rgb(if x < 20 { [1.0; 3] } else { [0.3, 0.4, 0.01 * y as f32 + 0.1] })
        }));
        assert!(diagnosis(&half).iter().any(|found| found.fact.starts_with("50%")));
    }
}
