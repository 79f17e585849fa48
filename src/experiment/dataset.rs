//! Pictures of an experiment: which files, in which order, and how they are cropped.

use std::path::{Path, PathBuf};

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{Rgb, Rgb32FImage};
use serde::{Deserialize, Serialize};

use super::config::Config;
use crate::error::{Error, Result};
use crate::picture::Picture;

const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "tif", "tiff"];

/// A picture of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the whole set, which names its results.
    pub index: usize,
    /// Its file.
    pub path: PathBuf,
}

/// The pictures of a set, in order.
///
/// `path_y` is a folder, or the name of one in `EXP/datasets/`, with pictures or with folders of pictures in it; of `imagenet`,
/// where the configuration says its subset, `EXP/imagenet_val.txt` lists those of `EXP/datasets/imagenet/imagenet/`. Files are
/// sorted by their paths. (The reference shuffles them with the generators of NumPy and PyTorch.)
///
/// # Errors
/// Folders that are not there or hold no pictures, and lists of files that are not there.
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
        return Err(Error::Mismatch {
            what: format!("--path_y {path_y}"),
            fact: format!("there is neither a folder of that name nor {}", folder.display()),
            remedy: "pass a folder of pictures".into(),
        });
    };
    Ok(files.into_iter().enumerate().map(|(index, path)| Entry { index, path }).collect())
}

/// All pictures below a folder, sorted.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |e: std::io::Error| Error::Unreadable { path: folder.into(), reason: e.to_string() };
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            if path.is_dir() {
                folders.push(path);
            } else if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::Mismatch {
            what: folder.display().to_string(),
            fact: "there are no pictures in it".into(),
            remedy: "put PNG, JPEG, WebP or TIFF files there, or pass another --path_y".into(),
        });
    }
    Ok(files)
}

/// The files of `imagenet_val.txt`: a name and perhaps a class on each line.
fn listed(exp: &Path) -> Result<Vec<PathBuf>> {
    let list = ["imagenet_val.txt", "imagenet_val_1k.txt"].map(|name| exp.join(name));
    let list = list.iter().find(|path| path.is_file()).ok_or_else(|| Error::Mismatch {
        what: "--path_y".into(),
        fact: format!("the configuration asks for ImageNet's subset, but there is no {}", list[0].display()),
        remedy: "put the list there, or pass a folder of pictures with --path_y".into(),
    })?;
    let text =
        std::fs::read_to_string(list).map_err(|e| Error::Unreadable { path: list.clone(), reason: e.to_string() })?;
    let folder = exp.join("datasets").join("imagenet").join("imagenet");
    let files: Vec<PathBuf> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(|name| folder.join(name)).collect();
    match files.iter().find(|file| !file.is_file()) {
        Some(missing) => Err(Error::Unreadable {
            path: missing.clone(),
            reason: format!("{} lists it, but it is not there", list.display()),
        }),
        None if files.is_empty() => Err(Error::Mismatch {
            what: list.display().to_string(),
            fact: "it lists nothing".into(),
            remedy: "write a file's name on each line".into(),
        }),
        None => Ok(files),
    }
}

/// Reads a picture and makes it `side` x `side` as guided-diffusion does: halved by means while its shorter side is at least
/// twice that, then reduced or enlarged by bicubic interpolation, then the middle. In 8 bits.
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
        let failed = |e: &dyn std::fmt::Display| Error::Mismatch {
            what: format!("{}x{} pixels", self.width, self.height),
            fact: format!("they cannot be made {width}x{height} ({e})"),
            remedy: "crop the picture".into(),
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
