//! What the one runner may do with a database: read, and write in fenced transactions.

use std::time::Duration;

use async_trait::async_trait;

use schema_phases::ChangeName;

use crate::{BackfillRange, Generation, ReadError, Reading, Record, WriteError};

/// A value bound to a statement, or found in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Real(f64),
    /// Text; PostgreSQL values of every other type travel as text (`::text`).
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Eq for Cell {}

/// One row of a result.
pub type Row = Vec<Cell>;

/// One SQL statement with its bound values. Identifiers in `sql` are quoted already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text: `$1` placeholders on PostgreSQL, `?1` on SQLite, `?` on MariaDB and MySQL.
    pub sql: String,
    /// The values.
    pub binds: Vec<Cell>,
}

impl Statement {
    /// A statement without values.
    pub fn plain(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), binds: Vec::new() }
    }
}

/// What one transaction does: locks, then work, then ledger records; all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Tables to lock before the work begins, in the mode that the DDL needs, without waiting longer than
    /// `lock_timeout` (zero: NOWAIT). Empty for plain data changes. Names as written in Git, `customers` or
    /// `sales.customers`: the driver quotes them. MariaDB and MySQL refuse
    /// both this and DDL in `work`: there a statement that needs it is run alone.
    pub lock_tables: Vec<String>,
    /// How long any statement may wait for a lock; zero: not at all. The wait for the ledger's own row stalls no
    /// application and is bounded apart from this.
    pub lock_timeout: Duration,
    /// The statements.
    pub work: Vec<Statement>,
    /// What the ledger says afterwards.
    pub records: Vec<Record>,
}

impl Transaction {
    /// Whether a crash of the server may take all of it away after it was acknowledged: its work goes with what the
    /// ledger says of it, and the phase that follows from it is settled later, by a transaction that waits for the disk.
    pub(crate) fn may_be_lost_whole(&self) -> bool {
        !self.lock_tables.is_empty()
            && self.records.iter().all(|record| matches!(record, Record::Act(..) | Record::Done(..)))
    }
}

/// One batch of a backfill: the rows between two keys of one range, and the range's cursor behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The change.
    pub change: ChangeName,
    /// The range, by its place.
    pub part: u32,
    /// Its cursor after the batch.
    pub cursor: Vec<Cell>,
    /// All the rows of the range looked at, with those of this batch.
    pub rows_done: u64,
    /// The UPDATE.
    pub work: Statement,
    /// Asked in the same transaction, before the work: where the batch after this one ends. Its text and the types of
    /// its values stay the same from batch to batch, as do those of the work.
    pub next: Option<Statement>,
    /// How long the work may wait for a row that somebody writes.
    pub lock_timeout: Duration,
}

/// What a batch did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batched {
    /// The rows it wrote.
    pub touched: u64,
    /// The first row of [`Batch::next`].
    pub next: Option<Row>,
    /// How long the fence took: hardly more than a round trip, on a server that may have other things to do.
    pub turn: Duration,
    /// How long the UPDATE took, with a round trip of its own.
    pub work_time: Duration,
}

/// How often an idle session must give a sign of life: [`Session::heartbeat`].
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// One connection of the one runner. It holds the runner's lock, and every write goes through its fence.
#[async_trait]
pub trait Session: Send {
    /// Tries to take the runner's lock, without waiting. The lock lives as long as the connection.
    ///
    /// # Errors
    /// [`WriteError::Read`] when the database does not answer, is a standby, or sits behind a transaction pooler.
    async fn try_lock(&mut self) -> Result<bool, WriteError>;

    /// The ledger as it is now. A session, unlike a gate, may read the ledger of another server: it takes it over.
    ///
    /// # Errors
    /// [`ReadError`].
    async fn read(&mut self) -> Result<Reading, ReadError>;

    /// Makes the ledger when there is none, raises the generation and records the server's identity. Waits (bounded)
    /// for transactions of the runner before.
    ///
    /// # Errors
    /// [`WriteError`]; a ledger of another format is [`ReadError::Format`].
    async fn take_over(&mut self, runner: &str) -> Result<Generation, WriteError>;

    /// The same for a database that holds objects of a runner and no ledger, once somebody has explained them all.
    ///
    /// # Errors
    /// [`WriteError`].
    async fn adopt(&mut self, runner: &str) -> Result<Generation, WriteError> {
        self.take_over(runner).await
    }

    /// Runs one fenced transaction: it locks the ledger's generation row, gives up when that is not `generation`, and
    /// commits work and records together. Returns the rows each statement touched.
    ///
    /// When the call is given up half-way, drop the session too: until then the transaction may hold its locks.
    ///
    /// # Errors
    /// [`WriteError`]; nothing of the transaction has happened then, save that a lost connection during the commit
    /// itself leaves that open: read the ledger again.
    async fn commit(&mut self, generation: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError>;

    /// The ranges of the backfill in hand, by their place; none when there is no backfill.
    ///
    /// # Errors
    /// [`ReadError`].
    async fn ranges(&mut self, change: &ChangeName) -> Result<Vec<BackfillRange>, ReadError>;

    /// Runs one batch in a fenced transaction. Its fence is the row of its range, which carries the generation too and
    /// which a takeover raises with it: so batches of several connections of the same runner hold up neither each other
    /// nor the ledger. It needs no lock of its own, so that any session of the runner may do it.
    ///
    /// It may be acknowledged before it is on disk: what a crash of the server takes away is its rows and its cursor
    /// together, and every other write of a session is on disk with all that came before it.
    ///
    /// When the call is given up half-way, drop the session too.
    ///
    /// # Errors
    /// [`WriteError`]; [`WriteError::Conflict`] when there is no such range. What is left open is as with
    /// [`Session::commit`].
    async fn batch(&mut self, generation: Generation, batch: &Batch) -> Result<Batched, WriteError>;

    /// Pauses the backfills of this database by hand, with who did it and why, or lets them go on. The one write that
    /// is not the runner's: it needs neither lock nor generation, and whoever runs sees it before its next batch.
    ///
    /// # Errors
    /// [`WriteError`]; without a ledger [`ReadError::Damaged`].
    async fn pause(&mut self, paused: Option<&str>) -> Result<(), WriteError>;

    /// Runs one statement that cannot be in a transaction, on the connection that holds the lock, after checking the
    /// generation. An index built CONCURRENTLY is not bound by `lock_timeout` but waits for up to ten minutes: what it
    /// waits for are the transactions that were there before it, nobody queues behind it, and giving up would leave an
    /// invalid index.
    ///
    /// When the call is given up half-way, drop the session too.
    ///
    /// # Errors
    /// [`WriteError`].
    async fn run_alone(
        &mut self,
        generation: Generation,
        statement: &Statement,
        lock_timeout: Duration,
    ) -> Result<(), WriteError>;

    /// Proves that the connection lives and, once [`Session::try_lock`] has said yes, still holds the lock. To be
    /// called at least every [`HEARTBEAT`] while nothing else is: a server ends a session that is silent for longer.
    ///
    /// # Errors
    /// [`WriteError::Transient`] when the lock or the connection is gone: open a new session.
    async fn heartbeat(&mut self) -> Result<(), WriteError> {
        self.read().await.map(drop).map_err(WriteError::Read)
    }

    /// Reads rows of the application's tables or of the catalog. Whole numbers, truth values (as 0 and 1), floating
    /// point numbers, text and bytes come as they are; a column of any other type is cast to text by the statement.
    ///
    /// # Errors
    /// [`ReadError`].
    async fn query(&mut self, statement: &Statement) -> Result<Vec<Row>, ReadError>;
}
