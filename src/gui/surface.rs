//! A picture on the screen: the tiles that are seen, at the size that they are seen in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use eframe::egui::{Color32, Painter, Rect, TextureFilter, TextureHandle, TextureOptions, TextureWrapMode, pos2, vec2};

use super::levels::{Levels, TILE};

/// Tiles that are sent to the graphics processor in one frame: more would be felt.
const UPLOADS: usize = 4;
/// Tiles that are kept there, of 4 MiB each.
const KEPT: usize = 96;
/// Sharp pixels where they are large, no moiré where they are small.
const FILTERS: TextureOptions = TextureOptions {
    magnification: TextureFilter::Nearest,
    minification: TextureFilter::Linear,
    wrap_mode: TextureWrapMode::ClampToEdge,
    mipmap_mode: None,
};

/// Level, column and row.
type Place = [usize; 3];

/// A picture, and what of it is on the graphics processor.
pub struct Surface {
    levels: Arc<Levels>,
    uploaded: HashMap<Place, TextureHandle>,
}

impl Surface {
    /// Nothing is sent before it is seen.
    pub fn new(levels: Arc<Levels>) -> Self {
        Self { levels, uploaded: HashMap::new() }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.levels.size()
    }

    /// Paints the picture so that it fills `place`; what is outside the painter's clip is left out.
    pub fn paint(&mut self, painter: &Painter, place: Rect) {
        let seen = painter.clip_rect().intersect(place);
        if !seen.is_positive() {
            return;
        }
        let scale = place.width() * painter.ctx().pixels_per_point() / self.levels.size()[0] as f32;
        let last = self.levels.count() - 1;
        let wanted = ((1.0 / scale).log2().floor().max(0.0) as usize).min(last);
        if self.uploaded.len() > KEPT {
            self.uploaded.retain(|[level, ..], _| *level == last || *level == wanted);
        }
        let mut uploads = UPLOADS;
        // The coarsest is there at once, until the finer ones are.
        for level in if wanted == last { vec![last] } else { vec![last, wanted] } {
            self.paint_level(painter, place, seen, level, &mut uploads);
        }
        if uploads == 0 {
            painter.ctx().request_repaint();
        }
    }

    fn paint_level(&mut self, painter: &Painter, place: Rect, seen: Rect, index: usize, uploads: &mut usize) {
        let level = self.levels.level(index);
        let [width, height] = level.size().map(|side| side as f32);
        let per_pixel = vec2(place.width() / width, place.height() / height);
        let [columns, rows] = level.grid();
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let tile = level.tile([column, row]);
            let corner = vec2((column * TILE) as f32, (row * TILE) as f32);
            let size = vec2(tile.width() as f32, tile.height() as f32);
            let rect = Rect::from_min_size(place.min + corner * per_pixel, size * per_pixel);
            if !rect.intersects(seen) {
                continue;
            }
            let texture = match self.uploaded.entry([index, column, row]) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(_) if *uploads == 0 => continue,
                Entry::Vacant(free) => {
                    *uploads -= 1;
                    free.insert(painter.ctx().load_texture("tile", tile.clone(), FILTERS))
                }
            };
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(texture.id(), rect, whole, Color32::WHITE);
        }
    }
}
