//! The pictures of an experiment: which files, in which order, and how they are cropped.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{Rgb, Rgb32FImage};
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::config::Config;
use crate::error::{Error, Hint, PathContext, Result, Setting, Subject};
use crate::files;
use crate::picture::Picture;

/// A picture of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its index in the whole set; results are named after it.
    pub index: usize,
    /// Its file.
    pub path: PathBuf,
    /// SHA-256 of the file in hexadecimal, if it could be read; results of older versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Entry {
    /// The same with the hash of the file as it is now.
    #[must_use]
    pub fn hashed(self) -> Self {
        Self { sha256: std::fs::read(&self.path).ok().map(|bytes| files::sha256(&bytes)), ..self }
    }

    /// Whether both have the same index and path.
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.index == other.index && self.path == other.path
    }

    /// Whether the file had another content when `self` was recorded than in `now`; unknown contents count as unchanged.
    pub fn has_changed(&self, now: &Self) -> bool {
        self.sha256.is_some() && now.sha256.is_some() && self.sha256 != now.sha256
    }
}

/// The pictures of a set, in order.
///
/// `path_y` is a folder, or the name of one in `EXP/datasets/`; folders are searched with everything below them. For ImageNet
/// with the configuration's `subset_1k`, `EXP/imagenet_val.txt` lists the files in `EXP/datasets/imagenet/imagenet/`. Files are
/// sorted by their paths, and each file is listed once, however many links lead to it. (The reference shuffles them with
/// the generators of NumPy and PyTorch.)
///
/// # Errors
/// Folders that do not exist, cannot be read or contain no pictures, and lists of files that do not exist.
pub fn list(exp: &Path, path_y: &str, config: &Config) -> Result<Vec<Entry>> {
    let folder = exp.join("datasets").join(path_y);
    let files = if Path::new(path_y).is_dir() {
        files_in(Path::new(path_y))?
    } else if config.data.dataset == "ImageNet"
        && config.data.subset_1k == Some(true)
        && config.data.out_of_dist != Some(true)
    {
        listed(exp)?
    } else if folder.is_dir() {
        files_in(&folder)?
    } else {
        let fact = format!("there is neither a folder of that name nor {}", folder.display());
        return Err(Error::mismatch(Subject::given(Setting::PICTURES, path_y), fact, "choose a folder of pictures"));
    };
    Ok(files.into_iter().enumerate().map(|(index, path)| Entry { index, path, sha256: None }).collect())
}

/// All pictures below a folder, sorted; links are followed.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && Picture::has_picture_ending(entry.path()) => {
                files.push(entry.into_path())
            }
            Ok(_) => {}
            // A link to a folder that contains it leads to nothing new.
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_owned();
                if !path.is_symlink() || path.exists() {
                    return Err(Error::unreadable(&path, error));
                }
                // A link to nothing; a picture is reported as missing when its turn comes.
                if Picture::has_picture_ending(&path) {
                    files.push(path);
                }
            }
        }
    }
    files.sort();
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    if files.is_empty() {
        let hint = Hint::from("put PNG, JPEG, WebP or TIFF files there").or(Hint::Give(Setting::PICTURES));
        return Err(Error::mismatch(folder, "there are no pictures in it", hint));
    }
    Ok(files)
}

/// The files listed in `imagenet_val.txt`: on each line a name, optionally followed by a class.
fn listed(exp: &Path) -> Result<Vec<PathBuf>> {
    let list = ["imagenet_val.txt", "imagenet_val_1k.txt"].map(|name| exp.join(name));
    let list = list.iter().find(|path| path.is_file()).ok_or_else(|| {
        let fact = format!("the configuration asks for ImageNet's subset, but there is no {}", list[0].display());
        Error::mismatch(Setting::PICTURES, fact, Hint::from("put the list there").or("choose a folder of pictures"))
    })?;
    let text = std::fs::read_to_string(list).reading(list)?;
    let folder = exp.join("datasets").join("imagenet").join("imagenet");
    let files: Vec<PathBuf> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(|name| folder.join(name)).collect();
    match files.iter().find(|file| !file.is_file()) {
        Some(missing) => Err(Error::unreadable(missing, format!("{} lists it, but it does not exist", list.display()))),
        None if files.is_empty() => {
            Err(Error::mismatch(list.as_path(), "it lists nothing", "write one file name per line"))
        }
        None => Ok(files),
    }
}

/// Reads a picture and crops it to `side` x `side` as guided-diffusion does: halved by box filtering while its shorter side is
/// at least twice `side`, resized by bicubic interpolation, then cropped to the centre. Computed in 8 bits.
///
/// # Errors
/// Files that cannot be read.
pub fn load(path: &Path, side: usize) -> Result<Picture> {
    let picture = Picture::read(path)?;
    let pixels = picture.pixels().pixels().flat_map(|p| p.0.map(|v| (v * 255.0).round() as u8)).collect();
    let mut image = Bytes { width: picture.width(), height: picture.height(), pixels };
    while image.width.min(image.height) >= 2 * side {
        image = image.resized(image.width / 2, image.height / 2, FilterType::Box)?;
    }
    let scale = side as f64 / image.width.min(image.height) as f64;
    // Python rounds halves to even.
    let scaled = |n: usize| (n as f64 * scale).round_ties_even() as usize;
    image = image.resized(scaled(image.width), scaled(image.height), FilterType::CatmullRom)?;
    let (left, top) = ((image.width - side) / 2, (image.height - side) / 2);
    let middle = |x: u32, y: u32| {
        let at = 3 * ((top + y as usize) * image.width + left + x as usize);
        Rgb([0, 1, 2].map(|c| f32::from(image.pixels[at + c]) / 255.0))
    };
    Ok(Picture::new(Rgb32FImage::from_fn(side as u32, side as u32, middle)))
}

/// RGB in 8 bits, row by row.
#[derive(Clone)]
struct Bytes {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Bytes {
    /// As Pillow does it: rows first, rounded to 8 bits, then columns.
    fn resized(&self, width: usize, height: usize, filter: FilterType) -> Result<Self> {
        self.resized_at_once(width, self.height, filter)?.resized_at_once(width, height, filter)
    }

    fn resized_at_once(&self, width: usize, height: usize, filter: FilterType) -> Result<Self> {
        if (width, height) == (self.width, self.height) {
            return Ok(self.clone());
        }
        let failed = |e: &dyn std::fmt::Display| {
            let fact = format!("they cannot be resized to {width}x{height} ({e})");
            Error::mismatch(format!("{}x{} pixels", self.width, self.height), fact, "crop the picture")
        };
        let kind = PixelType::U8x3;
        let source = Image::from_vec_u8(self.width as u32, self.height as u32, self.pixels.clone(), kind);
        let mut target = Image::new(width as u32, height as u32, kind);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
        let source = source.map_err(|e| failed(&e))?;
        Resizer::new().resize(&source, &mut target, &options).map_err(|e| failed(&e))?;
        Ok(Self { width, height, pixels: target.into_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, path.to_string_lossy().as_bytes()).unwrap();
    }

    #[test]
    fn pictures_are_found_below_a_folder_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["b/2.PNG", "b/1.jpg", "a.tiff", "c/d/e.webp"];
        names.iter().chain(&["notes.txt", "b/png", ".png"]).for_each(|name| touch(&folder.path().join(name)));
        let found = files_in(folder.path()).unwrap();
        let sorted = ["a.tiff", "b/1.jpg", "b/2.PNG", "c/d/e.webp"].map(|name| folder.path().join(name));
        assert_eq!(found, sorted);
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        assert!(files_in(&folder.path().join("empty")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_add_each_file_once() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("set");
        touch(&set.join("sub/1.png"));
        touch(&folder.path().join("elsewhere/2.png"));
        // To its own folder, to the folder above, to a folder and to a file that are listed already, and to another folder.
        symlink(&set, set.join("self")).unwrap();
        symlink("..", set.join("sub/up")).unwrap();
        symlink(set.join("sub"), set.join("twice")).unwrap();
        symlink("1.png", set.join("sub/same.png")).unwrap();
        symlink(folder.path().join("elsewhere"), set.join("other")).unwrap();
        symlink("nowhere", set.join("dangling.txt")).unwrap();
        assert_eq!(files_in(&set).unwrap(), [set.join("other/2.png"), set.join("sub/1.png")]);
        // A missing picture is listed, so that its absence is reported.
        symlink("nowhere", set.join("missing.png")).unwrap();
        assert_eq!(files_in(&set).unwrap().len(), 3);
    }

    #[test]
    fn only_known_contents_can_differ() {
        let entry = |hash: Option<&str>| Entry { index: 0, path: "a.png".into(), sha256: hash.map(str::to_owned) };
        assert!(entry(Some("1")).has_changed(&entry(Some("2"))));
        for (kept, now) in [(None, Some("1")), (Some("1"), None), (Some("1"), Some("1")), (None, None)] {
            assert!(!entry(kept).has_changed(&entry(now)), "{kept:?} and {now:?}");
        }
    }
}
