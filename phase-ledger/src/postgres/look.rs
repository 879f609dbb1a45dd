//! Reading the ledger: one statement when all is well, a closer look when that statement cannot be answered.

use sqlx::{
    Row,
    postgres::{PgConnection, PgRow},
};

use schema_phases::ChangeName;

use crate::{
    BackfillRange, Cell, FORMAT, ReadError, Reading,
    decode::{self, COLUMNS, RangeRow, TextRow, Whose, reading},
    postgres::{PREFIX, fault, values},
};

/// Bounds on the server's side; in one message with the read they make one implicit transaction, which they end with.
const GATE_READ: &str = concat!(
    "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '3s'; SET LOCAL jit = off;",
    include_str!("../sql/postgres/read.sql")
);
const READ: &str = include_str!("../sql/postgres/read.sql");

/// The ledger as it is now.
pub(super) async fn read(connection: &mut PgConnection, whose: Whose) -> Result<Reading, ReadError> {
    // A ledger may be made between the two looks; that it happens twice in a row means something else is wrong.
    let mut last = None;
    for _ in 0..2 {
        let sql = match whose {
            Whose::Gate | Whose::Replica | Whose::Copy => GATE_READ,
            Whose::Runner => READ,
        };
        let cause = match sqlx::raw_sql(sql).fetch_all(&mut *connection).await {
            Ok(rows) => {
                let rows =
                    rows.iter().map(text_row).collect::<Result<Vec<TextRow>, _>>().map_err(fault::unreachable)?;
                return reading(rows, whose, PREFIX);
            }
            Err(cause) => cause,
        };
        match look_closer(connection, whose, cause).await? {
            Found::Nothing => return Ok(Reading::NotBegun),
            Found::Appeared(cause) => last = Some(cause),
        }
    }
    let why = last.map_or_else(String::new, |cause| cause.to_string());
    Err(ReadError::damaged("phasegate.ledger", why))
}

/// The ranges of a change's backfill.
pub(super) async fn ranges(
    connection: &mut PgConnection,
    change: &ChangeName,
) -> Result<Vec<BackfillRange>, ReadError> {
    let sql = include_str!("../sql/postgres/ranges.sql");
    let rows = values::fixed(sql, vec![Cell::Text(change.to_string())]).fetch_all(connection).await;
    let rows = rows.map_err(|cause| match fault::fault(&cause) {
        fault::Fault::Refused => ReadError::damaged(format!("{PREFIX}ranges"), cause.to_string()),
        fault::Fault::Gone | fault::Fault::Lock | fault::Fault::Passing => fault::unreachable(cause),
    })?;
    let text = |row: &PgRow| -> Result<RangeRow, sqlx::Error> {
        Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?])
    };
    let rows = rows.iter().map(text).collect::<Result<_, _>>().map_err(fault::unreachable)?;
    decode::ranges(rows, PREFIX)
}

enum Found {
    /// No ledger, and nothing of a runner's.
    Nothing,
    /// A whole ledger in the known format; the first look failed with this.
    Appeared(sqlx::Error),
}

async fn look_closer(connection: &mut PgConnection, whose: Whose, cause: sqlx::Error) -> Result<Found, ReadError> {
    let code = fault::sqlstate(&cause);
    // An undefined table, schema, column or function, a column of another type, or a missing right.
    if !matches!(code.as_deref(), Some("42P01" | "3F000" | "42703" | "42883" | "42804" | "42846" | "42501")) {
        return Err(fault::unreachable(cause));
    }
    let sql = include_str!("../sql/postgres/look_closer.sql");
    let row = sqlx::raw_sql(sql).fetch_one(&mut *connection).await.map_err(fault::unreachable)?;
    let text = |at: usize| row.try_get::<Option<String>, _>(at).map_err(fault::unreachable);
    let (standby, tables, unreadable, usage, artefacts) = (text(0)?, text(1)?, text(2)?, text(3)?, text(4)?);
    if standby.as_deref() == Some("true") && !whose.takes_standbys() {
        return Err(ReadError::Standby);
    }
    let tables = tables.unwrap_or_default();
    let tables: Vec<&str> = tables.split(',').collect();
    if !tables.contains(&"ledger") {
        return artefacts.map_or(Ok(Found::Nothing), |objects| Err(ReadError::Unexplained { objects }));
    }
    if usage.as_deref() == Some("false") {
        return Err(ReadError::NotPermitted { table: "phasegate.ledger (and USAGE on the schema)".to_owned() });
    }
    let unreadable = unreadable.unwrap_or_default();
    let refused = |table: &str| Err(ReadError::NotPermitted { table: format!("{PREFIX}{table}") });
    if unreadable.split(',').any(|table| table == "ledger") {
        return refused("ledger");
    }
    let damaged = |table: &str, why: String| ReadError::damaged(format!("{PREFIX}{table}"), why);
    let format = sqlx::raw_sql(include_str!("../sql/postgres/format.sql")).fetch_optional(&mut *connection).await;
    let format = format.map_err(|cause| damaged("ledger", cause.to_string()))?;
    let format = format.and_then(|row| row.try_get::<Option<String>, _>(0).ok().flatten());
    let found = format.and_then(|text| text.parse().ok());
    let found: u32 = found.ok_or_else(|| damaged("ledger", "format is no number".to_owned()))?;
    if found != FORMAT {
        return Err(ReadError::Format { found, known: FORMAT });
    }
    if let Some(table) = unreadable.split(',').find(|table| !table.is_empty()) {
        return refused(table);
    }
    if let Some(table) = ["changes", "done", "backfills"].into_iter().find(|table| !tables.contains(table)) {
        return Err(damaged(table, "it is missing".to_owned()));
    }
    Ok(Found::Appeared(cause))
}

/// The first columns of a row, as text.
fn text_row(row: &PgRow) -> Result<TextRow, sqlx::Error> {
    let mut texts: TextRow = [const { None }; COLUMNS];
    for (at, text) in texts.iter_mut().enumerate() {
        *text = row.try_get(at)?;
    }
    Ok(texts)
}
