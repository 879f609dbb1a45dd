//! Moves a database through the phases that Git asks for; the library behind the binary `phasegate`.
//!
//! The only code of this project that ever changes a database. Which move is allowed it asks of `schema_phases`; what a
//! move does it asks of `schema_changes`; where the database stands it reads from and writes to `phase_ledger`. It adds
//! what those refuse to know: locks, ranges, retries, signals, Kubernetes.

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

pub mod adopt;
mod backfill;
mod catalog;
pub mod check;
mod checkpoint;
mod clock;
pub mod doctor;
mod drift;
mod exit;
mod gate_role;
mod halt;
mod index;
pub mod inspect;
mod integrity;
pub mod live;
mod lock;
mod loss;
pub mod metrics;
mod moves;
pub mod outlook;
mod patience;
mod protocol;
pub mod report;
mod run;
mod sessions;
mod signals;
mod soak;
pub mod status;
mod steps;
mod sync_check;
mod verify;
mod wanted;

pub use backfill::{
    batch_aim, nice_ratio,
    throttle::{ANSWER as THROTTLE_ANSWER, DeclaredThrottle, Measures, Throttle, Unthrottled},
};
pub use checkpoint::{Checkpoints, Taken};
pub use clock::Clock;
pub use drift::Drift;
pub use exit::Exit;
pub use gate_role::{GateRole, NoRole, gate_role};
pub use halt::chain;
pub use loss::Counted;
pub use moves::{CannotMove, Declared, Moves};
pub use run::{Connect, Ports, Settings, WhenHeld, run};
pub use signals::{Stop, StopSender, on_signals};
pub use wanted::{OwnPlan, WantedPlan};
