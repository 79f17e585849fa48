//! Degradations by the reference's names and flags.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::degradation::inpainting::Inpainting;
use crate::degradation::{Context, Degradation, Form, Kind, Mask, Preset, Stage, preset, preset_names};
use crate::error::{Error, Hint, PathContext, Result, Setting, Subject};
use crate::parameter::Values;
use crate::picture::Picture;

/// The preset that needs a mask.
const INPAINTING: &str = "inpainting";
/// The preset whose ratio is one over a whole number.
const WALSH_HADAMARD: &str = "cs_walshhadamard";
/// The parameter that [`Form`] sets, where a kind of degradation has it.
const FORM: &str = "form";

/// The degradation of every picture of an experiment, by the reference's flags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedDegradation {
    /// Name of a [`Preset`], such as `deblur_gauss`.
    pub deg: String,
    /// Factor of super-resolution, sampling ratio of compressed sensing, or quality of JPEG; unused by the others.
    pub deg_scale: f64,
    /// How the operator is inverted.
    pub operator_imp: Form,
    /// The known pixels of inpainting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
}

/// The preset of a name, and the scale that is part of DDRM's names (`sr4`, `cs4`).
///
/// # Errors
/// Unknown names.
pub fn named(text: &str) -> Result<(&'static str, Option<f64>)> {
    let name = match text {
        "deno" => "denoising",
        "inp" => INPAINTING,
        "color" => "colorization",
        other => other,
    };
    if let Some((_, preset)) = preset(name) {
        return Ok((preset.name, None));
    }
    let numbered = |start: &str| text.strip_prefix(start).and_then(|rest| rest.parse::<u32>().ok()).map(f64::from);
    match (numbered("sr"), numbered("cs")) {
        (Some(factor), _) => Ok(("sr_averagepooling", Some(factor))),
        (_, Some(divisor)) if divisor > 0.0 => Ok((WALSH_HADAMARD, Some(1.0 / divisor))),
        _ => Err(unknown(text)),
    }
}

fn unknown(name: &str) -> Error {
    let names: Vec<&str> = preset_names().collect();
    let hint = format!("choose one of {}", names.join(", "));
    Error::mismatch(Subject::given(Setting::DEG, name), "no degradation has that name", hint)
}

impl NamedDegradation {
    /// The degradation of the picture `index`, of `side` x `side` pixels; `seed` fixes sampling patterns.
    ///
    /// # Errors
    /// Scales outside their range, forms that a degradation does not have, and inpainting without a mask.
    pub fn of_picture(&self, index: usize, side: usize, seed: u64) -> Result<Degradation> {
        let (kind, preset) = self.preset()?;
        if preset.name == INPAINTING {
            return Ok(Stage::Inpainting(Inpainting { mask: self.known_pixels()? }).into());
        }
        if preset.per_picture && self.operator_imp == Form::Svd {
            let hint = Hint::set(Setting::OPERATOR_IMP, "FFT");
            let subject = Subject::given(Setting::OPERATOR_IMP, "SVD");
            return Err(Error::mismatch(subject, "a random motion kernel is not separable", hint));
        }
        let mut values = Values::default();
        for (name, value) in preset.values {
            values.insert(*name, *value);
        }
        if kind.parameters.iter().any(|parameter| parameter.name == FORM) {
            values.insert(FORM, if self.operator_imp == Form::Svd { "svd" } else { "fft" });
        }
        if let Some(name) = preset.scale {
            values.insert(name, self.scale(kind, name)?);
        }
        // The reference also seeds the kernel of a picture with ten times its index.
        let seed = if preset.per_picture { 10 * index as u64 } else { seed };
        Ok((kind.parse)(&values, &Context { size: [side; 2], seed, ..Context::default() })?.into())
    }

    /// Whether each picture has its own degradation, so that pictures cannot share a batch.
    pub fn differs_by_picture(&self) -> bool {
        preset(&self.deg).is_some_and(|(_, preset)| preset.per_picture)
    }

    /// Whether the measurement has holes.
    pub fn has_holes(&self) -> bool {
        self.deg == INPAINTING
    }

    fn preset(&self) -> Result<(&'static Kind, &'static Preset)> {
        preset(&self.deg).ok_or_else(|| unknown(&self.deg))
    }

    fn known_pixels(&self) -> Result<Mask> {
        self.mask.clone().ok_or_else(|| {
            let place = Hint::from("put it at inp_masks/mask.npy in the experiment folder");
            let hint = place.or(Hint::Give(Setting::MASK));
            Error::mismatch(Subject::given(Setting::DEG, &self.deg), "it needs a mask of the holes", hint)
        })
    }

    /// The scale as text for the parameter `name`.
    fn scale(&self, kind: &Kind, name: &str) -> Result<String> {
        if let Some(parameter) = kind.parameters.iter().find(|parameter| parameter.name == name)
            && parameter.parse(&self.deg_scale.to_string()).is_err()
        {
            return Err(Error::parameter(Setting::DEG_SCALE, self.deg_scale, parameter.range()));
        }
        // Rounded as in the reference.
        let rounded = (self.deg == WALSH_HADAMARD).then(|| 1.0 / (1.0 / self.deg_scale).round());
        Ok(rounded.unwrap_or(self.deg_scale).to_string())
    }
}

/// Reads a mask for inpainting: a NumPy array that is 0 at missing pixels, or a picture that is below 0.5 there. `inverted`
/// swaps known and missing.
///
/// # Errors
/// Files that are neither, masks of another size than `side` x `side`, and masks without a known or without a missing pixel.
pub fn read_mask(path: &Path, side: usize, inverted: bool) -> Result<Mask> {
    let is_array = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
    let (height, width, known) = if is_array {
        known_of_array(&std::fs::read(path).reading(path)?, path)?
    } else {
        let picture = Picture::read(path)?;
        let known = picture.luminance().into_iter().map(|v| v >= 0.5).collect();
        (picture.height(), picture.width(), known)
    };
    if [height, width] != [side, side] {
        let fact = format!("the mask is {width}x{height}, but pictures are {side}x{side}");
        return Err(Error::mismatch(path, fact, "resize the mask"));
    }
    let count = known.iter().filter(|&&known| known != inverted).count();
    if count == 0 || count == known.len() {
        let fact = format!("it leaves {} pixel unknown", if count == 0 { "every" } else { "no" });
        let hint = Hint::from("mark known pixels with 1 or white, missing ones with 0 or black");
        return Err(Error::mismatch(path, fact, hint.or(Hint::Give(Setting::INVERT_MASK))));
    }
    Ok(Mask::from_fn(height, width, |y, x| known[y * width + x] != inverted))
}

/// Height and width of a two-dimensional array in a file of NumPy, and which of its values are not 0, row by row; `path` is for messages.
///
/// # Errors
/// Bytes that are no such array.
pub fn known_of_array(bytes: &[u8], path: &Path) -> Result<(usize, usize, Vec<bool>)> {
    let refuse = |fact: String| Error::mismatch(path, fact, "save a two-dimensional array of numbers with numpy.save");
    if !has_plain_header(bytes) {
        return Err(refuse("its header is not that of a plain array".into()));
    }
    let array = npyz::NpyFile::new(bytes).map_err(|e| refuse(format!("it is not a NumPy array ({e})")))?;
    let shape: Vec<u64> = array.shape().iter().copied().filter(|&n| n != 1).collect();
    let (&[height, width], order) = (&shape[..], array.order()) else {
        return Err(refuse(format!("it has the shape {:?}", array.shape())));
    };
    let (height, width) = (height as usize, width as usize);
    let dtype = array.dtype();
    // Every numeric type is accepted.
    macro_rules! read {
        ($($number:ty),*) => {
            [$( array_of::<$number>(bytes).map(|values| values.into_iter().map(|v| v != <$number>::default()).collect()) ),*]
        };
    }
    let found: Option<Vec<bool>> =
        read!(bool, u8, i8, u16, i16, u32, i32, u64, i64, f32, f64).into_iter().flatten().next();
    let known = found.ok_or_else(|| refuse(format!("its type is {}", dtype.descr())))?;
    if height.checked_mul(width) != Some(known.len()) {
        return Err(refuse("it is cut off".into()));
    }
    let transposed = |i: usize| known[i % width * height + i / width];
    Ok(match order {
        npyz::Order::C => (height, width, known),
        npyz::Order::Fortran => (height, width, (0..known.len()).map(transposed).collect()),
    })
}

/// Whether the brackets in the header of an array are those of a dictionary and a shape: the parser of the library takes time that doubles
/// with every bracket within others, and files may hold hundreds.
fn has_plain_header(bytes: &[u8]) -> bool {
    /// A dictionary, and a tuple in it.
    const DEEPEST: usize = 2;
    // After the magic number: a version, and the length of the header in two or four bytes.
    let (length, start) = match bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        _ => return true,
    };
    if start + length > bytes.len() {
        return false;
    }
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in bytes.iter().skip(start).take(length) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest <= DEEPEST
}

/// The values of an array, if they are of that type.
fn array_of<T: npyz::Deserialize>(bytes: &[u8]) -> Option<Vec<T>> {
    npyz::NpyFile::new(bytes).ok()?.into_vec().ok()
}

/// Where the reference keeps its mask, below the experiment folder.
pub fn mask_place(exp: &Path) -> PathBuf {
    exp.join("inp_masks").join("mask.npy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ddrm_are_understood() {
        for (text, name, scale) in [
            ("deno", "denoising", None),
            ("inp", "inpainting", None),
            ("color", "colorization", None),
            ("sr4", "sr_averagepooling", Some(4.0)),
            ("cs4", "cs_walshhadamard", Some(0.25)),
            ("deblur_gauss", "deblur_gauss", None),
        ] {
            assert_eq!(named(text).unwrap(), (name, scale));
        }
        for text in ["sharpen", "cs0", "sr", ""] {
            assert!(named(text).is_err(), "{text}");
        }
    }

    #[test]
    fn settings_keep_the_references_names() {
        let text = r#"{"deg":"deblur_gauss","deg_scale":0.0,"operator_imp":"fft"}"#;
        let named: NamedDegradation = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&named).unwrap(), text);
        assert!(!named.differs_by_picture());
    }

    #[test]
    fn every_preset_has_a_degradation() {
        for name in preset_names() {
            let deg_scale = if name.starts_with("cs") { 0.25 } else { 4.0 };
            let mask = Some(Mask::from_fn(64, 64, |y, x| (x + y) % 3 > 0));
            let named = NamedDegradation { deg: name.into(), deg_scale, operator_imp: Form::Fft, mask };
            let [first, second] = [0, 1].map(|index| named.of_picture(index, 64, 7).unwrap());
            assert_eq!(first != second, named.differs_by_picture(), "{name}");
        }
    }
}
