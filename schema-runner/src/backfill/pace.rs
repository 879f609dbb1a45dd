//! How many rows a batch has: as many as take 25 to 50 ms, since a writer who meets a batch waits for it.
//!
//! What counts is the time of the rows themselves. The way to a server and back, or a server that has other things to do,
//! costs the same for a batch of any size: smaller batches would not shorten it, and filling would come to a standstill.

use std::{collections::VecDeque, time::Duration};

use phase_ledger::HEARTBEAT;
use schema_changes::Engine;

use crate::signals::Stop;

const FIRST: u64 = 500;
const SMALLEST: u64 = 100;
/// The next batch is at most so many times larger, when most rows of this one were written: then it tells what a row costs.
const LEAP: f64 = 4.0;
/// Otherwise rows that were filled already made it look cheap.
const STEP: f64 = 2.0;
const LARGEST: u64 = 50_000;
/// So many batches are looked back at. The quickest of them tells what a row costs: whatever disturbs makes it slower.
const MEMORY: usize = 5;
/// Batches grow up to so many times what they aim at where the rest takes longer than the rows.
const MOST: u32 = 3;
/// The rest should be so small a part of the rows' time: a commit that waits for a slow disk costs the same for more rows.
const PART: u32 = 9;
/// For that alone batches grow by no more than this: from 35 to 50 ms.
const SOME: f64 = 50.0 / 35.0;

/// What a batch aims at where nobody says otherwise. On SQLite every writer of the whole file waits for it, and its
/// commits wait for no disk: small ones cost little there. One that finds the file locked looks again after 1, 3, 8, 18 and
/// 33 ms: what is over by the second look costs it little, and what lasts longer, ever longer naps.
pub const fn batch_aim(engine: Engine) -> Duration {
    match engine {
        Engine::Postgres | Engine::Mysql | Engine::Mariadb => Duration::from_millis(35),
        Engine::Sqlite => Duration::from_millis(2),
    }
}

/// How long a connection rests after each batch where nobody says otherwise, in times of the batch. SQLite has one writer,
/// and its busy handlers back off: a look of theirs must seldom fall into a batch, and a second one hardly ever.
pub const fn nice_ratio(engine: Engine) -> f64 {
    match engine {
        Engine::Postgres | Engine::Mysql | Engine::Mariadb => 0.0,
        Engine::Sqlite => 3.0,
    }
}

/// A server ends a session that is silent for longer than a heartbeat.
const LONGEST_REST: Duration = Duration::from_secs(HEARTBEAT.as_secs() / 2);
/// No clock here rests for less.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// The time after a batch that is left to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest(Duration);

impl Rest {
    /// So many times what the batch took.
    pub(crate) fn after(batch: Duration, ratio: f64) -> Self {
        let time = Duration::try_from_secs_f64(batch.as_secs_f64() * ratio).unwrap_or(LONGEST_REST);
        let shortest = if ratio > 0.0 { SHORTEST_REST } else { Duration::ZERO };
        Self(time.clamp(shortest, LONGEST_REST))
    }

    /// Rests, or less if somebody asked the process to leave.
    pub(crate) async fn take(self, stop: &Stop) {
        if self.0.is_zero() {
            tokio::task::yield_now().await;
        } else {
            stop.sleep(self.0).await;
        }
    }
}

/// The size of the next batch.
#[derive(Debug)]
pub(crate) struct Pace {
    aim: Duration,
    /// There is a server, whose commits and the way to it cost the same for a batch of any size.
    shares: bool,
    size: u64,
    last: Duration,
    /// Seconds a row, and all that is not rows.
    seen: VecDeque<(f64, Duration)>,
}

impl Pace {
    /// Batches that take about `aim`.
    pub(crate) fn new(engine: Engine, aim: Duration) -> Self {
        let shares = match engine {
            Engine::Postgres | Engine::Mysql | Engine::Mariadb => true,
            Engine::Sqlite => false,
        };
        Self { aim, shares, size: FIRST, last: Duration::ZERO, seen: VecDeque::with_capacity(MEMORY) }
    }

    /// Rows in the next batch.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How long the last batch took.
    pub(crate) fn last(&self) -> Duration {
        self.last
    }

    /// A batch of so many rows, of which so many were written, took so long for the rows themselves, and so long in all. The
    /// next one is nearer to the aim.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sizes stay between SMALLEST and LARGEST"
    )]
    pub(crate) fn took(&mut self, rows: u64, written: u64, own: Duration, all: Duration) {
        self.last = all;
        if self.seen.len() == MEMORY {
            self.seen.pop_front();
        }
        self.seen.push_back((own.as_secs_f64() / rows.max(1) as f64, all.saturating_sub(own)));
        let a_row = self.seen.iter().map(|(a_row, _)| *a_row).fold(f64::INFINITY, f64::min).max(1e-9);
        let size = self.size as f64;
        let right = self.goal().as_secs_f64() / a_row;
        let most = if written.saturating_mul(2) >= rows { LEAP } else { STEP };
        self.size = (right.clamp(size / STEP, size * most) as u64).clamp(SMALLEST, LARGEST);
    }

    /// How long the rows of the next batch should take.
    fn goal(&self) -> Duration {
        if !self.shares {
            return self.aim;
        }
        let rest = self.seen.iter().map(|(_, rest)| *rest).min().unwrap_or_default();
        let some = rest.saturating_mul(PART).clamp(self.aim, self.aim.mul_f64(SOME));
        rest.clamp(some, self.aim.saturating_mul(MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AIM: Duration = Duration::from_millis(35);

    /// The time of a batch after many, when a row and the rest take this long.
    fn settled(pace: &mut Pace, micros_a_row: u64, rest: Duration) -> Duration {
        for _ in 0..30 {
            let own = Duration::from_micros(pace.size() * micros_a_row);
            pace.took(pace.size(), pace.size(), own, own + rest);
        }
        Duration::from_micros(pace.size() * micros_a_row)
    }

    #[test]
    fn batches_come_to_take_what_they_aim_at_and_back_off_when_rows_get_slow() {
        let mut pace = Pace::new(Engine::Postgres, AIM);
        let millis = |time: Duration| time.as_millis();
        assert!((30..=40).contains(&millis(settled(&mut pace, 10, Duration::ZERO))));
        assert!((30..=40).contains(&millis(settled(&mut pace, 100, Duration::ZERO))));
        assert_eq!(millis(settled(&mut pace, 100_000, Duration::ZERO)), 10_000, "never below the smallest batch");
        settled(&mut pace, 0, Duration::ZERO);
        assert_eq!(pace.size(), LARGEST);
    }

    #[test]
    fn a_small_table_takes_few_batches_and_rows_that_were_filled_already_teach_little() {
        let (mut pace, batch) = (Pace::new(Engine::Postgres, AIM), Duration::from_millis(5));
        assert_eq!(pace.size(), FIRST);
        pace.took(FIRST, FIRST, batch, batch);
        assert_eq!(pace.size(), 2_000, "35 ms are 3,500 rows, and one batch is not much to go by");
        pace.took(2_000, 2_000, 4 * batch, 4 * batch);
        assert_eq!(pace.size(), 3_500);
        let mut pace = Pace::new(Engine::Postgres, AIM);
        let nothing = Duration::from_micros(100);
        pace.took(FIRST, 10, nothing, nothing);
        assert_eq!(pace.size(), 2 * FIRST);
    }

    #[test]
    fn a_server_far_away_or_busy_gets_no_tiny_batches() {
        let mut pace = Pace::new(Engine::Postgres, AIM);
        let own = settled(&mut pace, 10, Duration::from_millis(60));
        assert!((55..=65).contains(&own.as_millis()), "{own:?}: half of the time is the rows'");
        let own = settled(&mut pace, 10, Duration::from_secs(1));
        assert!((100..=110).contains(&own.as_millis()), "{own:?}: and no writer waits for ever");
    }

    #[test]
    fn what_a_commit_costs_is_shared_by_more_rows() {
        let mut pace = Pace::new(Engine::Postgres, AIM);
        let millis = |time: Duration| time.as_millis();
        let own = settled(&mut pace, 10, Duration::from_millis(3));
        assert!((30..=40).contains(&millis(own)), "{own:?}: it is less than a tenth");
        let own = settled(&mut pace, 10, Duration::from_millis(10));
        assert!((48..=52).contains(&millis(own)), "{own:?}: and no writer waits for much longer");
    }

    #[test]
    fn on_sqlite_nothing_makes_a_batch_longer_than_it_aims_at() {
        let mut pace = Pace::new(Engine::Sqlite, AIM);
        for rest in [0, 10, 60, 1_000] {
            let own = settled(&mut pace, 10, Duration::from_millis(rest));
            assert!((30..=40).contains(&own.as_millis()), "{own:?} where the rest takes {rest} ms");
        }
    }

    #[test]
    fn it_rests_by_its_ratio_and_never_so_long_that_a_server_ends_the_session() {
        let after = |millis, ratio| Rest::after(Duration::from_millis(millis), ratio).0;
        assert_eq!(after(35, 0.0), Duration::ZERO);
        assert_eq!(after(40, 1.5), Duration::from_millis(60));
        assert_eq!(after(0, 0.1), SHORTEST_REST);
        assert_eq!(after(5_000, 10.0), LONGEST_REST);
        assert_eq!(after(5_000, f64::INFINITY), LONGEST_REST);
    }

    #[test]
    fn one_disturbed_batch_changes_nothing() {
        let mut pace = Pace::new(Engine::Postgres, AIM);
        settled(&mut pace, 10, Duration::ZERO);
        let size = pace.size();
        pace.took(size, size, Duration::from_secs(2), Duration::from_secs(3));
        assert_eq!(pace.size(), size);
        // Nor does the short end of a range double the next one.
        pace.took(35, 35, Duration::from_micros(350), Duration::from_micros(350));
        assert!(pace.size().abs_diff(size) <= size / 50, "{} after {size}", pace.size());
    }
}
