//! A name that old versions use, changed in place.

use super::{
    Advice,
    script::{Script, begins},
};
use crate::sql_text::{Statement, Token};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let renames = |action: &&[Token<'_>]| {
        begins(action, &["RENAME"]) && !action.get(1).is_some_and(|token| token.is_word("CONSTRAINT"))
    };
    let other = ["SCHEMA", "VIEW", "TYPE"]
        .iter()
        .any(|object| statement.begins(&["ALTER", object]) && statement.has(&["RENAME"]));
    (other || script.actions(statement).iter().any(renames)).then(|| {
        Advice::error(
            "old versions fail at once, and new ones until it is done",
            "use renameColumn; for a table, create the new one beside it and keep both equal",
        )
    })
}
