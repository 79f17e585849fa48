//! A photo of the queue: what is known of it, what is asked for, and what became of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::TextureHandle;

use super::brush::Canvas;
use super::presets::{self, FILL, PRESETS, Preset};
use super::words;
use super::worker::{Holes, Id, Origin, Plan, Refusal};
use crate::estimate::{Diagnosis, Treatment};
use crate::job::Done;
use crate::recipe::Input;
use crate::restore::Wish;

/// A photo of the queue.
pub struct Photo {
    /// Its name in the window's messages.
    pub id: Id,
    /// Where it is.
    pub origin: Origin,
    /// A small picture of it, once it was read.
    pub thumbnail: Option<TextureHandle>,
    /// Width and height, once it was read.
    pub size: Option<[usize; 2]>,
    /// What is wrong with it, once that was looked for.
    pub diagnosis: Option<Diagnosis>,
    /// What of its file is not taken over.
    pub remarks: Vec<String>,
    /// The place of the preset that was chosen.
    pub preset: usize,
    /// What is asked for.
    pub wish: Wish,
    /// What is painted over it.
    pub canvas: Option<Canvas>,
    /// What the wish means.
    pub plan: Option<Result<Plan, Refusal>>,
    /// What became of it.
    pub state: State,
    /// The result, until it is saved and another photo is looked at.
    pub done: Option<Arc<Done>>,
    /// Where the result was saved.
    pub saved: Option<PathBuf>,
    /// Whether that is under way.
    pub is_being_saved: bool,
    /// What is known of the result, in a line.
    pub line: String,
}

/// What became of a photo.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It is being read.
    Reading,
    /// Nothing was asked for yet.
    Ready,
    /// It waits for those before it.
    Waiting,
    /// It is being restored.
    Running,
    /// There is a result.
    Done,
    /// Nothing is wrong with it.
    Clean(String),
    /// It could not be read or restored.
    Failed(String),
}

impl Photo {
    /// A photo that is still to be read.
    pub fn new(id: Id, origin: Origin, wish: Wish) -> Self {
        Self {
            id,
            origin,
            thumbnail: None,
            size: None,
            diagnosis: None,
            remarks: Vec::new(),
            preset: 0,
            wish,
            canvas: None,
            plan: None,
            state: State::Reading,
            done: None,
            saved: None,
            is_being_saved: false,
            line: String::new(),
        }
    }

    /// Where it is, or what it is called.
    pub fn path(&self) -> &Path {
        match &self.origin {
            Origin::File(path) | Origin::Memory(path, _) => path,
        }
    }

    /// Its name without folders.
    pub fn name(&self) -> String {
        self.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What became of it, in words.
    pub fn state_in_words(&self) -> &'static str {
        match &self.state {
            State::Reading => words::READING,
            State::Ready => words::READY,
            State::Waiting => words::WAITING,
            State::Running => words::RUNNING,
            State::Done if self.saved.is_some() => words::SAVED,
            State::Done => words::DONE,
            State::Clean(_) => words::CLEAN,
            State::Failed(_) => words::FAILED,
        }
    }

    /// Whether its result would be lost.
    pub fn is_unsaved(&self) -> bool {
        self.done.is_some() && self.saved.is_none()
    }

    /// What it is when nothing is done to it.
    pub fn rest(&mut self) {
        let has_result = self.done.is_some() || self.saved.is_some();
        self.state = if has_result { State::Done } else { State::Ready };
    }

    /// Whether it is neither being read nor waiting nor being restored.
    pub fn is_idle(&self) -> bool {
        !matches!(self.state, State::Reading | State::Waiting | State::Running)
    }

    /// Whether it may be put to those that wait.
    pub fn may_wait(&self) -> bool {
        self.is_idle() || self.state == State::Reading
    }

    /// Asks for what a preset does.
    pub fn choose(&mut self, preset: usize) {
        self.preset = preset;
        let has_holes = self.has_holes();
        PRESETS[preset].choose(&mut self.wish, has_holes);
    }

    /// Asks for what would undo a finding.
    pub fn treat(&mut self, Treatment { task, values, enlarged }: Treatment) {
        self.preset = Preset::of(&Treatment { task, values: values.clone(), enlarged });
        self.wish.tasks = vec![task.to_owned()];
        (self.wish.values, self.wish.enlarged) = (values, enlarged);
        presets::reach_size(&mut self.wish);
    }

    /// Whether what is painted over it is filled in.
    pub fn fills(&self) -> bool {
        PRESETS[self.preset].fills
    }

    /// Asks for what is painted over to be filled in, if that is wanted and there is any.
    pub fn fill(&mut self) {
        if self.fills() {
            let has_holes = self.has_holes();
            PRESETS[self.preset].set_tasks(&mut self.wish, has_holes);
        }
    }

    fn has_holes(&mut self) -> bool {
        self.canvas.as_mut().is_some_and(|canvas| canvas.holes().is_some())
    }

    /// The holes that are filled in, where that is asked for.
    pub fn holes(&mut self) -> Option<Holes> {
        let is_asked = self.wish.tasks.iter().any(|task| task == FILL);
        self.canvas.as_mut().filter(|_| is_asked)?.holes()
    }
}

/// The input of a part that is only looked at.
pub fn input_of_part() -> Input {
    Input { path: "part".into(), sha256: String::new(), page: 0 }
}
