//! A written conversion with a cast in it: one odd value, and every write of an old version fails.

use super::{Finding, Severity};
use crate::{Engine, Plan, sql_text::tokens};

pub(super) fn check(plan: &Plan) -> Vec<Finding> {
    let engine = plan.database.engine;
    let mut found = Vec::new();
    for change in &plan.changes {
        for (field, text) in change.refactoring.written_conversions() {
            let tokens = tokens(engine, text).unwrap_or_default();
            let casts = tokens.windows(2).any(|pair| matches!(pair, [a, b] if a.is_symbol(":") && b.is_symbol(":")))
                || tokens.iter().any(|token| {
                    ["CAST", "to_number", "to_date", "to_timestamp"].iter().any(|word| token.is_word(word))
                });
            let guarded = tokens.iter().any(|token| token.is_word("CASE"));
            if casts && !guarded {
                found.push(Finding {
                    file: change.file.clone(),
                    line: None,
                    rule: "conversion-may-fail",
                    severity: Severity::Warning,
                    message: format!("`{field}` of `{}` casts whatever a row holds, and a value that does not fit makes the write fail", change.profile.name),
                    remedy: remedy(engine).to_owned(),
                });
            }
        }
    }
    found
}

fn remedy(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "test the value first: CASE WHEN a ~ '^[0-9]{1,9}$' THEN a::int END",
        Engine::Sqlite => "test the value first: CASE WHEN a GLOB '[0-9]*' THEN cast(a AS integer) END",
        Engine::Mysql | Engine::Mariadb => {
            "test the value first: CASE WHEN a REGEXP '^[0-9]{1,9}$' THEN CAST(a AS SIGNED) END"
        }
    }
}
