//! Objects -> bytes, and the only writer to stdout: stdout is a protocol here.

use std::io::{self, Write};

use serde::Serialize;

use crate::{render::Object, yaml};

/// The stream of manifests, in the order of `objects`.
///
/// # Errors
/// None that can happen: every object is plain data.
pub(crate) fn manifests(objects: &[Object]) -> serde_json::Result<Vec<u8>> {
    let mut text = String::new();
    for object in objects {
        match object {
            Object::ServiceAccount(it) => push(&mut text, it)?,
            Object::ConfigMap(it) => push(&mut text, it)?,
            Object::Role(it) => push(&mut text, it)?,
            Object::RoleBinding(it) => push(&mut text, it)?,
            Object::Job(it) => push(&mut text, it)?,
            Object::CronJob(it) => push(&mut text, it)?,
            Object::PassedThrough(file) => pass(&mut text, &file.text),
        }
    }
    Ok(text.into_bytes())
}

fn push(text: &mut String, object: &impl Serialize) -> serde_json::Result<()> {
    text.push_str("---\n");
    yaml::write(&serde_json::to_value(object)?, text);
    Ok(())
}

/// A file that begins with a separator brings its own.
fn pass(text: &mut String, file: &str) {
    if !file.starts_with("---") {
        text.push_str("---\n");
    }
    text.push_str(file);
    if !file.ends_with('\n') {
        text.push('\n');
    }
}

/// Writes the whole of it to stdout, at once and last.
///
/// # Errors
/// When stdout is closed or full.
pub(crate) fn to_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_passed_byte_for_byte_between_separators() {
        let mut text = String::new();
        for file in ["a: yes # kept\n", "---\nb: 0777", "# c\nc: |\n  ---\n"] {
            pass(&mut text, file);
        }
        assert_eq!(text, "---\na: yes # kept\n---\nb: 0777\n---\n# c\nc: |\n  ---\n");
    }
}
