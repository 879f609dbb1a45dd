//! What an index build that died left behind: on PostgreSQL a failed CREATE INDEX CONCURRENTLY leaves an invalid index
//! under its name, and one whose answer was lost leaves a valid one.

use std::time::Duration;

use phase_ledger::{Cell, Generation, Session, Statement};
use schema_changes::Engine;

use crate::halt::Halt;

const LEFTOVER: &str = include_str!("sql/postgres_index.sql");

/// Dropping a leftover waits for whoever still looks at it.
const DROP_WAIT: Duration = Duration::from_secs(5);

/// Whether the index that `statement` builds stands already, whole and as this very statement builds it. An invalid
/// leftover under its name is dropped, so that the build begins anew.
pub(crate) async fn is_built(
    session: &mut dyn Session,
    generation: Generation,
    engine: Engine,
    statement: &str,
) -> Result<bool, Halt> {
    let Some((name, what)) = built_concurrently(engine, statement) else { return Ok(false) };
    let ask = Statement { sql: LEFTOVER.to_owned(), binds: vec![Cell::Text(name.to_owned())] };
    let rows = session.query(&ask).await?;
    match rows.first().map(Vec::as_slice) {
        Some([Cell::Int(0), Cell::Text(quoted), _]) => {
            let drop = Statement::plain(format!("DROP INDEX CONCURRENTLY {quoted}"));
            session.run_alone(generation, &drop, DROP_WAIT).await?;
            Ok(false)
        }
        // Another index of that name is for the build itself to refuse.
        Some([Cell::Int(_), _, Cell::Text(definition)]) => {
            Ok(definition.split_once('(').is_some_and(|(_, there)| plainly(there) == plainly(what)))
        }
        _ => Ok(false),
    }
}

/// The name of the index, and what follows the first parenthesis: its columns and conditions.
fn built_concurrently(engine: Engine, statement: &str) -> Option<(&str, &str)> {
    if engine != Engine::Postgres {
        return None;
    }
    let (head, what) = statement.split_once('(')?;
    let mut words = head.split_whitespace().peekable();
    let mut next_is = |word: &str| words.next_if(|next| next.eq_ignore_ascii_case(word)).is_some();
    if !next_is("CREATE") {
        return None;
    }
    next_is("UNIQUE");
    if !(next_is("INDEX") && next_is("CONCURRENTLY")) {
        return None;
    }
    if next_is("IF") {
        next_is("NOT");
        next_is("EXISTS");
    }
    Some((words.next()?, what))
}

/// Without what PostgreSQL adds when it prints a definition.
fn plainly(text: &str) -> String {
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !"\"();".contains(*c)).collect();
    bare.to_lowercase().replace("::text", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concurrent_build_is_recognised_with_its_name_and_its_columns() {
        let rows = [
            ("CREATE INDEX CONCURRENTLY i ON t (a)", Some(("i", "a)"))),
            (
                "create unique index concurrently if not exists \"I\"\n on only t (lower(a)) where b > 1",
                Some(("\"I\"", "lower(a)) where b > 1")),
            ),
            ("CREATE INDEX i ON t (a)", None),
            ("DROP INDEX CONCURRENTLY i", None),
        ];
        for (statement, want) in rows {
            assert_eq!(built_concurrently(Engine::Postgres, statement), want, "{statement}");
        }
        assert_eq!(plainly("lower(a)) where b > 1"), plainly("lower(a)) WHERE (b > 1)"));
    }
}
