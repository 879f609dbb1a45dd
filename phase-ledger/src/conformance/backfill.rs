//! Batches, from one connection and from several, and the pause by hand.

use std::time::Duration;

use schema_phases::SchemaPhase;
use tokio::time::{Instant, sleep};

use super::bench::{Bench, Broken, acting, fails, holds, insert, ledger, name, records, same};
use crate::{
    BackfillProgress, BackfillRange, Batch, Cell, Generation, ReadError, Record, Session, Statement, WriteError,
};

/// Two ranges, up to 10 and up to 20.
fn ranges() -> Vec<BackfillRange> {
    let key = |key| vec![Cell::Int(key), Cell::Text("it's".to_owned())];
    vec![
        BackfillRange { part: 0, cursor: Vec::new(), end: key(10), rows_done: 0 },
        BackfillRange { part: 1, cursor: key(10), end: key(20), rows_done: 0 },
    ]
}

/// Begins a backfill of two ranges in the change of these tests, which acts.
pub(super) async fn begin(session: &mut dyn Session, generation: Generation) -> Result<(), Broken> {
    let progress = BackfillProgress { step: 1, rows_done: 0, rows_total: 20, rows_per_second: 0, held: None };
    let all = vec![Record::Backfill(name()?, progress), Record::Ranges(name()?, ranges())];
    session.commit(generation, &records(all)).await?;
    Ok(())
}

/// A batch in one of them.
pub(super) fn batch(part: u32, cursor: Vec<Cell>, rows_done: u64, work: Statement) -> Result<Batch, Broken> {
    let lock_timeout = Duration::from_secs(5);
    Ok(Batch { change: name()?, part, cursor, rows_done, work, next: None, lock_timeout })
}

/// Each batch moves its own range; the next backfill of the same move begins with its own; the end of the move forgets
/// them.
///
/// # Errors
/// What is broken.
pub async fn a_backfill_goes_on_range_by_range(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    same("nothing yet", &session.ranges(&name()?).await?, &Vec::new())?;
    fails(
        "ranges of nothing",
        session.commit(generation, &records(vec![Record::Ranges(name()?, ranges())])).await,
        |error| matches!(error, WriteError::Conflict { .. }),
    )?;
    begin(session.as_mut(), generation).await?;
    let mut expected = ranges();
    same("the ranges", &session.ranges(&name()?).await?, &expected)?;
    let before = bench.history().await?;
    let two = Statement::plain("INSERT INTO items (id) VALUES (1), (2)");
    let cursor = vec![Cell::Int(15), Cell::Null];
    let batched = session.batch(generation, &batch(1, cursor.clone(), 5, two)?).await?;
    same("what it did", &(batched.touched, batched.next), &(2, None))?;
    let [first, second] = expected.as_mut_slice() else { return Err(Broken::new("two ranges were expected")) };
    (second.cursor, second.rows_done) = (cursor, 5);
    let mut last = batch(0, first.end.clone(), 10, insert(3))?;
    last.next = Some(Statement::plain("SELECT id FROM items WHERE id > 7"));
    let batched = session.batch(generation, &last).await?;
    same("what it did", &(batched.touched, batched.next), &(1, None))?;
    (first.cursor, first.rows_done) = (first.end.clone(), 10);
    holds("the first range is done", first.is_done() && !second.is_done())?;
    same("the ranges", &session.ranges(&name()?).await?, &expected)?;
    same("the rows", &bench.items().await?, &3)?;
    same("batches leave no line", &bench.history().await?, &before)?;
    // A commit says the rest, and is as durable as ever.
    session.commit(generation, &records(vec![Record::Done(name()?, 1)])).await?;
    begin(session.as_mut(), generation).await?;
    same("the next step's", &session.ranges(&name()?).await?, &ranges())?;
    session.commit(generation, &records(vec![Record::Settle(name()?, SchemaPhase::Synced)])).await?;
    same("the end", &session.ranges(&name()?).await?, &Vec::new())?;
    let late = session.batch(generation, &batch(0, Vec::new(), 1, insert(4))?).await;
    fails("a batch after the end", late, |error| matches!(error, WriteError::Conflict { .. }))
}

/// Neither rows nor cursor, and the session goes on.
///
/// # Errors
/// What is broken.
pub async fn a_batch_leaves_nothing_when_it_fails(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    begin(session.as_mut(), generation).await?;
    let refused = batch(0, vec![Cell::Int(5)], 5, Statement::plain("REFUSED BY EVERY ENGINE"))?;
    let named = |statement: &str| statement == "REFUSED BY EVERY ENGINE";
    fails(
        "a statement",
        session.batch(generation, &refused).await,
        |error| matches!(error, WriteError::Refused { statement, .. } if named(statement)),
    )?;
    let control = batch(0, vec![Cell::Int(5)], 5, Statement::plain("COMMIT"))?;
    fails("its end", session.batch(generation, &control).await, |error| matches!(error, WriteError::Refused { .. }))?;
    let unknown = batch(7, vec![Cell::Int(5)], 5, insert(1))?;
    fails("an unknown range", session.batch(generation, &unknown).await, |error| {
        matches!(error, WriteError::Conflict { .. })
    })?;
    same("the rows", &bench.items().await?, &0)?;
    same("the ranges", &session.ranges(&name()?).await?, &ranges())?;
    session.batch(generation, &batch(0, vec![Cell::Int(5)], 5, insert(1))?).await?;
    same("the rows afterwards", &bench.items().await?, &1)
}

/// Nor does the ledger wait for them: several connections fill at once while the first one reports.
///
/// # Errors
/// What is broken.
pub async fn batches_of_one_runner_do_not_wait_for_each_other(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    begin(session.as_mut(), generation).await?;
    let mut helper = bench.session().await?;
    let Some(slow) = bench.slow() else {
        helper.batch(generation, &batch(0, vec![Cell::Int(5)], 5, insert(1))?).await?;
        session.batch(generation, &batch(1, vec![Cell::Int(15)], 5, insert(2))?).await?;
        return same("the rows", &bench.items().await?, &2);
    };
    if !bench.has_several_writers() {
        return Ok(());
    }
    let long = batch(0, vec![Cell::Int(5)], 5, slow)?;
    let others = async {
        // Until it is at work: its fence is taken by then, and its rows are not there yet.
        sleep(Duration::from_millis(300)).await;
        session.batch(generation, &batch(1, vec![Cell::Int(15)], 5, insert(2))?).await?;
        session.commit(generation, &records(vec![Record::Done(name()?, 0)])).await?;
        Ok::<Instant, Broken>(Instant::now())
    };
    let (long, others) = tokio::join!(helper.batch(generation, &long), others);
    let ended = Instant::now();
    long?;
    holds("the others did not wait", others? < ended)?;
    let cursors: Vec<u64> = session.ranges(&name()?).await?.iter().map(|range| range.rows_done).collect();
    same("what is done", &cursors, &vec![5, 5])
}

/// On the connection of the runner, and on those beside it.
///
/// # Errors
/// What is broken.
pub async fn a_takeover_fences_batches_off(bench: &impl Bench) -> Result<(), Broken> {
    let (mut old, mine) = acting(bench).await?;
    begin(old.as_mut(), mine).await?;
    let mut beside = bench.session().await?;
    beside.batch(mine, &batch(1, vec![Cell::Int(15)], 5, insert(1))?).await?;
    let mut new = bench.session().await?;
    let newer = new.take_over("the next").await?;
    let ranges = new.ranges(&name()?).await?;
    for session in [&mut old, &mut beside] {
        for generation in [mine, Generation(newer.0 + 1)] {
            let late = session.batch(generation, &batch(0, vec![Cell::Int(5)], 5, insert(2))?).await;
            fails("a late batch", late, |error| matches!(error, WriteError::Fenced { .. }))?;
        }
    }
    same("the rows", &bench.items().await?, &1)?;
    same("the ranges", &new.ranges(&name()?).await?, &ranges)?;
    new.batch(newer, &batch(0, vec![Cell::Int(5)], 5, insert(2))?).await?;
    same("the rows of the newer one", &bench.items().await?, &2)
}

/// What is still running on a connection beside the runner's either commits before the takeover or not at all.
///
/// # Errors
/// What is broken.
pub async fn a_takeover_waits_for_a_batch(bench: &impl Bench) -> Result<(), Broken> {
    let Some(slow) = bench.slow() else { return Ok(()) };
    let (mut old, mut mine) = acting(bench).await?;
    begin(old.as_mut(), mine).await?;
    // On a busy machine the takeover may come before the batch has begun: fenced off then, and tried again.
    for _ in 0..5 {
        let (mut beside, mut new) = (bench.session().await?, bench.session().await?);
        let long = batch(0, vec![Cell::Int(5)], 5, slow.clone())?;
        let take_over = async {
            sleep(Duration::from_millis(200)).await;
            let newer = new.take_over("the next").await?;
            Ok::<_, Broken>((newer, new.ranges(&name()?).await?))
        };
        let (batched, taken) = tokio::join!(beside.batch(mine, &long), take_over);
        let (newer, found) = taken?;
        if matches!(batched, Err(WriteError::Fenced { .. })) {
            same("the ranges when the batch came late", &found, &ranges())?;
            mine = newer;
            continue;
        }
        batched?;
        let first = found.first().map(|range| (range.cursor.clone(), range.rows_done));
        return same("the cursor that it found", &first, &Some((vec![Cell::Int(5)], 5)));
    }
    Err(Broken::new("the takeover always came first"))
}

/// By gates and by the runner, across takeovers, until somebody ends it; anybody who may write the ledger may do it.
///
/// # Errors
/// What is broken.
pub async fn a_pause_is_seen_by_everybody(bench: &impl Bench) -> Result<(), Broken> {
    let mut outside = bench.session().await?;
    let no_ledger = |error: &WriteError| matches!(error, WriteError::Read(ReadError::Damaged { .. }));
    fails("without a ledger", outside.pause(Some("anna")).await, no_ledger)?;
    let (mut session, generation) = acting(bench).await?;
    holds("the lock is the runner's", session.try_lock().await?)?;
    let reader = bench.reader();
    same("before", &ledger(reader.read().await?)?.paused, &None)?;
    let why = "anna: it's \"month's end\" \u{1f600}".to_owned();
    outside.pause(Some(&why)).await?;
    same("the gate", &ledger(reader.read().await?)?.paused, &Some(why.clone()))?;
    same("the runner", &ledger(session.read().await?)?.paused, &Some(why.clone()))?;
    // It fences nobody off.
    session.commit(generation, &records(vec![Record::Done(name()?, 1)])).await?;
    session.take_over("a test").await?;
    same("after a takeover", &ledger(reader.read().await?)?.paused, &Some(why))?;
    outside.pause(None).await?;
    same("afterwards", &ledger(session.read().await?)?.paused, &None)?;
    let history = bench.history().await?;
    for line in ["1 pause", "2 resume"] {
        holds(line, history.iter().any(|found| found == line))?;
    }
    Ok(())
}
