//! Cells to PostgreSQL and back.

use sqlx::{
    AssertSqlSafe, Column, Postgres, Row as _, TypeInfo, ValueRef,
    encode::{Encode, IsNull},
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, types::Oid},
    query::Query,
    types::Type,
};

use crate::{Cell, Row, Statement};

/// A NULL of the type that the statement wants: a typed one would be refused where another type stands.
struct Untyped;

impl Type<Postgres> for Untyped {
    fn type_info() -> PgTypeInfo {
        // `unknown`: the server infers the parameter's type.
        PgTypeInfo::with_oid(Oid(705))
    }
}

impl Encode<'_, Postgres> for Untyped {
    fn encode_by_ref(&self, _buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

/// A statement of the caller. Never kept prepared: the driver finds prepared statements by their text alone, and the
/// same text with values of other types would send them in the wrong binary form.
pub(super) fn query(statement: &Statement) -> Query<'static, Postgres, PgArguments> {
    repeated(statement).persistent(false)
}

/// A statement that the caller repeats with values of the same types.
pub(super) fn repeated(statement: &Statement) -> Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
    for cell in &statement.binds {
        query = match cell.clone() {
            Cell::Null => query.bind(Untyped),
            Cell::Int(number) => query.bind(number),
            Cell::Real(number) => query.bind(number),
            Cell::Text(text) => query.bind(text),
            Cell::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
}

/// A fixed statement of ours: its values have the same types each time, so it stays prepared.
pub(super) fn fixed(sql: &'static str, binds: Vec<Cell>) -> Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query(sql);
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

/// A row as cells.
pub(super) fn cells(row: &PgRow) -> Result<Row, sqlx::Error> {
    (0..row.len()).map(|at| cell(row, at)).collect()
}

fn cell(row: &PgRow, at: usize) -> Result<Cell, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match raw.type_info().name() {
        "INT2" => Cell::Int(row.try_get::<i16, _>(at)?.into()),
        "INT4" => Cell::Int(row.try_get::<i32, _>(at)?.into()),
        "INT8" => Cell::Int(row.try_get(at)?),
        "OID" => Cell::Int(row.try_get::<Oid, _>(at)?.0.into()),
        "BOOL" => Cell::Int(row.try_get::<bool, _>(at)?.into()),
        "FLOAT4" => Cell::Real(row.try_get::<f32, _>(at)?.into()),
        "FLOAT8" => Cell::Real(row.try_get(at)?),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => Cell::Text(row.try_get(at)?),
        "BYTEA" => Cell::Bytes(row.try_get(at)?),
        other => {
            let why = format!("the type {other} is not read; cast the column to text in the statement");
            return Err(sqlx::Error::ColumnDecode { index: row.column(at).name().to_owned(), source: why.into() });
        }
    })
}
