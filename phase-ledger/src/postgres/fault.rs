//! What PostgreSQL's errors mean to a ledger.

use crate::{ReadError, WriteError, text::shortened};

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

/// The SQLSTATE of an error.
pub(super) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

pub(super) fn fault(error: &sqlx::Error) -> Fault {
    match sqlstate(error).as_deref() {
        Some("55P03") => Fault::Lock,
        Some("40P01" | "40001" | "57014") => Fault::Passing,
        // 57P: the server goes down or ends the session; 08: the connection; 25P03: idle for too long in a transaction.
        Some(code) if code.starts_with("57P") || code.starts_with("08") || code == "25P03" => Fault::Gone,
        Some(code) if code.starts_with("53") => Fault::Passing,
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

/// Why there is no connection. A setting of the address that the server does not know (a time zone, say) is refused
/// whenever it is tried.
pub(super) fn no_connection(cause: sqlx::Error) -> ReadError {
    if sqlstate(&cause).is_some_and(|code| code.starts_with("22")) {
        return ReadError::Query { statement: "the settings of a new connection".to_owned(), cause: Box::new(cause) };
    }
    unreachable(cause)
}

/// The error of a statement of a transaction. `table` is what a lock was wanted for, if that is known.
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
        Fault::Refused => WriteError::Read(ReadError::damaged("phasegate.ledger", cause.to_string())),
        Fault::Gone | Fault::Lock | Fault::Passing => write_error(cause, sql, Some("phasegate.ledger")),
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
