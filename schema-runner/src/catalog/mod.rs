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
