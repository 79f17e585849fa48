//! Runs on photos. Where data are robust, parts that the first result does not explain are restored anew, and the run is told nothing of what the
//! blur did not make there.

use burn::tensor::Tensor;

use super::outliers::Outliers;
use super::preview::WithoutPreviews;
use super::region::Region;
use super::{DataModel, Measurement, Method, RestoreConfig, Restorer};
use crate::control::{Control, Event};
use crate::error::Result;
use crate::noise::{Seeded, Stream};
use crate::picture::Picture;
use crate::sampler::{Data, Hqs};

/// Where rings of the first result, or other outliers than are left at last, are more than these shares, it is the kernel that is wrong.
const MOST_AT_FIRST: f64 = 0.2;
const MOST: f64 = 0.1;
/// Trial restorations. Each knows what the one before explained.
const TRIALS: usize = 3;
/// A change by a smaller share ends the trials.
const SETTLED: f64 = 0.05;
/// How far the result depends on an outlier, in sides of the kernel.
const REACH: usize = 3;

/// What is said where there are more.
const WRONG: &str = "more of it than captions and dust does not fit this blur: the kernel may be wrong";

/// A run on a photo, or on a rectangle of one.
#[derive(Clone, Copy)]
pub(super) struct PhotoRun<'a> {
    pub restorer: &'a Restorer,
    pub photo: &'a Picture,
    pub measurement: &'a Measurement,
    pub config: &'a RestoreConfig,
    pub control: &'a dyn Control,
}

/// What a run gave, and what it was told.
pub(super) struct Outcome {
    /// The image with its margin.
    pub x: Tensor<4>,
    pub data: Data,
    /// Pixels of the photo of which it was told nothing.
    pub outliers: Option<Outliers>,
    /// Share of the photo that the degradation does not explain, if that was looked for and found.
    pub unexplained: Option<f64>,
    /// Network evaluations, of trials as well.
    pub evaluations: usize,
}

/// What a search found.
struct Searched {
    /// Rectangles to be restored anew, and what nothing is known of in each, lights included.
    parts: Vec<(Region, Outliers)>,
    /// What no blur made of the photo, without lights.
    outliers: Outliers,
    /// Network evaluations.
    evaluations: usize,
}

/// A rectangle of a photo and its measurement; none for all of it.
type Part = Option<(Picture, Measurement)>;

impl<'a> PhotoRun<'a> {
    /// What it gives.
    ///
    /// # Errors
    /// Runs that fail, and being cancelled.
    pub fn outcome(&self) -> Result<Outcome> {
        let lights = Outliers::lights(self.photo, self.config);
        if lights.is_some() {
            self.control.emit(Event::Found("lights that are cut off at white stay as they are"));
        }
        let data = self.data(lights.as_ref())?;
        let x = self.run(&data, lights.as_ref(), self.config)?;
        let first = Outcome { x, data, outliers: lights, unexplained: None, evaluations: self.config.evaluations()? };
        if self.config.data == DataModel::Robust { self.improved(first) } else { Ok(first) }
    }

    /// What is known of the photo.
    fn data(&self, outliers: Option<&Outliers>) -> Result<Data> {
        let told = |photo: &Picture| {
            let y = self.measurement.of_photo(photo.to_tensor(&self.restorer.device().device))?;
            Ok(self.measurement.data(y, self.config.data))
        };
        match outliers {
            // The classical estimate has no rings either where they have colours from around.
            Some(outliers) => Ok(outliers.unknown_in(told(&outliers.hidden_in(self.photo))?)),
            None => told(self.photo),
        }
    }

    /// The image with its margin.
    fn run(&self, data: &Data, outliers: Option<&Outliers>, config: &RestoreConfig) -> Result<Tensor<4>> {
        let mut noise = Seeded::new(config.seed, Stream::Sampling);
        let device = &self.restorer.device().device;
        let knowing = outliers.map(|outliers| self.measurement.knowing(outliers.known(device), config)).transpose()?;
        let measurement = knowing.as_ref().unwrap_or(self.measurement);
        self.restorer.run(measurement, data, config, &mut noise, self.control)
    }

    /// A first result, restored anew around what it does not explain beside the lights that it knows of: the first result itself where it explains
    /// all, or where the kernel is not the photo's.
    fn improved(&self, first: Outcome) -> Result<Outcome> {
        let size = self.measurement.size();
        let most = |share: f64| (share * (size[0] * size[1]) as f64) as usize;
        let side = self.config.degradation.single_blur().map_or(1, |kernel| kernel.height.max(kernel.width));
        let lights = first.outliers.as_ref();
        let Some(found) = self.unexplained(&first.x, lights, Some(side / 2))? else { return Ok(first) };
        if found.core > most(MOST_AT_FIRST) {
            self.control.emit(Event::Found(WRONG));
            return Ok(first);
        }
        self.control.emit(Event::Found("parts of it do not fit this blur; what they are is looked for"));
        let regions = match self.restorer.takes_whole_pictures() {
            true => vec![Region::whole(size)],
            false => Region::around(found.is_core(), size, REACH * side),
        };
        let Searched { parts, outliers, evaluations: trials } = self.searched(&regions, &found, lights)?;
        let mut evaluations = first.evaluations + trials;
        let is_wrong = outliers.core > most(MOST);
        if is_wrong {
            self.control.emit(Event::Found(WRONG));
        }
        if is_wrong || parts.is_empty() {
            return Ok(Outcome { evaluations, ..first });
        }
        self.control
            .emit(Event::Found("captions, dust, lights and whatever else the blur did not make stay as they are"));
        let unexplained = Some(outliers.core as f64 / (size[0] * size[1]) as f64);
        let outliers = outliers.with(lights);
        let quiet = WithoutPreviews(self.control);
        let mut x = first.x;
        for (region, known) in parts {
            let part = self.part(&region)?;
            let run = self.of(&part, &quiet);
            let anew = || run.run(&run.data(Some(&known))?, Some(&known), self.config);
            x = match &part {
                Some(_) => region.pasted(x, anew()?, size),
                // Nothing is left of the first result, which takes no memory from the next.
                None => {
                    drop(x);
                    anew()?
                }
            };
            evaluations += self.config.evaluations()?;
        }
        let data = self.data(Some(&outliers))?;
        Ok(Outcome { x, data, outliers: Some(outliers), unexplained, evaluations })
    }

    /// What no blur made in rectangles of the photo, from what was `found` in them first.
    fn searched(&self, regions: &[Region], found: &Outliers, lights: Option<&Outliers>) -> Result<Searched> {
        let quiet = WithoutPreviews(self.control);
        let mut searched =
            Searched { parts: Vec::new(), outliers: Outliers::none(self.measurement.size()), evaluations: 0 };
        for (i, region) in regions.iter().enumerate() {
            let Some(found) = found.within(region) else { continue };
            let lights = lights.and_then(|lights| lights.within(region));
            let name = if regions.len() > 1 { format!("part {} of {}, ", i + 1, regions.len()) } else { String::new() };
            let part = self.part(region)?;
            let (found, trials) = self.of(&part, &quiet).settled(found, lights.as_ref(), &name)?;
            searched.evaluations += trials;
            if let Some(found) = found {
                searched.outliers = searched.outliers.with_those_of(region, &found);
                searched.parts.push((*region, found.with(lights.as_ref())));
            }
        }
        Ok(searched)
    }

    /// The photo in a rectangle, and how that is measured.
    fn part(&self, region: &Region) -> Result<Part> {
        if region.is_whole(self.measurement.size()) {
            return Ok(None);
        }
        let Region { left, top, width, height } = *region;
        let device = &self.restorer.device().device;
        let measurement = Measurement::of(self.config, [height, width], device)?;
        let [left, top, width, height] = [left, top, width, height].map(|pixels| pixels as u32);
        Ok(Some((self.photo.cropped(left, top, width, height), measurement)))
    }

    /// The run on a part, of which there are no previews: they would be taken for the photo.
    fn of<'b>(&self, part: &'b Part, quiet: &'b dyn Control) -> PhotoRun<'b>
    where
        'a: 'b,
    {
        match part {
            Some((photo, measurement)) => PhotoRun { photo, measurement, control: quiet, ..*self },
            None => *self,
        }
    }

    /// What no blur made, beside the lights, by trial restorations from what was `found` first, and the network evaluations that they took: they
    /// explain what rings had moved, since they know nothing of where the rings began. None where all is explained.
    fn settled(&self, mut found: Outliers, lights: Option<&Outliers>, name: &str) -> Result<(Option<Outliers>, usize)> {
        let trial = self.trial();
        let mut evaluations = 0;
        for count in 1..=TRIALS {
            let words = format!("{name}what the blur did not make, by trial restoration {count}");
            self.control.emit(Event::Estimating(&words));
            let outliers = found.with(lights);
            let x = self.run(&self.data(Some(&outliers))?, Some(&outliers), &trial)?;
            evaluations += trial.evaluations()?;
            let Some(others) = self.unexplained(&x, lights, None)? else { return Ok((None, evaluations)) };
            found = others;
            if (found.core as f64 / outliers.core.max(1) as f64 - 1.0).abs() < SETTLED {
                break;
            }
        }
        Ok((Some(found), evaluations))
    }

    /// The pixels that an image `x` does not explain, in the photo's channels, of which the noise is at most that of its strongest direction of
    /// colour; lights are none of them.
    fn unexplained(&self, x: &Tensor<4>, lights: Option<&Outliers>, reach: Option<usize>) -> Result<Option<Outliers>> {
        let y = self.measurement.of_photo(self.photo.to_tensor(&x.device()))?;
        let residual = self.measurement.unmixed(y - self.measurement.operator().apply(x.clone()));
        let residual = match lights {
            Some(lights) => residual * lights.known(&x.device()),
            None => residual,
        };
        Outliers::unexplained(residual, self.config.sigma * self.config.channels.strongest(), reach)
    }

    /// How trial restorations are made: by half-quadratic splitting, with as many calls as the run if it is one, and without the mean over symmetries.
    fn trial(&self) -> RestoreConfig {
        let usual = RestoreConfig::of(self.config.degradation.clone(), self.config.sigma, self.config.channels);
        let method = match (&self.config.method, &usual.method) {
            (Method::Hqs(hqs), _) | (_, Method::Hqs(hqs)) => Method::Hqs(Hqs { symmetries: 1, ..*hqs }),
            (_, other) => other.clone(),
        };
        RestoreConfig { method, border: self.config.border, seed: self.config.seed, ..usual }
    }
}
