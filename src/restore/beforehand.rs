//! What is undone of a photo before it is taken for a measurement: how it was changed after it had been one.

use std::borrow::Cow;

use crate::estimate::{Fading, Stretch};
use crate::picture::Picture;

/// What is undone first: fading, then an enlargement by interpolation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Beforehand {
    /// How its channels faded.
    pub fading: Option<Fading>,
    /// The factor by which it was enlarged.
    pub enlarged: Option<f64>,
}

impl Beforehand {
    /// How a photo is stretched while it is restored.
    pub fn stretch(&self, photo: &Picture) -> Option<Stretch> {
        self.fading.map(|fading| fading.stretch(photo))
    }

    /// The photo without it: what is restored.
    pub fn undone<'a>(&self, photo: &'a Picture) -> Cow<'a, Picture> {
        let stretch = self.stretch(photo);
        let photo = stretch.map_or(Cow::Borrowed(photo), |stretch| Cow::Owned(stretch.stretched(photo)));
        match self.enlarged {
            Some(factor) => Cow::Owned(photo.before_enlargement(factor)),
            None => photo,
        }
    }
}
