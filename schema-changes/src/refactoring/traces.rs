//! What a change leaves in the catalog at each phase: for telling drift, and for adopting what is there already.

use std::fmt;

use schema_phases::{SchemaPhase, Span};

use crate::{
    ColumnFacts, Engine, SchemaChange, TableFacts,
    declared::same_column,
    dialect::{Dialect, same_type::same_type},
    refactoring::{Refactoring, Site, hidden_name, made_index::MadeIndex, marker_name},
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
    /// An index that must be there; then neither the table nor a column is meant.
    pub index: Option<MadeIndex>,
    /// How the column must be, as far as the change says.
    pub shape: Option<Shape>,
}

/// How a change made a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    engine: Engine,
    sql_type: TypeOf,
    /// Whether it takes NULL, where the change says.
    nullable: Option<bool>,
    /// Whether the change gave it a default.
    has_default: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TypeOf {
    /// As somebody wrote it.
    Written(String),
    /// As that of another column of the table, which is printed in the same way.
    Column(String),
}

impl Shape {
    fn written(engine: Engine, sql_type: &str) -> Self {
        Self { engine, sql_type: TypeOf::Written(sql_type.to_owned()), nullable: None, has_default: false }
    }

    /// What of the column is known to be otherwise: what it is, and what it was made as.
    pub fn differs(&self, column: &ColumnFacts, facts: &TableFacts) -> Option<(String, String)> {
        let there = &column.sql_type;
        let other = match &self.sql_type {
            TypeOf::Written(written) => {
                (same_type(self.engine, written, there) == Some(false)).then(|| written.clone())
            }
            TypeOf::Column(name) => {
                let of = facts.column(name).filter(|of| same_type(self.engine, &of.sql_type, there) == Some(false));
                of.map(|of| format!("{}, as {name} is", of.sql_type))
            }
        };
        if let Some(written) = other {
            return Some((format!("is of type {there}"), format!("of type {written}")));
        }
        // It says by itself that it forbids NULL.
        let serial =
            matches!(&self.sql_type, TypeOf::Written(written) if written.to_ascii_lowercase().contains("serial"));
        match self.nullable.filter(|_| !serial) {
            Some(true) if !column.nullable => return Some(("forbids NULL".into(), "as one that takes it".into())),
            Some(false) if column.nullable => return Some(("takes NULL".into(), "as one that forbids it".into())),
            Some(true | false) | None => {}
        }
        let lost = self.has_default && column.default.is_none();
        lost.then(|| ("has no default".to_owned(), "with one".to_owned()))
    }
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
        Self { table: table.to_owned(), column: None, stands, bare: false, promise: None, index: None, shape: None }
    }

    fn column(table: &str, column: &str, stands: bool) -> Self {
        Self { column: Some(column.to_owned()), ..Self::table(table, stands) }
    }
}

/// What must be so while `change` rests at `phase`, or is on the way to contracted with its old shape `hidden`. Of plain SQL
/// only its indexes are known, and of what is contracted nothing else: later changes may have gone on from there. What
/// other changes may have done to them, [`undisturbed`] knows.
pub fn traces(engine: Engine, change: &SchemaChange, phase: SchemaPhase, hidden: bool) -> Vec<Trace> {
    let expanded = phase > SchemaPhase::Pending;
    if let Refactoring::Sql(this) = &change.refactoring {
        let made = this.indexes(engine, phase);
        let trace = |(table, index): (String, MadeIndex)| Trace { index: Some(index), ..Trace::table(&table, true) };
        return made.into_iter().map(trace).collect();
    }
    if phase == SchemaPhase::Contracted {
        return Vec::new();
    }
    match &change.refactoring {
        Refactoring::CreateTable(this) => {
            let mut all = vec![Trace::table(&this.table, expanded)];
            if expanded {
                all.extend(this.shapes().map(|(column, sql_type, nullable, has_default)| {
                    let shape = Shape { nullable, has_default, ..Shape::written(engine, sql_type) };
                    Trace { shape: Some(shape), ..Trace::column(&this.table, column, true) }
                }));
                let kept = |promise| Trace { promise: Some(promise), ..Trace::table(&this.table, true) };
                all.extend(this.promises().into_iter().map(kept));
            }
            all
        }
        Refactoring::AddColumn(this) => {
            // What is filled row by row takes NULL until the contract.
            let shape = Shape {
                nullable: Some(this.nullable || this.fills()),
                has_default: this.default.as_ref().is_some_and(|default| !this.fills() && !default.is_null()),
                ..Shape::written(engine, &this.sql_type)
            };
            vec![Trace { shape: Some(shape), ..Trace::column(this.table(), this.column(), expanded) }]
        }
        Refactoring::RenameColumn(this) => {
            let old = if hidden { hidden_name(&change.profile.name) } else { this.was().to_owned() };
            let new = [(this.becomes(), Shape { sql_type: TypeOf::Column(old), ..Shape::written(engine, "") })];
            mapped(engine, change, this.was(), &new, &this.table, expanded, hidden)
        }
        Refactoring::SplitColumn(this) => {
            let new: Vec<_> = this.parts().map(|(name, written)| (name, Shape::written(engine, written))).collect();
            mapped(engine, change, this.was(), &new, &this.table, expanded, hidden)
        }
        Refactoring::Sql(_) => Vec::new(),
    }
}

fn mapped(
    engine: Engine,
    change: &SchemaChange,
    old: &str,
    new: &[(&str, Shape)],
    table: &str,
    expanded: bool,
    hidden: bool,
) -> Vec<Trace> {
    let aside = hidden_name(&change.profile.name);
    let mut all = vec![Trace::column(table, old, !hidden), Trace::column(table, &aside, hidden)];
    all.extend(new.iter().map(|(column, shape)| Trace {
        bare: expanded && !hidden,
        shape: Some(shape.clone()),
        ..Trace::column(table, column, expanded)
    }));
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
        Refactoring::CreateTable(_) | Refactoring::AddColumn(_) => {
            bare_of_shapes(traces(Engine::Sqlite, change, SchemaPhase::Migrated, false))
        }
        Refactoring::Sql(_) => Vec::new(),
    }
}

/// Without what is said of how columns are made: where no ledger says which changes have gone on from there.
pub fn bare_of_shapes(traces: Vec<Trace>) -> Vec<Trace> {
    traces.into_iter().map(|trace| Trace { shape: None, ..trace }).collect()
}

/// Another change of the same tables.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour<'a> {
    /// It, as Git declares it; none when it does so no more, and nobody knows what it did.
    pub change: Option<&'a SchemaChange>,
    /// Where the ledger says it is.
    pub span: Span,
}

/// Those of the traces that no other change of the same tables may have altered.
pub fn undisturbed(engine: Engine, traces: Vec<Trace>, neighbours: &[Neighbour<'_>]) -> Vec<Trace> {
    let mut all = traces;
    for Neighbour { change, span } in neighbours {
        let Some(change) = change else {
            all.retain(|trace| trace.index.is_none());
            all = bare_of_shapes(all);
            continue;
        };
        match &change.refactoring {
            Refactoring::Sql(this) => {
                all.retain(|trace| !trace.index.as_ref().is_some_and(|index| this.may_take(engine, index)));
                if this.may_alter(engine) {
                    all = bare_of_shapes(all);
                }
            }
            Refactoring::RenameColumn(this) => {
                all = beside_mapping(engine, all, &this.table, this.was(), &[this.becomes()], *span);
            }
            Refactoring::SplitColumn(this) => {
                let new: Vec<&str> = this.becomes().collect();
                all = beside_mapping(engine, all, &this.table, this.was(), &new, *span);
            }
            // A column that is taken back and added anew has lost its indexes.
            Refactoring::AddColumn(this) => {
                let settled = is_settled(*span);
                all.retain(|trace| settled || !mentions(engine, trace, this.column()));
            }
            Refactoring::CreateTable(_) => {}
        }
    }
    all
}

fn is_settled(span: Span) -> bool {
    matches!(span, Span::AtRest(SchemaPhase::Synced | SchemaPhase::Migrated | SchemaPhase::Contracted))
}

fn mentions(engine: Engine, trace: &Trace, column: &str) -> bool {
    trace.index.as_ref().is_some_and(|index| index.mentions.iter().any(|name| same_column(engine, name, column)))
}

/// What can be said beside a change that gives a column another shape: it sets constraints of the old column aside while it
/// keeps both shapes equal, and takes it away at its contract, with the indexes over it. (It does not contract before an
/// earlier change that made the column has.)
fn beside_mapping(engine: Engine, mut all: Vec<Trace>, table: &str, old: &str, new: &[&str], span: Span) -> Vec<Trace> {
    if span == Span::AtRest(SchemaPhase::Pending) {
        all.retain(|trace| !new.iter().any(|column| mentions(engine, trace, column)));
        return all;
    }
    let settled = is_settled(span);
    all.retain(|trace| !mentions(engine, trace, old));
    all.retain(|trace| settled || !new.iter().any(|column| mentions(engine, trace, column)));
    for trace in &mut all {
        if trace.table == table && trace.column.as_deref().is_some_and(|it| same_column(engine, it, old)) {
            trace.shape = None;
        }
    }
    all
}

impl Site<'_> {
    /// The name of a column of the old shape while it is hidden: it tells whose it is, as a comment of its own may stand
    /// on the column.
    pub(crate) fn hidden_name(&self) -> String {
        hidden_name(self.change)
    }
}
