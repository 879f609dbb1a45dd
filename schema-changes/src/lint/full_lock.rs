//! Statements that shut everybody out for as long as they run.

use super::{Advice, locks_tables, script::Script};
use crate::sql_text::Statement;

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let full = statement.begins(&["VACUUM", "FULL"])
        || (statement.begins(&["VACUUM"]) && statement.tokens.iter().take(8).any(|token| token.is_word("FULL")))
        || statement.begins(&["CLUSTER"])
        || statement.begins(&["LOCK"]);
    (locks_tables(script.engine) && full).then(|| {
        Advice::error(
            "nobody can use the table for as long as this takes",
            "leave it out; where space must come back, pg_repack works beside the application",
        )
    })
}
