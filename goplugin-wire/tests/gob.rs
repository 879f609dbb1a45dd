//! Gob, by what is asked of it: what Go encodes and we encode (`captured`), bytes that mean harm (`malformed`), values that
//! nobody wants (`interest`), and what holds of any value and any bytes (`properties`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use goplugin_wire::gob::encode::{Encoder, TypeIds};
use goplugin_wire::{InterfaceValue, Schema, Value};

#[path = "gob/captured.rs"]
mod captured;
#[path = "gob/interest.rs"]
mod interest;
#[path = "gob/malformed.rs"]
mod malformed;
#[path = "gob/properties.rs"]
mod properties;
mod wire;

use wire::unhex;

/// Every line of the capture that more than one test reads.
const CAPTURED: [&str; 6] = ["scalars", "singles", "containers", "tree", "interfaces", "times"];

/// The lines of the capture.
fn captured(name: &str) -> Vec<u8> {
    let lines = include_str!("captures/gob-values.txt").lines();
    let mut found = lines.filter_map(|line| line.split_once(' ')).filter(|(found, _)| *found == name);
    unhex(found.next().unwrap().1)
}

fn encode_all(ids: &mut TypeIds, values: &[(Schema, Value)]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    for (schema, value) in values {
        encoder.encode(ids, schema, value, &mut out).unwrap();
    }
    out
}

fn text(value: &str) -> Value {
    value.into()
}

fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().collect())
}

fn pairs<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// A value with each one directly inside of it as `change` makes it, or without it; fields come with their names.
fn inside(value: Value, change: impl Fn(Option<&str>, Value) -> Option<Value>) -> Value {
    let each = |value| change(None, value);
    match value {
        Value::Struct(mut value) => {
            let fields = value.fields.into_iter();
            value.fields = fields.filter_map(|(name, field)| change(Some(&name), field).map(|it| (name, it))).collect();
            Value::Struct(value)
        }
        Value::List(values) => Value::List(values.into_iter().filter_map(each).collect()),
        Value::Map(pairs) => {
            Value::Map(pairs.into_iter().filter_map(|(key, value)| each(key).zip(each(value))).collect())
        }
        Value::Interface(Some(held)) => {
            let InterfaceValue { name, value } = *held;
            Value::interface(name, each(value).unwrap())
        }
        scalar @ (Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Bytes(_)
        | Value::String(_)
        | Value::Interface(None)
        | Value::Opaque(_)) => scalar,
    }
}
