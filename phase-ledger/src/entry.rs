//! What a ledger holds.

use std::collections::BTreeSet;

use schema_phases::{ChangeName, ChangeProfile, LiveChange, Move, PlanDigest, SchemaPhase, Span};

/// What stands where the ledger should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// No ledger, and no object that a runner made.
    NotBegun,
    /// The ledger.
    Ledger(LedgerState),
}

/// The whole ledger, as of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    /// How often a runner took over. Only the newest may write.
    pub generation: Generation,
    /// The server it was written on.
    pub server: ServerIdentity,
    /// The plan that was worked on last; none before the first run.
    pub plan: Option<PlanDigest>,
    /// Who paused backfills by hand, and why; none when nobody did.
    pub paused: Option<String>,
    /// The changes, by order.
    pub changes: Vec<LedgerEntry>,
}

impl LedgerState {
    /// The entries as the two rules want them.
    pub fn live_changes(&self) -> Vec<LiveChange> {
        self.changes.iter().map(|entry| LiveChange { profile: entry.profile.clone(), span: entry.span }).collect()
    }

    /// The entry of one change.
    pub fn change(&self, name: &ChangeName) -> Option<&LedgerEntry> {
        self.changes.iter().find(|entry| entry.profile.name == *name)
    }
}

/// One change in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// What it promises to app versions.
    pub profile: ChangeProfile,
    /// Where it may be right now.
    pub span: Span,
    /// Digest of the definition that was applied: it tells an edited change from the one in the database.
    pub definition: String,
    /// Whether a version of the new shape may ever have written: from then on `old = b(new)` counts as agreement.
    pub new_shape_live: bool,
    /// Statements of the move in hand that are done, by index within the move's steps; and [`HIDDEN`].
    pub done: BTreeSet<u32>,
    /// How far the backfill is, when one has begun.
    pub backfill: Option<BackfillProgress>,
}

/// Stands among the steps that are done while the old shape is hidden and can be brought back. No move has as many
/// steps; a runner too old to know it refuses to go on with the move, and a gate sees what it saw before: a contract.
pub const HIDDEN: u32 = 1_000_000_000;

impl LedgerEntry {
    /// Whether a contract has hidden the old shape, and not taken it away yet.
    pub fn is_hidden(&self) -> bool {
        self.done.contains(&HIDDEN)
    }
}

/// How far a backfill is, as the runner last said: every second or so, and whenever it rests. Where exactly it goes on
/// is in its [`BackfillRange`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillProgress {
    /// The step of the move, by index.
    pub step: u32,
    /// Rows looked at so far.
    pub rows_done: u64,
    /// Rows there were, as estimated when it began.
    pub rows_total: u64,
    /// Rows per second over the last batches; 0 when unknown.
    pub rows_per_second: u64,
    /// Why it rests, for people; none while it works.
    pub held: Option<String>,
}

/// A part of the keys of a table, filled from its beginning to its end by one connection at a time. The parts of a
/// backfill follow each other without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillRange {
    /// Its place among the parts.
    pub part: u32,
    /// The key of the last row done, a cell a key column; before the first batch the end of the part before, and empty
    /// in the first part.
    pub cursor: Vec<crate::Cell>,
    /// The key of its last row, fixed when the backfill begins.
    pub end: Vec<crate::Cell>,
    /// Rows of it looked at so far.
    pub rows_done: u64,
}

impl BackfillRange {
    /// Whether nothing of it is left.
    pub fn is_done(&self) -> bool {
        self.cursor == self.end
    }
}

/// How often a runner took over a ledger. A writer with an older one is fenced off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// What identifies a database server: PostgreSQL's system identifier; MariaDB's `server_id`,
/// MySQL's `server_uuid`; for SQLite a number drawn when the ledger was
/// made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerIdentity(pub String);

/// One entry that a transaction writes to the ledger. Each is also appended to its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The plan that is worked on from now on.
    Plan(PlanDigest),
    /// A change that Git declares: new ones begin at pending; a known one keeps its span, and takes the new profile.
    Register {
        /// What it promises.
        profile: ChangeProfile,
        /// Digest of its definition.
        definition: String,
    },
    /// A change at rest at pending that Git no longer declares.
    Forget(ChangeName),
    /// The runner means to make this move.
    Intend(ChangeName, Move),
    /// The runner takes a mere intent back.
    Withdraw(ChangeName, Move),
    /// The move begins to touch the schema.
    Act(ChangeName, Move),
    /// A statement of the move in hand is done.
    Done(ChangeName, u32),
    /// How far the backfill of the move in hand is, for those who look.
    Backfill(ChangeName, BackfillProgress),
    /// The ranges of a backfill that begins, in place of those of an earlier step. Needs a `Backfill` before it. From
    /// then on [`crate::Session::batch`] moves them.
    Ranges(ChangeName, Vec<BackfillRange>),
    /// A version of the new shape may have written.
    NewShapeLive(ChangeName),
    /// A dump was made before the contract of this change: where, how large, its digest. For the history only.
    Checkpoint(ChangeName, String),
    /// The move is finished; its statements and backfill are forgotten.
    Settle(ChangeName, SchemaPhase),
}
