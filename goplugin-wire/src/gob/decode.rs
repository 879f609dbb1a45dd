//! Gob bytes in any cuts -> complete [`Value`]s. A machine with a stack of its own instead of recursion, because an
//! interface value may end one message in its middle and go on in a later one (Go flushes type definitions first), and
//! because a stack of our own has a bound.
//!
//! INVARIANT: every step consumes at least one byte of input and is charged for what it keeps, so neither a type that
//! contains itself nor a huge count can make a small message expensive.

use std::sync::Arc;

use thiserror::Error;

use crate::gob::bytes::{Message, read_uint};
use crate::gob::types::{StructType, TypeTable, WireType};
use crate::gob::value::{InterfaceValue, StructValue, Value};
use crate::limits::Limits;

/// Go's own bound on the name of a registered type.
const LONGEST_INTERFACE_NAME: u64 = 1024;

/// What one value is charged besides its bytes: itself, and its name in a struct.
const VALUE_COST: usize = size_of::<Value>() + size_of::<Arc<str>>();

/// Why bytes are not the gob they should be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// A message announces more than is allowed; it is refused before its bytes are kept.
    #[error("a gob message of {length} bytes is longer than the {limit} allowed")]
    MessageTooLong {
        /// As announced.
        length: u64,
        /// [`Limits::max_message`].
        limit: usize,
    },
    /// An integer, or the length of a message, is wider than eight bytes.
    #[error("a gob integer is wider than eight bytes")]
    MalformedInteger,
    /// A message ends before the value in it does.
    #[error("a gob message ends in the middle of a value")]
    Truncated,
    /// The stream ends before the message does.
    #[error("the stream ends in the middle of a gob message")]
    HalfMessage,
    /// There are bytes in a message behind its value.
    #[error("a gob message goes on behind its value")]
    ExtraData,
    /// A value of a type that was never defined.
    #[error("gob type {id} is not defined")]
    UnknownType {
        /// The type's number.
        id: i64,
    },
    /// A type is defined a second time, or has a number that is Go's own.
    #[error("gob type {id} is defined twice")]
    DuplicateType {
        /// The type's number.
        id: i64,
    },
    /// A definition makes no sense.
    #[error("the definition of gob type {id} is malformed: {why}")]
    MalformedType {
        /// The type's number.
        id: i64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A struct value has a field that its type lacks.
    #[error("a value of gob type `{type_name}` has a field that the type lacks")]
    NoSuchField {
        /// The struct's name.
        type_name: Arc<str>,
    },
    /// A value that is no struct must start with a zero.
    #[error("a gob value does not start as it should")]
    NotASingleton,
    /// An array has another length than its type.
    #[error("a gob array has {found} elements where its type says {expected}")]
    WrongArrayLength {
        /// By its type.
        expected: u64,
        /// In the value.
        found: u64,
    },
    /// A string is not UTF-8.
    #[error("a gob string is not UTF-8")]
    NotUtf8,
    /// A bound of [`Limits`] or of Go is exceeded.
    #[error("too much in one gob stream: more than {limit} {what}")]
    LimitExceeded {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
}

/// A decoded value and the memory it was charged for.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The value.
    pub value: Value,
    /// About how many bytes it takes in memory.
    pub cost: usize,
}

/// One direction of one gob stream.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    types: TypeTable,
    input: Vec<u8>,
    used: usize,
    /// Set when the boundaries between messages are lost: nothing after it can be trusted.
    broken: Option<DecodeError>,
    message: Message,
    stack: Vec<Frame>,
    cost: usize,
}

/// A value that is not complete yet.
#[derive(Debug)]
enum Frame {
    Struct {
        kind: Arc<StructType>,
        next: usize,
        fields: Vec<(Arc<str>, Value)>,
    },
    List {
        element: i64,
        left: u64,
        values: Vec<Value>,
    },
    Map {
        key: i64,
        element: i64,
        left: u64,
        pairs: Vec<(Value, Value)>,
        waiting: Option<Value>,
    },
    /// Its type is still to come, perhaps in a later message.
    Interface {
        name: String,
    },
}

/// What a type begins as.
enum Begun {
    Complete(Value),
    Pushed,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            types: TypeTable::default(),
            input: Vec::new(),
            used: 0,
            broken: None,
            message: Message::default(),
            stack: Vec::new(),
            cost: 0,
        }
    }

    /// Takes the next bytes of the stream, cut anywhere. Call [`Decoder::next_value`] until it has no more.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.input.extend_from_slice(bytes);
        }
    }

    /// The next complete value, if the bytes so far contain one. After an error the rest of that message is skipped; it
    /// depends on [`Decoder::is_broken`] whether there is any sense in going on.
    pub fn next_value(&mut self) -> Result<Option<Decoded>, DecodeError> {
        let result = self.run();
        if result.is_err() {
            self.stack.clear();
            self.message = Message::default();
            self.cost = 0;
        }
        result
    }

    /// Whether the stream is lost: the boundaries between its messages are not known any more.
    pub const fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Bytes that wait for the rest of their message.
    pub fn buffered(&self) -> usize {
        self.input.len() - self.used
    }

    /// To be asked when the stream has ended: did it end between two values?
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.buffered() == 0 && self.stack.is_empty() { Ok(()) } else { Err(DecodeError::HalfMessage) }
    }

    fn run(&mut self) -> Result<Option<Decoded>, DecodeError> {
        loop {
            let begun = match self.stack.last_mut() {
                None => match self.next_type(Place::Top)? {
                    Some(id) => self.begin_delimited(id)?,
                    None => return Ok(None),
                },
                Some(Frame::Interface { .. }) => match self.next_type(Place::Interface)? {
                    Some(id) => {
                        // How long the value is, for readers that want to skip it.
                        self.message.uint()?;
                        self.begin_delimited(id)?
                    }
                    None => return Ok(None),
                },
                Some(Frame::Struct { kind, next, .. }) => match self.message.uint()? {
                    0 => match self.stack.pop() {
                        Some(Frame::Struct { kind, fields, .. }) => {
                            Begun::Complete(Value::Struct(StructValue { type_name: Arc::clone(&kind.name), fields }))
                        }
                        _ => return Err(DecodeError::Truncated),
                    },
                    delta => {
                        let field = usize::try_from(delta - 1).ok().and_then(|delta| next.checked_add(delta));
                        let found = field.and_then(|field| kind.fields.get(field).map(|(_, id)| (field, *id)));
                        let Some((field, id)) = found else {
                            return Err(DecodeError::NoSuchField { type_name: Arc::clone(&kind.name) });
                        };
                        *next = field + 1;
                        self.begin(id)?
                    }
                },
                Some(Frame::List { element, .. }) => {
                    let element = *element;
                    self.begin(element)?
                }
                Some(Frame::Map { key, element, waiting, .. }) => {
                    let id = if waiting.is_none() { *key } else { *element };
                    self.begin(id)?
                }
            };
            if let Begun::Complete(value) = begun
                && let Some(value) = self.attach(value)
            {
                if !self.message.is_empty() {
                    return Err(DecodeError::ExtraData);
                }
                return Ok(Some(Decoded { value, cost: std::mem::take(&mut self.cost) }));
            }
        }
    }

    /// The type of the value that follows, after any definitions before it; `None` if that takes another message.
    fn next_type(&mut self, place: Place) -> Result<Option<i64>, DecodeError> {
        loop {
            if self.message.is_empty() {
                match self.next_message()? {
                    Some(message) => self.message = message,
                    None => return Ok(None),
                }
            }
            let id = self.message.int()?;
            if id >= 0 {
                return Ok(Some(id));
            }
            self.types.define(
                id.checked_neg().ok_or(DecodeError::MalformedInteger)?,
                &mut self.message,
                &self.limits,
            )?;
            if !self.message.is_empty() {
                match place {
                    Place::Top => return Err(DecodeError::ExtraData),
                    // A definition inside of a value that is itself inside of an interface: a length comes next.
                    Place::Interface => self.message.uint().map(drop)?,
                }
            }
        }
    }

    fn next_message(&mut self) -> Result<Option<Message>, DecodeError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let waiting = self.input.get(self.used..).unwrap_or_default();
        let (length, prefix) = match read_uint(waiting) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.break_with(error)),
        };
        let limit = self.limits.max_message;
        let Some(whole) = usize::try_from(length).ok().filter(|length| *length <= limit).map(|length| length + prefix)
        else {
            return Err(self.break_with(DecodeError::MessageTooLong { length, limit }));
        };
        let Some(message) = waiting.get(prefix..whole).map(<[u8]>::to_vec) else { return Ok(None) };
        self.used += whole;
        // Keep the buffer short without moving its rest once per message.
        if self.used == self.input.len() {
            self.input = Vec::new();
            self.used = 0;
        } else if self.used > self.input.len() / 2 {
            self.input.drain(..self.used);
            self.used = 0;
        }
        Ok(Some(Message::new(message)))
    }

    fn break_with(&mut self, error: DecodeError) -> DecodeError {
        self.broken = Some(error.clone());
        self.input = Vec::new();
        self.used = 0;
        error
    }

    /// Begins a value that stands by itself: at the top, or in an interface.
    fn begin_delimited(&mut self, id: i64) -> Result<Begun, DecodeError> {
        // Where a struct would have its first field, anything else has a zero.
        if !matches!(self.types.get(id)?, WireType::Struct(_)) && self.message.uint()? != 0 {
            return Err(DecodeError::NotASingleton);
        }
        self.begin(id)
    }

    fn begin(&mut self, id: i64) -> Result<Begun, DecodeError> {
        self.charge(VALUE_COST)?;
        let value = match self.types.get(id)? {
            WireType::Bool => Value::Bool(self.message.uint()? != 0),
            WireType::Int => Value::Int(self.message.int()?),
            WireType::Uint => Value::Uint(self.message.uint()?),
            WireType::Float => Value::Float(self.message.float()?),
            WireType::Complex => Value::Complex(self.message.float()?, self.message.float()?),
            WireType::Bytes => Value::Bytes(self.counted()?),
            WireType::Opaque => Value::Opaque(self.counted()?),
            WireType::String => Value::String(String::from_utf8(self.counted()?).map_err(|_| DecodeError::NotUtf8)?),
            WireType::Interface => {
                let length = self.message.uint()?;
                if length == 0 {
                    return Ok(Begun::Complete(Value::nil()));
                }
                if length > LONGEST_INTERFACE_NAME {
                    let limit = LONGEST_INTERFACE_NAME as usize;
                    return Err(DecodeError::LimitExceeded { what: "bytes in the name of a type", limit });
                }
                let name =
                    std::str::from_utf8(self.message.take(length)?).map_err(|_| DecodeError::NotUtf8)?.to_owned();
                self.charge(size_of::<InterfaceValue>() + name.len())?;
                return self.push(Frame::Interface { name });
            }
            WireType::Struct(kind) => return self.push(Frame::Struct { kind, next: 0, fields: Vec::new() }),
            WireType::List { element, length } => {
                let left = self.message.uint()?;
                if let Some(expected) = length.filter(|expected| *expected != left) {
                    return Err(DecodeError::WrongArrayLength { expected, found: left });
                }
                if left != 0 {
                    return self.push(Frame::List { element, left, values: Vec::new() });
                }
                Value::List(Vec::new())
            }
            WireType::Map { key, element } => {
                let left = self.message.uint()?;
                if left != 0 {
                    return self.push(Frame::Map { key, element, left, pairs: Vec::new(), waiting: None });
                }
                Value::Map(Vec::new())
            }
        };
        Ok(Begun::Complete(value))
    }

    fn push(&mut self, frame: Frame) -> Result<Begun, DecodeError> {
        if self.stack.len() >= self.limits.max_depth {
            return Err(DecodeError::LimitExceeded { what: "levels of nesting", limit: self.limits.max_depth });
        }
        self.stack.push(frame);
        Ok(Begun::Pushed)
    }

    /// Hands a complete value to the one that contains it, and that to its own, as long as this completes them.
    fn attach(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(frame) = self.stack.pop() else { return Some(value) };
            let (waiting, complete) = frame.with(value);
            if let Some(frame) = waiting {
                self.stack.push(frame);
                return None;
            }
            value = complete?;
        }
    }

    fn counted(&mut self) -> Result<Vec<u8>, DecodeError> {
        let bytes = self.message.counted()?.to_vec();
        self.charge(bytes.len())?;
        Ok(bytes)
    }

    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.cost = self.cost.saturating_add(bytes);
        let limit = self.limits.max_decoded;
        if self.cost <= limit {
            return Ok(());
        }
        Err(DecodeError::LimitExceeded { what: "bytes of memory for one value", limit })
    }
}

/// Where a type is expected.
#[derive(Clone, Copy)]
enum Place {
    Top,
    Interface,
}

impl Frame {
    /// The frame with one more value in it, or the complete value it has become.
    fn with(self, value: Value) -> (Option<Self>, Option<Value>) {
        match self {
            Self::Struct { kind, next, mut fields } => {
                if let Some((name, _)) = next.checked_sub(1).and_then(|field| kind.fields.get(field)) {
                    fields.push((Arc::clone(name), value));
                }
                (Some(Self::Struct { kind, next, fields }), None)
            }
            Self::List { element, left, mut values } => {
                values.push(value);
                match left - 1 {
                    0 => (None, Some(Value::List(values))),
                    left => (Some(Self::List { element, left, values }), None),
                }
            }
            Self::Map { key, element, left, pairs, waiting: None } => {
                (Some(Self::Map { key, element, left, pairs, waiting: Some(value) }), None)
            }
            Self::Map { key, element, left, mut pairs, waiting: Some(name) } => {
                pairs.push((name, value));
                match left - 1 {
                    0 => (None, Some(Value::Map(pairs))),
                    left => (Some(Self::Map { key, element, left, pairs, waiting: None }), None),
                }
            }
            Self::Interface { name } => (None, Some(Value::interface(name, value))),
        }
    }
}
