//! MariaDB and MySQL: DDL that commits by itself, and fails when it runs again after a crash.

use super::{Advice, script::Script};
use crate::{Engine, sql_text::Statement};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let objects: &[&str] = match script.engine {
        Engine::Mariadb => &["TABLE", "INDEX", "TRIGGER", "VIEW", "PROCEDURE", "FUNCTION", "EVENT", "SEQUENCE"],
        // It has no IF NOT EXISTS for columns and indexes.
        Engine::Mysql => &["TABLE", "TRIGGER", "VIEW", "PROCEDURE", "FUNCTION", "EVENT"],
        Engine::Postgres | Engine::Sqlite => return None,
    };
    let guarded = statement.has(&["IF", "NOT", "EXISTS"])
        || statement.has(&["IF", "EXISTS"])
        || statement.has(&["OR", "REPLACE"]);
    let named = statement.tokens.iter().take(4).any(|token| objects.iter().any(|object| token.is_word(object)));
    let makes = (statement.begins(&["CREATE"]) || statement.begins(&["DROP"])) && named;
    let alters = script.engine == Engine::Mariadb
        && script.actions(statement).iter().any(|action| {
            action.first().is_some_and(|first| first.is_word("ADD") || first.is_word("DROP"))
                && !action.get(1).is_some_and(|second| second.is_word("PRIMARY"))
        });
    (!guarded && (makes || alters)).then(|| {
        Advice::warning(
            "the engine commits it by itself: a run that dies before it is remembered runs it again, and fails",
            "write IF NOT EXISTS, IF EXISTS or OR REPLACE",
        )
    })
}
