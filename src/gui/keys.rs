//! What keys do.

use std::path::PathBuf;

use eframe::egui::{Context, Event, Key, KeyboardShortcut, Modifiers, Popup};
use image::{DynamicImage, RgbaImage};

use super::Window;
use super::app::Asked;
use super::dialogs::Picked;
use super::viewer::Compare;
use super::words;
use crate::picture::{Picture, Writing};

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

/// Radii of the brush, in pixels of the photo.
pub(super) const RADII: std::ops::RangeInclusive<f32> = 1.0..=200.0;

type Action = fn(&mut Window);

/// Shortcuts that work everywhere; those with more keys come first.
static SHORTCUTS: &[(Modifiers, Key, Action)] = &[
    (CTRL_SHIFT, Key::O, |window| window.ask_for_folder()),
    (CTRL, Key::O, |window| window.ask_for_photos()),
    (CTRL_SHIFT, Key::R, Window::begin_all),
    (CTRL, Key::R, Window::begin_current),
    (CTRL, Key::Enter, Window::begin_current),
    (CTRL_SHIFT, Key::S, |window| window.ask_for_output()),
    (CTRL, Key::S, Window::save_current),
    (Modifiers::NONE, Key::F1, |window| {
        window.asked = if window.asked == Some(Asked::Keys) { None } else { Some(Asked::Keys) };
    }),
];

/// Shortcuts that work where no text is typed: there they are of the text.
static EDITS: &[(Modifiers, Key, Action)] = &[
    (CTRL_SHIFT, Key::Z, Window::redo_stroke),
    (CTRL, Key::Y, Window::redo_stroke),
    (CTRL, Key::Z, Window::undo_stroke),
];

/// Keys that work where no text is typed.
static PLAIN_KEYS: &[(Key, Action)] = &[
    (Key::P, Window::pause),
    (Key::PageUp, |window| window.look_beside(-1)),
    (Key::PageDown, |window| window.look_beside(1)),
    (Key::Delete, Window::remove_current),
    (Key::Backspace, Window::remove_current),
    (Key::S, |window| window.viewer.compare = Compare::Slider),
    (Key::D, |window| window.viewer.compare = Compare::SideBySide),
    (Key::B, |window| window.viewer.compare = Compare::Before),
    (Key::A, |window| window.viewer.compare = Compare::After),
    (Key::X, |window| window.viewer.compare = Compare::Difference),
    (Key::R, |window| window.viewer.compare = Compare::Residual),
    (Key::U, |window| match window.looked.as_ref().is_some_and(|looked| looked.uncertainty.is_some()) {
        true => window.viewer.compare = Compare::Uncertainty,
        false => window.doubt(),
    }),
    (Key::L, |window| window.viewer.lens = !window.viewer.lens),
    (Key::F, |window| window.viewer.fit()),
    (Key::Num1, |window| window.viewer.one_to_one()),
    (Key::Plus, |window| window.viewer.zoom_by(true)),
    (Key::Equals, |window| window.viewer.zoom_by(true)),
    (Key::Minus, |window| window.viewer.zoom_by(false)),
    (Key::OpenBracket, |window| window.brush.radius = (window.brush.radius / 1.25).max(*RADII.start())),
    (Key::CloseBracket, |window| window.brush.radius = (window.brush.radius * 1.25).min(*RADII.end())),
    (Key::E, |window| window.brush.erases = !window.brush.erases),
];

impl Window {
    /// Does what the keys of this frame say.
    pub(super) fn hear_keys(&mut self, ctx: &Context) {
        for (modifiers, key, action) in SHORTCUTS {
            if ctx.input_mut(|input| input.consume_shortcut(&KeyboardShortcut::new(*modifiers, *key))) {
                action(self);
            }
        }
        self.viewer.holds_before = false;
        self.hear_escape(ctx);
        if ctx.text_edit_focused() || self.asked.is_some() || Popup::is_any_open(ctx) {
            return;
        }
        for (modifiers, key, action) in EDITS {
            if ctx.input_mut(|input| input.consume_shortcut(&KeyboardShortcut::new(*modifiers, *key))) {
                action(self);
            }
        }
        let (copies, pasted) = ctx.input(|input| {
            let copies = input.events.iter().any(|event| matches!(event, Event::Copy));
            let pasted = input.events.iter().find_map(|event| match event {
                Event::Paste(text) => Some(Some(text.clone())),
                Event::PasteImage(_) => Some(None),
                _ => None,
            });
            (copies, pasted)
        });
        if copies {
            self.copy();
        }
        self.heard_paste |= pasted.is_some();
        if let Some(text) = pasted {
            self.paste(text);
        }
        // Files on the clipboard of Windows have no text, and no event tells of them but the key that is let go.
        let let_go = ctx.input(|input| {
            input.events.iter().find_map(|event| match event {
                Event::Key { key: Key::V, pressed: false, modifiers, .. } => Some(modifiers.command),
                _ => None,
            })
        });
        if let Some(is_paste) = let_go
            && !std::mem::take(&mut self.heard_paste)
            && is_paste
            && cfg!(windows)
        {
            self.paste(None);
        }
        let has_modifiers = ctx.input(|input| input.modifiers.command || input.modifiers.ctrl || input.modifiers.alt);
        for (key, action) in PLAIN_KEYS.iter().filter(|_| !has_modifiers) {
            // A key that is held does it once.
            let is_press = |event: &Event| matches!(event, Event::Key { key: pressed, pressed: true, repeat: false, .. } if pressed == key);
            if ctx.input(|input| input.events.iter().any(is_press)) {
                action(self);
            }
        }
        // Where a control has the focus, the key is its own.
        let is_free = ctx.memory(|memory| memory.focused().is_none());
        self.viewer.holds_before = is_free && ctx.input(|input| input.key_down(Key::Space));
    }

    /// Escape closes what is open, leaves what has the focus, or stops the work, in that order.
    fn hear_escape(&mut self, ctx: &Context) {
        let is_taken = Popup::is_any_open(ctx) || ctx.memory(|memory| memory.focused().is_some());
        if !ctx.input(|input| input.key_pressed(Key::Escape)) {
            return;
        }
        match self.asked {
            Some(_) => self.asked = None,
            None if is_taken => {}
            None => self.stop(),
        }
    }

    /// Adds what is on the clipboard: a picture, or names of files.
    pub(super) fn paste(&mut self, text: Option<String>) {
        let named = |text: &str| {
            // Addresses of files are read as such from the clipboard.
            let path = |line: &str| PathBuf::from(line.trim().trim_matches('"'));
            text.lines().map(path).filter(|path| path.exists()).collect::<Vec<_>>()
        };
        let files = text.as_deref().map(named).unwrap_or_default();
        if !files.is_empty() {
            return self.add(files);
        }
        self.wait_for(async { from_clipboard().unwrap_or_else(|| Picked::Sentence(words::NOTHING_TO_PASTE.into())) });
    }

    /// Removes the photo that is looked at from the list.
    fn remove_current(&mut self) {
        if let Some(id) = self.current().map(|photo| photo.id) {
            self.remove_asked(id);
        }
    }

    /// Restores the photo that is looked at.
    pub(super) fn begin_current(&mut self) {
        if let Some(id) = self.current().map(|photo| photo.id) {
            self.begin(id, false);
        }
    }

    /// Saves the result of the photo that is looked at, beside it.
    pub(super) fn save_current(&mut self) {
        let unsaved = self.current().filter(|photo| photo.is_unsaved() && !photo.is_being_saved);
        if let Some((id, place)) = unsaved.map(|photo| (photo.id, self.place_beside(photo))) {
            self.save(id, place);
        }
    }

    pub(super) fn undo_stroke(&mut self) {
        if let Some(canvas) = self.current_mut().and_then(|photo| photo.canvas.as_mut()) {
            canvas.undo();
            self.painted();
        }
    }

    pub(super) fn redo_stroke(&mut self) {
        if let Some(canvas) = self.current_mut().and_then(|photo| photo.canvas.as_mut()) {
            canvas.redo();
            self.painted();
        }
    }
}

/// Files or a picture that were copied elsewhere.
fn from_clipboard() -> Option<Picked> {
    let mut clipboard = arboard::Clipboard::new().ok()?;
    if let Ok(files) = clipboard.get().file_list()
        && !files.is_empty()
    {
        return Some(Picked::Photos(files));
    }
    let image = clipboard.get_image().ok()?;
    let pixels = RgbaImage::from_raw(image.width as u32, image.height as u32, image.bytes.into_owned())?;
    let picture = Picture::new(DynamicImage::ImageRgba8(pixels).into_rgb32f());
    picture.encode("pasted.png".as_ref(), &Writing::default()).ok().map(Picked::Pasted)
}
