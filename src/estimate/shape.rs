//! Which blur a kernel is that was measured.

use rayon::prelude::*;

use super::edges;
use crate::psf::{Kernel, Psf};

/// Correlation with a disc, a Gaussian or a line from which on a measured kernel is one.
const ALIKE: f64 = 0.85;
/// Discs and Gaussians are tried so far apart, in pixels.
const STEP: f64 = 0.1;
/// Lines are tried so far apart, in degrees and as a share of their length.
const TURN: f64 = 3.0;
const LONGER: f64 = 0.06;

/// The disc, Gaussian or line that a measured kernel is, or the kernel itself where it is none of them.
pub(super) fn of(kernel: &Kernel) -> Psf {
    let side = kernel.height;
    let widest = side as f64 / 2.0;
    let steps = |from: f64, to: f64| (0..).map(move |i| from + STEP * f64::from(i)).take_while(move |&v| v <= to);
    let round = steps(0.6, widest / 2.0).map(Psf::gaussian);
    let discs = steps(1.0, widest).map(|radius| Psf::Disc { radius });
    let candidates: Vec<Psf> = round.chain(discs).chain(lines(kernel)).collect();
    let alike = candidates.into_par_iter().map(|psf| (likeness(kernel, &psf), psf));
    let best = alike.max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((correlation, psf)) if correlation >= ALIKE => psf.rounded(),
        _ => {
            let values = kernel.values.iter().map(|&v| v as f32).collect();
            Psf::Measured { height: side, width: side, values }
        }
    }
}

/// The correlation of a measured kernel with another.
pub(super) fn likeness(kernel: &Kernel, psf: &Psf) -> f64 {
    let side = kernel.height;
    psf.kernel().map_or(0.0, |other| edges::correlation(&cut(&other, side), &cut(kernel, side), side))
}

/// Lines along the longest axis of a kernel, about as long as its light is spread.
fn lines(kernel: &Kernel) -> Vec<Psf> {
    let middle = (kernel.height / 2) as f64;
    let moment = |of: fn(f64, f64) -> f64| -> f64 {
        let light = kernel.values.iter().enumerate();
        light.map(|(i, v)| v * of((i % kernel.width) as f64 - middle, middle - (i / kernel.width) as f64)).sum()
    };
    let (xx, yy, xy) = (moment(|x, _| x * x), moment(|_, y| y * y), moment(|x, y| x * y));
    let angle = 0.5 * (2.0 * xy).atan2(xx - yy).to_degrees();
    let variance = (xx + yy) / 2.0 + ((xx - yy) / 2.0).hypot(xy);
    // The variance of an even line of length l is l² / 12.
    let length = (12.0 * variance).sqrt();
    let around = |reach: i32| (-reach..=reach).map(f64::from);
    let of_length = |i: f64| (length * (1.0 + LONGER * i)).min(kernel.height as f64);
    around(5)
        .map(of_length)
        .filter(|&length| length >= 3.0)
        .flat_map(|length| around(3).map(move |turn| (length, turn)))
        .map(|(length, turn)| Psf::Motion { length, angle: angle + TURN * turn })
        .collect()
}

/// A kernel on `side` x `side` pixels.
fn cut(kernel: &Kernel, side: usize) -> Vec<f32> {
    let at = |i: usize, own: usize| (i + own / 2).checked_sub(side / 2).filter(|&i| i < own);
    let value = |i: usize| match (at(i / side, kernel.height), at(i % side, kernel.width)) {
        (Some(y), Some(x)) => kernel.values[y * kernel.width + x] as f32,
        _ => 0.0,
    };
    (0..side * side).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_recognised() {
        for psf in [Psf::gaussian(2.0), Psf::Disc { radius: 4.0 }, Psf::Motion { length: 15.0, angle: 30.0 }] {
            let kernel = psf.kernel().unwrap();
            let side = 31;
            let values = cut(&kernel, side).into_iter().map(f64::from).collect();
            let found = of(&Kernel { height: side, width: side, values });
            match (&psf, &found) {
                (Psf::Gaussian { sigma, .. }, Psf::Gaussian { sigma: found, .. }) => {
                    assert!((sigma - found).abs() < 0.11)
                }
                (Psf::Disc { radius }, Psf::Disc { radius: found }) => assert!((radius - found).abs() < 0.11),
                (Psf::Motion { length, angle }, Psf::Motion { length: l, angle: a }) => {
                    assert!((length - l).abs() < 1.0 && (angle - a).abs() < 2.0, "{l} {a}");
                }
                _ => panic!("{psf:?} was taken for {found:?}"),
            }
        }
        let shake = Psf::Random { size: 31, intensity: 0.9, seed: 5 }.kernel().unwrap();
        assert!(matches!(of(&shake), Psf::Measured { .. }));
    }
}
