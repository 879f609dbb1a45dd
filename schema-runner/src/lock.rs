//! The runner's lock: tried again and again, never waited on, because a blocked advisory lock deadlocks with
//! CREATE INDEX CONCURRENTLY.

use std::time::Duration;

use phase_ledger::Session;
use schema_changes::Plan;
use tokio::time::Instant;

use crate::{
    clock::jittered,
    halt::Halt,
    report::Event,
    run::{Ports, Settings, WhenHeld, wanted},
    signals::Stop,
};

const EVERY: Duration = Duration::from_secs(1);
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Whether the lock is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// It is.
    Taken,
    /// Another runner holds it, and this one was told to leave then.
    Held,
}

/// Takes the lock. A plan that Git no longer wants leaves while it waits.
pub(crate) async fn take(
    session: &mut dyn Session,
    plan: &Plan,
    ports: &Ports<'_>,
    settings: &Settings,
    stop: &Stop,
) -> Result<Lock, Halt> {
    let began = Instant::now();
    let mut told: Option<Instant> = None;
    loop {
        if stop.is_set() {
            return Err(Halt::Stopped);
        }
        wanted(plan, ports).await?;
        if session.try_lock().await? {
            return Ok(Lock::Taken);
        }
        match settings.when_held {
            WhenHeld::Leave => return Ok(Lock::Held),
            WhenHeld::Poll => {}
        }
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            told = Some(Instant::now());
            ports.report.tell(&Event::LockHeld { waited: began.elapsed() });
        }
        stop.sleep(jittered(EVERY)).await;
    }
}
