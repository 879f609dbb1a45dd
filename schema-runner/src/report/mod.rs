//! What happens during a run, as values, and who is told.
//!
//! Every event has one line for people and one JSON object for programs. Neither ever holds a credential: nothing here
//! is made from a URL.

mod bars;
mod format;
mod lines;

use std::{sync::Mutex, time::Duration};

use schema_phases::{ChangeName, Move, PhaseWindow, PlanDigest, SchemaPhase, Span};

pub use bars::Bars;
pub(crate) use format::{count, duration};
pub use lines::{JsonLines, Lines};

use crate::exit::Exit;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The run begins.
    Begun {
        /// The database's name.
        database: String,
        /// How many changes Git declares.
        changes: usize,
        /// The plan's digest.
        plan: PlanDigest,
    },
    /// Another runner holds the lock.
    LockHeld {
        /// How long this one has waited.
        waited: Duration,
    },
    /// The lock is this runner's.
    TookOver {
        /// The new generation.
        generation: u64,
    },
    /// A dead runner's intent was taken back.
    Withdrawn {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
    },
    /// A dead runner's move goes on.
    Resumed {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
    },
    /// A move begins.
    Moving {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
    },
    /// A step of a move is done.
    StepDone {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
        /// What it did.
        what: String,
    },
    /// A lock could not be had yet.
    LockWait {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
        /// What could not be locked, and who holds it, in a sentence.
        why: String,
        /// The same for programs.
        lock: LockView,
        /// How often it was tried.
        tries: u32,
    },
    /// A backfill came further.
    Progress {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
        /// How far.
        backfill: BackfillView,
    },
    /// The ranges of a backfill were filled; moved keys are looked for after that.
    Filled {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
        /// The table.
        table: String,
        /// How many rows this run came by.
        rows: u64,
        /// How many connections filled them, at most.
        connections: usize,
        /// How long that took, rests included.
        took: Duration,
    },
    /// A backfill rests.
    Held {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
        /// Why.
        why: String,
    },
    /// A backfill goes on after a rest.
    Released {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
    },
    /// A table grows with dead rows faster than the server takes them away.
    Bloat {
        /// The change.
        change: ChangeName,
        /// The table.
        table: String,
        /// Dead rows, in percent of all.
        percent: u64,
    },
    /// A move is finished.
    Reached {
        /// The change.
        change: ChangeName,
        /// The phase.
        phase: SchemaPhase,
    },
    /// A move was not made; the next run tries again.
    Blocked {
        /// The change.
        change: ChangeName,
        /// The move.
        step: Move,
        /// What stands in the way.
        by: Vec<String>,
    },
    /// A contract has hidden the old shape; a later run takes it away, or brings it back.
    Soaking {
        /// The change.
        change: ChangeName,
        /// When it was hidden, by the server's clock.
        since: Option<String>,
        /// How much longer; none until a commit says so.
        left: Option<Duration>,
    },
    /// A checkpoint was made before a contract.
    Checkpoint {
        /// The change.
        change: ChangeName,
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
        /// Its SHA-256, in hexadecimal.
        sha256: String,
    },
    /// A hidden old shape was brought back.
    TakenBack {
        /// The change.
        change: ChangeName,
        /// Why.
        by: Vec<String>,
    },
    /// A move failed.
    Failed {
        /// The change.
        change: ChangeName,
        /// Why, with the remedy.
        why: String,
        /// The lock that could not be had, when that is why.
        lock: Option<LockView>,
        /// What that means for the run.
        exit: Exit,
    },
    /// A running version is outside its window.
    Violation {
        /// The version.
        version: String,
        /// The change.
        change: ChangeName,
        /// Where the change is.
        span: Span,
        /// What the version needs.
        window: PhaseWindow,
    },
    /// A change past pending is no longer in Git.
    Vanished {
        /// The change.
        change: ChangeName,
        /// Where it stands.
        span: Span,
    },
    /// A change at pending is no longer in Git, and the ledger forgot it.
    Forgotten {
        /// The change.
        change: ChangeName,
    },
    /// The run starts over after a failure that may pass.
    Retrying {
        /// Why.
        why: String,
        /// After which pause.
        after: Duration,
    },
    /// Git wants another plan.
    Superseded {
        /// The plan it wants.
        wanted: PlanDigest,
    },
    /// The run is over.
    Finished {
        /// How it ends.
        exit: Exit,
        /// The database's name.
        database: String,
        /// Changes at the phase Git asks for.
        reached: usize,
        /// Changes that are blocked.
        blocked: usize,
        /// Changes that failed.
        failed: usize,
        /// Running versions outside their windows.
        violations: usize,
        /// Contracts that have hidden the old shape, and wait.
        soaking: usize,
        /// Why it ends early, if it does.
        because: Option<String>,
    },
}

/// A lock that could not be had in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockView {
    /// The table; the statement when the table is unknown.
    pub table: String,
    /// Who holds it, as far as the server tells.
    pub held_by: Option<String>,
}

/// A backfill as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillView {
    /// The table.
    pub table: String,
    /// Rows looked at.
    pub rows_done: u64,
    /// Rows there were.
    pub rows_total: u64,
    /// Rows per second; 0 when unknown.
    pub rows_per_second: u64,
    /// Why it rests.
    pub held: Option<String>,
}

impl BackfillView {
    /// How far, in percent; never 100 before it is finished, as the total is an estimate.
    pub fn percent(&self) -> u64 {
        if self.rows_total == 0 {
            return if self.rows_done == 0 { 0 } else { 100 };
        }
        let percent = self.rows_done.saturating_mul(100) / self.rows_total;
        if self.rows_done >= self.rows_total { 100 } else { percent.min(99) }
    }

    /// The time it still needs at this rate.
    pub fn remaining(&self) -> Option<Duration> {
        let left = self.rows_total.saturating_sub(self.rows_done);
        (self.rows_per_second > 0).then(|| Duration::from_secs(left / self.rows_per_second))
    }
}

/// Is told what happens.
pub trait Report: Send + Sync {
    /// Something happened.
    fn tell(&self, event: &Event);
}

impl Report for Box<dyn Report> {
    fn tell(&self, event: &Event) {
        self.as_ref().tell(event);
    }
}

/// Keeps what it is told: for tests.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<Event>>);

impl Kept {
    /// Everything so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Report for Kept {
    fn tell(&self, event: &Event) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event.clone());
    }
}
