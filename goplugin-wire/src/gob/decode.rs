//! Gob bytes in any cuts -> complete [`Value`]s. A machine with a stack of its own instead of recursion, because an
//! interface value may end one message in its middle and go on in a later one (Go flushes type definitions first), and
//! because a stack of our own has a bound.
//!
//! INVARIANT: every step consumes at least one byte of input and is charged for what it keeps, so neither a type that
//! contains itself nor a huge count can make a small message expensive.

use std::sync::Arc;

use thiserror::Error;

use crate::gob::bytes::{Message, read_uint};
use crate::gob::frame::{Done, Frame, Kind, Waiting};
use crate::gob::interest::Interest;
use crate::gob::types::{Scalar, TypeTable, WireType};
use crate::gob::value::{InterfaceValue, Value};
use crate::limits::Limits;

/// Go's own bound on the name of a registered type.
const LONGEST_INTERFACE_NAME: u64 = 1024;

/// Bytes that an empty buffer keeps for what comes next.
const KEPT: usize = 16 * 1024;

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

/// What a type begins as.
enum Begun {
    Complete(Done),
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
        self.next_value_of(&Interest::Whole)
    }

    /// The same, of which only so much is kept. To be called with the same interest until it has the value.
    pub fn next_value_of(&mut self, interest: &'static Interest) -> Result<Option<Decoded>, DecodeError> {
        let result = self.run(interest);
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

    fn run(&mut self, interest: &'static Interest) -> Result<Option<Decoded>, DecodeError> {
        loop {
            let begun = match self.stack.last_mut() {
                None => match self.next_type(Place::Top)? {
                    Some(id) => self.begin_delimited(id, interest)?,
                    None => return Ok(None),
                },
                Some(frame) => match &mut frame.kind {
                    Kind::Interface { .. } => {
                        let interest = frame.interest;
                        match self.next_type(Place::Interface)? {
                            Some(id) => {
                                // How long the value is, for readers that want to skip it. It may define types, which
                                // must not be missed.
                                self.message.uint()?;
                                self.begin_delimited(id, interest)?
                            }
                            None => return Ok(None),
                        }
                    }
                    Kind::Struct { kind, next, .. } => match self.message.uint()? {
                        0 => Begun::Complete(self.stack.pop().and_then(Frame::ended).ok_or(DecodeError::Truncated)?),
                        delta => {
                            let field = usize::try_from(delta - 1).ok().and_then(|delta| next.checked_add(delta));
                            let found = field.and_then(|field| kind.fields.get(field).map(|(_, id)| (field, *id)));
                            let Some((field, id)) = found else {
                                return Err(DecodeError::NoSuchField { type_name: Arc::clone(&kind.name) });
                            };
                            *next = field + 1;
                            let interest = frame.inner();
                            self.begin(id, interest)?
                        }
                    },
                    Kind::List { element, .. } => {
                        let (element, interest) = (*element, frame.interest);
                        self.begin(element, interest)?
                    }
                    Kind::Map { key, element, waiting, .. } => {
                        let id = if matches!(waiting, Waiting::Key) { *key } else { *element };
                        let interest = frame.interest;
                        self.begin(id, interest)?
                    }
                },
            };
            if let Begun::Complete(value) = begun
                && let Some(value) = self.attach(value)
            {
                if !self.message.is_empty() {
                    return Err(DecodeError::ExtraData);
                }
                let value = value.unwrap_or_else(Value::nil);
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
            // A question after the other of the same size needs no new memory; one huge one is given back.
            self.input.clear();
            self.input.shrink_to(KEPT);
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
    fn begin_delimited(&mut self, id: i64, interest: &'static Interest) -> Result<Begun, DecodeError> {
        // Where a struct would have its first field, anything else has a zero.
        if !matches!(self.types.get(id)?, WireType::Struct(_)) && self.message.uint()? != 0 {
            return Err(DecodeError::NotASingleton);
        }
        self.begin(id, interest)
    }

    fn begin(&mut self, id: i64, interest: &'static Interest) -> Result<Begun, DecodeError> {
        let any = interest.is_any();
        if any {
            self.charge(VALUE_COST)?;
        }
        let kind = match self.types.get(id)? {
            WireType::Struct(kind) => {
                Kind::Struct { kind: Arc::clone(kind), next: 0, fields: Vec::with_capacity(interest.fields()) }
            }
            WireType::List { element, length } => {
                let (element, length) = (*element, *length);
                let left = self.message.uint()?;
                if let Some(expected) = length.filter(|expected| *expected != left) {
                    return Err(DecodeError::WrongArrayLength { expected, found: left });
                }
                if left == 0 {
                    return Ok(Begun::Complete(any.then(|| Value::List(Vec::new()))));
                }
                Kind::List { element, left, values: Vec::new() }
            }
            WireType::Map { key, element } => {
                let (key, element) = (*key, *element);
                let left = self.message.uint()?;
                if left == 0 {
                    return Ok(Begun::Complete(any.then(|| Value::Map(Vec::new()))));
                }
                Kind::Map { key, element, left, pairs: Vec::new(), waiting: Waiting::Key }
            }
            WireType::Interface => match self.interface_name(any)? {
                Some(name) => Kind::Interface { name },
                None => return Ok(Begun::Complete(any.then(Value::nil))),
            },
            WireType::Scalar(scalar) => {
                let scalar = *scalar;
                return Ok(Begun::Complete(if any { Some(self.scalar(scalar)?) } else { self.skip(scalar)? }));
            }
        };
        if self.stack.len() >= self.limits.max_depth {
            return Err(DecodeError::LimitExceeded { what: "levels of nesting", limit: self.limits.max_depth });
        }
        self.stack.push(Frame { interest, kind });
        Ok(Begun::Pushed)
    }

    fn scalar(&mut self, scalar: Scalar) -> Result<Value, DecodeError> {
        Ok(match scalar {
            Scalar::Bool => Value::Bool(self.message.uint()? != 0),
            Scalar::Int => Value::Int(self.message.int()?),
            Scalar::Uint => Value::Uint(self.message.uint()?),
            Scalar::Float => Value::Float(self.message.float()?),
            Scalar::Complex => Value::Complex(self.message.float()?, self.message.float()?),
            Scalar::Bytes => Value::Bytes(self.counted()?),
            Scalar::Opaque => Value::Opaque(self.counted()?),
            Scalar::String => Value::String(String::from_utf8(self.counted()?).map_err(|_| DecodeError::NotUtf8)?),
        })
    }

    /// Walks over a scalar.
    fn skip(&mut self, scalar: Scalar) -> Result<Done, DecodeError> {
        match scalar {
            Scalar::Bool | Scalar::Int | Scalar::Uint | Scalar::Float => self.message.uint().map(drop)?,
            Scalar::Complex => {
                self.message.uint()?;
                self.message.uint()?;
            }
            Scalar::Bytes | Scalar::Opaque | Scalar::String => self.message.counted().map(drop)?,
        }
        Ok(None)
    }

    /// The name of the type in an interface, if it is wanted; none of an interface that holds nothing.
    fn interface_name(&mut self, any: bool) -> Result<Option<String>, DecodeError> {
        let length = self.message.uint()?;
        if length == 0 {
            return Ok(None);
        }
        if length > LONGEST_INTERFACE_NAME {
            let limit = LONGEST_INTERFACE_NAME as usize;
            return Err(DecodeError::LimitExceeded { what: "bytes in the name of a type", limit });
        }
        let name = self.message.take(length)?;
        if !any {
            return Ok(Some(String::new()));
        }
        let name = std::str::from_utf8(name).map_err(|_| DecodeError::NotUtf8)?.to_owned();
        self.charge(size_of::<InterfaceValue>() + name.len())?;
        Ok(Some(name))
    }

    /// Hands a complete value to the one that contains it, and that to its own, as long as this completes them.
    fn attach(&mut self, mut value: Done) -> Option<Done> {
        loop {
            let Some(frame) = self.stack.last_mut() else { return Some(value) };
            value = frame.take(value)?;
            self.stack.pop();
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
