//! What is wrong with the photo and what is to be done about it, at the right.

use eframe::egui::{Button, CollapsingHeader, ComboBox, DragValue, Image, RichText, ScrollArea, Slider, Ui, vec2};

use super::Window;
use super::brush::Canvas;
use super::keys::RADII;
use super::photo::State;
use super::presets::{self, PRESETS, Preset};
use super::settings;
use super::words;
use super::worker::Refusal;
use crate::estimate::{Confidence, Finding};
use crate::restore::{Preference, TargetSize, Wish};

impl Window {
    pub(super) fn panel(&mut self, ui: &mut Ui) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let before = self.current().map(|photo| photo.wish.clone());
            if before.is_some() {
                self.findings(ui);
                self.presets(ui);
                self.kernel(ui);
                self.preferences(ui);
                self.sizes(ui);
                self.holes(ui);
                CollapsingHeader::new(words::MORE).show(ui, |ui| {
                    if let Some(photo) = self.current_mut() {
                        settings::all(ui, &mut photo.wish);
                    }
                });
            }
            if self.current().map(|photo| &photo.wish) != before.as_ref() {
                self.wish_changed();
            }
            CollapsingHeader::new(words::SAVING).show(ui, |ui| self.manner(ui));
            CollapsingHeader::new(words::ENGINE).show(ui, |ui| self.engine(ui));
        });
    }

    /// What was found, and what would undo it.
    fn findings(&mut self, ui: &mut Ui) {
        ui.heading(words::WRONG);
        let Some(photo) = self.current() else { return };
        if let State::Failed(sentence) = &photo.state {
            ui.colored_label(ui.visuals().error_fg_color, sentence);
        }
        let mut chosen = None;
        match &photo.diagnosis {
            None if photo.state == State::Reading => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label(words::LOOKING);
                });
            }
            None => {}
            Some(diagnosis) => {
                for Finding { fact, treatment, confidence } in &diagnosis.findings {
                    ui.horizontal_wrapped(|ui| {
                        let text = RichText::new(format!("• {fact}"));
                        ui.label(if *confidence == Confidence::High { text } else { text.weak() });
                        if let Some(treatment) = treatment
                            && ui.small_button(words::USE).clicked()
                        {
                            chosen = Some(treatment.clone());
                        }
                    });
                }
            }
        }
        photo.remarks.iter().for_each(|remark| _ = ui.weak(remark));
        if let (Some(treatment), Some(photo)) = (chosen, self.current_mut()) {
            photo.treat(treatment);
        }
    }

    fn presets(&mut self, ui: &mut Ui) {
        let Some(photo) = self.current_mut() else { return };
        ui.horizontal_wrapped(|ui| {
            for (i, Preset { text: [name, help], .. }) in PRESETS.iter().enumerate() {
                if ui.add(Button::selectable(photo.preset == i, *name)).on_hover_text(*help).clicked() {
                    photo.choose(i);
                }
            }
        });
        let plan = photo.plan.clone();
        if let Some(Err(Refusal::NotNeeded(sentence) | Refusal::Fault(sentence))) = &plan {
            ui.label(RichText::new(sentence).color(ui.visuals().warn_fg_color));
        }
        if let Some(Err(Refusal::NotNeeded(_))) = plan
            && ui.button(words::ANYWAY).clicked()
        {
            photo.wish = Wish { force: true, ..photo.wish.clone() };
        }
    }

    fn kernel(&mut self, ui: &mut Ui) {
        if let Some(photo) = self.current_mut() {
            settings::kernel(ui, &mut photo.wish);
        }
    }

    /// The dial, with what either end of it makes of a part.
    fn preferences(&mut self, ui: &mut Ui) {
        ui.separator();
        let parts = std::mem::take(&mut self.tried.parts);
        if let Some(photo) = self.current().filter(|photo| photo.wish.overrides.method.is_some()) {
            match parts.first() {
                Some(Ok(part)) => {
                    let image = Image::new((part.id(), part.size_vec2())).alt_text(photo.name());
                    ui.add(image.fit_to_exact_size(vec2(160.0, 160.0)));
                }
                Some(Err(sentence)) => _ = ui.weak(sentence),
                None => {}
            }
        }
        if let Some(photo) = self.current_mut().filter(|photo| photo.wish.overrides.method.is_none()) {
            ui.label(words::PREFER);
            let dial = [(Preference::Fidelity, words::FIDELITY), (Preference::Naturalness, words::NATURALNESS)];
            let chosen = photo.wish.overrides.preference.unwrap_or_default();
            ui.columns(2, |columns| {
                for (i, (preference, name)) in dial.into_iter().enumerate() {
                    let ui = &mut columns[i];
                    let mut is_clicked = ui.add(Button::selectable(chosen == preference, name)).clicked();
                    match parts.get(i) {
                        Some(Ok(part)) => {
                            let side = ui.available_width().min(160.0);
                            let image = Image::new((part.id(), part.size_vec2()))
                                .fit_to_exact_size(vec2(side, side))
                                .alt_text(name);
                            is_clicked |= ui.add(Button::image(image).frame(false)).on_hover_text(name).clicked();
                        }
                        Some(Err(sentence)) => _ = ui.weak(sentence),
                        None => {}
                    }
                    if is_clicked {
                        photo.wish.overrides.preference =
                            Some(preference).filter(|preference| *preference != Preference::default());
                    }
                }
            });
        }
        self.tried.parts = parts;
    }

    /// The size of the result, and the time until it is there.
    fn sizes(&mut self, ui: &mut Ui) {
        ui.separator();
        let Some(photo) = self.current_mut() else { return };
        let [width, height] = photo.size.unwrap_or([1, 1]);
        let wish = &mut photo.wish;
        let before = wish.size;
        ui.horizontal_wrapped(|ui| {
            let label = ui.label(words::SIZE);
            let shown = match wish.size {
                None => words::OWN_SIZE.to_owned(),
                Some(TargetSize::Scale(scale)) => format!("{scale} x"),
                Some(TargetSize::Width(_)) => words::WIDTH.into(),
                Some(TargetSize::Height(_)) => words::HEIGHT.into(),
            };
            ComboBox::from_id_salt("size")
                .selected_text(shown)
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut wish.size, None, words::OWN_SIZE);
                    for scale in [1.5, 2.0, 3.0, 4.0] {
                        ui.selectable_value(&mut wish.size, Some(TargetSize::Scale(scale)), format!("{scale} x"));
                    }
                    let is_width = matches!(wish.size, Some(TargetSize::Width(_)));
                    if ui.add(Button::selectable(is_width, words::WIDTH)).clicked() {
                        wish.size = Some(TargetSize::Width(2 * width));
                    }
                    let is_height = matches!(wish.size, Some(TargetSize::Height(_)));
                    if ui.add(Button::selectable(is_height, words::HEIGHT)).clicked() {
                        wish.size = Some(TargetSize::Height(2 * height));
                    }
                })
                .response
                .labelled_by(label.id);
            if let Some(TargetSize::Width(side) | TargetSize::Height(side)) = &mut wish.size {
                ui.add(DragValue::new(side).range(1..=60_000).suffix(words::PIXELS_UNIT)).labelled_by(label.id);
            }
        });
        if wish.size != before {
            presets::resize(wish);
        }
        let plan = photo.plan.clone();
        if let Some(Ok(plan)) = plan {
            ui.label(words::plan([width, height], plan.size, self.seconds_of(plan.work)));
            ui.weak(plan.line);
            plan.lacks.iter().for_each(|lack| _ = ui.weak(lack));
        }
    }

    /// The brush, where holes are filled in.
    fn holes(&mut self, ui: &mut Ui) {
        let Some(photo) = self.current() else { return };
        if !self.paints() {
            return;
        }
        let has_alpha = self.looked.as_ref().is_some_and(|looked| looked.transparent.is_some());
        let [can_undo, can_redo] = photo.canvas.as_ref().map_or([false; 2], Canvas::can);
        ui.separator();
        ui.label(words::HOLES);
        ui.add(Slider::new(&mut self.brush.radius, RADII).logarithmic(true).text(words::BRUSH_SIZE).max_decimals(0));
        ui.add(Slider::new(&mut self.brush.softness, 0.0..=1.0).text(words::BRUSH_EDGE).max_decimals(2));
        ui.horizontal_wrapped(|ui| {
            ui.selectable_value(&mut self.brush.erases, false, words::BRUSH);
            ui.selectable_value(&mut self.brush.erases, true, words::ERASER);
            if ui.add_enabled(can_undo, Button::new(words::UNDO)).clicked() {
                self.undo_stroke();
            }
            if ui.add_enabled(can_redo, Button::new(words::REDO)).clicked() {
                self.redo_stroke();
            }
            if ui.add_enabled(can_undo, Button::new(words::CLEAR)).clicked() {
                self.replace_marks(|size| vec![0; size[0] * size[1]]);
            }
            if ui.add_enabled(has_alpha, Button::new(words::FROM_TRANSPARENCY)).clicked()
                && let Some(transparent) = self.looked.as_ref().and_then(|looked| looked.transparent.clone())
            {
                self.replace_marks(|_| transparent.iter().map(|hole| if *hole { 255 } else { 0 }).collect());
            }
            if ui.button(words::LOAD_MASK).clicked() {
                self.ask_for_mask();
            }
            if ui.add_enabled(can_undo, Button::new(words::SAVE_MASK)).clicked() {
                self.ask_for_mask_output();
            }
        });
    }

    /// Whether the pointer paints holes.
    pub(super) fn paints(&self) -> bool {
        self.current().is_some_and(|photo| photo.size.is_some() && photo.fills())
    }

    fn replace_marks(&mut self, marks: impl FnOnce([usize; 2]) -> Vec<u8>) {
        let Some(photo) = self.current_mut() else { return };
        let Some(size) = photo.size else { return };
        photo.canvas.get_or_insert_with(|| Canvas::new(size)).replace(marks(size));
        self.painted();
    }

    /// Says that the marks changed.
    pub(super) fn painted(&mut self) {
        if let Some(photo) = self.current_mut() {
            photo.fill();
        }
        self.wish_changed();
    }
}
