//! Filling the rows that were written before the triggers stood: range by range of the primary key, each in one short
//! transaction together with its cursor.
//!
//! Values are computed by the UPDATE itself, over the row it writes, so that a row somebody else is writing is waited for
//! and then read anew; nothing is computed here. Where it ends is fixed when it begins, as rows written later are the
//! triggers' work.

mod keyset;
mod pace;

use std::time::Duration;

use phase_ledger::{BackfillProgress, Cell, Record, Statement, Transaction, WriteError};
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

impl Attempt<'_> {
    /// Fills all rows, from where the ledger says that an earlier run came; `earlier` when the same move has filled
    /// others before, whose cursor may still stand there. Returns what was done, for people.
    pub(crate) async fn fill(
        &mut self,
        hand: &mut Hand<'_>,
        it: &Backfill,
        index: u32,
        earlier: bool,
    ) -> Result<String, Halt> {
        let keyset = self.keyset(hand, it).await?;
        let mut pace = Pace::new(self.settings.batch_aim);
        let mut progress = match hand.backfill.take() {
            Some(found) if !(earlier && found.cursor == found.end) => found,
            Some(_) | None => self.begin_fill(&keyset).await?,
        };
        let mut touched = 0;
        while progress.cursor != progress.end {
            touched += self.fill_range(hand, &keyset, it, &mut pace, &mut progress).await?;
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

    async fn begin_fill(&mut self, keyset: &Keyset) -> Result<BackfillProgress, Halt> {
        let end = self.key(keyset.last()).await?.unwrap_or_default();
        let rows_total = number(self.session.as_mut(), &keyset.count("true")).await?;
        Ok(BackfillProgress { cursor: Vec::new(), end, rows_done: 0, rows_total, rows_per_second: 0 })
    }

    /// One range. Returns the rows it changed.
    async fn fill_range(
        &mut self,
        hand: &mut Hand<'_>,
        keyset: &Keyset,
        it: &Backfill,
        pace: &mut Pace,
        progress: &mut BackfillProgress,
    ) -> Result<u64, Halt> {
        if self.stop.is_set() {
            return Err(Halt::Stopped);
        }
        let began = Instant::now();
        let boundary = self.key(keyset.boundary(&progress.cursor, &progress.end, pace.size(), None)).await?;
        let (boundary, rows) = match boundary {
            Some(boundary) => (boundary, pace.size()),
            None => {
                let left = self.query_number(keyset.remaining(&progress.cursor, &progress.end)).await?;
                (progress.end.clone(), left)
            }
        };
        let next = BackfillProgress {
            cursor: boundary.clone(),
            end: progress.end.clone(),
            rows_done: progress.rows_done.saturating_add(rows),
            rows_total: progress.rows_total,
            rows_per_second: pace.rate(),
        };
        let update = keyset.update(it, &progress.cursor, &boundary);
        let records = vec![Record::Backfill(hand.change.profile.name.clone(), next.clone())];
        let touched = self.batch(hand, update, records, pace).await?;
        *progress = next;
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
            touched += self.batch(hand, update, Vec::new(), pace).await?;
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
            touched += self.batch(hand, update, Vec::new(), pace).await?;
            cursor = boundary;
            self.rest(pace).await;
        }
        Ok(touched)
    }

    /// One UPDATE in a transaction of its own, tried again while rows or the database are locked.
    async fn batch(
        &mut self,
        hand: &Hand<'_>,
        update: Statement,
        records: Vec<Record>,
        pace: &mut Pace,
    ) -> Result<u64, Halt> {
        let transaction = Transaction { lock_tables: Vec::new(), lock_timeout: ROW_WAIT, work: vec![update], records };
        let mut patience = Patience::new(self.settings.batch_patience);
        loop {
            let began = Instant::now();
            match self.session.commit(self.generation, &transaction).await {
                Ok(touched) => {
                    pace.took(began.elapsed());
                    self.progress();
                    return Ok(touched.first().copied().unwrap_or_default());
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
