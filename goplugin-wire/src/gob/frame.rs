//! Values that are not complete yet, one inside of the other. Of what nobody wants ([`Interest`]) only the shape is known.

use std::sync::Arc;

use crate::gob::interest::Interest;
use crate::gob::types::StructType;
use crate::gob::value::{StructValue, Value};

/// A value that is not complete yet.
#[derive(Debug)]
pub(crate) struct Frame {
    /// How much of it is wanted.
    pub(crate) interest: &'static Interest,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
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
        waiting: Waiting,
    },
    /// Its type is still to come, perhaps in a later message.
    Interface {
        name: String,
    },
}

/// Which half of a map's pair comes next.
#[derive(Debug)]
pub(crate) enum Waiting {
    Key,
    /// For the value that belongs to this key; none of a map that nobody wants.
    Element(Option<Value>),
}

/// A complete value; none of what nobody wants.
pub(crate) type Done = Option<Value>;

impl Frame {
    /// How much is wanted of the next value in it. Of a struct, `next` is already behind it.
    pub(crate) fn inner(&self) -> &'static Interest {
        match &self.kind {
            Kind::Struct { kind, next, .. } => {
                let field = next.checked_sub(1).and_then(|field| kind.fields.get(field));
                field.map_or(&Interest::Nothing, |(name, _)| self.interest.of_field(name))
            }
            Kind::List { .. } | Kind::Map { .. } | Kind::Interface { .. } => self.interest,
        }
    }

    /// A struct whose last field was read.
    pub(crate) fn ended(self) -> Option<Done> {
        let Self { interest, kind: Kind::Struct { kind, fields, .. } } = self else { return None };
        let value = || Value::Struct(StructValue { type_name: Arc::clone(&kind.name), fields });
        Some(interest.is_any().then(value))
    }

    /// Takes one more value; what it has become, when that completes it.
    pub(crate) fn take(&mut self, value: Done) -> Option<Done> {
        let any = self.interest.is_any();
        match &mut self.kind {
            Kind::Struct { kind, next, fields } => {
                let name = next.checked_sub(1).and_then(|field| kind.fields.get(field));
                if let (Some((name, _)), Some(value)) = (name, value) {
                    fields.push((Arc::clone(name), value));
                }
                None
            }
            Kind::List { left, values, .. } => {
                values.extend(value);
                *left = left.saturating_sub(1);
                (*left == 0).then(|| any.then(|| Value::List(std::mem::take(values))))
            }
            Kind::Map { left, pairs, waiting, .. } => match std::mem::replace(waiting, Waiting::Key) {
                Waiting::Key => {
                    *waiting = Waiting::Element(value);
                    None
                }
                Waiting::Element(key) => {
                    pairs.extend(key.zip(value));
                    *left = left.saturating_sub(1);
                    (*left == 0).then(|| any.then(|| Value::Map(std::mem::take(pairs))))
                }
            },
            Kind::Interface { name } => Some(value.map(|value| Value::interface(std::mem::take(name), value))),
        }
    }
}
