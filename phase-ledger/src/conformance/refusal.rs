//! Ledgers that must not be trusted.

use super::bench::{Bench, Broken, Cell, Tamper, Tampered, acting, fails, holds, insert, ledger, records, same, work};
use crate::{BackfillProgress, FORMAT, ReadError, Record, Session, WriteError};

/// An older and a newer format, also one whose tables look different: read by nobody, written by nobody.
///
/// # Errors
/// What is broken.
pub async fn another_format_is_refused_in_both_directions(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    let reader = bench.reader();
    reader.read().await?;
    super::backfill::begin(session.as_mut(), generation).await?;
    let newer = FORMAT + 1;
    for (tamper, format) in [
        (Tamper::Format(0), 0),
        (Tamper::Format(newer), newer),
        (Tamper::ForeignFormat(newer), newer),
        (Tamper::ForeignFormat(0), 0),
    ] {
        bench.tamper(tamper.clone()).await?;
        let expected =
            |error: &ReadError| matches!(error, ReadError::Format { found, known: FORMAT } if *found == format);
        let refused = |error: &WriteError| matches!(error, WriteError::Read(error) if expected(error));
        let what = format!("{tamper:?}");
        fails(&what, reader.read().await, expected)?;
        fails(&what, session.read().await, expected)?;
        fails(&what, session.take_over("a test").await, refused)?;
        fails(&what, session.commit(generation, &work([insert(1)])).await, refused)?;
        fails(&what, session.run_alone(generation, &insert(1), std::time::Duration::ZERO).await, refused)?;
        fails(&what, session.pause(Some("a test")).await, refused)?;
        let batch = super::backfill::batch(0, vec![crate::Cell::Int(5)], 5, insert(1))?;
        fails(&what, session.batch(generation, &batch).await, refused)?;
    }
    same("the rows", &bench.items().await?, &0)
}

/// A ledger that was left out of a copy, while what its runner made is there: unknown, and never `pending`.
///
/// # Errors
/// What is broken.
pub async fn artefacts_without_a_ledger_are_never_not_begun(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    bench.tamper(Tamper::Artefact).await?;
    let reader = bench.reader();
    ledger(reader.read().await?)?;
    bench.tamper(Tamper::DropLedger).await?;
    let expected =
        |error: &ReadError| matches!(error, ReadError::Unexplained { objects } if objects.contains("zzz_phasegate_"));
    fails("the gate", reader.read().await, expected)?;
    fails("the runner", session.read().await, expected)?;
    let outcome = session.take_over("a test").await;
    fails("a takeover", outcome, |error| matches!(error, WriteError::Read(error) if expected(error)))?;
    let outcome = session.commit(generation, &work([insert(1)])).await;
    fails("a transaction", outcome, |_| true)?;
    same("the rows", &bench.items().await?, &0)
}

/// A restore elsewhere: gates refuse until the runner has taken the ledger over.
///
/// # Errors
/// What is broken.
pub async fn another_server_is_for_the_runner_to_take_over(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, _) = acting(bench).await?;
    let reader = bench.reader();
    let before = ledger(reader.read().await?)?;
    if bench.tamper(Tamper::OtherServer).await? == Tampered::NotPossible {
        return Ok(());
    }
    let expected = |error: &ReadError| matches!(error, ReadError::OtherServer { .. });
    fails("a gate that read before", reader.read().await, expected)?;
    fails("a gate that just began", bench.reader().read().await, expected)?;
    same("what the runner sees", &ledger(session.read().await?)?.changes, &before.changes)?;
    session.take_over("a test").await?;
    let after = ledger(reader.read().await?)?;
    same("the changes", &after.changes, &before.changes)?;
    holds("the server is recorded", !after.server.0.is_empty())
}

/// Values that no runner wrote: an error that names the table, on both sides, and no write.
///
/// # Errors
/// What is broken.
pub async fn a_damaged_ledger_names_the_table(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    let state = ledger(bench.reader().read().await?)?;
    let name = super::bench::name()?;
    let progress = BackfillProgress { step: 4, rows_done: 1, rows_total: 2, rows_per_second: 3, held: None };
    let fill = vec![Record::Backfill(name.clone(), progress), Record::Done(name, 4)];
    session.commit(generation, &records(fill)).await?;
    let junk = [
        ("changes", "phase", "'gone'"),
        ("changes", "moving_to", "'contracted'"),
        ("changes", "old_window", "'contracted..pending'"),
        ("changes", "new_window", "''"),
        ("changes", "conversion", "'some'"),
        ("changes", "tables", "'customers'"),
        ("changes", "tables", "'v1 i:1'"),
        ("changes", "ordinal", "-1"),
        ("changes", "ordinal", "4294967296"),
        ("changes", "name", "'Not A Name'"),
        ("done", "step", "-1"),
        ("done", "step", "9223372036854775807"),
        ("backfills", "step", "'here'"),
        ("backfills", "step", "4294967296"),
        ("backfills", "rows_done", "-1"),
        ("backfills", "rows_total", "-9223372036854775808"),
        ("ledger", "generation", "-1"),
        ("ledger", "format", "'none'"),
        ("ledger", "plan", "'no digest'"),
    ];
    let junk = junk.map(|(table, column, literal)| (table, Tamper::Junk(Cell { table, column, literal })));
    let missing = ["changes", "done", "backfills"].map(|table| (table, Tamper::Missing(table)));
    for (table, tamper) in missing.into_iter().chain(junk) {
        // A fence that finds another number there is no damage to it.
        let fences = !matches!(&tamper, Tamper::Junk(Cell { column: "generation", .. }));
        if bench.tamper(tamper.clone()).await? == Tampered::NotPossible {
            return Ok(());
        }
        let named =
            |error: &ReadError| matches!(error, ReadError::Damaged { table: found, .. } if found.ends_with(table));
        let what = format!("{tamper:?}");
        fails(&what, bench.reader().read().await, named)?;
        fails(&what, session.read().await, named)?;
        if fences {
            let outcome = session.commit(generation, &records(vec![super::bench::register()?])).await;
            fails(&what, outcome, |error| matches!(error, WriteError::Read(error) if named(error)))?;
        }
        restore(bench, session.as_mut(), &state).await?;
    }
    Ok(())
}

/// A whole ledger again: dropped and made anew with the same change.
async fn restore(bench: &impl Bench, session: &mut dyn Session, state: &crate::LedgerState) -> Result<(), Broken> {
    bench.tamper(Tamper::DropLedger).await?;
    let generation = session.take_over("a test").await?;
    let mut all = vec![super::bench::register()?];
    let name = super::bench::name()?;
    let up = super::bench::step(schema_phases::SchemaPhase::Pending, schema_phases::SchemaPhase::Expanded)?;
    let progress = BackfillProgress { step: 4, rows_done: 1, rows_total: 2, rows_per_second: 3, held: None };
    all.extend([
        Record::Intend(name.clone(), up),
        Record::Act(name.clone(), up),
        Record::Backfill(name.clone(), progress),
        Record::Done(name, 4),
    ]);
    session.commit(generation, &records(all)).await?;
    same("the generation after a new start", &generation, &state.generation)
}
