//! How the window changes with what the workers and the dialogs tell.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{ColorImage, TextureOptions, ViewportCommand};

use super::Window;
use super::brush::Canvas;
use super::dialogs::Picked;
use super::levels::{Levels, color_image};
use super::photo::{Photo, State};
use super::saving::Place;
use super::surface::Surface;
use super::viewer::Compare;
use super::words;
use super::worker::{self, Id, News, Outcome, Question, Refusal, Shown};
use crate::files;
use crate::job::Done;
use crate::picture::Picture;

impl Window {
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
                Picked::Saved(id, place) => {
                    // A newer result may be there by now.
                    if let Some(photo) = self.photo_mut(id).filter(|photo| photo.done.is_none()) {
                        photo.saved = Some(place);
                    }
                }
                Picked::Copy(result) => self.ctx.copy_image(color_image(&result)),
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
            looked.residual = None;
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
                    photo.plan = Some(*plan);
                }
            }
            News::Shown { id, levels, difference, residual } => {
                if let Some(looked) = self.looked.as_mut().filter(|looked| looked.id == id) {
                    looked.after = Some(Surface::new(levels));
                    looked.difference = difference.map(Surface::new);
                    looked.residual = residual.map(Surface::new);
                }
            }
            News::Began { id } => {
                if let Some(photo) = self.photo_mut(id) {
                    photo.state = State::Running;
                }
            }
            News::Restored { id, outcome } => self.hear_restored(id, outcome),
            News::Failed { id, why } => self.hear_failed(id, why),
            News::Doubted { id, map } => self.hear_doubted(id, map),
            News::Saved { id, done, saved } => self.hear_saved(id, &done, saved),
            News::OnCpu(sentence) => {
                self.memory.for_now = Some("cpu".into());
                self.rate = None;
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
        let read = match read {
            Ok(read) => read,
            Err(sentence) => {
                if let Some(photo) = self.photo_mut(id) {
                    photo.state = State::Failed(sentence);
                }
                return;
            }
        };
        let mask = self.masks.iter().position(|(other, _)| *other == id).map(|at| self.masks.remove(at).1);
        let Some(photo) = self.photo_mut(id) else { return };
        // A file may be whole again.
        let was_unreadable = matches!(photo.state, State::Failed(_)) && photo.size.is_none();
        if photo.state == State::Reading || was_unreadable {
            photo.rest();
        }
        photo.thumbnail = Some(ctx.load_texture("thumbnail", read.thumbnail, TextureOptions::LINEAR));
        photo.size = Some(read.size);
        photo.diagnosis = read.diagnosis.or(photo.diagnosis.take());
        photo.remarks = read.remarks;
        if let Some(mask) = mask.filter(|mask| mask.size() == [read.size[1], read.size[0]]) {
            let mut canvas = Canvas::new(read.size);
            canvas.replace(mask.unknown().into_iter().map(|hole| if hole { 255 } else { 0 }).collect());
            // What follows from the marks is known from now on.
            canvas.holes();
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

    fn hear_restored(&mut self, id: Id, Outcome { done, saved, line, rate }: Outcome) {
        self.running = None;
        self.rate = Some(rate);
        self.saving.retain(|(other, _)| *other != id);
        let is_looked = match self.looked.as_mut().filter(|looked| looked.id == id) {
            Some(looked) => {
                // It is of an older result.
                looked.uncertainty = None;
                let (before, result) = (looked.opened.clone(), Shown::Done(Arc::clone(&done)));
                self.workers.ask(Question::Show { id, before, result });
                true
            }
            None => false,
        };
        if let Some(photo) = self.photo_mut(id) {
            (photo.saved, photo.line) = (saved, line);
            // What is saved need not stay in memory.
            photo.done = Some(done).filter(|_| is_looked || photo.saved.is_none());
            photo.rest();
        }
        if self.closes_when_saved {
            self.save_all();
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
        if let Some(photo) = self.photo_mut(id) {
            photo.is_being_saved = false;
        }
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

    fn take_mask(&mut self, id: Id, path: &Path, mask: &Picture) {
        let Some(photo) = self.photo_mut(id) else { return };
        let Some(size) = photo.size else { return };
        if [mask.width(), mask.height()] == size {
            photo.canvas.get_or_insert_with(|| Canvas::new(size)).replace(Canvas::marks_of(mask));
            photo.fill();
            self.wish_changed();
        } else {
            self.say(words::other_size(path, [mask.width(), mask.height()], size));
        }
    }

    fn save_mask(&self, id: Id, place: PathBuf) {
        let Some(mask) = self.photo(id).and_then(|photo| photo.canvas.as_ref()).map(Canvas::picture) else { return };
        let photos: Vec<PathBuf> = self.photos.iter().map(|photo| photo.path().to_path_buf()).collect();
        self.wait_for(async move {
            files::refuse_overwriting(&place, photos.iter().map(PathBuf::as_path))
                .and_then(|()| mask.write(&place))
                .map_or_else(|error| Picked::Sentence(error.sentence(&words::Labels)), |()| Picked::Nothing)
        });
    }
}
