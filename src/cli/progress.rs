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
