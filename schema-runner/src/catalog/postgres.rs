//! PostgreSQL's catalog.

use phase_ledger::{Cell, ReadError, Session, Statement};
use schema_changes::{ColumnFacts, Engine, ForeignKeyFacts, IndexFacts, TableFacts, quote};

use super::{int, text, unique_key};

const COLUMNS: &str = include_str!("../sql/postgres_columns.sql");
const PRIMARY_KEY: &str = include_str!("../sql/postgres_primary_key.sql");
const UNIQUE_KEYS: &str = include_str!("../sql/postgres_unique_keys.sql");
const TRIGGERS: &str = include_str!("../sql/postgres_triggers.sql");
const TABLE: &str = include_str!("../sql/postgres_table.sql");
const INDEXES: &str = include_str!("../sql/postgres_indexes.sql");
const FOREIGN_KEYS: &str = include_str!("../sql/postgres_foreign_keys.sql");
const REFERENCED: &str = include_str!("../sql/postgres_referenced.sql");

pub(super) async fn read(session: &mut dyn Session, table: &str) -> Result<Option<TableFacts>, ReadError> {
    let about = |sql: &str| Statement { sql: sql.to_owned(), binds: vec![Cell::Text(quote(Engine::Postgres, table))] };
    let columns: Vec<ColumnFacts> = session
        .query(&about(COLUMNS))
        .await?
        .iter()
        .map(|row| ColumnFacts {
            name: text(row, 0).unwrap_or_default(),
            sql_type: text(row, 1).unwrap_or_default(),
            nullable: int(row, 2) != 0,
            default: text(row, 3),
            generated: int(row, 4) != 0,
        })
        .collect();
    if columns.is_empty() {
        return Ok(None);
    }
    let mut primary_key: Vec<String> =
        session.query(&about(PRIMARY_KEY)).await?.iter().filter_map(|row| text(row, 0)).collect();
    if primary_key.is_empty() {
        primary_key = unique_key(&session.query(&about(UNIQUE_KEYS)).await?);
    }
    let triggers = session.query(&about(TRIGGERS)).await?.iter().filter_map(|row| text(row, 0)).collect();
    let rows = session.query(&about(TABLE)).await?;
    let (schema, estimate) = rows.first().map_or((None, 0), |row| (text(row, 0), int(row, 1)));
    // One row a column of an index; the columns of one index follow each other.
    let mut indexes: Vec<IndexFacts> = Vec::new();
    for row in session.query(&about(INDEXES)).await? {
        let name = text(&row, 0).unwrap_or_default();
        if indexes.last().is_none_or(|index| index.name != name) {
            let (unique, valid) = (int(&row, 2) != 0, int(&row, 4) != 0);
            indexes.push(IndexFacts { name, unique, valid, ..IndexFacts::default() });
        }
        if let Some(index) = indexes.last_mut() {
            // Its key columns come first, in their order; one with an expression has none that are told.
            index.key.extend(text(&row, 1).filter(|_| int(&row, 3) != 0));
            index.columns.extend(text(&row, 1));
        }
    }
    let mut foreign_keys: Vec<ForeignKeyFacts> = Vec::new();
    for row in session.query(&about(FOREIGN_KEYS)).await? {
        let name = text(&row, 0).unwrap_or_default();
        if foreign_keys.last().is_none_or(|key| key.name != name) {
            let references = text(&row, 2).unwrap_or_default();
            foreign_keys.push(ForeignKeyFacts { name, columns: Vec::new(), references });
        }
        if let Some(key) = foreign_keys.last_mut() {
            key.columns.extend(text(&row, 1));
        }
    }
    let referenced = session.query(&about(REFERENCED)).await?;
    Ok(Some(TableFacts {
        schema,
        columns,
        primary_key,
        triggers,
        rows_estimate: u64::try_from(estimate).unwrap_or_default(),
        definition: None,
        indexes,
        foreign_keys,
        referenced_columns: referenced.iter().filter_map(|row| text(row, 0)).collect(),
    }))
}
