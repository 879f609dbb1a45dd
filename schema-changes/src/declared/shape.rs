//! The shape of a file against its published JSON Schema: unknown and missing fields, wrong kinds of values.
//!
//! serde would stop at the first of them. Walking the schema finds all, and proves that what editors check is what we
//! check. Understands only what our own types make `schemars` write.

use std::fmt::Display;

use serde_json::Value as Json;

use crate::declared::{
    Complaints,
    complaints::suggest,
    yaml::{Node, Value},
};

/// Complains of every place where `node` departs from `schema`.
pub(crate) fn check(complaints: &mut Complaints<'_>, schema: &Json, node: &Node) {
    Shape { root: schema }.check(complaints, schema, node, &mut Path::default());
}

struct Shape<'s> {
    root: &'s Json,
}

/// Where the walk is: the keys, and the places in lists.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    /// Complains of what is at this place.
    fn complain(&self, complaints: &mut Complaints<'_>, line: u32, message: impl Display, remedy: impl Display) {
        complaints.add_at(line, &self.keys(), message, remedy);
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

impl<'s> Shape<'s> {
    fn check(&self, complaints: &mut Complaints<'_>, schema: &'s Json, node: &Node, path: &mut Path) {
        let schema = self.resolve(schema);
        if let Some(alternatives) = list(schema, "anyOf") {
            if node.value == Value::Null && alternatives.iter().any(|one| has_type(one, "null")) {
                return;
            }
            if let Some(other) = alternatives.iter().find(|one| !has_type(one, "null")) {
                self.check(complaints, other, node, path);
            }
            return;
        }
        let words = words(schema);
        if !words.is_empty() {
            check_word(complaints, &words, node, path);
            return;
        }
        match &node.value {
            Value::Null if has_type(schema, "null") => {}
            Value::Map(entries) if has_type(schema, "object") => {
                self.check_object(complaints, schema, node, entries, path)
            }
            Value::List(items) if has_type(schema, "array") => {
                for (at, item) in items.iter().enumerate() {
                    if let Some(wanted) = schema.get("items") {
                        path.0.push(at.to_string());
                        self.check(complaints, wanted, item, path);
                        path.0.pop();
                    }
                }
            }
            Value::Text(_) if has_type(schema, "string") => {}
            Value::Bool if has_type(schema, "boolean") => {}
            Value::Integer { negative: false } if has_type(schema, "integer") => {}
            Value::Integer { .. } | Value::Float if has_type(schema, "number") => {}
            found @ (Value::Null
            | Value::Bool
            | Value::Integer { .. }
            | Value::Float
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_)) => {
                let (wanted, remedy) = wanted(schema, found);
                path.complain(
                    complaints,
                    node.line,
                    format!("{wanted} is wanted, and here is {}", kind(found)),
                    remedy,
                );
            }
        }
    }

    fn check_object(
        &self,
        complaints: &mut Complaints<'_>,
        schema: &'s Json,
        node: &Node,
        entries: &[(String, u32, Node)],
        path: &mut Path,
    ) {
        let properties = schema.get("properties").and_then(Json::as_object);
        for (key, line, value) in entries {
            path.0.push(key.clone());
            if let Some(wanted) = properties.and_then(|properties| properties.get(key)) {
                self.check(complaints, wanted, value, path);
            } else if let Some(wanted) = schema.get("additionalProperties").filter(|wanted| wanted.is_object()) {
                self.check(complaints, wanted, value, path);
            } else {
                let known: Vec<&str> = properties.into_iter().flat_map(|all| all.keys()).map(String::as_str).collect();
                path.complain(complaints, *line, "there is no such field", suggest(key, known.iter().copied()));
            }
            path.0.pop();
        }
        for name in list(schema, "required").into_iter().flatten().filter_map(Json::as_str) {
            if node.get(name).is_none() {
                let what = properties.and_then(|all| all.get(name)).map(|one| self.resolve_description(one));
                complaints.add(
                    &path.keys(),
                    format!("the field `{name}` is missing"),
                    what.flatten().map_or_else(|| "add it".to_owned(), |what| format!("add it: {what}")),
                );
            }
        }
    }

    fn resolve(&self, schema: &'s Json) -> &'s Json {
        let target = schema.get("$ref").and_then(Json::as_str).and_then(|name| name.strip_prefix('#'));
        target.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// The first sentence of a field's description.
    fn resolve_description(&self, schema: &'s Json) -> Option<&'s str> {
        let text = schema.get("description").or_else(|| self.resolve(schema).get("description"))?.as_str()?;
        text.lines().next().map(|line| line.trim_end_matches('.'))
    }
}

fn check_word(complaints: &mut Complaints<'_>, words: &[&str], node: &Node, path: &Path) {
    let remedy = |found: &str| suggest(found, words.iter().copied());
    if let Value::Text(text) = &node.value {
        if !words.contains(&text.as_str()) {
            let start: String = text.chars().take(64).collect();
            path.complain(complaints, node.line, format!("`{start}` is not known here"), remedy(text));
        }
    } else {
        path.complain(
            complaints,
            node.line,
            format!("a word is wanted, and here is {}", kind(&node.value)),
            remedy(""),
        );
    }
}

/// The words an enum schema allows; empty for any other schema.
fn words(schema: &Json) -> Vec<&str> {
    let plain = list(schema, "enum").into_iter().flatten().filter_map(Json::as_str);
    let described =
        list(schema, "oneOf").into_iter().flatten().filter_map(|one| one.get("const").and_then(Json::as_str));
    schema.get("const").and_then(Json::as_str).into_iter().chain(plain).chain(described).collect()
}

fn list<'s>(schema: &'s Json, key: &str) -> Option<&'s Vec<Json>> {
    schema.get(key).and_then(Json::as_array)
}

fn has_type(schema: &Json, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(one)) => one == wanted,
        Some(Json::Array(several)) => several.iter().any(|one| one == wanted),
        _ => false,
    }
}

fn wanted(schema: &Json, found: &Value) -> (&'static str, &'static str) {
    let scalar = matches!(found, Value::Bool | Value::Integer { .. } | Value::Float);
    if has_type(schema, "string") {
        ("text", if scalar { "put it in quotes" } else { "write plain text" })
    } else if has_type(schema, "object") {
        ("a mapping", "write `field: value` lines, indented below it")
    } else if has_type(schema, "array") {
        ("a list", "write [a, b], or one `- item` a line")
    } else if has_type(schema, "integer") {
        ("a whole number from 0", "write digits only")
    } else if has_type(schema, "number") {
        ("a number", "write digits, with a point where it needs one")
    } else {
        ("true or false", "write true or false")
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool => "true or false",
        Value::Integer { negative: true } => "a negative number",
        Value::Integer { negative: false } => "a number",
        Value::Float => "a fraction",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}
