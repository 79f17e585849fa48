//! The window's state, and how it changes with what the workers tell.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use eframe::egui::{ColorImage, Context, Pos2, TextureHandle, TextureOptions, ViewportCommand, pos2};
use serde::{Deserialize, Serialize};

use super::brush::{Brush, Canvas};
use super::dialogs::Picked;
use super::engine::Offers;
use super::levels::Levels;
use super::photo::{Photo, State};
use super::saving::{Place, Saving};
use super::settings;
use super::surface::Surface;
use super::viewer::{Compare, Viewer};
use super::words;
use super::worker::{self, Engine, Id, News, Order, Origin, Question, Refusal, Shown, Workers};
use crate::degradation::Mask;
use crate::estimate::Treatment;
use crate::job::{Done, Opened};
use crate::picture::Picture;
use crate::restore::{Preference, PriorChoice, Wish};

/// Side of the part that is tried.
const PART: u32 = 256;
/// How long settings rest before a part is tried with them.
const REST: Duration = Duration::from_millis(300);
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

/// A part restored in both ways.
#[derive(Default)]
pub(super) struct Tried {
    /// What was tried last.
    wanted: Option<(Id, Wish, usize, [u32; 2])>,
    since: Option<Instant>,
    number: u64,
    is_sent: bool,
    /// The parts, or why there is none.
    pub parts: Vec<Result<TextureHandle, String>>,
}

/// What the window remembers from one time to the next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    pub device: Option<String>,
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
    picked: (Sender<Picked>, Receiver<Picked>),
    next: Id,
    running: Option<Id>,
    /// Whether a prior is fetched.
    is_fetching: bool,
    /// Photos whose result is saved as soon as it is there.
    saving: Vec<(Id, Saving)>,
    /// Seconds for an evaluation of a pixel.
    rate: Option<f64>,
    /// Masks of the last time, until their photos were read.
    masks: Vec<(Id, Mask)>,
    pub(super) may_close: bool,
    /// Whether the window closes as soon as every result is saved.
    pub(super) closes_when_saved: bool,
}

impl Window {
    /// A window that remembers, with photos.
    pub(super) fn new(ctx: &Context, memory: Memory, photos: &[PathBuf]) -> Self {
        let prior = memory.model.as_deref().map_or_else(PriorChoice::default, PriorChoice::named);
        let workers = Workers::start(ctx, Engine { device: memory.device.clone(), prior });
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
        Self::new(ctx, Memory { device: Some(device.into()), ..Memory::default() }, photos)
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
    fn add_pasted(&mut self, bytes: Vec<u8>) {
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
                mask: photo.canvas.as_ref().and_then(Canvas::mask),
            }),
            Origin::Memory(..) => None,
        };
        let queue = self.last_time.iter().cloned().chain(self.photos.iter().filter_map(kept)).collect();
        Memory { queue, ..self.memory.clone() }
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
            self.workers.board.allow();
            self.workers.order(Order::Doubt { id, opened, holes, done });
        }
    }

    /// Fetches a published prior.
    pub(super) fn fetch(&mut self, name: &str) {
        if !self.is_busy() {
            self.is_fetching = true;
            self.workers.board.allow();
            self.workers.order(Order::Fetch(name.to_owned()));
        }
    }

    /// Gives the restorer the next photo that waits.
    fn next_order(&mut self) {
        if self.is_busy() {
            return;
        }
        let Some(photo) = self.photos.iter_mut().find(|photo| photo.state == State::Waiting) else { return };
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
        self.workers.order(Order::Change(Engine { device: self.memory.device.clone(), prior }));
        self.rate = None;
        self.tried.wanted = None;
    }

    /// Saves the result of a photo.
    pub(super) fn save(&mut self, id: Id, place: Place) {
        let saving = Saving { place, drops_metadata: self.memory.drops_metadata };
        if let Some(done) = self.photo(id).and_then(|photo| photo.done.clone()) {
            self.workers.ask(Question::Save { id, done, saving });
        }
    }

    /// Saves every result that is not saved, beside its photo.
    pub(super) fn save_all(&mut self) {
        let unsaved = self.photos.iter().filter(|photo| photo.is_unsaved());
        let unsaved: Vec<(Id, Place)> = unsaved.map(|photo| (photo.id, Place::beside(&photo.origin))).collect();
        unsaved.into_iter().for_each(|(id, place)| self.save(id, place));
    }

    /// Where dialogs send what was chosen in them.
    pub(super) fn picker(&self) -> Sender<Picked> {
        self.picked.0.clone()
    }

    /// Hears of everything that happened since the last frame.
    pub(super) fn hear(&mut self) {
        for news in self.workers.news() {
            self.hear_news(news);
        }
        let picked: Vec<Picked> = self.picked.1.try_iter().collect();
        for picked in picked {
            match picked {
                Picked::Photos(paths) => self.add(paths),
                Picked::Pasted(bytes) => self.add_pasted(bytes),
                Picked::Output(id, place) => self.save(id, Place::At(place)),
                Picked::Mask(id, path, mask) => self.take_mask(id, &path, &mask),
                Picked::MaskOutput(id, place) => self.save_mask(id, place),
                Picked::Sentence(sentence) => self.say(sentence),
                Picked::Nothing => {}
            }
        }
        if let Some(preview) = self.workers.board.take_preview()
            && let Some(looked) = &mut self.looked
            && Some(looked.id) == self.running
        {
            looked.after = Some(Surface::new(Arc::new(Levels::of_image(preview))));
            looked.difference = None;
            looked.uncertainty = None;
        }
        self.next_order();
        self.try_parts();
    }

    fn hear_news(&mut self, news: News) {
        match news {
            News::Read { id, read } => self.hear_read(id, *read),
            News::Planned { id, plan } => {
                if let Some(photo) = self.photo_mut(id) {
                    photo.plan = Some(plan);
                }
            }
            News::Shown { id, levels, difference } => {
                if let Some(looked) = self.looked.as_mut().filter(|looked| looked.id == id) {
                    looked.after = Some(Surface::new(levels));
                    looked.difference = difference.map(Surface::new);
                }
            }
            News::Began { id } => {
                if let Some(photo) = self.photo_mut(id) {
                    photo.state = State::Running;
                }
            }
            News::Restored { id, done, saved, line, rate } => self.hear_restored(id, done, saved, line, rate),
            News::Failed { id, why } => self.hear_failed(id, why),
            News::Doubted { id, map } => self.hear_doubted(id, map),
            News::Saved { id, done, saved } => self.hear_saved(id, &done, saved),
            News::OnCpu(sentence) => {
                self.memory.device = Some("cpu".into());
                self.say(words::on_cpu(&sentence));
            }
            News::Tried { id, number, parts, rate } => {
                self.rate = rate.or(self.rate);
                let is_wanted = number == self.tried.number && self.looked.as_ref().is_some_and(|l| l.id == id);
                if is_wanted {
                    let texture = |image: ColorImage| self.ctx.load_texture("part", image, TextureOptions::LINEAR);
                    self.tried.parts = parts.into_iter().map(|part| part.map(texture)).collect();
                }
            }
            News::Ready { line } => self.engine_line = line,
            News::Remark(message) => self.say(message),
            News::Fetched(fetched) => {
                self.is_fetching = false;
                match fetched {
                    Ok(name) => {
                        self.memory.model = Some(name);
                        self.offers = None;
                        self.change_engine();
                    }
                    Err(Refusal::Stopped) => {}
                    Err(Refusal::Fault(sentence) | Refusal::NotNeeded(sentence)) => self.say(sentence),
                }
            }
        }
    }

    fn hear_read(&mut self, id: Id, read: Result<worker::Read, String>) {
        let ctx = self.ctx.clone();
        let mask = self.masks.iter().position(|(other, _)| *other == id).map(|at| self.masks.remove(at).1);
        let Some(photo) = self.photo_mut(id) else { return };
        let read = match read {
            Ok(read) => read,
            Err(sentence) => {
                photo.state = State::Failed(sentence);
                return;
            }
        };
        // A file may be whole again.
        let was_unreadable = matches!(photo.state, State::Failed(_)) && photo.size.is_none();
        if photo.state == State::Reading || was_unreadable {
            photo.rest();
        }
        photo.thumbnail = Some(ctx.load_texture("thumbnail", read.thumbnail, TextureOptions::LINEAR));
        photo.size = Some(read.size);
        photo.diagnosis = Some(read.diagnosis);
        photo.remarks = read.remarks;
        if let Some(mask) = mask.filter(|mask| mask.size() == [read.size[1], read.size[0]]) {
            let mut canvas = Canvas::new(read.size);
            canvas.replace(mask.unknown().into_iter().map(|hole| if hole { 255 } else { 0 }).collect());
            photo.canvas = Some(canvas);
        }
        let result = match (&photo.done, &photo.saved) {
            (Some(done), _) => Some(Shown::Done(Arc::clone(done))),
            (None, Some(path)) => Some(Shown::File(path.clone())),
            (None, None) => None,
        };
        if let Some(looked) = self.looked.as_mut().filter(|looked| looked.id == id)
            && let (Some(opened), Some(levels)) = (read.opened, read.levels)
        {
            looked.transparent = read.transparent;
            looked.opened = Some(Arc::clone(&opened));
            looked.before = Some(Surface::new(levels));
            if let Some(result) = result {
                self.workers.ask(Question::Show { id, before: Some(opened), result });
            }
            self.wish_changed();
        }
    }

    fn hear_restored(&mut self, id: Id, done: Arc<Done>, saved: Option<PathBuf>, line: String, rate: f64) {
        self.running = None;
        self.rate = Some(rate);
        self.saving.retain(|(other, _)| *other != id);
        let looked = self.looked.as_ref().filter(|looked| looked.id == id);
        let (is_looked, before) = (looked.is_some(), looked.and_then(|looked| looked.opened.clone()));
        let Some(photo) = self.photo_mut(id) else { return };
        photo.state = State::Done;
        photo.line = line;
        photo.saved = saved;
        if is_looked {
            let result = Shown::Done(Arc::clone(&done));
            self.workers.ask(Question::Show { id, before, result });
        }
        if let Some(photo) = self.photo_mut(id) {
            photo.done = Some(done).filter(|_| is_looked || photo.saved.is_none());
        }
    }

    fn hear_doubted(&mut self, id: Id, map: Result<Arc<Levels>, Refusal>) {
        self.running = None;
        if let Some(photo) = self.photo_mut(id) {
            photo.rest();
        }
        match map {
            Ok(levels) => {
                if let Some(looked) = self.looked.as_mut().filter(|looked| looked.id == id) {
                    looked.uncertainty = Some(Surface::new(levels));
                    self.viewer.compare = Compare::Uncertainty;
                }
            }
            Err(Refusal::Stopped) => {}
            Err(Refusal::Fault(sentence) | Refusal::NotNeeded(sentence)) => self.say(sentence),
        }
    }

    fn hear_saved(&mut self, id: Id, done: &Arc<Done>, saved: Result<PathBuf, String>) {
        match saved {
            Ok(place) => {
                // Another result may be there by now.
                if let Some(photo) = self.photo_mut(id)
                    && photo.done.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, done))
                {
                    photo.saved = Some(place);
                }
            }
            Err(sentence) => {
                self.closes_when_saved = false;
                self.say(sentence);
            }
        }
        if self.closes_when_saved && !self.photos.iter().any(Photo::is_unsaved) {
            self.may_close = true;
            self.ctx.send_viewport_cmd(ViewportCommand::Close);
        }
    }

    fn hear_failed(&mut self, id: Id, why: Refusal) {
        self.running = None;
        self.saving.retain(|(other, _)| *other != id);
        let looked = self.looked.as_mut().filter(|looked| looked.id == id);
        let before = looked.and_then(|looked| {
            // The preview; an older result is shown again.
            looked.after = None;
            looked.opened.clone()
        });
        let Some(photo) = self.photo_mut(id) else { return };
        let older = photo.done.clone().map(Shown::Done).or(photo.saved.clone().map(Shown::File));
        let name = photo.name();
        photo.rest();
        match why {
            Refusal::Stopped => {}
            Refusal::NotNeeded(sentence) => photo.state = State::Clean(sentence),
            Refusal::Fault(sentence) => {
                photo.state = State::Failed(sentence.clone());
                self.say(if sentence.contains(&name) { sentence } else { format!("{name}: {sentence}") });
            }
        }
        if let (Some(before), Some(result)) = (before, older) {
            self.workers.ask(Question::Show { id, before: Some(before), result });
        }
    }

    /// What is tried on a part: what was found on the whole photo, where nothing was asked for.
    fn wish_of_part(photo: &Photo) -> Option<Wish> {
        let mut wish = photo.wish.clone();
        if wish.tasks.is_empty() && !wish.force {
            let diagnosis = photo.diagnosis.as_ref()?;
            let (_, Treatment { task, values, enlarged }) = diagnosis.treatment()?;
            wish.tasks = vec![(*task).to_owned()];
            wish.values = values.clone();
            wish.enlarged = wish.enlarged.or(*enlarged);
            if *task == "denoise" {
                wish.sigma = wish.sigma.or(Some(diagnosis.noise.sigma));
            }
        }
        wish.size = None;
        Some(wish)
    }

    /// Tries a part of the photo both ways, once its settings rest.
    fn try_parts(&mut self) {
        let Some(Looked { id, opened: Some(opened), centre, .. }) = &self.looked else { return };
        let (id, opened, centre) = (*id, Arc::clone(opened), *centre);
        if self.running.is_some() {
            return;
        }
        let Some(photo) = self.photo_mut(id) else { return };
        let is_possible = matches!(photo.plan, Some(Ok(_)));
        let Some(wish) = Self::wish_of_part(photo).filter(|_| is_possible) else {
            self.tried.parts.clear();
            self.tried.wanted = None;
            return;
        };
        let holes = photo.holes();
        let Some(picture) = opened.source.photo() else { return };
        let (width, height) = picture.pixels().dimensions();
        let size = [PART.min(width), PART.min(height)];
        let corner = |share: f32, side: u32, part: u32| {
            // In steps of the blocks of JPEG.
            ((share * side as f32 - part as f32 / 2.0).clamp(0.0, (side - part) as f32) as u32) / 16 * 16
        };
        let at = [corner(centre.x, width, size[0]), corner(centre.y, height, size[1])];
        let middle = photo.canvas.as_ref().and_then(Canvas::middle);
        let at = match (&holes, middle) {
            (Some(holes), Some([x, y])) if !has_hole(holes, width, at, size) => {
                [corner(x as f32 / width as f32, width, size[0]), corner(y as f32 / height as f32, height, size[1])]
            }
            _ => at,
        };
        let marks = holes.as_ref().map_or(0, |holes| Arc::as_ptr(holes) as *const u8 as usize);
        let wanted = (id, wish.clone(), marks, at);
        if self.tried.wanted.as_ref() != Some(&wanted) {
            self.tried.wanted = Some(wanted);
            self.tried.since = Some(Instant::now());
            self.tried.is_sent = false;
        }
        if self.tried.is_sent {
            return;
        }
        let rested = self.tried.since.map_or(REST, |since| since.elapsed());
        if rested < REST {
            self.ctx.request_repaint_after(REST - rested);
            return;
        }
        let part = picture.cropped(at[0], at[1], size[0], size[1]);
        let part = Box::new(match &holes {
            Some(holes) => {
                let row = |y: u32| (at[0]..at[0] + size[0]).map(move |x| (y * width + x) as usize);
                part.transparent_at((at[1]..at[1] + size[1]).flat_map(row).map(|i| holes[i]))
            }
            None => part,
        });
        let preferring = |preference| {
            let mut wish = wish.clone();
            wish.overrides.preference = Some(preference);
            wish
        };
        let wishes = match wish.overrides.method {
            Some(_) => vec![wish],
            None => vec![preferring(Preference::Fidelity), preferring(Preference::Naturalness)],
        };
        self.tried.number += 1;
        self.tried.is_sent = true;
        self.workers.order(Order::Try { id, number: self.tried.number, part, wishes });
    }

    fn take_mask(&mut self, id: Id, path: &std::path::Path, mask: &Picture) {
        let Some(photo) = self.photo_mut(id) else { return };
        let Some(size) = photo.size else { return };
        if [mask.width(), mask.height()] == size {
            let canvas = photo.canvas.get_or_insert_with(|| Canvas::new(size));
            canvas.replace(Canvas::marks_of(mask));
            let has_holes = canvas.holes().is_some();
            settings::fill(&mut photo.wish, has_holes);
            self.wish_changed();
        } else {
            self.say(words::other_size(path, [mask.width(), mask.height()], size));
        }
    }

    fn save_mask(&self, id: Id, place: PathBuf) {
        let Some(mask) = self.photo(id).and_then(|photo| photo.canvas.as_ref()).map(Canvas::picture) else { return };
        self.wait_for(async move {
            mask.write(&place)
                .map_or_else(|error| Picked::Sentence(error.sentence(&words::Plain)), |()| Picked::Nothing)
        });
    }

    /// Puts the result of the photo that is looked at on the clipboard.
    pub(super) fn copy(&mut self) {
        let Some(done) = self.current().and_then(|photo| photo.done.clone()) else { return };
        self.ctx.copy_image(super::levels::color_image(&done.restored.picture));
    }
}

/// Whether a part of a photo of that width has a hole.
fn has_hole(holes: &[bool], width: u32, [left, top]: [u32; 2], [columns, rows]: [u32; 2]) -> bool {
    (top..top + rows).any(|y| {
        let start = (y * width + left) as usize;
        holes[start..start + columns as usize].contains(&true)
    })
}
