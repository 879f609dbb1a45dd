//! A type changed in place.

use super::{
    Advice, locks_tables,
    script::{Script, begins, has},
};
use crate::sql_text::Statement;

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let changes = |action: &&[crate::sql_text::Token<'_>]| {
        begins(action, &["ALTER"]) && (has(action, &["TYPE"]) && !has(action, &["ADD"]))
    };
    (locks_tables(script.engine) && script.actions(statement).iter().any(changes)).then(|| {
        Advice::error(
            "changing a type rewrites the table while nobody can use it, and breaks versions built for the old type",
            "add a column of the new type, keep both equal, and drop the old one in contract",
        )
    })
}
