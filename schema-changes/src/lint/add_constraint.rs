//! Constraints that read the whole table under a lock.

use super::{
    Advice, locks_tables,
    script::{Script, begins, has},
};
use crate::sql_text::Statement;

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    if !locks_tables(script.engine) {
        return None;
    }
    script.actions(statement).into_iter().find_map(|action| {
        let named = begins(action, &["ADD", "CONSTRAINT"]);
        let adds = |word: &str| {
            begins(action, &["ADD", word]) || (named && action.get(3).is_some_and(|token| token.is_word(word)))
        };
        let (check, foreign) = (adds("CHECK"), adds("FOREIGN"));
        if (check || foreign) && !has(action, &["NOT", "VALID"]) {
            return Some(Advice::warning(
                "the new constraint is checked against every row while writes wait",
                "add it NOT VALID, and VALIDATE CONSTRAINT in a statement after it",
            ));
        }
        let builds = adds("UNIQUE") || adds("PRIMARY");
        if adds("EXCLUDE") || (builds && !has(action, &["USING", "INDEX"])) {
            return Some(Advice::warning(
                "the constraint builds its index while nobody can read or write the table",
                "CREATE UNIQUE INDEX CONCURRENTLY first, then add the constraint USING INDEX",
            ));
        }
        None
    })
}
