//! What a contract or a revert takes with it: counted, and compared with what Git accepts.

use phase_ledger::Session;
use schema_changes::{Catalog, SchemaChange};
use schema_phases::{Move, SchemaPhase};

use crate::{halt::Halt, moves::Moves, protocol::Attempt, verify::number};

/// One thing that a move loses, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What, for people.
    pub what: String,
    /// How many rows.
    pub rows: u64,
}

/// How many rows Git accepts to lose in this move.
pub(crate) const fn accepted(change: &SchemaChange, step: Move) -> u64 {
    match step.to() {
        SchemaPhase::Contracted => change.accept_loss.contract,
        SchemaPhase::Pending | SchemaPhase::Expanded | SchemaPhase::Synced | SchemaPhase::Migrated => {
            change.accept_loss.revert
        }
    }
}

/// Counts what the move loses right now.
pub(crate) async fn counted(
    session: &mut dyn Session,
    moves: &dyn Moves,
    change: &SchemaChange,
    step: Move,
    catalog: &Catalog,
) -> Result<Vec<Counted>, Halt> {
    let losses = moves
        .loss(change, step, catalog)
        .map_err(|cannot| Halt::from(crate::halt::MoveError::Refused { why: cannot.why }))?;
    let mut counted = Vec::new();
    for loss in losses {
        counted.push(Counted { rows: number(session, &loss.count).await?, what: loss.what });
    }
    Ok(counted)
}

impl Attempt<'_> {
    /// Blocks a move that loses more rows than Git accepts.
    pub(crate) async fn accept_loss(&mut self, change: &SchemaChange, step: Move) -> Result<(), Halt> {
        let catalog = self.catalog(change).await?;
        let lost = counted(self.session.as_mut(), self.ports.moves, change, step, &catalog).await?;
        let (rows, accepted) = (lost.iter().map(|lost| lost.rows).sum::<u64>(), accepted(change, step));
        if rows <= accepted {
            return Ok(());
        }
        let what: Vec<String> =
            lost.iter().filter(|lost| lost.rows > 0).map(|lost| format!("{} {}", lost.rows, lost.what)).collect();
        let key = if step.is_forward() { "contract" } else { "revert" };
        Err(Halt::Blocked(vec![format!(
            "a loss of data: {}; Git accepts {accepted}. To go on, write acceptLoss: {{{key}: {rows}}} into {}",
            what.join(" and "),
            change.file
        )]))
    }
}
