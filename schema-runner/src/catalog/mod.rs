//! What the live catalog says of the tables that a change touches.

mod postgres;
mod sqlite;

use std::collections::BTreeSet;

use phase_ledger::{Cell, ReadError, Row, Session};
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
            Engine::Mysql | Engine::Mariadb => None,
        };
        if let Some(facts) = facts {
            catalog.insert(table.clone(), facts);
        }
    }
    Ok(catalog)
}

fn text(row: &Row, index: usize) -> Option<String> {
    match row.get(index) {
        Some(Cell::Text(text)) => Some(text.clone()),
        Some(Cell::Int(number)) => Some(number.to_string()),
        Some(Cell::Null | Cell::Real(_) | Cell::Bytes(_)) | None => None,
    }
}

fn int(row: &Row, index: usize) -> i64 {
    match row.get(index) {
        Some(Cell::Int(number)) => *number,
        Some(Cell::Null | Cell::Real(_) | Cell::Text(_) | Cell::Bytes(_)) | None => 0,
    }
}
