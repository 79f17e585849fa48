//! Weights as files hold them: safetensors, and PyTorch's zip and legacy forms.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use super::pickle::{self, Element, NamedTensors, Storages};
use crate::error::{Error, Result};

/// Named tensors of a file, kept in the file's own precision until they are asked for.
pub struct Checkpoint {
    path: PathBuf,
    bytes: Cow<'static, [u8]>,
    tensors: BTreeMap<String, Entry>,
}

struct Entry {
    element: Element,
    shape: Vec<usize>,
    strides: Vec<usize>,
    /// Where the storage lies in the file; elements are counted from its start.
    storage: Range<usize>,
    offset: usize,
}

impl Checkpoint {
    /// Reads a file; what it is, its first bytes tell.
    ///
    /// # Errors
    /// Unreadable, truncated or foreign files, and pickles that hold more than tensors.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::Unreadable { path: path.into(), reason: e.to_string() })?;
        let refuse = |fact: String| Self::refusal(path, fact);
        if bytes.starts_with(b"PK\x03\x04") {
            let (object, storages) = zip_form(&bytes).map_err(refuse)?;
            Self::pytorch(path, bytes, object, &storages)
        } else if pickle::is_legacy(&bytes) {
            let (object, storages) = pickle::legacy_form(&bytes).map_err(refuse)?;
            Self::pytorch(path, bytes, object, &storages)
        } else {
            Self::safetensors(path, bytes.into())
        }
    }

    /// Reads the safetensors format.
    ///
    /// # Errors
    /// Truncated or foreign files.
    pub fn safetensors(path: &Path, bytes: Cow<'static, [u8]>) -> Result<Self> {
        let refuse = |e: safetensors::SafeTensorError| {
            Self::refusal(path, format!("it is neither a PyTorch checkpoint nor a complete safetensors file ({e})"))
        };
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(refuse)?;
        let start = header + size_of::<u64>();
        let mut tensors = BTreeMap::new();
        SafeTensors::deserialize(&bytes).map_err(refuse)?;
        for (name, info) in metadata.tensors() {
            let element = match info.dtype {
                Dtype::F32 => Element::F32,
                Dtype::F16 => Element::F16,
                Dtype::BF16 => Element::BF16,
                Dtype::F64 => Element::F64,
                _ => continue,
            };
            let (from, to) = info.data_offsets;
            let (shape, storage) = (info.shape.clone(), start + from..start + to);
            let strides = contiguous(&shape);
            tensors.insert(name, Entry { element, shape, strides, storage, offset: 0 });
        }
        Ok(Self { path: path.into(), bytes, tensors })
    }

    fn pytorch(path: &Path, bytes: Vec<u8>, tensors: NamedTensors, storages: &Storages) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for (name, tensor) in tensors {
            let name = name.strip_prefix("module.").unwrap_or(&name).to_owned();
            let storage = storages.get(&tensor.storage).cloned().ok_or_else(|| {
                Self::refusal(path, format!("the data of {name} is missing; the file looks truncated"))
            })?;
            let entry = Entry {
                element: tensor.element,
                shape: tensor.shape,
                strides: tensor.strides,
                storage,
                offset: tensor.offset,
            };
            if !entry.fits() {
                return Err(Self::refusal(path, format!("{name} reaches past the end of its data")));
            }
            entries.insert(name, entry);
        }
        Ok(Self { path: path.into(), bytes: bytes.into(), tensors: entries })
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Elements of all tensors.
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(|entry| entry.shape.iter().product::<usize>()).sum()
    }

    /// Shape of a tensor.
    ///
    /// # Errors
    /// A name the file does not have.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>> {
        Ok(self.entry(name)?.shape.clone())
    }

    /// Values of a tensor in row-major order.
    ///
    /// # Errors
    /// A name the file does not have, and values that are not finite.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let entry = self.entry(name)?;
        let values = entry.values(&self.bytes[entry.storage.clone()]);
        if values.iter().all(|v| v.is_finite()) {
            return Ok(values);
        }
        Err(Self::refusal(&self.path, format!("{name} holds values that are not finite")))
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.tensors
            .get(name)
            .ok_or_else(|| Self::refusal(&self.path, format!("it has no tensor {name}, so it is not a DDPM UNet")))
    }

    /// The error for a tensor that does not fit its place.
    pub fn misshaped(&self, name: &str) -> Error {
        let shape = self.tensors.get(name).map_or_else(|| "missing".into(), |e| format!("of shape {:?}", e.shape));
        Self::refusal(&self.path, format!("{name} is {shape}, which does not fit a DDPM UNet"))
    }

    fn refusal(path: &Path, fact: String) -> Error {
        Error::Checkpoint {
            path: path.into(),
            fact,
            remedy: "pass a DDPM UNet as .pt, .pth, .ckpt or .safetensors, or leave --model out".into(),
        }
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
        let held = self.storage.len() / self.element.bytes();
        self.shape.len() == self.strides.len()
            && last.is_some_and(|last| last < held)
            && count.is_some_and(|count| count <= held)
    }

    fn values(&self, storage: &[u8]) -> Vec<f32> {
        let size = self.element.bytes();
        let count = self.shape.iter().product();
        let at = |index: usize| self.element.read(&storage[index * size..][..size]);
        if self.strides == contiguous(&self.shape) {
            return (self.offset..self.offset + count).map(at).collect();
        }
        let inner = contiguous(&self.shape);
        let address = |i: usize| -> usize {
            let steps = inner.iter().zip(&self.shape).zip(&self.strides);
            self.offset + steps.map(|((&inner, &n), &stride)| i / inner % n * stride).sum::<usize>()
        };
        (0..count).map(|i| at(address(i))).collect()
    }
}

impl Element {
    /// The number in `bytes`, little-endian and of the element's size.
    fn read(self, bytes: &[u8]) -> f32 {
        let pair = |b: &[u8]| [b[0], b[1]];
        match self {
            Self::F16 => f16::from_le_bytes(pair(bytes)).to_f32(),
            Self::BF16 => bf16::from_le_bytes(pair(bytes)).to_f32(),
            Self::F32 => f32::from_le_bytes(std::array::from_fn(|i| bytes[i])),
            Self::F64 => f64::from_le_bytes(std::array::from_fn(|i| bytes[i])) as f32,
        }
    }
}

fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// PyTorch 1.6 and later: `NAME/data.pkl` and one stored entry `NAME/data/KEY` for each storage.
fn zip_form(bytes: &[u8]) -> std::result::Result<(NamedTensors, Storages), String> {
    let broken = |e: zip::result::ZipError| format!("it looks like a zip archive but is damaged or truncated ({e})");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut storages = BTreeMap::new();
    let mut object = None;
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let start = entry.data_start().and_then(|start| usize::try_from(start).ok()).unwrap_or(usize::MAX);
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        let end = start.checked_add(size).filter(|&end| end <= bytes.len());
        let stored = entry.compression() == zip::CompressionMethod::Stored;
        let Some(end) = end.filter(|_| stored) else {
            return Err(format!("{name} in it is compressed or cut off, which PyTorch does not write"));
        };
        if name.ends_with("/data.pkl") || name == "data.pkl" {
            object = Some(pickle::tensors(&bytes[start..end])?);
        } else if let Some((_, key)) = name.rsplit_once("data/") {
            storages.insert(key.to_owned(), start..end);
        }
    }
    let object = object.ok_or("it is a zip archive without data.pkl, so not a PyTorch checkpoint")?;
    Ok((object, storages))
}
