//! A new column that makes the engine write every row.

use super::{
    Advice, locks_tables,
    script::{Script, adds_column, has},
};
use crate::sql_text::{Statement, Token};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let rewrites = |action: &&[Token<'_>]| {
        // A literal is kept in the catalog; what is called is evaluated for each row.
        let mut default = action.iter().skip_while(|token| !token.is_word("DEFAULT"));
        let called = default.any(|token| token.is_symbol("("));
        let serial = ["SERIAL", "BIGSERIAL", "SMALLSERIAL"].iter().any(|word| has(action, &[word]));
        adds_column(action) && (called || serial || has(action, &["STORED"]) || has(action, &["AS", "IDENTITY"]))
    };
    (locks_tables(script.engine) && script.actions(statement).iter().any(rewrites)).then(|| {
        Advice::warning(
            "unless the default is stable, every row is written anew while nobody can use the table",
            "add the column without default, set the default in a statement after it, and fill the rows in migrate",
        )
    })
}
