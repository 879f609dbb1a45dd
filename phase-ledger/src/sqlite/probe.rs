//! The probe of an SQLite file: on a read-only connection, compiling a statement and running none.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqlSafeStr, TypeInfo, Value, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow},
};

use tokio::time::timeout;

use crate::{
    Prepared, Probe, ProbeError, QueryAnswer, TableName,
    probe::{one_row, said},
    sqlite::fault::{self, ERROR},
};

const BUSY: Duration = Duration::from_millis(200);
/// So many of its virtual machine's steps are done between two looks at whether anybody still waits.
const LOOK_EVERY: i32 = 100_000;

/// A connection for a few questions.
pub(crate) struct SqliteProbe {
    connection: SqliteConnection,
    within: Duration,
}

/// Nobody waits for the answer once this is dropped: the driver's thread must not go on for it.
struct Waited(Arc<AtomicBool>);

impl Drop for Waited {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl SqliteProbe {
    /// Opens the file. Never makes it.
    ///
    /// # Errors
    /// [`ProbeError::Unreachable`].
    pub(crate) async fn connect(path: &Path, within: Duration) -> Result<Self, ProbeError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        Ok(Self { connection: SqliteConnection::connect_with(&options).await.map_err(failed)?, within })
    }

    /// SQLite bounds no statement: it asks us, now and then, whether to go on.
    async fn waited(&mut self) -> Result<Waited, ProbeError> {
        let waited = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&waited);
        let mut handle = self.connection.lock_handle().await.map_err(failed)?;
        handle.set_progress_handler(LOOK_EVERY, move || asked.load(Ordering::Relaxed));
        Ok(Waited(waited))
    }
}

#[async_trait]
impl Probe for SqliteProbe {
    async fn prepare(&mut self, statement: &str) -> Result<Prepared, ProbeError> {
        let sql = AssertSqlSafe(statement).into_sql_str();
        match (&mut self.connection).prepare(sql).await.map(drop).map_err(failed) {
            Ok(()) => Ok(Prepared::Understood),
            Err(ProbeError::Refused { what }) => Ok(Prepared::Refused(what)),
            Err(other) => Err(other),
        }
    }

    async fn required_columns(&mut self, table: &TableName) -> Result<Vec<String>, ProbeError> {
        let sql = include_str!("../sql/sqlite/required_columns.sql");
        let rows = sqlx::query(sql).bind(&table.name).fetch_all(&mut self.connection).await.map_err(failed)?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)
    }

    async fn ask(&mut self, query: &str) -> Result<QueryAnswer, ProbeError> {
        let query = query.trim().trim_end_matches(';');
        let sql = format!("SELECT * FROM (\n{query}\n) LIMIT 2");
        let _waited = self.waited().await?;
        let asked = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(&mut self.connection);
        let slow = |_| ProbeError::Slow { what: format!("no answer within {} ms", self.within.as_millis()) };
        let rows = timeout(self.within, asked).await.map_err(slow)?;
        Ok(answer(&rows.map_err(failed)?))
    }
}

fn answer(rows: &[SqliteRow]) -> QueryAnswer {
    let row = match one_row(rows) {
        Ok(row) if row.len() == 1 => row,
        Ok(_) => return QueryAnswer::several_columns(),
        Err(other) => return other,
    };
    let Ok(value) = row.try_get_raw(0) else { return QueryAnswer::Other("nothing that can be read".to_owned()) };
    if value.is_null() {
        return QueryAnswer::Null;
    }
    match ValueRef::to_owned(&value).try_decode_unchecked::<f64>() {
        Ok(number) if matches!(value.type_info().name(), "INTEGER" | "REAL") && number.is_finite() => {
            QueryAnswer::Number(number)
        }
        Ok(_) | Err(_) => QueryAnswer::no_number("text"),
    }
}

fn failed(cause: sqlx::Error) -> ProbeError {
    let what = said(&cause);
    if fault::primary_code(&cause) == Some(ERROR) {
        ProbeError::Refused { what }
    } else if fault::is_busy(&cause) {
        ProbeError::Slow { what }
    } else {
        ProbeError::Unreachable { cause: Box::new(cause) }
    }
}
