//! A column that old versions leave out, and that must not be NULL.

use super::{
    Advice,
    script::{Script, adds_column, has},
};
use crate::sql_text::Statement;

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let bare = |action: &&[crate::sql_text::Token<'_>]| {
        adds_column(action)
            && (has(action, &["NOT", "NULL"]) || has(action, &["PRIMARY", "KEY"]))
            && !["DEFAULT", "GENERATED"].iter().any(|word| has(action, &[word]))
    };
    script.actions(statement).iter().any(bare).then(|| {
        Advice::error(
            "the column is NOT NULL and has no default: it cannot be added to rows, and old versions cannot insert any",
            "add it nullable, fill it in sync and migrate, and set NOT NULL in contract",
        )
    })
}
