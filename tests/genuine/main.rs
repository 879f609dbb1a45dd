//! Our binaries and the genuine programs of Argo that meet them: no wire, server or client of our own takes part.
//!
//! `make static counterparts` builds both sides; what is missing fails the tests and says so. See
//! `tests/counterparts/README.md` for what each program does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

mod bench;
mod cmp;
mod custom_tool;
mod elsewhere;
mod health;
mod ledger;
mod play;
mod prometheus;
mod rollouts;
mod shop;
mod traces;

use std::time::Duration;

use tests::{binaries::Target, examples::root};
use tokio::process::Command;

/// The target directory these tests were built in.
fn target() -> Target {
    Target::around(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// What judges here must itself be judged: good peers pass, and each faulty one is told apart.
#[tokio::test]
async fn the_drivers_tell_good_peers_from_faulty_ones() {
    let target = target();
    target.counterpart("step-plugin-rogue").unwrap();
    let mut selftest = Command::new(root().join("tests/counterparts/selftest"));
    selftest.arg("--quick").env("CARGO_TARGET_DIR", target.path());
    let played = play::play(&mut selftest, Duration::from_secs(120)).await;
    assert_eq!((played.code, played.out.lines().last()), (Some(0), Some("ok selftest")), "{played}");
}
