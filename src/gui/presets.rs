//! Common faults of photos in plain words, and what is asked for where one is chosen.

use super::words;
use crate::estimate::Treatment;
use crate::parameter::Values;
use crate::restore::{OLD_PHOTO, Wish};

/// A common fault of photos.
pub struct Preset {
    /// What it is called, and what choosing it does.
    pub text: [&'static str; 2],
    tasks: &'static [&'static str],
    values: &'static [(&'static str, &'static str)],
    /// Whether what is painted over is filled in.
    pub fills: bool,
}

/// What can be chosen; the first finds out by itself.
pub static PRESETS: &[Preset] = &[
    Preset { text: words::FIND_OUT, tasks: &[], values: &[], fills: false },
    Preset { text: words::NOISY, tasks: &["denoise"], values: &[], fills: false },
    Preset { text: words::BLURRED, tasks: &["deblur"], values: &[("kernel", "gauss:1.6")], fills: false },
    Preset { text: words::SHAKEN, tasks: &["deblur"], values: &[("kernel", "motion:15,0")], fills: false },
    Preset { text: words::TOO_SMALL, tasks: &["sr"], values: &[("scale", "2")], fills: false },
    Preset { text: words::SCRATCHED, tasks: &[FILL], values: &[], fills: true },
    Preset { text: words::GRAY, tasks: &["colorize"], values: &[], fills: false },
    Preset { text: words::JPEG, tasks: &["jpeg"], values: &[], fills: false },
    Preset { text: words::OLD_PHOTO, tasks: &[OLD_PHOTO], values: &[], fills: true },
];

/// The task that fills holes.
pub const FILL: &str = "inpaint";
/// The task whose result has more pixels.
const ENLARGE: &str = "sr";
/// Its factor.
const SCALE: &str = "scale";

impl Preset {
    /// Puts it into a wish; what concerns how it is done stays.
    pub fn choose(&self, wish: &mut Wish, has_holes: bool) {
        wish.values = self.values.iter().fold(Values::default(), |values, (name, value)| values.with(name, value));
        wish.enlarged = None;
        wish.force = false;
        self.set_tasks(wish, has_holes);
        reach_size(wish);
    }

    /// Puts its tasks into a wish, with filling in where there is something to fill in.
    pub fn set_tasks(&self, wish: &mut Wish, has_holes: bool) {
        let fills = self.fills && has_holes && !self.tasks.contains(&FILL);
        wish.tasks = self.tasks.iter().copied().chain(fills.then_some(FILL)).map(str::to_owned).collect();
    }

    /// The place of the preset that a treatment is of.
    pub fn of(treatment: &Treatment) -> usize {
        let shape = |kernel: Option<&str>| kernel.and_then(|kernel| kernel.split(':').next()).map(str::to_owned);
        let wanted = shape(treatment.values.get("kernel"));
        let is_it = |preset: &Preset| {
            let own = preset.values.iter().find(|(name, _)| *name == "kernel").map(|(_, value)| *value);
            preset.tasks == [treatment.task] && shape(own) == wanted
        };
        PRESETS.iter().position(is_it).unwrap_or(0)
    }
}

/// Lets super-resolution reach the size that is asked for by itself; without one it doubles.
pub fn resize(wish: &mut Wish) {
    if wish.tasks.iter().any(|task| task == ENLARGE) {
        match wish.size {
            Some(_) => wish.values.remove(SCALE),
            None => wish.values.insert(SCALE, "2"),
        }
    }
}

/// Lets a size that is given decide the factor of super-resolution.
pub fn reach_size(wish: &mut Wish) {
    if wish.size.is_some() {
        resize(wish);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::degradation;

    #[test]
    fn presets_have_tasks_that_exist_and_are_those_of_their_treatments() {
        for (i, preset) in PRESETS.iter().enumerate() {
            let mut wish = Wish::default();
            preset.choose(&mut wish, true);
            let known: Vec<&str> = degradation::tasks().map(|(task, _)| task).chain([OLD_PHOTO]).collect();
            assert!(wish.tasks.iter().all(|task| known.contains(&task.as_str())), "{}", preset.text[0]);
            assert_eq!(preset.fills, wish.tasks.iter().any(|task| task == FILL));
            if let ([task], false) = (preset.tasks, preset.fills) {
                assert_eq!(Preset::of(&Treatment { task, values: wish.values, enlarged: None }), i);
            }
        }
    }
}
