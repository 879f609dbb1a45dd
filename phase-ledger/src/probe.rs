//! What a gate may ask of a database besides its ledger: whether statements would still be understood, and the answer of
//! a read-only query, which a runner asks too. Nothing here writes, and a statement that is prepared is never run.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    DatabaseUrl, fault::Fault, mysql::MysqlProbe, postgres::PostgresProbe, sqlite::SqliteProbe, text::shortened,
    url::Target,
};

/// A connection of its own, for a few questions; it is closed when dropped. Every question has the server's own bounds:
/// 200 ms for a lock (a second on MariaDB and MySQL, which count in seconds), and what [`open_probe`] says for a statement.
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

impl QueryAnswer {
    /// Whether it is the right one: a number of at most so many, or no row where there is no such number.
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is beyond every bound that a person writes")]
    pub fn holds(&self, at_most: Option<u64>) -> Held {
        match (self, at_most) {
            (Self::NoRow, None) => Held::Yes,
            (Self::Number(_) | Self::Null | Self::Other(_), None) => {
                Held::No("it answers a row, and there must be none".to_owned())
            }
            (Self::Number(number), Some(most)) if *number <= most as f64 => Held::Yes,
            (Self::Number(number), Some(most)) => Held::No(format!("it answers {number}, and at most {most} is right")),
            (Self::NoRow, Some(_)) => Held::Unclear("it answered no row, and must answer one number".to_owned()),
            (Self::Null, Some(_)) => Held::Unclear("it answered NULL, and must answer one number".to_owned()),
            (Self::Other(what), Some(_)) => Held::Unclear(format!("it answered {what}; it must be one number")),
        }
    }
}

/// What an answer says of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// They are as they must be.
    Yes,
    /// They are not; why.
    No(String),
    /// Nothing: the query is not what it must be; why.
    Unclear(String),
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

/// Opens a probe of a database, whose statements take at most `within` (whole milliseconds).
///
/// # Errors
/// [`ProbeError::Unreachable`].
pub async fn open_probe(url: &DatabaseUrl, within: Duration) -> Result<Box<dyn Probe>, ProbeError> {
    match url.target() {
        Target::Postgres(options) => Ok(Box::new(PostgresProbe::connect(options, within).await?)),
        Target::Mysql(address) => Ok(Box::new(MysqlProbe::connect(address, within).await?)),
        Target::Sqlite(path) => Ok(Box::new(SqliteProbe::connect(path, within).await?)),
    }
}

/// The one row of an answer, or what an answer without exactly one is.
pub(crate) fn one_row<R>(rows: &[R]) -> Result<&R, QueryAnswer> {
    match rows {
        [row] => Ok(row),
        [] => Err(QueryAnswer::NoRow),
        [_, _, ..] => Err(QueryAnswer::Other("more than one row".to_owned())),
    }
}

impl QueryAnswer {
    pub(crate) fn several_columns() -> Self {
        Self::Other("more than one column".to_owned())
    }

    pub(crate) fn no_number(kind: &str) -> Self {
        Self::Other(format!("{kind}, and no number"))
    }
}

/// Why a server has no answer, where its error has no meaning of its own to a probe.
pub(crate) fn unanswered(cause: sqlx::Error, fault: Fault) -> ProbeError {
    let what = said(&cause);
    match fault {
        Fault::Lock | Fault::Passing => ProbeError::Slow { what },
        Fault::Refused if cause.as_database_error().is_some() => ProbeError::Refused { what },
        Fault::Gone | Fault::Refused => ProbeError::Unreachable { cause: Box::new(cause) },
    }
}

/// The first line of what an engine said, bounded.
pub(crate) fn said(error: &sqlx::Error) -> String {
    let text = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    shortened(text.lines().next().unwrap_or_default(), 200)
}
