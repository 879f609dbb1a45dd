//! One transaction of a runner: the fence, the locks, the statements.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Row as _,
    postgres::{PgConnection, PgRow},
};

use tokio::time::Instant;

use crate::{
    Batch, Batched, Cell, Generation, LedgerState, ReadError, Reading, Record, Row, Statement, Transaction, WriteError,
    decode::Whose,
    fence::{self, FenceRow},
    postgres::{fault, look, values},
    statement,
    store::{Scribe, Sentences, advance, count, upgrade_line},
    transition::{Applied, apply_all},
};

pub(super) const SENTENCES: Sentences = Sentences {
    set_plan: include_str!("../sql/postgres/set_plan.sql"),
    put_change: include_str!("../sql/postgres/put_change.sql"),
    delete_change: include_str!("../sql/postgres/delete_change.sql"),
    add_done: include_str!("../sql/postgres/add_done.sql"),
    clear_done: include_str!("../sql/postgres/clear_done.sql"),
    put_backfill: include_str!("../sql/postgres/put_backfill.sql"),
    clear_backfill: include_str!("../sql/postgres/clear_backfill.sql"),
    add_range: include_str!("../sql/postgres/add_range.sql"),
    clear_ranges: include_str!("../sql/postgres/clear_ranges.sql"),
    add_history: include_str!("../sql/postgres/add_history.sql"),
};

/// The table that every transaction locks first.
pub(super) const LEDGER: &str = "phasegate.ledger";

/// `lock_timeout = 0` would mean to wait for ever.
pub(super) fn milliseconds(wait: Duration) -> u128 {
    wait.as_millis().clamp(1, 3_600_000)
}

pub(super) fn fence_columns(row: &PgRow) -> Result<FenceRow, WriteError> {
    let text = |at: usize| row.try_get(at).map_err(|cause| WriteError::Read(fault::unreachable(cause)));
    Ok((text(0)?, text(1)?, text(2)?))
}

/// A transaction in hand. BEGIN, each statement and COMMIT are messages of their own: when a client dies while a
/// statement of its waits for a lock, the server may still run that statement, but no COMMIT follows.
pub(super) struct Work<'a> {
    connection: &'a mut PgConnection,
    mark: &'a str,
}

impl<'a> Work<'a> {
    pub(super) const fn new(connection: &'a mut PgConnection, mark: &'a str) -> Self {
        Self { connection, mark }
    }

    pub(super) async fn plain(&mut self, sql: String, table: Option<&str>) -> Result<(), WriteError> {
        let outcome = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *self.connection).await;
        outcome.map(drop).map_err(|cause| fault::write_error(cause, &sql, table))
    }

    pub(super) async fn lock_timeout(&mut self, wait: Duration) -> Result<(), WriteError> {
        self.plain(format!("SET LOCAL lock_timeout = {}", milliseconds(wait)), None).await
    }

    pub(super) async fn fence(&mut self) -> Result<Option<FenceRow>, WriteError> {
        let sql = include_str!("../sql/postgres/fence.sql");
        let row = sqlx::raw_sql(sql).fetch_optional(&mut *self.connection).await;
        let row = row.map_err(|cause| fault::fence_error(cause, sql))?;
        row.as_ref().map(fence_columns).transpose()
    }

    pub(super) async fn states(&mut self, records: &[Record]) -> Result<States, WriteError> {
        match look::read(self.connection, Whose::Runner).await? {
            Reading::Ledger(before) => {
                let applied = apply_all(&before, records)?;
                Ok((before, applied))
            }
            Reading::NotBegun => Err(WriteError::Read(ReadError::damaged(LEDGER, "it is gone"))),
        }
    }

    pub(super) async fn lock_tables(&mut self, transaction: &Transaction) -> Result<(), WriteError> {
        if transaction.may_be_lost_whole() {
            // Neither the disk nor a standby is waited for under these locks.
            self.plain("SET LOCAL synchronous_commit = off".to_owned(), None).await?;
        }
        self.lock_timeout(transaction.lock_timeout).await?;
        let nowait = if transaction.lock_timeout.is_zero() { " NOWAIT" } else { "" };
        for table in &transaction.lock_tables {
            let sql = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE{nowait}", statement::quoted(table));
            self.plain(sql, Some(table)).await?;
        }
        Ok(())
    }

    pub(super) async fn run(&mut self, statement: &Statement) -> Result<u64, WriteError> {
        statement::no_control(&statement.sql)?;
        // The simple protocol takes one turn instead of two, and would take several statements in one text.
        let outcome = if statement.binds.is_empty() && !statement.sql.contains(';') {
            sqlx::raw_sql(AssertSqlSafe(statement.sql.clone())).execute(&mut *self.connection).await
        } else {
            values::query(statement).execute(&mut *self.connection).await
        };
        outcome.map(|done| done.rows_affected()).map_err(|cause| fault::write_error(cause, &statement.sql, None))
    }

    /// Makes the ledger, unless somebody did in the meantime.
    pub(super) async fn install(&mut self) -> Result<(), WriteError> {
        let sql = include_str!("../sql/postgres/install_lock.sql");
        let row = sqlx::raw_sql(sql).fetch_one(&mut *self.connection).await;
        row.map_err(|cause| fault::write_error(cause, sql, Some(LEDGER)))?;
        let sql = include_str!("../sql/postgres/has_ledger.sql");
        let row = sqlx::raw_sql(sql).fetch_one(&mut *self.connection).await;
        let row = row.map_err(|cause| fault::write_error(cause, sql, None))?;
        let count = |at: usize| row.try_get::<String, _>(at).map_err(|cause| fault::write_error(cause, sql, None));
        if count(0)? == "0" {
            // Without IF NOT EXISTS, which asks for the right to create schemas even when there is nothing to create.
            self.plain("CREATE SCHEMA phasegate".to_owned(), None).await?;
        }
        if count(1)? == "0" {
            self.plain(include_str!("../sql/postgres/install.sql").to_owned(), None).await?;
        }
        Ok(())
    }

    /// Brings a ledger of an older format forward. `row` is its fence, under lock.
    pub(super) async fn bring_forward(&mut self, row: Option<&FenceRow>) -> Result<(), WriteError> {
        let text = |text: Option<&String>| text.and_then(|text| text.parse::<u64>().ok());
        let Some((format, generation, _)) = row else { return Ok(()) };
        if text(format.as_ref()) == Some(1) {
            self.plain(include_str!("../sql/postgres/upgrade_1.sql").to_owned(), Some(LEDGER)).await?;
            let line = upgrade_line(Generation(text(generation.as_ref()).unwrap_or_default()), 1);
            self.write(SENTENCES.add_history, line).await?;
        }
        Ok(())
    }

    /// The fence of a batch and its cursor, in one.
    pub(super) async fn advance(&mut self, mine: Generation, batch: &Batch) -> Result<(), WriteError> {
        let sql = include_str!("../sql/postgres/advance.sql");
        let row = values::fixed(sql, advance(mine, batch)).fetch_optional(&mut *self.connection).await;
        let row = row.map_err(|cause| fault::fence_error(cause, sql))?;
        // Fenced off, or no such range: a look from outside of the transaction tells.
        let row = row.ok_or(WriteError::Fenced { mine })?;
        fence::check(Some(fence_columns(&row)?), mine, self.mark, LEDGER)
    }

    /// The work of a batch, behind its fence.
    pub(super) async fn fill(&mut self, batch: &Batch, turn: Duration) -> Result<Batched, WriteError> {
        statement::no_control(&batch.work.sql)?;
        let next = match &batch.next {
            Some(next) => self.next(next).await?,
            None => None,
        };
        let began = Instant::now();
        let outcome = values::repeated(&batch.work).execute(&mut *self.connection).await;
        let done = outcome.map_err(|cause| fault::write_error(cause, &batch.work.sql, None))?;
        Ok(Batched { touched: done.rows_affected(), next, turn, work_time: began.elapsed() })
    }

    async fn next(&mut self, next: &Statement) -> Result<Option<Row>, WriteError> {
        let row = values::repeated(next).fetch_optional(&mut *self.connection).await;
        let row = row.and_then(|row| row.as_ref().map(values::cells).transpose());
        row.map_err(|cause| fault::write_error(cause, &next.sql, None))
    }

    pub(super) async fn raise(
        &mut self,
        row: Option<FenceRow>,
        runner: &str,
    ) -> Result<(Generation, String), WriteError> {
        let generation = fence::raisable(row.as_ref(), LEDGER)?;
        fence::check(row, Generation(generation), self.mark, LEDGER)?;
        let sql = include_str!("../sql/postgres/take_over.sql");
        let row = values::fixed(sql, vec![Cell::Text(runner.to_owned())]).fetch_one(&mut *self.connection).await;
        let row = row.map_err(|cause| fault::write_error(cause, sql, Some(LEDGER)))?;
        let text = |at: usize| row.try_get::<String, _>(at).map_err(|cause| fault::write_error(cause, sql, None));
        let raised = Generation(text(0)?.parse().map_err(|_| ReadError::damaged(LEDGER, "generation is no number"))?);
        self.write(include_str!("../sql/postgres/raise_ranges.sql"), vec![count(raised.0)]).await?;
        Ok((raised, text(1)?))
    }
}

pub(super) type States = (LedgerState, Applied);

#[async_trait]
impl Scribe for Work<'_> {
    fn sentences(&self) -> &'static Sentences {
        &SENTENCES
    }

    async fn write(&mut self, sql: &'static str, binds: Vec<Cell>) -> Result<(), WriteError> {
        let outcome = values::fixed(sql, binds).execute(&mut *self.connection).await;
        outcome.map(drop).map_err(|cause| fault::write_error(cause, sql, None))
    }
}
