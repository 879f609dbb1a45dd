//! One runner and its transactions.

use std::collections::BTreeSet;

use schema_phases::{ChangeProfile, SchemaPhase, Span};

use super::bench::{Bench, Broken, acting, fails, holds, insert, ledger, name, records, register, same, step, work};
use crate::{
    BackfillProgress, BackfillRange, Cell, Generation, Reading, Record, Statement, Transaction, WriteError, memory,
};

/// Nothing there is nothing begun, for both sides.
///
/// # Errors
/// What is broken.
pub async fn an_empty_database_has_not_begun(bench: &impl Bench) -> Result<(), Broken> {
    same("the gate", &bench.reader().read().await?, &Reading::NotBegun)?;
    same("the runner", &bench.session().await?.read().await?, &Reading::NotBegun)
}

/// The first takeover makes it, each raises the generation, and the same reader sees it all.
///
/// # Errors
/// What is broken.
pub async fn a_first_takeover_makes_the_ledger(bench: &impl Bench) -> Result<(), Broken> {
    let reader = bench.reader();
    same("before", &reader.read().await?, &Reading::NotBegun)?;
    let mut session = bench.session().await?;
    same("the first", &session.take_over("one").await?, &Generation(1))?;
    let state = ledger(reader.read().await?)?;
    same("the generation", &state.generation, &Generation(1))?;
    holds("the server is recorded", !state.server.0.is_empty())?;
    holds("there is nothing else", state.plan.is_none() && state.changes.is_empty())?;
    same("the second", &session.take_over("two").await?, &Generation(2))?;
    let again = ledger(reader.read().await?)?;
    same("the generation", &again.generation, &Generation(2))?;
    same("the server", &again.server, &state.server)?;
    same("what the runner reads", &session.read().await?, &Reading::Ledger(again))?;
    same("the history", &bench.history().await?, &["1 take-over".to_owned(), "2 take-over".to_owned()].to_vec())
}

/// From the declaration to the end and out again: after every transaction both sides read what the rules say.
///
/// # Errors
/// What is broken.
pub async fn a_change_goes_all_the_way(bench: &impl Bench) -> Result<(), Broken> {
    let mut session = bench.session().await?;
    let generation = session.take_over("a test").await?;
    let reader = bench.reader();
    let mut expected = ledger(reader.read().await?)?;
    let up = step(SchemaPhase::Pending, SchemaPhase::Expanded)?;
    let down = step(SchemaPhase::Expanded, SchemaPhase::Pending)?;
    let progress = |rows_done| BackfillProgress {
        step: 2,
        rows_done,
        rows_total: 10,
        rows_per_second: 7,
        held: (rows_done == 4).then(|| "it's late".to_owned()),
    };
    let plan = "0123456789abcdef".repeat(4).parse().map_err(Broken::new)?;
    let Record::Register { profile, definition } = register()? else { return Err(Broken::new("no declaration")) };
    let second = "a-second".parse().map_err(Broken::new)?;
    let profile = ChangeProfile { name: second, order: 1, tables: BTreeSet::new(), ..profile };
    let other = Record::Register { profile, definition };
    let transactions = [
        vec![Record::Plan(plan)],
        vec![register()?, other],
        vec![register()?],
        vec![Record::Intend(name()?, up)],
        vec![Record::Withdraw(name()?, up)],
        vec![Record::Intend(name()?, up), Record::Act(name()?, up)],
        vec![Record::Done(name()?, 0)],
        vec![Record::Done(name()?, 2), Record::Done(name()?, u32::MAX), Record::Done(name()?, 2)],
        vec![Record::Backfill(name()?, progress(3)), Record::Ranges(name()?, Vec::new())],
        vec![Record::Backfill(name()?, progress(4)), Record::NewShapeLive(name()?)],
        vec![Record::Settle(name()?, SchemaPhase::Expanded)],
        vec![Record::Intend(name()?, down), Record::Act(name()?, down), Record::Done(name()?, 1)],
        // Undone whole, and tried again.
        vec![Record::Settle(name()?, SchemaPhase::Expanded), Record::Intend(name()?, down), Record::Act(name()?, down)],
        vec![Record::Settle(name()?, SchemaPhase::Pending)],
        vec![Record::Forget(name()?)],
    ];
    for step in transactions {
        expected = memory::after(&expected, &step)?;
        let touched = session.commit(generation, &records(step.clone())).await?;
        same("no work touches nothing", &touched, &Vec::new())?;
        same(&format!("the gate after {step:?}"), &ledger(reader.read().await?)?, &expected)?;
        same(&format!("the runner after {step:?}"), &ledger(session.read().await?)?, &expected)?;
    }
    let words = "take-over,plan,split register,a-second register,split intend,split withdraw,split intend,split act,\
                 split done,split done,split done,split backfill,split new-shape-live,split settle,\
                 split intend,split act,split done,split settle,split intend,split act,split settle,split forget";
    let words: Vec<String> = words.split(',').map(|word| format!("1 {word}")).collect();
    same("the history", &bench.history().await?, &words)
}

/// Names, keys and definitions are somebody's data: whatever is in them comes back.
///
/// # Errors
/// What is broken.
pub async fn strange_values_come_back_as_they_were(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    let all_kinds = vec![
        Cell::Null,
        Cell::Int(i64::MIN),
        Cell::Int(i64::MAX),
        Cell::Real(-0.1),
        Cell::Real(f64::MIN_POSITIVE),
        Cell::Text("a\0b '\"\\ \n\u{1f600} $1 ?1 %s".to_owned()),
        Cell::Text(String::new()),
        Cell::Text("x".repeat(20_000)),
        Cell::Bytes((0..=255).collect()),
        Cell::Bytes(Vec::new()),
    ];
    let rows_total = i64::MAX.unsigned_abs();
    let held = Some("a\u{1f600} '\"\\ \n $1 ?1 %s".to_owned());
    let progress = BackfillProgress { step: u32::MAX, rows_done: 0, rows_total, rows_per_second: 0, held };
    let range = BackfillRange { part: u32::MAX, cursor: all_kinds.clone(), end: all_kinds, rows_done: rows_total };
    let all = vec![Record::Backfill(name()?, progress.clone()), Record::Ranges(name()?, vec![range.clone()])];
    session.commit(generation, &records(all)).await?;
    same("the ranges", &session.ranges(&name()?).await?, &vec![range])?;
    let state = ledger(bench.reader().read().await?)?;
    let entry = state.change(&name()?).ok_or_else(|| Broken::new("the change is gone"))?;
    same("the backfill", &entry.backfill, &Some(progress))?;
    let Record::Register { profile, definition } = register()? else { return Err(Broken::new("no declaration")) };
    same("the profile", &entry.profile, &profile)?;
    same("the definition", &entry.definition, &definition)
}

/// A record that does not build on what the ledger says takes work and all other records with it.
///
/// # Errors
/// What is broken.
pub async fn a_conflict_leaves_nothing(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    let (before, history) = (bench.reader().read().await?, bench.history().await?);
    let wrong = step(SchemaPhase::Pending, SchemaPhase::Expanded)?;
    let done = Record::Done(name()?, 1);
    for record in [
        Record::Intend(name()?, wrong),
        Record::Act(name()?, wrong),
        Record::Withdraw(name()?, wrong),
        Record::Settle(name()?, SchemaPhase::Contracted),
        Record::Forget(name()?),
        Record::Done("unknown".parse().map_err(Broken::new)?, 1),
    ] {
        let transaction = Transaction { records: vec![done.clone(), record.clone()], ..work([insert(1)]) };
        let outcome = session.commit(generation, &transaction).await;
        fails(&format!("{record:?}"), outcome, |error| matches!(error, WriteError::Conflict { .. }))?;
    }
    same("the rows", &bench.items().await?, &0)?;
    same("the history", &bench.history().await?, &history)?;
    same("the ledger", &bench.reader().read().await?, &before)
}

/// So does a statement that the engine refuses; the session goes on.
///
/// # Errors
/// What is broken.
pub async fn a_failed_statement_leaves_nothing(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    let (before, history) = (bench.reader().read().await?, bench.history().await?);
    let refused = Statement::plain("REFUSED BY EVERY ENGINE");
    let transaction = Transaction { records: vec![Record::Done(name()?, 1)], ..work([insert(1), refused.clone()]) };
    let outcome = session.commit(generation, &transaction).await;
    let named = |statement: &str| statement == "REFUSED BY EVERY ENGINE";
    fails("commit", outcome, |error| matches!(error, WriteError::Refused { statement, .. } if named(statement)))?;
    let outcome = session.run_alone(generation, &refused, std::time::Duration::ZERO).await;
    fails("alone", outcome, |error| matches!(error, WriteError::Refused { statement, .. } if named(statement)))?;
    same("the rows", &bench.items().await?, &0)?;
    same("the history", &bench.history().await?, &history)?;
    same("the ledger", &bench.reader().read().await?, &before)?;
    session.commit(generation, &work([insert(1)])).await?;
    session.run_alone(generation, &insert(2), std::time::Duration::from_secs(5)).await?;
    same("the rows afterwards", &bench.items().await?, &2)
}

/// What a plan's own SQL file must not do: end the transaction that its fence belongs to.
///
/// # Errors
/// What is broken.
pub async fn a_statement_may_not_leave_the_transaction(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    for sql in ["COMMIT", " -- so\n rollback;", "BEGIN", "insert into items (id) values (7); COMMIT"] {
        let outcome = session.commit(generation, &work([insert(1), Statement::plain(sql)])).await;
        fails(sql, outcome, |error| matches!(error, WriteError::Refused { .. }))?;
        same(&format!("the rows after {sql}"), &bench.items().await?, &0)?;
    }
    Ok(())
}

/// The count of each statement, in order, of its own rows only.
///
/// # Errors
/// What is broken.
pub async fn touched_rows_are_counted(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    let two = Statement::plain("INSERT INTO items (id) VALUES (1), (2)");
    let none = Statement::plain("UPDATE items SET id = 9 WHERE id = 7");
    let table = Statement::plain("CREATE TABLE more (id BIGINT)");
    if bench.ddl_is_transactional() {
        let touched = session.commit(generation, &work([two, table, none, insert(3)])).await?;
        same("the counts", &touched, &vec![2, 0, 0, 1])?;
    } else {
        let outcome = session.commit(generation, &work([two.clone(), table])).await;
        fails("DDL", outcome, |error| matches!(error, WriteError::Refused { .. }))?;
        same("the rows that went with it", &bench.items().await?, &0)?;
        let touched = session.commit(generation, &work([two, none, insert(3)])).await?;
        same("the counts", &touched, &vec![2, 0, 1])?;
    }
    same("the rows", &bench.items().await?, &3)?;
    let state = ledger(session.read().await?)?;
    let acting = step(SchemaPhase::Expanded, SchemaPhase::Synced)?;
    same("the span", &state.change(&name()?).map(|entry| entry.span), &Some(Span::Acting(acting)))
}
