//! What the errors of MariaDB and MySQL mean to a ledger. The numbers: both name them alike.

use sqlx::mysql::MySqlDatabaseError;

use crate::{ReadError, WriteError, mysql::LEDGER, text::shortened};

/// What a failed statement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is gone; the session with it.
    Gone,
    /// A lock could not be had in time.
    Lock,
    /// The server gave the transaction up, for a reason that may pass.
    Passing,
    /// The server refuses the statement.
    Refused,
}

/// No such table; no such column; no right on a table; no right on a column.
pub(super) const NO_TABLE: u16 = 1146;
pub(super) const NO_COLUMN: u16 = 1054;
const DENIED_TABLE: u16 = 1142;
const DENIED_COLUMN: u16 = 1143;
/// Ended by KILL QUERY.
const INTERRUPTED: u16 = 1317;
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
        Some(1213 | INTERRUPTED | 1969 | 3024 | 1021 | 1114 | 1206 | 1412 | 1290 | 1836 | 1792 | 3101) => {
            Fault::Passing
        }
        // The server goes down, or ended this session: shutdown, KILL, wait_timeout, too many connections.
        Some(1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 | 1040 | 1203 | 1226 | 2006 | 2013) => {
            Fault::Gone
        }
        Some(_) => Fault::Refused,
        // Errors about one value leave the connection as it was; all others are about the connection.
        None => {
            let about_a_value = matches!(
                error,
                sqlx::Error::ColumnDecode { .. }
                    | sqlx::Error::Decode(_)
                    | sqlx::Error::Encode(_)
                    | sqlx::Error::InvalidArgument(_)
                    | sqlx::Error::TypeNotFound { .. }
                    | sqlx::Error::ColumnIndexOutOfBounds { .. }
                    | sqlx::Error::RowNotFound
            );
            if about_a_value { Fault::Refused } else { Fault::Gone }
        }
    }
}

pub(super) fn unreachable(cause: sqlx::Error) -> ReadError {
    ReadError::Unreachable { cause: Box::new(cause) }
}

/// The error of a statement. `table` is what a lock was wanted for, if that is known.
pub(super) fn write_error(cause: sqlx::Error, sql: &str, table: Option<&str>) -> WriteError {
    match fault(&cause) {
        Fault::Lock => {
            let table = table.map_or_else(|| shortened(sql, 400), str::to_owned);
            WriteError::LockNotAvailable { table, blocker: None }
        }
        Fault::Gone | Fault::Passing => WriteError::Transient { cause: Box::new(cause) },
        Fault::Refused => WriteError::Refused { statement: shortened(sql, 400), cause: Box::new(cause) },
    }
}

/// The error of `fence.sql` or `peek.sql`: whatever refuses them, the ledger is not as it must be.
pub(super) fn fence_error(cause: sqlx::Error, sql: &str) -> WriteError {
    match fault(&cause) {
        Fault::Refused => WriteError::Read(ReadError::damaged(LEDGER, cause.to_string())),
        Fault::Gone | Fault::Lock | Fault::Passing => write_error(cause, sql, Some(LEDGER)),
    }
}

/// The error of a query of the caller.
pub(super) fn query_error(cause: sqlx::Error, sql: &str) -> ReadError {
    match fault(&cause) {
        Fault::Gone => unreachable(cause),
        Fault::Lock | Fault::Passing | Fault::Refused => {
            ReadError::Query { statement: shortened(sql, 200), cause: Box::new(cause) }
        }
    }
}
