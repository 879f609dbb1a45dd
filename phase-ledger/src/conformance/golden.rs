//! A ledger of each format that was ever written must still read. What the dumps in `tests/golden/ledger` hold was
//! written by [`write_golden`].

use std::collections::BTreeSet;

use schema_phases::{ChangeName, ChangeProfile, Conversion, PhaseWindow, SchemaPhase};

use super::bench::{Bench, Broken, Tamper, Tampered, fails, holds, ledger, records, same, step};
use crate::{
    BackfillProgress, BackfillRange, Cell, Generation, LedgerState, ReadError, Record, ServerIdentity, Session, memory,
};

/// Writes the ledger that the dumps hold, on a database without one: generation 2, three changes, one of each span.
/// To renew a dump run this, then `pg_dump --schema phasegate --inserts --no-owner`,
/// `mariadb-dump --skip-comments --skip-extended-insert` or SQLite's `.dump`.
///
/// # Errors
/// What went wrong.
pub async fn write_golden(session: &mut dyn Session) -> Result<(), Broken> {
    session.take_over("golden-1").await?;
    let generation = session.take_over("golden-2").await?;
    for record in golden_records()? {
        session.commit(generation, &records(vec![record])).await?;
    }
    session.pause(Some("anna: month's end")).await?;
    Ok(())
}

fn golden_ranges() -> Vec<BackfillRange> {
    let middle = vec![Cell::Int(-5), Cell::Text("it's 50 %\n".to_owned()), Cell::Real(0.1)];
    let end = vec![Cell::Int(9), Cell::Null, Cell::Bytes(vec![0, 255])];
    vec![
        BackfillRange { part: 0, cursor: middle.clone(), end: middle.clone(), rows_done: 50 },
        BackfillRange { part: 1, cursor: middle, end, rows_done: 13 },
    ]
}

fn golden_records() -> Result<Vec<Record>, Broken> {
    use SchemaPhase::{Contracted, Expanded, Migrated, Pending, Synced};
    let name = |text: &str| text.parse::<ChangeName>().map_err(Broken::new);
    let window = |first, last| PhaseWindow::new(first, last).map_err(Broken::new);
    let (city, split, later) = (name("add-city")?, name("split-full-name")?, name("later")?);
    let register = |name: &ChangeName, order, tables: &[&str], old_window, new_window, conversion| {
        let tables: BTreeSet<String> = tables.iter().map(|table| (*table).to_owned()).collect();
        let profile = ChangeProfile { name: name.clone(), order, tables, old_window, new_window, conversion };
        Record::Register { profile, definition: format!("definition of {name}") }
    };
    let old = window(Pending, Migrated)?;
    let split_tables = ["customers", "Sales \"2024\", it's 100 %"];
    let mut all = vec![
        Record::Plan("0123456789abcdef".repeat(4).parse().map_err(Broken::new)?),
        register(&city, 1, &["addresses"], PhaseWindow::WHOLE, window(Expanded, Contracted)?, Conversion::None),
        register(&split, 2, &split_tables, old, PhaseWindow::NEW_SHAPE, Conversion::Rows),
        register(&later, 3, &["customers"], old, PhaseWindow::NEW_SHAPE, Conversion::Rows),
    ];
    let phases = [Pending, Expanded, Synced, Migrated, Contracted];
    for (change, last) in [(&city, Contracted), (&split, Synced)] {
        for (from, to) in phases.iter().zip(phases.iter().skip(1)).filter(|(_, to)| **to <= last) {
            let step = step(*from, *to)?;
            let change = || change.clone();
            all.extend([Record::Intend(change(), step), Record::Act(change(), step), Record::Settle(change(), *to)]);
        }
    }
    let migrate = step(Synced, Migrated)?;
    let progress = BackfillProgress {
        step: 3,
        rows_done: 63,
        rows_total: 100,
        rows_per_second: 7,
        held: Some("paused by hand: anna: month's end".to_owned()),
    };
    all.extend([
        Record::NewShapeLive(city),
        Record::Intend(split.clone(), migrate),
        Record::Act(split.clone(), migrate),
        Record::Done(split.clone(), 0),
        Record::Done(split.clone(), 2),
        Record::Backfill(split.clone(), progress),
        Record::Ranges(split, golden_ranges()),
        Record::Intend(later, step(Pending, Expanded)?),
    ]);
    Ok(all)
}

/// What the records make of an empty ledger of this server.
fn golden_state(found: &LedgerState) -> Result<LedgerState, Broken> {
    let empty = LedgerState {
        generation: Generation(2),
        server: ServerIdentity(found.server.0.clone()),
        plan: None,
        paused: Some("anna: month's end".to_owned()),
        changes: Vec::new(),
    };
    Ok(memory::after(&empty, &golden_records()?)?)
}

/// The dump of format 1, which had one cursor a backfill and no pause: a runner brings it forward, without the backfill
/// that was under way, and until then nobody reads it.
///
/// # Errors
/// What is broken.
pub async fn a_ledger_of_format_1_is_brought_forward(bench: &impl Bench) -> Result<(), Broken> {
    if bench.tamper(Tamper::Golden(1)).await? == Tampered::NotPossible {
        return Ok(());
    }
    let mut session = bench.session().await?;
    let older = |error: &ReadError| matches!(error, ReadError::Format { found: 1, .. }) && error.is_older_format();
    fails("the gate", bench.reader().read().await, older)?;
    fails("the runner", session.read().await, older)?;
    let generation = session.take_over("a test").await?;
    let found = ledger(bench.reader().read().await?)?;
    let mut expected = golden_state(&found)?;
    expected.generation = Generation(3);
    expected.paused = None;
    for entry in &mut expected.changes {
        entry.backfill = None;
    }
    same("the ledger", &found, &expected)?;
    same("what the runner reads", &ledger(session.read().await?)?, &expected)?;
    same("the ranges", &session.ranges(&split()?).await?, &Vec::new())?;
    let history = bench.history().await?;
    let last = history.len().saturating_sub(2);
    let last: Vec<&str> = history.iter().skip(last).map(String::as_str).collect();
    same("the end of its history", &last, &vec!["2 upgrade", "3 take-over"])?;
    goes_on(bench, session.as_mut(), generation).await
}

/// The dump of format 2 is what its writer meant, and work goes on from there.
///
/// # Errors
/// What is broken.
pub async fn a_ledger_of_format_2_still_reads(bench: &impl Bench) -> Result<(), Broken> {
    if bench.tamper(Tamper::Golden(2)).await? == Tampered::NotPossible {
        return Ok(());
    }
    let mut session = bench.session().await?;
    let found = ledger(session.read().await?)?;
    same("the ledger", &found, &golden_state(&found)?)?;
    same("the ranges", &session.ranges(&split()?).await?, &golden_ranges())?;
    let history = bench.history().await?;
    holds("its history is there", history.len() > 20 && history.first().is_some_and(|line| line == "1 take-over"))?;
    let generation = session.take_over("a test").await?;
    same("the next generation", &generation, &Generation(3))?;
    same("the ranges are as they were", &session.ranges(&split()?).await?, &golden_ranges())?;
    goes_on(bench, session.as_mut(), generation).await
}

fn split() -> Result<ChangeName, Broken> {
    "split-full-name".parse().map_err(Broken::new)
}

async fn goes_on(bench: &impl Bench, session: &mut dyn Session, generation: Generation) -> Result<(), Broken> {
    let (split, history) = (split()?, bench.history().await?);
    session.commit(generation, &records(vec![Record::Settle(split.clone(), SchemaPhase::Migrated)])).await?;
    let after = ledger(bench.reader().read().await?)?;
    same("the end of its move", &after.change(&split).map(|entry| entry.span.at()), &Some(SchemaPhase::Migrated))?;
    same("the history goes on", &bench.history().await?.len(), &(history.len() + 1))
}
