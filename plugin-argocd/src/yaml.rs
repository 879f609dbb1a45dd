//! A JSON value as YAML that YAML 1.1 and 1.2 readers take for the same: Argo CD reads it with the one, kubectl and
//! editors with the other. What could be taken for anything but text is quoted.

use serde_json::{Map, Value};

/// Writes one document.
pub(crate) fn write(value: &Value, into: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => mapping(map, 0, false, into),
        Value::Array(list) if !list.is_empty() => sequence(list, 0, into),
        // At the very left a line of text could be taken for the end of the document.
        Value::String(text) => {
            quoted(text, into);
            into.push('\n');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            scalar(value, 0, into);
            into.push('\n');
        }
    }
}

/// `started`: the first key follows a dash on the same line.
fn mapping(map: &Map<String, Value>, indent: usize, mut started: bool, into: &mut String) {
    // Sorted here: another crate's feature can turn serde_json's map into one that keeps the order of insertion.
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    for (key, value) in entries {
        if !std::mem::take(&mut started) {
            pad(indent, into);
        }
        one_line(key, into);
        into.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                into.push('\n');
                mapping(map, indent + 2, false, into);
            }
            Value::Array(list) if !list.is_empty() => {
                into.push('\n');
                sequence(list, indent, into);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                into.push(' ');
                scalar(value, indent + 2, into);
                into.push('\n');
            }
        }
    }
}

fn sequence(list: &[Value], indent: usize, into: &mut String) {
    for value in list {
        pad(indent, into);
        into.push_str("- ");
        match value {
            Value::Object(map) if !map.is_empty() => mapping(map, indent + 2, true, into),
            // Nested lists occur in nothing that is rendered; JSON is YAML.
            Value::Array(list) if !list.is_empty() => {
                into.push_str(&value.to_string());
                into.push('\n');
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                scalar(value, indent + 2, into);
                into.push('\n');
            }
        }
    }
}

fn pad(indent: usize, into: &mut String) {
    into.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(value: &Value, indent: usize, into: &mut String) {
    match value {
        Value::String(text) if is_block(text) => block(text, indent, into),
        Value::String(text) => one_line(text, into),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            into.push_str(&value.to_string());
        }
    }
}

fn one_line(text: &str, into: &mut String) {
    if is_plain(text) {
        into.push_str(text);
    } else {
        quoted(text, into);
    }
}

/// Whether every reader takes the bare text for text.
fn is_plain(text: &str) -> bool {
    const OTHERWISE: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let name = text.strip_prefix("--").unwrap_or(text);
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
    let rest = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | ':'));
    first && rest && !text.ends_with(':') && !OTHERWISE.contains(&text.to_ascii_lowercase().as_str())
}

/// Whether a literal block gives back exactly this text.
fn is_block(text: &str) -> bool {
    let printable = |c: char| match c {
        '\n' | '\t' => true,
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        other => !other.is_control(),
    };
    let indented = text.starts_with([' ', '\t', '\n']);
    text.trim_end_matches('\n').contains('\n') && !indented && text.chars().all(printable)
        || text.ends_with('\n') && !indented && text.len() > 1 && text.chars().all(printable)
}

fn block(text: &str, indent: usize, into: &mut String) {
    let body = text.trim_end_matches('\n');
    into.push_str(match text.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        into.push('\n');
        if !line.is_empty() {
            pad(indent, into);
            into.push_str(line);
        }
    }
    // The last line feed is the caller's.
    into.extend(std::iter::repeat_n('\n', (text.len() - body.len()).saturating_sub(1)));
}

fn quoted(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => escaped(c, into),
            other if other.is_control() => escaped(c, into),
            other => into.push(other),
        }
    }
    into.push('"');
}

fn escaped(c: char, into: &mut String) {
    into.push_str(&format!("\\u{:04x}", u32::from(c)));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: &Value) -> String {
        let mut text = String::new();
        write(value, &mut text);
        text
    }

    #[test]
    fn objects_look_as_people_write_them() {
        let value = json!({"kind": "Job", "spec": {"args": ["--plan", "/etc/x"], "env": [{"value": "1", "name": "A"}],
            "count": 3, "off": false, "empty": {}, "none": [], "text": "a\nb\n"}});
        let expected = "kind: Job\nspec:\n  args:\n  - --plan\n  - /etc/x\n  count: 3\n  empty: {}\n  env:\n  - name: A\n    value: \"1\"\n  none: []\n  \"off\": false\n  text: |\n    a\n    b\n";
        assert_eq!(written(&value), expected);
    }

    #[test]
    fn every_text_is_read_back_as_itself() {
        let texts = [
            "",
            "a",
            "yes",
            "No",
            "y",
            "~",
            "null",
            "1",
            "1e3",
            "0x10",
            "12:30",
            "1:2",
            "2026-01-01",
            ".5",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "'",
            "\"",
            "\\",
            "a\nb",
            "a\nb\n",
            "a\n\n",
            "\n",
            "\n\n",
            "\na",
            " a\nb",
            "\ta\nb",
            "a\n b",
            "a\r\nb",
            "a\tb",
            "a\n\tb\n",
            "é",
            "🦀",
            "\u{7f}",
            "\u{85}x",
            "\u{2028}",
            "\u{feff}a",
            "a\u{0}b",
            "a ",
            " a",
            "a\nb ",
            "a\nb \n",
            "a:",
            "a:b",
            "@a",
            "`a",
            "%a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "?",
            "-",
            "--- ",
            "---\na",
            "...\na",
            "=",
            "<<",
            "{}",
            "[]",
            "a\n\nb\n\n\n",
            "true",
            "1_000",
            "0o7",
            "0b1",
            "+1",
            "inf",
            ".inf",
            "NaN",
            "a\n---\nb\n",
        ];
        for text in texts {
            for value in [json!({"k": text}), json!([text]), json!({text: [{"x": {"y": text}}]}), json!(text)] {
                let yaml = written(&value);
                let back: Value = serde_saphyr::from_str(&yaml).unwrap_or_else(|e| panic!("{text:?}: {e}\n{yaml}"));
                assert_eq!(back, value, "{text:?}\n{yaml}");
            }
        }
    }

    #[test]
    fn random_texts_are_read_back_too() {
        // A seeded generator, so that a failure comes back.
        let alphabet: Vec<char> = "ab \n\n\t:#-'\"\\|>é\u{85}{}[],&*!%@`0~?\r".chars().collect();
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..5_000 {
            let mut text = String::new();
            for _ in 0..(state % 12) {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push(alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()]);
            }
            state =
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) ^ (state >> 17);
            let value = json!({"a": {"b": [text]}, "c": text});
            let yaml = written(&value);
            let back: Value = serde_saphyr::from_str(&yaml).unwrap_or_else(|e| panic!("{text:?}: {e}\n{yaml}"));
            assert_eq!(back, value, "{text:?}\n{yaml}");
        }
    }
}
