//! What each record asks of the ledger it meets, and what it leaves there. Pure; every driver applies these rules.
//!
//! A driver reads the ledger under the lock of its generation row, applies the records here and stores the difference,
//! so that there is one compare-and-set for all engines.

use std::fmt::Display;

use schema_phases::{ChangeName, Move, SchemaPhase, Span};

use crate::{BackfillRange, HIDDEN, LedgerEntry, LedgerState, Record, WriteError};

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) change: Option<ChangeName>,
    pub(crate) word: &'static str,
    pub(crate) detail: String,
}

impl Event {
    fn of(change: &ChangeName, word: &'static str, detail: impl Display) -> Option<Self> {
        Some(Self { change: Some(change.clone()), word, detail: detail.to_string() })
    }
}

/// What records make of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) after: LedgerState,
    pub(crate) events: Vec<Event>,
    /// Ranges that take the place of whatever ranges the change has.
    pub(crate) ranges: Vec<(ChangeName, Vec<BackfillRange>)>,
}

/// Applies all records in order, or none.
pub(crate) fn apply_all(state: &LedgerState, records: &[Record]) -> Result<Applied, WriteError> {
    let mut after = state.clone();
    let mut events = Vec::new();
    let mut ranges = Vec::new();
    for record in records {
        events.extend(apply(&mut after, record)?);
        if let Record::Ranges(name, all) = record {
            ranges.push((name.clone(), all.clone()));
        }
    }
    after
        .changes
        .sort_by(|a, b| a.profile.order.cmp(&b.profile.order).then_with(|| a.profile.name.cmp(&b.profile.name)));
    Ok(Applied { after, events, ranges })
}

/// Applies one record. A record that changes nothing is no event.
fn apply(state: &mut LedgerState, record: &Record) -> Result<Option<Event>, WriteError> {
    Ok(match record {
        Record::Plan(digest) => {
            let known = state.plan.as_ref() == Some(digest);
            state.plan = Some(digest.clone());
            (!known).then(|| Event { change: None, word: "plan", detail: digest.to_string() })
        }
        Record::Register { profile, definition } => {
            let Some(entry) = state.changes.iter_mut().find(|entry| entry.profile.name == profile.name) else {
                state.changes.push(LedgerEntry {
                    profile: profile.clone(),
                    span: Span::AtRest(SchemaPhase::Pending),
                    definition: definition.clone(),
                    new_shape_live: false,
                    done: std::collections::BTreeSet::new(),
                    backfill: None,
                });
                return Ok(Event::of(&profile.name, "register", definition));
            };
            let before = entry.clone();
            entry.profile = profile.clone();
            // Past pending the stored digest is that of what is in the database; what Git says now does not alter it.
            if entry.span == Span::AtRest(SchemaPhase::Pending) {
                entry.definition.clone_from(definition);
            }
            if *entry == before { None } else { Event::of(&profile.name, "register", definition) }
        }
        Record::Forget(name) => {
            require(entry(state, name)?.span == Span::AtRest(SchemaPhase::Pending), name)?;
            state.changes.retain(|entry| entry.profile.name != *name);
            Event::of(name, "forget", "")
        }
        Record::Intend(name, step) => {
            go(state, name, Span::AtRest(step.from()), Span::Intended(*step))?;
            Event::of(name, "intend", step)
        }
        Record::Withdraw(name, step) => {
            go(state, name, Span::Intended(*step), Span::AtRest(step.from()))?;
            Event::of(name, "withdraw", step)
        }
        Record::Act(name, step) => {
            go(state, name, Span::Intended(*step), Span::Acting(*step))?;
            Event::of(name, "act", step)
        }
        Record::Done(name, step) => {
            let entry = entry(state, name)?;
            acting(entry.span, name)?;
            let word = if *step == HIDDEN { "hide" } else { "done" };
            if entry.done.insert(*step) { Event::of(name, word, step) } else { None }
        }
        Record::Backfill(name, progress) => {
            let entry = entry(state, name)?;
            acting(entry.span, name)?;
            entry.backfill = Some(progress.clone());
            // It is written every second or so: a history of that would say nothing.
            None
        }
        Record::Ranges(name, ranges) => {
            let entry = entry(state, name)?;
            acting(entry.span, name)?;
            let conflict = || WriteError::Conflict { change: name.clone() };
            let rows = entry.backfill.as_ref().ok_or_else(conflict)?.rows_total;
            Event::of(name, "backfill", format!("{rows} rows in {} ranges", ranges.len()))
        }
        Record::NewShapeLive(name) => {
            let entry = entry(state, name)?;
            let known = std::mem::replace(&mut entry.new_shape_live, true);
            if known { None } else { Event::of(name, "new-shape-live", "") }
        }
        Record::Checkpoint(name, what) => {
            entry(state, name)?;
            Event::of(name, "checkpoint", what)
        }
        Record::Settle(name, phase) => {
            let entry = entry(state, name)?;
            let step = acting(entry.span, name)?;
            // Back at `from`: the move was undone whole, as in the soak of a contract.
            require(*phase == step.to() || *phase == step.from(), name)?;
            entry.span = Span::AtRest(*phase);
            entry.done.clear();
            entry.backfill = None;
            if *phase == SchemaPhase::Pending {
                // What a version of the new shape wrote went with it: the next verification is strict again.
                entry.new_shape_live = false;
            }
            Event::of(name, "settle", phase)
        }
    })
}

fn entry<'a>(state: &'a mut LedgerState, name: &ChangeName) -> Result<&'a mut LedgerEntry, WriteError> {
    let conflict = || WriteError::Conflict { change: name.clone() };
    state.changes.iter_mut().find(|entry| entry.profile.name == *name).ok_or_else(conflict)
}

fn require(holds: bool, name: &ChangeName) -> Result<(), WriteError> {
    if holds { Ok(()) } else { Err(WriteError::Conflict { change: name.clone() }) }
}

fn acting(span: Span, name: &ChangeName) -> Result<Move, WriteError> {
    match span {
        Span::Acting(step) => Ok(step),
        Span::AtRest(_) | Span::Intended(_) => Err(WriteError::Conflict { change: name.clone() }),
    }
}

fn go(state: &mut LedgerState, name: &ChangeName, from: Span, to: Span) -> Result<(), WriteError> {
    let entry = entry(state, name)?;
    require(entry.span == from, name)?;
    entry.span = to;
    Ok(())
}

#[cfg(test)]
mod tests;
