//! BM3D: "Image denoising by sparse 3-D transform-domain collaborative filtering" (K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, 2007), and of
//! colours as in "Color image denoising via sparse 3D collaborative filtering with grouping constraint in luminance-chrominance space" (2007).
//!
//! Patches that look alike are stacked and transformed together; of noise nothing stands out there. A first pass finds patches in the
//! noisy picture and sets weak coefficients to 0; a second one finds them in its result, and shrinks the coefficients of the noisy picture by
//! Wiener's factor `|b|² / (|b|² + sigma²)`, with the coefficients `b` of that result. Where patches overlap, their estimates are averaged,
//! weighted by how sparse they are. Where a better estimate of the picture is known, patches are compared in it.
//!
//! It knows what repeats in one picture, where a prior knows what pictures have in common, and errs elsewhere.

mod pass;
mod transform;

use pass::Pass;
use transform::{Patch, SIDE, Transform};

/// Shape of the window that patches are averaged with (Kaiser).
const BETA: f64 = 2.0;

/// A picture in planes of red, green and blue, or of one channel.
#[derive(Clone, Debug)]
pub struct Planes {
    /// The samples of each channel, row by row.
    pub channels: Vec<Vec<f32>>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// What is left of a picture of pixels in `[0, 1]` without white noise of standard deviation `sigma`; nothing of pictures that are smaller than a
/// patch of 8x8. Patches are compared in `guide`, one channel of the same size, where there is one. `proceed` is told after every step how many are
/// done of how many, and ends the work with nothing where it says no.
pub fn bm3d(
    noisy: &Planes,
    guide: Option<&[f32]>,
    sigma: f32,
    proceed: impl Fn(usize, usize) -> bool,
) -> Option<Planes> {
    if noisy.height < SIDE || noisy.width < SIDE {
        return None;
    }
    let (mut done, all) = (0, 2 * pass::steps(noisy.height));
    let mut step = || {
        done += 1;
        proceed(done, all)
    };
    let noisy = opponent(noisy, false);
    let window = kaiser();
    let transform = Transform::biorthogonal();
    let compared = guide.unwrap_or(&noisy.channels[0]);
    let basic = Pass { noisy: &noisy, basic: None, compared, transform, most: 16, sigma, window }.run(&mut step)?;
    let transform = Transform::cosine();
    let compared = guide.unwrap_or(&basic.channels[0]);
    let second = Pass { noisy: &noisy, basic: Some(&basic), compared, transform, most: 32, sigma, window };
    Some(opponent(&second.run(&mut step)?, true))
}

/// The same picture as mean and differences of its colours, by an orthonormal matrix, which leaves white noise white; or back.
fn opponent(planes: &Planes, back: bool) -> Planes {
    let [red, green, blue] = planes.channels.as_slice() else { return planes.clone() };
    let (a, b, c) = (1f32 / 3f32.sqrt(), 1f32 / 2f32.sqrt(), 1f32 / 6f32.sqrt());
    let matrix = [[a, a, a], [b, 0.0, -b], [c, -2.0 * c, c]];
    let entry = |i: usize, k: usize| if back { matrix[k][i] } else { matrix[i][k] };
    let channel = |i: usize| {
        let samples = red.iter().zip(green).zip(blue);
        samples.map(|((r, g), b)| entry(i, 0) * r + entry(i, 1) * g + entry(i, 2) * b).collect()
    };
    Planes { channels: (0..3).map(channel).collect(), ..*planes }
}

/// Kaiser's window of a patch.
fn kaiser() -> Patch {
    let bessel = |x: f64| {
        let mut term = 1.0;
        (1..20).fold(1.0, |sum, k| {
            term *= (x / (2.0 * f64::from(k))).powi(2);
            sum + term
        })
    };
    let last = (SIDE - 1) as f64;
    let value = |n: usize| bessel(BETA * (1.0 - (2.0 * n as f64 / last - 1.0).powi(2)).sqrt()) / bessel(BETA);
    std::array::from_fn(|i| (value(i / SIDE) * value(i % SIDE)) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_inverted() {
        for transform in [Transform::cosine(), Transform::biorthogonal()] {
            let patch: Patch = std::array::from_fn(|i| ((i * i * 37) % 101) as f32 / 100.0);
            let mut there = patch;
            transform.apply(&mut there);
            transform.undo(&mut there);
            assert!(patch.iter().zip(&there).all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }

    #[test]
    fn without_noise_nothing_changes() {
        let channel = |c: usize| (0..20 * 24).map(|i| ((i * 7 + c * 3) % 23) as f32 / 23.0).collect();
        let picture = Planes { channels: (0..3).map(channel).collect(), height: 20, width: 24 };
        let same = bm3d(&picture, None, 0.0, |_, _| true).unwrap();
        let pairs = picture.channels.iter().flatten().zip(same.channels.iter().flatten());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-4));
    }

    /// Of many equal patches none is left out, so that every pixel has an estimate.
    #[test]
    fn flat_areas_stay_flat() {
        let picture = Planes { channels: vec![vec![0.25; 60 * 60]; 3], height: 60, width: 60 };
        for sigma in [0.0, 0.05] {
            let same = bm3d(&picture, None, sigma, |_, _| true).unwrap();
            assert!(same.channels.iter().flatten().all(|value| (value - 0.25).abs() < 1e-4));
        }
    }

    #[test]
    fn small_pictures_and_those_that_are_stopped_give_nothing() {
        let of = |height: usize, width: usize| Planes { channels: vec![vec![0.5; height * width]], height, width };
        assert!(bm3d(&of(7, 100), None, 0.1, |_, _| true).is_none());
        assert!(bm3d(&of(8, 8), None, 0.1, |_, _| true).is_some());
        assert!(bm3d(&of(64, 64), None, 0.1, |_, _| false).is_none());
        let seen = std::cell::RefCell::new(Vec::new());
        let tell = |done: usize, all: usize| {
            seen.borrow_mut().push((done, all));
            true
        };
        assert!(bm3d(&of(200, 16), None, 0.1, tell).is_some());
        let all = seen.borrow().len();
        assert!(seen.into_inner().into_iter().eq((1..=all).map(|done| (done, all))));
    }
}
