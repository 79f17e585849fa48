//! One photo from its file to the restored file and the recipe beside it: what every shell does with a photo.

use std::path::Path;
use std::sync::Arc;

use crate::control::{self, Control, Event};
use crate::error::{Error, Result};
use crate::files;
use crate::picture::Writing;
use crate::recipe::{Input, Recipe, check_hash};
use crate::restore::{PriorChoice, RestoreConfig, Restored, Restorer, Source, Wish};

/// A file that was read.
pub struct Opened {
    /// What is restored.
    pub source: Source,
    /// Where it was, and its hash.
    pub input: Input,
}

/// A file that was read, and how it is restored.
pub struct Job {
    /// What is restored, and where it was.
    pub opened: Arc<Opened>,
    /// How it is restored.
    pub config: RestoreConfig,
    /// Whether what happened to it was found out: the result has to explain the photo.
    pub is_found: bool,
}

/// How a file is restored, without its pixels: of many files they are read again one by one.
pub struct Plan {
    sha256: String,
    config: RestoreConfig,
    is_found: bool,
}

/// A restored picture with everything that repeats it.
pub struct Done {
    /// The picture and its receipt.
    pub restored: Restored,
    /// What made it.
    pub recipe: Recipe,
}

impl Opened {
    /// Decodes a page of the bytes of a file, the first is 0; `path` decides its kind and is what the recipe names.
    ///
    /// # Errors
    /// Files that cannot be decoded.
    pub fn decode(bytes: &[u8], path: &Path, page: usize) -> Result<Self> {
        let source = Source::decode(bytes, path, page)?;
        Ok(Self { source, input: Input { path: path.into(), sha256: files::sha256(bytes), page } })
    }

    /// What of the file was not read, and what a picture of `[height, width]` at `output` will lack, in sentences.
    ///
    /// # Errors
    /// Formats that cannot hold a picture of `size`.
    pub fn remarks(&self, output: &Path, size: [usize; 2], writing: &Writing) -> Result<Vec<String>> {
        let own = self.source.photo().map(|photo| photo.remarks.clone()).unwrap_or_default();
        Ok(own.into_iter().chain(self.losses(output, size, writing)?).collect())
    }

    /// What a picture of `[height, width]` at `output` will lack, in sentences.
    ///
    /// # Errors
    /// Formats that cannot hold a picture of `size`.
    pub fn losses(&self, output: &Path, size: [usize; 2], writing: &Writing) -> Result<Vec<String>> {
        let losses = self.source.photo().map(|photo| photo.losses(output, size, writing)).transpose()?;
        Ok(losses.into_iter().flatten().map(|lost| format!("{} will lack {lost}", output.display())).collect())
    }
}

impl Job {
    /// Finds out how a file is restored with a prior as a user wishes.
    ///
    /// # Errors
    /// Wishes that contradict themselves or the file, photos in which nothing is found to be wrong, and being cancelled.
    pub fn new(
        opened: impl Into<Arc<Opened>>,
        wish: &Wish,
        prior: &PriorChoice,
        control: &dyn Control,
    ) -> Result<Self> {
        let opened = opened.into();
        let wish = wish.for_prior(prior);
        let request = if wish.seeks_kernel() {
            control.emit(Event::Estimating("the kernel"));
            let opened = Arc::clone(&opened);
            control::waited(control, "before the first step", move || wish.request(&opened.source))?
        } else {
            wish.request(&opened.source)?
        };
        let config = request.resolve(&opened.source, control)?;
        let is_found = request.is_open(&opened.source);
        Self { opened, config, is_found }.checked()
    }

    /// The same for a part of a photo: what was found is that of the whole, and neither adjusted nor judged by it.
    #[must_use]
    pub fn of_part(self) -> Self {
        Self { is_found: false, config: RestoreConfig { refine: false, ..self.config }, ..self }
    }

    /// Keeps how the file is restored.
    pub fn into_plan(self) -> Plan {
        Plan { sha256: self.opened.input.sha256.clone(), config: self.config, is_found: self.is_found }
    }

    /// Goes on with a plan for a file that was read again.
    ///
    /// # Errors
    /// A file that changed in between.
    pub fn resumed(opened: impl Into<Arc<Opened>>, Plan { sha256, config, is_found }: Plan) -> Result<Self> {
        let opened = opened.into();
        if opened.input.sha256 != sha256 {
            let fact = "it changed while others were restored";
            return Err(Error::document(&opened.input.path, fact, "restore it once more"));
        }
        Ok(Self { opened, config, is_found })
    }

    /// Repeats what a recipe at `path` says.
    ///
    /// # Errors
    /// Another file than the recipe's.
    pub fn repeated(opened: impl Into<Arc<Opened>>, recipe: &Recipe, path: &Path) -> Result<Self> {
        let opened = opened.into();
        check_hash(path, "input", &opened.input.sha256, &recipe.input.sha256)?;
        Self { opened, config: recipe.config.clone(), is_found: false }.checked()
    }

    fn checked(self) -> Result<Self> {
        self.config.check_for(self.config.image_size(&self.opened.source))?;
        Ok(self)
    }

    /// Height and width of the result.
    pub fn result_size(&self) -> [usize; 2] {
        self.config.result_size(&self.opened.source)
    }

    /// Whether colours of the photo are replaced by others.
    pub fn discards_colors(&self) -> bool {
        self.config.degradation.discards_colors() && self.opened.source.photo().is_some_and(|photo| !photo.extras.gray)
    }

    /// Restores it with a prior that was loaded as `choice` says.
    ///
    /// # Errors
    /// As [`Restorer::restore`], and results of what was found that do not explain their photo.
    pub fn restore(&self, restorer: &Restorer, choice: &PriorChoice, control: &dyn Control) -> Result<Done> {
        let restored = restorer.restore(&self.opened.source, &self.config, control)?;
        if self.is_found {
            restored.receipt.check_found(&self.config, &self.opened.input.path)?;
        }
        let recipe = Recipe::new(self.opened.input.clone(), &restored, restorer, choice);
        Ok(Done { restored, recipe })
    }
}

impl Done {
    /// Writes the picture, and its recipe beside it.
    ///
    /// # Errors
    /// Places that cannot be written.
    pub fn save(&self, output: &Path, writing: &Writing) -> Result<()> {
        self.restored.picture.write_as(output, writing).map_err(Error::at_output)?;
        self.recipe.write(&Recipe::path_for(output)).map_err(Error::at_output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::picture::Picture;

    #[test]
    fn a_plan_is_for_the_file_that_was_looked_at() {
        let opened = |level: f32| {
            let picture = Picture::new(image::Rgb32FImage::from_pixel(16, 16, image::Rgb([level, 0.5, 0.25])));
            let path = Path::new("a.png");
            Opened::decode(&picture.encode(path, &Writing::default()).unwrap(), path, 0).unwrap()
        };
        let wish = Wish { tasks: vec!["denoise".into()], sigma: Some(0.1), ..Wish::default() };
        let plan = || Job::new(opened(0.5), &wish, &PriorChoice::default(), &Silent).unwrap().into_plan();
        let config = plan().config;
        assert_eq!(Job::resumed(opened(0.5), plan()).unwrap().config, config);
        let message = Job::resumed(opened(0.75), plan()).err().expect("another file").to_string();
        assert!(message.contains("changed while others were restored"), "{message}");
    }
}
