//! The progress bar, and Ctrl-C.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::sampler::Progress;

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Makes the first Ctrl-C stop the run after its step; a second one ends the program at once.
pub(super) fn stop_on_ctrl_c() {
    // Without a handler, Ctrl-C ends the program at once, which leaves no half-written file either.
    _ = ctrlc::set_handler(|| {
        if STOPPED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
}

/// Whether Ctrl-C was pressed.
pub(super) fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// A bar for many pictures, which moves with every step.
pub(super) struct Pictures {
    bar: ProgressBar,
    /// Pictures done.
    done: std::cell::Cell<u64>,
}

/// Parts that a picture's share of the bar has.
const PARTS: u64 = 1000;

impl Pictures {
    /// A bar labelled with what works; hidden where standard error is no terminal.
    pub fn new(label: &str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {msg}, {eta} left, {prefix}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(label.to_owned());
        Self { bar, done: 0.into() }
    }

    /// There are so many pictures to do.
    pub fn begin(&self, pictures: usize) {
        self.bar.set_length(pictures as u64 * PARTS);
        self.tell("");
    }

    /// A step of a batch.
    pub fn step(&self, pictures: usize, progress: &Progress) {
        let parts = PARTS * pictures as u64 * progress.done as u64 / progress.steps.max(1) as u64;
        self.bar.set_position(self.done.get() * PARTS + parts);
        self.tell(&format!(", step {} of {}", progress.done, progress.steps));
    }

    /// A picture is done.
    pub fn picture(&self) {
        self.done.set(self.done.get() + 1);
        self.bar.set_position(self.done.get() * PARTS);
        self.tell("");
    }

    /// Prints beside the bar.
    pub fn print(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    fn tell(&self, step: &str) {
        let all = self.bar.length().unwrap_or(0) / PARTS;
        self.bar.set_message(format!("{} of {all} pictures{step}", self.done.get()));
    }
}

impl Drop for Pictures {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for one picture.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar labelled with the picture and the device; hidden where standard error is no terminal.
    pub fn new(label: &str, device: &str) -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] step {pos}/{len}, {eta} left, {msg}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(label.to_owned());
        bar.set_message(device.to_owned());
        Self(bar)
    }

    /// Shows a step; breaks after Ctrl-C.
    pub fn observe(&self, progress: &Progress) -> ControlFlow<()> {
        self.0.set_length(progress.steps as u64);
        self.0.set_position(progress.done as u64);
        if stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
