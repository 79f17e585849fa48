//! A blur that was found in a photo, adjusted in the loop: trial restorations of a part of it with kernels like the one that was found tell which one
//! explains it best.
//!
//! The residual `y - A x` of a restoration is least with the true radius of a disc, or length and angle of a line: any other leaves structure that
//! no photograph under that kernel has. A Gaussian without zeros explains what a wider one made, too: one that is too wide leaves
//! structure, and is narrowed until it does not.

use std::cell::Cell;

use super::receipt::ROUNDING;
use super::{DataModel, Quality, RestoreConfig, Restorer, Source};
use crate::control::{Control, Event};
use crate::degradation::{Form, Psf, Stage, deblur::Deblur};
use crate::error::Result;
use crate::estimate;
use crate::picture::Picture;

/// Side of the part that is tried.
const SIDE: u32 = 256;
/// Parameters are changed by these shares, angles by so many degrees for a whole share.
const STEPS: [f64; 3] = [0.12, 0.05, 0.02];
const DEGREES: f64 = 50.0;
/// Moves by one share.
const MOST_MOVES: usize = 4;
/// A kernel is better where it leaves less than this share of what the other one does.
const BETTER: f64 = 0.997;
/// Of kernels that leave up to this many times the least, the widest is the true one: narrower ones explain less of the blur.
const EQUAL: f64 = 1.05;
/// Correlation of neighbours in the residual that tells structure from noise.
const STRUCTURE: f64 = 0.03;
/// The disc that looks most like a Gaussian, its radius as a multiple of the standard deviation.
const ALIKE: f64 = 1.6;
/// What a disc is wider by than a Gaussian that explains as much.
const CLEARLY: f64 = 1.06;

/// A kernel and what it leaves.
struct Tried {
    psf: Psf,
    residual: f64,
    correlation: f64,
}

/// Trial restorations of a part of a photo.
struct Trials<'a> {
    restorer: &'a Restorer,
    part: Source,
    config: &'a RestoreConfig,
    form: Form,
    control: &'a dyn Control,
    count: Cell<usize>,
}

/// Stops when the other does, and says nothing of its own.
struct Quiet<'a>(&'a dyn Control);

impl Control for Quiet<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

impl RestoreConfig {
    /// The point spread function, where a blur is all that happened.
    pub fn psf(&self) -> Option<&Psf> {
        self.deblur().map(|deblur| &deblur.psf)
    }

    fn deblur(&self) -> Option<&Deblur> {
        match self.degradation.stages() {
            [Stage::Deblur(deblur)] => Some(deblur),
            _ => None,
        }
    }

    /// The kernel as a grey picture, its brightest pixel white, where a blur is all that happened.
    ///
    /// # Errors
    /// Parameters outside their range.
    pub fn kernel_picture(&self) -> Result<Option<Picture>> {
        let Some(psf) = self.psf() else { return Ok(None) };
        Ok(Some(estimate::picture_of(&psf.kernel()?)))
    }
}

impl Restorer {
    /// The configuration with the kernel that explains the photo best, of those like the one that was found.
    pub(super) fn refined(
        &self,
        photo: &Picture,
        config: &RestoreConfig,
        control: &dyn Control,
    ) -> Result<RestoreConfig> {
        let settled = RestoreConfig { refine: false, ..config.clone() };
        let Some(Deblur { psf, form }) = config.deblur() else { return Ok(settled) };
        let [left, top, width, height] = estimate::window(photo, SIDE);
        let part = photo.cropped(left, top, width, height).into();
        let trials = Trials { restorer: self, part, config, form: *form, control, count: Cell::new(0) };
        let found = trials.best(psf)?;
        if found != *psf {
            control.emit(Event::Found(&format!("the kernel {psf} is refined to {found}, which explains more of it")));
        }
        let degradation = Deblur { psf: found, form: *form }.into();
        Ok(RestoreConfig { degradation, ..settled })
    }
}

impl Trials<'_> {
    /// The best of a kernel, and of its like of another shape.
    fn best(&self, psf: &Psf) -> Result<Psf> {
        if neighbours(psf, STEPS[0]).is_empty() {
            return Ok(psf.clone());
        }
        let shapes = std::iter::once(psf.clone()).chain(other_shape(psf));
        let tried: Vec<Tried> = shapes.map(|psf| self.descended(psf)).collect::<Result<_>>()?;
        let least = tried.iter().map(|tried| tried.residual).fold(f64::INFINITY, f64::min);
        let equal = tried.into_iter().filter(|tried| tried.residual <= EQUAL * least);
        Ok(equal.max_by(|a, b| width(&a.psf).total_cmp(&width(&b.psf))).map_or_else(|| psf.clone(), |tried| tried.psf))
    }

    /// Downhill from a kernel, by smaller and smaller steps.
    fn descended(&self, psf: Psf) -> Result<Tried> {
        let mut here = self.tried(psf)?;
        for step in STEPS {
            for _ in 0..MOST_MOVES {
                if matches!(here.psf, Psf::Gaussian { .. }) && here.correlation <= STRUCTURE {
                    break;
                }
                let around = neighbours(&here.psf, step).into_iter().map(|psf| self.tried(psf));
                let around = around.collect::<Result<Vec<_>>>()?;
                match around.into_iter().min_by(|a, b| a.residual.total_cmp(&b.residual)) {
                    Some(next) if next.residual < BETTER * here.residual => here = next,
                    _ => break,
                }
            }
        }
        Ok(here)
    }

    fn tried(&self, psf: Psf) -> Result<Tried> {
        self.count.set(self.count.get() + 1);
        self.control.emit(Event::Estimating(&format!("the kernel, by trial restoration {}", self.count.get())));
        let degradation = Deblur { psf: psf.clone(), form: self.form };
        let trial = RestoreConfig::of(degradation, self.config.sigma, self.config.channels);
        // Of a wrong kernel nothing may be left out.
        let (border, data) = (self.config.border, DataModel::Exact);
        let trial = RestoreConfig { border, data, ..trial.with_quality(Quality::Draft) };
        let receipt = self.restorer.restore(&self.part, &trial, &Quiet(self.control))?.receipt;
        // What is less than the noise explains nothing more.
        let residual = receipt.residual.max(self.config.sigma.hypot(ROUNDING));
        Ok(Tried { psf, residual, correlation: receipt.correlation.unwrap_or(0.0) })
    }
}

/// Kernels of the same shape whose parameters differ by a share; none where a kernel has no parameters that could be changed.
fn neighbours(psf: &Psf, share: f64) -> Vec<Psf> {
    let both = |value: f64| [value * (1.0 - share), value * (1.0 + share)];
    let all: Vec<Psf> = match *psf {
        Psf::Gaussian { sigma, .. } => vec![Psf::gaussian(sigma * (1.0 - share))],
        Psf::Disc { radius } => both(radius).map(|radius| Psf::Disc { radius }).into(),
        Psf::Motion { length, angle } => {
            let longer = both(length).into_iter().filter(|&length| length >= 1.0);
            let turned = [-1.0, 1.0].map(|sign| angle + sign * DEGREES * share);
            let longer = longer.map(|length| Psf::Motion { length, angle });
            longer.chain(turned.map(|angle| Psf::Motion { length, angle })).collect()
        }
        _ => Vec::new(),
    };
    all.into_iter().map(Psf::rounded).collect()
}

/// The Gaussian that looks like a disc, and the other way round.
fn other_shape(psf: &Psf) -> Option<Psf> {
    let other = match *psf {
        Psf::Gaussian { sigma, .. } => Psf::Disc { radius: ALIKE * sigma },
        Psf::Disc { radius } => Psf::gaussian(radius / ALIKE),
        _ => return None,
    };
    Some(other.rounded())
}

/// How far light is spread, for comparing Gaussians with discs. A disc explains what a Gaussian made, too, and has to be clearly the wider one: what a
/// disc made, only a much narrower Gaussian explains.
fn width(psf: &Psf) -> f64 {
    match *psf {
        Psf::Gaussian { sigma, .. } => sigma,
        Psf::Disc { radius } => radius / (CLEARLY * ALIKE),
        _ => 0.0,
    }
}
