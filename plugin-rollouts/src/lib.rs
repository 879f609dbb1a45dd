//! The gate for Argo Rollouts: holds a canary until the schema is ready for it.
//!
//! Argo starts the binary `phasegate-rollouts` and asks over its own net/rpc protocol; [`front`] turns that into calls
//! of one tonic service ([`grpc`]), which asks the [`gate`]: gather facts, judge, report. Facts come through [`ports`],
//! and only [`wiring`] names who stands behind them. What Argo is told, and in which words, is the business of
//! [`step`]. It only reads.
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

pub mod announce;
pub mod args;
mod chain;
mod check_config;
pub mod config;
pub mod front;
pub mod gate;
pub mod grpc;
pub mod install;
pub mod metrics;
pub mod ports;
pub mod serve;
pub mod sources;
mod span_of_time;
pub mod step;
mod telemetry;
pub mod template;
#[cfg(test)]
mod testing;
pub mod traces;
pub mod wiring;
