//! `Value`: one decoded gob value that carries its own names, and the accessors by which a caller picks out what it
//! wants. It does not know how values travel.
//!
//! Go leaves zero-valued fields out of a struct, so a field that is absent here was zero, empty, nil or unknown to the
//! sender; the wire cannot tell these apart. Accessors answer `None` for all of them.

use std::sync::Arc;

/// A gob value. What Go calls a pointer is invisible on the wire: the value pointed to stands in its place.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `bool`.
    Bool(bool),
    /// Any signed integer; gob does not send its width.
    Int(i64),
    /// Any unsigned integer.
    Uint(u64),
    /// `float32` or `float64`.
    Float(f64),
    /// `complex64` or `complex128`: real and imaginary part.
    Complex(f64, f64),
    /// `[]byte`.
    Bytes(Vec<u8>),
    /// `string`; one that is not UTF-8 is refused when decoded.
    String(String),
    /// A struct: its non-zero fields, in the order they were declared.
    Struct(StructValue),
    /// A slice or an array.
    List(Vec<Value>),
    /// A map, in the order it was sent (Go's order is random).
    Map(Vec<(Value, Value)>),
    /// An interface: nil, or a value under the name its Go type was registered with.
    Interface(Option<Box<InterfaceValue>>),
    /// What a type's own `GobEncode`, `MarshalBinary` or `MarshalText` wrote. See [`crate::gob::time::go_time`].
    Opaque(Vec<u8>),
}

/// A struct's fields by name.
#[derive(Clone, Debug, PartialEq)]
pub struct StructValue {
    /// The Go type's name without its package. Nothing to rely on: it is empty for an anonymous struct, and for any
    /// whose sender first met it inside of a map or an array.
    pub type_name: Arc<str>,
    /// Name and value of each field that was sent.
    pub fields: Vec<(Arc<str>, Value)>,
}

/// What a non-nil interface holds.
#[derive(Clone, Debug, PartialEq)]
pub struct InterfaceValue {
    /// The name given to Go's `gob.RegisterName`, e.g. `shapes.Circle`.
    pub name: String,
    /// The concrete value.
    pub value: Value,
}

impl Value {
    /// A struct value from its fields: `Value::record("Point", [("X", 1i64.into())])`.
    pub fn record<'a>(type_name: &str, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self::Struct(StructValue {
            type_name: type_name.into(),
            fields: fields.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        })
    }

    /// A nil interface.
    pub const fn nil() -> Self {
        Self::Interface(None)
    }

    /// A non-nil interface that holds `value` under its registered `name`.
    pub fn interface(name: impl Into<String>, value: Self) -> Self {
        Self::Interface(Some(Box::new(InterfaceValue { name: name.into(), value })))
    }

    /// The value itself, or, for a non-nil interface, what it holds. Every accessor looks through interfaces this way.
    pub fn concrete(&self) -> &Self {
        let mut value = self;
        while let Self::Interface(Some(inner)) = value {
            value = &inner.value;
        }
        value
    }

    /// Whether this is a nil interface.
    pub const fn is_nil(&self) -> bool {
        matches!(self, Self::Interface(None))
    }

    /// The registered type name, if this is a non-nil interface.
    pub fn interface_name(&self) -> Option<&str> {
        if let Self::Interface(Some(inner)) = self { Some(&inner.name) } else { None }
    }

    /// A field of a struct by its Go name.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.as_struct()?.field(name)
    }

    /// A field of a field of a ...: `value.at(&["Spec", "Strategy", "Canary"])`.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.field(name))
    }

    /// The struct, if it is one.
    pub fn as_struct(&self) -> Option<&StructValue> {
        if let Self::Struct(value) = self.concrete() { Some(value) } else { None }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self.concrete() { Some(*value) } else { None }
    }

    /// The integer, signed or not, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Uint(value) = self.concrete() {
            return i64::try_from(*value).ok();
        }
        if let Self::Int(value) = self.concrete() { Some(*value) } else { None }
    }

    /// The integer, signed or not, if it is one and fits.
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Int(value) = self.concrete() {
            return u64::try_from(*value).ok();
        }
        if let Self::Uint(value) = self.concrete() { Some(*value) } else { None }
    }

    /// The floating point number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Float(value) = self.concrete() { Some(*value) } else { None }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(value) = self.concrete() { Some(value) } else { None }
    }

    /// The bytes of a `[]byte` or of an opaque value.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(value) | Self::Opaque(value) = self.concrete() { Some(value) } else { None }
    }

    /// The elements of a slice or an array.
    pub fn as_slice(&self) -> Option<&[Self]> {
        if let Self::List(values) = self.concrete() { Some(values) } else { None }
    }

    /// The pairs of a map.
    pub fn as_map(&self) -> Option<&[(Self, Self)]> {
        if let Self::Map(pairs) = self.concrete() { Some(pairs) } else { None }
    }

    /// The value under a string key of a map. Of two equal keys the last counts, as in Go.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.iter().rev().find(|(found, _)| found.as_str() == Some(key)).map(|(_, value)| value)
    }
}

impl StructValue {
    /// A field by its Go name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(found, _)| &**found == name).map(|(_, value)| value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Uint(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Uint(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::List(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        let labels = Value::Map(vec![("a".into(), "1".into()), ("b".into(), "2".into()), ("a".into(), "3".into())]);
        let meta = Value::record("Meta", [("Name", "x".into()), ("Labels", labels)]);
        Value::interface("pkg.Args", Value::record("Args", [("Meta", meta), ("Weights", vec![Value::Int(7)].into())]))
    }

    #[test]
    fn accessors_look_through_interfaces_and_answer_none_for_what_is_absent() {
        let value = sample();
        assert_eq!(value.interface_name(), Some("pkg.Args"));
        assert_eq!(value.at(&["Meta", "Name"]).and_then(Value::as_str), Some("x"));
        assert_eq!(value.at(&["Meta", "Labels"]).and_then(|m| m.get("a")).and_then(Value::as_str), Some("3"));
        assert_eq!(value.field("Weights").and_then(Value::as_slice).map(<[Value]>::len), Some(1));
        assert_eq!(value.at(&["Meta", "Gone", "Deeper"]), None);
        assert_eq!(value.as_i64(), None);
    }

    #[test]
    fn integers_answer_to_either_sign_when_they_fit() {
        assert_eq!(Value::Uint(7).as_i64(), Some(7));
        assert_eq!(Value::Uint(u64::MAX).as_i64(), None);
        assert_eq!(Value::Int(-1).as_u64(), None);
        assert_eq!(Value::Int(9).as_u64(), Some(9));
    }
}
