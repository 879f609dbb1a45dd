//! [`Value`]s -> gob bytes as Go would write them: zero fields left out, each type defined once per stream before its
//! first use, types numbered in Go's order, definitions that come up inside of an interface flushed with the half of the
//! value before them (`sendActualType` in `encoding/gob/encoder.go`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use thiserror::Error;

use crate::gob::bytes::{put_counted, put_float, put_int, put_uint};
use crate::gob::schema::{FieldDef, Holds, Schema, StructDef};
use crate::gob::types;
use crate::gob::value::Value;

/// Why a value cannot be sent as its schema says. This is always the sender's own mistake.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EncodeError {
    /// The value is of another kind than the schema.
    #[error("cannot send the value at `{at}`: its schema says {expected}")]
    Mismatch {
        /// `Type.Field`, as far as known.
        at: String,
        /// The schema's kind.
        expected: &'static str,
    },
    /// The value has a field that the schema lacks: a misspelling, which would otherwise lose data silently.
    #[error("cannot send a value of type `{type_name}`: its schema has no field `{field}`")]
    UnknownField {
        /// The schema's name.
        type_name: Arc<str>,
        /// The field's name.
        field: Arc<str>,
    },
    /// An interface holds a type that its schema does not list.
    #[error("cannot send an interface that holds a `{name}`: its schema does not list that type")]
    UnlistedType {
        /// The name in the value.
        name: String,
    },
}

/// The numbers of types. Go counts them once per process, over all streams and in the order in which types are first
/// seen; one of these is shared by the encoders of a session, so that its bytes are the same as a Go process's.
#[derive(Debug)]
pub struct TypeIds {
    next: i64,
    known: HashMap<Schema, i64>,
}

/// One direction of one gob stream.
#[derive(Debug, Default)]
pub struct Encoder {
    sent: HashSet<i64>,
    order: Vec<i64>,
}

/// A point to which [`Encoder::undo`] goes back.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    types: usize,
}

impl TypeIds {
    /// Numbers from `first` on; Go's own first is 64.
    pub fn starting_at(first: i64) -> Self {
        Self { next: first.max(types::FIRST_USER_TYPE), known: HashMap::new() }
    }

    /// Leaves out as many numbers, as a Go process does that meets types it need not send.
    pub fn skip(&mut self, count: i64) {
        self.next = self.next.saturating_add(count);
    }

    fn id(&mut self, schema: &Schema) -> i64 {
        match schema {
            Schema::Bool => types::BOOL,
            Schema::Int => types::INT,
            Schema::Uint => types::UINT,
            Schema::Float => types::FLOAT,
            Schema::Complex => types::COMPLEX,
            Schema::Bytes => types::BYTES,
            Schema::String => types::STRING,
            Schema::Interface(_) => types::INTERFACE,
            Schema::Struct(_)
            | Schema::Slice { .. }
            | Schema::Array { .. }
            | Schema::Map { .. }
            | Schema::GobEncoder { .. } => match self.known.get(schema) {
                Some(id) => *id,
                None => self.number(schema),
            },
        }
    }

    /// Go numbers a struct before its fields but a container after its elements ("Historical aside" in its type.go).
    fn number(&mut self, schema: &Schema) -> i64 {
        if !matches!(schema, Schema::Struct(_)) {
            for inner in inner_types(schema) {
                self.id(inner);
            }
        }
        let id = self.next;
        self.next += 1;
        self.known.insert(schema.clone(), id);
        if matches!(schema, Schema::Struct(_)) {
            for inner in inner_types(schema) {
                self.id(inner);
            }
        }
        id
    }
}

/// The types that a type's definition refers to, in order.
fn inner_types(schema: &Schema) -> Vec<&Schema> {
    match schema {
        Schema::Struct(def) => def.fields.iter().map(|field| &field.schema).collect(),
        Schema::Slice { element, .. } | Schema::Array { element, .. } => vec![element],
        Schema::Map { key, element, .. } => vec![key, element],
        Schema::Bool
        | Schema::Int
        | Schema::Uint
        | Schema::Float
        | Schema::Complex
        | Schema::Bytes
        | Schema::String
        | Schema::Interface(_)
        | Schema::GobEncoder { .. } => Vec::new(),
    }
}

impl Encoder {
    /// An encoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the value, and the definitions it needs first. On error nothing is appended or remembered.
    pub fn encode(
        &mut self,
        ids: &mut TypeIds,
        schema: &Schema,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let mark = self.mark(out);
        let mut message = Vec::new();
        let mut writing = Writing { encoder: self, ids };
        let result = writing.top(out, &mut message, schema, value);
        match result {
            Ok(()) => put_counted(out, &message),
            Err(_) => self.undo(mark, out),
        }
        result
    }

    /// Where the stream is now.
    pub fn mark(&self, out: &[u8]) -> Mark {
        Mark { bytes: out.len(), types: self.order.len() }
    }

    /// Forgets what was encoded since the mark; its bytes, not yet sent, are cut off.
    pub fn undo(&mut self, mark: Mark, out: &mut Vec<u8>) {
        out.truncate(mark.bytes);
        for id in self.order.split_off(mark.types.min(self.order.len())) {
            self.sent.remove(&id);
        }
    }
}

struct Writing<'a> {
    encoder: &'a mut Encoder,
    ids: &'a mut TypeIds,
}

impl Writing<'_> {
    /// Writes a value that stands by itself into `message`, flushing definitions through it to `out`.
    fn top(
        &mut self,
        out: &mut Vec<u8>,
        message: &mut Vec<u8>,
        schema: &Schema,
        value: &Value,
    ) -> Result<(), EncodeError> {
        self.define(out, message, schema);
        put_int(message, self.ids.id(schema));
        self.delimited(out, message, schema, value)
    }

    fn delimited(
        &mut self,
        out: &mut Vec<u8>,
        message: &mut Vec<u8>,
        schema: &Schema,
        value: &Value,
    ) -> Result<(), EncodeError> {
        if !matches!(schema, Schema::Struct(_)) {
            put_uint(message, 0);
        }
        self.element(out, message, schema, Some(value), &|| "the value itself".to_owned())
    }

    /// Sends the definition of a type and those it refers to, if they were not sent before.
    fn define(&mut self, out: &mut Vec<u8>, message: &mut Vec<u8>, schema: &Schema) {
        let id = self.ids.id(schema);
        if id < types::FIRST_USER_TYPE || !self.encoder.sent.insert(id) {
            return;
        }
        self.encoder.order.push(id);
        put_int(message, -id);
        self.definition(message, id, schema);
        put_counted(out, message);
        message.clear();
        for inner in inner_types(schema) {
            self.define(out, message, inner);
        }
    }

    /// A `wireType` of Go's type.go: one field, which says the kind, and in it a `CommonType` and what the kind needs.
    fn definition(&mut self, message: &mut Vec<u8>, id: i64, schema: &Schema) {
        let (kind, name) = match schema {
            Schema::Array { name, .. } => (1, &**name),
            Schema::Slice { name, .. } => (2, &**name),
            Schema::Struct(def) => (3, &*def.name),
            Schema::Map { name, .. } => (4, &**name),
            Schema::GobEncoder { name } => (5, &**name),
            Schema::Bool
            | Schema::Int
            | Schema::Uint
            | Schema::Float
            | Schema::Complex
            | Schema::Bytes
            | Schema::String
            | Schema::Interface(_) => return,
        };
        put_uint(message, kind);
        put_uint(message, 1); // CommonType
        if name.is_empty() {
            put_uint(message, 2);
        } else {
            put_uint(message, 1);
            put_counted(message, name.as_bytes());
            put_uint(message, 1);
        }
        put_int(message, id);
        put_uint(message, 0);
        if let Schema::Struct(def) = schema {
            self.fields(message, def);
        } else {
            for inner in inner_types(schema) {
                put_uint(message, 1);
                put_int(message, self.ids.id(inner));
            }
        }
        if let Schema::Array { length, .. } = schema
            && *length != 0
        {
            put_uint(message, 1);
            put_int(message, *length as i64);
        }
        put_uint(message, 0); // end of the kind
        put_uint(message, 0); // end of the wireType
    }

    fn fields(&mut self, message: &mut Vec<u8>, def: &StructDef) {
        if def.fields.is_empty() {
            return;
        }
        put_uint(message, 1);
        put_uint(message, def.fields.len() as u64);
        for field in &def.fields {
            put_uint(message, 1);
            put_counted(message, field.name.as_bytes());
            put_uint(message, 1);
            put_int(message, self.ids.id(&field.schema));
            put_uint(message, 0);
        }
    }

    fn structure(
        &mut self,
        out: &mut Vec<u8>,
        message: &mut Vec<u8>,
        def: &StructDef,
        value: Option<&Value>,
        at: &dyn Fn() -> String,
    ) -> Result<(), EncodeError> {
        let value = match value {
            Some(value) => Some(value.as_struct().ok_or_else(|| mismatch(at, "a struct"))?),
            None => None,
        };
        let given = value.map(|value| value.fields.as_slice()).unwrap_or_default();
        if let Some((field, _)) = given.iter().find(|(name, _)| !def.fields.iter().any(|field| field.name == *name)) {
            return Err(EncodeError::UnknownField { type_name: Arc::clone(&def.name), field: Arc::clone(field) });
        }
        let mut delta = 1;
        for field in &def.fields {
            let value = value.and_then(|value| value.field(&field.name));
            if is_sent(field, value) {
                put_uint(message, delta);
                delta = 0;
                let at = || format!("{}.{}", def.name, field.name);
                self.element(out, message, &field.schema, value, &at)?;
            }
            delta += 1;
        }
        put_uint(message, 0);
        Ok(())
    }

    /// Writes a value even if it is zero; an absent one is zero.
    fn element(
        &mut self,
        out: &mut Vec<u8>,
        message: &mut Vec<u8>,
        schema: &Schema,
        value: Option<&Value>,
        at: &dyn Fn() -> String,
    ) -> Result<(), EncodeError> {
        match schema {
            Schema::Bool => put_uint(message, read(value, at, "a boolean", Value::as_bool)?.into()),
            Schema::Int => put_int(message, read(value, at, "an int", Value::as_i64)?),
            Schema::Uint => put_uint(message, read(value, at, "an unsigned int", Value::as_u64)?),
            Schema::Float => put_float(message, read(value, at, "a float", Value::as_f64)?),
            Schema::Complex => {
                let (real, imaginary) = read(value, at, "a complex number", |value| {
                    if let Value::Complex(real, imaginary) = value.concrete() {
                        Some((*real, *imaginary))
                    } else {
                        None
                    }
                })?;
                put_float(message, real);
                put_float(message, imaginary);
            }
            Schema::Bytes | Schema::GobEncoder { .. } => {
                put_counted(message, read(value, at, "bytes", Value::as_bytes)?);
            }
            Schema::String => put_counted(message, read(value, at, "a string", Value::as_str)?.as_bytes()),
            Schema::Struct(def) => self.structure(out, message, def, value, at)?,
            Schema::Slice { element, .. } => {
                let values = read(value, at, "a slice", Value::as_slice)?;
                put_uint(message, values.len() as u64);
                for value in values {
                    self.element(out, message, element, Some(value), at)?;
                }
            }
            Schema::Array { element, length, .. } => {
                let values = read(value, at, "an array", Value::as_slice)?;
                if value.is_some() && values.len() != *length {
                    return Err(mismatch(at, "an array of another length"));
                }
                put_uint(message, *length as u64);
                for index in 0..*length {
                    self.element(out, message, element, values.get(index), at)?;
                }
            }
            Schema::Map { key, element, .. } => {
                let pairs = read(value, at, "a map", Value::as_map)?;
                put_uint(message, pairs.len() as u64);
                for (name, value) in pairs {
                    self.element(out, message, key, Some(name), at)?;
                    self.element(out, message, element, Some(value), at)?;
                }
            }
            Schema::Interface(listed) => match value {
                None | Some(Value::Interface(None)) => put_uint(message, 0),
                Some(Value::Interface(Some(inner))) => {
                    let unlisted = || EncodeError::UnlistedType { name: inner.name.clone() };
                    let (_, schema) = listed.0.iter().find(|(name, _)| *name == inner.name).ok_or_else(unlisted)?;
                    put_counted(message, inner.name.as_bytes());
                    self.define(out, message, schema);
                    put_int(message, self.ids.id(schema));
                    // Definitions that come up further inside go before the value, into this very message.
                    let mut content = Vec::new();
                    self.delimited(message, &mut content, schema, &inner.value)?;
                    put_counted(message, &content);
                }
                Some(_) => return Err(mismatch(at, "an interface")),
            },
        }
        Ok(())
    }
}

/// What Go's encoder decides per field: zero is left out, but a struct or an array that is no pointer never is.
fn is_sent(field: &FieldDef, value: Option<&Value>) -> bool {
    let Some(value) = value else {
        return field.holds == Holds::Value && matches!(field.schema, Schema::Struct(_) | Schema::Array { .. });
    };
    match (&field.schema, value) {
        (Schema::Interface(_), value) => !value.is_nil(),
        // Only slices leave out what is empty; a map that is there is sent, as Go sends one that is not nil.
        (Schema::Slice { .. }, Value::List(values)) => !values.is_empty(),
        (_, Value::Bool(value)) => *value,
        (_, Value::Int(value)) => *value != 0,
        (_, Value::Uint(value)) => *value != 0,
        (_, Value::Float(value)) => *value != 0.0,
        (_, Value::Complex(real, imaginary)) => *real != 0.0 || *imaginary != 0.0,
        (_, Value::Bytes(value)) => !value.is_empty(),
        (_, Value::String(value)) => !value.is_empty(),
        (_, Value::Struct(_) | Value::List(_) | Value::Map(_) | Value::Interface(_) | Value::Opaque(_)) => true,
    }
}

/// The value as the schema wants it; an absent one is zero.
fn read<'a, T: Default>(
    value: Option<&'a Value>,
    at: &dyn Fn() -> String,
    expected: &'static str,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<T, EncodeError> {
    value.map_or_else(|| Ok(T::default()), |value| read(value).ok_or_else(|| mismatch(at, expected)))
}

fn mismatch(at: &dyn Fn() -> String, expected: &'static str) -> EncodeError {
    EncodeError::Mismatch { at: at(), expected }
}
