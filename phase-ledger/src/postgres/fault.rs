//! What PostgreSQL's errors mean to a ledger.

use crate::{ReadError, WriteError, error::ServerInNeed, text::shortened};

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
        Some(code) => meaning(code),
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

/// What an SQLSTATE means.
fn meaning(code: &str) -> Fault {
    match code {
        "55P03" => Fault::Lock,
        // Deadlock; serialization; cancelled, or over a bound on the statement's time; the server became read-only (a
        // failover under way, or a provider's answer to a full disk).
        "40P01" | "40001" | "57014" | "25006" => Fault::Passing,
        // 57P: the server goes down or ends the session; 08: the connection; 25P03: idle for too long in a transaction.
        _ if code.starts_with("57P") || code.starts_with("08") || code == "25P03" => Fault::Gone,
        _ if short_of(code).is_some() => Fault::Passing,
        _ => Fault::Refused,
    }
}

/// What the server is short of, when that is what the SQLSTATE says.
fn short_of(code: &str) -> Option<&'static str> {
    match code {
        "53100" => Some("disk space"),
        "53300" => Some("connections"),
        _ if code.starts_with("53") => Some("memory, or what its configuration allows"),
        // A file that is not there (58P01) or there already (58P02) is as often a library that nobody installed.
        "58000" | "58030" => Some("files it can read and write"),
        _ => None,
    }
}

/// An error that may pass, and what is to be done on the server when it is the server's.
fn passing(cause: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match sqlstate(&cause).as_deref().and_then(short_of) {
        Some(what) => Box::new(ServerInNeed { what, cause: Box::new(cause) }),
        None => Box::new(cause),
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
        Fault::Gone | Fault::Passing => WriteError::Transient { cause: passing(cause) },
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
        Fault::Lock | Fault::Passing => ReadError::Passing { statement: shortened(sql, 200), cause: passing(cause) },
        Fault::Refused => ReadError::Query { statement: shortened(sql, 200), cause: Box::new(cause) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_means_one_thing() {
        let rows: [(Fault, &[&str]); 4] = [
            (Fault::Lock, &["55P03"]),
            (
                Fault::Passing,
                &["40001", "40P01", "57014", "25006", "53000", "53100", "53200", "53300", "53400", "58000", "58030"],
            ),
            (Fault::Gone, &["57P01", "57P02", "57P03", "57P05", "08006", "08P01", "25P03"]),
            (Fault::Refused, &["22P02", "23505", "42501", "42P01", "58P01", "58P02", "XX000", "XX001", ""]),
        ];
        for (want, codes) in rows {
            for code in codes {
                assert_eq!(meaning(code), want, "{code}");
            }
        }
        assert_eq!((short_of("53100"), short_of("40P01")), (Some("disk space"), None));
    }
}
