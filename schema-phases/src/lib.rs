//! The words of Phasegate and its two rules: *may this version and this schema meet?* and *may this schema move?*
//!
//! Pure: no I/O, no clock, no async. The gate asks [`judge`], the runner asks [`may_move`], and the model checker asks
//! both, so that what was explored is what runs. Knows nothing of SQL, Kubernetes or Argo.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm,
        reason = "a failed test should panic"
    )
)]

mod change;
mod movement;
mod name;
mod phase;
mod sighting;
mod supports;
mod target;
mod verdict;
mod window;

#[cfg(test)]
mod model;

pub use change::{ChangeProfile, Conversion, LiveChange};
pub use movement::{Blocker, Movement, Recovery, may_finish, may_move, recover};
pub use name::{BadName, ChangeName, nearest};
pub use phase::{Move, NotAMove, SchemaPhase, Span, UnknownPhase};
pub use sighting::{Because, Fact, Missing, Moment, Sighting};
pub use supports::{AppVersion, BadSupports, Supports, Unclear};
pub use target::{BadDigest, Currency, PlanDigest, Target, currency, next_move};
pub use verdict::{Check, CheckOutcome, DatabaseFacts, LedgerSight, Misfit, Permit, Policy, Reason, Verdict, judge};
pub use window::{Fit, PhaseWindow, ReversedWindow, UnreadableWindow};
