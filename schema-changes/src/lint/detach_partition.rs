//! A partition taken off while nobody can use the table.

use super::{
    Advice, locks_tables,
    script::{Script, begins, has},
};
use crate::sql_text::Statement;

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let blocking = |action: &&[crate::sql_text::Token<'_>]| {
        begins(action, &["DETACH", "PARTITION"]) && !has(action, &["CONCURRENTLY"]) && !has(action, &["FINALIZE"])
    };
    (locks_tables(script.engine) && script.actions(statement).iter().any(blocking)).then(|| {
        Advice::warning(
            "nobody can use the whole table while the partition is detached",
            "DETACH PARTITION ... CONCURRENTLY",
        )
    })
}
