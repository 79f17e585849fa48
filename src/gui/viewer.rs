//! The photo and its result: compared, zoomed, panned, under a lens.

use eframe::egui::{
    self, Align2, Color32, CursorIcon, EventFilter, FontId, Key, Painter, PointerButton, Pos2, Rect, Sense, Stroke,
    StrokeKind, Ui, Vec2, WidgetInfo, accesskit::Role, pos2, vec2,
};

use super::surface::Surface;
use super::words;

/// How before and after are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compare {
    /// Before left of a divider, after right of it.
    #[default]
    Slider,
    /// Both, one beside the other.
    SideBySide,
    /// The photo.
    Before,
    /// The result.
    After,
    /// How they differ.
    Difference,
    /// What of the photo the result does not explain.
    Residual,
    /// Where the result may be far from the truth.
    Uncertainty,
}

impl Compare {
    /// All of them, what they are called, and what they show.
    pub const ALL: [(Self, [&'static str; 2]); 7] = [
        (Self::Slider, words::SLIDER),
        (Self::SideBySide, words::SIDE_BY_SIDE),
        (Self::Before, words::ONLY_BEFORE),
        (Self::After, words::ONLY_AFTER),
        (Self::Difference, words::DIFFERENCE),
        (Self::Residual, words::RESIDUAL),
        (Self::Uncertainty, words::UNCERTAINTY),
    ];
}

/// What the viewer shows, and how.
#[derive(Default)]
pub struct Viewer {
    /// How before and after are shown.
    pub compare: Compare,
    /// Whether the pointer magnifies.
    pub lens: bool,
    /// Whether the photo is shown as it was, as long as a key is held.
    pub holds_before: bool,
    /// Pixels of the screen for one of the photo; fitted to the window if none.
    zoom: Option<f32>,
    /// The zoom at which it is fitted, as it was last shown.
    fitted: Option<f32>,
    /// The place of the photo in the middle of the window, in shares of its sides.
    centre: Option<Pos2>,
    /// Where before ends and after begins, as a share of the width.
    split: Option<f32>,
}

/// What there is to show.
pub struct Pictures<'a> {
    /// The photo.
    pub before: &'a mut Surface,
    /// The result, or its newest preview.
    pub after: Option<&'a mut Surface>,
    /// How they differ.
    pub difference: Option<&'a mut Surface>,
    /// What of the photo the result does not explain.
    pub residual: Option<&'a mut Surface>,
    /// How far the result may be from the truth.
    pub uncertainty: Option<&'a mut Surface>,
}

impl Pictures<'_> {
    /// Whether there is what a comparison shows.
    pub fn has(&self, compare: Compare) -> bool {
        match compare {
            Compare::Before => true,
            Compare::Slider | Compare::SideBySide | Compare::After => self.after.is_some(),
            Compare::Difference => self.difference.is_some(),
            Compare::Residual => self.residual.is_some(),
            Compare::Uncertainty => self.uncertainty.is_some(),
        }
    }

    /// The one picture of a comparison that shows one.
    fn alone(&mut self, compare: Compare) -> &mut Surface {
        let shown = match compare {
            Compare::Slider | Compare::SideBySide | Compare::Before => None,
            Compare::After => self.after.as_deref_mut(),
            Compare::Difference => self.difference.as_deref_mut(),
            Compare::Residual => self.residual.as_deref_mut(),
            Compare::Uncertainty => self.uncertainty.as_deref_mut(),
        };
        shown.unwrap_or(&mut *self.before)
    }
}

/// What happened in the viewer.
pub struct Seen {
    /// Where the photo is on the screen.
    pub place: Rect,
    /// Where the photo itself is seen, and with it what is painted over it.
    pub marked: Rect,
    /// The pointer, from where to where it moved, in pixels of the photo, while it paints.
    pub painted: Option<[[f32; 2]; 2]>,
    /// Whether a stroke ended.
    pub ended: bool,
    /// The place of the photo in the middle, in shares of its sides.
    pub centre: Pos2,
}

/// Where the viewer is on the screen, and where the pointer is in it.
struct View {
    response: egui::Response,
    /// Where the photo is seen: of two panes the left one.
    pane: Rect,
    /// The other pane, where there are two: both show the same place.
    other: Option<Rect>,
    /// Points of the screen for a pixel of it.
    points: f32,
    /// Width and height of the photo in points, where a pixel of it is one of the screen.
    size: Vec2,
    /// The zoom at which it fills the pane.
    fitted: f32,
}

impl View {
    fn new(ui: &mut Ui, [width, height]: [usize; 2], has_two: bool) -> Self {
        const GAP: f32 = 4.0;
        let area = ui.available_rect_before_wrap();
        let response = ui.allocate_rect(area, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, words::PICTURE));
        let pane = match has_two {
            true => Rect::from_min_size(area.min, vec2((area.width() - GAP) / 2.0, area.height())),
            false => area,
        };
        let other = has_two.then(|| pane.translate(vec2(pane.width() + GAP, 0.0)));
        let points = 1.0 / ui.ctx().pixels_per_point();
        let size = vec2(width as f32, height as f32) * points;
        let fitted = (pane.width() / size.x).min(pane.height() / size.y);
        Self { response, pane, other, points, size, fitted }
    }

    /// The same place in the pane that it is counted in.
    fn in_pane(&self, at: Pos2) -> Pos2 {
        match self.other {
            Some(other) if at.x >= other.left() => at - (other.min - self.pane.min),
            _ => at,
        }
    }

    /// The same place in the other pane.
    fn in_other(&self, place: Rect) -> Option<(Rect, Rect)> {
        self.other.map(|other| (other, place.translate(other.min - self.pane.min)))
    }
}

/// Largest magnification, in pixels of the screen for one of the photo.
const LARGEST_ZOOM: f32 = 32.0;
/// What one press or one notch zooms by.
const STEP: f32 = 1.25;

impl Viewer {
    /// Shows the whole photo.
    pub fn fit(&mut self) {
        self.zoom = None;
        self.centre = None;
    }

    /// Shows every pixel of the photo as one of the screen.
    pub fn one_to_one(&mut self) {
        self.zoom = Some(1.0);
    }

    /// Zooms by a step, in or out.
    pub fn zoom_by(&mut self, closer: bool) {
        let fitted = self.fitted.unwrap_or(1.0);
        let factor = if closer { STEP } else { 1.0 / STEP };
        self.zoom = Some(limited(self.zoom.unwrap_or(fitted) * factor, fitted));
    }

    /// The buttons above the picture; those of what there is not are disabled.
    pub fn bar(&mut self, ui: &mut Ui, has: impl Fn(Compare) -> bool) {
        ui.horizontal_wrapped(|ui| {
            // All of it fits the usual width.
            ui.spacing_mut().item_spacing.x = 3.0;
            for (compare, [name, help]) in Compare::ALL {
                let enabled = has(compare);
                let button = egui::Button::selectable(self.compare == compare && enabled, name);
                if ui.add_enabled(enabled, button).on_hover_text(help).clicked() {
                    self.compare = compare;
                }
            }
            ui.separator();
            ui.toggle_value(&mut self.lens, words::LENS);
            ui.separator();
            if ui.button(words::FIT).clicked() {
                self.fit();
            }
            if ui.button(words::PIXELS).clicked() {
                self.one_to_one();
            }
            for (sign, name, closer) in [("−", words::ZOOM_OUT, false), ("+", words::ZOOM_IN, true)] {
                let button = ui.button(sign).on_hover_text(name);
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
                if button.clicked() {
                    self.zoom_by(closer);
                }
            }
        });
    }

    /// Shows the pictures, and hears pointer and keys; `paints` is the radius of a brush in pixels of the photo, where there is one.
    pub fn show(&mut self, ui: &mut Ui, mut pictures: Pictures<'_>, paints: Option<f32>) -> Seen {
        let compare = match self.compare {
            _ if self.holds_before || pictures.after.is_none() => Compare::Before,
            compare if !pictures.has(compare) => Compare::After,
            compare => compare,
        };
        let view = View::new(ui, pictures.before.size(), compare == Compare::SideBySide);
        let pane = view.pane;
        self.fitted = Some(view.fitted);
        self.hear(ui, &view, paints.is_some());
        let place = self.place(&view);
        match compare {
            Compare::SideBySide => {
                show_pane(ui, pictures.before, pane, place, words::BEFORE);
                if let (Some((pane, place)), Some(after)) = (view.in_other(place), pictures.after.as_deref_mut()) {
                    show_pane(ui, after, pane, place, words::AFTER);
                }
            }
            Compare::Slider => self.show_divided(ui, &mut pictures, pane, place),
            compare => {
                let painter = ui.painter_at(pane);
                backdrop(&painter, place);
                pictures.alone(compare).paint(&painter, place);
            }
        }
        if self.lens
            && let Some(at) = view.response.hover_pos()
        {
            let after = pictures.after.as_deref_mut().filter(|_| compare != Compare::Before);
            show_lens(ui, &view, at, place, pictures.before, after);
        }
        let painted = paints.and_then(|radius| painted(ui, &view, place, radius));
        let ended = view.response.drag_stopped() || view.response.clicked();
        let seen = pane.intersect(place);
        let marked = match compare {
            Compare::Before | Compare::SideBySide => pane,
            Compare::Slider => seen.with_max_x(seen.left() + self.split.unwrap_or(0.5) * seen.width()),
            Compare::After | Compare::Difference | Compare::Residual | Compare::Uncertainty => Rect::NOTHING,
        };
        Seen { place, marked, painted, ended, centre: self.centre.unwrap_or(pos2(0.5, 0.5)) }
    }

    /// Where the whole photo is on the screen.
    fn place(&self, view: &View) -> Rect {
        let size = view.size * self.zoom.unwrap_or(view.fitted);
        let centre = self.centre.unwrap_or(pos2(0.5, 0.5));
        Rect::from_min_size(view.pane.center() - centre.to_vec2() * size, size)
    }

    /// Pans and zooms.
    fn hear(&mut self, ui: &Ui, view: &View, paints: bool) {
        let (response, place) = (&view.response, self.place(view));
        let mut centre = self.centre.unwrap_or(pos2(0.5, 0.5));
        let is_panned = response.dragged_by(PointerButton::Middle)
            || response.dragged_by(PointerButton::Secondary)
            || response.dragged_by(PointerButton::Primary) && !paints;
        if is_panned {
            centre -= response.drag_delta() / place.size();
            ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
        }
        if let Some(at) = response.hover_pos().map(|at| view.in_pane(at)) {
            let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            let factor = pinch * (scroll / 200.0).exp();
            if (factor - 1.0).abs() > 1e-4 {
                let zoom = self.zoom.unwrap_or(view.fitted);
                let closer = limited(zoom * factor, view.fitted);
                // What is under the pointer stays there.
                let under = (at - place.min) / place.size();
                let grown = place.size() * (closer / zoom);
                centre = (under - (at - view.pane.center()) / grown).to_pos2();
                self.zoom = Some(closer);
            }
        }
        let is_free = ui.memory(|memory| memory.focused().is_none());
        if is_free {
            let pressed = |key| ui.input(|input| input.key_down(key));
            let by = |less, more| f32::from(i8::from(pressed(more)) - i8::from(pressed(less)));
            let moved = vec2(by(Key::ArrowLeft, Key::ArrowRight), by(Key::ArrowUp, Key::ArrowDown));
            if moved != Vec2::ZERO {
                centre += moved * 24.0 / place.size();
                ui.ctx().request_repaint();
            }
        }
        self.centre = Some(centre.clamp(pos2(0.0, 0.0), pos2(1.0, 1.0)));
        if self.zoom.is_none() {
            self.centre = None;
        }
    }

    fn show_divided(&mut self, ui: &mut Ui, pictures: &mut Pictures<'_>, pane: Rect, place: Rect) {
        let seen = pane.intersect(place);
        let split = self.split.unwrap_or(0.5);
        let x = seen.left() + split * seen.width();
        let handle = Rect::from_center_size(pos2(x, seen.center().y), vec2(16.0, seen.height()));
        let response = ui.interact(handle, ui.scope_id().with("divider"), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::slider(true, f64::from(split) * 100.0, words::DIVIDER));
        let mut moved = response.drag_delta().x;
        if response.has_focus() {
            // The arrows move it, and not the focus.
            let arrows = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
            let pressed = |key| ui.input(|input| f32::from(u8::from(input.key_pressed(key))));
            moved += 0.02 * seen.width() * (pressed(Key::ArrowRight) - pressed(Key::ArrowLeft));
        }
        self.split = Some(((x + moved - seen.left()) / seen.width().max(1.0)).clamp(0.0, 1.0));
        _ = response.clone().on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal);
        let left = ui.painter_at(seen.with_max_x(x));
        let right = ui.painter_at(seen.with_min_x(x));
        backdrop(&left, seen.with_max_x(x));
        pictures.before.paint(&left, place);
        if let Some(after) = &mut pictures.after {
            backdrop(&right, seen.with_min_x(x));
            after.paint(&right, place);
        }
        let painter = ui.painter_at(pane);
        let width = if response.has_focus() { 3.0 } else { 1.5 };
        painter.vline(x, seen.y_range(), Stroke::new(width, Color32::WHITE));
        painter.circle(pos2(x, seen.center().y), 7.0, Color32::WHITE, Stroke::new(1.5, Color32::DARK_GRAY));
        label(&left, seen, words::BEFORE);
        label_right(&right, seen, words::AFTER);
    }
}

/// A picture that fills `place`, as far as it is in a pane.
fn show_pane(ui: &Ui, surface: &mut Surface, pane: Rect, place: Rect, name: &str) {
    let painter = ui.painter_at(pane);
    backdrop(&painter, place);
    surface.paint(&painter, place);
    label(&painter, pane, name);
}

/// Where a brush of that radius in pixels of the photo moved, in pixels of the photo, while it paints.
fn painted(ui: &Ui, view: &View, place: Rect, radius: f32) -> Option<[[f32; 2]; 2]> {
    let response = &view.response;
    let scale = place.width() / view.size.x * view.points;
    if let Some(at) = response.hover_pos() {
        let painter = ui.painter_at(response.rect);
        painter.circle_stroke(at, radius * scale, Stroke::new(1.5, Color32::WHITE));
        painter.circle_stroke(at, radius * scale + 1.5, Stroke::new(1.0, Color32::BLACK));
    }
    let at = view.in_pane(response.interact_pointer_pos()?);
    let is_down = ui.input(|input| input.pointer.primary_down()) || response.clicked();
    let of_photo = |at: Pos2| [(at.x - place.left()) / scale, (at.y - place.top()) / scale];
    is_down.then(|| [of_photo(at - response.drag_delta()), of_photo(at)])
}

/// A zoom that is neither too small nor too large for a picture that is fitted at that zoom.
fn limited(zoom: f32, fitted: f32) -> f32 {
    zoom.clamp(fitted.min(1.0) / 4.0, LARGEST_ZOOM.max(fitted))
}

/// A part of both pictures beside the pointer, four times as large.
fn show_lens(ui: &Ui, view: &View, at: Pos2, place: Rect, before: &mut Surface, after: Option<&mut Surface>) {
    const SIDE: f32 = 180.0;
    const PIXEL: f32 = 4.0;
    let scale = (view.size.x * PIXEL / place.width()).max(1.5);
    let count = if after.is_some() { 2.0 } else { 1.0 };
    let whole = Rect::from_min_size(at + vec2(16.0, 16.0), vec2(SIDE * count, SIDE));
    let inside = ui.clip_rect();
    let back = vec2((whole.right() - inside.right()).max(0.0), (whole.bottom() - inside.bottom()).max(0.0));
    let first = Rect::from_min_size(whole.min - back, vec2(SIDE, SIDE));
    let under = (view.in_pane(at) - place.min) * scale;
    let magnified = |pane: Rect| Rect::from_min_size(pane.center() - under, place.size() * scale);
    let paint = |surface: &mut Surface, pane: Rect, name: &str| {
        let painter = ui.painter_at(pane);
        painter.rect_filled(pane, 0.0, Color32::BLACK);
        surface.paint(&painter, magnified(pane));
        painter.rect_stroke(pane, 0.0, Stroke::new(2.0, Color32::WHITE), StrokeKind::Inside);
        label(&painter, pane, name);
    };
    paint(before, first, words::BEFORE);
    if let Some(after) = after {
        paint(after, first.translate(vec2(SIDE, 0.0)), words::AFTER);
    }
}

fn label(painter: &Painter, pane: Rect, text: &str) {
    tag(painter, pane.left_top() + vec2(8.0, 8.0), Align2::LEFT_TOP, text);
}

fn label_right(painter: &Painter, pane: Rect, text: &str) {
    tag(painter, pane.right_top() + vec2(-8.0, 8.0), Align2::RIGHT_TOP, text);
}

fn tag(painter: &Painter, at: Pos2, align: Align2, text: &str) {
    let text = painter.layout_no_wrap(text.to_owned(), FontId::proportional(12.0), Color32::WHITE);
    let rect = align.anchor_size(at, text.size());
    painter.rect_filled(rect.expand(3.0), 3.0, Color32::from_black_alpha(150));
    painter.galley(rect.min, text, Color32::WHITE);
}

/// What is seen through what is transparent.
fn backdrop(painter: &Painter, place: Rect) {
    let seen = painter.clip_rect().intersect(place);
    if seen.is_positive() {
        painter.rect_filled(seen, 0.0, Color32::from_gray(128));
    }
}
