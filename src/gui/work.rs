//! What is restored, stopped, saved and copied.

use std::sync::Arc;

use super::Window;
use super::app::Looked;
use super::dialogs::Picked;
use super::levels::color_image;
use super::photo::{Photo, State};
use super::saving::{Place, Saving};
use super::words;
use super::worker::{self, Id, Order, Question};
use crate::picture::Picture;

impl Window {
    /// Says that the wish of the photo that is looked at is another one now.
    pub(super) fn wish_changed(&mut self) {
        let Some(Looked { id, opened: Some(opened), .. }) = &self.looked else { return };
        let (id, opened) = (*id, Arc::clone(opened));
        let (ending, writing) = (self.ending(), self.memory.writing);
        let Some(photo) = self.photo_mut(id) else { return };
        // What was said of another wish.
        if matches!(photo.state, State::Failed(_) | State::Clean(_)) {
            photo.rest();
        }
        let (wish, holes) = (Box::new(photo.wish.clone()), photo.holes());
        let output = Place::beside(&photo.origin, &ending).name().to_path_buf();
        self.workers.ask(Question::Plan { id, opened, wish, holes, output, writing });
    }

    /// Seconds that a photo will take, where that is known.
    pub(super) fn seconds_of(&self, work: f64) -> Option<f64> {
        self.rate.map(|rate| rate * work)
    }

    /// Lets a photo wait for its turn; its result is saved at once beside the photo if that is asked for.
    pub(super) fn begin(&mut self, id: Id, saves: bool) {
        let writing = self.memory.writing;
        let ending = self.ending();
        self.closes_when_saved = false;
        if let Some(photo) = self.photo_mut(id)
            && photo.may_wait()
        {
            photo.state = State::Waiting;
            let saving = Saving { place: Place::beside(&photo.origin, &ending), writing };
            self.saving.retain(|(other, _)| *other != id);
            self.saving.extend(saves.then_some((id, saving)));
        }
        self.next_order();
    }

    /// Restores every photo that has no result, each saved beside its photo.
    pub(super) fn begin_all(&mut self) {
        let is_wanted = |photo: &&Photo| photo.may_wait() && photo.done.is_none() && photo.saved.is_none();
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
        self.workers.order(Order::Change(self.memory.engine()));
        self.rate = None;
        self.tried.wanted = None;
    }

    /// Saves the result of a photo.
    pub(super) fn save(&mut self, id: Id, place: Place) {
        let saving = Saving { place, writing: self.memory.writing };
        let Some(photo) = self.photo_mut(id) else { return };
        match (photo.done.clone(), photo.saved.clone()) {
            (Some(done), _) => {
                photo.is_being_saved = true;
                self.workers.ask(Question::Save { id, done, saving });
            }
            (None, Some(saved)) => self.wait_for(async move {
                saving
                    .save_again(&saved)
                    .map_or_else(|e| Picked::Sentence(e.sentence(&words::Labels)), |place| Picked::Saved(id, place))
            }),
            (None, None) => {}
        }
    }

    /// Saves every result that is not saved, beside its photo.
    pub(super) fn save_all(&mut self) {
        let unsaved = self.photos.iter().filter(|photo| photo.is_unsaved() && !photo.is_being_saved);
        let unsaved: Vec<(Id, Place)> = unsaved.map(|photo| (photo.id, self.place_beside(photo))).collect();
        unsaved.into_iter().for_each(|(id, place)| self.save(id, place));
    }

    /// Puts the result of the photo that is looked at on the clipboard.
    pub(super) fn copy(&mut self) {
        let Some(photo) = self.current() else { return };
        match (&photo.done, photo.saved.clone()) {
            (Some(done), _) => self.ctx.copy_image(color_image(&done.restored.picture)),
            (None, Some(saved)) => self.wait_for(async move {
                let read = Picture::read(&saved).map(Box::new);
                read.map_or_else(|e| Picked::Sentence(e.sentence(&words::Labels)), Picked::Copy)
            }),
            (None, None) => {}
        }
    }
}
