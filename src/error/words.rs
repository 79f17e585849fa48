//! What errors are about and what would help, in the words of whoever says it.
//!
//! The library does not know which shell is in front of it. Where an error is about a setting, it names a [`Setting`], and where
//! something would help, it carries a [`Hint`]; a shell turns both into its own [`Words`]: flags of a command line, controls
//! of a window.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A setting by its name in the library, such as `border` or `eta_tilde`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(pub Cow<'static, str>);

/// The one list of settings that errors name, beside the parameters of methods and degradations.
macro_rules! settings {
    ($($constant:ident $name:literal),* $(,)?) => {
        #[expect(missing_docs, reason = "each is called what it is")]
        impl Setting {
            $(pub const $constant: Self = Self(Cow::Borrowed($name));)*

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];
        }
    };
}

settings! {
    BM3D "bm3d",
    BORDER "border",
    CLASS "class",
    CLASSIFIER "classifier",
    CONFIG "config",
    DATA "data",
    DEG "deg",
    DEGRADATION "degradation",
    DEG_SCALE "deg_scale",
    DEVICE "device",
    FORM "form",
    GUIDANCE_SCALE "guidance_scale",
    INJECT_NOISE "inject_noise",
    INVERT_MASK "invert_mask",
    JPEG_QUALITY "jpeg_quality",
    KERNEL "kernel",
    MASK "mask",
    METHOD "method",
    METRIC "metric",
    MODEL "model",
    MODEL_NAME "name",
    OPERATOR_IMP "operator_imp",
    OUTPUT "output",
    OVERWRITE "overwrite",
    PICTURES "pictures",
    PRECISION "precision",
    PREFER "prefer",
    QUALITY "quality",
    RANDOM "random",
    RATIO "ratio",
    RECIPE "recipe",
    RESULTS "results",
    RESUME "resume",
    SCALE "scale",
    SHARD "shard",
    SIDE "size",
    SIGMA "sigma",
    START "start",
    STEPS "steps",
    SUBSET "subset",
    TIME "t",
    TRAVEL_LENGTH "travel_length",
    TRAVEL_REPEAT "travel_repeat",
    UNCERTAINTY "uncertainty",
    UNFADE "unfade",
    VARY "vary",
}

/// What an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A file or folder.
    Path(PathBuf),
    /// A setting, and the value it was given where that matters.
    Setting(Setting, Option<String>),
    /// Anything else, named in words.
    Thing(Cow<'static, str>),
}

impl From<Setting> for Subject {
    fn from(setting: Setting) -> Self {
        Self::Setting(setting, None)
    }
}

impl From<&Path> for Subject {
    fn from(path: &Path) -> Self {
        Self::Path(path.into())
    }
}

impl From<&'static str> for Subject {
    fn from(thing: &'static str) -> Self {
        Self::Thing(thing.into())
    }
}

impl From<String> for Subject {
    fn from(thing: String) -> Self {
        Self::Thing(thing.into())
    }
}

impl Subject {
    /// A setting with the value it was given.
    pub fn given(setting: Setting, value: impl ToString) -> Self {
        Self::Setting(setting, Some(value.to_string()))
    }
}

/// What would help.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// Advice that names no control of a shell.
    Advice(Cow<'static, str>),
    /// Give a setting this value, for example.
    Set(Setting, Cow<'static, str>),
    /// Turn a switch on, or give a setting some value.
    Give(Setting),
    /// Leave a setting out.
    Omit(Setting),
    /// Install a model of the catalogue.
    Install(String),
    /// Remove an installed model, and install it again.
    Reinstall(String),
    /// See what there is.
    List(Listing),
    /// Any of several.
    Any(Vec<Self>),
}

/// What a shell can list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Models, installed and known.
    Models,
    /// Devices.
    Devices,
    /// Published command lines.
    Recipes,
}

impl From<&'static str> for Hint {
    fn from(advice: &'static str) -> Self {
        Self::Advice(advice.into())
    }
}

impl From<String> for Hint {
    fn from(advice: String) -> Self {
        Self::Advice(advice.into())
    }
}

impl Hint {
    /// Give a setting this value, for example.
    pub fn set(setting: Setting, value: impl Into<Cow<'static, str>>) -> Self {
        Self::Set(setting, value.into())
    }

    /// Either of two.
    #[must_use]
    pub fn or(self, other: impl Into<Self>) -> Self {
        let mut any = match self {
            Self::Any(any) => any,
            one => vec![one],
        };
        any.push(other.into());
        Self::Any(any)
    }

    /// Compute on the CPU.
    pub fn use_cpu() -> Self {
        Self::set(Setting::DEVICE, "cpu")
    }
}

/// How a shell calls settings, and says what to do with them; by default in the library's own words.
pub trait Words {
    /// A setting's name, such as `--border`.
    fn setting(&self, setting: &Setting) -> String {
        setting.0.replace('_', " ")
    }

    /// What an error is about, such as `--border periodic`.
    fn subject(&self, subject: &Subject) -> String {
        match subject {
            Subject::Path(path) => path.display().to_string(),
            Subject::Setting(setting, None) => self.setting(setting),
            Subject::Setting(setting, Some(value)) => format!("{} {value}", self.setting(setting)),
            Subject::Thing(thing) => thing.to_string(),
        }
    }

    /// Give a setting this value, such as `pass --border periodic`.
    fn set(&self, setting: &Setting, value: &str) -> String {
        format!("set {} to {value}", self.setting(setting))
    }

    /// Turn a switch on, or give a setting some value.
    fn give(&self, setting: &Setting) -> String {
        format!("set {}", self.setting(setting))
    }

    /// Leave a setting out.
    fn omit(&self, setting: &Setting) -> String {
        format!("leave {} out", self.setting(setting))
    }

    /// Install a model of the catalogue.
    fn install(&self, model: &str) -> String {
        format!("install the model {model}")
    }

    /// Remove an installed model, and install it again.
    fn reinstall(&self, model: &str) -> String {
        format!("remove the model {model} and install it again")
    }

    /// See what there is.
    fn list(&self, listing: Listing) -> String {
        let things = match listing {
            Listing::Models => "models",
            Listing::Devices => "devices",
            Listing::Recipes => "recipes",
        };
        format!("see which {things} there are")
    }

    /// What to do, in one clause.
    fn hint(&self, hint: &Hint) -> String {
        match hint {
            Hint::Advice(advice) => advice.to_string(),
            Hint::Set(setting, value) => self.set(setting, value),
            Hint::Give(setting) => self.give(setting),
            Hint::Omit(setting) => self.omit(setting),
            Hint::Install(model) => self.install(model),
            Hint::Reinstall(model) => self.reinstall(model),
            Hint::List(listing) => self.list(*listing),
            Hint::Any(hints) => {
                let said: Vec<String> = hints.iter().map(|hint| self.hint(hint)).collect();
                match said.split_last() {
                    Some((last, [])) => last.clone(),
                    Some((last, others)) => format!("{}, or {last}", others.join(", ")),
                    None => String::new(),
                }
            }
        }
    }
}

/// The library's own words.
pub(super) struct Plain;

impl Words for Plain {}
