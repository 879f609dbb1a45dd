//! What PostgreSQL's errors mean to a ledger.

pub(super) use crate::fault::{Fault, unreachable};
use crate::{ReadError, WriteError};

/// The SQLSTATE of an error.
pub(super) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

pub(super) fn fault(error: &sqlx::Error) -> Fault {
    match sqlstate(error).as_deref() {
        Some(code) => meaning(code),
        None => Fault::of_driver(error),
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
    let need = sqlstate(&cause).as_deref().and_then(short_of);
    fault(&cause).write_error(cause, sql, table, need)
}

/// As [`Fault::fence_error`].
pub(super) fn fence_error(cause: sqlx::Error, sql: &str) -> WriteError {
    let need = sqlstate(&cause).as_deref().and_then(short_of);
    fault(&cause).fence_error(cause, sql, "phasegate.ledger", need)
}

/// As [`Fault::query_error`].
pub(super) fn query_error(cause: sqlx::Error, sql: &str) -> ReadError {
    let need = sqlstate(&cause).as_deref().and_then(short_of);
    fault(&cause).query_error(cause, sql, need)
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
