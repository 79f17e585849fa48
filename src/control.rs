//! Cancellation and events: how a shell listens to work in progress, and stops it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::picture::Picture;

/// What happens during work.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A prior is read: parameters done, and all.
    Loading {
        /// Parameters read.
        done: u64,
        /// Parameters in all.
        all: u64,
    },
    /// Something is found out or prepared before the first step, in words: "the noise".
    Estimating(&'a str),
    /// Something was found out, in a sentence about what is worked on.
    Found(&'a str),
    /// So many steps of the sampler, or of what follows it, are done: 0 when it begins.
    Step {
        /// Steps done.
        done: usize,
        /// Steps in all.
        all: usize,
    },
    /// A window of a large picture is done within a step.
    Window {
        /// Windows done.
        done: usize,
        /// Windows in all.
        all: usize,
    },
    /// The estimate of the clean image after a step, `[b, 3, h, w]` in `[-1, 1]`, still on the device and with its margin.
    Estimate(&'a Tensor<4>),
    /// The same as a picture of the restored size, without bars at its border that stay as they are; sent at most once in [`Control::preview_interval`].
    Preview(&'a Picture),
    /// Bytes of a file are fetched, copied or checked, and how many there are where that is known.
    Bytes {
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        all: Option<u64>,
    },
}

/// Listens to work and may stop it. Called from the thread that works.
pub trait Control: Sync {
    /// Whether the work should stop; asked at least once a step.
    fn cancelled(&self) -> bool {
        false
    }

    /// Hears of an event.
    fn emit(&self, event: Event) {
        _ = event;
    }

    /// Shortest time between two previews, or none for no previews: each costs a read from the device.
    fn preview_interval(&self) -> Option<Duration> {
        None
    }
}

/// Listens to nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Control for Silent {}

/// Does work that asks nobody, on a thread of its own, and waits for it or for a cancellation, after which what was begun goes on
/// unseen.
///
/// # Errors
/// Those of the work, and [`Error::Stopped`]; `during` reads after "stopped".
pub(crate) fn waited<T: Send + 'static>(
    control: &dyn Control,
    during: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    const PATIENCE: Duration = Duration::from_millis(20);
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || {
        // Nobody listens any more after a cancellation.
        _ = sender.send(work());
    });
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Timeout) => check(control, || during.to_owned())?,
            Err(RecvTimeoutError::Disconnected) => match worker.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => return Err(Error::Stopped { during: during.to_owned() }),
            },
        }
    }
}

/// # Errors
/// [`Error::Stopped`] if the work is cancelled; `during` reads after "stopped".
pub fn check(control: &dyn Control, during: impl FnOnce() -> String) -> Result<()> {
    if control.cancelled() { Err(Error::Stopped { during: during() }) } else { Ok(()) }
}
