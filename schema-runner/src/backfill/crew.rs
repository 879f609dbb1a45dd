//! The connections that fill one table side by side: each takes a range that nobody works on, and fills it batch by batch.
//!
//! Nothing here reads the ledger or decides when to rest: the foreman does, and tells the crew through [`Crew::hold`].

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use phase_ledger::{BackfillRange, Batch, Batched, Cell, Generation, HEARTBEAT, Session, Statement, WriteError};
use schema_changes::Backfill;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    keyset::Keyset,
    pace::{Pace, Rest},
};
use crate::{
    halt::{Halt, MoveError},
    patience::{Patience, Waiter},
    run::Settings,
};

/// A batch may wait this long for a row that somebody writes; meanwhile it holds other rows.
pub(super) const ROW_WAIT: Duration = Duration::from_millis(200);

/// So many deadlocks in a row are met with another try on the same connection.
pub(super) const DEADLOCKS: u32 = 20;

/// What the connections share.
pub(super) struct Crew<'a> {
    pub(super) generation: Generation,
    pub(super) it: &'a Backfill,
    pub(super) keyset: &'a Keyset,
    pub(super) waiter: Waiter<'a>,
    pub(super) settings: &'a Settings,
    pub(super) progressed: &'a AtomicBool,
    ranges: Mutex<VecDeque<BackfillRange>>,
    rows_done: AtomicU64,
    touched: AtomicU64,
    /// One of them failed: the others end after the batch in hand.
    leave: AtomicBool,
    held: watch::Sender<Option<String>>,
    finished: watch::Sender<bool>,
    /// Whoever watches hears of the first batch at once.
    begun: AtomicBool,
    news: Notify,
}

/// Where a batch ends, and how many rows it has.
struct Boundary {
    key: Vec<Cell>,
    rows: u64,
}

impl<'a> Crew<'a> {
    pub(super) fn new(
        generation: Generation,
        settings: &'a Settings,
        it: &'a Backfill,
        keyset: &'a Keyset,
        waiter: Waiter<'a>,
        progressed: &'a AtomicBool,
        ranges: &[BackfillRange],
    ) -> Self {
        let rows_done = ranges.iter().map(|range| range.rows_done).sum();
        let left = ranges.iter().filter(|range| !range.is_done()).cloned().collect();
        Self {
            generation,
            it,
            keyset,
            waiter,
            settings,
            progressed,
            ranges: Mutex::new(left),
            rows_done: AtomicU64::new(rows_done),
            touched: AtomicU64::new(0),
            leave: AtomicBool::new(false),
            held: watch::Sender::new(None),
            finished: watch::Sender::new(false),
            begun: AtomicBool::new(false),
            news: Notify::new(),
        }
    }

    /// Rows looked at, by this run and those before it.
    pub(super) fn rows_done(&self) -> u64 {
        self.rows_done.load(Ordering::Relaxed)
    }

    /// Rows written by this run.
    pub(super) fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }

    /// Ranges that nobody has begun yet.
    pub(super) fn waiting(&self) -> usize {
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Makes all connections rest after the batch in hand, or go on.
    pub(super) fn hold(&self, why: Option<String>) {
        self.held.send_if_modified(|held| {
            let changed = *held != why;
            *held = why;
            changed
        });
    }

    /// Why they rest.
    pub(super) fn held(&self) -> Option<String> {
        self.held.borrow().clone()
    }

    /// Makes all connections end after the batch in hand.
    pub(super) fn dismiss(&self) {
        self.leave.store(true, Ordering::Relaxed);
        self.held.send_modify(|_| ());
    }

    /// All of them have ended.
    pub(super) fn finish(&self) {
        self.finished.send_replace(true);
    }

    /// Returns once all of them have ended.
    pub(super) async fn finished(&self) {
        // The sender lives as long as this does.
        let _ = self.finished.subscribe().wait_for(|finished| *finished).await;
    }

    /// Returns once, when the first batch is done.
    pub(super) async fn first_batch(&self) {
        self.news.notified().await;
    }

    /// Fills range after range, until none is left.
    pub(super) async fn work(&self, mut session: Box<dyn Session>) -> Result<(), Halt> {
        let done = self.all_ranges(session.as_mut()).await;
        if done.is_err() {
            self.dismiss();
        }
        done
    }

    async fn all_ranges(&self, session: &mut dyn Session) -> Result<(), Halt> {
        for setting in self.keyset.settings(self.settings.nice_ratio <= 0.0) {
            session.query(&setting).await?;
        }
        let mut pace = Pace::new(self.keyset.engine(), self.settings.batch_aim);
        loop {
            let range = self.ranges.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(range) = range else { return Ok(()) };
            self.range(session, &mut pace, range).await?;
        }
    }

    async fn range(&self, session: &mut dyn Session, pace: &mut Pace, mut range: BackfillRange) -> Result<(), Halt> {
        self.may_go_on(session).await?;
        let size = pace.size();
        let found = session.query(&self.keyset.boundary(&range.cursor, &range.end, size, None)).await?;
        let mut boundary = self.boundary(session, &range.cursor, &range.end, found.into_iter().next(), size).await?;
        loop {
            self.may_go_on(session).await?;
            let size = pace.size();
            let is_last = boundary.key == range.end;
            let next = (!is_last).then(|| self.keyset.boundary(&boundary.key, &range.end, size, None));
            let batch = Batch {
                change: self.waiter.change.clone(),
                part: range.part,
                cursor: boundary.key.clone(),
                rows_done: range.rows_done.saturating_add(boundary.rows),
                work: self.keyset.update(self.it, &range.cursor, &boundary.key),
                next,
                lock_timeout: ROW_WAIT,
            };
            let batched = self.batch(session, &batch, boundary.rows, pace).await?;
            range.cursor = batch.cursor;
            range.rows_done = batch.rows_done;
            self.rows_done.fetch_add(boundary.rows, Ordering::Relaxed);
            self.touched.fetch_add(batched.touched, Ordering::Relaxed);
            if !self.begun.swap(true, Ordering::Relaxed) {
                self.news.notify_one();
            }
            if is_last {
                return Ok(());
            }
            Rest::after(pace.last(), self.settings.nice_ratio).take(self.waiter.stop).await;
            boundary = self.boundary(session, &range.cursor, &range.end, batched.next, size).await?;
        }
    }

    /// The boundary that was found; without one the rest of the range is the last batch.
    async fn boundary(
        &self,
        session: &mut dyn Session,
        cursor: &[Cell],
        end: &[Cell],
        found: Option<Vec<Cell>>,
        size: u64,
    ) -> Result<Boundary, Halt> {
        Ok(match found {
            Some(key) => Boundary { key, rows: size },
            None => {
                let rows = count(session, self.keyset.remaining(cursor, end)).await?;
                Boundary { key: end.to_vec(), rows }
            }
        })
    }

    /// One batch, tried again while rows or the database are locked.
    async fn batch(
        &self,
        session: &mut dyn Session,
        batch: &Batch,
        rows: u64,
        pace: &mut Pace,
    ) -> Result<Batched, Halt> {
        let mut patience = Patience::new(self.settings.batch_patience);
        loop {
            let began = Instant::now();
            match session.batch(self.generation, batch).await {
                Ok(batched) => {
                    // What is left of it without the way there and back is the rows' own time.
                    let own = batched.work_time.saturating_sub(batched.turn).max(batched.work_time / 10);
                    pace.took(rows, batched.touched, own, began.elapsed());
                    self.progressed.store(true, Ordering::Relaxed);
                    return Ok(batched);
                }
                // A deadlock passes. Whether the batch happened does not matter: it fills only what is unfilled, and its
                // cursor is the same again. A connection that is gone says so.
                Err(WriteError::Transient { cause }) if patience.tries() < DEADLOCKS => {
                    session.heartbeat().await?;
                    if let Some(pause) = patience.pause() {
                        tracing::debug!(%cause, "a batch was given up by the database");
                        self.waiter.stop.sleep(pause).await;
                    }
                }
                Err(cause) => self.waiter.wait(&mut patience, cause).await?,
            }
        }
    }

    /// Waits while the crew is held; an error when it is to leave.
    async fn may_go_on(&self, session: &mut dyn Session) -> Result<(), Halt> {
        let mut held = self.held.subscribe();
        loop {
            if self.waiter.stop.is_set() || self.leave.load(Ordering::Relaxed) {
                return Err(Halt::Stopped);
            }
            if held.borrow_and_update().is_none() {
                return Ok(());
            }
            tokio::select! {
                _ = held.changed() => {}
                () = self.waiter.stop.wait() => {}
                () = tokio::time::sleep(HEARTBEAT / 2) => session.heartbeat().await?,
            }
        }
    }
}

/// The one number that a query returns.
pub(super) async fn count(session: &mut dyn Session, query: Statement) -> Result<u64, Halt> {
    let rows = session.query(&query).await?;
    match rows.first().map(Vec::as_slice) {
        Some([Cell::Int(number)]) => Ok(u64::try_from(*number).unwrap_or_default()),
        Some([Cell::Null]) => Ok(0),
        _ => Err(MoveError::NotANumber { query: query.sql }.into()),
    }
}
