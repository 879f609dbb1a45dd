//! What a change leaves in the catalog at each phase: for telling drift, and for adopting what is there already.

use std::fmt;

use schema_phases::SchemaPhase;

use crate::{
    Engine, SchemaChange, TableFacts,
    dialect::Dialect,
    refactoring::{Refactoring, Site, hidden_name, marker_name},
};

/// Something that must be in the catalog, or must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The table.
    pub table: String,
    /// The column of it; none when the table itself is meant.
    pub column: Option<String>,
    /// Whether it must be there.
    pub stands: bool,
    /// Whether a column must still take whatever an old version writes: NULL, and no default that would look like a
    /// value of a new one.
    pub bare: bool,
    /// What must hold of the table's rows; then neither the table nor a column is meant.
    pub promise: Option<Promise>,
}

/// A constraint that a change made, and the index that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The primary key has these columns, in this order.
    PrimaryKey(Vec<String>),
    /// No two rows have the same value in this column.
    Unique(String),
    /// The values of a column are found in another table.
    ForeignKey {
        /// The column.
        column: String,
        /// The other table.
        table: String,
    },
}

impl Promise {
    /// Whether the table that was found keeps it.
    pub fn is_kept(&self, facts: &TableFacts) -> bool {
        let last = |table: &str| table.rsplit('.').next().unwrap_or(table).trim_matches('"').to_ascii_lowercase();
        let only = |columns: &[String], column: &String| columns == std::slice::from_ref(column);
        match self {
            Self::PrimaryKey(columns) => facts.primary_key == *columns,
            Self::Unique(column) => {
                only(&facts.primary_key, column)
                    || facts.indexes.iter().any(|index| index.unique && only(&index.columns, column))
            }
            Self::ForeignKey { column, table } => {
                facts.foreign_keys.iter().any(|key| only(&key.columns, column) && last(&key.references) == last(table))
            }
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrimaryKey(columns) => write!(f, "PRIMARY KEY ({})", columns.join(", ")),
            Self::Unique(column) => write!(f, "UNIQUE ({column})"),
            Self::ForeignKey { column, table } => write!(f, "FOREIGN KEY ({column}) REFERENCES {table}"),
        }
    }
}

impl Trace {
    fn table(table: &str, stands: bool) -> Self {
        Self { table: table.to_owned(), column: None, stands, bare: false, promise: None }
    }

    fn column(table: &str, column: &str, stands: bool) -> Self {
        Self { column: Some(column.to_owned()), ..Self::table(table, stands) }
    }
}

/// What must be so while `change` rests at `phase`, or is on the way to contracted with its old shape `hidden`. Nothing is
/// known of plain SQL, and of nothing that is contracted: later changes may have gone on from there.
pub fn traces(engine: Engine, change: &SchemaChange, phase: SchemaPhase, hidden: bool) -> Vec<Trace> {
    let expanded = phase > SchemaPhase::Pending;
    if phase == SchemaPhase::Contracted {
        return Vec::new();
    }
    match &change.refactoring {
        Refactoring::CreateTable(this) => {
            let mut all = vec![Trace::table(&this.table, expanded)];
            if expanded {
                all.extend(this.columns().map(|column| Trace::column(&this.table, column, true)));
                let kept = |promise| Trace { promise: Some(promise), ..Trace::table(&this.table, true) };
                all.extend(this.promises().into_iter().map(kept));
            }
            all
        }
        Refactoring::AddColumn(this) => vec![Trace::column(this.table(), this.column(), expanded)],
        Refactoring::RenameColumn(this) => {
            mapped(engine, change, this.was(), &[this.becomes()], &this.table, expanded, hidden)
        }
        Refactoring::SplitColumn(this) => {
            let new: Vec<&str> = this.becomes().collect();
            mapped(engine, change, this.was(), &new, &this.table, expanded, hidden)
        }
        Refactoring::Sql(_) => Vec::new(),
    }
}

fn mapped(
    engine: Engine,
    change: &SchemaChange,
    old: &str,
    new: &[&str],
    table: &str,
    expanded: bool,
    hidden: bool,
) -> Vec<Trace> {
    let aside = hidden_name(&change.profile.name);
    let mut all = vec![Trace::column(table, old, !hidden), Trace::column(table, &aside, hidden)];
    all.extend(new.iter().map(|column| Trace { bare: expanded && !hidden, ..Trace::column(table, column, expanded) }));
    if Dialect::of(engine).commits_ddl() {
        // The triggers name it, and every write would fail.
        all.push(Trace::column(table, &marker_name(&change.profile.name), expanded));
    }
    all
}

/// What must be so once the change is contracted: for adopting, when nothing has gone on from there yet.
pub fn traces_of_the_end(change: &SchemaChange) -> Vec<Trace> {
    let gone = |table: &str, old: &str| {
        let aside = hidden_name(&change.profile.name);
        vec![Trace::column(table, old, false), Trace::column(table, &aside, false)]
    };
    match &change.refactoring {
        Refactoring::RenameColumn(this) => {
            let mut all = gone(&this.table, this.was());
            all.push(Trace::column(&this.table, this.becomes(), true));
            all
        }
        Refactoring::SplitColumn(this) => {
            let mut all = gone(&this.table, this.was());
            all.extend(this.becomes().map(|column| Trace::column(&this.table, column, true)));
            all
        }
        Refactoring::CreateTable(_) | Refactoring::AddColumn(_) | Refactoring::Sql(_) => {
            traces(Engine::Sqlite, change, SchemaPhase::Migrated, false)
        }
    }
}

impl Site<'_> {
    /// The name of a column of the old shape while it is hidden: it tells whose it is, as a comment of its own may stand
    /// on the column.
    pub(crate) fn hidden_name(&self) -> String {
        hidden_name(self.change)
    }
}
