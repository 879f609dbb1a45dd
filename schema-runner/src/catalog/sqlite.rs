//! SQLite's catalog.

use phase_ledger::{Cell, ReadError, Session, Statement};
use schema_changes::{ColumnFacts, Engine, ForeignKeyFacts, IndexFacts, TableFacts, quote};

use super::{int, text, unique_key};

const COLUMNS: &str = include_str!("../sql/sqlite_columns.sql");
const UNIQUE_KEYS: &str = include_str!("../sql/sqlite_unique_keys.sql");
const TRIGGERS: &str = include_str!("../sql/sqlite_triggers.sql");
const DEFINITION: &str = include_str!("../sql/sqlite_definition.sql");
const INDEXES: &str = include_str!("../sql/sqlite_indexes.sql");
const FOREIGN_KEYS: &str = include_str!("../sql/sqlite_foreign_keys.sql");
const REFERENCED: &str = include_str!("../sql/sqlite_referenced.sql");

pub(super) async fn read(session: &mut dyn Session, table: &str) -> Result<Option<TableFacts>, ReadError> {
    let about = |sql: &str| Statement { sql: sql.to_owned(), binds: vec![Cell::Text(table.to_owned())] };
    let rows = session.query(&about(COLUMNS)).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    // Columns: name, type, notnull, default, place in the primary key from 1, hidden (2 and 3: generated).
    let mut key: Vec<(i64, String)> =
        rows.iter().filter(|row| int(row, 4) > 0).filter_map(|row| Some((int(row, 4), text(row, 0)?))).collect();
    key.sort();
    let columns: Vec<ColumnFacts> = rows
        .iter()
        .map(|row| ColumnFacts {
            name: text(row, 0).unwrap_or_default(),
            sql_type: text(row, 1).unwrap_or_default(),
            nullable: int(row, 2) == 0,
            default: text(row, 3),
            generated: matches!(int(row, 5), 2 | 3),
        })
        .collect();
    let triggers = session.query(&about(TRIGGERS)).await?.iter().filter_map(|row| text(row, 0)).collect();
    let definition = session.query(&about(DEFINITION)).await?.first().and_then(|row| text(row, 0));
    // SQLite keeps no estimate; counting walks the smallest index.
    let count = Statement::plain(format!("SELECT count(*) FROM {}", quote(Engine::Sqlite, table)));
    let count = session.query(&count).await?.first().map_or(0, |row| int(row, 0));
    // One row a column of an index; an expression has no column name, and its text is looked through for names.
    let mut indexes: Vec<IndexFacts> = Vec::new();
    let mut of_columns = true;
    for row in session.query(&about(INDEXES)).await? {
        let name = text(&row, 0).unwrap_or_default();
        if indexes.last().is_none_or(|index| index.name != name) {
            let written = text(&row, 3).unwrap_or_default();
            let mentioned = columns_in(&columns, &written);
            let unique = int(&row, 2) != 0;
            indexes.push(IndexFacts { name, columns: mentioned, unique, valid: true, ..IndexFacts::default() });
            of_columns = true;
        }
        of_columns &= text(&row, 1).is_some();
        if let Some(index) = indexes.last_mut() {
            index.key.extend(text(&row, 1));
            index.key = if of_columns { std::mem::take(&mut index.key) } else { Vec::new() };
        }
        if let (Some(index), Some(column)) = (indexes.last_mut(), text(&row, 1))
            && !index.columns.contains(&column)
        {
            index.columns.push(column);
        }
    }
    let mut foreign_keys: Vec<(i64, ForeignKeyFacts)> = Vec::new();
    for row in session.query(&about(FOREIGN_KEYS)).await? {
        let id = int(&row, 0);
        if foreign_keys.last().is_none_or(|(known, _)| *known != id) {
            let references = text(&row, 2).unwrap_or_default();
            foreign_keys.push((id, ForeignKeyFacts { name: String::new(), columns: Vec::new(), references }));
        }
        if let Some((_, key)) = foreign_keys.last_mut() {
            key.columns.extend(text(&row, 1));
        }
    }
    let mut referenced_columns: Vec<String> = Vec::new();
    let mut primary_key: Vec<String> = key.into_iter().map(|(_, name)| name).collect();
    for row in session.query(&about(REFERENCED)).await? {
        // A reference that names no column means the primary key.
        referenced_columns.extend(text(&row, 0).map_or_else(|| primary_key.clone(), |column| vec![column]));
    }
    // A foreign key that names no column means the primary key proper.
    if primary_key.is_empty() {
        primary_key = unique_key(&session.query(&about(UNIQUE_KEYS)).await?);
    }
    Ok(Some(TableFacts {
        schema: None,
        columns,
        primary_key,
        triggers,
        rows_estimate: u64::try_from(count).unwrap_or_default(),
        definition,
        indexes,
        foreign_keys: foreign_keys.into_iter().map(|(_, key)| key).collect(),
        referenced_columns,
    }))
}

/// The columns whose names stand in the text of an index, as words.
fn columns_in(columns: &[ColumnFacts], written: &str) -> Vec<String> {
    let words: Vec<&str> = written.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let mentioned = |column: &&ColumnFacts| words.iter().any(|word| word.eq_ignore_ascii_case(&column.name));
    columns.iter().filter(mentioned).map(|column| column.name.clone()).collect()
}
