//! Starting, stopping and saving, and what the window has to say, at the bottom.

use eframe::egui::{self, Align, Button, Layout, ProgressBar, RichText, Ui};

use super::Window;
use super::photo::State;
use super::words;

impl Window {
    pub(super) fn footer(&mut self, ui: &mut Ui) {
        self.say_messages(ui);
        let (is_idle, is_done, saved, line) = match self.current() {
            Some(photo) => (photo.is_idle(), photo.done.is_some(), photo.saved.clone(), photo.line.clone()),
            None => (false, false, None, String::new()),
        };
        let has_result = is_done || saved.is_some();
        if let Some(State::Clean(sentence)) = self.current().map(|photo| photo.state.clone()) {
            ui.label(sentence);
        }
        if !line.is_empty() {
            let place = saved.as_ref().map_or_else(String::new, |place| format!("{}: ", place.display()));
            ui.label(format!("{place}{line}"));
        }
        self.say_progress(ui);
        ui.horizontal(|ui| {
            let several = self.photos.len() > 1;
            let accent = ui.visuals().selection.bg_fill;
            let restore = RichText::new(words::RESTORE).strong();
            if ui.add_enabled(is_idle, Button::new(restore).fill(accent)).clicked() {
                self.begin_current();
            }
            if several && ui.button(words::RESTORE_ALL).clicked() {
                self.begin_all();
            }
            if self.is_busy() {
                if ui.button(words::STOP).clicked() {
                    self.stop();
                }
                let is_paused = self.workers.board.is_paused();
                if self.running.is_some() && ui.button(if is_paused { words::RESUME } else { words::PAUSE }).clicked() {
                    self.pause();
                }
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let folder = saved.as_deref().and_then(std::path::Path::parent);
                if let Some(folder) = folder
                    && ui.button(words::OPEN_FOLDER).clicked()
                    && let Err(error) = opener::open(if folder.as_os_str().is_empty() { ".".as_ref() } else { folder })
                {
                    self.say(format!("{}: it cannot be shown ({error})", folder.display()));
                }
                if ui.add_enabled(has_result, Button::new(words::COPY)).clicked() {
                    self.copy();
                }
                if ui.add_enabled(has_result, Button::new(words::SAVE_AS)).clicked() {
                    self.ask_for_output();
                }
                if ui.add_enabled(is_done && saved.is_none(), Button::new(words::SAVE)).clicked() {
                    self.save_current();
                }
                let has_map = self.looked.as_ref().is_some_and(|looked| looked.uncertainty.is_some());
                if ui.add_enabled(is_done && !has_map && !self.is_busy(), Button::new(words::HOW_SURE)).clicked() {
                    self.doubt();
                }
            });
        });
    }

    fn say_progress(&mut self, ui: &mut Ui) {
        let progress = self.workers.board.progress();
        let is_working = self.is_busy() || progress.share.is_some();
        if !is_working {
            return;
        }
        let waiting = self.photos.iter().filter(|photo| photo.state == State::Waiting).count();
        let more = if waiting > 0 { format!(", {waiting} more") } else { String::new() };
        let left = progress.left.map_or_else(String::new, |s| format!(", {} left", words::duration(s.into())));
        let doing = words::doing(&progress.doing);
        let bar = ProgressBar::new(progress.share.unwrap_or(0.0)).text(format!("{doing}{left}{more}"));
        ui.add(bar.desired_width(ui.available_width()));
    }

    fn say_messages(&mut self, ui: &mut Ui) {
        let mut closed = None;
        for (i, message) in self.messages.iter().enumerate() {
            ui.push_id(i, |ui| {
                ui.horizontal_wrapped(|ui| {
                    ui.colored_label(ui.visuals().error_fg_color, message);
                    if ui.small_button(words::COPY_DETAILS).clicked() {
                        let version = env!("CARGO_PKG_VERSION");
                        ui.ctx().copy_text(format!("fdgr {version}, {}\n{message}", self.engine_line));
                    }
                    if ui.small_button(words::CLOSE).clicked() {
                        closed = Some(i);
                    }
                });
            });
        }
        if let Some(i) = closed {
            self.messages.remove(i);
        }
    }

    /// The list of keys, and the question before closing.
    pub(super) fn ask(&mut self, ctx: &egui::Context) {
        use super::app::Asked;
        let Some(asked) = self.asked else { return };
        let modal = egui::Modal::new(egui::Id::unique("asked")).show(ctx, |ui| match asked {
            Asked::Keys => {
                ui.heading(words::KEYS);
                egui::Grid::new("keys").num_columns(2).striped(true).show(ui, |ui| {
                    for (keys, what) in words::KEY_TABLE {
                        ui.strong(words::keys(keys, ui.ctx().os()));
                        ui.label(*what);
                        ui.end_row();
                    }
                });
                if ui.button(words::CLOSE).clicked() {
                    ui.close();
                }
            }
            Asked::Close => {
                let unsaved = self.photos.iter().filter(|photo| photo.is_unsaved()).count();
                ui.heading(words::unsaved(unsaved));
                ui.horizontal(|ui| {
                    let saves = unsaved > 0 && ui.button(words::QUIT_SAVED).clicked();
                    if saves {
                        self.stop();
                        // What cannot be saved is said, and the window stays.
                        self.closes_when_saved = true;
                        self.save_all();
                    }
                    if ui.button(words::QUIT_UNSAVED).clicked() {
                        self.may_close = true;
                        ui.ctx().send_viewport_cmd(egui::ViewportCommand::Close);
                    }
                    if ui.button(words::STAY).clicked() || saves {
                        ui.close();
                    }
                });
            }
            Asked::Remove(id) => {
                ui.heading(words::UNSAVED);
                ui.horizontal(|ui| {
                    if ui.button(words::REMOVE_ANYWAY).clicked() {
                        self.remove(id);
                        ui.close();
                    }
                    if ui.button(words::KEEP).clicked() {
                        ui.close();
                    }
                });
            }
        });
        if modal.should_close() {
            self.asked = None;
        }
    }
}
