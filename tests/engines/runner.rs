//! The real `phasegate` binary on real databases: whole lives of a change under traffic, kills, and everything that may
//! be in the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a failed test should panic; tests measure real time"
)]

#[path = "runner/binary.rs"]
mod binary;
#[path = "runner/blockers.rs"]
mod blockers;
#[path = "runner/database.rs"]
mod database;
#[path = "runner/doctor.rs"]
mod doctor;
#[path = "runner/drift.rs"]
mod drift;
#[path = "runner/figures.rs"]
mod figures;
#[path = "runner/fill.rs"]
mod fill;
#[path = "runner/integrity.rs"]
mod integrity;
#[path = "runner/keys.rs"]
mod keys;
#[path = "runner/kills.rs"]
mod kills;
#[path = "runner/kubernetes.rs"]
mod kubernetes;
#[path = "runner/life.rs"]
mod life;
#[path = "runner/obstacles.rs"]
mod obstacles;
#[path = "runner/pgroll_issues.rs"]
mod pgroll_issues;
#[path = "runner/project.rs"]
mod project;
#[path = "runner/rights.rs"]
mod rights;
#[path = "runner/secrets.rs"]
mod secrets;
#[path = "runner/secure.rs"]
mod secure;
#[path = "runner/sessions.rs"]
mod sessions;
#[path = "runner/soak.rs"]
mod soak;
#[path = "runner/soak_kills.rs"]
mod soak_kills;
#[path = "runner/stall.rs"]
mod stall;
#[path = "runner/torture.rs"]
mod torture;
#[path = "runner/traffic.rs"]
mod traffic;
#[path = "runner/verify.rs"]
mod verify;

/// A figure that `make test` shows: what is printed by a test that passes is kept back, what it writes to standard error is not.
fn tell(figure: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{figure}");
}

/// One test on each engine.
macro_rules! on_each {
    ($name:ident, $body:ident) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$body(crate::database::Database::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                super::$body(crate::database::Database::postgres().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_mariadb() {
                super::$body(crate::database::Database::mariadb().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_mysql() {
                super::$body(crate::database::Database::mysql().await).await;
            }
        }
    };
}
pub(crate) use on_each;
