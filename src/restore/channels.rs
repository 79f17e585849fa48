//! How the noise of the channels is related, and the mixture of channels that makes it white.

use burn::tensor::Device;
use nalgebra::{Matrix3, SymmetricEigen, Vector3};
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

    /// Whether a covariance is one: symmetric, without negative variances, of mean variance 1. Digits may be rounded.
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

    /// What white noise of the strongest direction's variance has beyond this noise: `(I - C / c)^(1/2)` with the covariance `C` and its
    /// largest eigenvalue `c`.
    pub(super) fn beyond(&self, size: [usize; 2], device: &Device) -> Option<ChannelMix> {
        let covariance = match self {
            Self::Independent => return None,
            Self::Gray => &[[1.0; 3]; 3],
            Self::Correlated(covariance) => covariance,
        };
        let eigen = eigen(covariance);
        let largest = eigen.eigenvalues.max();
        let missing = eigen.eigenvalues.map(|variance| (1.0 - variance.max(0.0) / largest).max(0.0).sqrt());
        Some(mixture(&eigen.eigenvectors, &missing, size, device))
    }

    /// The mixture after which noise of standard deviation `sigma` of a `[0, 1]` image is white, of that standard deviation.
    pub(super) fn mix(&self, sigma: f64, size: [usize; 2], device: &Device) -> Option<ChannelMix> {
        match self {
            Self::Independent => None,
            Self::Gray => Some(ChannelMix::new(&[vec![1.0 / 3.0; 3]], size, device)),
            Self::Correlated(covariance) => {
                let eigen = eigen(covariance);
                let least = if sigma > 0.0 { (ROUNDING / sigma).powi(2).min(1.0) } else { 1.0 };
                let whitened = eigen.eigenvalues.map(|variance| variance.max(least).sqrt().recip());
                Some(mixture(&eigen.eigenvectors, &whitened, size, device))
            }
        }
    }
}

/// The mixture with those eigenvectors and eigenvalues.
fn mixture(vectors: &Matrix3<f64>, values: &Vector3<f64>, size: [usize; 2], device: &Device) -> ChannelMix {
    let matrix = vectors * Matrix3::from_diagonal(values) * vectors.transpose();
    let rows: Vec<Vec<f64>> = matrix.row_iter().map(|row| row.iter().copied().collect()).collect();
    ChannelMix::new(&rows, size, device)
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
}
