//! The progress bars, and Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::control::{Control, Event};

/// Positions of the bar for each step, so that windows of large photos move it too.
const PARTS: u64 = 1000;
/// Between two pictures of what turns while nothing is counted.
const TICK: Duration = Duration::from_millis(200);

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

/// Where the work is.
struct At {
    phase: Phase,
    /// Steps done, and all.
    step: [usize; 2],
}

/// The time that is left, once there is something to judge by.
fn left(state: &ProgressState, words: &mut dyn std::fmt::Write) {
    if state.pos() > 0 {
        // What cannot be written to a terminal is not missed.
        _ = write!(words, ", {:#} left", HumanDuration(state.eta()));
    }
}

/// A bar on the terminal that listens to work and stops it after Ctrl-C; hidden where standard error is no terminal.
pub(super) struct Terminal {
    bar: ProgressBar,
    at: Mutex<At>,
    label: String,
}

impl Terminal {
    /// A bar labelled with what is worked on.
    pub fn new(label: &str) -> Self {
        let bar = ProgressBar::new(0);
        let at = At { phase: Phase::Waiting, step: [0; 2] };
        let terminal = Self { bar, at: at.into(), label: label.into() };
        terminal.style(Phase::Waiting);
        terminal.bar.enable_steady_tick(TICK);
        terminal
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let before = std::mem::replace(&mut self.at().phase, phase);
        if before != phase {
            self.style(phase);
            self.bar.reset();
        }
    }

    fn style(&self, phase: Phase) {
        let template = match phase {
            Phase::Waiting => "{spinner} {prefix} {msg}",
            Phase::Loading => "loading [{bar:30}] {percent}%",
            Phase::Steps => "{prefix} [{bar:30}] {msg}{left}",
            Phase::Bytes => "{prefix} [{bar:30}] {bytes} of {total_bytes}{left}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> ").with_key("left", left));
        }
        self.bar.set_message("");
        self.bar.set_prefix(self.label.clone());
    }

    fn show(&self, phase: Phase, done: u64, all: u64) {
        self.bar.set_length(all);
        self.enter(phase);
        self.bar.set_position(done);
    }

    /// Steps done and all, and windows of the next one.
    fn step(&self, step: [usize; 2], windows: Option<[usize; 2]>) {
        self.at().step = step;
        let [done, all] = step.map(|count| count as u64 * PARTS);
        let [window, windows_of] = windows.unwrap_or([0, 1]).map(|count| count as u64);
        // A new run begins anew.
        if done == 0 && window == 0 {
            self.bar.reset();
        }
        // Several passes over the windows of one step, as of a mean over symmetries, move it no further than the step.
        self.show(Phase::Steps, (done + PARTS * window / windows_of.max(1)).min(all), all);
        let words = format!("step {} of {}", (step[0] + 1).min(step[1]), step[1]);
        self.bar.set_message(match windows {
            Some([done, all]) => format!("{words}, window {done} of {all}"),
            None => words,
        });
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
            Event::Step { done, all } => self.step([done, all], None),
            Event::Window { done, all } => {
                let step = self.at().step;
                self.step(step, Some([done, all]));
            }
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
