//! Deblurring: convolution with a point spread function.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::psf::Kernel;
use super::{Convolution, Family, Form, Kind, LinearOperator, Preset, Psf, Separable, Stage, StageKind};
use crate::error::{Error, Hint, Result, Setting, Subject};
use crate::estimate::{self, Confidence};
use crate::parameter::{self, Parameter, Values};
use crate::picture::Picture;

/// Blurred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deblur {
    /// The point spread function.
    pub psf: Psf,
    /// How it is inverted.
    pub form: Form,
}

/// How a blur or a reduction is inverted.
pub(super) const FORM: Parameter = Parameter::new(
    "form",
    "inversion by singular values or by the Fourier transform",
    parameter::Kind::Choice(&["svd", "fft"]),
);

/// The form that was given.
pub(super) fn form(values: &Values) -> Result<Option<Form>> {
    let given = values.get("form").map(|text| FORM.parse(text)).transpose()?;
    Ok(given.map(|form| if form == "svd" { Form::Svd } else { Form::Fft }))
}

/// The kernel that is to be found in the photo.
const AUTO: &str = "auto";

/// Whether the kernel is to be found in the photo.
pub(crate) fn is_found(values: &Values) -> bool {
    values.get(KERNEL.name) == Some(AUTO)
}

const KERNEL: Parameter = Parameter::new(
    "kernel",
    "blur: auto (found in the photo), gauss:SIGMA[,SIZE], disc:RADIUS (out of focus), motion:LENGTH,ANGLE (degrees counter-clockwise), uniform:SIZE, aniso:SIGMA,SIGMA,SIZE, \
     random:SIZE,INTENSITY,SEED, or a picture of the kernel",
    parameter::Kind::Text("KERNEL"),
);

/// The kind.
pub static KIND: Kind = Kind {
    name: "deblur",
    task: "deblur",
    title: "Blurred",
    chosen_by: None,
    parameters: &[KERNEL, FORM],
    presets: &[
        Preset { values: &[("kernel", "uniform:9")], ..Preset::new("deblur_uni", "A box of 9 x 9") },
        Preset { values: &[("kernel", "gauss:10,5")], ..Preset::new("deblur_gauss", "Five taps of a wide Gaussian") },
        Preset {
            values: &[("kernel", "aniso:1,20,9")],
            ..Preset::new("deblur_aniso", "A Gaussian wider across than down")
        },
        Preset {
            values: &[("kernel", "random:61,0.5,SEED")],
            per_picture: true,
            ..Preset::new("motion_deblur", "Another random camera shake for each picture")
        },
    ],
    usual_sigma: None,
    parse: |values, context| {
        let kernel = values.get("kernel").ok_or_else(|| {
            let hint = Hint::set(Setting::KERNEL, AUTO).or(Hint::set(Setting::KERNEL, "gauss:1.6"));
            Error::mismatch(Setting::KERNEL, "deblurring needs to know the blur", hint)
        })?;
        let psf = match (kernel, context.damaged()) {
            (AUTO, Some(photo)) => estimated(photo)?,
            (AUTO, None) => {
                let fact = "a blur is found in the photo that it made, at that size, and in no other";
                let hint = Hint::set(Setting::KERNEL, "gauss:1.6");
                return Err(Error::mismatch(Subject::given(Setting::KERNEL, AUTO), fact, hint));
            }
            _ => parse_psf(&kernel.replace("SEED", &context.seed.to_string()))?,
        };
        Ok(Deblur { psf, form: form(values)?.unwrap_or(Form::Fft) }.into())
    },
    examples,
};

fn examples([height, width]: [usize; 2]) -> Vec<(&'static str, Stage)> {
    let stage = |psf: Psf, form| Deblur { psf, form }.into();
    let motion = Psf::Random { size: 2 * (height.min(width) / 4) + 1, intensity: 0.5, seed: 7 };
    vec![
        ("deblur_uni_svd", stage(Psf::REFERENCE_UNIFORM, Form::Svd)),
        ("deblur_uni_fft", stage(Psf::REFERENCE_UNIFORM, Form::Fft)),
        ("deblur_gauss_svd", stage(Psf::REFERENCE_GAUSSIAN, Form::Svd)),
        ("deblur_gauss_fft", stage(Psf::REFERENCE_GAUSSIAN, Form::Fft)),
        ("deblur_aniso_svd", stage(Psf::REFERENCE_ANISOTROPIC, Form::Svd)),
        ("deblur_aniso_fft", stage(Psf::REFERENCE_ANISOTROPIC, Form::Fft)),
        ("motion_deblur_fft", stage(motion, Form::Fft)),
    ]
}

impl StageKind for Deblur {
    fn family(&self) -> Family {
        Family::Blur { shaken: self.psf.is_path() }
    }

    fn check(&self, image: [usize; 3]) -> Result<[usize; 3]> {
        match self.form {
            Form::Fft => self.psf.kernel()?.check_fits(image[1], image[2])?,
            Form::Svd => drop(self.psf.factors()?),
        }
        Ok(image)
    }

    fn build(&self, image: [usize; 3], device: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(match self.form {
            Form::Fft => Box::new(Convolution::new(&self.psf.kernel()?, image, device)?),
            Form::Svd => {
                let (vertical, horizontal) = self.psf.factors()?;
                Box::new(Separable::blur(&vertical, &horizontal, image, device))
            }
        })
    }

    /// A regularised inverse with `eta = sigma_y / 2`, which came within 0.5 dB of the best one for blurs wider than a pixel, over
    /// kernels and noise from 0.002 to 0.1 of a `[0, 1]` image.
    fn classical_estimate(&self, operator: &dyn LinearOperator, y: Tensor<4>, sigma_y: f64) -> Result<Tensor<4>> {
        Ok(operator.regularized_inverse(y, (sigma_y / 2.0).max(1e-4)))
    }

    fn valid_kernel(&self) -> Result<Option<Kernel>> {
        match self.form {
            Form::Fft => self.psf.kernel().map(Some),
            Form::Svd => Ok(None),
        }
    }
}

/// The blur that a photo shows.
fn estimated(photo: &Picture) -> Result<Psf> {
    let inside = estimate::Inside::find(photo).map(|inside| inside.of(photo));
    let photo = inside.as_ref().unwrap_or(photo);
    let given = |hint: Hint| hint.or(Hint::set(Setting::KERNEL, "motion:15,30"));
    let subject = Subject::given(Setting::KERNEL, AUTO);
    match estimate::kernel(photo, &estimate::noise(photo)) {
        Some(found) if found.confidence == Confidence::High => Ok(found.psf),
        Some(found) => {
            let hint = match &found.psf {
                Psf::Measured { .. } => given(Hint::set(Setting::KERNEL, "gauss:1.6")),
                psf => given(Hint::set(Setting::KERNEL, psf.to_string())),
            };
            Err(Error::mismatch(subject, format!("the photo is {}", found.describe()), hint))
        }
        None => {
            let fact = "no blur was found that could be undone: the photo is sharp, too small, or blurred otherwise";
            Err(Error::mismatch(subject, fact, given(Hint::set(Setting::KERNEL, "gauss:1.6"))))
        }
    }
}

/// Whether a picture of a kernel is brighter at its border than inside, as one drawn black on white is.
fn looks_inverted(values: &[f32], [height, width]: [usize; 2]) -> bool {
    let at_border = |i: usize| {
        let (y, x) = (i / width, i % width);
        y == 0 || x == 0 || y + 1 == height || x + 1 == width
    };
    let mean = |border: bool| {
        let some: Vec<f32> = (0..values.len()).filter(|&i| at_border(i) == border).map(|i| values[i]).collect();
        some.iter().sum::<f32>() / some.len().max(1) as f32
    };
    let brightest = values.iter().copied().fold(0.0, f32::max);
    let darkest = (0..values.len()).filter(|&i| !at_border(i)).map(|i| values[i]).fold(f32::INFINITY, f32::min);
    let border = mean(true);
    height.min(width) > 2 && border > 0.25 * brightest && border > mean(false) && darkest < 0.5 * border
}

/// The point spread function of a description such as `gauss:1.6`, or of a picture of it.
fn parse_psf(text: &str) -> Result<Psf> {
    let bad = |form: &str| Error::parameter(Setting::KERNEL, text, format!("this kind is written {form}"));
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let numbers: Vec<f64> = rest.split(',').map_while(|part| part.trim().parse().ok()).collect();
    let complete = numbers.len() == rest.split(',').count();
    let numbers = if complete { numbers } else { Vec::new() };
    let whole = |value: f64| if value.fract() == 0.0 && value >= 0.0 { Some(value as usize) } else { None };
    let psf = match (kind, &numbers[..]) {
        ("gauss", &[sigma]) => Psf::gaussian(sigma),
        ("gauss", &[sigma, taps]) => {
            let odd = whole(taps).filter(|taps| taps % 2 == 1);
            let form = "gauss:SIGMA,SIZE with an odd SIZE, and decimals with a point";
            Psf::Gaussian { sigma, taps: odd.ok_or_else(|| bad(form))? }
        }
        ("aniso", &[vertical, horizontal, taps]) => {
            let taps = whole(taps).ok_or_else(|| bad("aniso:SIGMA,SIGMA,SIZE"))?;
            Psf::Anisotropic { vertical, horizontal, taps }
        }
        ("aniso", _) => return Err(bad("aniso:SIGMA,SIGMA,SIZE, vertical first, for example aniso:1,20,9")),
        ("gauss", _) => return Err(bad("gauss:SIGMA, for example gauss:1.6")),
        ("disc", &[radius]) => Psf::Disc { radius },
        ("disc", _) => return Err(bad("disc:RADIUS, for example disc:3")),
        ("motion", &[length, angle]) => Psf::Motion { length, angle },
        ("motion", _) => return Err(bad("motion:LENGTH,ANGLE, for example motion:15,30")),
        ("uniform", &[taps]) => {
            Psf::Uniform { taps: whole(taps).ok_or_else(|| bad("uniform:SIZE, for example uniform:9"))? }
        }
        ("uniform", _) => return Err(bad("uniform:SIZE, for example uniform:9")),
        ("random", &[size, intensity, seed]) => {
            let form = "random:SIZE,INTENSITY,SEED, for example random:31,0.5,7";
            let (size, seed) = (whole(size).ok_or_else(|| bad(form))?, whole(seed).ok_or_else(|| bad(form))?);
            Psf::Random { size, intensity, seed: seed as u64 }
        }
        ("random", _) => return Err(bad("random:SIZE,INTENSITY,SEED, for example random:31,0.5,7")),
        _ if Path::new(text).exists() => {
            let picture = Picture::read(Path::new(text))?;
            let (height, width, values) = (picture.height(), picture.width(), picture.marks());
            if looks_inverted(&values, [height, width]) {
                let fact = "its border is brighter than its middle, as if dark pixels were the light";
                return Err(Error::mismatch(Path::new(text), fact, "invert the picture of the kernel: light is white"));
            }
            Psf::Measured { height, width, values }
        }
        _ => {
            return Err(Error::parameter(
                Setting::KERNEL,
                text,
                "it is neither a file nor gauss:SIGMA, disc:RADIUS, motion:LENGTH,ANGLE, uniform:SIZE, aniso:SIGMA,SIGMA,SIZE or \
                 random:SIZE,INTENSITY,SEED",
            ));
        }
    };
    psf.kernel()?;
    Ok(psf)
}
