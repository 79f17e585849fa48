//! Everything that can go wrong, one sentence each: the thing, the fact, the remedy.

use std::path::PathBuf;

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What a user can be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the sentence of each variant says what its fields are")]
pub enum Error {
    /// A file could not be read.
    #[error("{path}: cannot be read ({reason}); check the name and the permissions")]
    Unreadable { path: PathBuf, reason: String },
    /// A file could not be written.
    #[error("{path}: cannot be written ({reason}); choose another place with -o")]
    Unwritable { path: PathBuf, reason: String },
    /// A file is not a picture this program can decode.
    #[error("{path}: {fact}; {remedy}")]
    Picture { path: PathBuf, fact: String, remedy: String },
    /// The output would replace an input.
    #[error("{path}: the output would overwrite an input; choose another name with -o")]
    Overwrites { path: PathBuf },
    /// A parameter outside its range.
    #[error("{name} is {value}, but {fact}")]
    Parameter { name: String, value: String, fact: String },
    /// A kernel, mask or picture that does not fit the task.
    #[error("{what}: {fact}; {remedy}")]
    Mismatch { what: String, fact: String, remedy: String },
    /// The picture does not fit the memory.
    #[error(
        "{width}x{height} pixels need about {needed_mib} MiB, but {device} has {available_mib} MiB; \
         the largest square that fits is {side}x{side}: crop or shrink the picture"
    )]
    TooLarge { width: usize, height: usize, needed_mib: u64, available_mib: u64, device: String, side: usize },
    /// A checkpoint that is not usable as a prior.
    #[error("{path}: {fact}; {remedy}")]
    Checkpoint { path: PathBuf, fact: String, remedy: String },
    /// A device that is not there or does not answer.
    #[error("{device}: {fact}; {remedy}")]
    Device { device: String, fact: String, remedy: String },
    /// An estimate that must not become a picture.
    #[error("step {step}: the estimate {fact}, so the run was stopped; {remedy}")]
    BadEstimate { step: usize, fact: String, remedy: String },
    /// The run was interrupted; nothing was written.
    #[error("stopped at step {step} of {steps}; nothing was written for this picture")]
    Stopped { step: usize, steps: usize },
    /// A configuration file of another form.
    #[error("{path}: {fact}; {remedy}")]
    Config { path: PathBuf, fact: String, remedy: String },
    /// A folder of results that does not fit what is asked of it.
    #[error("{path}: {fact}; {remedy}")]
    Results { path: PathBuf, fact: String, remedy: String },
    /// A recipe that cannot be repeated.
    #[error("{path}: {fact}; {remedy}")]
    Recipe { path: PathBuf, fact: String, remedy: String },
}

impl Error {
    /// A value outside its range.
    pub(crate) fn parameter(name: &str, value: impl ToString, fact: &str) -> Self {
        Self::Parameter { name: name.into(), value: value.to_string(), fact: fact.into() }
    }
}
