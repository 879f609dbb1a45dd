//! Reading the ledger: one statement when all is well, a closer look when that statement cannot be answered.

use sqlx::{
    Row,
    sqlite::{SqliteConnection, SqliteRow},
};

use schema_phases::ChangeName;

use crate::{
    BackfillRange, Cell, FORMAT, ReadError, Reading,
    decode::{self, COLUMNS, RangeRow, TextRow, Whose, reading},
    sqlite::{PREFIX, fault, values},
};

/// The ledger as it is now.
pub(super) async fn read(connection: &mut SqliteConnection, whose: Whose) -> Result<Reading, ReadError> {
    // A ledger may be made between the two looks; that it happens twice in a row means something else is wrong.
    let mut last = String::new();
    for _ in 0..2 {
        let sql = include_str!("../sql/sqlite/read.sql");
        let cause = match sqlx::query(sql).fetch_all(&mut *connection).await {
            Ok(rows) => {
                let rows = rows.iter().map(text_row).collect::<Result<Vec<TextRow>, _>>();
                let rows = rows.map_err(|cause| ReadError::damaged("phasegate_changes", cause.to_string()))?;
                return reading(rows, whose, PREFIX);
            }
            Err(cause) => cause,
        };
        if fault::primary_code(&cause) != Some(fault::ERROR) {
            return Err(fault::unreachable(cause));
        }
        if look_closer(connection).await? {
            last = cause.to_string();
        } else {
            return Ok(Reading::NotBegun);
        }
    }
    Err(ReadError::damaged("phasegate_ledger", last))
}

/// Whether there is a whole ledger in the known format; if not, there is nothing of a runner's at all.
async fn look_closer(connection: &mut SqliteConnection) -> Result<bool, ReadError> {
    let sql = include_str!("../sql/sqlite/look_closer.sql");
    let row = sqlx::query(sql).persistent(false).fetch_one(&mut *connection).await.map_err(fault::unreachable)?;
    let text = |at: usize| row.try_get::<Option<String>, _>(at).map_err(fault::unreachable);
    let (tables, artefacts) = (text(0)?.unwrap_or_default(), text(1)?);
    let tables: Vec<&str> = tables.split(',').collect();
    if !tables.contains(&"phasegate_ledger") {
        return artefacts.map_or(Ok(false), |objects| Err(ReadError::Unexplained { objects }));
    }
    let sql = include_str!("../sql/sqlite/format.sql");
    let row = sqlx::query(sql).persistent(false).fetch_optional(&mut *connection).await;
    let row = row.map_err(|cause| ReadError::damaged("phasegate_ledger", cause.to_string()))?;
    let format = row.and_then(|row| row.try_get::<Option<String>, _>(0).ok().flatten());
    let found = format.and_then(|text| text.parse().ok());
    let found: u32 = found.ok_or_else(|| ReadError::damaged("phasegate_ledger", "format is no number"))?;
    if found != FORMAT {
        return Err(ReadError::Format { found, known: FORMAT });
    }
    let needed = ["phasegate_changes", "phasegate_done", "phasegate_backfills"];
    needed
        .into_iter()
        .find(|table| !tables.contains(table))
        .map_or(Ok(true), |table| Err(ReadError::damaged(table, "it is missing")))
}

/// The ranges of a change's backfill.
pub(super) async fn ranges(
    connection: &mut SqliteConnection,
    change: &ChangeName,
) -> Result<Vec<BackfillRange>, ReadError> {
    let sql = include_str!("../sql/sqlite/ranges.sql");
    let rows = values::fixed(sql, vec![Cell::Text(change.to_string())]).fetch_all(connection).await;
    let damaged = |cause: sqlx::Error| ReadError::damaged("phasegate_ranges", cause.to_string());
    let rows = rows.map_err(|cause| match fault::primary_code(&cause) {
        Some(fault::ERROR) => damaged(cause),
        _ => fault::unreachable(cause),
    })?;
    let text = |row: &SqliteRow| -> Result<RangeRow, sqlx::Error> {
        Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?])
    };
    let rows = rows.iter().map(text).collect::<Result<_, _>>().map_err(damaged)?;
    decode::ranges(rows, PREFIX)
}

fn text_row(row: &SqliteRow) -> Result<TextRow, sqlx::Error> {
    let mut texts: TextRow = [const { None }; COLUMNS];
    for (at, text) in texts.iter_mut().enumerate() {
        *text = row.try_get(at)?;
    }
    Ok(texts)
}
