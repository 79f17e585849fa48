//! The opcodes of pickles that plain checkpoints need, and the values that they build.

use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

use super::{Element, Result, StoredTensor};

/// What a pickle builds.
#[derive(Clone, Debug)]
pub(super) enum Value {
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

/// The stack machine that a pickle is a program of; all values live in one arena, so that neither deep nesting nor shared references
/// cost more than the file's own size.
pub(super) struct Machine<'a> {
    reader: &'a mut dyn Read,
    /// Bytes that were read.
    pub at: u64,
    length: u64,
    stack: Vec<Value>,
    memo: HashMap<u64, Value>,
    /// Items of tuples and lists; keys and values of dictionaries in turn.
    pub arena: Vec<Vec<Value>>,
    /// Bytes of an element of each storage that was named.
    pub storages: HashMap<Rc<str>, u64>,
}

impl<'a> Machine<'a> {
    pub fn new(reader: &'a mut dyn Read, length: u64) -> Self {
        let (stack, memo, arena, storages) = Default::default();
        Self { reader, at: 0, length, stack, memo, arena, storages }
    }

    /// Runs one pickle up to its STOP.
    pub fn run(&mut self) -> Result<Value> {
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

    /// Forgets the pickle before, but for what it named.
    pub fn clear(&mut self) {
        self.memo.clear();
        self.stack.clear();
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

    /// The items of a tuple or list.
    pub fn items(&self, value: &Value) -> Result<&[Value]> {
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
