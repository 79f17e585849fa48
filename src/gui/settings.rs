//! Controls made from the tables of tasks and methods.

use eframe::egui::{self, ComboBox, DragValue, Pos2, Sense, Stroke, TextEdit, Ui, WidgetInfo, accesskit::Role, vec2};

use super::words;
use crate::degradation;
use crate::parameter::{Kind, Parameter, Values};
use crate::restore::{Border, DataModel, Method, Quality, Wish};

/// The parameter that says how a photo was blurred.
const KERNEL: &str = "kernel";

/// Edits the text of a value; empty is automatic.
fn text(ui: &mut Ui, values: &mut Values, parameter: &Parameter) {
    let given = values.get(parameter.name).map(str::to_owned);
    let label = ui.label(parameter.name.replace('_', " ")).on_hover_text(parameter.help);
    let edited = match parameter.kind {
        Kind::Switch => {
            let mut is_on = given.as_deref() == Some("1");
            let changed = ui.checkbox(&mut is_on, "").labelled_by(label.id).changed();
            if changed { Some(String::from(if is_on { "1" } else { "0" })) } else { given.clone() }
        }
        Kind::Choice(choices) => {
            let mut chosen = given.clone();
            ComboBox::from_id_salt(parameter.name)
                .selected_text(chosen.clone().unwrap_or_else(|| words::AUTOMATIC.into()))
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut chosen, None, words::AUTOMATIC);
                    for choice in choices {
                        ui.selectable_value(&mut chosen, Some((*choice).to_owned()), *choice);
                    }
                })
                .response
                .labelled_by(label.id);
            chosen
        }
        _ => {
            let mut typed = given.clone().unwrap_or_default();
            let field = TextEdit::singleline(&mut typed).hint_text(words::AUTOMATIC).desired_width(110.0);
            ui.add(field).labelled_by(label.id).on_hover_text(parameter.range());
            Some(typed).filter(|typed| !typed.trim().is_empty())
        }
    };
    ui.end_row();
    if edited != given {
        match edited {
            Some(text) => values.insert(parameter.name, text),
            None => values.remove(parameter.name),
        }
    }
}

/// A choice among named values, or none.
fn choice<T: Copy + PartialEq>(ui: &mut Ui, name: &str, chosen: &mut Option<T>, all: &[(T, &str)]) -> bool {
    let before = *chosen;
    let label = ui.label(name);
    let shown = all.iter().find(|(value, _)| Some(*value) == before).map_or(words::AUTOMATIC, |(_, name)| name);
    ComboBox::from_id_salt(name)
        .selected_text(shown)
        .show_ui(ui, |ui| {
            ui.selectable_value(chosen, None, words::AUTOMATIC);
            for (value, name) in all {
                ui.selectable_value(chosen, Some(*value), *name);
            }
        })
        .response
        .labelled_by(label.id);
    ui.end_row();
    *chosen != before
}

/// A number, or none.
fn number(ui: &mut Ui, name: &str, given: &mut Option<f64>, usual: f64, range: std::ops::RangeInclusive<f64>) -> bool {
    let label = ui.label(name);
    let mut changed = false;
    ui.horizontal(|ui| {
        let mut is_given = given.is_some();
        if ui.checkbox(&mut is_given, "").labelled_by(label.id).on_hover_text(words::BY_HAND).changed() {
            *given = is_given.then_some(usual);
            changed = true;
        }
        match given {
            Some(value) => {
                let speed = (range.end() - range.start()) / 500.0;
                let field = DragValue::new(value).range(range.clone()).speed(speed).max_decimals(3);
                changed |= ui.add(field).labelled_by(label.id).changed();
            }
            None => {
                ui.weak(words::AUTOMATIC);
            }
        }
    });
    ui.end_row();
    changed
}

/// Every number of a wish.
pub fn all(ui: &mut Ui, wish: &mut Wish) {
    egui::Grid::new("settings").num_columns(2).show(ui, |ui| {
        number(ui, words::NOISE, &mut wish.sigma, 0.02, 0.0..=1.0);
        number(ui, words::ENLARGED, &mut wish.enlarged, 2.0, 1.0..=16.0);
        let kinds = degradation::kinds().iter().filter(|kind| wish.tasks.iter().any(|task| task == kind.task));
        let mut shown: Vec<&str> = Vec::new();
        // Masks are painted.
        for parameter in kinds.flat_map(|kind| kind.parameters).filter(|p| !matches!(p.kind, Kind::File)) {
            if !shown.contains(&parameter.name) && parameter.name != "invert_mask" {
                shown.push(parameter.name);
                text(ui, &mut wish.values, parameter);
            }
        }
        let overrides = &mut wish.overrides;
        let qualities = [(Quality::Draft, "draft"), (Quality::Normal, "normal"), (Quality::Best, "best")];
        choice(ui, words::QUALITY, &mut overrides.quality, &qualities);
        let methods: Vec<(&str, &str)> = Method::NAMES.iter().map(|name| (*name, *name)).collect();
        let mut method =
            overrides.method.as_deref().and_then(|name| Method::NAMES.iter().find(|n| **n == name)).copied();
        if choice(ui, words::METHOD, &mut method, &methods) {
            overrides.method = method.map(str::to_owned);
            overrides.parameters = Values::default();
            overrides.preference = None;
        }
        let at = Method::NAMES.iter().position(|name| Some(*name) == method);
        for parameter in at.map(|at| Method::TABLES[at]).into_iter().flatten() {
            text(ui, &mut overrides.parameters, parameter);
        }
        let mut steps = overrides.steps.map(|steps| steps as f64);
        if number(ui, words::STEPS, &mut steps, 20.0, 1.0..=1000.0) {
            overrides.steps = steps.map(|steps| steps.round() as usize);
        }
        choice(ui, words::BORDER, &mut overrides.border, &[(Border::Extend, "extend"), (Border::Periodic, "periodic")]);
        choice(
            ui,
            words::DATA,
            &mut overrides.data,
            &[(DataModel::Exact, "exact"), (DataModel::Intervals, "intervals"), (DataModel::Robust, "robust")],
        );
        let mut seed = wish.seed.map(|seed| seed as f64);
        if number(ui, words::SEED, &mut seed, 0.0, 0.0..=1e6) {
            wish.seed = seed.map(|seed| seed as u64);
        }
    });
}

/// The blur of a wish that can be changed by dragging.
pub fn kernel(ui: &mut Ui, wish: &mut Wish) {
    let Some(kernel) = wish.values.get(KERNEL) else { return };
    let numbers = |text: &str| text.split(',').map(|number| number.parse::<f64>().ok()).collect::<Option<Vec<f64>>>();
    let Some((shape, numbers)) = kernel.split_once(':').and_then(|(shape, text)| Some((shape, numbers(text)?))) else {
        return;
    };
    let changed = match (shape, &numbers[..]) {
        ("gauss", &[width]) => {
            let mut width = width;
            let slider = egui::Slider::new(&mut width, 0.5..=12.0).clamping(egui::SliderClamping::Edits);
            let is_changed = ui.add(slider.text(words::BLUR_WIDTH).max_decimals(2)).changed();
            is_changed.then(|| format!("gauss:{width:.2}"))
        }
        ("motion", &[length, angle]) => {
            shake(ui, length, angle).map(|(length, angle)| format!("motion:{length:.1},{angle:.0}"))
        }
        _ => None,
    };
    if let Some(kernel) = changed {
        wish.values.insert(KERNEL, kernel);
    }
}

/// A pad on which the path of a shake is dragged by its end, and its numbers.
fn shake(ui: &mut Ui, length: f64, angle: f64) -> Option<(f64, f64)> {
    const SIDE: f32 = 120.0;
    const LONGEST: f64 = 60.0;
    /// Longer ones than the pad has place for are typed.
    const FARTHEST: f64 = 500.0;
    let mut changed = None;
    ui.horizontal(|ui| {
        let (rect, response) = ui.allocate_exact_size(vec2(SIDE, SIDE), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, words::KERNEL));
        let scale = f64::from(SIDE) / LONGEST;
        if let Some(at) = response.interact_pointer_pos() {
            let from = at - rect.center();
            let length = (2.0 * f64::from(from.length()) / scale).clamp(1.0, LONGEST);
            // Both ends are the same path.
            changed = Some((length, f64::from((-from.y).atan2(from.x).to_degrees()).rem_euclid(180.0)));
        }
        let (length, angle) = changed.unwrap_or((length, angle));
        let half =
            (0.5 * length * scale) as f32 * vec2(angle.to_radians().cos() as f32, -angle.to_radians().sin() as f32);
        let (painter, visuals) = (ui.painter(), ui.visuals());
        painter.rect_filled(rect, 4.0, visuals.extreme_bg_color);
        let [one, other]: [Pos2; 2] = [rect.center() - half, rect.center() + half];
        painter.line_segment([one, other], Stroke::new(3.0, visuals.text_color()));
        painter.circle_filled(other, 5.0, visuals.selection.bg_fill);
        _ = response.on_hover_text(words::KERNEL);
        ui.vertical(|ui| {
            let (mut long, mut turned) = (length, angle);
            let label = ui.label(words::LENGTH);
            let one = ui
                .add(DragValue::new(&mut long).range(1.0..=FARTHEST).speed(0.2).suffix(words::PIXELS_UNIT))
                .labelled_by(label.id);
            let label = ui.label(words::ANGLE);
            let two =
                ui.add(DragValue::new(&mut turned).range(0.0..=180.0).speed(1.0).suffix("°")).labelled_by(label.id);
            if one.changed() || two.changed() {
                changed = Some((long, turned));
            }
        });
    });
    changed
}
