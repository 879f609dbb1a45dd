//! The clock: the wall's time at the start, and tokio's since then. It never goes back, and tests can hold it.

use schema_phases::Moment;
use tokio::time::Instant;

/// Tells the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Moment,
    started: Instant,
}

impl Clock {
    /// A clock that shows `base` now.
    pub fn starting_at(base: Moment) -> Self {
        Self { base, started: Instant::now() }
    }

    /// What it shows.
    pub fn now(&self) -> Moment {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Moment::from_unix_millis(self.base.unix_millis().saturating_add(elapsed))
    }
}
