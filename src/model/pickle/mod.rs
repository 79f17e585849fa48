//! The part of Python's pickle format that PyTorch checkpoints need.
//!
//! Nothing is executed: of all callables, only those that rebuild a tensor or an ordered dictionary are understood, and any
//! other is refused by name.

mod machine;
mod state_dict;

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

use machine::{Machine, Value};

type Result<T> = std::result::Result<T, String>;

/// Largest description of tensors in bytes that is read; a billion parameters take a few hundred kilobytes.
pub(in crate::model) const MAX_DESCRIPTION: u64 = 16 << 20;

/// Element type of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Element {
    F16,
    BF16,
    F32,
    F64,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }
}

/// A tensor as the pickle describes it; strides and offset count elements.
#[derive(Clone, Debug)]
pub(in crate::model) struct StoredTensor {
    pub element: Element,
    pub storage: Rc<str>,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A state dictionary.
pub(in crate::model) struct Pickled {
    /// In the file's order.
    pub tensors: Vec<(Rc<str>, Rc<StoredTensor>)>,
    /// Which of several dictionaries it is, where that needs saying.
    pub origin: Option<String>,
}

/// Where each storage lies in the file, by key.
pub(in crate::model) type Storages = BTreeMap<String, Range<u64>>;

/// The dictionary of tensors in a pickled checkpoint of `length` bytes, whatever it is wrapped in.
pub(in crate::model) fn tensors(reader: &mut dyn Read, length: u64) -> Result<Pickled> {
    let mut machine = Machine::new(reader, length);
    let root = machine.run()?;
    machine.state_dict(&root)
}

/// Whether a file starts like one of PyTorch before 1.6: a pickled magic number.
pub(in crate::model) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")
}

/// PyTorch before 1.6: magic number, version, system, object and storage keys as five pickles, then each storage as a
/// count and its elements.
pub(in crate::model) fn legacy_form(mut reader: impl Read + Seek, length: u64) -> Result<(Pickled, Storages)> {
    let mut machine = Machine::new(&mut reader, length.min(MAX_DESCRIPTION));
    let mut next = || {
        machine.clear();
        machine.run()
    };
    let (_magic, _version, _system, root, keys) = (next()?, next()?, next()?, next()?, next()?);
    let pickled = machine.state_dict(&root)?;
    let keys = machine.items(&keys)?.to_vec();
    let (sizes, mut at) = (std::mem::take(&mut machine.storages), machine.at);
    let mut storages = Storages::new();
    for key in keys {
        let Value::Text(key) = key else { return Err("its list of storages is damaged".into()) };
        let size = sizes.get(&key).copied().ok_or("it holds storages of an unknown type")?;
        let mut count = [0; 8];
        let read = reader.seek(SeekFrom::Start(at)).and_then(|_| reader.read_exact(&mut count));
        read.map_err(|_| "it is truncated")?;
        let start = at + 8;
        let end = u64::from_le_bytes(count).checked_mul(size).and_then(|bytes| start.checked_add(bytes));
        at = end.filter(|&end| end <= length).ok_or("it is truncated")?;
        storages.insert(key.to_string(), start..at);
    }
    Ok((pickled, storages))
}
