//! Two runners at once, and runners beside applications and gates.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::bench::{Bench, Broken, acting, fails, holds, insert, ledger, name, same, work};
use crate::{Generation, Record, Session, Statement, Transaction, WriteError};

/// Until it is released or its session is gone.
///
/// # Errors
/// What is broken.
pub async fn one_session_has_the_lock(bench: &impl Bench) -> Result<(), Broken> {
    let mut first = bench.session().await?;
    let mut second = bench.session().await?;
    second.heartbeat().await?;
    same("the first", &first.try_lock().await?, &true)?;
    same("the first again", &first.try_lock().await?, &true)?;
    same("the second", &second.try_lock().await?, &false)?;
    // Neither making the ledger nor writing to it lets go of the lock.
    let generation = first.take_over("a test").await?;
    first.commit(generation, &work([insert(1)])).await?;
    first.heartbeat().await?;
    same("the second, later", &second.try_lock().await?, &false)?;
    drop(first);
    eventually("the lock is free", async || Ok(second.try_lock().await?)).await?;
    let mut third = bench.session().await?;
    same("the third", &third.try_lock().await?, &false)
}

/// A runner that was thought dead comes back: nothing it wants to write is written.
///
/// # Errors
/// What is broken.
pub async fn an_older_generation_is_fenced_off(bench: &impl Bench) -> Result<(), Broken> {
    let (mut old, mine) = acting(bench).await?;
    let mut new = bench.session().await?;
    let newer = new.take_over("the next").await?;
    holds("a takeover raises the generation", newer > mine)?;
    let (before, history) = (bench.reader().read().await?, bench.history().await?);
    let fenced = |error: &WriteError| matches!(error, WriteError::Fenced { mine: found } if *found == mine);
    let transaction = Transaction { records: vec![Record::Done(name()?, 1)], ..work([insert(1)]) };
    fails("a transaction", old.commit(mine, &transaction).await, fenced)?;
    fails("work without records", old.commit(mine, &work([insert(1)])).await, fenced)?;
    fails("alone", old.run_alone(mine, &insert(1), Duration::from_secs(1)).await, fenced)?;
    let ahead = Generation(newer.0 + 1);
    fails("a generation to come", old.commit(ahead, &transaction).await, |_| true)?;
    same("the rows", &bench.items().await?, &0)?;
    same("the history", &bench.history().await?, &history)?;
    same("the ledger", &bench.reader().read().await?, &before)?;
    new.commit(newer, &transaction).await?;
    same("the rows of the newer one", &bench.items().await?, &1)
}

/// What is still running when the next runner comes either commits before the takeover or not at all.
///
/// # Errors
/// What is broken.
pub async fn a_takeover_waits_for_the_transaction_before(bench: &impl Bench) -> Result<(), Broken> {
    let Some(slow) = bench.slow() else { return Ok(()) };
    let (mut old, mut mine) = acting(bench).await?;
    // On a busy machine the takeover may come before the transaction has begun: fenced off then, and tried again.
    for _ in 0..5 {
        let mut new = bench.session().await?;
        let transaction =
            Transaction { records: vec![Record::Done(name()?, 1)], ..work([insert(1), slow.clone(), insert(2)]) };
        let take_over = async {
            sleep(Duration::from_millis(200)).await;
            new.take_over("the next").await
        };
        let (committed, taken) = tokio::join!(old.commit(mine, &transaction), take_over);
        let newer = taken?;
        if matches!(committed, Err(WriteError::Fenced { .. })) {
            same("the rows of a transaction that came late", &bench.items().await?, &0)?;
            (old, mine) = (new, newer);
            continue;
        }
        committed?;
        // The order in which the server wrote, as its answers may overtake each other.
        let written_by = |line: &String| line.split(' ').next().and_then(|number| number.parse::<u64>().ok());
        let history = bench.history().await?;
        holds("nobody writes after a newer one", history.iter().map(written_by).is_sorted())?;
        let state = ledger(bench.reader().read().await?)?;
        let done = state.change(&name()?).map(|entry| entry.done.contains(&1));
        same("the record of the one before", &done, &Some(true))?;
        same("its rows", &bench.items().await?, &2)?;
        let late = old.commit(mine, &work([insert(3)])).await;
        fails("its next transaction", late, |error| matches!(error, WriteError::Fenced { .. }))?;
        new.commit(newer, &work([insert(4)])).await?;
        return same("the rows", &bench.items().await?, &3);
    }
    Err(Broken::new("the takeover always came first"))
}

/// Two pods of the same Job, on a new database.
///
/// # Errors
/// What is broken.
pub async fn two_first_takeovers_make_one_ledger(bench: &impl Bench) -> Result<(), Broken> {
    let (mut first, mut second) = (bench.session().await?, bench.session().await?);
    let (one, two) = tokio::join!(first.take_over("one"), second.take_over("two"));
    let mut generations = [one?, two?];
    generations.sort();
    same("the generations", &generations, &[Generation(1), Generation(2)])?;
    same("the ledger's", &ledger(bench.reader().read().await?)?.generation, &Generation(2))
}

/// A commit that its caller gives up, or whose runner dies, half-way: all of it is undone, and the next can write.
///
/// # Errors
/// What is broken.
pub async fn a_given_up_commit_leaves_nothing(bench: &impl Bench) -> Result<(), Broken> {
    let Some(slow) = bench.slow() else { return Ok(()) };
    let (mut old, mine) = acting(bench).await?;
    let before = bench.reader().read().await?;
    let transaction =
        Transaction { records: vec![Record::Done(name()?, 1)], ..work([insert(1), slow.clone(), insert(2)]) };
    let given_up = timeout(Duration::from_millis(150), old.commit(mine, &transaction)).await;
    holds("it was given up half-way", given_up.is_err())?;
    // The same session, which has to end its open transaction first.
    old.commit(mine, &work([insert(3)])).await?;
    same("the rows", &bench.items().await?, &1)?;
    let given_up = timeout(Duration::from_millis(150), old.commit(mine, &transaction)).await;
    holds("it was given up half-way again", given_up.is_err())?;
    drop(old);
    let mut new = bench.session().await?;
    let newer = new.take_over("the next").await?;
    same("the ledger", &ledger(bench.reader().read().await?)?.changes, &ledger(before)?.changes)?;
    same("the rows after the end of the session", &bench.items().await?, &1)?;
    new.commit(newer, &work([insert(1)])).await?;
    same("the rows", &bench.items().await?, &2)
}

/// An application in the middle of something is not made to wait behind us.
///
/// # Errors
/// What is broken.
pub async fn a_held_table_is_not_waited_for(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    bench.hold().await?;
    if !bench.ddl_is_transactional() {
        return a_held_table_is_not_waited_for_alone(bench, session.as_mut(), generation).await;
    }
    for (lock_timeout, bound) in [(Duration::ZERO, 2), (Duration::from_millis(50), 2)] {
        let transaction = Transaction { lock_tables: vec!["items".to_owned()], lock_timeout, ..work([insert(1)]) };
        let began = Instant::now();
        let outcome = session.commit(generation, &transaction).await;
        fails("the lock", outcome, |error| {
            error.is_transient() && matches!(error, WriteError::LockNotAvailable { table, .. } if table == "items")
        })?;
        holds("it did not wait", began.elapsed() < Duration::from_secs(bound))?;
    }
    bench.release().await?;
    let lock_timeout = Duration::from_secs(5);
    let transaction = Transaction { lock_tables: vec!["items".to_owned()], lock_timeout, ..work([insert(1)]) };
    same("the rows touched", &session.commit(generation, &transaction).await?, &vec![1])?;
    same("the rows", &bench.items().await?, &1)
}

/// The same where DDL is no part of a transaction; and an application that comes after it does not wait either.
async fn a_held_table_is_not_waited_for_alone(
    bench: &impl Bench,
    session: &mut dyn Session,
    generation: Generation,
) -> Result<(), Broken> {
    let alter = Statement::plain("ALTER TABLE items ADD COLUMN more INT");
    for lock_timeout in [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(200)] {
        let began = Instant::now();
        let outcome = session.run_alone(generation, &alter, lock_timeout).await;
        fails("the lock", outcome, |error| {
            error.is_transient()
                && matches!(error, WriteError::LockNotAvailable { table, .. } if table.contains("items"))
        })?;
        holds("it did not wait", began.elapsed() < Duration::from_secs(2))?;
    }
    let transaction = Transaction { lock_tables: vec!["items".to_owned()], ..work([insert(1)]) };
    let outcome = session.commit(generation, &transaction).await;
    fails("a lock in a transaction", outcome, |error| matches!(error, WriteError::Refused { .. }))?;
    bench.release().await?;
    session.run_alone(generation, &alter, Duration::from_secs(5)).await?;
    session.commit(generation, &work([insert(1)])).await?;
    same("the rows", &bench.items().await?, &1)
}

/// A gate answers at once while a transaction is open, with what was committed before it.
///
/// # Errors
/// What is broken.
pub async fn readers_do_not_wait_for_writers(bench: &impl Bench) -> Result<(), Broken> {
    let Some(slow) = bench.slow() else { return Ok(()) };
    let (mut session, generation) = acting(bench).await?;
    let reader = bench.reader();
    let before = reader.read().await?;
    let transaction = Transaction { records: vec![Record::Done(name()?, 1)], ..work([insert(1), slow]) };
    let commit = async {
        let outcome = session.commit(generation, &transaction).await;
        (outcome, Instant::now())
    };
    let read = async {
        sleep(Duration::from_millis(100)).await;
        let reading = reader.read().await;
        (reading, Instant::now())
    };
    let ((committed, ended), (reading, answered)) = tokio::join!(commit, read);
    committed?;
    same("what the gate saw", &reading?, &before)?;
    holds("it did not wait", answered < ended)?;
    holds("it sees the end", reader.read().await? != before)
}

/// Many questions at once may share a look at the ledger, but never one that began before the question.
///
/// # Errors
/// What is broken.
pub async fn no_answer_is_older_than_its_question(bench: &impl Bench) -> Result<(), Broken> {
    let (mut session, generation) = acting(bench).await?;
    let reader = bench.reader();
    let done = async || -> Result<usize, Broken> {
        let state = ledger(reader.read().await?)?;
        Ok(state.change(&name()?).map_or(0, |entry| entry.done.len()))
    };
    let writing = AtomicBool::new(true);
    let write = async {
        for number in 0..50 {
            let transaction = Transaction { records: vec![Record::Done(name()?, number)], ..Transaction::default() };
            session.commit(generation, &transaction).await?;
            same("what is seen of a write that has ended", &done().await?, &(number as usize + 1))?;
        }
        Ok::<(), Broken>(())
    };
    let write = async {
        let outcome = write.await;
        writing.store(false, Ordering::Relaxed);
        outcome
    };
    let ask = async || -> Result<(), Broken> {
        let mut last = 0;
        while writing.load(Ordering::Relaxed) {
            let seen = done().await?;
            holds("nothing goes back", seen >= last)?;
            last = seen;
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    tokio::try_join!(write, ask(), ask(), ask(), ask(), ask(), ask()).map(drop)
}

/// Until it holds; servers take a moment to notice that a client is gone.
async fn eventually(what: &str, mut check: impl AsyncFnMut() -> Result<bool, Broken>) -> Result<(), Broken> {
    for _ in 0..200 {
        if check().await? {
            return Ok(());
        }
        sleep(Duration::from_millis(25)).await;
    }
    Err(Broken::new(format!("never: {what}")))
}
