//! What PostgreSQL's errors mean to a ledger.

pub(super) use crate::fault::{Fault, unreachable};
use crate::{ReadError, WriteError};

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
        None => Fault::of_driver(error),
    }
}

/// Why there is no connection. A setting of the address that the server does not know (a time zone, say) is refused
/// whenever it is tried.
pub(super) fn no_connection(cause: sqlx::Error) -> ReadError {
    if sqlstate(&cause).is_some_and(|code| code.starts_with("22")) {
        return ReadError::Query { statement: "the settings of a new connection".to_owned(), cause: Box::new(cause) };
    }
    unreachable(cause)
}

/// As [`Fault::write_error`].
pub(super) fn write_error(cause: sqlx::Error, sql: &str, table: Option<&str>) -> WriteError {
    fault(&cause).write_error(cause, sql, table)
}

/// As [`Fault::fence_error`].
pub(super) fn fence_error(cause: sqlx::Error, sql: &str) -> WriteError {
    fault(&cause).fence_error(cause, sql, "phasegate.ledger")
}

/// As [`Fault::query_error`].
pub(super) fn query_error(cause: sqlx::Error, sql: &str) -> ReadError {
    fault(&cause).query_error(cause, sql)
}
