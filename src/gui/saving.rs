//! Where results go: beside their photos under names that no file has, or where the user says.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use eframe::egui::{Checkbox, ComboBox, Slider, Ui};

use super::Window;
use super::photo::Photo;
use super::words;
use super::worker::Origin;
use crate::error::Result;
use crate::files;
use crate::job::Done;
use crate::picture::{Format, Picture, Writing, formats};
use crate::recipe::Recipe;

/// Where a result goes, and how it is written.
#[derive(Clone, Debug)]
pub struct Saving {
    /// Where it goes.
    pub place: Place,
    /// How it is written.
    pub writing: Writing,
}

/// Where a result goes.
#[derive(Clone, Debug)]
pub enum Place {
    /// To a free name, the first of which this is.
    Free(PathBuf),
    /// To this name.
    At(PathBuf),
}

impl Place {
    /// Beside a photo; a picture that is in no file goes to the user's own folder.
    pub fn beside(origin: &Origin, ending: &str) -> Self {
        let (path, folder) = match origin {
            Origin::File(path) => (path, path.parent().map(Path::to_path_buf).unwrap_or_default()),
            Origin::Memory(name, _) => (name, etcetera::home_dir().unwrap_or_default()),
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::Free(folder.join(format!("{stem}-restored.{ending}")))
    }

    /// The first name.
    pub fn name(&self) -> &Path {
        match self {
            Self::Free(path) | Self::At(path) => path,
        }
    }

    /// The name that is taken now.
    fn taken(&self) -> PathBuf {
        let first = match self {
            Self::At(path) => return path.clone(),
            Self::Free(first) => first,
        };
        let is_free = |path: &PathBuf| !path.exists() && !Recipe::path_for(path).exists();
        let stem = first.file_stem().unwrap_or_default().to_string_lossy();
        let ending = first.extension().unwrap_or_default().to_string_lossy();
        let numbered = (2..=u32::MAX).map(|number| first.with_file_name(format!("{stem}-{number}.{ending}")));
        let mut free = std::iter::once(first.clone()).chain(numbered).filter(is_free);
        free.next().unwrap_or_else(|| first.clone())
    }
}

impl Saving {
    /// Writes a result and its recipe, and says where.
    ///
    /// # Errors
    /// Places that cannot be written.
    pub fn save(&self, done: &Done) -> Result<PathBuf> {
        self.write(&[&done.recipe.input.path], |place| done.save(place, &self.writing))
    }

    /// Writes a result again that is in a file, and its recipe.
    ///
    /// # Errors
    /// Files that are gone, and places that cannot be written.
    pub fn save_again(&self, saved: &Path) -> Result<PathBuf> {
        let recipe = Some(Recipe::path_for(saved)).filter(|path| path.exists()).map(|path| Recipe::read(&path));
        let recipe = recipe.transpose()?;
        let photo = recipe.iter().map(|recipe| recipe.input.path.as_path());
        let kept: Vec<&Path> = std::iter::once(saved).chain(photo).collect();
        self.write(&kept, |place| {
            Picture::read(saved)?.write_as(place, &self.writing)?;
            recipe.as_ref().map_or(Ok(()), |recipe| recipe.write(&Recipe::path_for(place)))
        })
    }

    /// Lets `write` write to the place, unless one of the files that are kept is there.
    fn write(&self, kept: &[&Path], write: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        // Two results must not find the same name free.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.place.taken();
        files::refuse_overwriting(&place, kept.iter().copied())?;
        write(&place)?;
        Ok(place)
    }
}

impl Window {
    /// The ending of the names under which results are saved beside their photos.
    pub(super) fn ending(&self) -> String {
        self.memory.ending.clone().unwrap_or_else(|| formats().map(Format::ending).next().unwrap_or_default().into())
    }

    /// Where the result of a photo is saved unless something else is asked for.
    pub(super) fn place_beside(&self, photo: &Photo) -> Place {
        Place::beside(&photo.origin, &self.ending())
    }

    /// How results are written.
    pub(super) fn manner(&mut self, ui: &mut Ui) {
        let before = (self.memory.ending.clone(), self.memory.writing);
        let ending = self.ending();
        let chosen = formats().find(|format| format.ending() == ending);
        let label = ui.label(words::FORMAT);
        ComboBox::from_id_salt("format")
            .selected_text(chosen.map_or("", |format| format.name))
            .show_ui(ui, |ui| {
                for format in formats() {
                    let own = Some(format.ending().to_owned());
                    ui.selectable_value(&mut self.memory.ending, own, format.name);
                }
            })
            .response
            .labelled_by(label.id);
        let writing = &mut self.memory.writing;
        ui.add(Slider::new(&mut writing.quality, 1..=100).text(words::OUTPUT_QUALITY));
        ui.add(Checkbox::new(&mut writing.metadata, words::KEEP_METADATA));
        if (&self.memory.ending, self.memory.writing) != (&before.0, before.1) {
            // What the file will lack.
            self.wish_changed();
        }
    }
}
