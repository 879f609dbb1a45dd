//! YAML text to a tree that knows its lines. Hostile text is refused before it costs anything.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    DuplicateKeyPolicy, Error as Trouble, Options, Spanned, UserMessageFormatter, options::MergeKeyPolicy,
};

use crate::FileError;

/// The size of one file; Kubernetes would not take half of it.
pub(crate) const MAX_FILE: usize = 1024 * 1024;

/// A value and the line it begins at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) value: Value,
}

/// What YAML can say that a declaration may contain.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool,
    Integer {
        negative: bool,
    },
    Float,
    Text(String),
    List(Vec<Node>),
    /// The entries in order: key, line of the key, value.
    Map(Vec<(String, u32, Node)>),
}

impl Node {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The line of a key and its value.
    pub(crate) fn entry(&self, key: &str) -> Option<(u32, &Self)> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(name, ..)| name == key).map(|(_, line, node)| (*line, node)),
            Value::List(items) => key.parse().ok().and_then(|at: usize| items.get(at)).map(|node| (node.line, node)),
            Value::Null | Value::Bool | Value::Integer { .. } | Value::Float | Value::Text(_) => None,
        }
    }

    /// The line of the deepest part of `path` that exists.
    pub(crate) fn line_of(&self, path: &[&str]) -> u32 {
        let (mut node, mut line) = (self, self.line);
        for key in path {
            let Some((at, next)) = node.entry(key) else { break };
            (line, node) = (at, next);
        }
        line
    }
}

/// Text that is no YAML, or more of it than a declaration needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadYaml {
    pub(crate) line: Option<u32>,
    pub(crate) message: String,
    pub(crate) remedy: &'static str,
}

impl BadYaml {
    pub(crate) fn in_file(self, file: &str) -> FileError {
        let Self { line, message, remedy } = self;
        FileError { file: file.to_owned(), line, field: None, message, remedy: remedy.to_owned() }
    }
}

/// The tree of a file with one document.
pub(crate) fn tree(text: &str) -> Result<Node, BadYaml> {
    if text.len() > MAX_FILE {
        let message = format!("the file has {} bytes; at most {MAX_FILE} are read", text.len());
        return Err(BadYaml { line: None, message, remedy: "split it, or move SQL into files of its own" });
    }
    read(text)
}

/// The same text as a value of our types, once its tree was found to have their shape.
pub(crate) fn typed<T: DeserializeOwned>(text: &str) -> Result<T, BadYaml> {
    read(text)
}

/// The documents of a file of manifests, which are not ours: it may be any stream of objects, with anchors.
pub(crate) fn manifests<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, BadYaml> {
    if text.len() > MAX_FILE {
        let message = format!("the file has {} bytes; at most {MAX_FILE} are read", text.len());
        return Err(BadYaml { line: None, message, remedy: "split it" });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_aliases: 2_000, max_anchors: 2_000, max_depth: 64 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(bad)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, BadYaml> {
    serde_saphyr::from_str_with_options(text, limits()).map_err(bad)
}

fn bad(error: Trouble) -> BadYaml {
    let error = error.without_snippet();
    let line = error.location().and_then(|at| u32::try_from(at.line()).ok()).filter(|line| *line > 0);
    let (message, remedy) = if matches!(error, Trouble::MultipleDocuments { .. }) {
        ("the file has several documents".to_owned(), "put each document into a file of its own")
    } else if matches!(error, Trouble::Budget { .. }) {
        ("the file has more depth, entries or anchors than a declaration needs".to_owned(), "write it out plainly")
    } else if matches!(error, Trouble::MergeKeyNotAllowed { .. }) {
        ("the file uses a merge key".to_owned(), "write it out plainly")
    } else {
        let twice = matches!(error, Trouble::DuplicateMappingKey { .. });
        let remedy = if twice { "remove one of the two" } else { "correct the YAML" };
        (without_place(&error.render_with_formatter(&UserMessageFormatter)), remedy)
    };
    BadYaml { line, message, remedy }
}

/// The place is told apart from the message, in a form of our own.
fn without_place(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let cut = first.find(" at line ").or_else(|| first.find(", line ")).unwrap_or(first.len());
    first.get(..cut).unwrap_or(first).trim_end_matches([':', ' ', '.']).chars().take(300).collect()
}

fn limits() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 50_000,
            max_nodes: 20_000,
            max_depth: 32,
            // The second one is refused with a message of its own.
            max_documents: 2,
            max_aliases: 0,
            max_anchors: 0,
            max_total_scalar_bytes: MAX_FILE,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { line: u32::try_from(spanned.referenced.line()).unwrap_or(u32::MAX), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping, a list or a plain value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Bool)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer { negative: number < 0 })
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Integer { negative: false })
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Float)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, node)) = map.next_entry::<Spanned<String>, Node>()? {
            entries.push((key.value, u32::try_from(key.referenced.line()).unwrap_or(u32::MAX), node));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_part_knows_its_line() {
        let tree = tree("# a\nkind: Database\nspec:\n  engine: postgres\n  list:\n    - a\n    - b: 1\n").unwrap();
        assert_eq!(tree.line_of(&["kind"]), 2);
        assert_eq!(tree.line_of(&["spec", "engine"]), 4);
        assert_eq!(tree.line_of(&["spec", "list", "1", "b"]), 7);
        assert_eq!(tree.line_of(&["spec", "missing", "b"]), 3);
        assert_eq!(tree.get("kind").map(|node| &node.value), Some(&Value::Text("Database".into())));
    }

    #[test]
    fn hostile_or_broken_text_is_refused_with_its_line() {
        let bomb = "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n";
        let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
        let wide = format!("a: [{}]", "1,".repeat(60_000));
        let rows = [
            ("a: 1\na: 2\n", Some(2), "remove one"),
            ("a: 1\n---\nb: 2\n", Some(3), "a file of its own"),
            ("a: [1\n", None, "correct the YAML"),
            ("a: b: c\n", Some(1), "correct the YAML"),
            ("a:\n  <<: {b: 1}\n", Some(2), "write it out plainly"),
            (bomb, Some(1), "write it out plainly"),
            (&deep, Some(1), "write it out plainly"),
            (&wide, Some(1), "write it out plainly"),
        ];
        for (text, line, remedy) in rows {
            let bad = tree(text).unwrap_err();
            let start = text.chars().take(40).collect::<String>();
            assert!(bad.remedy.contains(remedy), "{start}: {bad:?}");
            if line.is_some() {
                assert_eq!(bad.line, line, "{start}: {bad:?}");
            }
            println!("{bad:?}");
            assert!(!bad.message.is_empty() && !bad.message.contains("line"), "{start}: {bad:?}");
        }
        assert!(tree(&" ".repeat(MAX_FILE + 1)).unwrap_err().message.contains("at most"));
    }

    #[test]
    fn words_that_old_yaml_takes_for_booleans_are_words() {
        let tree = tree("a: no\nb: 'true'\nc: true\nd:\n").unwrap();
        let value = |key: &str| tree.get(key).unwrap().value.clone();
        assert_eq!(value("a"), Value::Text("no".into()));
        assert_eq!(value("b"), Value::Text("true".into()));
        assert_eq!(value("c"), Value::Bool);
        assert_eq!(value("d"), Value::Null);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-c:\\[\\]{}&*!|>'\"#, \n-]{0,80}|.{0,80}") {
            let _ = tree(&text);
        }
    }
}
