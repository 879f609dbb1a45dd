//! What the live catalog says of the tables that a change touches.

mod mysql;
mod postgres;
mod sqlite;

use std::collections::BTreeSet;

use phase_ledger::{Cell, ReadError, Row, Session, Statement};
use schema_changes::{Catalog, Engine};

/// The facts of those of the `tables` that exist.
pub(crate) async fn read(
    session: &mut dyn Session,
    engine: Engine,
    tables: &BTreeSet<String>,
) -> Result<Catalog, ReadError> {
    let mut catalog = Catalog::new();
    for table in tables {
        let facts = match engine {
            Engine::Postgres => postgres::read(session, table).await?,
            Engine::Sqlite => sqlite::read(session, table).await?,
            Engine::Mariadb => mysql::read(session, mysql::Flavour::Mariadb, table).await?,
            Engine::Mysql => mysql::read(session, mysql::Flavour::Mysql, table).await?,
        };
        if let Some(facts) = facts {
            catalog.insert(table.clone(), facts);
        }
    }
    Ok(catalog)
}

/// What finds a row where there is no primary key: the shortest UNIQUE key of columns that all fit, of these the first by
/// name. The rows are a key's name, a column, and whether it fits; those of one key follow each other.
fn unique_key(rows: &[Row]) -> Vec<String> {
    let fitting = rows
        .chunk_by(|one, other| text(one, 0) == text(other, 0))
        .filter(|key| key.iter().all(|column| int(column, 2) != 0))
        .min_by_key(|key| key.len());
    fitting.into_iter().flatten().filter_map(|row| text(row, 1)).collect()
}

/// The triggers that runners made, in the whole database.
pub(crate) async fn triggers_of_runners(session: &mut dyn Session, engine: Engine) -> Result<Vec<String>, ReadError> {
    let sql = match engine {
        Engine::Postgres => {
            "SELECT t.tgname::text FROM pg_catalog.pg_trigger t \
             WHERE NOT t.tgisinternal AND pg_catalog.starts_with(t.tgname::text, 'zzz_phasegate_') ORDER BY 1"
        }
        Engine::Sqlite => {
            "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB 'zzz_phasegate_*' ORDER BY name"
        }
        Engine::Mysql | Engine::Mariadb => {
            "SELECT t.trigger_name FROM information_schema.triggers t WHERE t.trigger_schema = DATABASE() \
             AND t.trigger_name LIKE 'zzz\\_phasegate\\_%' ORDER BY t.trigger_name"
        }
    };
    let rows = session.query(&Statement::plain(sql)).await?;
    Ok(rows.iter().filter_map(|row| text(row, 0)).collect())
}

pub(crate) fn text(row: &Row, index: usize) -> Option<String> {
    match row.get(index) {
        Some(Cell::Text(text)) => Some(text.clone()),
        Some(Cell::Int(number)) => Some(number.to_string()),
        Some(Cell::Null | Cell::Real(_) | Cell::Bytes(_)) | None => None,
    }
}

pub(crate) fn int(row: &Row, index: usize) -> i64 {
    match row.get(index) {
        Some(Cell::Int(number)) => *number,
        Some(Cell::Null | Cell::Real(_) | Cell::Text(_) | Cell::Bytes(_)) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_primary_key_the_shortest_unique_key_that_cannot_be_null_finds_a_row() {
        let row =
            |key: &str, column: &str, fits| vec![Cell::Text(key.into()), Cell::Text(column.into()), Cell::Int(fits)];
        let rows = [row("a", "x", 1), row("a", "y", 1), row("b", "n", 0), row("c", "z", 1), row("d", "w", 1)];
        assert_eq!(unique_key(&rows), ["z"]);
        assert_eq!(unique_key(&rows[..3]), ["x", "y"]);
        assert_eq!(unique_key(&[row("a", "x", 1), row("a", "y", 0)]), Vec::<String>::new());
        assert_eq!(unique_key(&[]), Vec::<String>::new());
    }
}
