//! What every write must come to, said once more in Rust, from the rules and not from the statements.

use schema_changes::Engine;

use crate::bench::Cell;

/// One row: a name as one text, and as two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) old: Cell,
    pub(crate) new: [Cell; 2],
}

/// What the triggers know.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) engine: Engine,
    /// Whether the old column forbids NULL.
    pub(crate) required: bool,
}

impl Rules {
    /// Up to the first space, and what follows it.
    pub(crate) fn forward(self, old: &Cell) -> [Cell; 2] {
        match old.as_deref().map(|text| text.split_once(' ').map_or((text, None), |(a, b)| (a, Some(b)))) {
            Some((first, last)) => [Some(first.to_owned()), last.map(str::to_owned)],
            None => [None, None],
        }
    }

    /// The parts that there are, with a space between them.
    pub(crate) fn back(self, new: &[Cell; 2]) -> Cell {
        let parts: Vec<&str> = new.iter().flatten().map(String::as_str).collect();
        match parts.as_slice() {
            [] if self.required => Some(String::new()),
            [] => None,
            parts => Some(parts.join(" ")),
        }
    }

    /// The row that an INSERT leaves behind; `None` when it must fail.
    pub(crate) fn insert(self, mut row: Person) -> Option<Person> {
        let blank = self.required && row.old.is_none();
        if row.new != self.forward(&row.old) || blank {
            if row.new.iter().any(Option::is_some) || blank {
                row.old = self.back(&row.new);
            } else {
                row.new = self.forward(&row.old);
            }
        }
        Some(row)
    }

    /// The row that an UPDATE leaves behind; `None` when it must fail.
    pub(crate) fn update(self, before: &Person, mut row: Person, key_moved: bool) -> Option<Person> {
        let empty = |new: &[Cell; 2]| new.iter().all(Option::is_none);
        let disagree = |row: &Person| row.new != self.forward(&row.old);
        if before.new != row.new {
            if disagree(&row) {
                if empty(&before.new) && before.old != self.back(&before.new) {
                    let filled = self.forward(&before.old);
                    for (cell, value) in row.new.iter_mut().zip(filled) {
                        *cell = cell.take().or(value);
                    }
                }
                if disagree(&row) {
                    row.old = self.back(&row.new);
                }
            }
        } else if before.old != row.old {
            // SQLite cannot tell an app's write of b(new) from its own.
            let agrees = self.engine == Engine::Sqlite && row.old == self.back(&row.new);
            if disagree(&row) && !agrees {
                if self.required && row.old.is_none() {
                    return None;
                }
                row.new = self.forward(&row.old);
            }
        } else if key_moved && empty(&row.new) && row.old != self.back(&row.new) {
            row.new = self.forward(&row.old);
        }
        if self.required && row.old.is_none() { None } else { Some(row) }
    }

    pub(crate) fn agrees(self, row: &Person) -> bool {
        row.new == self.forward(&row.old) || row.old == self.back(&row.new)
    }
}
