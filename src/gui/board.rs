//! What the window and the worker threads share: how far the work is, its newest preview, and whether it should go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use eframe::egui::{ColorImage, Context};

use super::levels::color_image;
use crate::control::{Control, Event};

/// Longest side of a preview while a photo is restored.
const PREVIEW: u32 = 1024;
/// Shortest time between two redraws for progress alone.
const REDRAWS: Duration = Duration::from_millis(100);
/// Shortest time between two previews.
const PREVIEWS: Duration = Duration::from_millis(300);

/// What is being done.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Doing {
    /// A photo is restored, or there is nothing to do.
    #[default]
    Restoring,
    /// A prior is read.
    Loading,
    /// A prior is fetched.
    Fetching,
    /// This is found out or prepared, in words of the library.
    Estimating(String),
}

/// How far the work is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What is being done.
    pub doing: Doing,
    /// Share that is done, where it is known.
    pub share: Option<f32>,
    /// Seconds that are left, where they are known.
    pub left: Option<f32>,
}

/// What the window and the restorer share: the newest only.
#[derive(Default)]
pub struct Board {
    progress: Mutex<Progress>,
    preview: Mutex<Option<ColorImage>>,
    stopped: AtomicBool,
    /// Whether something waits that is more than a look.
    hurries: AtomicBool,
    paused: Mutex<bool>,
    resumed: Condvar,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// How far the work is.
    pub fn progress(&self) -> Progress {
        locked(&self.progress).clone()
    }

    /// The newest preview, once.
    pub fn take_preview(&self) -> Option<ColorImage> {
        locked(&self.preview).take()
    }

    /// Lets the next work go on, whatever was stopped before. To be called before it is ordered.
    pub fn allow(&self) {
        self.stopped.store(false, Ordering::SeqCst);
        self.hurries.store(true, Ordering::SeqCst);
        self.set_paused(false);
    }

    /// Makes the work stop at the next place that asks.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.set_paused(false);
    }

    /// Makes the work wait, or go on.
    pub fn set_paused(&self, paused: bool) {
        *locked(&self.paused) = paused;
        self.resumed.notify_all();
    }

    /// Whether the work waits.
    pub fn is_paused(&self) -> bool {
        *locked(&self.paused)
    }

    /// Ends it: nothing is being done.
    pub(super) fn end(&self) {
        *locked(&self.progress) = Progress::default();
    }

    /// Begins other work.
    pub(super) fn begin(&self) {
        self.hurries.store(false, Ordering::SeqCst);
        *locked(&self.progress) = Progress::default();
        *locked(&self.preview) = None;
    }
}

/// Listens to one restoration.
pub(super) struct Listener<'a> {
    board: &'a Board,
    ctx: &'a Context,
    /// Whether its pictures are those of the result.
    shows: bool,
    /// Where the run is.
    pub clock: Mutex<Clock>,
}

/// Where a run is, and when its first step began.
#[derive(Default)]
pub(super) struct Clock {
    begun: Option<Instant>,
    step: usize,
    steps: usize,
    /// Time that the steps waited.
    paused: Duration,
    /// Time that what came before them waited.
    waited: Duration,
}

impl Clock {
    /// Time that the work waited, all of it.
    pub fn waited(&self) -> Duration {
        self.waited + self.paused
    }

    /// The clock of other steps, which begin now.
    fn begun_anew(&self) -> Self {
        Self { begun: Some(Instant::now()), waited: self.waited(), ..Self::default() }
    }
}

impl<'a> Listener<'a> {
    pub fn new(board: &'a Board, ctx: &'a Context) -> Self {
        Self { board, ctx, shows: true, clock: Mutex::default() }
    }

    /// The same for work whose pictures are not those of the result.
    pub fn unseen(self) -> Self {
        Self { shows: false, ..self }
    }

    fn say(&self, doing: Doing, share: Option<f32>, left: Option<f32>) {
        *locked(&self.board.progress) = Progress { doing, share, left };
        // What draws may be the processor that works.
        self.ctx.request_repaint_after(REDRAWS);
    }

    /// Steps with a share of the one that runs.
    fn advance(&self, clock: &mut Clock, within: f32) {
        let begun = *clock.begun.get_or_insert_with(Instant::now);
        let share = (clock.step as f32 + within) / clock.steps.max(1) as f32;
        let worked = begun.elapsed().saturating_sub(clock.paused).as_secs_f32();
        let left = (share > 0.02).then(|| worked * (1.0 - share) / share);
        self.say(Doing::Restoring, Some(share), left);
    }
}

impl Control for Listener<'_> {
    fn cancelled(&self) -> bool {
        let mut paused = locked(&self.board.paused);
        if *paused {
            let begun = Instant::now();
            while *paused {
                paused = self.board.resumed.wait(paused).unwrap_or_else(PoisonError::into_inner);
            }
            locked(&self.clock).paused += begun.elapsed();
        }
        drop(paused);
        self.board.stopped.load(Ordering::SeqCst)
    }

    fn emit(&self, event: Event) {
        match event {
            Event::Loading { done, all } => self.say(Doing::Loading, Some(done as f32 / all.max(1) as f32), None),
            Event::Bytes { done, all } => {
                self.say(Doing::Fetching, all.map(|all| done as f32 / all.max(1) as f32), None)
            }
            Event::Estimating(what) => {
                // The clock of the steps begins after what comes before them.
                let mut clock = locked(&self.clock);
                *clock = clock.begun_anew();
                drop(clock);
                self.say(Doing::Estimating(what.into()), None, None);
            }
            Event::Step { done, all } => {
                let mut clock = locked(&self.clock);
                if done == 0 {
                    // Of each of several runs the time is its own.
                    *clock = clock.begun_anew();
                }
                (clock.step, clock.steps) = (done, all);
                self.advance(&mut clock, 0.0);
            }
            Event::Window { done, all } => {
                let mut clock = locked(&self.clock);
                if clock.steps > 0 {
                    self.advance(&mut clock, done as f32 / all.max(1) as f32);
                }
            }
            Event::Preview(picture) => {
                let (width, height) = picture.pixels().dimensions();
                let longest = width.max(height);
                let shown = match longest > PREVIEW {
                    true => {
                        let size = [height, width].map(|side| (side * PREVIEW / longest).max(1) as usize);
                        color_image(&picture.resampled(size))
                    }
                    false => color_image(picture),
                };
                *locked(&self.board.preview) = Some(shown);
                self.ctx.request_repaint();
            }
            Event::Found(_) | Event::Estimate(_) => {}
        }
    }

    fn preview_interval(&self) -> Option<Duration> {
        self.shows.then_some(PREVIEWS)
    }
}

/// Listens to a look: it says nothing, and makes way for more.
pub(super) struct Look<'a>(pub &'a Board);

impl Control for Look<'_> {
    fn cancelled(&self) -> bool {
        self.0.hurries.load(Ordering::SeqCst)
    }
}
