//! What a change leaves in the catalog at each phase: for telling drift, and for adopting what is there already.

use schema_phases::SchemaPhase;

use crate::{
    SchemaChange,
    refactoring::{Refactoring, Site, hidden_name},
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
}

impl Trace {
    fn column(table: &str, column: &str, stands: bool) -> Self {
        Self { table: table.to_owned(), column: Some(column.to_owned()), stands, bare: false }
    }
}

/// What must be so while `change` rests at `phase`, or is on the way to contracted with its old shape `hidden`. Nothing is
/// known of plain SQL, and of nothing that is contracted: later changes may have gone on from there.
pub fn traces(change: &SchemaChange, phase: SchemaPhase, hidden: bool) -> Vec<Trace> {
    let expanded = phase > SchemaPhase::Pending;
    if phase == SchemaPhase::Contracted {
        return Vec::new();
    }
    match &change.refactoring {
        Refactoring::CreateTable(this) => {
            let mut all = vec![Trace { table: this.table.clone(), column: None, stands: expanded, bare: false }];
            if expanded {
                all.extend(this.columns().map(|column| Trace::column(&this.table, column, true)));
            }
            all
        }
        Refactoring::AddColumn(this) => vec![Trace::column(this.table(), this.column(), expanded)],
        Refactoring::RenameColumn(this) => mapped(change, this.was(), &[this.becomes()], &this.table, expanded, hidden),
        Refactoring::SplitColumn(this) => {
            let new: Vec<&str> = this.becomes().collect();
            mapped(change, this.was(), &new, &this.table, expanded, hidden)
        }
        Refactoring::Sql(_) => Vec::new(),
    }
}

fn mapped(change: &SchemaChange, old: &str, new: &[&str], table: &str, expanded: bool, hidden: bool) -> Vec<Trace> {
    let aside = hidden_name(&change.profile.name);
    let mut all = vec![Trace::column(table, old, !hidden), Trace::column(table, &aside, hidden)];
    all.extend(new.iter().map(|column| Trace { bare: expanded && !hidden, ..Trace::column(table, column, expanded) }));
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
            traces(change, SchemaPhase::Migrated, false)
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
