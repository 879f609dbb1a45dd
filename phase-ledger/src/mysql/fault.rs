//! What the errors of MariaDB and MySQL mean to a ledger. The numbers: both name them alike.

use sqlx::mysql::MySqlDatabaseError;

pub(super) use crate::fault::{Fault, unreachable};
use crate::{ReadError, WriteError, mysql::LEDGER};

/// No such table; no such column; no right on a table; no right on a column.
pub(super) const NO_TABLE: u16 = 1146;
pub(super) const NO_COLUMN: u16 = 1054;
pub(super) const DENIED_TABLE: u16 = 1142;
pub(super) const DENIED_COLUMN: u16 = 1143;
/// No right on a table, a column, a routine, a database, one of the server's own, or any.
pub(super) const DENIED: [u16; 6] = [DENIED_TABLE, DENIED_COLUMN, 1370, 1044, 1227, 1045];
/// Ended by KILL QUERY.
const INTERRUPTED: u16 = 1317;
/// A write in a transaction that may only read.
pub(super) const READ_ONLY: u16 = 1792;
/// The server knows the statement and cannot prepare it.
pub(super) const NOT_PREPARABLE: u16 = 1295;

/// The server's number of an error.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// The driver's error behind one of ours.
pub(super) fn of_driver<'a>(cause: &'a (dyn std::error::Error + Send + Sync + 'static)) -> Option<&'a sqlx::Error> {
    cause.downcast_ref()
}

/// Whether the statement was ended by KILL QUERY.
pub(super) fn is_interrupted(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    of_driver(cause).and_then(number) == Some(INTERRUPTED)
}

/// Whether the statement failed because of what the ledger's tables look like, or who may read them.
pub(super) fn asks_for_a_look(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(NO_TABLE | NO_COLUMN)) || is_denied(error)
}

/// Whether a right on a table is missing.
pub(super) fn is_denied(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(DENIED_TABLE | DENIED_COLUMN))
}

pub(super) fn fault(error: &sqlx::Error) -> Fault {
    match number(error) {
        // A wait ended by lock_wait_timeout or innodb_lock_wait_timeout; NOWAIT on MySQL.
        Some(1205 | 3572) => Fault::Lock,
        // Deadlock; KILL QUERY or a bound on the statement's time; full disk or tablespace; too many locks; the table
        // was altered meanwhile; the server is read-only (a failover under way); a commit refused by replication.
        Some(1213 | INTERRUPTED | 1969 | 3024 | 1021 | 1114 | 1206 | 1412 | 1290 | 1836 | READ_ONLY | 3101) => {
            Fault::Passing
        }
        // The server goes down, or ended this session: shutdown, KILL, wait_timeout, too many connections.
        Some(1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 | 1040 | 1203 | 1226 | 2006 | 2013) => {
            Fault::Gone
        }
        Some(_) => Fault::Refused,
        None => Fault::of_driver(error),
    }
}

/// As [`Fault::write_error`].
pub(super) fn write_error(cause: sqlx::Error, sql: &str, table: Option<&str>) -> WriteError {
    fault(&cause).write_error(cause, sql, table)
}

/// As [`Fault::fence_error`].
pub(super) fn fence_error(cause: sqlx::Error, sql: &str) -> WriteError {
    fault(&cause).fence_error(cause, sql, LEDGER)
}

/// As [`Fault::query_error`].
pub(super) fn query_error(cause: sqlx::Error, sql: &str) -> ReadError {
    fault(&cause).query_error(cause, sql)
}
