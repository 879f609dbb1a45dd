//! Indexes built or dropped while writes wait.

use super::{Advice, locks_tables, script::Script};
use crate::{Engine, sql_text::Statement};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    if !locks_tables(script.engine) || script.engine != Engine::Postgres || statement.has(&["CONCURRENTLY"]) {
        return None;
    }
    if statement.begins(&["CREATE", "INDEX"]) || statement.begins(&["CREATE", "UNIQUE", "INDEX"]) {
        if script.indexed_table(statement).is_some_and(|table| script.creates(&table)) {
            return None;
        }
        return Some(Advice::error(
            "no row of the table can be written while the index is built",
            "CREATE INDEX CONCURRENTLY; it becomes a step outside of any transaction",
        ));
    }
    if statement.begins(&["DROP", "INDEX"]) {
        return Some(Advice::warning(
            "dropping an index waits for every reader, and everybody else waits behind it",
            "DROP INDEX CONCURRENTLY",
        ));
    }
    statement.begins(&["REINDEX"]).then(|| {
        Advice::error("no row of the table can be written while the index is rebuilt", "REINDEX ... CONCURRENTLY")
    })
}
