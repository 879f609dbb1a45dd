//! The refactorings: what each one does in each move, on each engine. One a file.

pub(crate) mod add_column;
pub(crate) mod create_table;
mod hide;
pub(crate) mod made_index;
pub(crate) mod mapping;
mod mapping_moves;
mod mysql_add_column;
mod mysql_hide;
mod mysql_moves;
pub(crate) mod plain_sql;
pub(crate) mod rename_column;
pub(crate) mod split_column;
#[cfg(test)]
mod tests;
pub(crate) mod traces;

use std::collections::BTreeSet;

use schema_phases::{ChangeName, Conversion, LiveChange, Move, PhaseWindow, SchemaPhase};
use serde::Serialize;

use crate::{
    Catalog, ColumnFacts, Engine, Loss, SchemaChange, Step, SyncObject, TableFacts, WayBack,
    declared::{Complaints, suggest},
    dialect::Dialect,
    refactoring::{
        add_column::{AddColumn, AddColumnForm},
        create_table::{CreateTable, CreateTableForm},
        plain_sql::{PlainSql, PlainSqlForm},
        rename_column::{RenameColumn, RenameColumnForm},
        split_column::{SplitColumn, SplitColumnForm},
    },
};

/// A refactoring as written.
#[derive(Debug)]
pub(crate) enum Form {
    CreateTable(CreateTableForm),
    AddColumn(AddColumnForm),
    RenameColumn(RenameColumnForm),
    SplitColumn(SplitColumnForm),
    Sql(PlainSqlForm),
}

impl Form {
    /// The fields of a change's spec that name a refactoring.
    pub(crate) const FIELDS: [&'static str; 5] = ["createTable", "addColumn", "renameColumn", "splitColumn", "sql"];

    /// The field it stands in.
    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::CreateTable(_) => "createTable",
            Self::AddColumn(_) => "addColumn",
            Self::RenameColumn(_) => "renameColumn",
            Self::SplitColumn(_) => "splitColumn",
            Self::Sql(_) => "sql",
        }
    }

    /// The refactoring, checked; plain SQL needs more and is checked by its own function.
    pub(crate) fn check(self, complaints: &mut Complaints<'_>, engine: Engine) -> Option<Refactoring> {
        match self {
            Self::CreateTable(form) => form.check(complaints, engine).map(Refactoring::CreateTable),
            Self::AddColumn(form) => form.check(complaints, engine).map(Refactoring::AddColumn),
            Self::RenameColumn(form) => form.check(complaints, engine).map(Refactoring::RenameColumn),
            Self::SplitColumn(form) => form.check(complaints, engine).map(Refactoring::SplitColumn),
            Self::Sql(_) => None,
        }
    }
}

/// What a change does, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refactoring {
    CreateTable(CreateTable),
    AddColumn(AddColumn),
    RenameColumn(RenameColumn),
    SplitColumn(SplitColumn),
    Sql(PlainSql),
}

/// What a refactoring promises to app versions.
pub(crate) struct Promise {
    pub(crate) tables: BTreeSet<String>,
    pub(crate) old_window: PhaseWindow,
    pub(crate) new_window: PhaseWindow,
    pub(crate) conversion: Conversion,
}

impl Promise {
    /// Nothing of the old shape goes away, and the new one is whole as soon as it is there.
    fn additive(table: &str) -> Self {
        let new_window = PhaseWindow::new(SchemaPhase::Expanded, SchemaPhase::Contracted);
        Self {
            tables: [table.to_owned()].into(),
            old_window: PhaseWindow::WHOLE,
            new_window: new_window.unwrap_or(PhaseWindow::NEW_SHAPE),
            conversion: Conversion::None,
        }
    }

    /// Rows are converted or filled; versions of the old shape work until `last`.
    fn converting(table: &str, last: SchemaPhase) -> Self {
        Self {
            tables: [table.to_owned()].into(),
            old_window: PhaseWindow::until(last),
            new_window: PhaseWindow::NEW_SHAPE,
            conversion: Conversion::Rows,
        }
    }
}

impl Refactoring {
    pub(crate) fn promise(&self) -> Promise {
        match self {
            Self::CreateTable(this) => Promise::additive(&this.table),
            Self::AddColumn(this) => this.promise(),
            Self::RenameColumn(this) => Promise::converting(&this.table, SchemaPhase::Migrated),
            Self::SplitColumn(this) => Promise::converting(&this.table, SchemaPhase::Migrated),
            Self::Sql(this) => this.promise(),
        }
    }

    /// The files it names, relative to the plan's directory.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        match self {
            Self::Sql(this) => this.files(),
            Self::CreateTable(_) | Self::AddColumn(_) | Self::RenameColumn(_) | Self::SplitColumn(_) => BTreeSet::new(),
        }
    }

    /// Digest of everything that decides which statements run.
    pub(crate) fn definition(&self) -> String {
        match self {
            Self::CreateTable(this) => digest("createTable", &this.written),
            Self::AddColumn(this) => digest("addColumn", &this.written),
            Self::RenameColumn(this) => digest("renameColumn", &this.written),
            Self::SplitColumn(this) => digest("splitColumn", &this.written),
            Self::Sql(this) => this.definition(),
        }
    }

    /// The conversions that somebody wrote, and the fields they stand in.
    pub(crate) fn written_conversions(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::AddColumn(this) => this.written.conversions(),
            Self::SplitColumn(this) => this.written.conversions(),
            Self::CreateTable(_) | Self::RenameColumn(_) | Self::Sql(_) => Vec::new(),
        }
    }

    /// Whether its contract takes a column away, which can be hidden first.
    pub(crate) fn hides(&self) -> bool {
        match self {
            Self::RenameColumn(_) | Self::SplitColumn(_) => true,
            Self::CreateTable(_) | Self::AddColumn(_) | Self::Sql(_) => false,
        }
    }

    /// Whether it keeps two shapes of a table equal by triggers.
    pub(crate) fn syncs(&self) -> bool {
        match self {
            Self::RenameColumn(_) | Self::SplitColumn(_) => true,
            Self::AddColumn(this) => this.fills(),
            Self::CreateTable(_) | Self::Sql(_) => false,
        }
    }
}

/// A field that is absent leaves no trace in the text, so that a field added later changes no older digest.
fn digest(kind: &str, written: &impl Serialize) -> String {
    let text = serde_json::to_string(written).unwrap_or_default();
    crate::digest::of_texts(&[(kind.to_owned(), text)].into())
}

/// A change that an engine, or this table, cannot carry out safely.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{change}` cannot run on {engine}: {why}; {remedy}")]
pub struct Refused {
    /// The change.
    pub change: ChangeName,
    /// The engine.
    pub engine: Engine,
    /// Why not.
    pub why: String,
    /// What to do instead.
    pub remedy: String,
}

/// One change on one engine, with what the catalog says of its tables: what every refactoring is asked with.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) change: &'a ChangeName,
    pub(crate) dialect: Dialect,
    pub(crate) catalog: &'a Catalog,
    /// Whether a contract hides the old shape before it takes it away.
    pub(crate) hides: bool,
}

impl<'a> Site<'a> {
    fn new(change: &'a SchemaChange, engine: Engine, catalog: &'a Catalog) -> Self {
        let hides = change.soak.is_some();
        Self { change: &change.profile.name, dialect: Dialect::of(engine), catalog, hides }
    }

    pub(crate) fn refuse<T>(&self, why: impl Into<String>, remedy: impl Into<String>) -> Result<T, Refused> {
        let engine = self.dialect.engine();
        Err(Refused { change: self.change.clone(), engine, why: why.into(), remedy: remedy.into() })
    }

    /// What the catalog says of the table.
    pub(crate) fn table(&self, name: &str) -> Result<&'a TableFacts, Refused> {
        match self.catalog.get(name) {
            Some(facts) => Ok(facts),
            None => self.refuse(
                format!("the database has no table `{name}`"),
                suggest_or(name, self.catalog.keys().map(String::as_str), "create it first, or correct the name"),
            ),
        }
    }

    /// The same, of a table whose rows can be told apart.
    pub(crate) fn keyed_table(&self, name: &str) -> Result<&'a TableFacts, Refused> {
        let facts = self.table(name)?;
        if facts.primary_key.is_empty() {
            let table = self.dialect.quote(name);
            let add = match self.dialect {
                Dialect::Postgres => format!("CREATE UNIQUE INDEX CONCURRENTLY ON {table} (...)"),
                Dialect::Sqlite => format!("CREATE UNIQUE INDEX ... ON {table} (...)"),
                Dialect::Mysql | Dialect::Mariadb => {
                    format!("ALTER TABLE {table} ADD UNIQUE (...), ALGORITHM=INPLACE, LOCK=NONE")
                }
            };
            return self.refuse(
                format!(
                    "the table `{name}` has no primary key and no UNIQUE key over columns that are NOT NULL, so its rows \
                     cannot be filled range by range"
                ),
                format!("add one of the two first, for example: {add}"),
            );
        }
        let first = facts.primary_key.first().and_then(|first| facts.column(first));
        let listed = |column: &&ColumnFacts| {
            let of = |word: &str| column.sql_type.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
            of("enum(") || of("set(")
        };
        if self.dialect.commits_ddl()
            && facts.primary_key.len() > 1
            && let Some(column) = first.filter(listed)
        {
            return self.refuse(
                format!(
                    "the key of `{name}` begins with `{}`, an ENUM or SET, which no range of an index can begin with: each \
                     batch would read the whole table",
                    column.name
                ),
                "give the table a primary key that begins with another column",
            );
        }
        if let Some(dotted) = facts.primary_key.iter().find(|column| column.contains('.')) {
            return self.refuse(format!("the key column `{dotted}` contains a dot"), "rename it first");
        }
        Ok(facts)
    }

    /// The name of an object it makes. Sorts behind what anybody else would choose.
    pub(crate) fn object_name(&self, suffix: &str) -> String {
        object_name(self.change, suffix)
    }

    /// The name of the marker column of MariaDB and MySQL.
    pub(crate) fn marker_name(&self) -> String {
        marker_name(self.change)
    }

    /// The comment on every object it makes.
    pub(crate) fn comment(&self) -> String {
        format!("phasegate: {}", self.change)
    }
}

/// The name of an object that belongs to a change.
fn object_name(change: &ChangeName, suffix: &str) -> String {
    crate::declared::bounded_name("zzz_phasegate_", &change.as_str().replace('-', "_"), suffix)
}

fn hidden_name(change: &ChangeName) -> String {
    object_name(change, "_old")
}

/// The marker column of MariaDB and MySQL, by which a write of ours tells the triggers that it converts by itself. In the row,
/// as a session variable would outlive a statement that was killed, and the next write of a pooled connection would slip past
/// the triggers.
fn marker_name(change: &ChangeName) -> String {
    object_name(change, "_m")
}

fn suggest_or<'a>(wanted: &str, known: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    let known: Vec<&str> = known.collect();
    if known.is_empty() { otherwise.to_owned() } else { suggest(wanted, known.iter().copied()) }
}

/// The seven moves by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    Expand,
    Sync,
    Migrate,
    Contract,
    UndoExpand,
    UndoSync,
    UndoMigrate,
}

impl Leg {
    pub(crate) fn of(step: Move) -> Self {
        match (step.from().max(step.to()), step.is_forward()) {
            (SchemaPhase::Pending | SchemaPhase::Expanded, true) => Self::Expand,
            (SchemaPhase::Synced, true) => Self::Sync,
            (SchemaPhase::Migrated, true) => Self::Migrate,
            (SchemaPhase::Contracted, true) => Self::Contract,
            (SchemaPhase::Pending | SchemaPhase::Expanded, false) => Self::UndoExpand,
            (SchemaPhase::Synced, false) => Self::UndoSync,
            // INVARIANT: no `Move` leaves `contracted`.
            (SchemaPhase::Migrated | SchemaPhase::Contracted, false) => Self::UndoMigrate,
        }
    }

    /// Whether it goes towards `contracted`.
    pub(crate) const fn is_forward(self) -> bool {
        matches!(self, Self::Expand | Self::Sync | Self::Migrate | Self::Contract)
    }
}

/// What `step` does to a database, in order; empty when the phase is passed through. The number of steps and the place
/// of each stay the same while the move is under way, so that a runner may remember them by index.
///
/// # Errors
/// [`Refused`], before anything was done.
pub fn steps(change: &SchemaChange, step: Move, engine: Engine, catalog: &Catalog) -> Result<Vec<Step>, Refused> {
    let site = Site::new(change, engine, catalog);
    let leg = Leg::of(step);
    match &change.refactoring {
        Refactoring::CreateTable(this) => Ok(this.steps(&site, leg)),
        Refactoring::AddColumn(this) => this.steps(&site, leg),
        Refactoring::RenameColumn(this) => mapping_moves::steps(&this.mapping(&site, leg)?, &site, leg),
        Refactoring::SplitColumn(this) => mapping_moves::steps(&this.mapping(&site, leg)?, &site, leg),
        Refactoring::Sql(this) => Ok(this.steps(step)),
    }
}

/// What brings a hidden old shape back, exactly as it was at `migrated`; none when nothing is hidden.
///
/// # Errors
/// [`Refused`].
pub fn restore(change: &SchemaChange, engine: Engine, catalog: &Catalog) -> Result<Option<WayBack>, Refused> {
    let site = Site::new(change, engine, catalog);
    match &change.refactoring {
        Refactoring::RenameColumn(this) => Ok(hide::restore(&this.mapping(&site, Leg::Contract)?, &site)),
        Refactoring::SplitColumn(this) => Ok(hide::restore(&this.mapping(&site, Leg::Contract)?, &site)),
        Refactoring::CreateTable(_) | Refactoring::AddColumn(_) | Refactoring::Sql(_) => Ok(None),
    }
}

/// Whether somebody began to bring a hidden old shape back, and was stopped before all of it was done. Only where that is
/// several statements.
pub fn is_coming_back(change: &SchemaChange, engine: Engine, catalog: &Catalog) -> bool {
    let (table, old) = match &change.refactoring {
        Refactoring::RenameColumn(this) => (&this.table, this.was()),
        Refactoring::SplitColumn(this) => (&this.table, this.was()),
        Refactoring::CreateTable(_) | Refactoring::AddColumn(_) | Refactoring::Sql(_) => return false,
    };
    let hidden = hidden_name(&change.profile.name);
    let is_back = |facts: &TableFacts| facts.column(old).is_some() && facts.column(&hidden).is_none();
    Dialect::of(engine).commits_ddl() && catalog.get(table).is_some_and(is_back)
}

/// What `step` loses, each with the query that counts it; empty when it loses nothing.
///
/// # Errors
/// [`Refused`].
pub fn loss(change: &SchemaChange, step: Move, engine: Engine, catalog: &Catalog) -> Result<Vec<Loss>, Refused> {
    let site = Site::new(change, engine, catalog);
    let leg = Leg::of(step);
    match &change.refactoring {
        Refactoring::CreateTable(this) => Ok(this.loss(&site, leg)),
        Refactoring::AddColumn(this) => this.loss(&site, leg),
        Refactoring::RenameColumn(this) => Ok(mapping_moves::loss(&this.mapping(&site, leg)?, &site, leg)),
        Refactoring::SplitColumn(this) => Ok(mapping_moves::loss(&this.mapping(&site, leg)?, &site, leg)),
        // Only its author knows what plain SQL loses.
        Refactoring::Sql(_) => Ok(Vec::new()),
    }
}

/// The objects that must be present, enabled and unaltered for as long as the change is synced or migrated.
///
/// # Errors
/// [`Refused`].
pub fn sync_objects(change: &SchemaChange, engine: Engine, catalog: &Catalog) -> Result<Vec<SyncObject>, Refused> {
    let site = Site::new(change, engine, catalog);
    let leg = Leg::Sync;
    match &change.refactoring {
        Refactoring::AddColumn(this) => this.sync_objects(&site),
        Refactoring::RenameColumn(this) => Ok(mapping_moves::sync_objects(&this.mapping(&site, leg)?, &site)),
        Refactoring::SplitColumn(this) => Ok(mapping_moves::sync_objects(&this.mapping(&site, leg)?, &site)),
        Refactoring::CreateTable(_) | Refactoring::Sql(_) => Ok(Vec::new()),
    }
}

/// The change that keeps `change` from making `step`: at most one change that keeps two shapes of a table in step may
/// be past `expanded` on any one table, as two sets of triggers cannot convert in both directions.
pub fn sync_conflict(
    change: &SchemaChange,
    step: Move,
    changes: &[SchemaChange],
    live: &[LiveChange],
) -> Option<ChangeName> {
    if Leg::of(step) != Leg::Sync || !change.refactoring.syncs() {
        return None;
    }
    let syncing = |other: &&SchemaChange| {
        other.profile.name != change.profile.name
            && other.refactoring.syncs()
            && other.profile.shares_table_with(&change.profile)
            && live.iter().find(|entry| entry.profile.name == other.profile.name).is_some_and(|entry| {
                entry.span.highest() > SchemaPhase::Expanded && entry.span.lowest() < SchemaPhase::Contracted
            })
    };
    changes.iter().find(syncing).map(|other| other.profile.name.clone())
}
