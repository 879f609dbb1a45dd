//! What a gate may ask of a database besides its ledger: whether statements would still be understood, and the answer of
//! a read-only query. Nothing here writes, and a statement that is prepared is never run.

use async_trait::async_trait;

use crate::{
    DatabaseUrl, mysql::MysqlProbe, postgres::PostgresProbe, sqlite::SqliteProbe, text::shortened, url::Target,
};

/// A connection of its own, for a few questions; it is closed when dropped. Every question has the server's own bounds:
/// 200 ms for a lock (a second on MariaDB and MySQL, which count in seconds), 2 s for a statement.
#[async_trait]
pub trait Probe: Send {
    /// Whether the database as it is now understands this one statement.
    ///
    /// # Errors
    /// [`ProbeError`], when that cannot be told.
    async fn prepare(&mut self, statement: &str) -> Result<Prepared, ProbeError>;

    /// The columns that an INSERT into this table must name, because they are NOT NULL and nothing else fills them. No
    /// engine says so when it prepares a statement. Empty for a table that is not there.
    ///
    /// # Errors
    /// [`ProbeError`], when that cannot be told.
    async fn required_columns(&mut self, table: &TableName) -> Result<Vec<String>, ProbeError>;

    /// The answer of one query, run in a transaction that may only read.
    ///
    /// # Errors
    /// [`ProbeError`], when there was none.
    async fn ask(&mut self, query: &str) -> Result<QueryAnswer, ProbeError>;
}

/// Whether a statement is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It is.
    Understood,
    /// It is not; in the words of the engine, cut to 200 characters.
    Refused(String),
}

/// A table, as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// Its schema, when one is named.
    pub schema: Option<String>,
    /// Its name, as the engine looks it up.
    pub name: String,
}

/// What a query answered.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryAnswer {
    /// No row.
    NoRow,
    /// One row with one number in it.
    Number(f64),
    /// One row with one NULL in it.
    Null,
    /// Anything else; what, in a few words.
    Other(String),
}

/// Why a probe has no answer. No text here ever holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nobody answered, or the connection broke.
    #[error("cannot reach the database")]
    Unreachable {
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The lock or the time allowed for a statement was not enough: somebody alters the table, or the query is slow.
    #[error("the database took too long: {what}")]
    Slow {
        /// What the engine said.
        what: String,
    },
    /// The role may not.
    #[error("the gate's role may not do that: {what}; give it the rights that `phasegate gate-role` prints")]
    NotPermitted {
        /// What the engine said.
        what: String,
    },
    /// Nothing is known of a statement of this kind, because preparing it takes rights that nobody should give a gate.
    /// MariaDB and MySQL only.
    #[error(
        "this statement cannot be prepared: {what}; on MariaDB and MySQL only SELECT, INSERT, UPDATE and DELETE without \
         stored functions can be, leave others out of the version's SQL"
    )]
    NotPreparable {
        /// What the engine said.
        what: String,
    },
    /// The engine refuses the query.
    #[error("the database refuses the query: {what}")]
    Refused {
        /// What the engine said.
        what: String,
    },
}

/// Opens a probe of a database.
///
/// # Errors
/// [`ProbeError::Unreachable`].
pub async fn open_probe(url: &DatabaseUrl) -> Result<Box<dyn Probe>, ProbeError> {
    match url.target() {
        Target::Postgres(options) => Ok(Box::new(PostgresProbe::connect(options).await?)),
        Target::Mysql(address) => Ok(Box::new(MysqlProbe::connect(address).await?)),
        Target::Sqlite(path) => Ok(Box::new(SqliteProbe::connect(path).await?)),
    }
}

/// The first line of what an engine said, bounded.
pub(crate) fn said(error: &sqlx::Error) -> String {
    let text = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    shortened(text.lines().next().unwrap_or_default(), 200)
}
