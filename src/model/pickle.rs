//! The part of Python's pickle format that PyTorch checkpoints need.
//!
//! Nothing is executed: of all callables, only those that rebuild a tensor or an ordered dictionary are understood, and any
//! other is refused by name. All values live in one arena, so that neither deep nesting nor shared references cost more
//! than the file's own size.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

type Result<T> = std::result::Result<T, String>;

/// Largest description of tensors in bytes that is read; a billion parameters take a few hundred kilobytes.
pub(super) const MAX_DESCRIPTION: u64 = 16 << 20;

/// Element type of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
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
pub(super) struct StoredTensor {
    pub element: Element,
    pub storage: Rc<str>,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A state dictionary.
pub(super) struct Pickled {
    /// In the file's order.
    pub tensors: Vec<(Rc<str>, Rc<StoredTensor>)>,
    /// Which of several dictionaries it is, where that needs saying.
    pub origin: Option<String>,
}

/// Where each storage lies in the file, by key.
pub(super) type Storages = BTreeMap<String, Range<u64>>;

#[derive(Clone, Debug)]
enum Value {
    None,
    Int(i64),
    Text(Rc<str>),
    Global(Rc<str>),
    /// Items of a tuple or list, by place in the arena.
    Sequence(usize),
    /// Keys and values in turn, by place in the arena.
    Dictionary(usize),
    /// A storage: element type (none where it is not a float) and key.
    Storage(Option<Element>, Rc<str>),
    Tensor(Rc<StoredTensor>),
    /// A tensor of integers, or anything else that is not needed.
    Other,
    Mark,
}

/// The dictionary of tensors in a pickled checkpoint of `length` bytes, whatever it is wrapped in.
pub(super) fn tensors(reader: &mut dyn Read, length: u64) -> Result<Pickled> {
    let mut machine = Machine::new(reader, length);
    let root = machine.run()?;
    machine.state_dict(&root, 3, &mut HashSet::new()).ok_or_else(|| "it holds no dictionary of tensors".into())
}

/// Whether a file starts like one of PyTorch before 1.6: a pickled magic number.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")
}

/// PyTorch before 1.6: magic number, version, system, object and storage keys as five pickles, then each storage as a
/// count and its elements.
pub(super) fn legacy_form(mut reader: impl Read + Seek, length: u64) -> Result<(Pickled, Storages)> {
    let mut machine = Machine::new(&mut reader, length.min(MAX_DESCRIPTION));
    let mut next = || {
        machine.memo.clear();
        machine.stack.clear();
        machine.run()
    };
    let (_magic, _version, _system, root, keys) = (next()?, next()?, next()?, next()?, next()?);
    let pickled = machine.state_dict(&root, 3, &mut HashSet::new()).ok_or("it holds no dictionary of tensors")?;
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

struct Machine<'a> {
    reader: &'a mut dyn Read,
    at: u64,
    length: u64,
    stack: Vec<Value>,
    memo: HashMap<u64, Value>,
    arena: Vec<Vec<Value>>,
    /// Bytes of an element of each storage that was named.
    storages: HashMap<Rc<str>, u64>,
}

impl<'a> Machine<'a> {
    fn new(reader: &'a mut dyn Read, length: u64) -> Self {
        let (stack, memo, arena, storages) = Default::default();
        Self { reader, at: 0, length, stack, memo, arena, storages }
    }

    /// Runs one pickle up to its STOP.
    fn run(&mut self) -> Result<Value> {
        loop {
            let [opcode] = self.bytes()?;
            match opcode {
                b'.' => return self.pop(),
                0x80 => _ = self.bytes::<1>()?,
                0x95 => _ = self.bytes::<8>()?,
                b'(' => self.stack.push(Value::Mark),
                b'N' => self.stack.push(Value::None),
                0x88 => self.stack.push(Value::Int(1)),
                0x89 => self.stack.push(Value::Int(0)),
                b'K' => self.push_int(1)?,
                b'M' => self.push_int(2)?,
                b'J' => {
                    let value = i32::from_le_bytes(self.bytes()?);
                    self.stack.push(Value::Int(value.into()));
                }
                0x8a => {
                    let length = self.unsigned(1)?;
                    let bytes = self.take(length)?;
                    let value = bytes.iter().take(8).rev().fold(0i64, |v, &b| v << 8 | i64::from(b));
                    self.stack.push(Value::Int(value));
                }
                b'G' => {
                    self.bytes::<8>()?;
                    self.stack.push(Value::Other);
                }
                b'X' => self.push_text(4)?,
                0x8c => self.push_text(1)?,
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(Value::Global(format!("{module}.{name}").into()));
                }
                0x93 => {
                    let (Value::Text(name), Value::Text(module)) = (self.pop()?, self.pop()?) else {
                        return Err(Self::damaged());
                    };
                    self.stack.push(Value::Global(format!("{module}.{name}").into()));
                }
                b'q' => self.remember(1)?,
                b'r' => self.remember(4)?,
                0x94 => {
                    let value = self.top()?.clone();
                    self.memo.insert(self.memo.len() as u64, value);
                }
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b']' | b')' => self.push_sequence(Vec::new()),
                b'}' => self.push_dictionary(),
                b't' | b'l' => {
                    let items = self.pop_to_mark()?;
                    self.push_sequence(items);
                }
                0x85..=0x87 => {
                    let count = usize::from(opcode - 0x84);
                    let start = self.stack.len().checked_sub(count).ok_or_else(Self::damaged)?;
                    let items = self.stack.split_off(start);
                    self.push_sequence(items);
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend(vec![item])?;
                }
                b'e' | b'u' => {
                    let items = self.pop_to_mark()?;
                    self.extend(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.extend(vec![key, value])?;
                }
                b'Q' => {
                    let id = self.pop()?;
                    let storage = self.storage(&id)?;
                    self.stack.push(storage);
                }
                b'R' => {
                    let (arguments, callable) = (self.pop()?, self.pop()?);
                    let value = self.call(&callable, &arguments)?;
                    self.stack.push(value);
                }
                // Attributes of an ordered dictionary, which hold versions only.
                b'b' => _ = self.pop()?,
                _ => {
                    let name = opcode_name(opcode);
                    return Err(format!(
                        "its pickle uses the opcode {name} (0x{opcode:02x}), which no plain checkpoint needs"
                    ));
                }
            }
        }
    }

    fn damaged() -> String {
        "its pickle is damaged or truncated".into()
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        // Before memory is asked for: a file cannot hold more than its own size.
        if count as u64 > self.length.saturating_sub(self.at) {
            return Err(Self::damaged());
        }
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).map_err(|_| Self::damaged())?;
        self.at += count as u64;
        Ok(bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        if N as u64 > self.length.saturating_sub(self.at) {
            return Err(Self::damaged());
        }
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|_| Self::damaged())?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// A little-endian number of up to eight bytes.
    fn unsigned(&mut self, bytes: usize) -> Result<usize> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte)))
    }

    /// A name, up to the end of the line.
    fn line(&mut self) -> Result<String> {
        const LONGEST: usize = 1024;
        let mut line = Vec::new();
        loop {
            match self.bytes()? {
                [b'\n'] => return Ok(String::from_utf8_lossy(&line).into_owned()),
                [_] if line.len() == LONGEST => return Err(Self::damaged()),
                [byte] => line.push(byte),
            }
        }
    }

    fn push_int(&mut self, bytes: usize) -> Result<()> {
        let value = self.unsigned(bytes)?;
        self.stack.push(Value::Int(value as i64));
        Ok(())
    }

    fn push_text(&mut self, bytes: usize) -> Result<()> {
        let length = self.unsigned(bytes)?;
        let text = String::from_utf8_lossy(&self.take(length)?).into();
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn push_sequence(&mut self, items: Vec<Value>) {
        self.arena.push(items);
        self.stack.push(Value::Sequence(self.arena.len() - 1));
    }

    fn push_dictionary(&mut self) {
        self.arena.push(Vec::new());
        self.stack.push(Value::Dictionary(self.arena.len() - 1));
    }

    fn pop(&mut self) -> Result<Value> {
        self.stack.pop().ok_or_else(Self::damaged)
    }

    fn top(&self) -> Result<&Value> {
        self.stack.last().ok_or_else(Self::damaged)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.stack.iter().rposition(|v| matches!(v, Value::Mark)).ok_or_else(Self::damaged)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn extend(&mut self, items: Vec<Value>) -> Result<()> {
        match *self.top()? {
            Value::Sequence(place) | Value::Dictionary(place) => self.arena[place].extend(items),
            _ => return Err(Self::damaged()),
        }
        Ok(())
    }

    fn remember(&mut self, bytes: usize) -> Result<()> {
        let key = self.unsigned(bytes)? as u64;
        let value = self.top()?.clone();
        self.memo.insert(key, value);
        Ok(())
    }

    fn recall(&mut self, bytes: usize) -> Result<()> {
        let key = self.unsigned(bytes)? as u64;
        let value = self.memo.get(&key).ok_or_else(Self::damaged)?.clone();
        self.stack.push(value);
        Ok(())
    }

    fn items(&self, value: &Value) -> Result<&[Value]> {
        match value {
            Value::Sequence(place) => Ok(&self.arena[*place]),
            _ => Err(Self::damaged()),
        }
    }

    /// `('storage', type, key, device, count, ...)`
    fn storage(&mut self, id: &Value) -> Result<Value> {
        let [_, Value::Global(kind), Value::Text(key), ..] = self.items(id)? else { return Err(Self::damaged()) };
        let (kind, key) = (kind.clone(), key.clone());
        let element = match &*kind {
            "torch.FloatStorage" => Some(Element::F32),
            "torch.HalfStorage" => Some(Element::F16),
            "torch.BFloat16Storage" => Some(Element::BF16),
            "torch.DoubleStorage" => Some(Element::F64),
            kind if kind.starts_with("torch.") && kind.ends_with("Storage") => None,
            kind => return Err(format!("its pickle names {kind}, which is not a storage of tensors")),
        };
        let whole_numbers = match &*kind {
            "torch.LongStorage" => 8,
            "torch.IntStorage" => 4,
            "torch.ShortStorage" => 2,
            _ => 1,
        };
        self.storages.insert(key.clone(), element.map_or(whole_numbers, |element| element.bytes() as u64));
        Ok(Value::Storage(element, key))
    }

    fn call(&mut self, callable: &Value, arguments: &Value) -> Result<Value> {
        let Value::Global(name) = callable else { return Err(Self::damaged()) };
        match &**name {
            "collections.OrderedDict" => {
                self.arena.push(Vec::new());
                Ok(Value::Dictionary(self.arena.len() - 1))
            }
            "torch._utils._rebuild_tensor_v2" => {
                let [Value::Storage(element, storage), Value::Int(offset), shape, strides, ..] =
                    self.items(arguments)?
                else {
                    return Err(Self::damaged());
                };
                let Some(element) = *element else { return Ok(Value::Other) };
                let offset = usize::try_from(*offset).map_err(|_| Self::damaged())?;
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                Ok(Value::Tensor(Rc::new(StoredTensor { element, storage: storage.clone(), offset, shape, strides })))
            }
            "torch._utils._rebuild_parameter" => Ok(self.items(arguments)?.first().ok_or_else(Self::damaged)?.clone()),
            _ => Err(format!("its pickle wants to call {name}; only tensors and plain containers are read")),
        }
    }

    fn sizes(&self, value: &Value) -> Result<Vec<usize>> {
        let size = |v: &Value| match v {
            Value::Int(n) => usize::try_from(*n).map_err(|_| Self::damaged()),
            _ => Err(Self::damaged()),
        };
        self.items(value)?.iter().map(size).collect()
    }

    /// The tensors of the dictionary `value`, or of the best one inside it: exponential moving averages first, unless others
    /// have more tensors. Of a list, the last large dictionary counts, because that is where trainers append the averages.
    /// What was `seen` without success at a depth is not looked at again, however often it is referred to.
    fn state_dict(&self, value: &Value, depth: usize, seen: &mut HashSet<(usize, usize)>) -> Option<Pickled> {
        const WRAPPERS: [&str; 9] = [
            "ema",
            "ema_state_dict",
            "state_dict_ema",
            "model_ema",
            "ema_model",
            "state_dict",
            "model",
            "module",
            "net",
        ];
        let (Value::Dictionary(place) | Value::Sequence(place)) = value else { return None };
        if !seen.insert((*place, depth)) {
            return None;
        }
        let items = &self.arena[*place];
        if let Value::Sequence(_) = value {
            if depth == 0 {
                return None;
            }
            let found: Vec<(usize, Pickled)> =
                (0..items.len()).filter_map(|i| Some((i, self.state_dict(&items[i], depth - 1, seen)?))).collect();
            let most = found.iter().map(|(_, pickled)| pickled.tensors.len()).max()?;
            let (i, last) = found.into_iter().rev().find(|(_, pickled)| 2 * pickled.tensors.len() >= most)?;
            let averaged = if i == 0 { "" } else { ", where trainers keep exponential moving averages" };
            return Some(last.within(format!("entry {} of its list of {}{averaged}", i + 1, items.len())));
        }
        let pairs = items.chunks_exact(2);
        let tensors: Vec<_> = pairs
            .clone()
            .filter_map(|pair| match pair {
                [Value::Text(name), Value::Tensor(tensor)] => Some((name.clone(), tensor.clone())),
                _ => None,
            })
            .collect();
        // A tensor or two may stand beside the weights, such as a loss.
        let inner = WRAPPERS.iter().filter(|_| depth > 0).find_map(|wanted| {
            let inner = pairs.clone().find(|pair| matches!(&pair[0], Value::Text(name) if **name == **wanted))?;
            let found = self.state_dict(&inner[1], depth - 1, seen)?;
            let averaged = if wanted.contains("ema") { ", exponential moving averages" } else { "" };
            (found.tensors.len() > tensors.len())
                .then(|| found.within(format!("the entry \"{wanted}\" of its dictionary{averaged}")))
        });
        inner.or_else(|| (!tensors.is_empty()).then_some(Pickled { tensors, origin: None }))
    }
}

impl Pickled {
    fn within(self, place: String) -> Self {
        let origin = match self.origin {
            Some(inner) => format!("{inner}, in {place}"),
            None => place,
        };
        Self { origin: Some(origin), ..self }
    }
}

/// Python's name of an opcode that is not understood here (pickletools).
fn opcode_name(opcode: u8) -> &'static str {
    match opcode {
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x82..=0x84 => "EXT",
        b'P' => "PERSID",
        b'I' => "INT",
        b'L' => "LONG",
        b'F' => "FLOAT",
        b'S' | b'T' | b'U' => "STRING",
        b'V' => "UNICODE",
        0x8d => "BINUNICODE8",
        0x8b => "LONG4",
        b'B' | b'C' | 0x8e => "BINBYTES",
        0x96 => "BYTEARRAY8",
        0x97 | 0x98 => "BUFFER",
        0x8f..=0x91 => "SET",
        b'g' | b'p' => "GET or PUT as text",
        b'd' => "DICT",
        b'0' | b'1' => "POP",
        b'2' => "DUP",
        _ => "that Python does not know",
    }
}
