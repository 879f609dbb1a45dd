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
        Some(number) => meaning(number),
        None => Fault::of_driver(error),
    }
}

/// What the server's number of an error means.
const fn meaning(number: u16) -> Fault {
    match number {
        // A wait ended by lock_wait_timeout or innodb_lock_wait_timeout; NOWAIT on MySQL.
        1205 | 3572 => Fault::Lock,
        // Deadlock; KILL QUERY or a bound on the statement's time; too many locks; the table was altered meanwhile; an
        // index built beside too many writes; altered so often that a kept statement could not be prepared anew; the
        // server is read-only (a failover under way); a commit refused by replication.
        1213 | INTERRUPTED | 1969 | 3024 | 1206 | 1412 | 1615 | 1799 | 1290 | 1836 | READ_ONLY | 3101 => Fault::Passing,
        // The server goes down, or ended this session: shutdown, KILL, wait_timeout, too many connections.
        1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 | 1040 | 1203 | 1226 | 2006 | 2013 => Fault::Gone,
        _ if short_of(number).is_some() => Fault::Passing,
        _ => Fault::Refused,
    }
}

/// What the server is short of, when that is what the number says.
const fn short_of(number: u16) -> Option<&'static str> {
    match number {
        // Disk full; a table that is full; the same of a temporary file, the undo log, the file under a table.
        20 | 1021 | 1114 | 1878 | 3019 => Some("disk space"),
        // Memory; for sorting; threads; transactions at once; file handles.
        5 | 23 | 1037 | 1038 | 1041 | 1135 | 1637 => Some("memory, threads or file handles"),
        // The numbers of mysys: a file of the server's own that could not be made, read, written, removed or renamed.
        // Not 8 (unused), 18 and 19 (warnings), 22 and 28 (an unknown character set or collation).
        1..=4 | 6 | 7 | 9..=17 | 21 | 24..=27 | 29 | 30
        // The same of a statement: cannot create, delete, stat, lock, open, close, read, write; whatever the storage
        // engine has no number for; while committing.
        | 1004 | 1009 | 1011 | 1013 | 1015 | 1016 | 1023 | 1024 | 1026 | 1030 | 1180 => Some("files it can read and write"),
        _ => None,
    }
}

/// As [`Fault::write_error`].
pub(super) fn write_error(cause: sqlx::Error, sql: &str, table: Option<&str>) -> WriteError {
    let need = number(&cause).and_then(short_of);
    fault(&cause).write_error(cause, sql, table, need)
}

/// As [`Fault::fence_error`].
pub(super) fn fence_error(cause: sqlx::Error, sql: &str) -> WriteError {
    let need = number(&cause).and_then(short_of);
    fault(&cause).fence_error(cause, sql, LEDGER, need)
}

/// As [`Fault::query_error`].
pub(super) fn query_error(cause: sqlx::Error, sql: &str) -> ReadError {
    let need = number(&cause).and_then(short_of);
    fault(&cause).query_error(cause, sql, need)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_means_one_thing() {
        let rows: [(Fault, &[u16]); 4] = [
            (Fault::Lock, &[1205, 3572]),
            (
                Fault::Passing,
                // 6: a file that the server wanted to remove is gone. 28 as the storage engine's is within 1030.
                &[
                    1, 3, 5, 6, 7, 20, 27, 29, 1021, 1030, 1037, 1114, 1135, 1180, 1213, 1317, 1412, 1792, 1799, 1878,
                    1969,
                ],
            ),
            (Fault::Gone, &[1040, 1053, 1159, 1161, 1927, 2006, 2013]),
            // Unknown character sets and collations; syntax; no table; denied; a duplicate; data that does not fit; a
            // row that no cache or index takes, whenever it is tried.
            (Fault::Refused, &[0, 8, 18, 22, 28, 31, 1044, 1054, 1062, 1064, 1071, 1142, 1146, 1197, 1264, 1366, 1419]),
        ];
        for (want, numbers) in rows {
            for number in numbers {
                assert_eq!(meaning(*number), want, "{number}");
            }
        }
        for (number, want) in
            [(1114, "disk space"), (1135, "memory, threads or file handles"), (6, "files it can read and write")]
        {
            assert_eq!(short_of(number), Some(want), "{number}");
        }
        assert_eq!(short_of(1213), None, "a deadlock is nobody's need");
    }
}
