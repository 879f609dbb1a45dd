//! What a change does in each of its moves, as the runner asks for it. The real answer comes from schema-changes; tests
//! write their own.

use phase_ledger::Statement;
use schema_changes::{Catalog, Engine, Loss, SchemaChange, Step, SyncObject, Trace, WayBack};
use schema_phases::{ChangeName, LiveChange, Move, SchemaPhase};

/// Why a move cannot be made on this database at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct CannotMove {
    /// What stands in the way, and the remedy.
    pub why: String,
}

/// Says what moves consist of.
pub trait Moves: Send + Sync {
    /// The steps of the move, in order; none for a phase that is passed through.
    ///
    /// # Errors
    /// [`CannotMove`] when the change refuses the tables it finds.
    fn steps(&self, change: &SchemaChange, step: Move, catalog: &Catalog) -> Result<Vec<Step>, CannotMove>;

    /// What the move loses.
    ///
    /// # Errors
    /// [`CannotMove`], as above.
    fn loss(&self, change: &SchemaChange, step: Move, catalog: &Catalog) -> Result<Vec<Loss>, CannotMove>;

    /// What keeps the shapes equal from `synced` on, as it must stand in the catalog.
    ///
    /// # Errors
    /// [`CannotMove`], as above.
    fn sync_objects(&self, change: &SchemaChange, catalog: &Catalog) -> Result<Vec<SyncObject>, CannotMove>;

    /// What brings a hidden old shape back; none when nothing is hidden.
    ///
    /// # Errors
    /// [`CannotMove`], as above.
    fn restore(&self, change: &SchemaChange, catalog: &Catalog) -> Result<Option<WayBack>, CannotMove>;

    /// Whether a runner before began to bring it back, and stopped before all of it was done.
    fn is_coming_back(&self, change: &SchemaChange, catalog: &Catalog) -> bool;

    /// What must be in the catalog, and what must not, while the change rests at a phase.
    fn traces(&self, change: &SchemaChange, phase: SchemaPhase, hidden: bool) -> Vec<Trace>;

    /// The change that keeps two shapes of a table of this one in step, so that this one may not make the move yet.
    fn sync_conflict(
        &self,
        change: &SchemaChange,
        step: Move,
        changes: &[SchemaChange],
        live: &[LiveChange],
    ) -> Option<ChangeName>;
}

/// What schema-changes says, for one engine.
#[derive(Clone, Copy, Debug)]
pub struct Declared(pub Engine);

fn cannot(refused: &schema_changes::Refused) -> CannotMove {
    CannotMove { why: refused.to_string() }
}

impl Moves for Declared {
    fn steps(&self, change: &SchemaChange, step: Move, catalog: &Catalog) -> Result<Vec<Step>, CannotMove> {
        schema_changes::steps(change, step, self.0, catalog).map_err(|refused| cannot(&refused))
    }

    fn loss(&self, change: &SchemaChange, step: Move, catalog: &Catalog) -> Result<Vec<Loss>, CannotMove> {
        schema_changes::loss(change, step, self.0, catalog).map_err(|refused| cannot(&refused))
    }

    fn sync_objects(&self, change: &SchemaChange, catalog: &Catalog) -> Result<Vec<SyncObject>, CannotMove> {
        schema_changes::sync_objects(change, self.0, catalog).map_err(|refused| cannot(&refused))
    }

    fn restore(&self, change: &SchemaChange, catalog: &Catalog) -> Result<Option<WayBack>, CannotMove> {
        schema_changes::restore(change, self.0, catalog).map_err(|refused| cannot(&refused))
    }

    fn is_coming_back(&self, change: &SchemaChange, catalog: &Catalog) -> bool {
        schema_changes::is_coming_back(change, self.0, catalog)
    }

    fn traces(&self, change: &SchemaChange, phase: SchemaPhase, hidden: bool) -> Vec<Trace> {
        schema_changes::traces(self.0, change, phase, hidden)
    }

    fn sync_conflict(
        &self,
        change: &SchemaChange,
        step: Move,
        changes: &[SchemaChange],
        live: &[LiveChange],
    ) -> Option<ChangeName> {
        schema_changes::sync_conflict(change, step, changes, live)
    }
}

/// A statement without values.
pub(crate) fn plain(sql: &str) -> Statement {
    Statement::plain(sql)
}
