//! The catalog of MariaDB and MySQL.

use phase_ledger::{Cell, ReadError, Session, Statement};
use schema_changes::{ColumnFacts, Engine, ForeignKeyFacts, IndexFacts, TableFacts, quote};

use super::{int, text, unique_key};

const MARIADB_COLUMNS: &str = include_str!("../sql/mariadb_columns.sql");
const MYSQL_COLUMNS: &str = include_str!("../sql/mysql_columns.sql");
const INDEXES: &str = include_str!("../sql/mysql_indexes.sql");
const UNIQUE_KEYS: &str = include_str!("../sql/mysql_unique_keys.sql");
const TRIGGERS: &str = include_str!("../sql/mysql_triggers.sql");
const TABLE: &str = include_str!("../sql/mysql_table.sql");
const FOREIGN_KEYS: &str = include_str!("../sql/mysql_foreign_keys.sql");
const REFERENCED: &str = include_str!("../sql/mysql_referenced.sql");

/// Which of the two writes down what.
#[derive(Clone, Copy)]
pub(super) enum Flavour {
    Mariadb,
    Mysql,
}

pub(super) async fn read(
    session: &mut dyn Session,
    flavour: Flavour,
    table: &str,
) -> Result<Option<TableFacts>, ReadError> {
    let (schema, name) = match table.split_once('.') {
        Some((schema, name)) => (Cell::Text(schema.to_owned()), name),
        None => (Cell::Null, table),
    };
    let about = |sql: &str| Statement { sql: sql.to_owned(), binds: vec![schema.clone(), Cell::Text(name.to_owned())] };
    let columns = match flavour {
        Flavour::Mariadb => MARIADB_COLUMNS,
        Flavour::Mysql => MYSQL_COLUMNS,
    };
    let columns: Vec<ColumnFacts> = session
        .query(&about(columns))
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
    let mut primary_key = Vec::new();
    let mut indexes: Vec<IndexFacts> = Vec::new();
    let mut of_columns = true;
    for row in session.query(&about(INDEXES)).await? {
        let name = text(&row, 0).unwrap_or_default();
        if name == "PRIMARY" {
            primary_key.extend(text(&row, 1));
            continue;
        }
        if indexes.last().is_none_or(|index| index.name != name) {
            indexes.push(IndexFacts { name, unique: int(&row, 2) != 0, valid: true, ..IndexFacts::default() });
            of_columns = true;
        }
        of_columns &= text(&row, 1).is_some();
        if let Some(index) = indexes.last_mut() {
            index.columns.extend(text(&row, 1));
            index.key = if of_columns { index.columns.clone() } else { Vec::new() };
        }
    }
    if primary_key.is_empty() {
        primary_key = unique_key(&session.query(&about(UNIQUE_KEYS)).await?);
    }
    let triggers = session.query(&about(TRIGGERS)).await?.iter().filter_map(|row| text(row, 0)).collect();
    let rows = session.query(&about(TABLE)).await?;
    let (schema, estimate) = rows.first().map_or((None, 0), |row| (text(row, 0), int(row, 1)));
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
    // The name's quotes are the same on both.
    let show = Statement::plain(format!("SHOW CREATE TABLE {}", quote(Engine::Mariadb, table)));
    let definition = session.query(&show).await?.first().and_then(|row| text(row, 1));
    Ok(Some(TableFacts {
        schema,
        columns,
        primary_key,
        triggers,
        rows_estimate: u64::try_from(estimate).unwrap_or_default(),
        definition,
        indexes,
        foreign_keys,
        referenced_columns: referenced.iter().filter_map(|row| text(row, 0)).collect(),
    }))
}
