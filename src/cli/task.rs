//! Flags that say what happened to a picture.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::degradation::{Degradation, Form, Mask, Psf};
use crate::error::{Error, Result};
use crate::picture::Picture;

/// What happened to a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Task {
    /// Too few pixels (super-resolution)
    Sr,
    /// Blurred by a known kernel
    Deblur,
    /// Noisy
    Denoise,
    /// With holes
    Inpaint,
    /// Without colour
    Colorize,
    /// Measured by compressed sensing
    Cs,
}

/// How super-resolution lost its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Reduction {
    /// Bicubic reduction
    Bicubic,
    /// Mean over blocks
    Average,
}

/// Pattern of compressed sensing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Sensing {
    /// Walsh-Hadamard coefficients
    Walsh,
    /// Random projections of blocks
    Blocks,
}

#[derive(clap::Args)]
#[command(next_help_heading = "What happened to the picture")]
pub(super) struct Args {
    /// Kind of degradation
    #[arg(long, value_enum)]
    pub task: Option<Task>,
    /// Factor of super-resolution [default: 4]
    #[arg(long, value_name = "N")]
    scale: Option<usize>,
    /// How the pixels were lost [default: bicubic]
    #[arg(long, value_enum)]
    reduction: Option<Reduction>,
    /// Blur: gauss:SIGMA[,SIZE], motion:LENGTH,ANGLE, uniform:SIZE, aniso:SIGMA,SIGMA,SIZE, random:SIZE,INTENSITY,SEED, or
    /// a picture of the kernel
    #[arg(long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// Picture of the holes: white is filled in, black is kept
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// Black is filled in, white is kept
    #[arg(long, requires = "mask")]
    invert_mask: bool,
    /// Pattern of compressed sensing [default: walsh]
    #[arg(long, value_enum)]
    sensing: Option<Sensing>,
    /// Share of compressed sensing measurements [default: 0.25]
    #[arg(long)]
    ratio: Option<f64>,
    /// Inversion by singular values or by the Fourier transform [default: svd for sr, fft for deblur]
    #[arg(long, value_enum)]
    form: Option<Form>,
    /// Noise: standard deviation for pixels from 0 to 1 [default when restoring: estimated from the picture]
    #[arg(long, allow_negative_numbers = true)]
    pub sigma: Option<f64>,
}

impl Args {
    /// The degradation of a picture of `size` (height, width), where it matters; `seed` fixes sampling patterns.
    pub fn degradation(&self, task: Task, size: [usize; 2], seed: u64) -> Result<Degradation> {
        self.check_owners(task)?;
        Ok(match task {
            Task::Denoise => Degradation::Denoising,
            Task::Colorize => Degradation::Colorization,
            Task::Sr => {
                let scale = self.scale.unwrap_or(4);
                if !(2..=64).contains(&scale) {
                    return Err(Error::parameter("--scale", scale, "it must be between 2 and 64"));
                }
                match self.reduction.unwrap_or(Reduction::Bicubic) {
                    Reduction::Bicubic => Degradation::SrBicubic { scale, form: self.form.unwrap_or(Form::Svd) },
                    Reduction::Average => Degradation::SrAveragepooling { scale },
                }
            }
            Task::Deblur => {
                let kernel = self.kernel.as_deref().ok_or_else(|| Error::Mismatch {
                    what: "--task deblur".into(),
                    fact: "it needs to know the blur".into(),
                    remedy: "add for example --kernel gauss:1.6 or --kernel motion:15,30".into(),
                })?;
                Degradation::Deblur { psf: parse_kernel(kernel)?, form: self.form.unwrap_or(Form::Fft) }
            }
            Task::Inpaint => {
                let path = self.mask.as_deref().ok_or_else(|| Error::Mismatch {
                    what: "--task inpaint".into(),
                    fact: "it needs to know the holes".into(),
                    remedy: "add --mask FILE, a picture that is white where to fill in".into(),
                })?;
                Degradation::Inpainting { mask: read_mask(path, size, self.invert_mask)? }
            }
            Task::Cs => {
                let ratio = self.ratio.unwrap_or(0.25);
                match self.sensing.unwrap_or(Sensing::Walsh) {
                    Sensing::Walsh => Degradation::CsWalshhadamard { ratio, seed },
                    Sensing::Blocks => Degradation::CsBlockbased { ratio, seed },
                }
            }
        })
    }

    /// Whether any flag was given.
    pub fn any(&self) -> bool {
        self.task.is_some()
            || self.sigma.is_some()
            || self.invert_mask
            || self.given().iter().any(|(_, given, _)| *given)
    }

    /// Files that the flags name, beside the photos.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.mask.as_deref().into_iter().chain(self.kernel.as_deref().map(Path::new))
    }

    /// Refuses flags that contradict what a file of measurements says.
    pub fn check_measured(&self, measured: &Degradation) -> Result<()> {
        self.check_owners(Task::Cs)?;
        let (sensing, ratio) = match measured {
            Degradation::CsBlockbased { ratio, .. } => (Sensing::Blocks, *ratio),
            Degradation::CsWalshhadamard { ratio, .. } => (Sensing::Walsh, *ratio),
            _ => return Ok(()),
        };
        let agrees = self.sensing.is_none_or(|given| given == sensing)
            && self.ratio.is_none_or(|given| (given - ratio).abs() < 1e-9);
        if agrees {
            return Ok(());
        }
        Err(Error::Mismatch {
            what: "--sensing and --ratio".into(),
            fact: format!("the file says how it was measured: {sensing:?}, ratio {ratio}"),
            remedy: "leave them out".into(),
        })
    }

    /// Flags that belong to some tasks only: their names, whether they are given, and the tasks.
    fn given(&self) -> [(&'static str, bool, &'static [Task]); 7] {
        [
            ("--scale", self.scale.is_some(), &[Task::Sr]),
            ("--reduction", self.reduction.is_some(), &[Task::Sr]),
            ("--kernel", self.kernel.is_some(), &[Task::Deblur]),
            ("--mask", self.mask.is_some(), &[Task::Inpaint]),
            ("--sensing", self.sensing.is_some(), &[Task::Cs]),
            ("--ratio", self.ratio.is_some(), &[Task::Cs]),
            ("--form", self.form.is_some(), &[Task::Sr, Task::Deblur]),
        ]
    }

    /// Refuses flags of another task.
    fn check_owners(&self, task: Task) -> Result<()> {
        for (flag, given, owners) in self.given() {
            if given && !owners.contains(&task) {
                let owners: Vec<String> = owners.iter().map(|&owner| name(owner)).collect();
                return Err(Error::Mismatch {
                    what: flag.into(),
                    fact: format!("it belongs to --task {}, not to --task {}", owners.join(" and "), name(task)),
                    remedy: "leave it out".into(),
                });
            }
        }
        Ok(())
    }
}

pub(super) fn name(task: Task) -> String {
    task.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn parse_kernel(text: &str) -> Result<Psf> {
    let bad = |form: &str| Error::parameter("--kernel", text, &format!("this kind is written {form}"));
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
            Psf::Measured { height: picture.height(), width: picture.width(), values: picture.luminance() }
        }
        _ => {
            return Err(Error::parameter(
                "--kernel",
                text,
                "it is neither a file nor gauss:SIGMA, motion:LENGTH,ANGLE, uniform:SIZE, aniso:SIGMA,SIGMA,SIZE or \
                 random:SIZE,INTENSITY,SEED",
            ));
        }
    };
    psf.kernel()?;
    Ok(psf)
}

fn read_mask(path: &Path, [height, width]: [usize; 2], inverted: bool) -> Result<Mask> {
    let picture = Picture::read(path)?;
    if [picture.height(), picture.width()] != [height, width] {
        return Err(Error::Mismatch {
            what: path.display().to_string(),
            fact: format!("the mask is {}x{}, but the picture is {width}x{height}", picture.width(), picture.height()),
            remedy: "resize the mask to the picture".into(),
        });
    }
    let luminance = picture.luminance();
    let known = |i: usize| (luminance[i] < 0.5) != inverted;
    if (0..luminance.len()).all(known) {
        return Err(Error::Mismatch {
            what: path.display().to_string(),
            fact: "the mask marks nothing to fill in".into(),
            remedy: "paint the holes white, or pass --invert-mask".into(),
        });
    }
    if !(0..luminance.len()).any(known) {
        return Err(Error::Mismatch {
            what: path.display().to_string(),
            fact: "the mask leaves no pixel of the picture".into(),
            remedy: "paint only the holes white, or pass --invert-mask".into(),
        });
    }
    Ok(Mask::from_fn(height, width, |y, x| known(y * width + x)))
}
