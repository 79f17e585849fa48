//! Linear degradations `y = A x + n`.
//!
//! Images are `[batch, channel, height, width]`, RGB, in `[-1, 1]`; `n` is white noise of standard deviation `sigma_y` in
//! the same units (`sigma_y = 0.05` of a `[0, 1]` image is `0.1` here).
//!
//! A [`Degradation`] says which operator, in a form that recipes store; [`Degradation::build`] makes the operator for one
//! image size. A new operator is one file, one variant, and one line in [`examples`], where every law then tests it.

mod average_pooling;
mod block_sensing;
mod colorization;
mod convolution;
mod denoising;
mod inpainting;
pub mod psf;
mod separable;
mod valid_convolution;
mod walsh_hadamard;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use average_pooling::AveragePooling;
pub use block_sensing::BlockSensing;
pub use colorization::Colorization;
pub use convolution::Convolution;
pub use denoising::Denoising;
pub use inpainting::{Inpainting, Mask};
pub use psf::Psf;
pub use separable::Separable;
pub use valid_convolution::ValidConvolution;
pub use walsh_hadamard::WalshHadamard;

/// A degradation the samplers can invert, for one image size.
pub trait LinearOperator {
    /// Height and width of the images `x`.
    fn image_size(&self) -> [usize; 2];
    /// `A x`.
    fn apply(&self, x: Tensor<4>) -> Tensor<4>;
    /// `Aᵀ y`, so that `⟨A x, y⟩ = ⟨x, Aᵀ y⟩`.
    fn adjoint(&self, y: Tensor<4>) -> Tensor<4>;
    /// `Aᵀ P y` (DDPG, arXiv:2312.16519, eq. 14).
    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4>;
    /// `Aᵀ (A Aᵀ + eta I)⁻¹ y`, `eta >= 0`; the pseudo-inverse `A⁺ y` at 0 (DDPG, eq. 9).
    fn regularized_inverse(&self, y: Tensor<4>, eta: f64) -> Tensor<4> {
        self.preconditioned_adjoint(y, Preconditioner { eta, inverse: 1.0, identity: 0.0 })
    }
    /// The singular value decomposition, where it is at hand.
    fn spectral(&self) -> Option<&dyn Spectral> {
        None
    }
}

/// `P = p (A Aᵀ + eta I)⁻¹ + q I`: between a back-projection and least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preconditioner {
    /// `eta >= 0`; at 0 the inverse is 0 where `A Aᵀ` is.
    pub eta: f64,
    /// `p`.
    pub inverse: f64,
    /// `q`.
    pub identity: f64,
}

impl Preconditioner {
    /// What `P` multiplies components by that `A Aᵀ` multiplies by `power > 0`.
    fn gain(&self, power: f64) -> f64 {
        self.inverse / (power + self.eta) + self.identity
    }
}

/// An operator whose singular value decomposition `A = U Σ Vᵀ` is at hand.
pub trait Spectral: LinearOperator {
    /// Singular values of one channel (of a pixel for colorization), descending.
    fn singular_values(&self) -> Vec<f32>;
    /// `V f(Σ) Vᵀ x`: components of `x` times `f` of their singular value, and times `f(0)` where `A` sees nothing.
    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4>;
}

/// [`Spectral::filter`] of an operator whose singular values are all `s`: `f(0) x + (f(s) - f(0)) / s² Aᵀ A x`.
fn filter_flat(a: &dyn LinearOperator, s: f64, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
    let seen = a.adjoint(a.apply(x.clone())) * ((f(s) - f(0.0)) / (s * s));
    if f(0.0) == 0.0 { seen } else { seen + x * f(0.0) }
}

/// How a blur or bicubic kernel is inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Separable matrices and their singular values; reflective border for super-resolution, zero border for blur.
    Svd,
    /// Circular convolution through the Fourier transform.
    Fft,
}

/// Which degradation, with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Degradation {
    /// `A = I`.
    Denoising,
    /// The weighted mean of red, green and blue.
    Colorization,
    /// Unknown pixels.
    Inpainting {
        /// Which pixels are known.
        mask: Mask,
    },
    /// Bicubic reduction by `scale`.
    SrBicubic {
        /// Factor of both sides.
        scale: usize,
        /// How it is inverted.
        form: Form,
    },
    /// Mean over blocks of `scale` x `scale`.
    SrAveragepooling {
        /// Factor of both sides.
        scale: usize,
    },
    /// Convolution with a point spread function.
    Deblur {
        /// The kernel.
        psf: Psf,
        /// How it is inverted.
        form: Form,
    },
    /// Some coefficients of the orthonormal Walsh-Hadamard transform.
    CsWalshhadamard {
        /// Share of the coefficients kept, in (0, 1].
        ratio: f64,
        /// Seed of the choice.
        seed: u64,
    },
    /// Random orthonormal measurements of 32 x 32 blocks.
    CsBlockbased {
        /// Measurements per pixel, in (0, 1].
        ratio: f64,
        /// Seed of the measurement matrix.
        seed: u64,
    },
}

impl Degradation {
    /// The operator for images of `height` x `width`.
    ///
    /// # Errors
    /// Sizes that do not fit the degradation, and parameters outside their range.
    pub fn build(&self, height: usize, width: usize, device: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(match self {
            Self::Denoising => Box::new(Denoising::new(height, width)),
            Self::Colorization => Box::new(Colorization::new(height, width, device)),
            Self::Inpainting { mask } => Box::new(Inpainting::new(mask, height, width, device)?),
            Self::SrBicubic { scale, form } => {
                check_scale(*scale, height, width)?;
                match form {
                    Form::Svd => Box::new(Separable::bicubic(*scale, height, width, device)),
                    Form::Fft => Box::new(Convolution::bicubic(*scale, height, width, device)?),
                }
            }
            Self::SrAveragepooling { scale } => {
                check_scale(*scale, height, width)?;
                Box::new(AveragePooling::new(*scale, height, width))
            }
            Self::Deblur { psf, form: Form::Fft } => Box::new(Convolution::new(&psf.kernel()?, height, width, device)?),
            Self::Deblur { psf, form: Form::Svd } => {
                let (vertical, horizontal) = psf.factors()?;
                Box::new(Separable::blur(&vertical, &horizontal, height, width, device))
            }
            Self::CsWalshhadamard { ratio, seed } => {
                check_ratio(*ratio)?;
                let order = walsh_hadamard::permutation(height * width, *seed);
                Box::new(WalshHadamard::new(&order, *ratio, height, width, device))
            }
            Self::CsBlockbased { ratio, seed } => {
                check_ratio(*ratio)?;
                Box::new(BlockSensing::new(*ratio, *seed, height, width, device))
            }
        })
    }
}

fn check_scale(scale: usize, height: usize, width: usize) -> Result<()> {
    if !(1..=64).contains(&scale) {
        return Err(Error::parameter("scale", scale, "it must be between 1 and 64"));
    }
    if !height.is_multiple_of(scale) || !width.is_multiple_of(scale) {
        return Err(Error::Mismatch {
            what: format!("{width}x{height}"),
            fact: format!("the scale {scale} does not divide both sides"),
            remedy: format!("crop it to {}x{}, or choose another scale", width / scale * scale, height / scale * scale),
        });
    }
    Ok(())
}

fn check_ratio(ratio: f64) -> Result<()> {
    if ratio > 0.0 && ratio <= 1.0 {
        return Ok(());
    }
    Err(Error::parameter("ratio", ratio, "it must be above 0 and at most 1"))
}

/// One example of every operator at the given size (multiples of 4), by the reference's names; the laws run over these.
///
/// # Errors
/// As [`Degradation::build`].
pub fn examples(height: usize, width: usize, device: &Device) -> Result<Vec<(String, Box<dyn LinearOperator>)>> {
    let mask = Mask::from_fn(height, width, |y, x| (y * 7 + x * 3) % 5 != 0);
    let motion = Psf::Random { size: 2 * (height.min(width) / 4) + 1, intensity: 0.5, seed: 7 };
    let deblur = |psf: &Psf, form| Degradation::Deblur { psf: psf.clone(), form };
    let listed = [
        ("denoising", Degradation::Denoising),
        ("colorization", Degradation::Colorization),
        ("inpainting", Degradation::Inpainting { mask }),
        ("sr_averagepooling", Degradation::SrAveragepooling { scale: 4 }),
        ("sr_bicubic_svd", Degradation::SrBicubic { scale: 4, form: Form::Svd }),
        ("sr_bicubic_fft", Degradation::SrBicubic { scale: 4, form: Form::Fft }),
        ("sr_bicubic_x2", Degradation::SrBicubic { scale: 2, form: Form::Svd }),
        ("deblur_uni_svd", deblur(&Psf::REFERENCE_UNIFORM, Form::Svd)),
        ("deblur_uni_fft", deblur(&Psf::REFERENCE_UNIFORM, Form::Fft)),
        ("deblur_gauss_svd", deblur(&Psf::REFERENCE_GAUSSIAN, Form::Svd)),
        ("deblur_gauss_fft", deblur(&Psf::REFERENCE_GAUSSIAN, Form::Fft)),
        ("deblur_aniso_svd", deblur(&Psf::REFERENCE_ANISOTROPIC, Form::Svd)),
        ("deblur_aniso_fft", deblur(&Psf::REFERENCE_ANISOTROPIC, Form::Fft)),
        ("motion_deblur_fft", deblur(&motion, Form::Fft)),
        ("cs_walshhadamard", Degradation::CsWalshhadamard { ratio: 0.25, seed: 3 }),
        ("cs_blockbased", Degradation::CsBlockbased { ratio: 0.25, seed: 3 }),
    ];
    listed.into_iter().map(|(name, d)| Ok((name.to_owned(), d.build(height, width, device)?))).collect()
}
