//! Cells to MariaDB and MySQL and back.

use sqlx::{
    AssertSqlSafe, Column, MySql, Row as _, TypeInfo, ValueRef,
    mysql::{MySqlArguments, MySqlRow},
    query::Query,
};

use crate::{Cell, Row, Statement};

/// A statement of the caller.
///
/// Kept prepared, the last hundred of them: the columns of a result are read anew each time (sqlx-mysql 0.9,
/// `connection/executor.rs`), and the server prepares anew what a change of the schema has made stale. A statement that is not kept
/// is closed right behind its execution, by a packet that has no answer; as the driver leaves Nagle's algorithm on, the next
/// command then waits for the server's delayed acknowledgement, 40 ms: five seconds of a run on an empty table.
pub(super) fn query(statement: &Statement) -> Query<'static, MySql, MySqlArguments> {
    bound(sqlx::query(AssertSqlSafe(statement.sql.clone())), statement.binds.clone())
}

/// A fixed statement of ours.
pub(super) fn fixed(sql: &'static str, binds: Vec<Cell>) -> Query<'static, MySql, MySqlArguments> {
    bound(sqlx::query(sql), binds)
}

fn bound(mut query: Query<'static, MySql, MySqlArguments>, binds: Vec<Cell>) -> Query<'static, MySql, MySqlArguments> {
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

/// One column of a result of the text protocol.
pub(super) fn text(row: &MySqlRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at)?;
    let unreadable = |cause: std::string::FromUtf8Error| sqlx::Error::Decode(Box::new(cause));
    bytes.map(String::from_utf8).transpose().map_err(unreadable)
}

/// A row as cells.
pub(super) fn cells(row: &MySqlRow) -> Result<Row, sqlx::Error> {
    (0..row.len()).map(|at| cell(row, at)).collect()
}

fn cell(row: &MySqlRow, at: usize) -> Result<Cell, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Cell::Int(row.try_get_unchecked(at)?),
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED" | "BIGINT UNSIGNED" => {
            let number: u64 = row.try_get_unchecked(at)?;
            i64::try_from(number).map_or_else(|_| Cell::Text(number.to_string()), Cell::Int)
        }
        "FLOAT" => Cell::Real(row.try_get::<f32, _>(at)?.into()),
        "DOUBLE" => Cell::Real(row.try_get(at)?),
        // A sum of whole numbers is one of these; its digits are its text in both protocols.
        "DECIMAL" => Cell::Text(row.try_get_unchecked(at)?),
        "CHAR" | "VARCHAR" | "BINARY" | "VARBINARY" | "ENUM" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT"
        | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
            // Which of the two it is, the column's character set says, and the driver knows it.
            match row.try_get::<String, _>(at) {
                Ok(text) => Cell::Text(text),
                Err(_) => Cell::Bytes(row.try_get_unchecked(at)?),
            }
        }
        other => {
            let why = format!("the type {other} is not read; cast the column to text in the statement");
            return Err(sqlx::Error::ColumnDecode { index: row.column(at).name().to_owned(), source: why.into() });
        }
    })
}
