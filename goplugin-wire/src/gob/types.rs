//! The types a gob stream defines about itself, kept for as long as the stream lives. Definitions may name types that
//! come later or themselves; nothing here follows them, so a loop costs nothing until a value walks it.

use std::sync::Arc;

use crate::gob::bytes::Message;
use crate::gob::decode::DecodeError;
use crate::limits::Limits;

/// Go numbers user types from 64 on; what lies below is fixed.
pub(crate) const FIRST_USER_TYPE: i64 = 64;

pub(crate) const BOOL: i64 = 1;
pub(crate) const INT: i64 = 2;
pub(crate) const UINT: i64 = 3;
pub(crate) const FLOAT: i64 = 4;
pub(crate) const BYTES: i64 = 5;
pub(crate) const STRING: i64 = 6;
pub(crate) const COMPLEX: i64 = 7;
pub(crate) const INTERFACE: i64 = 8;

/// How to read a value of a type.
#[derive(Debug)]
pub(crate) enum WireType {
    Scalar(Scalar),
    Interface,
    Struct(Arc<StructType>),
    List { element: i64, length: Option<u64> },
    Map { key: i64, element: i64 },
}

/// A value that contains no other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar {
    Bool,
    Int,
    Uint,
    Float,
    Complex,
    Bytes,
    String,
    Opaque,
}

#[derive(Debug)]
pub(crate) struct StructType {
    pub(crate) name: Arc<str>,
    pub(crate) fields: Vec<(Arc<str>, i64)>,
}

/// The definitions of one direction of one stream.
#[derive(Debug, Default)]
pub(crate) struct TypeTable {
    /// By number, in order: every value looks its type up.
    defined: Vec<(i64, WireType)>,
    bytes: usize,
}

impl TypeTable {
    pub(crate) fn get(&self, id: i64) -> Result<&WireType, DecodeError> {
        Ok(match id {
            BOOL => &WireType::Scalar(Scalar::Bool),
            INT => &WireType::Scalar(Scalar::Int),
            UINT => &WireType::Scalar(Scalar::Uint),
            FLOAT => &WireType::Scalar(Scalar::Float),
            BYTES => &WireType::Scalar(Scalar::Bytes),
            STRING => &WireType::Scalar(Scalar::String),
            COMPLEX => &WireType::Scalar(Scalar::Complex),
            INTERFACE => &WireType::Interface,
            _ => {
                let place = self.place(id).map_err(|_| DecodeError::UnknownType { id })?;
                self.defined.get(place).map(|(_, defined)| defined).ok_or(DecodeError::UnknownType { id })?
            }
        })
    }

    /// Where a type is, or where it would be.
    fn place(&self, id: i64) -> Result<usize, usize> {
        self.defined.binary_search_by_key(&id, |(id, _)| *id)
    }

    /// Reads the definition of type `id` from where `message` stands.
    pub(crate) fn define(&mut self, id: i64, message: &mut Message, limits: &Limits) -> Result<(), DecodeError> {
        let Some(place) = self.place(id).err().filter(|_| id >= FIRST_USER_TYPE) else {
            return Err(DecodeError::DuplicateType { id });
        };
        if self.defined.len() >= limits.max_types {
            return Err(DecodeError::LimitExceeded { what: "types defined on one stream", limit: limits.max_types });
        }
        let mut definition = Definition { id, limits, bytes: size_of::<(i64, WireType)>() };
        let defined = definition.wire_type(message)?;
        self.bytes += definition.bytes;
        if self.bytes > limits.max_type_bytes {
            return Err(DecodeError::LimitExceeded { what: "bytes of type definitions", limit: limits.max_type_bytes });
        }
        self.defined.insert(place, (id, defined));
        Ok(())
    }
}

/// One definition being read. The numbers of the fields are those of Go's own structs in `encoding/gob/type.go`.
struct Definition<'a> {
    id: i64,
    limits: &'a Limits,
    bytes: usize,
}

impl Definition<'_> {
    fn wire_type(&mut self, message: &mut Message) -> Result<WireType, DecodeError> {
        let mut found = None;
        while let Some(kind) = self.next_field(message, found.as_ref().map(|(kind, _)| *kind))? {
            if found.is_some() {
                return Err(self.malformed("it is of two kinds"));
            }
            found = Some((kind, self.kind(kind, message)?));
        }
        found.map(|(_, defined)| defined).ok_or_else(|| self.malformed("it is of no kind"))
    }

    fn kind(&mut self, kind: u64, message: &mut Message) -> Result<WireType, DecodeError> {
        let mut name: Arc<str> = "".into();
        let mut numbers = [0_i64; 2];
        let mut fields = Vec::new();
        let mut last = None;
        while let Some(field) = self.next_field(message, last)? {
            last = Some(field);
            match (kind, field) {
                (_, 0) => name = self.common(message)?,
                (2, 1) => fields = self.fields(message)?,
                (0 | 1 | 3, 1) => numbers[0] = message.int()?,
                (0 | 3, 2) => numbers[1] = message.int()?,
                _ => return Err(self.malformed("it has a field that no definition has")),
            }
        }
        let [first, second] = numbers;
        Ok(match kind {
            0 => {
                let length = u64::try_from(second).map_err(|_| self.malformed("its length is negative"))?;
                WireType::List { element: first, length: Some(length) }
            }
            1 => WireType::List { element: first, length: None },
            2 => WireType::Struct(Arc::new(StructType { name, fields })),
            3 => WireType::Map { key: first, element: second },
            // GobEncoder, BinaryMarshaler, TextMarshaler: all three are counted bytes.
            4..=6 => WireType::Scalar(Scalar::Opaque),
            _ => return Err(self.malformed("its kind is unknown")),
        })
    }

    /// `CommonType{Name string, Id int}`; Go ignores the second, which repeats the id, and so do we.
    fn common(&mut self, message: &mut Message) -> Result<Arc<str>, DecodeError> {
        let mut name: Arc<str> = "".into();
        let mut last = None;
        while let Some(field) = self.next_field(message, last)? {
            last = Some(field);
            match field {
                0 => name = self.name(message)?,
                1 => _ = message.int()?,
                _ => return Err(self.malformed("its name has a field that no definition has")),
            }
        }
        Ok(name)
    }

    fn fields(&mut self, message: &mut Message) -> Result<Vec<(Arc<str>, i64)>, DecodeError> {
        let count = message.uint()?;
        if count > self.limits.max_fields as u64 {
            return Err(DecodeError::LimitExceeded { what: "fields of one struct", limit: self.limits.max_fields });
        }
        let mut fields = Vec::new();
        for _ in 0..count {
            let mut field: (Arc<str>, i64) = ("".into(), 0);
            let mut last = None;
            while let Some(part) = self.next_field(message, last)? {
                last = Some(part);
                match part {
                    0 => field.0 = self.name(message)?,
                    1 => field.1 = message.int()?,
                    _ => return Err(self.malformed("one of its fields is not a field")),
                }
            }
            self.bytes += size_of_val(&field);
            fields.push(field);
        }
        Ok(fields)
    }

    fn name(&mut self, message: &mut Message) -> Result<Arc<str>, DecodeError> {
        let name: Arc<str> = message.text()?.into();
        self.bytes += name.len();
        Ok(name)
    }

    /// The number of the next field of the struct being read, or `None` at its end.
    fn next_field(&self, message: &mut Message, last: Option<u64>) -> Result<Option<u64>, DecodeError> {
        Ok(match message.uint()? {
            0 => None,
            delta => {
                let before = last.map_or(0, |last| last + 1);
                Some(
                    before
                        .checked_add(delta - 1)
                        .filter(|&field| field < 7)
                        .ok_or_else(|| self.malformed("its fields are out of range"))?,
                )
            }
        })
    }

    fn malformed(&self, why: &'static str) -> DecodeError {
        DecodeError::MalformedType { id: self.id, why }
    }
}
