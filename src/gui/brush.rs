//! What is painted over a photo: the holes that inpainting fills in.

use std::sync::Arc;

use eframe::egui::{Color32, ColorImage, Context, Painter, Rect, TextureHandle, TextureOptions, pos2};
use image::{Rgb, Rgb32FImage};

use super::worker::Holes;
use crate::degradation::Mask;
use crate::picture::Picture;

/// Longest side of the texture that shows it.
const SHOWN: usize = 2048;
/// Strokes that can be undone.
const STROKES: usize = 50;
/// Marks above this are holes, as in masks that are files.
const MARKED: u8 = 26;
/// The colour of what is painted over.
const COLOR: [u8; 3] = [230, 40, 60];

/// A rectangle of pixels: left, top, right and bottom, without the last two.
type Area = [usize; 4];

/// Marks over a photo, from 0 to 255.
pub struct Canvas {
    width: usize,
    height: usize,
    marks: Vec<u8>,
    undo: Vec<Patch>,
    redo: Vec<Patch>,
    /// The marks before the stroke that is being painted, and where it was.
    stroke: Option<(Vec<u8>, Area)>,
    texture: Option<TextureHandle>,
    dirty: Option<Area>,
    known: Option<Known>,
}

/// What follows from the marks, kept because of the time that it takes on large photos.
struct Known {
    holes: Option<Holes>,
    mask: Option<Mask>,
    /// A hole that has as many before it as after it.
    middle: Option<[usize; 2]>,
}

/// Marks of a rectangle, as they were.
struct Patch {
    area: Area,
    marks: Vec<u8>,
}

/// How is painted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brush {
    /// Radius in pixels of the photo.
    pub radius: f32,
    /// Share of the radius over which marks fade.
    pub softness: f32,
    /// Whether marks are taken away.
    pub erases: bool,
}

impl Default for Brush {
    fn default() -> Self {
        Self { radius: 6.0, softness: 0.0, erases: false }
    }
}

impl Canvas {
    /// Nothing is painted.
    pub fn new([width, height]: [usize; 2]) -> Self {
        Self {
            width,
            height,
            marks: vec![0; width * height],
            undo: Vec::new(),
            redo: Vec::new(),
            stroke: None,
            texture: None,
            dirty: Some([0, 0, width, height]),
            known: None,
        }
    }

    /// The holes, if there are any.
    pub fn holes(&mut self) -> Option<Holes> {
        if self.known.is_none() {
            let holes: Vec<bool> = self.marks.iter().map(|&mark| mark >= MARKED).collect();
            let count = holes.iter().filter(|hole| **hole).count();
            let middle = holes.iter().enumerate().filter(|(_, hole)| **hole).nth(count / 2).map(|(i, _)| i);
            let mask = (count > 0).then(|| Mask::from_fn(self.height, self.width, |y, x| !holes[y * self.width + x]));
            self.known = Some(Known {
                mask,
                middle: middle.map(|i| [i % self.width, i / self.width]),
                holes: (count > 0).then(|| Arc::new(holes)),
            });
        }
        self.known.as_ref()?.holes.clone()
    }

    /// The same as a mask, as far as it is known.
    pub fn mask(&self) -> Option<Mask> {
        self.known.as_ref()?.mask.clone()
    }

    /// A hole in the middle of the holes, as far as it is known.
    pub fn middle(&self) -> Option<[usize; 2]> {
        self.known.as_ref()?.middle
    }

    /// Paints from one place to another, in pixels of the photo.
    pub fn paint(&mut self, from: [f32; 2], to: [f32; 2], brush: Brush) {
        let (before, mut touched) = match self.stroke.take() {
            Some(stroke) => stroke,
            None => (self.marks.clone(), [self.width, self.height, 0, 0]),
        };
        let radius = brush.radius.max(0.5);
        let start = [0, 1].map(|i| (from[i].min(to[i]) - radius).floor().max(0.0) as usize);
        let limit = [self.width, self.height];
        let end = [0, 1].map(|i| ((from[i].max(to[i]) + radius).ceil().max(0.0) as usize + 1).min(limit[i]));
        for y in start[1]..end[1] {
            for x in start[0]..end[0] {
                let far = distance([x as f32 + 0.5, y as f32 + 0.5], from, to) / radius;
                let hard = 1.0 - brush.softness.clamp(0.0, 1.0);
                let strength = ((1.0 - far) / (1.0 - hard).max(1e-3)).clamp(0.0, 1.0);
                let strength = if far <= hard { 1.0 } else { strength };
                let value = (255.0 * strength) as u8;
                let mark = &mut self.marks[y * self.width + x];
                *mark = if brush.erases { (*mark).min(255 - value) } else { (*mark).max(value) };
            }
        }
        let area = [start[0], start[1], end[0], end[1]];
        touched = joined(touched, area);
        self.stroke = Some((before, touched));
        self.changed(area);
    }

    /// Ends a stroke, so that it can be undone.
    pub fn end_stroke(&mut self) {
        if let Some((before, area)) = self.stroke.take() {
            self.push(Patch { area, marks: cut(&before, self.width, area) });
            self.known = None;
        }
    }

    /// Replaces everything, such as by the marks of a file or by nothing.
    pub fn replace(&mut self, marks: Vec<u8>) {
        self.end_stroke();
        if marks.len() == self.marks.len() {
            let area = [0, 0, self.width, self.height];
            let before = std::mem::replace(&mut self.marks, marks);
            self.push(Patch { area, marks: before });
            self.changed(area);
        }
    }

    fn push(&mut self, patch: Patch) {
        self.undo.push(patch);
        self.redo.clear();
        if self.undo.len() > STROKES {
            self.undo.remove(0);
        }
    }

    /// Takes the last stroke back.
    pub fn undo(&mut self) {
        self.end_stroke();
        if let Some(patch) = self.undo.pop() {
            let back = self.swap(patch);
            self.redo.push(back);
        }
    }

    /// Puts the stroke that was taken back on again.
    pub fn redo(&mut self) {
        self.end_stroke();
        if let Some(patch) = self.redo.pop() {
            let back = self.swap(patch);
            self.undo.push(back);
        }
    }

    /// Whether there is a stroke to take back, and one to put on again.
    pub fn can(&self) -> [bool; 2] {
        [!self.undo.is_empty(), !self.redo.is_empty()]
    }

    /// Puts marks into their place, and gives back those that were there.
    fn swap(&mut self, patch: Patch) -> Patch {
        let Patch { area, marks } = patch;
        let before = cut(&self.marks, self.width, area);
        let [left, top, right, bottom] = area;
        for (row, y) in (top..bottom).enumerate() {
            let width = right - left;
            self.marks[y * self.width + left..y * self.width + right]
                .copy_from_slice(&marks[row * width..(row + 1) * width]);
        }
        self.changed(area);
        Patch { area, marks: before }
    }

    fn changed(&mut self, area: Area) {
        // A stroke counts when it ends.
        if self.stroke.is_none() {
            self.known = None;
        }
        self.dirty = Some(self.dirty.map_or(area, |dirty| joined(dirty, area)));
    }

    /// The marks as a picture: white is filled in.
    pub fn picture(&self) -> Picture {
        Picture::new(Rgb32FImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            Rgb([f32::from(self.marks[y as usize * self.width + x as usize]) / 255.0; 3])
        }))
    }

    /// The marks of a picture of the same size: its bright places, or what is transparent in it.
    pub fn marks_of(picture: &Picture) -> Vec<u8> {
        picture.marks().iter().map(|value| (value.clamp(0.0, 1.0) * 255.0) as u8).collect()
    }

    /// Shows the marks over the photo that fills `place`.
    pub fn show(&mut self, ctx: &Context, painter: &Painter, place: Rect) {
        let step = self.width.max(self.height).div_ceil(SHOWN).max(1);
        let size = [self.width.div_ceil(step), self.height.div_ceil(step)];
        if let Some([left, top, right, bottom]) = self.dirty.take() {
            let from = [left / step, top / step];
            let to = [right.div_ceil(step).min(size[0]), bottom.div_ceil(step).min(size[1])];
            let pixel = |x: usize, y: usize| {
                let mark = self.marks[(y * step).min(self.height - 1) * self.width + (x * step).min(self.width - 1)];
                Color32::from_rgba_unmultiplied(COLOR[0], COLOR[1], COLOR[2], (u16::from(mark) * 6 / 10) as u8)
            };
            let image = |from: [usize; 2], to: [usize; 2]| {
                let pixels = (from[1]..to[1]).flat_map(|y| (from[0]..to[0]).map(move |x| (x, y)));
                ColorImage::new([to[0] - from[0], to[1] - from[1]], pixels.map(|(x, y)| pixel(x, y)).collect())
            };
            match &mut self.texture {
                Some(texture) if from[0] < to[0] && from[1] < to[1] => {
                    texture.set_partial(from, image(from, to), TextureOptions::NEAREST);
                }
                Some(_) => {}
                none => *none = Some(ctx.load_texture("marks", image([0, 0], size), TextureOptions::NEAREST)),
            }
        }
        if let Some(texture) = &self.texture {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(texture.id(), place, whole, Color32::WHITE);
        }
    }
}

/// The smallest rectangle around two.
fn joined(a: Area, b: Area) -> Area {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

/// The marks of a rectangle, row by row.
fn cut(marks: &[u8], width: usize, [left, top, right, bottom]: Area) -> Vec<u8> {
    (top..bottom).flat_map(|y| marks[y * width + left..y * width + right].iter().copied()).collect()
}

/// Of a place from a line between two others.
fn distance(at: [f32; 2], from: [f32; 2], to: [f32; 2]) -> f32 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let length = along[0] * along[0] + along[1] * along[1];
    let share = ((at[0] - from[0]) * along[0] + (at[1] - from[1]) * along[1]) / length.max(1e-6);
    let share = share.clamp(0.0, 1.0);
    (at[0] - from[0] - share * along[0]).hypot(at[1] - from[1] - share * along[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(canvas: &mut Canvas) -> usize {
        canvas.holes().map_or(0, |holes| holes.iter().filter(|hole| **hole).count())
    }

    #[test]
    fn strokes_are_undone_and_put_on_again() {
        let mut canvas = Canvas::new([60, 40]);
        assert!(canvas.holes().is_none());
        let brush = Brush { radius: 4.0, ..Brush::default() };
        canvas.paint([10.0, 20.0], [30.0, 20.0], brush);
        canvas.paint([30.0, 20.0], [50.0, 30.0], brush);
        canvas.end_stroke();
        let painted = count(&mut canvas);
        // A strip of 8 pixels' width and its round ends.
        assert!((300..450).contains(&painted), "{painted}");
        canvas.paint([0.0, 0.0], [60.0, 40.0], Brush { radius: 30.0, erases: true, ..brush });
        canvas.end_stroke();
        assert_eq!(count(&mut canvas), 0);
        canvas.undo();
        assert_eq!(count(&mut canvas), painted);
        canvas.undo();
        assert_eq!((count(&mut canvas), canvas.can()), (0, [false, true]));
        canvas.redo();
        assert_eq!(count(&mut canvas), painted);
    }

    #[test]
    fn soft_brushes_mark_less() {
        let painted = |softness| {
            let mut canvas = Canvas::new([60, 40]);
            canvas.paint([30.0, 20.0], [30.0, 20.0], Brush { radius: 10.0, softness, erases: false });
            canvas.marks.iter().map(|mark| u64::from(*mark)).sum::<u64>()
        };
        assert!(painted(1.0) < painted(0.5) && painted(0.5) < painted(0.0));
    }
}
