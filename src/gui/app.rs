//! The window's state, and what is done with it.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};

use eframe::egui::{Context, Pos2, pos2};
use serde::{Deserialize, Serialize};

use super::brush::{Brush, Canvas};
use super::dialogs::Picked;
use super::engine::Offers;
use super::photo::{Photo, State};
use super::saving::{Place, Saving};
use super::surface::Surface;
use super::tries::Tried;
use super::viewer::Viewer;
use super::worker::{self, Engine, Id, Order, Origin, Question, Workers};
use crate::degradation::Mask;
use crate::job::Opened;
use crate::restore::{PriorChoice, Wish};

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
    pub uncertainty: Option<Surface>,
    /// Its fully transparent pixels.
    pub transparent: Option<Vec<bool>>,
    /// Where the viewer looks, in shares of the sides.
    pub centre: Pos2,
}

/// What the window remembers from one time to the next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    pub device: Option<String>,
    /// The device of this time only: one that the command line names, or that stands in for another.
    #[serde(skip)]
    pub for_now: Option<String>,
    pub model: Option<String>,
    /// Whether dates, places and the like are left out of what is saved.
    pub drops_metadata: bool,
    pub queue: Vec<Kept>,
}

/// A photo of the list, as it is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    path: PathBuf,
    wish: Wish,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    saved: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask: Option<Mask>,
}

impl Memory {
    /// The device of this time.
    pub fn device_now(&self) -> Option<String> {
        self.for_now.clone().or_else(|| self.device.clone())
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
    /// The list of the last time, until it was said what becomes of it.
    pub(super) last_time: Vec<Kept>,
    pub(super) messages: Vec<String>,
    pub(super) asked: Option<Asked>,
    pub(super) tried: Tried,
    /// Device and prior that are loaded, in words.
    pub(super) engine_line: String,
    pub(super) offers: Option<Arc<OnceLock<Offers>>>,
    pub(super) picked: (Sender<Picked>, Receiver<Picked>),
    next: Id,
    pub(super) running: Option<Id>,
    /// Whether a prior is fetched.
    pub(super) is_fetching: bool,
    /// Photos whose result is saved as soon as it is there.
    pub(super) saving: Vec<(Id, Saving)>,
    /// Seconds for an evaluation of a pixel.
    pub(super) rate: Option<f64>,
    /// Masks of the last time, until their photos were read.
    pub(super) masks: Vec<(Id, Mask)>,
    pub(super) may_close: bool,
    /// Whether the window closes as soon as every result is saved.
    pub(super) closes_when_saved: bool,
}

impl Window {
    /// A window that remembers, with photos.
    pub(super) fn new(ctx: &Context, memory: Memory, photos: &[PathBuf]) -> Self {
        let prior = memory.model.as_deref().map_or_else(PriorChoice::default, PriorChoice::named);
        let workers = Workers::start(ctx, Engine { device: memory.device_now(), prior });
        let mut window = Self {
            ctx: ctx.clone(),
            workers,
            photos: Vec::new(),
            looked: None,
            viewer: Viewer::default(),
            brush: Brush::default(),
            last_time: memory.queue.clone(),
            memory,
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

    /// Adds files, and the pictures of folders and below.
    pub fn add(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            match path.is_dir() {
                true => self.search(path),
                false => _ = self.add_one(Origin::File(path), Wish::default()),
            }
        }
    }

    /// Adds a photo, and looks at it if it is the first.
    fn add_one(&mut self, origin: Origin, wish: Wish) -> Id {
        let id = self.next;
        self.next += 1;
        let is_first = self.looked.is_none();
        self.photos.push(Photo::new(id, origin.clone(), wish));
        if is_first {
            self.look_at(id);
        } else {
            self.workers.ask(Question::Read { id, origin, page: 0, look: false });
        }
        id
    }

    /// Adds a picture that is in no file, as the bytes of a PNG.
    pub(super) fn add_pasted(&mut self, bytes: Vec<u8>) {
        let name = PathBuf::from(format!("pasted-{}.png", self.next + 1));
        let id = self.add_one(Origin::Memory(name, Arc::new(bytes)), Wish::default());
        self.look_at(id);
    }

    /// Takes up the list of the last time, or forgets it.
    pub(super) fn answer_last_time(&mut self, is_wanted: bool) {
        let kept = std::mem::take(&mut self.last_time);
        for Kept { path, wish, saved, mask } in kept.into_iter().filter(|_| is_wanted) {
            let id = self.add_one(Origin::File(path), wish);
            if let Some(photo) = self.photo_mut(id) {
                photo.saved = saved.filter(|path| path.exists());
            }
            self.masks.extend(mask.map(|mask| (id, mask)));
        }
    }

    /// What is remembered of the window.
    pub(super) fn remembered(&self) -> Memory {
        let kept = |photo: &Photo| match &photo.origin {
            Origin::File(path) => Some(Kept {
                path: std::path::absolute(path).unwrap_or_else(|_| path.clone()),
                wish: photo.wish.clone(),
                saved: photo.saved.clone(),
                mask: photo.canvas.as_ref().and_then(Canvas::mask).or_else(|| self.unread_mask(photo.id)),
            }),
            Origin::Memory(..) => None,
        };
        let queue = self.last_time.iter().cloned().chain(self.photos.iter().filter_map(kept)).collect();
        Memory { queue, ..self.memory.clone() }
    }

    /// The mask that a photo had the last time, until it is read.
    fn unread_mask(&self, id: Id) -> Option<Mask> {
        self.masks.iter().find(|(other, _)| *other == id).map(|(_, mask)| mask.clone())
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

    /// Shows a photo.
    pub(super) fn look_at(&mut self, id: Id) {
        if self.looked.as_ref().is_some_and(|looked| looked.id == id) {
            return;
        }
        // What is saved need not stay in memory.
        if let Some(photo) = self.current_mut()
            && photo.saved.is_some()
        {
            photo.done = None;
        }
        let Some(photo) = self.photo(id) else { return };
        let origin = photo.origin.clone();
        self.looked = Some(Looked {
            id,
            opened: None,
            before: None,
            after: None,
            difference: None,
            uncertainty: None,
            transparent: None,
            centre: pos2(0.5, 0.5),
        });
        self.tried.parts.clear();
        self.tried.wanted = None;
        self.viewer.fit();
        self.workers.ask(Question::Read { id, origin, page: 0, look: true });
    }

    /// Shows the photo before or after the one that is looked at.
    pub(super) fn look_beside(&mut self, by: isize) {
        let at = self.looked.as_ref().and_then(|looked| self.photos.iter().position(|photo| photo.id == looked.id));
        let beside = at.and_then(|at| self.photos.get(at.checked_add_signed(by)?)).map(|photo| photo.id);
        if let Some(id) = beside {
            self.look_at(id);
        }
    }

    /// Moves a photo up or down the list.
    pub(super) fn move_by(&mut self, id: Id, by: isize) {
        if let Some(at) = self.photos.iter().position(|photo| photo.id == id)
            && let Some(to) = at.checked_add_signed(by).filter(|to| *to < self.photos.len())
        {
            self.photos.swap(at, to);
        }
    }

    /// Takes a photo off the list; asks first where a result would be lost.
    pub(super) fn remove_asked(&mut self, id: Id) {
        match self.photo(id).is_some_and(Photo::is_unsaved) {
            true => self.asked = Some(Asked::Remove(id)),
            false => self.remove(id),
        }
    }

    /// Takes a photo off the list.
    pub(super) fn remove(&mut self, id: Id) {
        if self.running == Some(id) {
            self.workers.board.stop();
        }
        let Some(at) = self.photos.iter().position(|photo| photo.id == id) else { return };
        self.photos.remove(at);
        if self.looked.as_ref().is_some_and(|looked| looked.id == id) {
            self.looked = None;
            let beside = self.photos.get(at).or(self.photos.last()).map(|photo| photo.id);
            if let Some(id) = beside {
                self.look_at(id);
            }
        }
    }

    /// Says that the wish of the photo that is looked at is another one now.
    pub(super) fn wish_changed(&mut self) {
        let Some(Looked { id, opened: Some(opened), .. }) = &self.looked else { return };
        let (id, opened) = (*id, Arc::clone(opened));
        let Some(photo) = self.photo_mut(id) else { return };
        // What was said of another wish.
        if matches!(photo.state, State::Failed(_) | State::Clean(_)) {
            photo.rest();
        }
        let (wish, holes) = (Box::new(photo.wish.clone()), photo.holes());
        self.workers.ask(Question::Plan { id, opened, wish, holes });
    }

    /// Seconds that a photo will take, where that is known.
    pub(super) fn seconds_of(&self, work: f64) -> Option<f64> {
        self.rate.map(|rate| rate * work)
    }

    /// Lets a photo wait for its turn; its result is saved at once beside the photo if that is asked for.
    pub(super) fn begin(&mut self, id: Id, saves: bool) {
        let drops_metadata = self.memory.drops_metadata;
        self.closes_when_saved = false;
        if let Some(photo) = self.photo_mut(id)
            && (photo.is_idle() || photo.state == State::Reading)
        {
            photo.state = State::Waiting;
            let saving = Saving { place: Place::beside(&photo.origin), drops_metadata };
            self.saving.retain(|(other, _)| *other != id);
            self.saving.extend(saves.then_some((id, saving)));
        }
        self.next_order();
    }

    /// Restores every photo that has no result, each saved beside its photo.
    pub(super) fn begin_all(&mut self) {
        let is_wanted = |photo: &&Photo| {
            let waits = photo.is_idle() || photo.state == State::Reading;
            waits && photo.done.is_none() && photo.saved.is_none()
        };
        let wanted: Vec<Id> = self.photos.iter().filter(is_wanted).map(|photo| photo.id).collect();
        wanted.into_iter().for_each(|id| self.begin(id, true));
    }

    /// Whether a photo is being restored, or waits.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || self.is_fetching
    }

    /// Stops what runs, and takes back what waits.
    pub(super) fn stop(&mut self) {
        self.workers.board.stop();
        let waiting = self.photos.iter_mut().filter(|photo| photo.state == State::Waiting);
        waiting.for_each(Photo::rest);
    }

    /// Pauses, or goes on.
    pub(super) fn pause(&mut self) {
        let board = &self.workers.board;
        board.set_paused(self.running.is_some() && !board.is_paused());
    }

    /// Asks how sure the result is that is looked at.
    pub(super) fn doubt(&mut self) {
        let Some(opened) = self.looked.as_ref().and_then(|looked| looked.opened.clone()) else { return };
        if self.is_busy() {
            return;
        }
        let Some(photo) = self.current_mut() else { return };
        let (id, holes) = (photo.id, photo.holes());
        if let Some(done) = photo.done.clone() {
            photo.state = State::Running;
            self.running = Some(id);
            self.tried.wanted = None;
            self.workers.board.allow();
            self.workers.order(Order::Doubt { id, opened, holes, done });
        }
    }

    /// Fetches a published prior.
    pub(super) fn fetch(&mut self, name: &str) {
        if !self.is_busy() {
            self.is_fetching = true;
            self.tried.wanted = None;
            self.workers.board.allow();
            self.workers.order(Order::Fetch(name.to_owned()));
        }
    }

    /// Gives the restorer the next photo that waits.
    pub(super) fn next_order(&mut self) {
        if self.is_busy() {
            return;
        }
        // What is painted over a photo is known once it is read.
        let is_next =
            |photo: &Photo| photo.state == State::Waiting && self.masks.iter().all(|(other, _)| *other != photo.id);
        let Some(at) = self.photos.iter().position(is_next) else { return };
        let photo = &mut self.photos[at];
        let (id, wish, holes) = (photo.id, Box::new(photo.wish.clone()), photo.holes());
        let looked = self.looked.as_ref().filter(|looked| looked.id == id);
        let photo = match looked.and_then(|looked| looked.opened.clone()) {
            Some(opened) => worker::Photo::Opened(opened),
            None => worker::Photo::At(photo.origin.clone()),
        };
        let save = self.saving.iter().find(|(other, _)| *other == id).map(|(_, saving)| saving.clone());
        self.running = Some(id);
        // A look that makes way is taken again.
        self.tried.wanted = None;
        self.workers.board.allow();
        self.workers.order(Order::Restore { id, photo, wish, holes, save });
    }

    /// Computes elsewhere, or with another prior.
    pub(super) fn change_engine(&mut self) {
        let prior = self.memory.model.as_deref().map_or_else(PriorChoice::default, PriorChoice::named);
        self.workers.order(Order::Change(Engine { device: self.memory.device_now(), prior }));
        self.rate = None;
        self.tried.wanted = None;
    }

    /// Saves the result of a photo.
    pub(super) fn save(&mut self, id: Id, place: Place) {
        let saving = Saving { place, drops_metadata: self.memory.drops_metadata };
        let Some(photo) = self.photo_mut(id) else { return };
        if let Some(done) = photo.done.clone() {
            photo.is_being_saved = true;
            self.workers.ask(Question::Save { id, done, saving });
        }
    }

    /// Saves every result that is not saved, beside its photo.
    pub(super) fn save_all(&mut self) {
        let unsaved = self.photos.iter().filter(|photo| photo.is_unsaved() && !photo.is_being_saved);
        let unsaved: Vec<(Id, Place)> = unsaved.map(|photo| (photo.id, Place::beside(&photo.origin))).collect();
        unsaved.into_iter().for_each(|(id, place)| self.save(id, place));
    }

    /// Where dialogs send what was chosen in them.
    pub(super) fn picker(&self) -> Sender<Picked> {
        self.picked.0.clone()
    }

    /// Puts the result of the photo that is looked at on the clipboard.
    pub(super) fn copy(&mut self) {
        let Some(done) = self.current().and_then(|photo| photo.done.clone()) else { return };
        self.ctx.copy_image(super::levels::color_image(&done.restored.picture));
    }
}
