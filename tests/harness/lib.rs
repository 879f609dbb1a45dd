//! What several tests and the demo share: stand-ins for what is not under test, and starters for what is real.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test should panic"
    )
)]

pub mod argo;
pub mod benchmark;
pub mod binaries;
pub mod examples;
mod guardian;
pub mod kube_api;
pub mod mariadb;
pub mod mysql;
pub mod postgres;
pub mod prometheus;
