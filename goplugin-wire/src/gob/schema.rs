//! `Schema`: the Go type a value is sent as. A caller states it once; the encoder sends it once per stream. Recursive
//! types cannot be written down here on purpose: nobody sends one.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A Go type, as far as gob can see it. Pointers, integer widths and named non-struct types do not show on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Schema {
    /// `bool`.
    Bool,
    /// `int` of any width, and what is made of it, e.g. `time.Duration`.
    Int,
    /// `uint` of any width but `uint8` in a slice, which is [`Schema::Bytes`].
    Uint,
    /// `float32`, `float64`.
    Float,
    /// `complex64`, `complex128`.
    Complex,
    /// `[]byte`.
    Bytes,
    /// `string`.
    String,
    /// A struct.
    Struct(Arc<StructDef>),
    /// A slice; `name` is what Go prints for the type, e.g. `[]string`.
    Slice {
        /// The name sent with the definition.
        name: Arc<str>,
        /// The type of the elements.
        element: Arc<Schema>,
    },
    /// An array of fixed length.
    Array {
        /// The name sent with the definition.
        name: Arc<str>,
        /// The type of the elements.
        element: Arc<Schema>,
        /// How many there are.
        length: usize,
    },
    /// A map.
    Map {
        /// The name sent with the definition.
        name: Arc<str>,
        /// The type of the keys.
        key: Arc<Schema>,
        /// The type of the values.
        element: Arc<Schema>,
    },
    /// An interface, with the concrete types it may hold.
    Interface(Listed),
    /// A type with a `GobEncode` of its own: bytes.
    GobEncoder {
        /// The name of the type.
        name: Arc<str>,
    },
}

/// The concrete types an interface may hold, under the names they are registered with in Go. They are no part of the
/// interface's own type: two interfaces are equal whatever they may hold.
#[derive(Clone, Debug)]
pub struct Listed(pub(crate) Arc<[(String, Schema)]>);

impl PartialEq for Listed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Listed {}

impl Hash for Listed {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A Go struct type: its name and its exported fields in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructDef {
    pub(crate) name: Arc<str>,
    pub(crate) fields: Vec<FieldDef>,
}

/// One field of a [`StructDef`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FieldDef {
    pub(crate) name: Arc<str>,
    pub(crate) schema: Schema,
    pub(crate) holds: Holds,
}

/// Whether a field of struct type is sent when the value lacks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holds {
    /// `T`: an absent struct is sent as an empty one, as Go does with a struct that is all zero.
    Value,
    /// `*T`: an absent value is nil, and left out.
    Pointer,
}

impl StructDef {
    /// A struct type without fields. The name is without its package; `""` makes an anonymous struct.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), fields: Vec::new() }
    }

    /// Adds a field `Name T`.
    #[must_use]
    pub fn field(self, name: &str, schema: impl Into<Schema>) -> Self {
        self.with(name, schema.into(), Holds::Value)
    }

    /// Adds a field `Name *T`. It differs from `Name T` only if T is a struct or an array: nil is left out.
    #[must_use]
    pub fn pointer(self, name: &str, schema: impl Into<Schema>) -> Self {
        self.with(name, schema.into(), Holds::Pointer)
    }

    fn with(mut self, name: &str, schema: Schema, holds: Holds) -> Self {
        self.fields.push(FieldDef { name: name.into(), schema, holds });
        self
    }
}

impl From<StructDef> for Schema {
    fn from(def: StructDef) -> Self {
        Self::Struct(Arc::new(def))
    }
}

impl Schema {
    /// `[]T`, under the name Go prints for it.
    pub fn slice(name: &str, element: impl Into<Self>) -> Self {
        Self::Slice { name: name.into(), element: Arc::new(element.into()) }
    }

    /// `[length]T`.
    pub fn array(name: &str, element: impl Into<Self>, length: usize) -> Self {
        Self::Array { name: name.into(), element: Arc::new(element.into()), length }
    }

    /// `map[K]V`.
    pub fn map(name: &str, key: impl Into<Self>, element: impl Into<Self>) -> Self {
        Self::Map { name: name.into(), key: Arc::new(key.into()), element: Arc::new(element.into()) }
    }

    /// `any`, holding one of the given types under its registered name, or nil.
    pub fn interface<'a>(concrete: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Interface(Listed(concrete.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()))
    }

    /// A type with a `GobEncode` of its own.
    pub fn gob_encoder(name: &str) -> Self {
        Self::GobEncoder { name: name.into() }
    }

    /// `struct{}`, the answer of a method that has nothing to say.
    pub fn empty_struct() -> Self {
        StructDef::new("").into()
    }
}
