//! The window's state.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};

use eframe::egui::{Context, Pos2, pos2};

use super::brush::Brush;
use super::dialogs::Picked;
use super::engine::Offers;
use super::memory::{Keeper, Kept, Memory};
use super::photo::Photo;
use super::saving::Saving;
use super::surface::Surface;
use super::tries::Tried;
use super::viewer::Viewer;
use super::worker::{Id, Workers};
use crate::degradation::Mask;
use crate::job::Opened;

/// Messages that are kept on the screen.
const MESSAGES: usize = 4;

/// What is asked in front of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing: the keys are listed.
    Keys,
    /// Whether to close without saving.
    Close,
    /// Whether to remove a photo whose result is not saved.
    Remove(Id),
}

/// The photo that is looked at.
pub(super) struct Looked {
    pub id: Id,
    /// The photo, once it was read.
    pub opened: Option<Arc<Opened>>,
    pub before: Option<Surface>,
    pub after: Option<Surface>,
    pub difference: Option<Surface>,
    pub residual: Option<Surface>,
    pub uncertainty: Option<Surface>,
    /// Its fully transparent pixels.
    pub transparent: Option<Vec<bool>>,
    /// Where the viewer looks, in shares of the sides.
    pub centre: Pos2,
}

impl Looked {
    /// Nothing was read of it yet.
    pub fn new(id: Id) -> Self {
        Self {
            id,
            opened: None,
            before: None,
            after: None,
            difference: None,
            residual: None,
            uncertainty: None,
            transparent: None,
            centre: pos2(0.5, 0.5),
        }
    }
}

/// The window.
pub struct Window {
    pub(super) ctx: Context,
    pub(super) workers: Workers,
    pub(super) photos: Vec<Photo>,
    pub(super) looked: Option<Looked>,
    pub(super) viewer: Viewer,
    pub(super) brush: Brush,
    pub(super) memory: Memory,
    /// Where the memory is kept, if it is.
    pub(super) keeper: Keeper,
    /// The list of the last time, until it was said what becomes of it.
    pub(super) last_time: Vec<Kept>,
    pub(super) messages: Vec<String>,
    pub(super) asked: Option<Asked>,
    pub(super) tried: Tried,
    /// Device and prior that are loaded, in words.
    pub(super) engine_line: String,
    pub(super) offers: Option<Arc<OnceLock<Offers>>>,
    pub(super) picked: (Sender<Picked>, Receiver<Picked>),
    pub(super) next: Id,
    pub(super) running: Option<Id>,
    /// Whether a prior is fetched.
    pub(super) is_fetching: bool,
    /// Photos whose result is saved as soon as it is there.
    pub(super) saving: Vec<(Id, Saving)>,
    /// Seconds for an evaluation of a pixel.
    pub(super) rate: Option<f64>,
    /// Masks of the last time, until their photos were read.
    pub(super) masks: Vec<(Id, Mask)>,
    /// Whether a paste was told since its key was pressed.
    pub(super) heard_paste: bool,
    pub(super) may_close: bool,
    /// Whether the window closes as soon as every result is saved.
    pub(super) closes_when_saved: bool,
}

impl Window {
    /// A window that remembers, with photos.
    pub(super) fn new(ctx: &Context, memory: Memory, photos: &[PathBuf]) -> Self {
        let workers = Workers::start(ctx, memory.engine());
        let mut window = Self {
            ctx: ctx.clone(),
            workers,
            photos: Vec::new(),
            looked: None,
            viewer: Viewer::default(),
            brush: Brush::default(),
            last_time: memory.queue.clone(),
            memory,
            keeper: Keeper::default(),
            messages: Vec::new(),
            asked: None,
            tried: Tried::default(),
            engine_line: String::new(),
            offers: None,
            picked: mpsc::channel(),
            next: 0,
            running: None,
            is_fetching: false,
            saving: Vec::new(),
            rate: None,
            masks: Vec::new(),
            heard_paste: false,
            may_close: false,
            closes_when_saved: false,
        };
        window.add(photos.iter().cloned());
        window
    }

    /// A window for tests and scripts, that remembers nothing.
    pub fn fresh(ctx: &Context, device: &str, photos: &[PathBuf]) -> Self {
        Self::new(ctx, Memory { for_now: Some(device.into()), ..Memory::default() }, photos)
    }

    /// Says something that should be read.
    pub(super) fn say(&mut self, message: String) {
        if self.messages.last() != Some(&message) {
            self.messages.push(message);
        }
        if self.messages.len() > MESSAGES {
            self.messages.remove(0);
        }
    }

    pub(super) fn photo(&self, id: Id) -> Option<&Photo> {
        self.photos.iter().find(|photo| photo.id == id)
    }

    pub(super) fn photo_mut(&mut self, id: Id) -> Option<&mut Photo> {
        self.photos.iter_mut().find(|photo| photo.id == id)
    }

    /// The photo that is looked at.
    pub(super) fn current(&self) -> Option<&Photo> {
        self.photo(self.looked.as_ref()?.id)
    }

    pub(super) fn current_mut(&mut self) -> Option<&mut Photo> {
        let id = self.looked.as_ref()?.id;
        self.photo_mut(id)
    }

    /// Where dialogs send what was chosen in them.
    pub(super) fn picker(&self) -> Sender<Picked> {
        self.picked.0.clone()
    }
}
