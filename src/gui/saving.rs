//! Where results go: beside their photos under names that no file has, or where the user says.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::worker::Origin;
use crate::error::Result;
use crate::files;
use crate::job::Done;
use crate::recipe::Recipe;

/// Where a result goes, and what of it is left out.
#[derive(Clone, Debug)]
pub struct Saving {
    /// Where it goes.
    pub place: Place,
    /// Whether dates, places and the like are left out.
    pub drops_metadata: bool,
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
    pub fn beside(origin: &Origin) -> Self {
        let (path, folder) = match origin {
            Origin::File(path) => (path, path.parent().map(Path::to_path_buf).unwrap_or_default()),
            Origin::Memory(name, _) => (name, etcetera::home_dir().unwrap_or_default()),
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::Free(folder.join(format!("{stem}-restored.png")))
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
        let numbered = (2..=u32::MAX).map(|number| first.with_file_name(format!("{stem}-{number}.png")));
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
        // Two results must not find the same name free.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.place.taken();
        files::refuse_overwriting(&place, [done.recipe.input.path.as_path()])?;
        match self.drops_metadata {
            true => done.save_picture(&done.restored.picture.clone().without_metadata(), &place)?,
            false => done.save(&place)?,
        }
        Ok(place)
    }
}
