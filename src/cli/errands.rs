//! Which photos are restored, and where their results go.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::restore::Args;
use super::{note, stream};
use crate::error::{Error, PathContext, Result};
use crate::files;
use crate::picture::{self, Picture};
use crate::recipe::Recipe;
use crate::restore::check_sample_count;

/// One picture to restore, and where it goes.
pub(super) struct Errand {
    pub photo: PathBuf,
    pub output: PathBuf,
}

/// What the names of pictures about an output end in, before `.png`.
pub(super) const MAP: &str = "uncertainty";
pub(super) const SAMPLES: &str = "samples";
/// What the names of outputs beside their photos end in.
const RESTORED: &str = "-restored.png";

/// Whether a picture is called what results beside their photos are called.
pub(super) fn is_result(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(RESTORED) || [MAP, SAMPLES].iter().any(|what| name.ends_with(&format!(".png.{what}.png")))
}

/// The pictures in a folder and below that are no results of an earlier run.
///
/// # Errors
/// Folders that cannot be read or hold none.
pub(super) fn photos_below(folder: &Path, is_result: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let all = picture::pictures_below(folder);
    let photos = all.filter(|path| path.as_ref().map_or(true, |path| !is_result(path))).collect::<Result<Vec<_>>>()?;
    if photos.is_empty() { Err(Error::no_pictures(folder)) } else { Ok(photos) }
}

/// The photos that were named, and where they lie below the folders that were.
fn found(args: &Args) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut all = Vec::new();
    for named in &args.photos {
        if stream::is_meant(named) && args.photos.len() > 1 {
            let fact = "standard input is one photo";
            return Err(Error::mismatch(named.as_path(), fact, "restore the others by themselves"));
        }
        if stream::is_meant(named) && args.output.is_none() {
            let fact = "standard input has no name for the result";
            return Err(Error::mismatch(
                named.as_path(),
                fact,
                "name a place with -o, or pass -o - for standard output",
            ));
        }
        if !named.is_dir() {
            all.push((named.clone(), named.file_name().unwrap_or_default().into()));
            continue;
        }
        // What an earlier run wrote is no photo, however its folder is called.
        let output = args.output.as_ref().and_then(|output| output.canonicalize().ok());
        let inside =
            |output: &PathBuf| named.canonicalize().is_ok_and(|named| output.starts_with(&named) && named != *output);
        let output = output.filter(inside);
        let is_output = |path: &Path| match &args.output {
            Some(_) => {
                output.as_ref().is_some_and(|output| path.canonicalize().is_ok_and(|path| path.starts_with(output)))
            }
            None => is_result(path),
        };
        for path in photos_below(named, is_output)? {
            let below = path.strip_prefix(named).unwrap_or(&path).to_path_buf();
            all.push((path, below));
        }
    }
    Ok(all)
}

/// Pairs photos with outputs, and refuses what cannot be written before anything is computed.
pub(super) fn plan(args: &Args) -> Result<Vec<Errand>> {
    let found = found(args)?;
    let has_folders = args.photos.iter().any(|photo| photo.is_dir());
    let is_streamed = args.output.as_deref().is_some_and(stream::is_meant);
    args.uncertainty.map(check_sample_count).transpose()?;
    if is_streamed && args.uncertainty.is_some() {
        let fact = "standard output has no place beside it for the uncertainty";
        return Err(Error::mismatch(Path::new("-"), fact, "name a file with -o"));
    }
    if is_streamed && std::io::stdout().is_terminal() {
        let fact = "standard output is a terminal, which shows no pictures";
        return Err(Error::mismatch(Path::new("-"), fact, "name a file with -o, or send it to another program"));
    }
    if is_streamed && (found.len() > 1 || has_folders || args.skip_existing) {
        let fact = "standard output is for one picture";
        return Err(Error::mismatch(Path::new("-"), fact, "pass a folder with -o"));
    }
    let into_folder = args.output.as_ref().is_some_and(|output| {
        let named_folder = output.as_os_str().to_string_lossy().ends_with(['/', '\\']);
        found.len() > 1 || has_folders || output.is_dir() || named_folder
    });
    if let (Some(output), true) = (&args.output, found.len() > 1 || has_folders)
        && (output.is_file() || Picture::has_picture_ending(output))
    {
        let fact = "it is the name of one picture, but there are several photos";
        return Err(Error::mismatch(output.as_path(), fact, "pass a folder with -o"));
    }
    let errand = |(photo, below): &(PathBuf, PathBuf)| {
        let named = |end: &str| {
            let mut name = photo.file_stem().unwrap_or_default().to_owned();
            name.push(end);
            name
        };
        let output = match &args.output {
            Some(folder) if into_folder => folder.join(below.with_file_name(named(".png"))),
            Some(file) => file.clone(),
            None => photo.with_file_name(named(RESTORED)),
        };
        Errand { photo: photo.clone(), output }
    };
    let mut errands: Vec<Errand> = found.iter().map(errand).collect();
    if args.skip_existing {
        // The recipe is written last, but for the samples.
        let is_whole = |errand: &Errand| args.uncertainty.is_none() || beside(&errand.output, SAMPLES).exists();
        let is_done =
            |errand: &Errand| errand.output.exists() && Recipe::path_for(&errand.output).exists() && is_whole(errand);
        let all = errands.len();
        errands.retain(|errand| !is_done(errand));
        note(format!("{} of {all} photos have their output already", all - errands.len()));
    }
    if let Some(output) = files::collision(errands.iter().map(|errand| errand.output.as_path())) {
        let hint = "give each photo a name of its own, or restore them one by one";
        return Err(Error::mismatch(output, "two photos would be restored to it", hint));
    }
    for errand in errands.iter().filter(|errand| !stream::is_meant(&errand.output)) {
        if let (true, Some(folder)) = (into_folder, errand.output.parent()) {
            std::fs::create_dir_all(folder).writing(folder).map_err(Error::at_output)?;
        }
        let inputs = found.iter().map(|(photo, _)| photo.as_path()).chain(args.task.files());
        let inputs: Vec<&Path> = inputs.chain(args.recipe.as_deref()).chain(args.prior.files()).collect();
        let recipe = Recipe::path_for(&errand.output);
        files::refuse_overwriting(&errand.output, inputs.iter().copied())?;
        files::refuse_overwriting(&recipe, inputs)?;
        for about in [MAP, SAMPLES].iter().filter(|_| args.uncertainty.is_some()) {
            let place = beside(&errand.output, about);
            files::refuse_overwriting(&place, found.iter().map(|(photo, _)| photo.as_path()))?;
            Picture::check_output(&place).map_err(Error::at_output)?;
        }
        Picture::check_output(&errand.output).map_err(Error::at_output)?;
        files::check_writable(&recipe).map_err(Error::at_output)?;
    }
    Ok(errands)
}

/// Where a picture about an output goes.
pub(super) fn beside(output: &Path, what: &str) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}.png"));
    output.with_file_name(name)
}

/// The photos that are chosen in a dialog.
pub(super) fn pick() -> anyhow::Result<Vec<PathBuf>> {
    let chosen =
        rfd::FileDialog::new().add_filter("Pictures", &picture::endings()).set_title("Photos to restore").pick_files();
    chosen.filter(|files| !files.is_empty()).context("no photo was chosen; name it on the command line instead")
}
