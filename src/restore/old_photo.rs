//! `old-photo`: several tasks by one name, chosen by what a scanned print shows.

use super::Wish;
use super::wish::{FILL, MASK};
use crate::estimate::{Confidence, Diagnosis};
use crate::picture::Picture;

/// The name, where tasks are named.
pub const OLD_PHOTO: &str = "old-photo";
/// What it does, in one line.
pub const OLD_PHOTO_HELP: &str =
    "Fading, then blur where one is found, and noise; holes too with --mask, or painted over";
const KERNEL: &str = "kernel";

impl Wish {
    /// Whether it is for an old photo.
    pub(super) fn is_of_old_photo(&self) -> bool {
        self.tasks.iter().any(|task| task == OLD_PHOTO)
    }

    /// The same with the tasks that an old photo needs in the place of their name: of a photo whose fading is undone, and whose holes are
    /// transparent.
    ///
    /// Whether a blur was found is said, too. A scan is blurred before it is noisy. A blur that is only suspected is left alone: undoing one that is not there costs more than
    /// leaving a slight one.
    pub(super) fn of_old_photo(&self, photo: &Picture) -> (Self, bool) {
        let mut wish = self.clone();
        let mut is_found = false;
        if wish.values.get(KERNEL).is_none()
            // Scratches have a spectrum of their own.
            && let Some(blur) = Diagnosis::of(&Picture::new(photo.spread().into_owned())).blur
            && blur.confidence == Confidence::High
        {
            wish.values.insert(KERNEL, blur.psf.to_string());
            is_found = true;
        }
        let own = if wish.values.get(KERNEL).is_some() { "deblur" } else { "denoise" };
        let has_holes = wish.values.get(MASK).is_some();
        let fills = has_holes && !wish.tasks.iter().any(|task| task == FILL);
        let named = |task: String| if task == OLD_PHOTO { own.to_owned() } else { task };
        wish.tasks = wish.tasks.into_iter().map(named).chain(fills.then(|| FILL.to_owned())).collect();
        (wish, is_found)
    }
}
