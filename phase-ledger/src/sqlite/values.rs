//! Cells to SQLite and back.

use sqlx::{
    AssertSqlSafe, Row as _, Sqlite, TypeInfo, ValueRef,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{Cell, Row, Statement};

pub(super) type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// A statement of the caller. Not kept prepared: the driver would remember its columns across a change of the schema.
pub(super) fn query(statement: &Statement) -> Query {
    bound(sqlx::query(AssertSqlSafe(statement.sql.clone())).persistent(false), statement.binds.clone())
}

/// A statement of the caller that comes again and again while nobody changes the schema, and names each of its columns.
pub(super) fn kept(statement: &Statement) -> Query {
    bound(sqlx::query(AssertSqlSafe(statement.sql.clone())), statement.binds.clone())
}

/// A fixed statement of ours.
pub(super) fn fixed(sql: &'static str, binds: Vec<Cell>) -> Query {
    bound(sqlx::query(sql), binds)
}

fn bound(mut query: Query, binds: Vec<Cell>) -> Query {
    for cell in binds {
        query = match cell {
            Cell::Null => query.bind(None::<String>),
            Cell::Int(number) => query.bind(number),
            Cell::Real(number) => query.bind(number),
            Cell::Text(text) => query.bind(text),
            Cell::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
}

/// A row as cells, by what each value is: a column's declared type says little in SQLite.
pub(super) fn cells(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    (0..row.len()).map(|at| cell(row, at)).collect()
}

fn cell(row: &SqliteRow, at: usize) -> Result<Cell, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let kind = raw.type_info().into_owned();
    Ok(match kind.name() {
        "INTEGER" | "BOOLEAN" | "INT4" | "INT8" => Cell::Int(row.try_get_unchecked(at)?),
        "REAL" => Cell::Real(row.try_get_unchecked(at)?),
        "BLOB" => Cell::Bytes(row.try_get_unchecked(at)?),
        _ => Cell::Text(row.try_get_unchecked(at)?),
    })
}
