//! One transaction of a runner: the fence, the statements, the records.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe,
    mysql::{MySqlConnection, MySqlRow},
};

use tokio::time::Instant;

use crate::{
    Batch, Batched, Cell, Generation, LedgerState, ReadError, Reading, Record, Row, Statement, WriteError,
    decode::Whose,
    fence::FenceRow,
    mysql::{Flavour, LEDGER, fault, look, values},
    statement,
    store::{Scribe, Sentences, advance},
    text::shortened,
    transition::{Applied, apply_all},
};

pub(super) const SENTENCES: Sentences = Sentences {
    set_plan: include_str!("../sql/mysql/set_plan.sql"),
    put_change: include_str!("../sql/mysql/put_change.sql"),
    delete_change: include_str!("../sql/mysql/delete_change.sql"),
    add_done: include_str!("../sql/mysql/add_done.sql"),
    clear_done: include_str!("../sql/mysql/clear_done.sql"),
    put_backfill: include_str!("../sql/mysql/put_backfill.sql"),
    clear_backfill: include_str!("../sql/mysql/clear_backfill.sql"),
    add_range: include_str!("../sql/mysql/add_range.sql"),
    clear_ranges: include_str!("../sql/mysql/clear_ranges.sql"),
    add_history: include_str!("../sql/mysql/add_history.sql"),
};

/// What may stand in a fenced transaction. Everything else (DDL, LOCK TABLES, SET, GRANT) commits or may commit what was
/// done before, and lets go of the fence.
const IN_A_TRANSACTION: [&str; 6] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "WITH"];

/// Waits are bounded in whole seconds, and by one at least.
pub(super) fn seconds(wait: Duration) -> u64 {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    seconds.clamp(1, 3_600)
}

/// A transaction in hand. BEGIN, each statement and COMMIT are messages of their own: when a client dies while a
/// statement of its waits for a lock, the server may still run that statement, but no COMMIT follows.
pub(super) struct Work<'a> {
    connection: &'a mut MySqlConnection,
    flavour: Flavour,
}

impl<'a> Work<'a> {
    pub(super) const fn new(connection: &'a mut MySqlConnection, flavour: Flavour) -> Self {
        Self { connection, flavour }
    }

    pub(super) async fn plain(&mut self, sql: String, table: Option<&str>) -> Result<(), WriteError> {
        let outcome = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *self.connection).await;
        outcome.map(drop).map_err(|cause| fault::write_error(cause, &sql, table))
    }

    /// Begins a transaction, in one message with the waits of its first statements.
    pub(super) async fn begin(&mut self, wait: Duration) -> Result<(), WriteError> {
        let seconds = seconds(wait);
        let sql = format!(
            "SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}; \
             START TRANSACTION READ WRITE"
        );
        self.plain(sql, None).await
    }

    /// How long the following statements may wait for rows, and for tables.
    pub(super) async fn lock_timeout(&mut self, wait: Duration) -> Result<(), WriteError> {
        let seconds = seconds(wait);
        let sql = format!("SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}");
        self.plain(sql, None).await
    }

    pub(super) async fn fence(&mut self) -> Result<Option<FenceRow>, WriteError> {
        self.fence_by(include_str!("../sql/mysql/fence.sql")).await
    }

    /// The fence without its lock.
    pub(super) async fn peek(&mut self) -> Result<Option<FenceRow>, WriteError> {
        self.fence_by(include_str!("../sql/mysql/peek.sql")).await
    }

    async fn fence_by(&mut self, sql: &'static str) -> Result<Option<FenceRow>, WriteError> {
        let row = sqlx::raw_sql(sql).fetch_optional(&mut *self.connection).await;
        let row = row.map_err(|cause| fault::fence_error(cause, sql))?;
        row.as_ref().map(fence_columns).transpose()
    }

    pub(super) async fn states(&mut self, records: &[Record]) -> Result<States, WriteError> {
        match look::read(self.connection, self.flavour, Whose::Runner).await? {
            Reading::Ledger(before) => {
                let applied = apply_all(&before, records)?;
                Ok((before, applied))
            }
            Reading::NotBegun => Err(WriteError::Read(ReadError::damaged(LEDGER, "it is gone"))),
        }
    }

    /// A statement of a fenced transaction.
    pub(super) async fn run(&mut self, statement: &Statement) -> Result<u64, WriteError> {
        may_be_fenced(&statement.sql)?;
        self.prepared(statement).await
    }

    /// The fence of a batch and its cursor, in one.
    pub(super) async fn advance(&mut self, mine: Generation, batch: &Batch) -> Result<(), WriteError> {
        let sql = include_str!("../sql/mysql/advance.sql");
        let mut binds = advance(mine, batch);
        // What is set stands before the conditions, and places have no numbers here.
        binds.rotate_left(3);
        let done = values::fixed(sql, binds).execute(&mut *self.connection).await;
        // Fenced off, or no such range: a look from outside of the transaction tells.
        match done.map_err(|cause| fault::fence_error(cause, sql))?.rows_affected() {
            0 => Err(WriteError::Fenced { mine }),
            _ => Ok(()),
        }
    }

    /// The work of a batch, behind its fence.
    pub(super) async fn fill(&mut self, batch: &Batch, turn: Duration) -> Result<Batched, WriteError> {
        may_be_fenced(&batch.work.sql)?;
        let next = match &batch.next {
            Some(next) => self.next(next).await?,
            None => None,
        };
        let began = Instant::now();
        let outcome = values::query(&batch.work).execute(&mut *self.connection).await;
        let done = outcome.map_err(|cause| fault::write_error(cause, &batch.work.sql, None))?;
        Ok(Batched { touched: done.rows_affected(), next, turn, work_time: began.elapsed() })
    }

    async fn next(&mut self, next: &Statement) -> Result<Option<Row>, WriteError> {
        let row = values::query(next).fetch_optional(&mut *self.connection).await;
        let row = row.and_then(|row| row.as_ref().map(values::cells).transpose());
        row.map_err(|cause| fault::write_error(cause, &next.sql, None))
    }

    /// A statement outside of a transaction, which the server commits by itself.
    pub(super) async fn run_alone(&mut self, statement: &Statement) -> Result<(), WriteError> {
        statement::no_control(&statement.sql)?;
        no_hidden_statement(&statement.sql)?;
        if ["LOCK", "UNLOCK", "XA", "SET", "USE", "KILL"].contains(&statement::first_word(&statement.sql).as_str()) {
            return Err(refused(&statement.sql, "it would change the runner's own connection"));
        }
        match self.prepared(statement).await {
            // MySQL prepares no triggers and procedures. Two statements it would have refused to prepare as such.
            Err(WriteError::Refused { cause, .. })
                if statement.binds.is_empty()
                    && fault::of_driver(cause.as_ref()).and_then(fault::number) == Some(fault::NOT_PREPARABLE) =>
            {
                self.plain(statement.sql.clone(), None).await
            }
            done => done.map(drop),
        }
    }

    /// The server takes one statement only when it is to prepare it: a second one in the text is an error of syntax.
    async fn prepared(&mut self, statement: &Statement) -> Result<u64, WriteError> {
        let outcome = values::query(statement).execute(&mut *self.connection).await;
        outcome.map(|done| done.rows_affected()).map_err(|cause| fault::write_error(cause, &statement.sql, None))
    }

    /// Makes the ledger, unless somebody did in the meantime.
    pub(super) async fn install(&mut self) -> Result<(), WriteError> {
        let locked = self.text(include_str!("../sql/mysql/install_lock.sql")).await?;
        if locked.as_deref() != Some("1") {
            return Err(WriteError::LockNotAvailable { table: LEDGER.to_owned(), blocker: None });
        }
        let made = self.install_locked().await;
        self.text(include_str!("../sql/mysql/install_unlock.sql")).await?;
        made
    }

    async fn install_locked(&mut self) -> Result<(), WriteError> {
        if self.text(include_str!("../sql/mysql/has_ledger.sql")).await?.as_deref() == Some("0") {
            self.plain(include_str!("../sql/mysql/install.sql").to_owned(), None).await?;
        }
        Ok(())
    }

    /// One text of a fixed statement.
    pub(super) async fn text(&mut self, sql: &'static str) -> Result<Option<String>, WriteError> {
        let row = sqlx::raw_sql(sql).fetch_one(&mut *self.connection).await;
        row.and_then(|row| values::text(&row, 0)).map_err(|cause| fault::write_error(cause, sql, Some(LEDGER)))
    }
}

/// Whether the statement leaves the transaction, and its fence, as it is.
fn may_be_fenced(sql: &str) -> Result<(), WriteError> {
    statement::no_control(sql)?;
    no_hidden_statement(sql)?;
    if IN_A_TRANSACTION.contains(&statement::first_word(sql).as_str()) {
        return Ok(());
    }
    let cause = "on MariaDB and MySQL this statement would commit what was done before it; it needs a step of its own";
    Err(refused(sql, cause))
}

/// A comment that the server executes hides what kind of statement it is.
fn no_hidden_statement(sql: &str) -> Result<(), WriteError> {
    if sql.contains("/*!") || sql.contains("/*M!") {
        return Err(refused(sql, "it has a comment that the server executes (/*! or /*M!); write it without"));
    }
    Ok(())
}

fn refused(sql: &str, cause: &str) -> WriteError {
    WriteError::Refused { statement: shortened(sql, 400), cause: cause.into() }
}

fn fence_columns(row: &MySqlRow) -> Result<FenceRow, WriteError> {
    let text = |at: usize| values::text(row, at).map_err(|cause| WriteError::Read(fault::unreachable(cause)));
    Ok((text(0)?, text(1)?, text(2)?))
}

pub(super) type States = (LedgerState, Applied);

#[async_trait]
impl Scribe for Work<'_> {
    fn sentences(&self) -> &'static Sentences {
        &SENTENCES
    }

    async fn write(&mut self, sql: &'static str, binds: Vec<Cell>) -> Result<(), WriteError> {
        let outcome = values::fixed(sql, binds).execute(&mut *self.connection).await;
        outcome.map(drop).map_err(|cause| fault::write_error(cause, sql, Some(LEDGER)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_whole_seconds_and_never_none() {
        for (wait, want) in [(0, 1), (20, 1), (1_000, 1), (1_001, 2), (30_000, 30)] {
            assert_eq!(seconds(Duration::from_millis(wait)), want, "{wait}");
        }
    }

    #[test]
    fn what_the_server_executes_in_a_comment_is_refused() {
        assert!(no_hidden_statement("/*!50000 COMMIT */").is_err());
        assert!(no_hidden_statement("UPDATE t SET a = 1 /*M!100000 , b = 2 */").is_err());
        assert!(no_hidden_statement("/* why! */ UPDATE t SET a = 1").is_ok());
    }
}
