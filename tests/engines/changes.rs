//! The statements of schema-changes on real engines: what they make, and what their triggers do to every write.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

#[path = "changes/bench.rs"]
mod bench;
#[path = "changes/cases.rs"]
mod cases;
#[path = "changes/differential.rs"]
mod differential;
#[path = "changes/mariadb.rs"]
mod mariadb;
#[path = "changes/oracle.rs"]
mod oracle;
