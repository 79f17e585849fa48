//! What a user asks for in the words of the tables of tasks and methods: the same for every photo of a batch.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::beforehand::Beforehand;
use super::{Auto, Overrides, PriorChoice, Request, Source, TargetSize};
use crate::degradation::{self, Context, Degradation, Mask, deblur};
use crate::error::{Error, Hint, Result, Setting};
use crate::estimate::Fading;
use crate::parameter::Values;
use crate::picture::Picture;

/// The task that undoes compression.
const COMPRESSION: &str = "jpeg";
/// The task that fills holes, and what says where they are.
pub(super) const FILL: &str = "inpaint";
pub(super) const MASK: &str = "mask";
const INVERT_MASK: &str = "invert_mask";

/// What a user asks for, before a photo is known: shells fill it in, and [`Wish::request`] makes a [`Request`] of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Tasks in the order in which the damage happened; none lets it be found out.
    pub tasks: Vec<String>,
    /// Parameters of the tasks.
    pub values: Values,
    /// Standard deviation of the noise, of a `[0, 1]` image.
    pub sigma: Option<f64>,
    /// Seed of all noise.
    pub seed: Option<u64>,
    /// Whether fading is undone first.
    pub unfade: bool,
    /// Factor by which the photo was enlarged by interpolation, if it was.
    pub enlarged: Option<f64>,
    /// Size of the result.
    pub size: Option<TargetSize>,
    /// Whether a photo in which nothing is found to be wrong is restored all the same.
    pub force: bool,
    /// What is to differ from the defaults of the tasks.
    pub overrides: Overrides,
    /// What the whole photo told, if it was asked.
    #[serde(skip)]
    pub settled: Option<Settled>,
}

/// What only the whole photo tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settled {
    /// How it faded, if it did and that is to be undone.
    fading: Option<Fading>,
    /// Whether its blur was found, and not said.
    is_found: bool,
}

impl Wish {
    /// What is asked for of one photo or file of measurements.
    ///
    /// # Errors
    /// Unknown tasks, parameters of other tasks, values outside their range, and files that the values name and that do not fit.
    pub fn request(&self, source: &Source) -> Result<Request> {
        self.settled(source)?.settled_request(source)
    }

    /// The same with what only the whole photo tells: how it faded, and which tasks an old photo needs. A part of the photo is restored as
    /// the whole is by it.
    ///
    /// # Errors
    /// As [`Wish::request`].
    pub fn settled(&self, source: &Source) -> Result<Self> {
        let is_old = self.is_of_old_photo();
        if self.settled.is_some() || !(self.unfade || is_old) {
            return Ok(self.clone());
        }
        let Some(photo) = source.photo() else {
            let fact = "files of measurements do not fade";
            return Err(Error::mismatch("the fading", fact, Hint::Omit(Setting::UNFADE)));
        };
        if self.tasks.iter().any(|task| task == COMPRESSION) {
            let fact = "a file says how the photo was compressed as it is, and not as it was before it faded";
            let hint = format!("restore it with {COMPRESSION} alone, and then undo the fading of the result");
            return Err(Error::mismatch("the fading", fact, hint));
        }
        // Masks are of the photo before it was enlarged.
        let reduced = Beforehand { fading: None, enlarged: self.enlarged }.undone(photo);
        let holed = self.holed(&reduced)?;
        let fading = Fading::find(&holed);
        let (wish, is_found) = match is_old {
            true => self.of_old_photo(&Beforehand { fading, enlarged: None }.undone(&holed)),
            false => (self.clone(), false),
        };
        Ok(Self { settled: Some(Settled { fading, is_found }), ..wish })
    }

    /// The same wish for a prior: others than the built-in one may know more than BM3D, which then has no share unless it is asked for.
    #[must_use]
    pub fn for_prior(&self, prior: &PriorChoice) -> Self {
        let without = (!prior.is_built_in()).then_some(0.0);
        let overrides = Overrides { bm3d: self.overrides.bm3d.or(without), ..self.overrides.clone() };
        Self { overrides, ..self.clone() }
    }

    /// Whether the kernel of a blur is to be found in the photo, which takes seconds.
    pub fn seeks_kernel(&self) -> bool {
        deblur::is_found(&self.values)
    }

    /// The same of a wish that is settled.
    fn settled_request(&self, source: &Source) -> Result<Request> {
        let made = match source {
            Source::Photo(_) => None,
            Source::Sensed(sensed) => Some(&sensed.description.degradation),
        };
        let Settled { fading, is_found } = self.settled.unwrap_or_default();
        let is_found = is_found || self.seeks_kernel();
        let beforehand = Beforehand { fading, enlarged: self.enlarged };
        let prepared = source.photo().map(|photo| beforehand.undone(photo));
        let photo = prepared.as_deref();
        let size = photo.map_or(source.measured_size(), |photo| [photo.height(), photo.width()]);
        let made_with = self.seed.or(made.and_then(Degradation::seed));
        let context = Context { size, seed: made_with.unwrap_or(0), photo, shows_damage: true };
        let (values, target) = self.sized(size)?;
        let named = made.is_some_and(|made| self.tasks == [made.name()]) && values.is_empty();
        let is_open = self.tasks.is_empty() && (made.is_some() || values.is_empty());
        let degradation = match is_open || named {
            true => Auto::Auto,
            false => Auto::Given(degradation::of_tasks(&self.tasks, &values, &context)?),
        };
        Ok(Request {
            degradation,
            sigma: self.sigma.into(),
            seed: self.seed.unwrap_or(0),
            fading,
            is_found,
            enlarged: self.enlarged,
            size: target,
            force: self.force,
            overrides: self.overrides.clone(),
        })
    }

    /// A photo with the holes transparent that a mask says.
    fn holed<'a>(&self, photo: &'a Picture) -> Result<Cow<'a, Picture>> {
        let about = |(name, _): &(&str, &str)| [MASK, INVERT_MASK].contains(name);
        let own = self.values.iter().filter(about);
        let values = own.fold(Values::default(), |values, (name, value)| values.with(name, value));
        if values.is_empty() {
            return Ok(Cow::Borrowed(photo));
        }
        let size = [photo.height(), photo.width()];
        let context = Context { size, seed: 0, photo: Some(photo), shows_damage: true };
        let holes: Degradation = degradation::of_task(FILL, &values, &context)?.into();
        Ok(Cow::Owned(photo.clone().transparent_at(holes.holes().map(Mask::unknown).unwrap_or_default())))
    }

    /// The values with a whole factor of super-resolution, and the size that the result of a photo of `size` is to have, if it is
    /// not that factor's.
    fn sized(&self, size: [usize; 2]) -> Result<(Values, Option<TargetSize>)> {
        let mut values = self.values.clone();
        let fraction = TargetSize::take(&mut values)?;
        let enlarges = self.tasks.iter().any(|task| task == "sr");
        if let (Some(target), true, None) = (self.size, enlarges, values.get("scale")) {
            values.insert("scale", target.whole_scale(size).to_string());
        }
        Ok((values, self.size.or(fraction)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bm3d_has_no_share_beside_other_priors_unless_it_is_asked_for() {
        let share = |given: Option<f64>, prior: &PriorChoice| {
            let wish = Wish { overrides: Overrides { bm3d: given, ..Overrides::default() }, ..Wish::default() };
            wish.for_prior(prior).overrides.bm3d
        };
        let (own, other) = (PriorChoice::default(), PriorChoice::named("drunet-color"));
        assert_eq!([share(None, &own), share(None, &other), share(Some(0.3), &other)], [None, Some(0.0), Some(0.3)]);
    }
}
