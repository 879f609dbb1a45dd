//! `Problem`: what is wrong in which file, and what to do about it. Argo CD shows these lines to users.

use std::{borrow::Cow, fmt};

use schema_changes::FileError;

/// One thing that keeps `generate` from making anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, relative to the folder that was read; `parameter image` and the like when it is no file.
    pub place: String,
    /// The line in it.
    pub line: Option<u32>,
    /// The field, as a path of keys.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), line: None, field: None, message: message.into(), remedy: remedy.into() }
    }

    pub(crate) fn line(mut self, line: impl Into<Option<u32>>) -> Self {
        self.line = line.into().filter(|line| *line > 0);
        self
    }

    /// The error of a plan that lies in `folder`, which is empty for the folder that was read itself.
    pub(crate) fn in_plan(folder: &str, error: FileError) -> Self {
        let FileError { file, line, field, message, remedy } = error;
        Self { place: join(folder, &file), line, field, message, remedy }
    }
}

/// A path below a folder; the folder may be empty.
pub(crate) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.place))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ": {}", printable(field))?;
        }
        write!(f, ": {}; {}", printable(&self.message), printable(&self.remedy))
    }
}

/// One line that a terminal takes for text: a name from a file may hold line feeds and escape sequences.
fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(text.replace(char::is_control, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_what_and_what_to_do() {
        let plain = Problem::new("app.yaml", "it has no kind", "add one");
        assert_eq!(plain.to_string(), "app.yaml: it has no kind; add one");
        let full = Problem { field: Some("spec.engine".into()), ..plain.line(7) };
        assert_eq!(full.to_string(), "app.yaml:7: spec.engine: it has no kind; add one");
        let hostile = Problem::new("a\nb", "\u{1b}[31m", "c\rd");
        assert_eq!(hostile.to_string(), "a\u{fffd}b: \u{fffd}[31m; c\u{fffd}d");
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("db", "a"), "db/a");
    }
}
