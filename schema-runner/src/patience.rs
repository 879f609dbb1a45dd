//! How long a statement may wait for a lock, and for how long it is tried again.
//!
//! The lock timeout is the application's stall: a waiting ALTER blocks every statement behind it. So the first try does
//! not wait at all, the next ones wait 20, 50, 100 and at most 200 ms, and the pauses between them let the queue pass.

use std::time::Duration;

use phase_ledger::WriteError;
use schema_phases::{ChangeName, Move};
use tokio::time::Instant;

use crate::{
    clock::jittered,
    halt::{Halt, MoveError, chain},
    report::{Event, LockView, Report},
    signals::Stop,
};

const TIMEOUTS: [u64; 5] = [0, 20, 50, 100, 200];
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const TELL_EVERY: Duration = Duration::from_secs(10);
/// So many tries may fail without anybody being told.
const QUIET_TRIES: u32 = 5;

/// The tries for one lock.
#[derive(Debug)]
pub(crate) struct Patience {
    began: Instant,
    bound: Duration,
    tries: u32,
    told: Option<Instant>,
}

impl Patience {
    /// No try yet, and `bound` in all.
    pub(crate) fn new(bound: Duration) -> Self {
        Self { began: Instant::now(), bound, tries: 0, told: None }
    }

    /// How long the next try may wait; zero means not at all.
    pub(crate) fn timeout(&self) -> Duration {
        let index = usize::try_from(self.tries).unwrap_or(usize::MAX).min(TIMEOUTS.len() - 1);
        Duration::from_millis(TIMEOUTS.get(index).copied().unwrap_or(200))
    }

    /// A try failed: how long to pause before the next one; `None` when the time is over.
    pub(crate) fn pause(&mut self) -> Option<Duration> {
        self.tries += 1;
        let doubled = SHORTEST_PAUSE.saturating_mul(1 << self.tries.min(8).saturating_sub(1));
        (self.waited() < self.bound).then(|| jittered(doubled.min(LONGEST_PAUSE)))
    }

    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    pub(crate) fn waited(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn is_worth_telling(&mut self) -> bool {
        let worth = self.tries >= QUIET_TRIES && self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if worth {
            self.told = Some(Instant::now());
        }
        worth
    }
}

/// Whoever waits for a lock in a move, and is told on whose behalf.
#[derive(Clone)]
pub(crate) struct Waiter<'a> {
    pub(crate) change: ChangeName,
    pub(crate) step: Move,
    pub(crate) stop: &'a Stop,
    pub(crate) report: &'a dyn Report,
}

impl Waiter<'_> {
    /// Sleeps before the next try for a lock; gives up when the time is over, or when waiting is of no use.
    pub(crate) async fn wait(&self, patience: &mut Patience, cause: WriteError) -> Result<(), Halt> {
        // Whatever else went wrong leaves open whether it happened: the next attempt asks the ledger.
        let why = chain(&cause);
        let WriteError::LockNotAvailable { table, blocker: held_by } = cause else { return Err(cause.into()) };
        let lock = LockView { table, held_by };
        if self.stop.is_set() {
            return Err(Halt::Stopped);
        }
        let Some(pause) = patience.pause() else {
            return Err(MoveError::Busy { why, lock, seconds: patience.waited().as_secs() }.into());
        };
        if patience.is_worth_telling() {
            let (change, step, tries) = (self.change.clone(), self.step, patience.tries());
            self.report.tell(&Event::LockWait { change, step, why, lock, tries });
        }
        self.stop.sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_try_does_not_wait_and_no_try_stalls_an_application_for_more_than_200_ms() {
        let mut patience = Patience::new(Duration::from_secs(60));
        let mut timeouts = Vec::new();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            timeouts.push(patience.timeout().as_millis());
            pauses.push(patience.pause().unwrap().as_millis());
        }
        assert_eq!(timeouts, [0, 20, 50, 100, 200, 200, 200, 200, 200, 200, 200, 200]);
        assert!(pauses.iter().all(|pause| (50..=1_500).contains(pause)), "{pauses:?}");
        assert!(pauses[0] <= 75 && pauses[11] >= 1_000, "{pauses:?}");
    }

    #[tokio::test]
    async fn it_ends_after_its_bound() {
        assert_eq!(Patience::new(Duration::ZERO).pause(), None);
    }
}
