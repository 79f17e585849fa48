//! Whether a photo was enlarged by interpolation, from its cosine transform.
//!
//! Interpolation leaves, beyond the highest frequency of the picture that it was made of, weak mirror images of what is below:
//! coefficients at the same distance on both sides have opposite signs more often than not, at the side of the original picture.

use rustdct::DctPlanner;

use crate::picture::Picture;

/// Larger sides are cut to this around the middle.
const LARGEST: usize = 1024;
/// Smaller sides say too little.
const SMALLEST: usize = 96;
/// Pairs of coefficients that are compared around each place.
const REACH: usize = 12;
/// Share of opposite signs of photos that were never enlarged: at most this.
const CHANCE: f64 = 0.62;
/// An enlargement leaves its mark at this share of the places, at most.
const FEW: f64 = 0.1;
/// Weaker places that may be the original side, where the strongest is a multiple of it.
const CLOSE: f64 = 0.05;
/// Factors that are looked for.
const FACTORS: std::ops::Range<f64> = 1.1..6.0;
/// Compression below this quality hides the mirror images.
const FAITHFUL: u32 = 92;
/// Blocks of 8 pixels leave mirror images at every eighth of a side, up to this share of it.
const BESIDE_BLOCKS: f64 = 0.015;
/// Factors of both directions differ by no more than this.
const SAME: f64 = 0.03;

/// The factor by which a photo was enlarged, if it was.
pub fn enlargement(photo: &Picture) -> Option<f64> {
    let is_compressed = photo.compression.is_some();
    if photo.compression.as_ref().is_some_and(|compression| compression.quality() < FAITHFUL) {
        return None;
    }
    let luminance = photo.luminance();
    let (height, width) = (photo.height().min(LARGEST), photo.width().min(LARGEST));
    let (top, left) = ((photo.height() - height) / 2, (photo.width() - width) / 2);
    if height.min(width) < SMALLEST {
        return None;
    }
    let at = |y: usize, x: usize| f64::from(luminance[(top + y) * photo.width() + left + x]);
    let mut values: Vec<f64> = (0..height * width).map(|i| at(i / width, i % width)).collect();
    let mut planner = DctPlanner::new();
    let rows = planner.plan_dct2(width);
    values.chunks_exact_mut(width).for_each(|row| rows.process_dct2(row));
    let mut turned = transposed(&values, width);
    let columns = planner.plan_dct2(height);
    turned.chunks_exact_mut(height).for_each(|column| columns.process_dct2(column));
    let down = factor(&turned, height, is_compressed)?;
    let across = factor(&transposed(&turned, height), width, is_compressed)?;
    ((down / across - 1.0).abs() <= SAME).then(|| {
        let mean = (down * across).sqrt();
        // To a whole number where it is one, up to the rounding of sides.
        if (mean - mean.round()).abs() < 0.01 * mean { mean.round() } else { mean }
    })
}

fn transposed(values: &[f64], width: usize) -> Vec<f64> {
    let height = values.len() / width;
    (0..values.len()).map(|i| values[i % height * width + i / height]).collect()
}

/// The factor along rows of `length` coefficients; what blocks of 8 pixels may have left is no sign if `is_compressed`.
fn factor(coefficients: &[f64], length: usize, is_compressed: bool) -> Option<f64> {
    let rows = coefficients.len() / length;
    let opposite = |place: usize| {
        let pairs = coefficients.chunks_exact(length).map(|row| {
            let differs = |i: &usize| row[place - i].is_sign_negative() != row[place + i].is_sign_negative();
            (1..=REACH).filter(differs).count()
        });
        pairs.sum::<usize>() as f64 / (rows * REACH) as f64
    };
    let places = (length as f64 / FACTORS.end).ceil() as usize..(length as f64 / FACTORS.start) as usize;
    let places = places.start.max(REACH + 1)..places.end.min(length - REACH);
    let is_clear = |place: &usize| {
        let eighths = 8.0 * *place as f64 / length as f64;
        !is_compressed || (eighths - eighths.round()).abs() > 8.0 * BESIDE_BLOCKS
    };
    let shares: Vec<(usize, f64)> = places.filter(is_clear).map(|place| (place, opposite(place))).collect();
    // Drawings and patterns have opposite signs in many places, an interpolation in few.
    let common = shares.iter().filter(|(_, share)| *share > CHANCE).count();
    if common as f64 > FEW * shares.len() as f64 {
        return None;
    }
    let strongest = shares.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    let found = shares.iter().find(|(_, share)| *share > CHANCE && *share >= strongest - CLOSE)?;
    // The peak beside it.
    let peak = shares.iter().filter(|(place, _)| place.abs_diff(found.0) <= 2).max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(length as f64 / peak.0 as f64)
}
