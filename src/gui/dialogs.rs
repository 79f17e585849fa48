//! Dialogs of the system: they are opened on the window's thread, and waited for on another.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use log::{Level, LevelFilter, Log, Metadata, Record};
use rfd::{AsyncFileDialog, FileHandle};

use super::Window;
use super::photo::Photo;
use super::words;
use super::worker::Id;
use crate::picture::{self, Picture};

/// What was chosen in a dialog.
pub(super) enum Picked {
    /// Photos, or a folder of them.
    Photos(Vec<PathBuf>),
    /// Where the result of a photo goes.
    Output(Id, PathBuf),
    /// A picture from the clipboard, as a PNG.
    Pasted(Vec<u8>),
    /// A mask for a photo, and the file that it is of.
    Mask(Id, PathBuf, Box<Picture>),
    /// A result was written again, to another place.
    Saved(Id, PathBuf),
    /// A result that was read again, for the clipboard.
    Copy(Box<Picture>),
    /// Where a mask goes.
    MaskOutput(Id, PathBuf),
    /// Nothing, for a reason.
    Sentence(String),
    /// Nothing.
    Nothing,
}

impl Window {
    /// Waits for a dialog, or for other work that takes a while, without holding the window up.
    pub(super) fn wait_for(&self, dialog: impl Future<Output = Picked> + Send + 'static) {
        let (picker, ctx) = (self.picker(), self.ctx.clone());
        thread::spawn(move || {
            // The window may be closed by now.
            _ = picker.send(pollster::block_on(dialog));
            ctx.request_repaint();
        });
    }

    /// Looks for the pictures in a folder and below.
    pub(super) fn search(&self, folder: PathBuf) {
        self.wait_for(async move {
            // What can be read is taken, whatever else is there.
            let (found, failed): (Vec<_>, Vec<_>) = picture::pictures_below(&folder).partition(Result::is_ok);
            match failed.into_iter().find_map(Result::err) {
                Some(error) if found.is_empty() => Picked::Sentence(error.sentence(&words::Labels)),
                None if found.is_empty() => Picked::Sentence(words::no_pictures(&folder)),
                _ => Picked::Photos(found.into_iter().flatten().collect()),
            }
        });
    }

    fn pictures() -> AsyncFileDialog {
        AsyncFileDialog::new().add_filter(words::FILTER, &picture::endings())
    }

    /// Asks for photos.
    pub(super) fn ask_for_photos(&self) {
        let chosen = Self::pictures().set_title(words::ADD_PHOTOS).pick_files();
        self.wait_for(async {
            match chosen.await {
                Some(files) => Picked::Photos(files.iter().map(|file| file.path().to_path_buf()).collect()),
                None => nothing(),
            }
        });
    }

    /// Asks for a folder of photos.
    pub(super) fn ask_for_folder(&self) {
        let chosen = AsyncFileDialog::new().set_title(words::ADD_FOLDER).pick_folder();
        self.wait_for(async { named(chosen.await, |path| Picked::Photos(vec![path])) });
    }

    /// Asks where the result of the photo that is looked at goes.
    pub(super) fn ask_for_output(&self) {
        let has_result = |photo: &&Photo| photo.done.is_some() || photo.saved.is_some();
        let Some(photo) = self.current().filter(has_result) else { return };
        let (id, place) = (photo.id, self.place_beside(photo));
        let chosen = Self::saving(place.name()).set_title(words::SAVE_AS).save_file();
        self.wait_for(async move { named(chosen.await, |path| Picked::Output(id, path)) });
    }

    /// Asks for a mask for the photo that is looked at.
    pub(super) fn ask_for_mask(&self) {
        let Some(photo) = self.current() else { return };
        let id = photo.id;
        let chosen = Self::pictures().set_title(words::LOAD_MASK).pick_file();
        self.wait_for(async move {
            named(chosen.await, |path| match Picture::read(&path) {
                Ok(mask) => Picked::Mask(id, path, Box::new(mask)),
                Err(error) => Picked::Sentence(error.sentence(&words::Labels)),
            })
        });
    }

    /// Asks where the mask of the photo that is looked at goes.
    pub(super) fn ask_for_mask_output(&self) {
        let Some(photo) = self.current() else { return };
        let (id, place) = (photo.id, photo.path().with_extension("mask.png"));
        let chosen = Self::saving(&place).set_title(words::SAVE_MASK).save_file();
        self.wait_for(async move { named(chosen.await, |path| Picked::MaskOutput(id, path)) });
    }

    fn saving(place: &Path) -> AsyncFileDialog {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let dialog = AsyncFileDialog::new().set_file_name(name).add_filter(words::FILTER, &picture::writable_endings());
        match place.parent().filter(|folder| folder.is_dir()) {
            Some(folder) => dialog.set_directory(folder),
            None => dialog,
        }
    }
}

fn named(chosen: Option<FileHandle>, picked: impl FnOnce(PathBuf) -> Picked) -> Picked {
    chosen.map_or_else(nothing, |file| picked(file.path().to_path_buf()))
}

/// Why nothing was chosen: it was not wanted, or the system has no dialogs.
fn nothing() -> Picked {
    match MISSING.swap(false, Ordering::Relaxed) {
        true => Picked::Sentence(words::NO_DIALOGS.into()),
        false => Picked::Nothing,
    }
}

/// Whether a dialog could not be shown.
static MISSING: AtomicBool = AtomicBool::new(false);

/// Hears from the library of dialogs that none could be shown: its answer is that of Cancel, and only its log tells them apart.
struct Faults;

impl Log for Faults {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.level() == Level::Error && about.target().starts_with("rfd")
    }

    fn log(&self, record: &Record<'_>) {
        // The last that is tried.
        if self.enabled(record.metadata()) && record.args().to_string().contains("zenity") {
            MISSING.store(true, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

/// Listens for dialogs that cannot be shown.
pub(super) fn hear_faults() {
    // A program that uses the window as a library may have a log of its own.
    if log::set_logger(&Faults).is_ok() {
        log::set_max_level(LevelFilter::Error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_without_dialogs_are_told_from_cancel() {
        hear_faults();
        assert!(matches!(nothing(), Picked::Nothing));
        log::error!(target: "wgpu", "another fault");
        log::error!(target: "rfd::backend::xdg_desktop_portal", "OpenFile failed");
        assert!(matches!(nothing(), Picked::Nothing));
        log::error!(target: "rfd::backend::xdg_desktop_portal", "Failed to pick files with zenity");
        assert!(matches!(nothing(), Picked::Sentence(_)) && matches!(nothing(), Picked::Nothing));
    }
}
