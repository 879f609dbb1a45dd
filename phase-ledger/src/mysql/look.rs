//! Reading the ledger: one message when all is well, a closer look when it cannot be answered.

use sqlx::{
    AssertSqlSafe,
    mysql::{MySqlConnection, MySqlRow},
};

use schema_phases::ChangeName;

use crate::{
    BackfillRange, Cell, FORMAT, ReadError, Reading,
    decode::{self, COLUMNS, RangeRow, TextRow, Whose, reading},
    mysql::{Flavour, LEDGER, PREFIX, fault, values},
};

/// The tables of a ledger besides its first.
const OTHERS: [&str; 3] = ["changes", "done", "backfills"];

/// The ledger as it is now.
pub(super) async fn read(
    connection: &mut MySqlConnection,
    flavour: Flavour,
    whose: Whose,
) -> Result<Reading, ReadError> {
    let sql = match whose {
        // Bounds on the server's side, and what makes the read a fresh one, whatever a role or a pool has set.
        Whose::Gate | Whose::Replica | Whose::Copy => format!(
            "SET SESSION autocommit = 1, lock_wait_timeout = 2, group_concat_max_len = 1048576, @phasegate_server = {};{}",
            flavour.identity(),
            include_str!("../sql/mysql/read.sql")
        ),
        // Its own settings stand, and a transaction of its own may be open.
        Whose::Runner => {
            format!("SET @phasegate_server = {};{}", flavour.identity(), include_str!("../sql/mysql/read.sql"))
        }
    };
    // A ledger may be made between the two looks; that it happens twice in a row means something else is wrong.
    let mut last = String::new();
    for _ in 0..2 {
        let cause = match sqlx::raw_sql(AssertSqlSafe(sql.clone())).fetch_all(&mut *connection).await {
            Ok(rows) => {
                let rows = rows.iter().map(text_row).collect::<Result<Vec<TextRow>, _>>();
                let rows = rows.map_err(|cause| ReadError::damaged("phasegate_changes", cause.to_string()))?;
                return reading(rows, whose, PREFIX);
            }
            Err(cause) => cause,
        };
        if !fault::asks_for_a_look(&cause) {
            return Err(fault::unreachable(cause));
        }
        match look_closer(connection, whose, &cause).await? {
            Found::Nothing => return Ok(Reading::NotBegun),
            Found::Appeared => last = cause.to_string(),
        }
    }
    Err(ReadError::damaged(LEDGER, last))
}

enum Found {
    /// No ledger, and nothing of a runner's.
    Nothing,
    /// A whole ledger in the known format.
    Appeared,
}

async fn look_closer(connection: &mut MySqlConnection, whose: Whose, cause: &sqlx::Error) -> Result<Found, ReadError> {
    let sql = include_str!("../sql/mysql/look_closer.sql");
    let row = sqlx::raw_sql(sql).fetch_one(&mut *connection).await.map_err(fault::unreachable)?;
    let text = |at: usize| values::text(&row, at).map_err(fault::unreachable);
    let (standby, tables, artefacts) = (text(0)?, text(1)?.unwrap_or_default(), text(2)?);
    if standby.as_deref() != Some("0") && !whose.takes_standbys() {
        return Err(ReadError::Standby);
    }
    let tables: Vec<&str> = tables.split(',').filter_map(|table| table.strip_prefix(PREFIX)).collect();
    if !tables.contains(&"ledger") {
        // A role sees only the tables it has rights on: nothing seen is nothing known.
        if fault::is_denied(cause) {
            return Err(ReadError::NotPermitted { table: denied(cause) });
        }
        if let Some(objects) = artefacts {
            return Err(ReadError::Unexplained { objects });
        }
        return if tables.contains(&"changes") { nothing_remains(connection).await } else { Ok(Found::Nothing) };
    }
    match one_text(connection, include_str!("../sql/mysql/format.sql")).await {
        Ok(format) => {
            let damaged = || ReadError::damaged(LEDGER, "format is no number");
            let found: u32 = format.and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
            if found != FORMAT {
                return Err(ReadError::Format { found, known: FORMAT });
            }
        }
        Err(cause) if fault::is_denied(&cause) => return Err(ReadError::NotPermitted { table: denied(&cause) }),
        Err(cause) => return Err(ReadError::damaged(LEDGER, cause.to_string())),
    }
    if fault::is_denied(cause) {
        return Err(ReadError::NotPermitted { table: denied(cause) });
    }
    match OTHERS.into_iter().find(|table| !tables.contains(table)) {
        Some(table) => Err(ReadError::damaged(format!("{PREFIX}{table}"), "it is missing")),
        None => Ok(Found::Appeared),
    }
}

/// Without its first table there is no ledger; but the others may be what is left of one, not what the first takeover
/// was about to fill when it died.
async fn nothing_remains(connection: &mut MySqlConnection) -> Result<Found, ReadError> {
    match one_text(connection, include_str!("../sql/mysql/remains.sql")).await {
        Ok(count) if count.as_deref() == Some("0") => Ok(Found::Nothing),
        Ok(_) | Err(_) => Err(ReadError::damaged(LEDGER, "it is missing")),
    }
}

/// The table that the server's refusal names.
fn denied(cause: &sqlx::Error) -> String {
    let message = cause.to_string();
    let named = OTHERS.into_iter().map(|table| format!("{PREFIX}{table}")).find(|table| message.contains(table));
    named.unwrap_or_else(|| LEDGER.to_owned())
}

async fn one_text(connection: &mut MySqlConnection, sql: &'static str) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::raw_sql(sql).fetch_optional(connection).await?;
    row.map_or(Ok(None), |row| values::text(&row, 0))
}

/// The ranges of a change's backfill.
pub(super) async fn ranges(
    connection: &mut MySqlConnection,
    change: &ChangeName,
) -> Result<Vec<BackfillRange>, ReadError> {
    let sql = include_str!("../sql/mysql/ranges.sql");
    let rows = values::fixed(sql, vec![Cell::Text(change.to_string())]).fetch_all(connection).await;
    let damaged = |cause: sqlx::Error| ReadError::damaged("phasegate_ranges", cause.to_string());
    let rows = rows.map_err(|cause| match fault::fault(&cause) {
        fault::Fault::Refused => damaged(cause),
        fault::Fault::Gone | fault::Fault::Lock | fault::Fault::Passing => fault::unreachable(cause),
    })?;
    let text = |row: &MySqlRow| -> Result<RangeRow, sqlx::Error> {
        Ok([values::text(row, 0)?, values::text(row, 1)?, values::text(row, 2)?, values::text(row, 3)?])
    };
    let rows = rows.iter().map(text).collect::<Result<_, _>>().map_err(damaged)?;
    decode::ranges(rows, PREFIX)
}

/// The first columns of a row, as text.
fn text_row(row: &MySqlRow) -> Result<TextRow, sqlx::Error> {
    let mut texts: TextRow = [const { None }; COLUMNS];
    for (at, text) in texts.iter_mut().enumerate() {
        *text = values::text(row, at)?;
    }
    Ok(texts)
}
