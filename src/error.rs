//! Errors: a kind, the thing, the fact, what would help, and the cause beneath.
//!
//! The library does not know which shell is in front of it. Where an error is about a setting, it names a [`Setting`], and where
//! something would help, it carries a [`Hint`]; a shell turns both into its own [`Words`]: flags of a command line, controls
//! of a window. [`Error`]'s own `Display` uses plain ones.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The error beneath an [`Error`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

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
struct Plain;

impl Words for Plain {}

/// What can go wrong.
#[derive(Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "fields: the thing, the fact, and the hint")]
pub enum Error {
    /// A file could not be read.
    Unreadable { path: PathBuf, source: Cause },
    /// A file could not be written.
    Unwritable { path: PathBuf, source: Cause, kept: Option<PathBuf>, hint: Hint },
    /// An output would replace an input.
    Overwrites { path: PathBuf, hint: Hint },
    /// A file is not a picture that can be decoded or encoded.
    Picture { path: PathBuf, fact: String, hint: Hint },
    /// A value outside its range.
    Parameter { subject: Subject, value: String, fact: String },
    /// Things that do not fit each other.
    Mismatch { subject: Subject, fact: String, hint: Hint },
    /// The picture does not fit the memory of the device.
    TooLarge { width: usize, height: usize, needed_mib: u64, available_mib: u64, device: String, side: usize },
    /// A checkpoint that cannot be used as asked.
    Checkpoint { path: PathBuf, fact: String, hint: Hint },
    /// A device that is not there, or does not answer.
    Device { device: String, fact: String, hint: Hint },
    /// An estimate that must not become a picture.
    BadEstimate { step: usize, fact: String, hint: Hint },
    /// Nothing was found in a photo that a restoration would surely improve; what was found without being sure.
    NotNeeded { doubt: Option<String> },
    /// The work was cancelled; `during` reads after "stopped".
    Stopped { during: String },
    /// A configuration, recipe or folder of results that cannot be used.
    Document { path: PathBuf, fact: String, hint: Hint },
}

/// What helps where nothing was found.
static NAME_THE_DAMAGE: Hint = Hint::Give(Setting::DEGRADATION);

impl Error {
    /// A value outside its range; the fact reads after "but".
    pub fn parameter(subject: impl Into<Subject>, value: impl ToString, fact: impl Into<String>) -> Self {
        Self::Parameter { subject: subject.into(), value: value.to_string(), fact: fact.into() }
    }

    /// Things that do not fit each other.
    pub fn mismatch(subject: impl Into<Subject>, fact: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self::Mismatch { subject: subject.into(), fact: fact.into(), hint: hint.into() }
    }

    /// A file that could not be read.
    pub fn unreadable(path: &Path, source: impl Into<Cause>) -> Self {
        Self::Unreadable { path: path.into(), source: source.into() }
    }

    /// A file that could not be written.
    pub fn unwritable(path: &Path, source: impl Into<Cause>) -> Self {
        let hint = "check that its folder exists, may be written to and has space".into();
        Self::Unwritable { path: path.into(), source: source.into(), kept: None, hint }
    }

    /// A picture file that cannot be decoded or encoded.
    pub fn picture(path: &Path, fact: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self::Picture { path: path.into(), fact: fact.into(), hint: hint.into() }
    }

    /// A checkpoint that cannot be used as asked.
    pub fn checkpoint(path: &Path, fact: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self::Checkpoint { path: path.into(), fact: fact.into(), hint: hint.into() }
    }

    /// A configuration, recipe or folder of results that cannot be used.
    pub fn document(path: &Path, fact: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self::Document { path: path.into(), fact: fact.into(), hint: hint.into() }
    }

    /// A device that did not give its results back.
    pub fn no_result(device: &burn::tensor::Device, source: impl Display) -> Self {
        Self::Device {
            device: format!("{device:?}"),
            fact: format!("it gave no result ({source})"),
            hint: Hint::from("try a smaller picture").or(Hint::use_cpu()),
        }
    }

    /// The same, with the place beside it where the result is complete.
    pub(crate) fn kept_at(self, place: PathBuf) -> Self {
        match self {
            Self::Unwritable { path, source, hint, .. } => Self::Unwritable { path, source, kept: Some(place), hint },
            other => other,
        }
    }

    /// The same where the user chose the place: another one would help.
    #[must_use]
    pub fn at_output(self) -> Self {
        match self {
            Self::Unwritable { path, source, kept, .. } => {
                Self::Unwritable { path, source, kept, hint: Hint::Give(Setting::OUTPUT) }
            }
            other => other,
        }
    }

    /// What would help, where it is known.
    pub fn hint(&self) -> Option<&Hint> {
        match self {
            Self::Unwritable { hint, .. }
            | Self::Overwrites { hint, .. }
            | Self::Picture { hint, .. }
            | Self::Mismatch { hint, .. }
            | Self::Checkpoint { hint, .. }
            | Self::Device { hint, .. }
            | Self::BadEstimate { hint, .. }
            | Self::Document { hint, .. } => Some(hint),
            Self::NotNeeded { .. } => Some(&NAME_THE_DAMAGE),
            Self::Unreadable { .. } | Self::Parameter { .. } | Self::TooLarge { .. } | Self::Stopped { .. } => None,
        }
    }

    /// The error as one sentence in the words of a shell: the thing, the fact, the remedy.
    pub fn sentence(&self, words: &dyn Words) -> String {
        let about = |subject: &Subject| match subject {
            Subject::Path(path) => path.display().to_string(),
            Subject::Setting(setting, None) => words.setting(setting),
            Subject::Setting(setting, Some(value)) => format!("{} {value}", words.setting(setting)),
            Subject::Thing(thing) => thing.to_string(),
        };
        let fact = match self {
            Self::Unreadable { path, source } => {
                format!("{}: cannot be read ({source}); check the name and the permissions", path.display())
            }
            Self::Unwritable { path, source, kept: None, .. } => {
                format!("{}: cannot be written ({source})", path.display())
            }
            Self::Unwritable { path, source, kept: Some(kept), .. } => format!(
                "{}: cannot be replaced ({source}), so that the result is complete in {}",
                path.display(),
                kept.display()
            ),
            Self::Overwrites { path, .. } => format!("{}: the output would overwrite an input", path.display()),
            Self::Parameter { subject, value, fact } => format!("{} is {value}, but {fact}", about(subject)),
            Self::Mismatch { subject, fact, .. } => format!("{}: {fact}", about(subject)),
            Self::TooLarge { width, height, needed_mib, available_mib, device, side } => format!(
                "{width}x{height} pixels need about {needed_mib} MiB, but {device} has {available_mib} MiB; the largest \
                 square that fits is {side}x{side}: crop or shrink the picture"
            ),
            Self::Picture { path, fact, .. }
            | Self::Checkpoint { path, fact, .. }
            | Self::Document { path, fact, .. } => format!("{}: {fact}", path.display()),
            Self::Device { device, fact, .. } => format!("{device}: {fact}"),
            Self::BadEstimate { step, fact, .. } => format!("step {step}: the estimate {fact}, so the run was stopped"),
            Self::NotNeeded { doubt: None } => {
                "already clean: nothing was found that a restoration would improve".into()
            }
            Self::NotNeeded { doubt: Some(doubt) } => format!("nothing is sure enough to be undone: {doubt}"),
            Self::Stopped { during } => format!("stopped {during}"),
        };
        match self.hint() {
            Some(hint) => format!("{fact}; {}", words.hint(hint)),
            None => fact,
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(&Plain))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } | Self::Unwritable { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}

/// Says which file an operation was about.
pub(crate) trait PathContext<T> {
    /// It was reading `path`.
    fn reading(self, path: &Path) -> Result<T>;
    /// It was writing `path`.
    fn writing(self, path: &Path) -> Result<T>;
}

impl<T, E: Into<Cause>> PathContext<T> for std::result::Result<T, E> {
    fn reading(self, path: &Path) -> Result<T> {
        self.map_err(|e| Error::unreadable(path, e))
    }

    fn writing(self, path: &Path) -> Result<T> {
        self.map_err(|e| Error::unwritable(path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_kept_and_hints_are_said() {
        use std::error::Error as _;
        let missing = std::fs::read("/nowhere").reading(Path::new("/nowhere")).unwrap_err();
        let cause = missing.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
        let error = Error::mismatch(
            Setting::METHOD,
            "it needs the spectrum",
            Hint::set(Setting::BORDER, "periodic").or("choose another method"),
        );
        assert_eq!(
            error.to_string(),
            "method: it needs the spectrum; set border to periodic, or choose another method"
        );
    }
}
