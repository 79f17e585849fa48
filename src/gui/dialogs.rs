//! Dialogs of the system: they are opened on the window's thread, and waited for on another.

use std::path::{Path, PathBuf};
use std::thread;

use rfd::{AsyncFileDialog, FileHandle};

use super::Window;
use super::saving::Place;
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
            Picked::Photos(chosen.await.into_iter().flatten().map(|file| file.path().to_path_buf()).collect())
        });
    }

    /// Asks for a folder of photos.
    pub(super) fn ask_for_folder(&self) {
        let chosen = AsyncFileDialog::new().set_title(words::ADD_FOLDER).pick_folder();
        self.wait_for(async {
            Picked::Photos(chosen.await.into_iter().map(|file| file.path().to_path_buf()).collect())
        });
    }

    /// Asks where the result of the photo that is looked at goes.
    pub(super) fn ask_for_output(&self) {
        let Some(photo) = self.current().filter(|photo| photo.done.is_some()) else { return };
        let (id, place) = (photo.id, Place::beside(&photo.origin));
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
    chosen.map_or(Picked::Nothing, |file| picked(file.path().to_path_buf()))
}
