//! The list of photos: what is added, looked at, moved and removed.

use std::path::PathBuf;
use std::sync::Arc;

use super::Window;
use super::app::{Asked, Looked};
use super::photo::Photo;
use super::worker::{Id, Origin, Question};
use crate::restore::Wish;

impl Window {
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
    pub(super) fn add_one(&mut self, origin: Origin, wish: Wish) -> Id {
        let id = self.next;
        self.next += 1;
        let is_first = self.looked.is_none();
        self.photos.push(Photo::new(id, origin.clone(), wish));
        if is_first {
            self.look_at(id);
        } else {
            self.workers.ask(Question::Read { id, origin, look: false, is_known: false });
        }
        id
    }

    /// Adds a picture that is in no file, as the bytes of a PNG.
    pub(super) fn add_pasted(&mut self, bytes: Vec<u8>) {
        let name = PathBuf::from(format!("pasted-{}.png", self.next + 1));
        let id = self.add_one(Origin::Memory(name, Arc::new(bytes)), Wish::default());
        self.look_at(id);
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
        let (origin, is_known) = (photo.origin.clone(), photo.diagnosis.is_some());
        self.looked = Some(Looked::new(id));
        self.tried.parts.clear();
        self.tried.wanted = None;
        self.viewer.fit();
        self.workers.ask(Question::Read { id, origin, look: true, is_known });
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
}
