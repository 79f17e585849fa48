//! What a user asks for in the words of the tables of tasks and methods: the same for every photo of a batch.

use serde::{Deserialize, Serialize};

use super::beforehand::Beforehand;
use super::{Auto, Overrides, Request, Source, TargetSize};
use crate::degradation::{self, Context, Degradation, Mask};
use crate::error::Result;
use crate::estimate::Fading;
use crate::parameter::Values;
use crate::picture::Picture;

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
}

impl Wish {
    /// What is asked for of one photo or file of measurements.
    ///
    /// # Errors
    /// Unknown tasks, parameters of other tasks, values outside their range, and files that the values name and that do not fit.
    pub fn request(&self, source: &Source) -> Result<Request> {
        let made = match source {
            Source::Photo(_) => None,
            Source::Sensed(sensed) => Some(&sensed.description.degradation),
        };
        let is_old = self.is_of_old_photo();
        // Masks and the like are of the photo before it was enlarged.
        let reduced = source.photo().map(|photo| Beforehand { fading: None, enlarged: self.enlarged }.undone(photo));
        let fading = match reduced.as_deref().filter(|_| self.unfade || is_old) {
            Some(photo) => Fading::find(&self.holed(photo)?),
            None => None,
        };
        let prepared = reduced.as_deref().map(|photo| Beforehand { fading, enlarged: None }.undone(photo));
        let photo = prepared.as_deref();
        if let (true, Some(photo)) = (is_old, photo) {
            return self.of_old_photo(&self.holed(photo)?).request(source);
        }
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
            enlarged: self.enlarged,
            size: target,
            force: self.force,
            overrides: self.overrides.clone(),
        })
    }

    /// A photo with the holes transparent that a mask says.
    fn holed(&self, photo: &Picture) -> Result<Picture> {
        let Some(mask) = self.values.get(MASK) else { return Ok(photo.clone()) };
        let own = [(MASK, Some(mask)), (INVERT_MASK, self.values.get(INVERT_MASK))];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let values = own.fold(Values::default(), |values, (name, value)| values.with(name, value));
        let size = [photo.height(), photo.width()];
        let context = Context { size, seed: 0, photo: Some(photo), shows_damage: true };
        let holes: Degradation = degradation::of_task(FILL, &values, &context)?.into();
        Ok(photo.clone().transparent_at(holes.holes().map(Mask::unknown).unwrap_or_default()))
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
