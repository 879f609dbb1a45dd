//! Filling the rows that were written before the triggers stood: range by range of the primary key, each in one short
//! transaction together with its cursor.
//!
//! Values are computed by the UPDATE itself, over the row it writes, so that a row somebody else is writing is waited for
//! and then read anew; nothing is computed here. Where it ends is fixed when it begins, as rows written later are the
//! triggers' work.

mod keyset;
mod pace;

use std::time::Duration;

use phase_ledger::{BackfillProgress, BackfillRange, Batch, Cell, Record, Statement, Transaction, WriteError};
use schema_changes::{Backfill, Engine};
use tokio::time::Instant;

use self::{keyset::Keyset, pace::Pace};
use crate::{
    halt::{Halt, MoveError},
    patience::Patience,
    protocol::{Attempt, Hand},
    report::{BackfillView, Event, count},
    verify::number,
};

/// Sweeps after the first pass. Each leaves only rows whose key moved while it ran, so more than a few means that
/// something other than key changes unfills rows; the verification will count them.
const SWEEPS: u32 = 5;

/// So many deadlocks in a row are met with another try on the same connection.
const DEADLOCKS: u32 = 20;

/// A batch may wait this long for a row that somebody writes; meanwhile it holds other rows.
const ROW_WAIT: Duration = Duration::from_millis(200);

/// One UPDATE of a backfill.
enum Fill {
    /// In a range, with its cursor.
    Range(Batch),
    /// Of rows that were left over.
    Sweep(Transaction),
}

impl Fill {
    fn sweep(update: Statement) -> Self {
        Self::Sweep(Transaction { lock_timeout: ROW_WAIT, work: vec![update], ..Transaction::default() })
    }
}

impl Attempt<'_> {
    /// Fills all rows, from where the ledger says that an earlier run came. Returns what was done, for people.
    pub(crate) async fn fill(&mut self, hand: &mut Hand<'_>, it: &Backfill, index: u32) -> Result<String, Halt> {
        let keyset = self.keyset(hand, it).await?;
        let mut pace = Pace::new(self.settings.batch_aim);
        let change = hand.change.profile.name.clone();
        let mut progress = match hand.backfill.take() {
            Some(found) if found.step == index => found,
            Some(_) | None => self.begin_fill(hand, &keyset, index).await?,
        };
        let mut touched = 0;
        for mut range in self.session.ranges(&change).await? {
            while !range.is_done() {
                touched += self.fill_range(hand, &keyset, it, &mut pace, &mut range, &mut progress).await?;
            }
        }
        for _ in 0..SWEEPS {
            if number(self.session.as_mut(), &keyset.count(&it.unfilled)).await? == 0 {
                break;
            }
            touched += self.sweep(hand, &keyset, it, &mut pace).await?;
        }
        self.record(vec![
            Record::Backfill(hand.change.profile.name.clone(), progress.clone()),
            Record::Done(hand.change.profile.name.clone(), index),
        ])
        .await?;
        Ok(format!("filled {} rows of {}", count(touched), it.table))
    }

    async fn keyset(&mut self, hand: &Hand<'_>, it: &Backfill) -> Result<Keyset, Halt> {
        let catalog = self.catalog(hand.change).await?;
        let refused = |why: String| Halt::from(MoveError::Refused { why });
        let facts =
            catalog.get(&it.table).ok_or_else(|| refused(format!("the table `{}` does not exist", it.table)))?;
        Keyset::new(self.plan.database.engine, it, facts).map_err(refused)
    }

    async fn begin_fill(&mut self, hand: &Hand<'_>, keyset: &Keyset, index: u32) -> Result<BackfillProgress, Halt> {
        let end = self.key(keyset.last()).await?.unwrap_or_default();
        let rows_total = number(self.session.as_mut(), &keyset.count("true")).await?;
        let progress = BackfillProgress { step: index, rows_done: 0, rows_total, rows_per_second: 0, held: None };
        let range = BackfillRange { part: 0, cursor: Vec::new(), end, rows_done: 0 };
        let name = hand.change.profile.name.clone();
        self.record(vec![Record::Backfill(name.clone(), progress.clone()), Record::Ranges(name, vec![range])]).await?;
        Ok(progress)
    }

    /// One range. Returns the rows it changed.
    async fn fill_range(
        &mut self,
        hand: &mut Hand<'_>,
        keyset: &Keyset,
        it: &Backfill,
        pace: &mut Pace,
        range: &mut BackfillRange,
        progress: &mut BackfillProgress,
    ) -> Result<u64, Halt> {
        if self.stop.is_set() {
            return Err(Halt::Stopped);
        }
        let began = Instant::now();
        let boundary = self.key(keyset.boundary(&range.cursor, &range.end, pace.size(), None)).await?;
        let (boundary, rows) = match boundary {
            Some(boundary) => (boundary, pace.size()),
            None => {
                let left = self.query_number(keyset.remaining(&range.cursor, &range.end)).await?;
                (range.end.clone(), left)
            }
        };
        let batch = Batch {
            change: hand.change.profile.name.clone(),
            part: range.part,
            cursor: boundary.clone(),
            rows_done: range.rows_done.saturating_add(rows),
            work: keyset.update(it, &range.cursor, &boundary),
            next: None,
            lock_timeout: ROW_WAIT,
        };
        let touched = self.batch(hand, Fill::Range(batch), pace).await?;
        range.cursor = boundary;
        range.rows_done = range.rows_done.saturating_add(rows);
        progress.rows_done = progress.rows_done.saturating_add(rows);
        progress.rows_per_second = pace.rate();
        self.record(vec![Record::Backfill(hand.change.profile.name.clone(), progress.clone())]).await?;
        self.rest(pace).await;
        pace.passed(rows, began.elapsed());
        self.report(Event::Progress {
            change: hand.change.profile.name.clone(),
            step: hand.step,
            backfill: BackfillView {
                table: it.table.clone(),
                rows_done: progress.rows_done,
                rows_total: progress.rows_total,
                rows_per_second: pace.rate(),
            },
        });
        Ok(touched)
    }

    /// Once more over the rows that are still unfilled: their key moved past the cursor, or has a NULL in it.
    async fn sweep(
        &mut self,
        hand: &mut Hand<'_>,
        keyset: &Keyset,
        it: &Backfill,
        pace: &mut Pace,
    ) -> Result<u64, Halt> {
        let mut touched = 0;
        if let Some(update) = keyset.update_null_keys(it) {
            touched += self.batch(hand, Fill::sweep(update), pace).await?;
        }
        let Some(end) = self.key(keyset.last()).await? else { return Ok(touched) };
        let mut cursor: Vec<Cell> = Vec::new();
        while cursor != end {
            if self.stop.is_set() {
                return Err(Halt::Stopped);
            }
            let boundary = keyset.boundary(&cursor, &end, pace.size(), Some(&it.unfilled));
            let boundary = self.key(boundary).await?.unwrap_or_else(|| end.clone());
            let update = keyset.update(it, &cursor, &boundary);
            touched += self.batch(hand, Fill::sweep(update), pace).await?;
            cursor = boundary;
            self.rest(pace).await;
        }
        Ok(touched)
    }

    /// One UPDATE in a transaction of its own, tried again while rows or the database are locked.
    async fn batch(&mut self, hand: &Hand<'_>, fill: Fill, pace: &mut Pace) -> Result<u64, Halt> {
        let mut patience = Patience::new(self.settings.batch_patience);
        loop {
            let began = Instant::now();
            let done = match &fill {
                Fill::Range(batch) => self.session.batch(self.generation, batch).await.map(|batched| batched.touched),
                Fill::Sweep(transaction) => {
                    let done = self.session.commit(self.generation, transaction).await;
                    done.map(|touched| touched.first().copied().unwrap_or_default())
                }
            };
            match done {
                Ok(touched) => {
                    pace.took(began.elapsed());
                    self.progress();
                    return Ok(touched);
                }
                // A deadlock passes. Whether the batch happened does not matter: it fills only what is unfilled, and its
                // cursor is the same again. A connection that is gone says so.
                Err(WriteError::Transient { cause }) if patience.tries() < DEADLOCKS => {
                    self.session.heartbeat().await?;
                    if let Some(pause) = patience.pause() {
                        tracing::debug!(%cause, "a batch was given up by the database");
                        self.stop.sleep(pause).await;
                    }
                }
                Err(cause) => self.be_patient(hand, &mut patience, cause).await?,
            }
        }
    }

    /// SQLite has one writer, and its busy handlers back off: without a pause as long as the batch the application
    /// hardly gets in.
    async fn rest(&self, pace: &Pace) {
        match self.plan.database.engine {
            Engine::Sqlite => self.stop.sleep(pace.last().max(Duration::from_millis(1))).await,
            Engine::Postgres | Engine::Mysql | Engine::Mariadb => tokio::task::yield_now().await,
        }
    }

    async fn key(&mut self, query: Statement) -> Result<Option<Vec<Cell>>, Halt> {
        Ok(self.session.query(&query).await?.into_iter().next())
    }

    async fn query_number(&mut self, query: Statement) -> Result<u64, Halt> {
        let rows = self.session.query(&query).await?;
        match rows.first().map(Vec::as_slice) {
            Some([Cell::Int(number)]) => Ok(u64::try_from(*number).unwrap_or_default()),
            _ => Err(MoveError::NotANumber { query: query.sql }.into()),
        }
    }
}
