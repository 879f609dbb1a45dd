//! The annotation `supports.phasegate.dev/<database>`: what one app version says it was built for.
//!
//! It lives here and not beside the files from Git because the gate reads it too, and the gate needs no files.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::{
    change::{ChangeProfile, Conversion, LiveChange},
    name::{BadName, ChangeName, nearest},
    window::{PhaseWindow, UnreadableWindow},
};

/// More would be no annotation a person wrote; Kubernetes caps all annotations of an object at 256 KiB.
const MAX_LEN: usize = 64 * 1024;

/// The parsed list. An empty one is a version built for the old shape of every change.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Supports {
    named: Vec<(ChangeName, Option<PhaseWindow>)>,
    since: Option<ChangeName>,
    tables: Option<BTreeSet<String>>,
}

/// The text is not such a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSupports {
    /// Longer than any list a person writes.
    #[error("the list has {length} bytes; at most {MAX_LEN} are read")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Nothing between two commas.
    #[error("the list has an empty entry; remove the extra comma")]
    EmptyEntry,
    /// An entry begins with no change name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The window of an entry cannot be read.
    #[error("the window of `{change}` cannot be read: {cause}")]
    Window {
        /// The change named before the `=`.
        change: ChangeName,
        /// What is wrong with the window.
        cause: UnreadableWindow,
    },
    /// A change stands in the list twice.
    #[error("`{change}` stands in the list twice; keep one entry")]
    Twice {
        /// The change.
        change: ChangeName,
    },
    /// There are two `since=` entries.
    #[error("the list has two since= entries; keep the later change")]
    TwoSince,
    /// `tables(...)` is not closed, or names nothing.
    #[error("`{found}` is not a list of tables; write tables(orders, customers)")]
    Tables {
        /// What stood there, cut to 80 characters.
        found: String,
    },
}

impl FromStr for Supports {
    type Err = BadSupports;

    fn from_str(text: &str) -> Result<Self, BadSupports> {
        if text.len() > MAX_LEN {
            return Err(BadSupports::TooLong { length: text.len() });
        }
        let mut supports = Self::default();
        if text.trim().is_empty() {
            return Ok(supports);
        }
        for entry in entries(text) {
            supports.add(entry.trim())?;
        }
        Ok(supports)
    }
}

/// Cuts at the commas that stand outside parentheses.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let mut open = false;
    text.split(move |c: char| {
        match c {
            '(' => open = true,
            ')' => open = false,
            _ => {}
        }
        c == ',' && !open
    })
}

impl Supports {
    fn add(&mut self, entry: &str) -> Result<(), BadSupports> {
        if entry.is_empty() {
            return Err(BadSupports::EmptyEntry);
        }
        if let Some(rest) = entry.strip_prefix("tables(") {
            let bad = || BadSupports::Tables { found: entry.chars().take(80).collect() };
            let list = rest.strip_suffix(')').ok_or_else(bad)?;
            let tables = self.tables.get_or_insert_default();
            for table in list.split(',').map(str::trim) {
                if table.is_empty() || table.contains(['(', ')']) {
                    return Err(bad());
                }
                tables.insert(table.to_owned());
            }
            return Ok(());
        }
        let (name, value) = match entry.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (entry, None),
        };
        match value {
            Some(change) if name == "since" => {
                if self.since.replace(change.parse()?).is_some() {
                    return Err(BadSupports::TwoSince);
                }
            }
            window => {
                let change: ChangeName = name.parse()?;
                if self.named.iter().any(|(other, _)| *other == change) {
                    return Err(BadSupports::Twice { change });
                }
                let window = window
                    .map(str::parse)
                    .transpose()
                    .map_err(|cause| BadSupports::Window { change: change.clone(), cause })?;
                self.named.push((change, window));
            }
        }
        Ok(())
    }

    /// Every change the list names, `since=` included.
    pub fn names(&self) -> impl Iterator<Item = &ChangeName> {
        self.named.iter().map(|(name, _)| name).chain(&self.since)
    }

    /// The window of this version for one of `changes`.
    ///
    /// # Errors
    /// [`Unclear`] when `since=` names no known change, or an explicit window lets a writer of the new shape in early.
    pub fn window_of(&self, change: &ChangeProfile, changes: &[LiveChange]) -> Result<PhaseWindow, Unclear> {
        if let Some((_, window)) = self.named.iter().find(|(name, _)| *name == change.name) {
            let Some(window) = *window else { return Ok(change.new_window) };
            let one_shape = change.old_window.covers(window) || change.new_window.covers(window);
            return if one_shape || change.conversion == Conversion::None {
                Ok(window)
            } else {
                Err(Unclear::EarlyWriter { change: change.name.clone(), window })
            };
        }
        if self.tables.as_ref().is_some_and(|tables| tables.is_disjoint(&change.tables)) {
            return Ok(PhaseWindow::WHOLE);
        }
        let Some(since) = &self.since else { return Ok(change.old_window) };
        let last_new =
            changes.iter().find(|other| other.profile.name == *since).ok_or_else(|| unknown(since, changes))?;
        Ok(if change.order <= last_new.profile.order { change.new_window } else { change.old_window })
    }
}

fn unknown(name: &ChangeName, changes: &[LiveChange]) -> Unclear {
    let known = changes.iter().map(|change| change.profile.name.as_str());
    let nearest = nearest(name.as_str(), known).into_iter().map(str::to_owned).collect();
    Unclear::UnknownChange { name: name.clone(), nearest }
}

impl fmt::Display for Supports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        for (name, window) in &self.named {
            parts.push(window.map_or_else(|| name.to_string(), |window| format!("{name}={window}")));
        }
        parts.extend(self.since.iter().map(|name| format!("since={name}")));
        if let Some(tables) = &self.tables {
            let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
            parts.push(format!("tables({})", tables.join(", ")));
        }
        f.write_str(&parts.join(", "))
    }
}

/// One version of an app, as its pod template describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppVersion {
    /// What people call it, for messages: `shop/ReplicaSet shop-7d4b9`, `consumer billing`.
    pub name: String,
    /// Its annotation as written; empty when it has none.
    pub annotation: String,
}

impl AppVersion {
    /// The windows of this version, one for each of `changes`, in their order. The gate's strict reading.
    ///
    /// # Errors
    /// The first [`Unclear`] thing about it; an unknown name counts.
    pub fn windows(&self, changes: &[LiveChange]) -> Result<Vec<PhaseWindow>, Unclear> {
        let supports: Supports = self.annotation.parse().map_err(Unclear::Unreadable)?;
        if let Some(name) = supports.names().find(|name| changes.iter().all(|known| known.profile.name != **name)) {
            return Err(unknown(name, changes));
        }
        changes.iter().map(|change| supports.window_of(&change.profile, changes)).collect()
    }

    /// The window of this version for one change. The runner's reading: a name that no change has says nothing about
    /// the others, unless it is the one behind `since=`.
    ///
    /// # Errors
    /// What is [`Unclear`] about this window.
    pub fn window(&self, change: &ChangeProfile, changes: &[LiveChange]) -> Result<PhaseWindow, Unclear> {
        let supports: Supports = self.annotation.parse().map_err(Unclear::Unreadable)?;
        match supports.window_of(change, changes) {
            // What it declares is plain, however unwise: a move must not take it further out.
            Err(Unclear::EarlyWriter { window, .. }) => Ok(window),
            other => other,
        }
    }
}

/// Why the windows of a version cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// The annotation does not follow the grammar.
    Unreadable(BadSupports),
    /// It names a change that the database does not have (yet).
    UnknownChange {
        /// The name.
        name: ChangeName,
        /// The nearest names there are.
        nearest: Vec<String>,
    },
    /// Its window lets a writer of the new shape in before the rows are migrated.
    EarlyWriter {
        /// The change.
        change: ChangeName,
        /// The window it declares.
        window: PhaseWindow,
    },
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(cause) => write!(f, "its supports annotation cannot be read: {cause}"),
            Self::UnknownChange { name, nearest } => {
                write!(f, "it names `{name}`, which this database does not have")?;
                if !nearest.is_empty() {
                    write!(f, " (did you mean {}?)", nearest.join(", "))?;
                }
                Ok(())
            }
            Self::EarlyWriter { change, window } => write!(
                f,
                "its window {change}={window} lets the new shape be written before migrated, which destroys data; \
                 start it at migrated or end it with the old shape"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{SchemaPhase, Span};

    fn change(name: &str, order: u32, table: &str, conversion: Conversion) -> LiveChange {
        LiveChange {
            profile: ChangeProfile {
                name: name.parse().unwrap(),
                order,
                tables: [table.to_owned()].into(),
                old_window: PhaseWindow::until(SchemaPhase::Migrated),
                new_window: PhaseWindow::NEW_SHAPE,
                conversion,
            },
            span: Span::AtRest(SchemaPhase::Pending),
        }
    }

    /// Three changes: `first` and `third` on customers, `second` on orders and purely additive.
    fn windows(annotation: &str) -> Result<String, String> {
        let changes = [
            change("first", 1, "customers", Conversion::Rows),
            change("second", 2, "orders", Conversion::None),
            change("third", 3, "customers", Conversion::Rows),
        ];
        let version = AppVersion { name: "v".into(), annotation: annotation.into() };
        version
            .windows(&changes)
            .map(|windows| windows.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            .map_err(|unclear| unclear.to_string())
    }

    #[test]
    fn each_token_means_what_the_table_in_the_reference_says() {
        const OLD: &str = "pending..migrated";
        const NEW: &str = "migrated..contracted";
        const ANY: &str = "pending..contracted";
        let rows = [
            ("", [OLD, OLD, OLD]),
            ("   ", [OLD, OLD, OLD]),
            ("first", [NEW, OLD, OLD]),
            ("first,third", [NEW, OLD, NEW]),
            ("since=second", [NEW, NEW, OLD]),
            ("since=second, third", [NEW, NEW, NEW]),
            ("second=expanded..contracted", [OLD, "expanded..contracted", OLD]),
            ("first=synced..migrated", ["synced..migrated", OLD, OLD]),
            ("tables(orders)", [ANY, OLD, ANY]),
            ("tables(orders, customers)", [OLD, OLD, OLD]),
            ("tables(orders), since=third", [ANY, NEW, ANY]),
            ("tables(orders), first", [NEW, OLD, ANY]),
        ];
        for (annotation, want) in rows {
            assert_eq!(windows(annotation), Ok(want.join(" ")), "{annotation}");
        }
    }

    #[test]
    fn what_cannot_be_understood_names_the_place_and_the_remedy() {
        let rows = [
            ("first,", "remove the extra comma"),
            ("First", "`First` cannot name a schema change"),
            ("first=contracted..migrated", "write migrated..contracted"),
            ("first=later..contracted", "`later` is not a schema phase"),
            ("first=migrated", "write FIRST..LAST"),
            ("first, first=pending..synced", "stands in the list twice"),
            ("since=first, since=second", "two since= entries"),
            ("tables(", "is not a list of tables"),
            ("tables()", "is not a list of tables"),
            ("tables(a,)", "is not a list of tables"),
            ("frist", "did you mean first?"),
            ("since=secand", "did you mean second?"),
            ("first=expanded..contracted", "destroys data"),
        ];
        for (annotation, want) in rows {
            let told = windows(annotation).unwrap_err();
            assert!(told.contains(want), "{annotation}: {told}");
        }
        assert!(windows(&"a".repeat(MAX_LEN + 1)).unwrap_err().contains("at most"));
    }

    #[test]
    fn a_name_nobody_knows_says_nothing_about_the_other_changes_to_the_runner() {
        let changes = [change("first", 1, "customers", Conversion::Rows)];
        let named = AppVersion { name: "v".into(), annotation: "first, stranger".into() };
        assert_eq!(named.window(&changes[0].profile, &changes), Ok(PhaseWindow::NEW_SHAPE));
        let since = AppVersion { name: "v".into(), annotation: "since=stranger".into() };
        assert!(since.window(&changes[0].profile, &changes).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_prints_and_reads_back(text in "[a-c(),=. -]{0,30}|.{0,60}") {
            if let Ok(supports) = text.parse::<Supports>() {
                prop_assert_eq!(supports.to_string().parse::<Supports>(), Ok(supports));
            }
        }
    }
}
