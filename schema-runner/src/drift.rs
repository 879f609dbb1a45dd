//! Drift: what the ledger says is in the database, and is not, or not as it was made. Named with what to do, never
//! repaired: whoever changed it had a reason, and what it let pass meanwhile nobody knows.

use phase_ledger::{LedgerEntry, LedgerState, Session};
use schema_changes::{
    Catalog, ColumnFacts, Found, MadeIndex, Neighbour, Plan, SchemaChange, TableFacts, Trace, undisturbed,
};
use schema_phases::{SchemaPhase, Span};

use crate::{
    catalog,
    halt::{Halt, MoveError},
    moves::Moves,
    protocol::Attempt,
    sync_check::{BROKEN, broken_sync},
};

/// One thing that is not as the ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The object: `customers.first_name`.
    pub object: String,
    /// What is wrong, and what to do.
    pub why: String,
    /// The statement that made it, where one did.
    pub definition: Option<String>,
}

/// Where a change rests, or rests hidden; none in the middle of a move, where only its runner knows what stands.
fn standing(entry: &LedgerEntry) -> Option<(SchemaPhase, bool)> {
    match entry.span {
        Span::AtRest(phase) => Some((phase, false)),
        Span::Intended(step) => Some((step.from(), false)),
        Span::Acting(step) => entry.is_hidden().then_some((step.from(), true)),
    }
}

/// The other changes of the same tables that the ledger knows, as Git declares them.
fn neighbours<'a>(plan: &'a Plan, state: &LedgerState, entry: &LedgerEntry) -> Vec<Neighbour<'a>> {
    let others = state
        .changes
        .iter()
        .filter(|other| other.profile.name != entry.profile.name && other.profile.shares_table_with(&entry.profile));
    let neighbour = |other: &LedgerEntry| {
        let change = plan.changes.iter().find(|change| change.profile.name == other.profile.name);
        Neighbour { change, span: other.span }
    };
    others.map(neighbour).collect()
}

/// What has drifted of one change.
pub(crate) async fn drift(
    session: &mut dyn Session,
    plan: &Plan,
    state: &LedgerState,
    moves: &dyn Moves,
    change: &SchemaChange,
    entry: &LedgerEntry,
) -> Result<Vec<Drift>, Halt> {
    let Some((phase, hidden)) = standing(entry) else { return Ok(Vec::new()) };
    let engine = plan.database.engine;
    let traces = undisturbed(engine, moves.traces(change, phase, hidden), &neighbours(plan, state, entry));
    let synced = matches!(phase, SchemaPhase::Synced | SchemaPhase::Migrated);
    if traces.is_empty() && !synced && !hidden {
        return Ok(Vec::new());
    }
    let catalog = catalog::read(session, engine, &change.profile.tables).await?;
    if hidden && moves.is_coming_back(change, &catalog) {
        // The next run ends what one before began.
        return Ok(Vec::new());
    }
    let mut found: Vec<Drift> = traces.iter().filter_map(|trace| told(trace, phase, &catalog)).collect();
    // Without its columns nothing can be said of its triggers.
    if found.is_empty() && synced {
        let broken = broken_sync(session, moves, change, &catalog).await?;
        found.extend(broken.into_iter().map(|object| Drift {
            object: format!("{} on {}", object.name, object.table),
            why: format!(
                "{} on {} {BROKEN}; writes may have gone unsynced: put it back as it was, and the verification will \
                 count what it missed",
                object.name, object.table
            ),
            definition: Some(object.definition),
        }));
    }
    Ok(found)
}

/// What is wrong with a trace, if anything is.
pub(crate) fn told(trace: &Trace, phase: SchemaPhase, catalog: &Catalog) -> Option<Drift> {
    let facts = catalog.get(&trace.table);
    let name = trace.column.as_deref();
    if let Some(index) = &trace.index {
        return told_of_index(&trace.table, index, phase, facts);
    }
    if let Some(promise) = &trace.promise {
        // Without its table nothing can be said of it, and the table is named already.
        return facts.filter(|facts| !promise.is_kept(facts)).map(|_| Drift {
            object: format!("{promise} of {}", trace.table),
            why: format!(
                "{promise} of {} is not there or is another, and the ledger says that the change is {phase}: put it back \
                 after mending the rows that break it",
                trace.table
            ),
            definition: None,
        });
    }
    let object = name.map_or_else(|| trace.table.clone(), |name| format!("{}.{name}", trace.table));
    let column = name.and_then(|name| facts?.column(name));
    let there = if name.is_some() { column.is_some() } else { facts.is_some() };
    let why = match (trace.stands, there) {
        (true, false) => format!(
            "{object} is not there, and the ledger says that the change is {phase}: put it back as it was, with what was \
             in it from a backup, and ask `phasegate verify`"
        ),
        (false, true) if phase == SchemaPhase::Pending => format!(
            "{object} is there already, and the ledger says that the change is pending: if it was made by hand, take it \
             away"
        ),
        (false, true) => format!(
            "{object} is there, and must not be while the change is {phase}: rename or drop it, if nobody needs it"
        ),
        (true, true) => {
            let bare = column.filter(|_| trace.bare).and_then(|column| enforced(&object, column));
            bare.or_else(|| altered(&object, trace, column?, facts?))?
        }
        (false, false) => return None,
    };
    Some(Drift { object, why, definition: None })
}

/// What a column of the new shape demands of writers that do not know it.
fn enforced(object: &str, column: &ColumnFacts) -> Option<String> {
    if let Some(default) = &column.default {
        return Some(format!(
            "{object} has the default {default}, which makes each row of an old version look like one of a new version: \
             drop the default until the change is contracted"
        ));
    }
    (!column.nullable).then(|| {
        format!(
            "{object} forbids NULL, which can reject what an old version writes: allow it until the change is contracted"
        )
    })
}

/// What of a column is not as its change made it.
fn altered(object: &str, trace: &Trace, column: &ColumnFacts, facts: &TableFacts) -> Option<String> {
    let (is, was) = trace.shape.as_ref()?.differs(column, facts)?;
    Some(format!(
        "{object} {is}, and its change made it {was}: alter it back; if it shall be so, say it in Git by a change of its \
         own in plain SQL"
    ))
}

fn told_of_index(table: &str, index: &MadeIndex, phase: SchemaPhase, facts: Option<&TableFacts>) -> Option<Drift> {
    let is = match facts.map_or(Found::Missing, |facts| index.found(facts)) {
        Found::Same => return None,
        Found::Missing => "is not there",
        Found::Other => "is another than the one that was made",
        Found::Invalid => "is invalid, so that no query uses it",
    };
    Some(Drift {
        object: format!("{index} of {table}"),
        why: format!(
            "{index} of {table} {is}, and the ledger says that the change is {phase}: make it anew as it was ({}); if it \
             shall be gone, say it in Git by a change in plain SQL that drops it",
            index.statement.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        definition: Some(index.statement.clone()),
    })
}

impl Attempt<'_> {
    /// Stops a change whose objects are not as the ledger says.
    pub(crate) async fn explain(&mut self, change: &SchemaChange) -> Result<(), Halt> {
        let state = self.state().await?;
        let Some(entry) = state.change(&change.profile.name) else { return Ok(()) };
        if entry.span == Span::AtRest(SchemaPhase::Pending) && change.target.is_reached(entry.span) {
            return Ok(());
        }
        let form = crate::soak::as_begun(change, entry.is_hidden());
        let found = drift(self.session.as_mut(), self.plan, &state, self.ports.moves, &form, entry).await?;
        if found.is_empty() {
            return Ok(());
        }
        Err(MoveError::Drifted { what: found.into_iter().map(|drift| drift.why).collect() }.into())
    }
}
