//! The refactorings: what each one does in each move, on each engine. One a file.

use schema_phases::{ChangeName, LiveChange, Move};

use crate::{Catalog, Engine, Loss, SchemaChange, Step, SyncObject};

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refactoring {}

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

/// What `step` does to a database, in order; empty when the phase is passed through. The number of steps and the place
/// of each stay the same while the move is under way, so that a runner may remember them by index.
///
/// # Errors
/// [`Refused`], before anything was done.
pub fn steps(change: &SchemaChange, step: Move, engine: Engine, catalog: &Catalog) -> Result<Vec<Step>, Refused> {
    let _ = (step, engine, catalog);
    match change.refactoring {}
}

/// What `step` loses, each with the query that counts it; empty when it loses nothing.
///
/// # Errors
/// [`Refused`].
pub fn loss(change: &SchemaChange, step: Move, engine: Engine, catalog: &Catalog) -> Result<Vec<Loss>, Refused> {
    let _ = (step, engine, catalog);
    match change.refactoring {}
}

/// The objects that must be present, enabled and unaltered for as long as the change is synced or migrated.
///
/// # Errors
/// [`Refused`].
pub fn sync_objects(change: &SchemaChange, engine: Engine, catalog: &Catalog) -> Result<Vec<SyncObject>, Refused> {
    let _ = (engine, catalog);
    match change.refactoring {}
}

/// The change that keeps `change` from making `step`: at most one change that keeps two shapes of a table in step may
/// be past `expanded` on any one table.
pub fn sync_conflict(
    change: &SchemaChange,
    step: Move,
    changes: &[SchemaChange],
    live: &[LiveChange],
) -> Option<ChangeName> {
    let _ = (step, changes, live);
    match change.refactoring {}
}
