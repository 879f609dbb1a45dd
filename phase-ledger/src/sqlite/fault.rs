//! What SQLite's errors mean to a ledger.

use crate::{
    ReadError, WriteError,
    fault::{Need, passing},
    text::shortened,
};

/// The primary result code: <https://www.sqlite.org/rescode.html>.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code = error.as_database_error()?.code()?.parse::<i64>().ok()?;
    Some(code & 0xff)
}

/// The general error: an unknown table or column, bad SQL.
pub(super) const ERROR: i64 = 1;
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const INTERRUPT: i64 = 9;
const NOMEM: i64 = 7;
const IOERR: i64 = 10;
const CORRUPT: i64 = 11;
const FULL: i64 = 13;
const CANTOPEN: i64 = 14;
const NOTADB: i64 = 26;

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED))
}

pub(super) fn unreachable(cause: sqlx::Error) -> ReadError {
    match primary_code(&cause) {
        Some(CORRUPT | NOTADB) => {
            ReadError::Damaged { table: "phasegate_ledger".to_owned(), why: format!("the file is damaged: {cause}") }
        }
        _ => ReadError::Unreachable { cause: Box::new(cause) },
    }
}

/// The error of a statement of a transaction. `table` is what the lock was wanted for.
pub(super) fn write_error(cause: sqlx::Error, sql: &str, table: &str) -> WriteError {
    match primary_code(&cause) {
        Some(BUSY | LOCKED) => WriteError::LockNotAvailable { table: table.to_owned(), blocker: None },
        Some(INTERRUPT) => WriteError::Transient { cause: Box::new(cause) },
        Some(code) if short_of(code).is_some() => WriteError::Transient { cause: passing(cause, short_of(code)) },
        Some(_) => WriteError::Refused { statement: shortened(sql, 400), cause: Box::new(cause) },
        None if matches!(cause, sqlx::Error::WorkerCrashed | sqlx::Error::Io(_)) => {
            WriteError::Transient { cause: Box::new(cause) }
        }
        None => WriteError::Refused { statement: shortened(sql, 400), cause: Box::new(cause) },
    }
}

/// What the machine is short of, when that is what a primary result code says.
const fn short_of(code: i64) -> Need {
    match code {
        FULL => Some("disk space"),
        NOMEM => Some("memory"),
        IOERR | CANTOPEN => Some("files it can read and write"),
        _ => None,
    }
}

/// The error of a query of the caller.
pub(super) fn query_error(cause: sqlx::Error, sql: &str) -> ReadError {
    let statement = shortened(sql, 200);
    match primary_code(&cause) {
        Some(BUSY | LOCKED | INTERRUPT) => ReadError::Passing { statement, cause: Box::new(cause) },
        Some(code) if short_of(code).is_some() => {
            ReadError::Passing { statement, cause: passing(cause, short_of(code)) }
        }
        Some(_) | None => ReadError::Query { statement, cause: Box::new(cause) },
    }
}
