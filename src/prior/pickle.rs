//! The part of Python's pickle format that PyTorch checkpoints need.
//!
//! Nothing is executed: of all callables, only those that rebuild a tensor or an ordered dictionary are understood, and any
//! other is refused by name. All values live in one arena, so that neither deep nesting nor shared references cost more
//! than the file's own size.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

type Result<T> = std::result::Result<T, String>;

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
}

/// A tensor as the pickle describes it; strides and offset count elements.
#[derive(Clone, Debug)]
pub(super) struct StoredTensor {
    pub element: Element,
    pub storage: String,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Tensors of a state dictionary, in the file's order.
pub(super) type NamedTensors = Vec<(String, StoredTensor)>;
/// Where each storage lies in the file, by key.
pub(super) type Storages = BTreeMap<String, Range<usize>>;

#[derive(Clone, Debug)]
enum Value {
    None,
    Int(i64),
    Text(String),
    Global(String),
    /// Items of a tuple or list, by place in the arena.
    Sequence(usize),
    /// Keys and values in turn, by place in the arena.
    Dictionary(usize),
    /// A storage: element type (none where it is not a float) and key.
    Storage(Option<Element>, String),
    Tensor(Box<StoredTensor>),
    /// A tensor of integers, or anything else that is not needed.
    Other,
    Mark,
}

/// The dictionary of tensors in a pickled checkpoint, whatever it is wrapped in.
pub(super) fn tensors(bytes: &[u8]) -> Result<NamedTensors> {
    let mut machine = Machine { bytes, at: 0, stack: Vec::new(), memo: HashMap::new(), arena: Vec::new() };
    let root = machine.run()?;
    machine.state_dict(&root, 3).ok_or_else(|| "it holds no dictionary of tensors".into())
}

/// Whether a file starts like one of PyTorch before 1.6: a pickled magic number.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")
}

/// PyTorch before 1.6: magic number, version, system, object and storage keys as five pickles, then each storage as a
/// count and its elements.
pub(super) fn legacy_form(bytes: &[u8]) -> Result<(NamedTensors, Storages)> {
    let mut machine = Machine { bytes, at: 0, stack: Vec::new(), memo: HashMap::new(), arena: Vec::new() };
    let mut next = || {
        machine.memo.clear();
        machine.stack.clear();
        machine.run()
    };
    let (_magic, _version, _system, root, keys) = (next()?, next()?, next()?, next()?, next()?);
    let tensors = machine.state_dict(&root, 3).ok_or("it holds no dictionary of tensors")?;
    let sizes: HashMap<&str, usize> = tensors.iter().map(|(_, t)| (t.storage.as_str(), t.element.bytes())).collect();
    let mut storages = BTreeMap::new();
    let mut at = machine.at;
    for key in machine.items(&keys)?.to_vec() {
        let Value::Text(key) = key else { return Err("its list of storages is damaged".into()) };
        let count = bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        let size = sizes.get(key.as_str()).copied().ok_or("it holds storages of an unknown type")?;
        let length = count.and_then(|count| usize::try_from(count).ok()).and_then(|count| count.checked_mul(size));
        let end = length.and_then(|length| (at + 8).checked_add(length)).filter(|&end| end <= bytes.len());
        let end = end.ok_or("it is truncated")?;
        storages.insert(key, at + 8..end);
        at = end;
    }
    Ok((tensors, storages))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    memo: HashMap<u64, Value>,
    arena: Vec<Vec<Value>>,
}

impl Machine<'_> {
    /// Runs one pickle up to its STOP.
    fn run(&mut self) -> Result<Value> {
        loop {
            let opcode = self.take(1)?[0];
            match opcode {
                b'.' => return self.pop(),
                0x80 => _ = self.take(1)?,
                0x95 => _ = self.take(8)?,
                b'(' => self.stack.push(Value::Mark),
                b'N' => self.stack.push(Value::None),
                0x88 => self.stack.push(Value::Int(1)),
                0x89 => self.stack.push(Value::Int(0)),
                b'K' => self.push_int(1)?,
                b'M' => self.push_int(2)?,
                b'J' => {
                    let value = self.unsigned(4)? as u32 as i32;
                    self.stack.push(Value::Int(value.into()));
                }
                0x8a => {
                    let length = self.unsigned(1)?;
                    let bytes = self.take(length)?;
                    let value = bytes.iter().take(8).rev().fold(0i64, |v, &b| v << 8 | i64::from(b));
                    self.stack.push(Value::Int(value));
                }
                b'G' => {
                    self.take(8)?;
                    self.stack.push(Value::Other);
                }
                b'X' => self.push_text(4)?,
                0x8c => self.push_text(1)?,
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(Value::Global(format!("{module}.{name}")));
                }
                0x93 => {
                    let (Value::Text(name), Value::Text(module)) = (self.pop()?, self.pop()?) else {
                        return Err(Self::damaged());
                    };
                    self.stack.push(Value::Global(format!("{module}.{name}")));
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
                _ => return Err(format!("its pickle uses the opcode 0x{opcode:02x}, which no plain checkpoint needs")),
            }
        }
    }

    fn damaged() -> String {
        "its pickle is damaged or truncated".into()
    }

    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len()).ok_or_else(Self::damaged)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A little-endian number of up to eight bytes.
    fn unsigned(&mut self, bytes: usize) -> Result<usize> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte)))
    }

    fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&b| b == b'\n').ok_or_else(Self::damaged)?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(line)
    }

    fn push_int(&mut self, bytes: usize) -> Result<()> {
        let value = self.unsigned(bytes)?;
        self.stack.push(Value::Int(value as i64));
        Ok(())
    }

    fn push_text(&mut self, bytes: usize) -> Result<()> {
        let length = self.unsigned(bytes)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
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
    fn storage(&self, id: &Value) -> Result<Value> {
        let [_, Value::Global(kind), Value::Text(key), ..] = self.items(id)? else { return Err(Self::damaged()) };
        let element = match kind.as_str() {
            "torch.FloatStorage" => Some(Element::F32),
            "torch.HalfStorage" => Some(Element::F16),
            "torch.BFloat16Storage" => Some(Element::BF16),
            "torch.DoubleStorage" => Some(Element::F64),
            kind if kind.starts_with("torch.") && kind.ends_with("Storage") => None,
            _ => return Err(format!("its pickle names {kind}, which is not a storage of tensors")),
        };
        Ok(Value::Storage(element, key.clone()))
    }

    fn call(&mut self, callable: &Value, arguments: &Value) -> Result<Value> {
        let Value::Global(name) = callable else { return Err(Self::damaged()) };
        match name.as_str() {
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
                Ok(Value::Tensor(Box::new(StoredTensor { element, storage: storage.clone(), offset, shape, strides })))
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

    /// The tensors of the dictionary `value`, or of the best one inside it: exponential moving averages first. Of a list,
    /// the last dictionary counts, because that is where trainers append the averages.
    fn state_dict(&self, value: &Value, depth: usize) -> Option<NamedTensors> {
        match value {
            Value::Dictionary(place) => {
                let pairs = self.arena[*place].chunks_exact(2);
                let named: Vec<_> = pairs
                    .clone()
                    .filter_map(|pair| match pair {
                        [Value::Text(name), Value::Tensor(tensor)] => Some((name.clone(), (**tensor).clone())),
                        _ => None,
                    })
                    .collect();
                if !named.is_empty() || depth == 0 {
                    return (!named.is_empty()).then_some(named);
                }
                ["ema", "ema_state_dict", "state_dict_ema", "state_dict", "model", "module"].iter().find_map(|wanted| {
                    let inner = pairs.clone().find(|pair| matches!(&pair[0], Value::Text(name) if name == wanted))?;
                    self.state_dict(&inner[1], depth - 1)
                })
            }
            Value::Sequence(place) if depth > 0 => {
                self.arena[*place].iter().rev().find_map(|item| self.state_dict(item, depth - 1))
            }
            _ => None,
        }
    }
}
