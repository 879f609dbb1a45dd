//! Who looks after a crew: whether it has to rest, how far it is, and who is told.

use std::time::Duration;

use phase_ledger::{BackfillProgress, Cell, HEARTBEAT, Record};
use tokio::time::{Instant, sleep};

use super::crew::Crew;
use crate::{
    halt::Halt,
    protocol::{Attempt, Hand},
    report::{BackfillView, Event},
};

/// How often the pause and the throttles are looked at and the ledger is told.
const LOOK: Duration = Duration::from_secs(1);
/// How often dead rows are counted, and the percentage at which a vacuum is asked for.
const BLOAT: Duration = Duration::from_secs(30);
const MOST_DEAD: u64 = 20;
/// How often whoever watches is told.
const TICK: Duration = Duration::from_millis(200);

/// One backfill's foreman, on the connection that holds the lock.
pub(super) struct Foreman<'f, 'a, 'h, 'c> {
    attempt: &'f mut Attempt<'a>,
    hand: &'f Hand<'h>,
    crew: &'f Crew<'c>,
    progress: BackfillProgress,
    told: Option<BackfillProgress>,
    rate: Rate,
    counted: Instant,
    beat: Instant,
    bloat: Instant,
    /// Dead rows in percent, when that was last told.
    dead: u64,
}

impl<'f, 'a, 'h, 'c> Foreman<'f, 'a, 'h, 'c> {
    pub(super) fn new(
        attempt: &'f mut Attempt<'a>,
        hand: &'f Hand<'h>,
        crew: &'f Crew<'c>,
        progress: BackfillProgress,
    ) -> Self {
        let rate = Rate::new(crew.rows_done());
        let now = Instant::now();
        Self { attempt, hand, crew, progress, told: None, rate, counted: now, beat: now, bloat: now, dead: 0 }
    }

    /// How far the crew is.
    pub(super) fn progress(&self) -> BackfillProgress {
        self.progress.clone()
    }

    /// Looks until the crew has finished. When it cannot look any more, the crew must not work on unwatched.
    pub(super) async fn watch(&mut self) -> Result<(), Halt> {
        let watched = self.look_again_and_again().await;
        if watched.is_err() {
            self.crew.dismiss();
        }
        watched
    }

    async fn look_again_and_again(&mut self) -> Result<(), Halt> {
        loop {
            let looked = Instant::now();
            while looked.elapsed() < LOOK {
                tokio::select! {
                    biased;
                    () = self.crew.finished() => return Ok(()),
                    () = self.crew.first_batch() => {}
                    () = sleep(TICK) => {}
                }
                self.count();
                self.report();
            }
            self.look().await?;
        }
    }

    /// Whether the crew has to rest; says so to the ledger.
    pub(super) async fn look(&mut self) -> Result<(), Halt> {
        if self.beat.elapsed() >= HEARTBEAT / 2 {
            self.attempt.session.heartbeat().await?;
            self.beat = Instant::now();
        }
        let held = match self.attempt.state().await?.paused {
            Some(who) => Some(format!("paused by {who}")),
            None => self.attempt.ports.throttle.hold().await,
        };
        if self.crew.held() != held {
            let (change, step) = (self.hand.change.profile.name.clone(), self.hand.step);
            self.attempt.report(match &held {
                Some(why) => Event::Held { change, step, why: why.clone() },
                None => Event::Released { change, step },
            });
        }
        self.crew.hold(held);
        if self.bloat.elapsed() >= BLOAT {
            self.bloat = Instant::now();
            self.bloated().await?;
        }
        self.count();
        self.tell().await
    }

    /// Asks for a vacuum when dead rows pile up faster than the server takes them away.
    async fn bloated(&mut self) -> Result<(), Halt> {
        let Some(query) = self.crew.keyset.bloat() else { return Ok(()) };
        let rows = self.attempt.session.query(&query).await?;
        let Some([Cell::Int(live), Cell::Int(dead)]) = rows.first().map(Vec::as_slice) else { return Ok(()) };
        let percent = dead_percent(*live, *dead);
        if percent >= self.dead.saturating_add(MOST_DEAD) {
            let (change, table) = (self.hand.change.profile.name.clone(), self.crew.it.table.clone());
            self.attempt.report(Event::Bloat { change, table, percent });
            self.dead = percent;
        }
        Ok(())
    }

    fn count(&mut self) {
        let rows = self.crew.rows_done();
        if self.counted.elapsed() >= TICK {
            self.rate.count(rows, self.counted.elapsed());
            self.counted = Instant::now();
        }
        self.progress.rows_done = rows;
        self.progress.rows_per_second = self.rate.get();
        self.progress.held = self.crew.held();
    }

    /// Writes to the ledger how far the crew is.
    pub(super) async fn tell(&mut self) -> Result<(), Halt> {
        self.count();
        if self.told.as_ref() != Some(&self.progress) {
            let record = Record::Backfill(self.hand.change.profile.name.clone(), self.progress.clone());
            self.attempt.record(vec![record]).await?;
            self.told = Some(self.progress.clone());
        }
        Ok(())
    }

    fn report(&self) {
        self.attempt.report(Event::Progress {
            change: self.hand.change.profile.name.clone(),
            step: self.hand.step,
            backfill: BackfillView {
                table: self.crew.it.table.clone(),
                rows_done: self.progress.rows_done,
                rows_total: self.progress.rows_total,
                rows_per_second: self.progress.rows_per_second,
                held: self.progress.held.clone(),
            },
        });
    }
}

fn dead_percent(live: i64, dead: i64) -> u64 {
    let (live, dead) = (u64::try_from(live).unwrap_or_default(), u64::try_from(dead).unwrap_or_default());
    dead.saturating_mul(100).checked_div(live.saturating_add(dead)).unwrap_or_default()
}

/// Rows per second over the last few seconds, pauses included.
struct Rate {
    rows: u64,
    rate: f64,
}

impl Rate {
    fn new(rows: u64) -> Self {
        Self { rows, rate: 0.0 }
    }

    /// There are so many rows now, so much later than when it was last asked.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn count(&mut self, rows: u64, passed: Duration) {
        let now = rows.saturating_sub(self.rows) as f64 / passed.as_secs_f64().max(0.001);
        self.rate = if self.rate == 0.0 { now } else { self.rate.mul_add(0.9, now * 0.1) };
        self.rows = rows;
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and small")]
    fn get(&self) -> u64 {
        self.rate as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_rows_are_told_in_percent_of_all() {
        for (live, dead, percent) in [(0, 0, 0), (100, 0, 0), (80, 20, 20), (0, 5, 100), (-1, -1, 0)] {
            assert_eq!(dead_percent(live, dead), percent, "{live} {dead}");
        }
    }

    #[test]
    fn the_rate_follows_what_happens_and_forgets_a_burst() {
        let mut rate = Rate::new(1_000);
        assert_eq!(rate.get(), 0, "nothing is known yet");
        let mut rows = 1_000;
        for _ in 0..50 {
            rows += 200;
            rate.count(rows, TICK);
        }
        assert!(rate.get().abs_diff(1_000) <= 1, "{}", rate.get());
        for _ in 0..100 {
            rate.count(rows, TICK);
        }
        assert_eq!(rate.get(), 0, "it rests");
    }
}
