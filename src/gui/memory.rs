//! What the window remembers from one time to the next.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Window;
use super::brush::Canvas;
use super::photo::Photo;
use super::presets::PRESETS;
use super::worker::{Engine, Id, Origin};
use crate::degradation::Mask;
use crate::restore::{PriorChoice, Wish};

/// What the window remembers from one time to the next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    pub device: Option<String>,
    /// The device of this time only: one that the command line names, or that stands in for another.
    #[serde(skip)]
    pub for_now: Option<String>,
    pub model: Option<String>,
    /// Whether dates, places and the like are left out of what is saved.
    pub drops_metadata: bool,
    pub queue: Vec<Kept>,
}

/// A photo of the list, as it is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    path: PathBuf,
    #[serde(default)]
    preset: usize,
    wish: Wish,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    saved: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask: Option<Mask>,
}

impl Memory {
    /// The device of this time.
    pub fn device_now(&self) -> Option<String> {
        self.for_now.clone().or_else(|| self.device.clone())
    }

    /// Where and with what is computed this time.
    pub fn engine(&self) -> Engine {
        let prior = self.model.as_deref().map_or_else(PriorChoice::default, PriorChoice::named);
        Engine { device: self.device_now(), prior }
    }
}

impl Window {
    /// Takes up the list of the last time, or forgets it.
    pub(super) fn answer_last_time(&mut self, is_wanted: bool) {
        let kept = std::mem::take(&mut self.last_time);
        for Kept { path, preset, wish, saved, mask } in kept.into_iter().filter(|_| is_wanted) {
            let id = self.add_one(Origin::File(path), wish);
            if let Some(photo) = self.photo_mut(id) {
                // Another version may have had others.
                photo.preset = preset.min(PRESETS.len() - 1);
                photo.saved = saved.filter(|path| path.exists());
            }
            self.masks.extend(mask.map(|mask| (id, mask)));
        }
    }

    /// What is remembered of the window.
    pub(super) fn remembered(&self) -> Memory {
        let kept = |photo: &Photo| match &photo.origin {
            Origin::File(path) => Some(Kept {
                path: std::path::absolute(path).unwrap_or_else(|_| path.clone()),
                preset: photo.preset,
                wish: photo.wish.clone(),
                saved: photo.saved.clone(),
                mask: photo.canvas.as_ref().and_then(Canvas::mask).or_else(|| self.unread_mask(photo.id)),
            }),
            Origin::Memory(..) => None,
        };
        let queue = self.last_time.iter().cloned().chain(self.photos.iter().filter_map(kept)).collect();
        Memory { queue, ..self.memory.clone() }
    }

    /// The mask that a photo had the last time, until it is read.
    fn unread_mask(&self, id: Id) -> Option<Mask> {
        self.masks.iter().find(|(other, _)| *other == id).map(|(_, mask)| mask.clone())
    }
}
