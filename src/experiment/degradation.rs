//! Degradations by the reference's names and flags.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::degradation::{Degradation, Form, Mask, Psf};
use crate::error::{Error, Result};
use crate::picture::Picture;

/// Side and intensity of the random motion kernels of the reference.
const MOTION: (usize, f64) = (61, 0.5);

/// What happens to every picture of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The degradation's name.
    pub deg: Name,
    /// Its scale: factor of super-resolution, share of compressed sensing.
    pub deg_scale: f64,
    /// How it is inverted.
    pub operator_imp: Form,
    /// The known pixels of inpainting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
}

/// Names of degradations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Name {
    /// Walsh-Hadamard coefficients
    CsWalshhadamard,
    /// Random projections of blocks
    CsBlockbased,
    /// Unknown pixels
    Inpainting,
    /// Noise only
    Denoising,
    /// No colour
    Colorization,
    /// Means over blocks
    SrAveragepooling,
    /// Bicubic reduction
    SrBicubic,
    /// A box of 9 x 9
    DeblurUni,
    /// Five taps of a wide Gaussian
    DeblurGauss,
    /// A Gaussian wider across than down
    DeblurAniso,
    /// Another random camera shake for each picture
    MotionDeblur,
}

impl Name {
    /// The degradation of a name, and the scale that DDRM's names have in them.
    ///
    /// # Errors
    /// Unknown names.
    pub fn parse(text: &str) -> Result<(Self, Option<f64>)> {
        use clap::ValueEnum;
        let scaled = |start: &str| text.strip_prefix(start).and_then(|rest| rest.parse::<u32>().ok()).map(f64::from);
        Ok(match text {
            "deno" => (Self::Denoising, None),
            "inp" => (Self::Inpainting, None),
            "color" => (Self::Colorization, None),
            _ => match (Self::from_str(text, false), scaled("sr"), scaled("cs")) {
                (Ok(name), ..) => (name, None),
                (_, Some(factor), _) => (Self::SrAveragepooling, Some(factor)),
                (_, _, Some(divisor)) if divisor > 0.0 => (Self::CsWalshhadamard, Some(1.0 / divisor)),
                _ => {
                    let names: Vec<String> = Self::value_variants().iter().map(Self::to_string).collect();
                    return Err(Error::Mismatch {
                        what: format!("--deg {text}"),
                        fact: "no degradation has that name".into(),
                        remedy: format!("pass one of {}", names.join(", ")),
                    });
                }
            },
        })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        clap::ValueEnum::to_possible_value(self).map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl Measurement {
    /// The degradation of the picture `index`; `seed` fixes sampling patterns.
    ///
    /// # Errors
    /// Scales outside their range, forms that a degradation does not have, and inpainting without a mask.
    pub fn of_picture(&self, index: usize, seed: u64) -> Result<Degradation> {
        let Self { deg, deg_scale: scale, operator_imp: form, mask } = self;
        let (scale, form) = (*scale, *form);
        let out_of_range = |fact: &str| Error::parameter(&format!("--deg_scale of {deg}"), scale, fact);
        let factor = || match scale {
            s if s.fract() == 0.0 && (1.0..=64.0).contains(&s) => Ok(s as usize),
            _ => Err(out_of_range("it must be a whole number from 1 to 64, such as 4")),
        };
        let blur = |psf: Psf| Degradation::Deblur { psf, form };
        Ok(match deg {
            Name::Denoising => Degradation::Denoising,
            Name::Colorization => Degradation::Colorization,
            Name::Inpainting => Degradation::Inpainting {
                mask: mask.clone().ok_or_else(|| Error::Mismatch {
                    what: "--deg inpainting".into(),
                    fact: "it needs to know the holes".into(),
                    remedy: "put them at EXP/inp_masks/mask.npy, or pass --mask FILE".into(),
                })?,
            },
            Name::SrAveragepooling => Degradation::SrAveragepooling { scale: factor()? },
            Name::SrBicubic => Degradation::SrBicubic { scale: factor()?, form },
            Name::DeblurUni => blur(Psf::REFERENCE_UNIFORM),
            Name::DeblurGauss => blur(Psf::REFERENCE_GAUSSIAN),
            Name::DeblurAniso => blur(Psf::REFERENCE_ANISOTROPIC),
            Name::MotionDeblur if form == Form::Svd => {
                return Err(Error::Mismatch {
                    what: "--operator_imp SVD".into(),
                    fact: "a random motion kernel is not separable".into(),
                    remedy: "pass --operator_imp FFT".into(),
                });
            }
            // The reference seeds its kernels with ten times the index, too.
            Name::MotionDeblur => blur(Psf::Random { size: MOTION.0, intensity: MOTION.1, seed: 10 * index as u64 }),
            Name::CsWalshhadamard | Name::CsBlockbased if !(scale > 0.0 && scale <= 1.0) => {
                return Err(out_of_range("it must be a share above 0 and at most 1, such as 0.25"));
            }
            // As the reference rounds it.
            Name::CsWalshhadamard => Degradation::CsWalshhadamard { ratio: 1.0 / (1.0 / scale).round(), seed },
            Name::CsBlockbased => Degradation::CsBlockbased { ratio: scale, seed },
        })
    }

    /// Whether every picture has a degradation of its own, so that they cannot be restored in one batch.
    pub fn differs_by_picture(&self) -> bool {
        self.deg == Name::MotionDeblur
    }
}

/// Reads the known pixels of inpainting: an array of NumPy that is 0 where they are missing, or a picture that is dark there.
///
/// # Errors
/// Files that are neither, masks of another size than `side` x `side`, and masks that leave nothing to do.
pub fn read_mask(path: &Path, side: usize, inverted: bool) -> Result<Mask> {
    let refuse =
        |fact: String, remedy: &str| Error::Mismatch { what: path.display().to_string(), fact, remedy: remedy.into() };
    let is_array = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
    let (height, width, known) = if is_array {
        read_array(path)?
    } else {
        let picture = Picture::read(path)?;
        let known = picture.luminance().into_iter().map(|v| v >= 0.5).collect();
        (picture.height(), picture.width(), known)
    };
    if [height, width] != [side, side] {
        return Err(refuse(format!("the mask is {width}x{height}, but pictures are {side}x{side}"), "resize the mask"));
    }
    let count = known.iter().filter(|&&known| known != inverted).count();
    if count == 0 || count == known.len() {
        let fact = format!("it leaves {} pixel unknown", if count == 0 { "every" } else { "no" });
        return Err(refuse(
            fact,
            "mark known pixels with 1 or white, missing ones with 0 or black, or pass --invert-mask",
        ));
    }
    Ok(Mask::from_fn(height, width, |y, x| known[y * width + x] != inverted))
}

/// Height, width and which numbers are not 0, of a two-dimensional array.
fn read_array(path: &Path) -> Result<(usize, usize, Vec<bool>)> {
    let refuse = |fact: String| Error::Mismatch {
        what: path.display().to_string(),
        fact,
        remedy: "save a two-dimensional array of numbers with numpy.save".into(),
    };
    let bytes = std::fs::read(path).map_err(|e| Error::Unreadable { path: path.into(), reason: e.to_string() })?;
    let array = npyz::NpyFile::new(&bytes[..]).map_err(|e| refuse(format!("it is no array of NumPy ({e})")))?;
    let shape: Vec<u64> = array.shape().iter().copied().filter(|&n| n != 1).collect();
    let (&[height, width], order) = (&shape[..], array.order()) else {
        return Err(refuse(format!("it has the shape {:?}", array.shape())));
    };
    let (height, width) = (height as usize, width as usize);
    let dtype = array.dtype();
    // Any type of numbers will do.
    macro_rules! read {
        ($($number:ty),*) => {
            [$( array_of::<$number>(&bytes).map(|values| values.into_iter().map(|v| v != <$number>::default()).collect()) ),*]
        };
    }
    let found: Option<Vec<bool>> =
        read!(bool, u8, i8, u16, i16, u32, i32, u64, i64, f32, f64).into_iter().flatten().next();
    let known = found.ok_or_else(|| refuse(format!("its type is {}", dtype.descr())))?;
    if known.len() != height * width {
        return Err(refuse("it is cut off".into()));
    }
    let transposed = |i: usize| known[i % width * height + i / width];
    Ok(match order {
        npyz::Order::C => (height, width, known),
        npyz::Order::Fortran => (height, width, (0..known.len()).map(transposed).collect()),
    })
}

/// The numbers of an array, if they are of that type.
fn array_of<T: npyz::Deserialize>(bytes: &[u8]) -> Option<Vec<T>> {
    npyz::NpyFile::new(bytes).ok()?.into_vec().ok()
}

/// Where the reference keeps its mask.
pub fn mask_place(exp: &Path) -> PathBuf {
    exp.join("inp_masks").join("mask.npy")
}
