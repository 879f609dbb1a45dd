//! NOT NULL that is proven by reading the table under a lock.

use super::{
    Advice, locks_tables,
    script::{Script, has},
};
use crate::sql_text::{Statement, Token};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let sets = |action: &&[Token<'_>]| has(action, &["SET", "NOT", "NULL"]);
    if !locks_tables(script.engine) || !script.is_forward() || !script.actions(statement).iter().any(sets) {
        return None;
    }
    let proven = script.statements.iter().take_while(|other| other.line < statement.line || *other != statement);
    let mut proven = proven.filter(|other| other.has(&["VALIDATE", "CONSTRAINT"]));
    proven.next().is_none().then(|| {
        Advice::warning(
            "every row is read while nobody can use the table, and a NULL that an old version writes is rejected",
            "in contract: ADD CONSTRAINT ... CHECK (... IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT, SET NOT NULL, drop the check",
        )
    })
}
