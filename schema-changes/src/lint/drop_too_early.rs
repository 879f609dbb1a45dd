//! Something taken away while versions that use it are live.

use schema_phases::SchemaPhase;

use super::{
    Advice,
    script::{Place, Script, begins},
};
use crate::sql_text::{Statement, Token};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    if !script.is_forward() || script.place == Place::Forward(SchemaPhase::Contracted) {
        return None;
    }
    let kept =
        ["CONSTRAINT", "DEFAULT", "NOT", "EXPRESSION", "IDENTITY", "INDEX", "KEY", "FOREIGN", "CHECK", "PRIMARY"];
    let drops_column = |action: &&[Token<'_>]| {
        begins(action, &["DROP"]) && !kept.iter().any(|word| action.get(1).is_some_and(|token| token.is_word(word)))
    };
    let objects = ["TABLE", "VIEW", "SCHEMA", "TYPE", "SEQUENCE"];
    let drops = objects.iter().any(|object| statement.begins(&["DROP", object]))
        || statement.begins(&["DROP", "MATERIALIZED", "VIEW"]);
    (drops || script.actions(statement).iter().any(drops_column)).then(|| {
        Advice::error(
            "it is taken away while versions that use it may be live",
            "do it in contract, which waits for them",
        )
    })
}
