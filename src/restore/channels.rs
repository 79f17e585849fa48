//! How the noise of the channels is related, and the mixture of channels that makes it white.

use burn::tensor::Device;
use nalgebra::{Matrix3, SymmetricEigen};
use serde::{Deserialize, Serialize};

use crate::degradation::ChannelMix;

/// How the noise of red, green and blue is related.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Independent, and of the same strength.
    #[default]
    Independent,
    /// It is one noise: the picture is grey, and what is measured is the mean of the channels.
    Gray,
    /// Its covariance is this times `sigma²`; the mean variance is 1.
    Correlated([[f64; 3]; 3]),
}

/// Least standard deviation of noise in any mixture of channels: that of rounding to 8 bits, of pixels in `[0, 1]`.
const ROUNDING: f64 = 0.289 / 255.0;

impl Channels {
    /// Whether there is nothing to mix.
    pub fn are_independent(&self) -> bool {
        *self == Self::Independent
    }

    /// Whether a covariance is one: finite, symmetric, without negative variances, of mean variance 1. Digits may be rounded.
    pub(super) fn are_plausible(&self) -> bool {
        const ROUNDED: f64 = 1e-2;
        let Self::Correlated(covariance) = self else { return true };
        let symmetric = (0..3).all(|i| (0..3).all(|j| (covariance[i][j] - covariance[j][i]).abs() <= ROUNDED));
        let mean = (0..3).map(|i| covariance[i][i]).sum::<f64>() / 3.0;
        symmetric && (mean - 1.0).abs() <= ROUNDED && eigen(covariance).eigenvalues.min() >= -ROUNDED
    }

    /// The largest standard deviation of the noise, over all directions of colour, where its mean over the channels is 1: what a
    /// denoiser of white noise has to take it for.
    pub fn strongest(&self) -> f64 {
        match self {
            Self::Independent => 1.0,
            // The same in three channels.
            Self::Gray => 3f64.sqrt(),
            Self::Correlated(covariance) => eigen(covariance).eigenvalues.max().max(0.0).sqrt(),
        }
    }

    /// The mixture after which noise of standard deviation `sigma` of a `[0, 1]` image is white, of that standard deviation; and what
    /// white noise as strong as its strongest direction `c` has beyond it: `(I - C / c)^(1/2)` with its covariance `C`.
    pub(super) fn mixtures(&self, sigma: f64, size: [usize; 2], device: &Device) -> Option<[ChannelMix; 2]> {
        let covariance = match self {
            Self::Independent => return None,
            Self::Gray => &[[1.0; 3]; 3],
            Self::Correlated(covariance) => covariance,
        };
        let eigen = eigen(covariance);
        let of_variances = |f: &dyn Fn(f64) -> f64| {
            let values = Matrix3::from_diagonal(&eigen.eigenvalues.map(f));
            let matrix = eigen.eigenvectors * values * eigen.eigenvectors.transpose();
            let rows: Vec<Vec<f64>> = matrix.row_iter().map(|row| row.iter().copied().collect()).collect();
            ChannelMix::new(&rows, size, device)
        };
        let least = if sigma > 0.0 { (ROUNDING / sigma).powi(2).min(1.0) } else { 1.0 };
        let white = match self {
            Self::Gray => ChannelMix::new(&[vec![1.0 / 3.0; 3]], size, device),
            _ => of_variances(&|variance| variance.max(least).sqrt().recip()),
        };
        let largest = eigen.eigenvalues.max();
        Some([white, of_variances(&|variance| (1.0 - variance.max(0.0) / largest).max(0.0).sqrt())])
    }
}

fn eigen(covariance: &[[f64; 3]; 3]) -> SymmetricEigen<f64, nalgebra::Const<3>> {
    SymmetricEigen::new(Matrix3::from_fn(|i, j| covariance[i][j]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_agree_where_descriptions_do() {
        let one = Channels::Correlated([[1.0; 3]; 3]);
        assert!((one.strongest() - Channels::Gray.strongest()).abs() < 1e-12);
        let white = Channels::Correlated([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert!((white.strongest() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_covariance_is_told() {
        let with = |i: usize, j: usize, value: f64| {
            let mut covariance = [[1.0, 0.2, 0.2], [0.2, 1.0, 0.2], [0.2, 0.2, 1.0]];
            covariance[i][j] = value;
            Channels::Correlated(covariance)
        };
        assert!(with(0, 0, 1.0).are_plausible() && Channels::Gray.are_plausible());
        for bad in [with(0, 0, 3.0), with(0, 1, 0.9), with(1, 1, f64::NAN), with(2, 2, f64::INFINITY)] {
            assert!(!bad.are_plausible(), "{bad:?}");
        }
        assert!(!Channels::Correlated([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).are_plausible());
    }
}
