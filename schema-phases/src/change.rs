//! What both rules need to know of a schema change, and nothing of how it is carried out.

use std::collections::BTreeSet;

use crate::{name::ChangeName, phase::Span, window::PhaseWindow};

/// What a change promises to app versions. The ledger carries it, so that a gate needs no files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeProfile {
    /// Its name.
    pub name: ChangeName,
    /// Its place among the changes of its database: the order of the file names.
    pub order: u32,
    /// The tables it touches, as written in Git.
    pub tables: BTreeSet<String>,
    /// The phases in which a version built for the old shape works.
    pub old_window: PhaseWindow,
    /// The phases in which a version built for the new shape works.
    pub new_window: PhaseWindow,
    /// Whether rows are converted or filled on the way.
    pub conversion: Conversion,
}

impl ChangeProfile {
    /// Whether the two changes touch a common table.
    pub fn shares_table_with(&self, other: &Self) -> bool {
        !self.tables.is_disjoint(&other.tables)
    }
}

/// Whether a change fills or converts rows. If it does, a writer of the new shape before `migrated` destroys data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conversion {
    /// It only adds: an early writer of the new shape harms nothing.
    None,
    /// It converts or backfills.
    Rows,
}

/// A change and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LiveChange {
    /// What it promises.
    pub profile: ChangeProfile,
    /// Where it may be right now.
    pub span: Span,
}
