//! `Node`: a YAML value that remembers its line, so that every message can name one.
//!
//! Only read, never written back: a manifest is passed through as the text it is.

use std::{collections::BTreeMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// 1-based; 0 when the parser did not say.
    pub(crate) line: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

/// The text is no YAML, or more of it than any manifest needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unreadable {
    pub(crate) line: Option<u32>,
    pub(crate) message: String,
}

/// The documents of one file; empty ones are skipped.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, Unreadable> {
    let options = serde_saphyr::options! {
        // A snippet of the file in a message could show what a Secret holds.
        with_snippet: false,
        budget: serde_saphyr::budget! { max_aliases: 2_000, max_anchors: 2_000, max_depth: 64 },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let line = error.location().and_then(|location| u32::try_from(location.line()).ok()).filter(|line| *line > 0);
        Unreadable { line, message: one_line(&error.without_snippet().to_string()) }
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let line = u32::try_from(spanned.referenced.line()).unwrap_or(0);
        Ok(Self { value: spanned.value, line })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
                Value::deserialize(deserializer)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Integer(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Integer))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.to_owned()))
            }

            fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
                Ok(Value::Text(String::from_utf8_lossy(value).into_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Value::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some(key) = entries.next_key::<Key>()? {
                    map.insert(key.0, entries.next_value()?);
                }
                Ok(Value::Map(map))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// A mapping's key as text, whatever scalar it was.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::Text(value) => value,
            Value::List(_) | Value::Map(_) => {
                return Err(serde::de::Error::custom("a key of a mapping must be text"));
            }
        };
        Ok(Self(text))
    }
}

impl Node {
    /// The value under a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.as_map()?.get(*key))
    }

    /// The text under a path of keys.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_text()
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    pub(crate) fn as_integer(&self) -> Option<i64> {
        match &self.value {
            Value::Integer(number) => Some(*number),
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        self.value == Value::Bool(true)
    }

    pub(crate) fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        match &self.value {
            Value::Map(map) => Some(map),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => {
                None
            }
        }
    }

    /// The items of the list under a path of keys; none when there is no list.
    pub(crate) fn list(&self, path: &[&str]) -> &[Self] {
        match self.at(path).map(|node| &node.value) {
            Some(Value::List(list)) => list,
            Some(
                Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::Map(_),
            )
            | None => &[],
        }
    }

    /// The entries of the mapping under a path of keys; none when there is no mapping.
    pub(crate) fn entries<'a>(&'a self, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a Self)> + use<'a> {
        self.at(path).and_then(Self::as_map).into_iter().flatten().map(|(key, node)| (key.as_str(), node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line_also_in_the_second_document() {
        let all =
            documents("a: 1\nb:\n  c: [x, {d: true}]\n---\n\n---\nkind: Z\nspec:\n  e: null\n  f: 1.5\n").unwrap();
        assert_eq!(all.len(), 2);
        let c = all[0].at(&["b", "c"]).unwrap();
        assert_eq!((c.line, c.list(&[]).len()), (3, 2));
        assert!(c.list(&[])[1].at(&["d"]).unwrap().is_true());
        assert_eq!(all[0].at(&["a"]).unwrap().as_integer(), Some(1));
        assert_eq!(all[1].at(&["spec", "f"]).unwrap().line, 10);
        assert_eq!(all[1].at(&["spec", "e"]).unwrap().value, Value::Null);
        assert_eq!(all[1].text(&["kind"]), Some("Z"));
    }

    #[test]
    fn anchors_and_merges_are_followed_as_argo_does() {
        let all = documents("base: &b {x: 1}\nuse:\n  <<: *b\n  y: 2\n").unwrap();
        assert_eq!(all[0].at(&["use", "x"]).and_then(Node::as_integer), Some(1));
    }

    #[test]
    fn bombs_doubled_keys_and_broken_text_are_errors_with_a_line_and_without_the_text() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(documents(&bomb).is_err());
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(documents(&deep).is_err());
        let twice = documents("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(twice.line, Some(3), "{twice}");
        let broken = documents("kind: Secret\nstringData:\n  password: \"hunter2\n").unwrap_err();
        assert!(!broken.message.contains("hunter2"), "{broken}");
    }
}
