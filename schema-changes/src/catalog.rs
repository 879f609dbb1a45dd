//! What the live catalog says of the tables a change touches. The runner reads it; the refactorings rely on it.

use std::collections::BTreeMap;

/// The tables by name, as written in the change.
pub type Catalog = BTreeMap<String, TableFacts>;

/// One table that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableFacts {
    /// The schema it was found in, where the engine has schemas.
    pub schema: Option<String>,
    /// Its columns in order.
    pub columns: Vec<ColumnFacts>,
    /// The columns of its primary key in order; without one, of a UNIQUE key over columns that are NOT NULL; empty when it
    /// has neither.
    pub primary_key: Vec<String>,
    /// Triggers on it, by name, that Phasegate did not make.
    pub triggers: Vec<String>,
    /// Rows, as estimated by the engine without a scan.
    pub rows_estimate: u64,
    /// The engine's full definition where it keeps one: the CREATE TABLE text of SQLite, the answer to SHOW CREATE TABLE
    /// of MariaDB and MySQL, from which AUTO_INCREMENT, ON UPDATE, CHECK and cascading keys are read.
    pub definition: Option<String>,
    /// Its indexes, those of UNIQUE constraints too; not the one of the primary key.
    pub indexes: Vec<IndexFacts>,
    /// The foreign keys that stand on it.
    pub foreign_keys: Vec<ForeignKeyFacts>,
    /// Its columns that foreign keys of any table point to.
    pub referenced_columns: Vec<String>,
}

/// One index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexFacts {
    /// Its name.
    pub name: String,
    /// The columns it covers; of an expression or a partial index also those its text mentions, as far as known.
    pub columns: Vec<String>,
    /// Whether it forbids duplicates.
    pub unique: bool,
    /// Its key columns in order; empty when one of them is an expression.
    pub key: Vec<String>,
    /// Whether queries use it: on PostgreSQL a build that failed leaves one that none uses.
    pub valid: bool,
}

/// One foreign key that stands on a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKeyFacts {
    /// Its name; empty where the engine gives it none.
    pub name: String,
    /// The columns of this table in it.
    pub columns: Vec<String>,
    /// The table it points to.
    pub references: String,
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
    /// Its type, as the engine would print it in DDL; on MariaDB and MySQL text has CHARACTER SET and COLLATE behind it.
    pub sql_type: String,
    /// Whether it accepts NULL.
    pub nullable: bool,
    /// Its default, as it can stand behind DEFAULT; none when that is NULL.
    pub default: Option<String>,
    /// Whether the engine computes it.
    pub generated: bool,
}
