//! A name that old versions use, changed in place.

use super::{
    Advice, is_mysql,
    script::{Script, begins},
};
use crate::{
    Engine,
    sql_text::{Statement, Token},
};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let kept = ["CONSTRAINT", "INDEX", "KEY"];
    let renames = |action: &&[Token<'_>]| {
        begins(action, &["RENAME"]) && !kept.iter().any(|word| action.get(1).is_some_and(|token| token.is_word(word)))
            || changes_name(script.engine, action)
    };
    let other = ["SCHEMA", "VIEW", "TYPE"]
        .iter()
        .any(|object| statement.begins(&["ALTER", object]) && statement.has(&["RENAME"]));
    let tables = is_mysql(script.engine) && statement.begins(&["RENAME", "TABLE"]);
    (other || tables || script.actions(statement).iter().any(renames)).then(|| {
        Advice::error(
            "old versions fail at once, and new ones until it is done",
            "use renameColumn; for a table, create the new one beside it and keep both equal",
        )
    })
}

/// MySQL's `CHANGE a b ...`, where the names are not the same.
fn changes_name(engine: Engine, action: &[Token<'_>]) -> bool {
    let at = if begins(action, &["CHANGE", "COLUMN"]) { 2 } else { 1 };
    let name = |at: usize| action.get(at).and_then(|token| token.name(engine)).map(|name| name.to_lowercase());
    is_mysql(engine) && begins(action, &["CHANGE"]) && name(at) != name(at.saturating_add(1))
}
