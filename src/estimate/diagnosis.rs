//! What a photo and its file show of what happened to it, and what would undo it.

use super::{BlurEstimate, Confidence, Inside, NoiseEstimate, blur, enlargement, noise};
use crate::parameter::Values;
use crate::picture::{Picture, is_cut_off};

/// Compression at this quality or better leaves nothing that is seen, and hardly anything that a restoration would gain.
const GOOD_QUALITY: u32 = 85;
/// A smaller share of pixels without a value is that of lamps and pupils.
const MUCH: f64 = 0.01;
/// Weaker noise may be fine texture.
const NOISY: f64 = 2.0 / 255.0;

/// Everything that was looked for and found in a photo.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// What was found, what should be treated first first.
    pub findings: Vec<Finding>,
    /// Its noise.
    pub noise: NoiseEstimate,
    /// Its blur.
    pub blur: Option<BlurEstimate>,
    /// What is inside bars of one colour around it.
    pub inside: Option<Inside>,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was found, in one clause.
    pub fact: String,
    /// What would undo it.
    pub treatment: Option<Treatment>,
    /// How far it is to be trusted.
    pub confidence: Confidence,
}

/// A task with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Treatment {
    /// The task.
    pub task: &'static str,
    /// Its parameters.
    pub values: Values,
    /// The factor by which the photo has to be reduced first, where it was enlarged.
    pub enlarged: Option<f64>,
}

impl Treatment {
    fn of(task: &'static str) -> Self {
        Self { task, values: Values::default(), enlarged: None }
    }
}

impl Finding {
    fn remark(fact: String) -> Self {
        Self { fact, treatment: None, confidence: Confidence::High }
    }
}

impl Diagnosis {
    /// Looks for bars, a blur, an enlargement, compression, noise, and pixels without a value; not for lost colours and scratches.
    pub fn of(photo: &Picture) -> Self {
        let inside = Inside::find(photo);
        let content = inside.as_ref().map(|inside| inside.of(photo));
        let whole = photo;
        let photo = content.as_ref().unwrap_or(photo);
        let noise = noise(photo);
        let enlarged = enlargement(photo);
        // Interpolation blurs, too.
        let blur = if enlarged.is_some() { None } else { blur(photo, &noise) };
        let blurred = blur.as_ref().map(of_blur);
        let is_treated = blurred.as_ref().is_some_and(|found| found.confidence == Confidence::High);
        let compressed = compression(whole, is_treated);
        let noisy = of_noise(&noise, compressed.as_ref().is_some_and(|found| found.treatment.is_some()), is_treated);
        let found = blurred.into_iter().chain(enlarged.map(of_enlargement)).chain(compressed).chain([noisy]);
        let findings = found.chain(inside.as_ref().map(|inside| of_bars(whole, inside))).chain(cut_off(photo));
        Self { findings: findings.collect(), noise, blur, inside }
    }

    /// What should be done first, if anything is surely wrong.
    pub fn treatment(&self) -> Option<(&Finding, &Treatment)> {
        let sure = self.findings.iter().filter(|found| found.confidence != Confidence::None);
        // An uncertain level of noise does little harm unless it is texture; an uncertain blur does.
        let noisy = self.noise.sigma >= NOISY;
        let trusted = |found: &&Finding| {
            let is_noise = found.treatment.as_ref().is_some_and(|treatment| treatment.task == "denoise");
            found.confidence == Confidence::High || is_noise && noisy
        };
        sure.filter(trusted).find_map(|found| Some((found, found.treatment.as_ref()?)))
    }

    /// What might be wrong where nothing surely is, or could not be judged.
    pub fn doubt(&self) -> Option<&Finding> {
        self.findings.iter().find(|found| found.treatment.is_some() || found.confidence == Confidence::None)
    }
}

fn of_blur(blur: &BlurEstimate) -> Finding {
    let values = Values::default().with("kernel", &blur.psf);
    let treatment = Treatment { values, ..Treatment::of("deblur") };
    Finding { fact: blur.describe(), treatment: Some(treatment), confidence: blur.confidence }
}

fn of_enlargement(factor: f64) -> Finding {
    let values = Values::default().with("scale", factor.ceil());
    Finding {
        fact: format!("enlarged by interpolation, by a factor of {factor:.2}"),
        treatment: Some(Treatment { values, enlarged: Some(factor), ..Treatment::of("sr") }),
        confidence: Confidence::High,
    }
}

fn compression(photo: &Picture, is_deblurred: bool) -> Option<Finding> {
    let compression = photo.compression.as_ref()?;
    let quality = compression.quality();
    let share = match compression.sampling {
        [1, 1] => String::new(),
        [rows, columns] => format!(", colours for {rows}x{columns} pixels at a time"),
    };
    let is_low = quality < GOOD_QUALITY;
    let gain = match is_low {
        false => ": good enough to be left alone",
        true if is_deblurred => ": deblurring takes it for noise",
        true => "",
    };
    Some(Finding {
        fact: format!("compressed by JPEG at a quality of about {quality}{share}{gain}"),
        treatment: (is_low && !is_deblurred).then(|| Treatment::of("jpeg")),
        confidence: Confidence::High,
    })
}

/// The noise of a compressed picture is what JPEG made of it, which its own task treats, as deblurring treats noise.
fn of_noise(estimate: &NoiseEstimate, is_compressed: bool, is_deblurred: bool) -> Finding {
    if is_compressed {
        let fact = format!("its noise after compression is about {:.1}/255", estimate.sigma * 255.0);
        return Finding { confidence: estimate.confidence, ..Finding::remark(fact) };
    }
    let treatment = (!estimate.is_clean() && !is_deblurred).then(|| Treatment::of("denoise"));
    Finding { fact: estimate.describe(), treatment, confidence: estimate.confidence }
}

fn of_bars(photo: &Picture, inside: &Inside) -> Finding {
    Finding::remark(format!(
        "bars of one colour around {}x{} pixels of its {}x{}",
        inside.width,
        inside.height,
        photo.width(),
        photo.height()
    ))
}

fn cut_off(photo: &Picture) -> Option<Finding> {
    let is_lost = |pixel: &&image::Rgb<f32>| pixel.0.iter().all(|&value| is_cut_off(value));
    let count = photo.pixels().pixels().filter(is_lost).count();
    let share = count as f64 / (photo.width() * photo.height()) as f64;
    (share >= MUCH).then(|| {
        let percent = 100.0 * share;
        Finding::remark(format!(
            "{percent:.0}% of its pixels are black, white or of a pure colour, and say nothing of their light"
        ))
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
        let tasks = |photo: &Picture| {
            Diagnosis::of(photo)
                .findings
                .into_iter()
                .filter_map(|found| Some(found.treatment?.task))
                .collect::<Vec<_>>()
        };
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
            Rgb(if (10..30).contains(&x) { [1.0; 3] } else { [0.3, 0.4, 0.01 * y as f32 + 0.1] })
        }));
        assert!(Diagnosis::of(&half).findings.iter().any(|found| found.fact.starts_with("50%")));
    }
}
