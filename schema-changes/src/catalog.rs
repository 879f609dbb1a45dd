//! What the live catalog says of the tables a change touches. The runner reads it; the refactorings rely on it.

use std::collections::BTreeMap;

/// The tables by name, as written in the change.
pub type Catalog = BTreeMap<String, TableFacts>;

/// One table that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableFacts {
    /// Its columns in order.
    pub columns: Vec<ColumnFacts>,
    /// The columns of its primary key in order; empty when it has none.
    pub primary_key: Vec<String>,
    /// Triggers on it, by name, that Phasegate did not make.
    pub triggers: Vec<String>,
    /// Rows, as estimated by the engine without a scan.
    pub rows_estimate: u64,
    /// The engine's full definition where it keeps one (SQLite: the CREATE TABLE text).
    pub definition: Option<String>,
}

impl TableFacts {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// Its type, as the engine would print it in DDL.
    pub sql_type: String,
    /// Whether it accepts NULL.
    pub nullable: bool,
    /// Its default expression.
    pub default: Option<String>,
    /// Whether the engine computes it.
    pub generated: bool,
}
