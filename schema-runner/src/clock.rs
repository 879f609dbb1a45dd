//! The run's clock: one reading of the wall clock at the start, and the monotonic clock from there on.
//!
//! Nothing here reads the wall clock: the wiring hands in the first moment. Tests pause tokio's time.

use std::time::Duration;

use schema_phases::Moment;
use tokio::time::Instant;

/// Tells moments to the rules and durations to everybody else.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Moment,
    started: Instant,
}

impl Clock {
    /// A clock that begins now, which the wall clock says is `origin`.
    pub fn starting_at(origin: Moment) -> Self {
        Self { origin, started: Instant::now() }
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The moment it is.
    pub fn now(&self) -> Moment {
        let millis = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        Moment::from_unix_millis(self.origin.unix_millis().saturating_add(millis))
    }
}

/// `base` and up to half of it again, so that runners that wait for the same thing do not ask in step.
pub(crate) fn jittered(base: Duration) -> Duration {
    base + base.mul_f64(fastrand::f64() / 2.0)
}
