//! How far a restored picture agrees with its measurement.

use std::path::Path;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Measurement, RestoreConfig};
use crate::degradation::Family;
use crate::error::{Error, Hint, Result, Setting};
use crate::sampler::Data;

/// How far a restored picture agrees with its measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Root mean square of the residual `r = A x - nearest(A x)`, of pixels in `[0, 1]`; with the true picture it would be the noise.
    pub residual: f64,
    /// Mean correlation of `r` at neighbouring pixels: 0 for white noise, towards 1 where structure of the photo is left in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<f64>,
    /// Share of values outside what is known of them, where that is intervals or cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<f64>,
    /// Share of the photo that its degradation did not make, lights that are cut off at white not counted. Of all that is left as it is, and of its closest
    /// surroundings, the other numbers say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unexplained: Option<f64>,
    /// Network evaluations (NFE) of the run, and of the trials before it; those of a part of a large photo count like those of the whole.
    pub evaluations: usize,
}

/// Standard deviation of the rounding to 8 bits, of pixels in `[0, 1]`.
pub(super) const ROUNDING: f64 = 0.289 / 255.0;
/// Residuals up to this many times the noise are explained by it.
const EXPLAINED: f64 = 1.3;
/// White noise is correlated less than this.
const WHITE: f64 = 0.35;
/// `chi²` from which on a blur that was found is not that of the photo.
const MOST_LEFT: f64 = 4.0;
/// `chi²` below which noise that was found is none: of what is noise, more is taken away.
const LEAST_LEFT: f64 = 0.6;
/// A smaller share of values outside their cells is that of colours that the decoder cut off, and one of pixels that no blur made is that of dates and dust.
const FEW: f64 = 0.01;

impl Receipt {
    /// Of an image `x` with its margin, and the residual `r` that it is about.
    pub(super) fn of(
        measurement: &Measurement,
        data: &Data,
        x: Tensor<4>,
        evaluations: usize,
    ) -> Result<(Self, Tensor<4>)> {
        let device = x.device();
        let number = |value: Tensor<1>| -> Result<f64> {
            let values = value.try_into_vec_as::<f32>().map_err(|e| Error::no_result(&device, e))?;
            Ok(values.first().copied().unwrap_or(f32::NAN).into())
        };
        let ax = measurement.operator().apply(x);
        let outside = data.outside(ax.clone()).map(number).transpose()?;
        let residual = ax.clone() - data.nearest(ax);
        let mean_square = number(residual.clone().square().mean())?;
        let [_, _, height, width] = residual.dims();
        let neighbours = |dim: usize, length: usize| {
            let [one, next] = [0, 1].map(|start| residual.clone().narrow(dim, start, length - 1));
            number((one * next).mean())
        };
        let is_defined = height > 1 && width > 1 && mean_square > 0.0;
        let correlation = if is_defined {
            Some((neighbours(2, height)? + neighbours(3, width)?) / (2.0 * mean_square))
        } else {
            None
        };
        let receipt = Self { residual: mean_square.sqrt() / 2.0, correlation, outside, unexplained: None, evaluations };
        Ok((receipt, residual))
    }

    /// The same where nothing is known of a share of the photo, and the residual is 0 there.
    pub(super) fn of_known(self, unknown: f64) -> Self {
        Self { residual: self.residual / (1.0 - unknown).max(f64::EPSILON).sqrt(), ..self }
    }

    /// `chi²` of the residual: its mean square over that of the noise and of the rounding to 8 bits.
    pub fn chi_squared(&self, sigma: f64) -> f64 {
        (self.residual / sigma.hypot(ROUNDING)).powi(2)
    }

    /// Checks that what was found in a photo explains it: a wrong kernel leaves several times the noise, and of texture that was taken for
    /// noise much less than the noise is taken away.
    ///
    /// # Errors
    /// Findings that do not explain their photo, whose file `photo` is.
    pub fn check_found(&self, config: &RestoreConfig, photo: &Path) -> Result<()> {
        let chi = self.chi_squared(config.sigma);
        let too_far = match config.degradation.first_family() {
            Family::Blur { .. } if chi > MOST_LEFT => {
                format!("its chi² is {chi:.1}, and would be at most {MOST_LEFT} with the right blur")
            }
            Family::Blur { .. } if self.unexplained.is_some_and(|share| share > FEW) => {
                format!("{:.1}% of it are nothing that this blur makes", 100.0 * self.unexplained.unwrap_or_default())
            }
            Family::Noise if config.sigma > ROUNDING && chi < LEAST_LEFT => {
                format!("its chi² is {chi:.2}, and would be at least {LEAST_LEFT} if it were noise")
            }
            Family::Quantized { .. } if self.outside.is_some_and(|outside| outside > FEW) => {
                format!("{:.1}% of its values are outside their cells", 100.0 * self.outside.unwrap_or_default())
            }
            _ => return Ok(()),
        };
        let fact = format!("what was found does not explain it, so that nothing is written ({too_far})");
        let hint = Hint::Give(Setting::DEGRADATION);
        let hint = match config.psf() {
            Some(_) => hint.or(Hint::Give(Setting::KERNEL)),
            None => hint,
        };
        Err(Error::mismatch(photo, fact, hint))
    }

    /// Whether the photo could be a measurement of the restored picture with noise of standard deviation `sigma`, in words.
    pub fn describe(&self, sigma: f64) -> String {
        let words = self.agreement(sigma);
        match self.unexplained {
            Some(share) if share < 1e-4 => {
                format!("{words}, but for less than 0.01% of it, which the blur did not make")
            }
            Some(share) => format!("{words}, but for {:.2}% of it, which the blur did not make", 100.0 * share),
            None => words,
        }
    }

    /// The same of what is explained.
    fn agreement(&self, sigma: f64) -> String {
        // Noise moves values out of their cells.
        let share = self.outside.filter(|_| sigma < ROUNDING).map(|outside| 100.0 * outside);
        let chi = self.chi_squared(sigma);
        match (share, self.correlation) {
            (Some(share), _) if share <= 100.0 * FEW => {
                format!("consistent with the photo, {share:.2}% outside its cells")
            }
            (Some(share), _) => {
                format!("not consistent with the photo: {share:.1}% of its values are outside their cells")
            }
            (None, _) if chi.sqrt() > EXPLAINED => {
                format!(
                    "not consistent with the photo: it differs by {:.1} times the noise (chi² {chi:.2})",
                    chi.sqrt()
                )
            }
            (None, Some(correlation)) if correlation > WHITE && chi > 1.0 / EXPLAINED => {
                format!(
                    "hardly consistent with the photo: structure is left in what differs (chi² {chi:.2}, correlation {correlation:.2})"
                )
            }
            _ => format!("consistent with the photo (chi² {chi:.2})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_wrong_findings_do_not_explain_their_photos() {
        use crate::degradation::{Form, Psf, deblur::Deblur, denoising::Denoising};
        let receipt =
            |residual| Receipt { residual, correlation: None, outside: None, unexplained: None, evaluations: 1 };
        let explains =
            |residual, config: &RestoreConfig| receipt(residual).check_found(config, Path::new("a.png")).is_ok();
        let noisy = RestoreConfig::new(Denoising {}, 0.1);
        assert!(explains(0.097, &noisy) && !explains(0.02, &noisy), "texture is no noise");
        let blurred = RestoreConfig::new(Deblur { psf: Psf::gaussian(2.0), form: Form::Fft }, 0.01);
        assert!(explains(0.01, &blurred) && !explains(0.03, &blurred), "another kernel");
        let left = |share| Receipt { unexplained: Some(share), ..receipt(0.01) };
        let explains = |share| left(share).check_found(&blurred, Path::new("a.png")).is_ok();
        assert!(explains(0.005) && !explains(0.03), "edges are no dust");
        assert!(left(0.005).describe(0.01).contains("but for 0.50%"), "{}", left(0.005).describe(0.01));
    }

    #[test]
    fn words_follow_from_numbers() {
        let receipt = |residual, correlation, outside| Receipt {
            residual,
            correlation,
            outside,
            unexplained: None,
            evaluations: 1,
        };
        let is_consistent = |receipt: Receipt, sigma| receipt.describe(sigma).starts_with("consistent");
        assert!(is_consistent(receipt(0.05, Some(0.1), None), 0.05));
        assert!(is_consistent(receipt(0.0, None, None), 0.0), "exact");
        assert!(!is_consistent(receipt(0.08, Some(0.1), None), 0.05), "too far");
        assert!(!is_consistent(receipt(0.05, Some(0.6), None), 0.05), "structure is left");
        assert!(is_consistent(receipt(0.01, Some(0.6), Some(0.001)), 0.0));
        assert!(!is_consistent(receipt(0.01, Some(0.6), Some(0.1)), 0.0));
        assert!(is_consistent(receipt(0.04, Some(0.1), Some(0.8)), 0.05), "noise moves values out of their cells");
    }
}
