//! A database under test, and how a behaviour is found broken.

use std::{collections::BTreeSet, fmt, time::Duration};

use async_trait::async_trait;
use schema_phases::{ChangeName, ChangeProfile, Conversion, Move, PhaseWindow, SchemaPhase};

use crate::{
    Generation, LedgerReader, LedgerState, ReadError, Reading, Record, Session, Statement, Transaction, WriteError,
};

/// One database, made for one test: no ledger yet, and an empty table `items` with a whole number `id` as its key.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A gate's reader.
    fn reader(&self) -> Box<dyn LedgerReader>;

    /// A runner's connection.
    async fn session(&self) -> Result<Box<dyn Session>, Broken>;

    /// Does behind the ledger's back what a person could.
    async fn tamper(&self, what: Tamper) -> Result<Tampered, Broken>;

    /// How many rows `items` has.
    async fn items(&self) -> Result<u64, Broken>;

    /// The history, a line each: `1 take-over`, `1 split intend`.
    async fn history(&self) -> Result<Vec<String>, Broken>;

    /// Locks `items` as an application would that is in the middle of something; the lock is released by
    /// [`Bench::release`].
    async fn hold(&self) -> Result<(), Broken>;

    /// Ends what [`Bench::hold`] began.
    async fn release(&self) -> Result<(), Broken>;

    /// Whether two transactions can write at once, as they cannot in a file.
    fn has_several_writers(&self) -> bool {
        true
    }

    /// Whether DDL is undone with the transaction it is in. Where it is not, a transaction refuses it.
    fn ddl_is_transactional(&self) -> bool {
        true
    }

    /// A statement that takes about a second, if there is one.
    fn slow(&self) -> Option<Statement>;
}

/// What is done behind the ledger's back.
#[derive(Clone, Debug)]
pub enum Tamper {
    /// Another format version.
    Format(u32),
    /// Another format version, and columns that this build does not know by their names.
    ForeignFormat(u32),
    /// An object as a runner makes them.
    Artefact,
    /// The ledger is dropped.
    DropLedger,
    /// The ledger was written on another server.
    OtherServer,
    /// The dump of a ledger of format 1 is loaded; there was none.
    /// The dump of this format stands where the ledger was; there was none.
    Golden(u32),
    /// One of the ledger's tables is dropped.
    Missing(&'static str),
    /// A cell of every row gets this value, an SQL literal; the column is made wide enough to hold it.
    Junk(Cell),
}

/// A cell of the ledger's tables.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// The table, without what the engine puts before it.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The value, as an SQL literal.
    pub literal: &'static str,
}

/// Whether tampering had something to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampered {
    /// Done.
    Done,
    /// Such a thing cannot be here: the fake has no rows, a file no server.
    NotPossible,
}

/// What was found broken.
#[derive(Debug)]
pub struct Broken(String);

impl Broken {
    /// Broken in this way.
    pub fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ReadError> for Broken {
    fn from(error: ReadError) -> Self {
        Self(format!("unexpected: {error} ({error:?})"))
    }
}

impl From<WriteError> for Broken {
    fn from(error: WriteError) -> Self {
        Self(format!("unexpected: {error} ({error:?})"))
    }
}

/// Fails unless both are the same.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Broken> {
    if found == expected { Ok(()) } else { Err(Broken(format!("{what}: found {found:?}, expected {expected:?}"))) }
}

/// Fails unless it holds.
pub(super) fn holds(what: &str, holds: bool) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken(format!("does not hold: {what}"))) }
}

/// Fails unless the outcome is the expected error; says what came instead.
pub(super) fn fails<T: fmt::Debug, E: fmt::Debug>(
    what: &str,
    outcome: Result<T, E>,
    expected: impl FnOnce(&E) -> bool,
) -> Result<(), Broken> {
    match outcome {
        Err(error) if expected(&error) => Ok(()),
        other => Err(Broken(format!("{what}: {other:?}"))),
    }
}

/// The ledger that must be there.
pub(super) fn ledger(reading: Reading) -> Result<LedgerState, Broken> {
    match reading {
        Reading::Ledger(state) => Ok(state),
        Reading::NotBegun => Err(Broken("there is no ledger".to_owned())),
    }
}

pub(super) fn name() -> Result<ChangeName, Broken> {
    "split".parse().map_err(Broken::new)
}

pub(super) fn step(from: SchemaPhase, to: SchemaPhase) -> Result<Move, Broken> {
    Move::new(from, to).map_err(Broken::new)
}

/// The record that declares the change of these tests.
pub(super) fn register() -> Result<Record, Broken> {
    let profile = ChangeProfile {
        name: name()?,
        order: 3,
        tables: BTreeSet::from(["customers".to_owned(), "Sales, \"2024\"\n".to_owned(), "ümlaut %41".to_owned()]),
        old_window: PhaseWindow::until(SchemaPhase::Migrated),
        new_window: PhaseWindow::NEW_SHAPE,
        conversion: Conversion::Rows,
    };
    Ok(Record::Register { profile, definition: "d1".to_owned() })
}

/// A transaction with these records alone.
pub(super) fn records(records: Vec<Record>) -> Transaction {
    Transaction { records, ..Transaction::default() }
}

/// A transaction with these statements alone.
pub(super) fn work(statements: impl IntoIterator<Item = Statement>) -> Transaction {
    let lock_timeout = Duration::from_secs(5);
    Transaction { work: statements.into_iter().collect(), lock_timeout, ..Transaction::default() }
}

/// Adds one row.
pub(super) fn insert(id: u32) -> Statement {
    Statement::plain(format!("INSERT INTO items (id) VALUES ({id})"))
}

/// A ledger at its first generation, with the change of these tests at `expanded`, moving to `synced`.
pub(super) async fn acting(bench: &impl Bench) -> Result<(Box<dyn Session>, Generation), Broken> {
    let mut session = bench.session().await?;
    let generation = session.take_over("a test").await?;
    let (first, second) =
        (step(SchemaPhase::Pending, SchemaPhase::Expanded)?, step(SchemaPhase::Expanded, SchemaPhase::Synced)?);
    let all = vec![
        register()?,
        Record::Intend(name()?, first),
        Record::Act(name()?, first),
        Record::Settle(name()?, SchemaPhase::Expanded),
        Record::Intend(name()?, second),
        Record::Act(name()?, second),
    ];
    session.commit(generation, &records(all)).await?;
    Ok((session, generation))
}
