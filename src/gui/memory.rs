//! What the window remembers from one time to the next.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};

use super::Window;
use super::brush::Canvas;
use super::photo::Photo;
use super::presets::PRESETS;
use super::words;
use super::worker::{Engine, Id, Origin};
use crate::degradation::Mask;
use crate::files;
use crate::picture::Writing;
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
    /// How results are written.
    pub writing: Writing,
    /// Ending of the names under which results are saved beside their photos; none for PNG.
    pub ending: Option<String>,
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

/// Where the memory is kept: a file that is whole at every moment, which the window's library does not promise of its own.
#[derive(Default)]
pub(super) struct Keeper {
    /// What was kept last.
    last: String,
    writer: Option<(Sender<String>, JoinHandle<()>)>,
}

impl Keeper {
    /// The memory in the user's folder of data, what keeps it there, and what is wrong with it.
    pub fn open() -> (Memory, Self, Option<String>) {
        let Some(folder) = eframe::storage_dir(words::TITLE) else { return (Memory::default(), Self::default(), None) };
        let place = folder.join("memory.json");
        let read = match std::fs::read_to_string(&place) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Memory::default()),
            Err(error) => Err(error.to_string()),
        };
        let (memory, fault) = match read {
            Ok(memory) => (memory, None),
            Err(error) => {
                let fault = Some(words::forgotten(&place, &error));
                // Somebody may want what is in it.
                if std::fs::rename(&place, folder.join("memory.unreadable.json")).is_err() {
                    return (Memory::default(), Self::default(), fault);
                }
                (Memory::default(), fault)
            }
        };
        let (sender, texts) = mpsc::channel::<String>();
        let writer = thread::spawn(move || {
            while let Ok(mut text) = texts.recv() {
                // The newest is wanted.
                text = texts.try_iter().last().unwrap_or(text);
                // A full disk costs the memory of the window, and nothing else.
                _ = std::fs::create_dir_all(&folder);
                _ = files::write_atomically(&place, text.as_bytes());
            }
        });
        (memory, Self { last: String::new(), writer: Some((sender, writer)) }, fault)
    }

    /// Keeps a memory, if it is another than the last one.
    pub fn keep(&mut self, memory: &Memory) {
        let Some((writer, _)) = &self.writer else { return };
        match serde_json::to_string(memory) {
            Ok(text) if text != self.last => {
                _ = writer.send(text.clone());
                self.last = text;
            }
            _ => {}
        }
    }
}

impl Drop for Keeper {
    /// Waits until it is written.
    fn drop(&mut self) {
        if let Some((sender, writer)) = self.writer.take() {
            drop(sender);
            _ = writer.join();
        }
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
        let place = |photo: &Photo| match &photo.origin {
            Origin::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            Origin::Memory(..) => None,
        };
        // Names that are not Unicode cannot be kept, and would cost all the others.
        let kept = |photo: &Photo| {
            Some(Kept {
                path: place(photo).filter(|path| path.to_str().is_some())?,
                preset: photo.preset,
                wish: photo.wish.clone(),
                saved: photo.saved.clone().filter(|path| path.to_str().is_some()),
                mask: photo.canvas.as_ref().and_then(Canvas::mask).or_else(|| self.unread_mask(photo.id)),
            })
        };
        let queue = self.last_time.iter().cloned().chain(self.photos.iter().filter_map(kept)).collect();
        Memory { queue, ..self.memory.clone() }
    }

    /// The mask that a photo had the last time, until it is read.
    fn unread_mask(&self, id: Id) -> Option<Mask> {
        self.masks.iter().find(|(other, _)| *other == id).map(|(_, mask)| mask.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_versions_kept_is_read_as_far_as_it_is_known() {
        let memory: Memory =
            serde_json::from_str(r#"{ "device": "cpu", "unknown": 1, "writing": { "quality": 80 } }"#).unwrap();
        assert_eq!(
            (memory.device.as_deref(), memory.writing.quality, memory.writing.metadata),
            (Some("cpu"), 80, true)
        );
        assert!(memory.queue.is_empty());
    }
}
