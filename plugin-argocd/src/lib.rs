//! The renderer: a checkout in, manifests out. It also says what is unwise about the checkout.
//!
//! Pure but for [`execute`]: the same commit and parameters give the same bytes. Knows no database, no cluster, no clock
//! and no network; `checkout` is the only module that reads, `emit` the only one that writes to stdout.

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

mod args;
mod checkout;
mod commands;
mod declared;
mod emit;
mod kubernetes_syntax;
mod lint;
mod manifest;
mod matrix;
mod params;
mod problem;
mod render;
mod table;
mod yaml;

pub use args::Args;
pub use commands::{Outcome, execute, report};
pub use problem::Problem;
