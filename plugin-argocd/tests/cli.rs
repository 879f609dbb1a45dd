//! The built binary on real folders: goldens, purity, bad input, history, speed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a failed test should panic, and a test may look at the clock and the environment"
)]

mod cli {
    mod bad_input;
    mod examples;
    mod objects;
    mod purity;
}
mod common;
