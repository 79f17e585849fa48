//! Errors: a kind, the thing, the fact, what would help, and the cause beneath.
//!
//! [`Error`]'s own `Display` uses the library's words, and [`Error::sentence`] those of a shell.

mod words;

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use words::Plain;
pub use words::{Hint, Listing, Setting, Subject, Words};

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The error beneath an [`Error`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

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

    /// A folder without pictures.
    pub fn no_pictures(folder: &Path) -> Self {
        Self::mismatch(folder, "there is no picture in it or below", "name a folder with pictures")
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
            Self::Parameter { subject, value, fact } => format!("{} is {value}, but {fact}", words.subject(subject)),
            Self::Mismatch { subject, fact, .. } => format!("{}: {fact}", words.subject(subject)),
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
