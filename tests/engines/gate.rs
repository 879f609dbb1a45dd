//! What the gate asks besides the ledger, of real servers: statements, integrity queries, replicas and Prometheus, with
//! the role that `phasegate gate-role` prints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use std::time::Duration;

/// For one statement of a probe, as the gate has it.
const BOUND: Duration = Duration::from_secs(2);

#[path = "gate/mariadb.rs"]
mod mariadb;
#[path = "gate/prometheus.rs"]
mod prometheus;
#[path = "gate/replica.rs"]
mod replica;
#[path = "gate/role.rs"]
mod role;
#[path = "gate/statements.rs"]
mod statements;
