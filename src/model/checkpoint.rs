//! Weights as files hold them: safetensors, and PyTorch's zip and legacy forms.
//!
//! A checkpoint knows where each tensor lies and reads it when it is asked for, so that loading a network needs no more
//! memory than the network and its largest tensor.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::{Dtype, tensor::Metadata};

use super::digest::digest;
use super::pickle::{self, Element, MAX_DESCRIPTION, Pickled, Storages};
use crate::control::Control;
use crate::error::{Error, Hint, Listing, PathContext, Result};

/// How many times as large as the file its tensors may be in all.
const MAX_SHARING: u64 = 4;

/// Named tensors of a file, left in it until they are asked for.
pub struct Checkpoint {
    path: PathBuf,
    source: Source,
    tensors: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
    origin: Option<String>,
}

enum Source {
    File(PathBuf),
    Memory(Cow<'static, [u8]>),
}

struct Entry {
    element: Element,
    shape: Vec<usize>,
    strides: Vec<usize>,
    /// Where the storage lies in the file; elements are counted from its start.
    storage: Range<u64>,
    offset: usize,
}

/// What can be read at any place.
trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl Source {
    fn open(&self) -> std::io::Result<Box<dyn ReadSeek + '_>> {
        Ok(match self {
            Self::File(path) => Box::new(BufReader::new(File::open(path)?)),
            Self::Memory(bytes) => Box::new(Cursor::new(&**bytes)),
        })
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(match self {
            Self::File(path) => std::fs::metadata(path)?.len(),
            Self::Memory(bytes) => bytes.len() as u64,
        })
    }

    fn read(&self, range: Range<u64>) -> std::io::Result<Vec<u8>> {
        let mut reader = self.open()?;
        reader.seek(SeekFrom::Start(range.start))?;
        let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(std::io::Error::other)?];
        reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Checkpoint {
    /// Reads the description of a file's tensors; its first bytes tell the format.
    ///
    /// # Errors
    /// Unreadable, truncated or foreign files, and pickles that hold more than tensors.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_source(path, Source::File(path.into()))
    }

    /// The same of bytes in memory, such as those compiled into the program, called `name`.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn decode(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self> {
        Self::from_source(Path::new(name), Source::Memory(bytes.into()))
    }

    fn from_source(path: &Path, source: Source) -> Result<Self> {
        let refuse = |fact: String| Self::refusal(path, fact);
        let length = source.length().reading(path)?;
        let start = source.read(0..length.min(16)).reading(path)?;
        let pickled = if start.starts_with(b"PK\x03\x04") {
            zip_form(source.open().reading(path)?, length)
        } else if pickle::is_legacy(&start) {
            let mut reader = source.open().reading(path)?;
            pickle::legacy_form(&mut reader, length)
        } else {
            return Self::safetensors(path, source, length).map_err(|fact| {
                refuse(format!("it is neither a PyTorch checkpoint nor a complete safetensors file ({fact})"))
            });
        };
        let (pickled, storages) = pickled.map_err(refuse)?;
        Self::pytorch(path, source, pickled, &storages)
    }

    fn safetensors(path: &Path, source: Source, length: u64) -> std::result::Result<Self, String> {
        let io = |e: std::io::Error| e.to_string();
        let prefix = source.read(0..length.min(8)).map_err(io)?;
        let header = u64::from_le_bytes(prefix.try_into().map_err(|_| "it is too short".to_owned())?);
        let start = header.checked_add(8).filter(|&start| start <= length && header <= MAX_DESCRIPTION);
        let start = start.ok_or("its header is damaged or cut off")?;
        let text = source.read(8..start).map_err(io)?;
        // The description checks itself: no overlaps, no gaps, sizes that agree with shapes.
        let description: Metadata = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
        if description.data_len() as u64 != length - start {
            return Err(format!("it should have {} bytes, but has {length}", start + description.data_len() as u64));
        }
        let mut tensors = BTreeMap::new();
        for (name, info) in description.tensors() {
            let element = match info.dtype {
                Dtype::F32 => Element::F32,
                Dtype::F16 => Element::F16,
                Dtype::BF16 => Element::BF16,
                Dtype::F64 => Element::F64,
                _ => continue,
            };
            let (from, to) = info.data_offsets;
            let (shape, storage) = (info.shape.clone(), start + from as u64..start + to as u64);
            let strides = contiguous(&shape);
            let name = unwrapped(&name).to_owned();
            tensors.insert(name, Entry { element, shape, strides, storage, offset: 0 });
        }
        let metadata = description.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { path: path.into(), source, tensors, metadata, origin: None })
    }

    fn pytorch(path: &Path, source: Source, pickled: Pickled, storages: &Storages) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        let length = source.length().reading(path)?;
        let mut held = 0u64;
        for (name, tensor) in pickled.tensors {
            if tensor.shape.contains(&0) {
                continue;
            }
            let name = unwrapped(&name).to_owned();
            let storage = storages.get(&*tensor.storage).cloned().ok_or_else(|| {
                Self::refusal(path, format!("the data of {name} is missing; the file looks truncated"))
            })?;
            let (shape, strides) = (tensor.shape.clone(), tensor.strides.clone());
            let entry = Entry { element: tensor.element, shape, strides, storage, offset: tensor.offset };
            if !entry.fits() {
                return Err(Self::refusal(path, format!("{name} reaches past the end of its data")));
            }
            // Tensors may share their data, but not so many of them that a small file makes a large network.
            held = held.saturating_add(entry.shape.iter().product::<usize>() as u64 * entry.element.bytes() as u64);
            if held > MAX_SHARING * length {
                return Err(Self::refusal(
                    path,
                    "its tensors share their data to appear many times as large as it".into(),
                ));
            }
            tensors.insert(name, entry);
        }
        Ok(Self { path: path.into(), source, tensors, metadata: BTreeMap::new(), origin: pickled.origin })
    }

    /// The same tensors under other names; those without one are left out.
    #[must_use]
    pub(crate) fn renamed(mut self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let tensors = std::mem::take(&mut self.tensors);
        self.tensors = tensors.into_iter().filter_map(|(name, entry)| Some((rename(&name)?, entry))).collect();
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which of several dictionaries in the file the tensors are from, where that needs saying.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Free text beside the tensors, which safetensors files may have.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// SHA-256 of the whole file, in hexadecimal; `control` may cancel.
    ///
    /// # Errors
    /// Files that cannot be read any more, and being cancelled.
    pub fn sha256(&self, control: &dyn Control) -> Result<String> {
        let file = self.source.open().reading(&self.path)?;
        digest(file, &self.path, None, control, |_| Ok(())).map(|(sha256, _)| sha256)
    }

    /// Names of all tensors of floating-point numbers, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Elements of all tensors.
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(|entry| entry.shape.iter().product::<usize>()).sum()
    }

    /// Number types of the tensors, most frequent first, by PyTorch's names.
    pub fn precision(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        self.tensors.values().for_each(|entry| *counts.entry(entry.element.name()).or_default() += 1);
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        counts.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ")
    }

    /// Shape of a tensor, if there is one of that name.
    pub fn find(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|entry| entry.shape.as_slice())
    }

    /// Shape of a tensor of rank `D`.
    ///
    /// # Errors
    /// A name the file does not have, and another rank.
    pub fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let shape = &self.entry(name)?.shape;
        shape.as_slice().try_into().map_err(|_| {
            Self::refusal(
                &self.path,
                format!("{name} is of shape {shape:?}, which does not fit: it should have {D} axes"),
            )
        })
    }

    /// Values of a tensor in row-major order, read from the file.
    ///
    /// # Errors
    /// A name the file does not have, values that are not finite, and files that changed.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let entry = self.entry(name)?;
        let values = entry.read(&self.source).reading(&self.path)?;
        if values.iter().all(|v| v.is_finite()) {
            return Ok(values);
        }
        Err(Self::refusal(&self.path, format!("{name} holds values that are not finite")))
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.tensors.get(name).ok_or_else(|| Self::refusal(&self.path, format!("it has no tensor {name}")))
    }

    /// The error for a file that is not what is needed.
    pub(crate) fn refusal(path: &Path, fact: String) -> Error {
        let hint = Hint::from("inspect the file to see what it holds").or(Hint::List(Listing::Models));
        Error::checkpoint(path, fact, hint)
    }
}

impl Entry {
    /// Whether every element lies within the storage.
    fn fits(&self) -> bool {
        let last = self
            .shape
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |at, (&n, &stride)| at.checked_add(n.checked_sub(1)?.checked_mul(stride)?));
        let count = self.shape.iter().try_fold(1usize, |count, &n| count.checked_mul(n));
        let held = usize::try_from((self.storage.end - self.storage.start) / self.element.bytes() as u64);
        let held = held.unwrap_or(usize::MAX);
        self.shape.len() == self.strides.len()
            && last.is_some_and(|last| last < held)
            && count.is_some_and(|count| count <= held)
    }

    fn read(&self, source: &Source) -> std::io::Result<Vec<f32>> {
        let size = self.element.bytes();
        let count: usize = self.shape.iter().product();
        if self.strides == contiguous(&self.shape) {
            let start = self.storage.start + (self.offset * size) as u64;
            return Ok(self.element.widen(&source.read(start..start + (count * size) as u64)?));
        }
        let held = self.element.widen(&source.read(self.storage.clone())?);
        let inner = contiguous(&self.shape);
        let address = |i: usize| -> usize {
            let steps = inner.iter().zip(&self.shape).zip(&self.strides);
            self.offset + steps.map(|((&inner, &n), &stride)| i / inner % n * stride).sum::<usize>()
        };
        Ok((0..count).map(|i| held[address(i)]).collect())
    }
}

impl Element {
    /// The numbers in `bytes`, little-endian and of the element's size.
    fn widen(self, bytes: &[u8]) -> Vec<f32> {
        let each = bytes.chunks_exact(self.bytes());
        match self {
            Self::F16 => each.map(|b| f16::from_le_bytes(std::array::from_fn(|i| b[i])).to_f32()).collect(),
            Self::BF16 => each.map(|b| bf16::from_le_bytes(std::array::from_fn(|i| b[i])).to_f32()).collect(),
            Self::F32 => each.map(|b| f32::from_le_bytes(std::array::from_fn(|i| b[i]))).collect(),
            Self::F64 => each.map(|b| f64::from_le_bytes(std::array::from_fn(|i| b[i])) as f32).collect(),
        }
    }
}

/// A tensor's name without what data-parallel training puts before it.
fn unwrapped(mut name: &str) -> &str {
    while let Some(rest) = name.strip_prefix("module.") {
        name = rest;
    }
    name
}

fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// PyTorch 1.6 and later: `NAME/data.pkl` and one stored entry `NAME/data/KEY` for each storage.
fn zip_form(reader: impl Read + Seek, length: u64) -> std::result::Result<(Pickled, Storages), String> {
    let broken = |e: zip::result::ZipError| format!("it looks like a zip archive but is damaged or truncated ({e})");
    let mut archive = zip::ZipArchive::new(reader).map_err(broken)?;
    let mut storages = Storages::new();
    let mut taken = BTreeSet::new();
    let mut object = None;
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let stored = entry.compression() == zip::CompressionMethod::Stored;
        let start = entry.data_start().filter(|_| stored);
        let range = start.and_then(|start| Some(start..start.checked_add(entry.size()).filter(|&end| end <= length)?));
        let Some(range) = range else {
            return Err(format!("{name} in it is compressed or cut off, which PyTorch does not write"));
        };
        if !taken.insert(range.start) && entry.size() > 0 {
            return Err(format!("{name} in it shares its data with another entry, which PyTorch does not write"));
        }
        drop(entry);
        if name.ends_with("/data.pkl") || name == "data.pkl" {
            if object.is_some() || range.end - range.start > MAX_DESCRIPTION {
                return Err("its data.pkl is too large or there are several, which PyTorch does not write".into());
            }
            object = Some((i, range.end - range.start));
        } else if let Some((_, key)) = name.rsplit_once("data/")
            && storages.insert(key.to_owned(), range).is_some()
        {
            return Err(format!("{name} is in it twice, which PyTorch does not write"));
        }
    }
    let (i, length) = object.ok_or("it is a zip archive without data.pkl, so not a PyTorch checkpoint")?;
    let mut pickled = archive.by_index(i).map_err(broken)?;
    Ok((pickle::tensors(&mut pickled, length)?, storages))
}
