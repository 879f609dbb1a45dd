//! Writes the difference between two states of a ledger, and the history lines beside it. Which SQL does it is the
//! engine's; when it runs, the generation row is locked, so that nobody else writes in between.

use async_trait::async_trait;
use schema_phases::Span;

use crate::{
    BackfillRange, Batch, Cell, Generation, LedgerEntry, LedgerState, WriteError, cells,
    decode::conversion_word,
    transition::{Applied, Event},
};

/// The fixed statements of an engine.
pub(crate) struct Sentences {
    pub(crate) set_plan: &'static str,
    pub(crate) put_change: &'static str,
    pub(crate) delete_change: &'static str,
    pub(crate) add_done: &'static str,
    pub(crate) clear_done: &'static str,
    pub(crate) put_backfill: &'static str,
    pub(crate) clear_backfill: &'static str,
    pub(crate) add_range: &'static str,
    pub(crate) clear_ranges: &'static str,
    pub(crate) add_history: &'static str,
}

/// A connection in a transaction.
#[async_trait]
pub(crate) trait Scribe: Send {
    fn sentences(&self) -> &'static Sentences;

    async fn write(&mut self, sql: &'static str, binds: Vec<Cell>) -> Result<(), WriteError>;
}

/// Makes what is stored as `before` into `after`.
pub(crate) async fn store(
    scribe: &mut impl Scribe,
    generation: Generation,
    before: &LedgerState,
    applied: Applied,
) -> Result<(), WriteError> {
    let sql = scribe.sentences();
    let Applied { after, events, ranges } = applied;
    if let Some(plan) = after.plan.as_ref().filter(|plan| before.plan.as_ref() != Some(*plan)) {
        scribe.write(sql.set_plan, vec![text(plan.as_str())]).await?;
    }
    for gone in before.changes.iter().filter(|entry| after.change(&entry.profile.name).is_none()) {
        let name = text(gone.profile.name.as_str());
        scribe.write(sql.clear_done, vec![name.clone()]).await?;
        scribe.write(sql.clear_backfill, vec![name.clone()]).await?;
        scribe.write(sql.clear_ranges, vec![name.clone()]).await?;
        scribe.write(sql.delete_change, vec![name]).await?;
    }
    for entry in &after.changes {
        store_entry(scribe, before.change(&entry.profile.name), entry).await?;
    }
    for (change, ranges) in ranges {
        let name = text(change.as_str());
        scribe.write(sql.clear_ranges, vec![name.clone()]).await?;
        for range in ranges {
            scribe.write(sql.add_range, range_row(&name, generation, &range)).await?;
        }
    }
    for event in events {
        scribe.write(sql.add_history, history(generation, event)).await?;
    }
    Ok(())
}

/// The columns of `add_range.sql`.
fn range_row(name: &Cell, generation: Generation, range: &BackfillRange) -> Vec<Cell> {
    let BackfillRange { part, cursor, end, rows_done } = range;
    vec![
        name.clone(),
        Cell::Int(i64::from(*part)),
        count(generation.0),
        text(&cells::encode(cursor)),
        text(&cells::encode(end)),
        count(*rows_done),
    ]
}

async fn store_entry(
    scribe: &mut impl Scribe,
    before: Option<&LedgerEntry>,
    after: &LedgerEntry,
) -> Result<(), WriteError> {
    let sql = scribe.sentences();
    let row = change_row(after);
    if before.map(change_row).as_ref() != Some(&row) {
        scribe.write(sql.put_change, row).await?;
    }
    let name = text(after.profile.name.as_str());
    let mut stored = before.map(|entry| entry.done.clone()).unwrap_or_default();
    if !stored.is_subset(&after.done) {
        scribe.write(sql.clear_done, vec![name.clone()]).await?;
        stored.clear();
    }
    for step in after.done.difference(&stored) {
        scribe.write(sql.add_done, vec![name.clone(), Cell::Int(i64::from(*step))]).await?;
    }
    let known = before.and_then(|entry| entry.backfill.as_ref());
    match &after.backfill {
        Some(progress) if known != Some(progress) => {
            let row = vec![
                name,
                Cell::Int(i64::from(progress.step)),
                count(progress.rows_done),
                count(progress.rows_total),
                count(progress.rows_per_second),
                progress.held.as_deref().map_or(Cell::Null, text),
            ];
            scribe.write(sql.put_backfill, row).await
        }
        None if known.is_some() => {
            scribe.write(sql.clear_ranges, vec![name.clone()]).await?;
            scribe.write(sql.clear_backfill, vec![name]).await
        }
        Some(_) | None => Ok(()),
    }
}

/// The columns of `put_change.sql`.
fn change_row(entry: &LedgerEntry) -> Vec<Cell> {
    let LedgerEntry { profile, span, definition, new_shape_live, done: _, backfill: _ } = entry;
    let schema_phases::ChangeProfile { name, order, tables, old_window, new_window, conversion } = profile;
    let tables: Vec<Cell> = tables.iter().map(|table| text(table)).collect();
    let (moving_to, acting) = match span {
        Span::AtRest(_) => (Cell::Null, false),
        Span::Intended(step) => (text(step.to().as_str()), false),
        Span::Acting(step) => (text(step.to().as_str()), true),
    };
    vec![
        text(name.as_str()),
        Cell::Int(i64::from(*order)),
        text(&cells::encode(&tables)),
        text(&old_window.to_string()),
        text(&new_window.to_string()),
        text(conversion_word(*conversion)),
        text(definition),
        text(span.at().as_str()),
        moving_to,
        Cell::Int(i64::from(acting)),
        Cell::Int(i64::from(*new_shape_live)),
    ]
}

/// The columns of `add_history.sql`.
pub(crate) fn history(generation: Generation, event: Event) -> Vec<Cell> {
    let change = event.change.map_or(Cell::Null, |name| text(name.as_str()));
    vec![count(generation.0), change, text(event.word), text(&event.detail)]
}

/// The line that a takeover leaves in the history.
pub(crate) fn takeover_line(generation: Generation, runner: &str, server: &str) -> Vec<Cell> {
    let detail = format!("by {runner} on server {server}");
    history(generation, Event { change: None, word: "take-over", detail })
}

/// What a pause by hand, or its end, leaves there.
pub(crate) fn pause_line(generation: Generation, paused: Option<&str>) -> Vec<Cell> {
    let word = if paused.is_some() { "pause" } else { "resume" };
    history(generation, Event { change: None, word, detail: paused.unwrap_or_default().to_owned() })
}

/// What bringing an older ledger forward leaves there.
pub(crate) fn upgrade_line(generation: Generation, from: u32) -> Vec<Cell> {
    let detail = format!("from format {from} to {}", crate::FORMAT);
    history(generation, Event { change: None, word: "upgrade", detail })
}

/// The values of `advance.sql`.
pub(crate) fn advance(generation: Generation, batch: &Batch) -> Vec<Cell> {
    vec![
        text(batch.change.as_str()),
        Cell::Int(i64::from(batch.part)),
        count(generation.0),
        text(&cells::encode(&batch.cursor)),
        count(batch.rows_done),
    ]
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

/// A count as the engines' signed number. None comes near the limit.
pub(crate) fn count(number: u64) -> Cell {
    Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
