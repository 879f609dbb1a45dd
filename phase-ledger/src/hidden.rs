//! For how long an old shape has been hidden, by the clock of the database server alone: it wrote the history's line, and
//! it tells the time now. No other machine's clock takes part.

use std::time::Duration;

use schema_phases::ChangeName;

use crate::{Cell, LedgerEngine, Row, Statement};

/// When an old shape was hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// For how long it has been; zero when the server's clock was set back since.
    pub lasted: Duration,
    /// When it was, for people: UTC as the server had it.
    pub since: String,
}

/// The query that [`hidden`] reads the answer of: of [`crate::Session::query`].
pub fn hidden_since(engine: LedgerEngine, change: &ChangeName) -> Statement {
    let sql = match engine {
        LedgerEngine::Postgres => include_str!("sql/postgres/hidden.sql"),
        LedgerEngine::Mysql | LedgerEngine::Mariadb => include_str!("sql/mysql/hidden.sql"),
        LedgerEngine::Sqlite => include_str!("sql/sqlite/hidden.sql"),
    };
    Statement { sql: sql.to_owned(), binds: vec![Cell::Text(change.as_str().to_owned())] }
}

/// What the query says; none when the history has no line of it.
pub fn hidden(rows: &[Row]) -> Option<Hidden> {
    match rows.first().map(Vec::as_slice) {
        Some([Cell::Int(seconds), Cell::Text(since)]) => Some(Hidden {
            lasted: Duration::from_secs(u64::try_from(*seconds).unwrap_or_default()),
            since: since.clone(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_makes_a_soak_longer_and_never_shorter() {
        let row = |seconds| vec![vec![Cell::Int(seconds), Cell::Text("2026-01-01T00:00:00Z".into())]];
        let lasted = |rows: &[Row]| hidden(rows).map(|hidden| hidden.lasted.as_secs());
        assert_eq!(lasted(&row(90)), Some(90));
        assert_eq!(lasted(&row(-90)), Some(0));
        assert_eq!(lasted(&[]), None);
        assert_eq!(lasted(&[vec![Cell::Null, Cell::Null]]), None);
    }
}
