//! The list of photos, at the left.

use eframe::egui::{Button, Image, RichText, ScrollArea, Sense, Ui, vec2};

use super::Window;
use super::photo::State;
use super::words;
use super::worker::Id;

/// What is done with a photo of the list.
enum Act {
    Look(Id),
    Remove(Id),
    Move(Id, isize),
    Retry(Id),
}

impl Window {
    pub(super) fn shelf(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            if ui.button(words::ADD_PHOTOS).clicked() {
                self.ask_for_photos();
            }
            if ui.button(words::ADD_FOLDER).clicked() {
                self.ask_for_folder();
            }
            if ui.button(words::PASTE).clicked() {
                self.paste(None);
            }
        });
        ui.separator();
        if !self.last_time.is_empty() {
            ui.label(words::last_time(self.last_time.len()));
            ui.horizontal(|ui| {
                if ui.button(words::TAKE_UP).clicked() {
                    self.answer_last_time(true);
                }
                if ui.button(words::FORGET).clicked() {
                    self.answer_last_time(false);
                }
            });
            ui.separator();
        }
        let mut act = None;
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let looked = self.looked.as_ref().map(|looked| looked.id);
            let last = self.photos.len().saturating_sub(1);
            for (at, photo) in self.photos.iter().enumerate() {
                let id = photo.id;
                ui.push_id(id, |ui| {
                    ui.horizontal(|ui| {
                        match &photo.thumbnail {
                            Some(texture) => {
                                let image = Image::new((texture.id(), texture.size_vec2()))
                                    .fit_to_exact_size(vec2(48.0, 40.0))
                                    .alt_text(photo.name())
                                    .sense(Sense::click());
                                if ui.add(image).clicked() {
                                    act = Some(Act::Look(id));
                                }
                            }
                            None => _ = ui.allocate_exact_size(vec2(48.0, 40.0), Sense::hover()),
                        }
                        ui.vertical(|ui| {
                            let name = Button::selectable(looked == Some(id), photo.name()).truncate();
                            let name = ui.add(name).on_hover_text(photo.path().display().to_string());
                            if name.clicked() {
                                act = Some(Act::Look(id));
                            }
                            let state = RichText::new(photo.state_in_words());
                            match &photo.state {
                                State::Failed(sentence) => {
                                    _ = ui.label(state.color(ui.visuals().error_fg_color)).on_hover_text(sentence);
                                }
                                _ => _ = ui.label(state.weak()),
                            }
                            name.context_menu(|ui| {
                                let is_failed = matches!(photo.state, State::Failed(_) | State::Done);
                                let entries = [
                                    (words::RETRY, is_failed, Act::Retry(id)),
                                    (words::UP, at > 0, Act::Move(id, -1)),
                                    (words::DOWN, at < last, Act::Move(id, 1)),
                                    (words::REMOVE, true, Act::Remove(id)),
                                ];
                                for (name, is_enabled, chosen) in entries {
                                    if ui.add_enabled(is_enabled, Button::new(name)).clicked() {
                                        act = Some(chosen);
                                        ui.close();
                                    }
                                }
                            });
                        });
                    });
                });
            }
        });
        match act {
            Some(Act::Look(id)) => self.look_at(id),
            Some(Act::Remove(id)) => self.remove_asked(id),
            Some(Act::Move(id, by)) => self.move_by(id, by),
            Some(Act::Retry(id)) => self.begin(id, false),
            None => {}
        }
    }

    /// The buttons that change the place of the photo that is looked at, for those who have no second mouse button.
    pub(super) fn shelf_buttons(&mut self, ui: &mut Ui) {
        let Some(id) = self.current().map(|photo| photo.id) else { return };
        ui.horizontal_wrapped(|ui| {
            if ui.button(words::UP).clicked() {
                self.move_by(id, -1);
            }
            if ui.button(words::DOWN).clicked() {
                self.move_by(id, 1);
            }
            if ui.button(words::REMOVE).clicked() {
                self.remove_asked(id);
            }
        });
    }
}
