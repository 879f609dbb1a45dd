//! From an address to a driver.

use crate::{
    DatabaseUrl, LedgerReader, ReadError, Session,
    mysql::{MysqlReader, MysqlSession},
    postgres::{PostgresReader, PostgresSession},
    sqlite::{SqliteReader, SqliteSession},
};

/// The gate's reader of a database. It connects when first asked, and again by itself when the connection broke; no
/// read takes longer than a few seconds.
///
/// # Errors
/// None so far: an address that was parsed has an engine, and nothing is opened yet.
pub fn open_reader(url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
    if let Some(reader) = PostgresReader::new(url) {
        return Ok(Box::new(reader));
    }
    if let Some(reader) = MysqlReader::new(url) {
        return Ok(Box::new(reader));
    }
    match SqliteReader::new(url) {
        Some(reader) => Ok(Box::new(reader)),
        None => Err(no_driver()),
    }
}

/// The gate's reader of a replica: what it shows of the ledger is how far the replica is. On MariaDB and MySQL it may be
/// any server's: whether it is this database's says [`crate::LedgerState::server`], which must be the primary's.
///
/// # Errors
/// [`ReadError::Unsupported`] for an engine that has no replicas.
pub fn open_replica(url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
    if let Some(reader) = PostgresReader::of_replica(url) {
        return Ok(Box::new(reader));
    }
    match MysqlReader::of_replica(url) {
        Some(reader) => Ok(Box::new(reader)),
        None => Err(ReadError::Unsupported { why: "a file has no replicas; take them out of the Database".to_owned() }),
    }
}

/// The runner's connection to a database.
///
/// # Errors
/// [`ReadError::Unreachable`], or [`ReadError::Pooler`].
pub async fn open_session(url: &DatabaseUrl) -> Result<Box<dyn Session>, ReadError> {
    if let Some(session) = PostgresSession::connect(url).await? {
        return Ok(Box::new(session));
    }
    if let Some(session) = MysqlSession::connect(url).await? {
        return Ok(Box::new(session));
    }
    match SqliteSession::connect(url).await? {
        Some(session) => Ok(Box::new(session)),
        None => Err(no_driver()),
    }
}

fn no_driver() -> ReadError {
    ReadError::Unreachable { cause: "the engine has no driver".into() }
}
