//! `phasegate verify`: what the ledger says, looked for in the database: objects, and rows. Changes nothing, and takes no
//! lock, so that it may be asked at any time.

use phase_ledger::{LedgerEntry, LedgerState, Reading, Session};
use schema_changes::{Plan, SchemaChange};
use schema_phases::{SchemaPhase, Span};
use serde_json::{Value, json};

use crate::{
    catalog,
    drift::{Drift, drift},
    exit::Exit,
    halt::{Halt, MoveError, chain},
    moves::Moves,
    soak::as_begun,
    verify::{Disagreement, disagreement, verifications},
};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The database's name.
    pub database: String,
    /// Whether it has a ledger at all.
    pub begun: bool,
    /// Each change that the ledger and Git know.
    pub changes: Vec<Inspected>,
}

/// What was found of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Its name.
    name: String,
    /// Where it stands.
    span: Span,
    /// What is not as the ledger says.
    drift: Vec<Drift>,
    /// What was counted, and holds.
    holds: Vec<String>,
    /// What does not.
    disagrees: Vec<Disagreement>,
    /// Why something could not be looked at.
    unseen: Option<String>,
}

/// Looks at every change.
///
/// # Errors
/// What the database said, joined, and whether that may pass.
pub async fn inspect(plan: &Plan, session: &mut dyn Session, moves: &dyn Moves) -> Result<Inspection, (Exit, String)> {
    let state = match session.read().await {
        Ok(Reading::Ledger(state)) => state,
        Ok(Reading::NotBegun) => {
            return Ok(Inspection { database: plan.database.name.clone(), begun: false, changes: Vec::new() });
        }
        Err(cause) if cause.is_transient() => return Err((Exit::TryAgain, chain(&cause))),
        Err(cause) => return Err((Exit::Never, chain(&cause))),
    };
    let mut changes = Vec::new();
    for change in &plan.changes {
        if let Some(entry) = state.change(&change.profile.name) {
            changes.push(one(plan, &state, session, moves, change, entry).await?);
        }
    }
    Ok(Inspection { database: plan.database.name.clone(), begun: true, changes })
}

async fn one(
    plan: &Plan,
    state: &LedgerState,
    session: &mut dyn Session,
    moves: &dyn Moves,
    change: &SchemaChange,
    entry: &LedgerEntry,
) -> Result<Inspected, (Exit, String)> {
    let mut found = Inspected {
        name: change.profile.name.to_string(),
        span: entry.span,
        drift: Vec::new(),
        holds: Vec::new(),
        disagrees: Vec::new(),
        unseen: None,
    };
    let form = as_begun(change, entry.is_hidden());
    match look(plan, state, session, moves, &form, entry, &mut found).await {
        Ok(()) => Ok(found),
        Err(Halt::Failed(cause @ (MoveError::Refused { .. } | MoveError::Database { .. }))) => {
            found.unseen = Some(chain(&cause));
            Ok(found)
        }
        Err(halt) => Err(halt.told()),
    }
}

async fn look(
    plan: &Plan,
    state: &LedgerState,
    session: &mut dyn Session,
    moves: &dyn Moves,
    change: &SchemaChange,
    entry: &LedgerEntry,
    found: &mut Inspected,
) -> Result<(), Halt> {
    let engine = plan.database.engine;
    found.drift = drift(session, plan, state, moves, change, entry).await?;
    // Rows agree from `migrated` on, and until the old shape is gone.
    let agreeing = entry.span == Span::AtRest(SchemaPhase::Migrated) || entry.is_hidden();
    if !agreeing || !found.drift.is_empty() {
        return Ok(());
    }
    let catalog = catalog::read(session, engine, &change.profile.tables).await?;
    for it in verifications(moves, change, &catalog)? {
        match disagreement(session, engine, &catalog, &it, entry.new_shape_live).await? {
            None => found.holds.push(it.what),
            Some(disagrees) => found.disagrees.push(disagrees),
        }
    }
    Ok(())
}

impl Inspection {
    /// How the command ends: what is not as the ledger says, does not pass by itself.
    pub fn exit(&self) -> Exit {
        if self.changes.iter().all(Inspected::is_well) { Exit::Done } else { Exit::Never }
    }

    /// For people.
    pub fn text(&self) -> String {
        if !self.begun {
            return format!("{}: no ledger: no run has begun on this database\n", self.database);
        }
        let mut text = format!("{}: what the ledger says, looked for in the database\n", self.database);
        for change in &self.changes {
            let well = if change.is_well() { "as the ledger says" } else { "NOT as the ledger says" };
            text.push_str(&format!("\n{} is {}: {well}\n", change.name, change.span));
            for line in change.lines() {
                text.push_str(&format!("  {line}\n"));
            }
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let changes: Vec<Value> = self.changes.iter().map(Inspected::json).collect();
        json!({"database": self.database, "ledger": self.begun, "exit": self.exit().code(), "changes": changes})
    }
}

impl Inspected {
    fn is_well(&self) -> bool {
        self.drift.is_empty() && self.disagrees.is_empty() && self.unseen.is_none()
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.drift.iter().map(|drift| drift.why.clone()).collect();
        lines.extend(self.holds.iter().cloned());
        lines.extend(self.disagrees.iter().cloned().map(|found| chain(&MoveError::from(found))));
        lines.extend(self.unseen.iter().map(|why| format!("cannot be looked at: {why}")));
        lines
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "span": self.span.to_string(),
            "well": self.is_well(),
            "drift": self.drift.iter().map(|drift| json!({
                "object": drift.object, "why": drift.why, "definition": drift.definition,
            })).collect::<Vec<_>>(),
            "holds": self.holds,
            "disagrees": self.disagrees.iter().map(|found| json!({
                "what": found.what, "rows": found.count, "first": found.first, "query": found.query,
            })).collect::<Vec<_>>(),
            "unseen": self.unseen,
        })
    }
}
