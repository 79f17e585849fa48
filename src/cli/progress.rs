//! The progress bars, and Ctrl-C.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::control::{Control, Event};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Makes the first Ctrl-C stop the work at the next place that asks; a second one ends the program at once.
pub(super) fn stop_on_ctrl_c() {
    // Without a handler Ctrl-C ends the program at once.
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

/// What the bar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Loading,
    Steps,
    Bytes,
}

/// A bar on the terminal that listens to work and stops it after Ctrl-C; hidden where standard error is no terminal.
pub(super) struct Terminal {
    bar: ProgressBar,
    phase: Mutex<Phase>,
    label: String,
}

impl Terminal {
    /// A bar labelled with what is worked on.
    pub fn new(label: &str) -> Self {
        let bar = ProgressBar::new(0);
        bar.set_prefix(label.to_owned());
        Self { bar, phase: Phase::Waiting.into(), label: label.into() }
    }

    fn enter(&self, phase: Phase) {
        let mut current = self.phase.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *current == phase {
            return;
        }
        *current = phase;
        let template = match phase {
            Phase::Waiting => "{prefix} {msg}",
            Phase::Loading => "loading [{bar:30}] {percent}%",
            Phase::Steps => "{prefix} [{bar:30}] step {pos}/{len}, {eta} left{msg}",
            Phase::Bytes => "{prefix} [{bar:30}] {bytes} of {total_bytes}, {eta} left",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.set_message("");
        self.bar.set_prefix(self.label.clone());
        self.bar.reset();
    }

    fn show(&self, phase: Phase, done: u64, all: u64) {
        self.enter(phase);
        self.bar.set_length(all);
        self.bar.set_position(done);
    }
}

impl Control for Terminal {
    fn cancelled(&self) -> bool {
        stopped()
    }

    fn emit(&self, event: Event) {
        match event {
            Event::Loading { done, all } => self.show(Phase::Loading, done, all),
            Event::Estimating(what) => {
                self.enter(Phase::Waiting);
                self.bar.set_message(format!("estimating {what}"));
                self.bar.tick();
            }
            Event::Found(sentence) => self.bar.suspend(|| super::note(format!("{}: {sentence}", self.label))),
            Event::Step { done, all } => self.show(Phase::Steps, done as u64, all as u64),
            Event::Window { done, all } => self.bar.set_message(format!(", window {done} of {all}")),
            Event::Bytes { done, all } => self.show(Phase::Bytes, done, all.unwrap_or(done)),
            Event::Estimate(_) | Event::Preview(_) => {}
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
