//! What is undone of a photo before it is taken for a measurement: how it was changed after it had been one.

use std::borrow::Cow;

use crate::estimate::Fading;
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
    /// The photo without it: what is restored.
    pub fn undone<'a>(&self, photo: &'a Picture) -> Cow<'a, Picture> {
        let photo = self.fading.map_or(Cow::Borrowed(photo), |fading| Cow::Owned(fading.stretched(photo)));
        match self.enlarged {
            Some(factor) => Cow::Owned(photo.before_enlargement(factor)),
            None => photo,
        }
    }
}
