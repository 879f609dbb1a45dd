//! Filling the rows that were written before the triggers stood: range by range of the primary key, batch by batch, each
//! in one short transaction together with its cursor.
//!
//! Values are computed by the UPDATE itself, over the row it writes, so that a row somebody else is writing is waited for
//! and then read anew; nothing is computed here. Where it ends is fixed when it begins, as rows written later are the
//! triggers' work.
//!
//! The connection that holds the lock fills nothing itself: it is the foreman, which looks every second whether somebody
//! paused, whether a throttle holds, and says how far the crew is.

mod crew;
mod extent;
mod foreman;
mod key_type;
mod keyset;
mod pace;
pub(crate) mod throttle;

use phase_ledger::{BackfillProgress, BackfillRange, Cell, Record, Statement, Transaction, WriteError};
use schema_changes::Backfill;
use tokio::time::Instant;

pub use self::pace::{batch_aim, nice_ratio};
use self::{
    crew::{Crew, DEADLOCKS, ROW_WAIT},
    foreman::Foreman,
    keyset::Keyset,
    pace::{Pace, Rest},
};
use crate::{
    halt::{Halt, MoveError},
    patience::Patience,
    protocol::{Attempt, Hand},
    report::{Event, count},
    verify::number,
};

/// Sweeps after the first pass. Each leaves only rows whose key moved while it ran, so more than a few means that
/// something other than key changes unfills rows; the verification will count them.
const SWEEPS: u32 = 5;

impl Attempt<'_> {
    /// Fills all rows, from where the ledger says that an earlier run came. Returns what was done, for people.
    pub(crate) async fn fill(&mut self, hand: &mut Hand<'_>, it: &Backfill, index: u32) -> Result<String, Halt> {
        let keyset = self.keyset(hand, it).await?;
        let Some((enter, leave)) = keyset.in_utc() else { return self.fill_keyed(hand, it, &keyset, index).await };
        self.session.query(&enter).await?;
        let filled = self.fill_keyed(hand, it, &keyset, index).await;
        // Also after a failure: the other changes go on with this connection.
        let left = self.session.query(&leave).await;
        let filled = filled?;
        left?;
        Ok(filled)
    }

    async fn fill_keyed(
        &mut self,
        hand: &mut Hand<'_>,
        it: &Backfill,
        keyset: &Keyset,
        index: u32,
    ) -> Result<String, Halt> {
        let change = hand.change.profile.name.clone();
        let (progress, ranges) = match hand.backfill.take() {
            Some(found) if found.step == index => (found, self.session.ranges(&change).await?),
            Some(_) | None => self.begin_fill(hand, keyset, index).await?,
        };
        let (progress, mut touched) = self.fill_ranges(hand, it, keyset, progress, &ranges).await?;
        for _ in 0..SWEEPS {
            if number(self.session.as_mut(), &keyset.count(&it.unfilled)).await? == 0 {
                break;
            }
            touched += self.sweep(hand, keyset, it).await?;
        }
        self.record(vec![Record::Backfill(change.clone(), progress), Record::Done(change, index)]).await?;
        Ok(format!("filled {} rows of {}", count(touched), it.table))
    }

    async fn keyset(&mut self, hand: &Hand<'_>, it: &Backfill) -> Result<Keyset, Halt> {
        let catalog = self.catalog(hand.change).await?;
        let refused = |why: String| Halt::from(MoveError::Refused { why });
        let facts =
            catalog.get(&it.table).ok_or_else(|| refused(format!("the table `{}` does not exist", it.table)))?;
        Keyset::new(self.plan.database.engine, it, facts).map_err(refused)
    }

    /// Fixes where it ends and cuts it into ranges.
    async fn begin_fill(
        &mut self,
        hand: &Hand<'_>,
        keyset: &Keyset,
        index: u32,
    ) -> Result<(BackfillProgress, Vec<BackfillRange>), Halt> {
        let session = self.session.as_mut();
        let rows_total = extent::rows(session, keyset).await?;
        let ranges = extent::cut(session, keyset, rows_total, self.settings.connections).await?;
        let progress = BackfillProgress { step: index, rows_done: 0, rows_total, rows_per_second: 0, held: None };
        let name = hand.change.profile.name.clone();
        let records = vec![Record::Backfill(name.clone(), progress.clone()), Record::Ranges(name, ranges.clone())];
        self.record(records).await?;
        Ok((progress, ranges))
    }

    /// Fills what is left of the ranges. Returns how far it is then, and how many rows were written.
    async fn fill_ranges(
        &mut self,
        hand: &Hand<'_>,
        it: &Backfill,
        keyset: &Keyset,
        progress: BackfillProgress,
        ranges: &[BackfillRange],
    ) -> Result<(BackfillProgress, u64), Halt> {
        let waiter = self.waiter(hand);
        let crew = Crew::new(self.generation, self.settings, it, keyset, waiter, self.progressed, ranges);
        let (mut sessions, before) = (Vec::new(), crew.rows_done());
        for _ in 0..extent::hands(self.plan.database.engine, self.settings.connections).min(crew.waiting()) {
            sessions.push(self.ports.connect.open().await?);
        }
        let connections = sessions.len();
        let work = async {
            let began = Instant::now();
            let ended = futures::future::join_all(sessions.into_iter().map(|session| crew.work(session))).await;
            crew.finish();
            (ended, began.elapsed())
        };
        let mut foreman = Foreman::new(self, hand, &crew, progress);
        // Before the first row: outside of its window it fills none.
        foreman.look().await?;
        let ((ended, took), watched) = tokio::join!(work, foreman.watch());
        let told = foreman.tell().await;
        let progress = foreman.progress();
        watched?;
        // One that failed made the others stop: its reason counts.
        let mut stopped = Ok(());
        for halt in ended.into_iter().filter_map(Result::err) {
            if !matches!(halt, Halt::Stopped) {
                return Err(halt);
            }
            stopped = Err(halt);
        }
        stopped?;
        told?;
        let (change, table) = (hand.change.profile.name.clone(), it.table.clone());
        let rows = crew.rows_done().saturating_sub(before);
        self.report(Event::Filled { change, step: hand.step, table, rows, connections, took });
        Ok((progress, crew.touched()))
    }

    /// Once more over the rows that are still unfilled: their key moved past the cursor, or has a NULL in it.
    async fn sweep(&mut self, hand: &Hand<'_>, keyset: &Keyset, it: &Backfill) -> Result<u64, Halt> {
        let mut pace = Pace::new(keyset.engine(), self.settings.batch_aim);
        let mut touched = 0;
        if let Some(update) = keyset.update_null_keys(it) {
            touched += self.swept(hand, update, &mut pace).await?;
        }
        let Some(end) = extent::last(self.session.as_mut(), keyset).await? else { return Ok(touched) };
        let mut cursor: Vec<Cell> = Vec::new();
        while cursor != end {
            if self.stop.is_set() {
                return Err(Halt::Stopped);
            }
            let query = keyset.boundary(&cursor, &end, pace.size(), Some(&it.unfilled));
            let boundary = self.session.query(&query).await?.into_iter().next().unwrap_or_else(|| end.clone());
            touched += self.swept(hand, keyset.update(it, &cursor, &boundary), &mut pace).await?;
            cursor = boundary;
            Rest::after(pace.last(), self.settings.nice_ratio.max(1.0)).take(self.stop).await;
        }
        Ok(touched)
    }

    /// One UPDATE of a sweep, in a transaction of its own, tried again while rows or the database are locked.
    async fn swept(&mut self, hand: &Hand<'_>, update: Statement, pace: &mut Pace) -> Result<u64, Halt> {
        let transaction = Transaction { lock_timeout: ROW_WAIT, work: vec![update], ..Transaction::default() };
        let mut patience = Patience::new(self.settings.batch_patience);
        loop {
            let began = Instant::now();
            match self.session.commit(self.generation, &transaction).await {
                Ok(touched) => {
                    pace.took(pace.size(), pace.size(), began.elapsed(), began.elapsed());
                    self.progress();
                    return Ok(touched.first().copied().unwrap_or_default());
                }
                Err(WriteError::Transient { cause }) if patience.tries() < DEADLOCKS => {
                    self.session.heartbeat().await?;
                    if let Some(pause) = patience.pause() {
                        tracing::debug!(%cause, "a sweep was given up by the database");
                        self.stop.sleep(pause).await;
                    }
                }
                Err(cause) => self.waiter(hand).wait(&mut patience, cause).await?,
            }
        }
    }
}
