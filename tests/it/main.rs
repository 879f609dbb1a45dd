//! Fast tests that span crates, one file a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a failed test should panic"
)]

mod arrows;
mod benchmark;
mod documents;
