//! What the one runner may do with a database: read, and write in fenced transactions.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Generation, ReadError, Reading, Record, WriteError};

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
    /// The text: `$1` placeholders on PostgreSQL, `?1` on SQLite.
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
    /// `sales.customers`: the driver quotes them.
    pub lock_tables: Vec<String>,
    /// How long any statement may wait for a lock; zero: not at all. The wait for the ledger's own row stalls no
    /// application and is bounded apart from this.
    pub lock_timeout: Duration,
    /// The statements.
    pub work: Vec<Statement>,
    /// What the ledger says afterwards.
    pub records: Vec<Record>,
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

    /// Runs one fenced transaction: it locks the ledger's generation row, gives up when that is not `generation`, and
    /// commits work and records together. Returns the rows each statement touched.
    ///
    /// When the call is given up half-way, drop the session too: until then the transaction may hold its locks.
    ///
    /// # Errors
    /// [`WriteError`]; nothing of the transaction has happened then, save that a lost connection during the commit
    /// itself leaves that open: read the ledger again.
    async fn commit(&mut self, generation: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError>;

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
