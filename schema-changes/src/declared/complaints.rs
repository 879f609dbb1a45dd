//! `Complaints`: what is wrong with one file, collected rather than thrown.

use std::fmt::Display;

use schema_phases::nearest;

use crate::{FileError, declared::yaml::Node};

/// Everything found wrong with one file so far.
pub(crate) struct Complaints<'a> {
    file: &'a str,
    root: &'a Node,
    found: Vec<FileError>,
}

impl<'a> Complaints<'a> {
    pub(crate) fn new(file: &'a str, root: &'a Node) -> Self {
        Self { file, root, found: Vec::new() }
    }

    /// Notes what is wrong with the field at `path`, and what to do about it.
    pub(crate) fn add(&mut self, path: &[&str], message: impl Display, remedy: impl Display) {
        let line = self.root.line_of(path);
        self.add_at(line, path, message, remedy);
    }

    /// The same, at a line that is known.
    pub(crate) fn add_at(&mut self, line: u32, path: &[&str], message: impl Display, remedy: impl Display) {
        self.found.push(FileError {
            file: self.file.to_owned(),
            line: Some(line).filter(|line| *line > 0),
            field: if path.is_empty() { None } else { Some(path.join(".")) },
            message: message.to_string(),
            remedy: remedy.to_string(),
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_errors(self) -> Vec<FileError> {
        self.found
    }
}

/// `did you mean a or b?`, or the whole list when nothing is near.
pub(crate) fn suggest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let near = nearest(wanted, known.clone());
    if near.is_empty() {
        let mut all: Vec<&str> = known.into_iter().collect();
        all.sort_unstable();
        format!("use one of {}", all.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}
