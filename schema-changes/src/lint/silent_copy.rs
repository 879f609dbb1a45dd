//! MariaDB and MySQL: an ALTER that may copy the table while nobody can write, and does not say that it must not.

use super::{
    Advice, is_mysql,
    script::{Script, adds_column, begins, has},
};
use crate::sql_text::{Statement, Token};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    if !is_mysql(script.engine) {
        return None;
    }
    let actions = script.actions(statement);
    if actions.is_empty() {
        return None;
    }
    if option(statement, "ALGORITHM", "COPY")
        || option(statement, "LOCK", "EXCLUSIVE")
        || option(statement, "LOCK", "SHARED")
    {
        return Some(Advice::error(
            "no row of the table can be written for as long as it is copied or locked",
            "ask for ALGORITHM=INPLACE, LOCK=NONE; what needs a copy is done with a second column, kept equal until contract",
        ));
    }
    // The engine refuses then, before it has done anything.
    if ["INSTANT", "NOCOPY", "INPLACE"].iter().any(|algorithm| option(statement, "ALGORITHM", algorithm)) {
        return None;
    }
    if let Some(what) = actions.iter().find_map(|action| copied(action)) {
        let message = format!("{what} copies the table, and no row can be written meanwhile");
        return Some(Advice::error(
            message,
            "make a second column or table of the new form, keep both equal, and drop the old one in contract",
        ));
    }
    Some(Advice::warning(
        "the engine chooses by itself whether to copy the table, and then no row can be written meanwhile",
        "append ALGORITHM=INSTANT, or where that is refused ALGORITHM=INPLACE, LOCK=NONE",
    ))
}

/// What is known to need a copy.
fn copied(action: &[Token<'_>]) -> Option<&'static str> {
    let named = begins(action, &["ADD", "CONSTRAINT"]);
    let adds = |word: &str| {
        begins(action, &["ADD", word]) || (named && action.get(3).is_some_and(|token| token.is_word(word)))
    };
    if begins(action, &["CONVERT", "TO"]) || has(action, &["CHARACTER", "SET"]) && begins(action, &["MODIFY"]) {
        Some("another character set")
    } else if adds("FOREIGN") {
        Some("a foreign key, unless foreign_key_checks is off and nothing is checked,")
    } else if adds("CHECK") {
        Some("a CHECK constraint")
    } else if adds_column(action) && (has(action, &["STORED"]) || has(action, &["PERSISTENT"])) {
        Some("a stored generated column")
    } else if begins(action, &["ENGINE"]) {
        Some("another storage engine")
    } else if begins(action, &["DROP", "PRIMARY"]) {
        Some("dropping the primary key")
    } else {
        None
    }
}

/// `ALGORITHM=COPY`, with or without the sign.
fn option(statement: &Statement<'_>, name: &str, value: &str) -> bool {
    let tokens: Vec<&Token<'_>> = statement.tokens.iter().filter(|token| !token.is_symbol("=")).collect();
    tokens.windows(2).any(|pair| matches!(pair, [a, b] if a.is_word(name) && b.is_word(value)))
}
