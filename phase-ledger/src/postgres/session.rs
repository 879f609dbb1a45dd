//! What the runner uses: one connection that holds the lock, and through which every write goes.

use std::time::Duration;

use async_trait::async_trait;
use schema_phases::ChangeName;
use sqlx::{
    Row as _,
    postgres::{PgConnection, PgRow},
};
use tokio::time::{Instant, timeout};

use crate::{
    BackfillRange, Batch, Batched, Cell, DatabaseUrl, Generation, ReadError, Reading, Row, Session, Statement,
    Transaction, WriteError,
    decode::Whose,
    fence,
    postgres::{
        connect, fault, look, values,
        work::{LEDGER, SENTENCES, Work, fence_columns, milliseconds},
    },
    statement,
    store::{Scribe as _, pause_line, store, takeover_line},
    url::Target,
};

/// Bounds what must be answered at once.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a takeover waits for the transaction of the runner before.
const TAKE_OVER: Duration = Duration::from_secs(30);
/// How long any other transaction waits for the ledger's row.
const FENCE: Duration = Duration::from_secs(5);
/// How long an index built concurrently waits for the transactions that were there before it.
const CONCURRENT: Duration = Duration::from_secs(600);

/// One connection of the runner to a PostgreSQL database.
pub struct PostgresSession {
    /// `None` once it broke: the lock went with it, so it is never made again here.
    connection: Option<PgConnection>,
    mark: String,
    locked: bool,
    /// A transaction may be open: the call that began it was given up.
    open: bool,
}

impl std::fmt::Debug for PostgresSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresSession").field("locked", &self.locked).finish_non_exhaustive()
    }
}

impl PostgresSession {
    /// Connects; `None` when the database is of another engine.
    ///
    /// # Errors
    /// [`ReadError::Unreachable`], or [`ReadError::Pooler`] when the address is recognised as one already here.
    pub async fn connect(url: &DatabaseUrl) -> Result<Option<Self>, ReadError> {
        let Target::Postgres(options) = url.target() else { return Ok(None) };
        let (connection, mark) = connect::runner(options).await?;
        Ok(Some(Self { connection: Some(connection), mark, locked: false, open: false }))
    }

    /// The connection, with no transaction open on it.
    async fn idle(&mut self) -> Result<&mut PgConnection, WriteError> {
        if self.open {
            self.roll_back().await;
        }
        self.connection.as_mut().ok_or_else(|| WriteError::Transient { cause: "the connection is gone".into() })
    }

    /// Ends a transaction that failed. When even that fails the connection goes: the server rolls back what it has.
    async fn roll_back(&mut self) {
        if let Some(connection) = self.connection.as_mut() {
            let ended = timeout(ANSWER, sqlx::raw_sql("ROLLBACK").execute(connection)).await;
            if !matches!(ended, Ok(Ok(_))) {
                self.connection = None;
            }
        }
        self.open = false;
    }

    /// One row of a fixed statement without a transaction, bounded.
    async fn answer(&mut self, sql: &'static str, binds: Vec<Cell>) -> Result<PgRow, ReadError> {
        let gone = |_| ReadError::Unreachable { cause: "the connection is gone".into() };
        let connection = self.idle().await.map_err(gone)?;
        let answer = timeout(ANSWER, values::fixed(sql, binds).fetch_one(connection)).await;
        let answer = answer.map_err(|_| ReadError::Unreachable { cause: "no answer within 10 s".into() });
        let answer = answer.and_then(|answer| answer.map_err(fault::unreachable));
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    async fn begin(&mut self, wait: Duration) -> Result<Work<'_>, WriteError> {
        self.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", wait).await
    }

    async fn begin_with(&mut self, begin: &str, wait: Duration) -> Result<Work<'_>, WriteError> {
        self.idle().await?;
        self.open = true;
        let connection = self.connection.as_mut();
        let connection = connection.ok_or_else(|| WriteError::Transient { cause: "the connection is gone".into() })?;
        let mut work = Work::new(connection, &self.mark);
        work.plain(format!("{begin};\nSET LOCAL lock_timeout = {}", milliseconds(wait)), None).await?;
        Ok(work)
    }

    /// Rolls back whatever failed, and says who stood in the way.
    async fn failed(&mut self, error: WriteError, transaction: Option<&Transaction>) -> WriteError {
        if self.open {
            self.roll_back().await;
        }
        // Inside a failed transaction nothing can be looked up, so that every wrong ledger looks damaged or out of reach:
        // a look from outside tells them apart.
        if matches!(error, WriteError::Read(ReadError::Damaged { .. } | ReadError::Unreachable { .. }))
            && self.connection.is_some()
        {
            return match self.read().await {
                Err(ReadError::Unreachable { .. }) | Ok(_) => error,
                Err(closer) => WriteError::Read(closer),
            };
        }
        let WriteError::LockNotAvailable { table, blocker: None } = error else { return error };
        let tables = transaction.map(|transaction| transaction.lock_tables.as_slice()).unwrap_or_default();
        let fence = table == LEDGER;
        let wanted = if fence { vec![LEDGER.to_owned()] } else { tables.to_vec() };
        // Gates read the ledger all the time, and their locks stop nobody who wants its row.
        let harmless = if fence { "AccessShareLock" } else { "" };
        for name in wanted.iter().filter(|name| fence || table.contains(name.as_str())) {
            let quoted = if fence { name.clone() } else { statement::quoted(name) };
            let blocker = self.holders(quoted, harmless).await;
            if blocker.is_some() {
                return WriteError::LockNotAvailable { table: name.clone(), blocker };
            }
        }
        WriteError::LockNotAvailable { table, blocker: None }
    }

    async fn holders(&mut self, table: String, harmless: &str) -> Option<String> {
        let sql = include_str!("../sql/postgres/holders.sql");
        let binds = vec![Cell::Text(table), Cell::Text(harmless.to_owned())];
        let connection = self.connection.as_mut()?;
        let rows = timeout(ANSWER, values::fixed(sql, binds).fetch_all(connection)).await.ok()?.ok()?;
        let names: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
        (!names.is_empty()).then(|| names.join(" and "))
    }

    async fn commit_inner(&mut self, mine: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError> {
        let mark = self.mark.clone();
        let mut work = self.begin(FENCE).await?;
        fence::check(work.fence().await?, mine, &mark, LEDGER)?;
        // The records are checked before the work begins: a conflict costs the application nothing.
        let states = if transaction.records.is_empty() { None } else { Some(work.states(&transaction.records).await?) };
        // All that needs no lock of a table comes before it: while that is held, every writer waits.
        if let Some((before, applied)) = states {
            store(&mut work, mine, &before, applied).await?;
        }
        let (before, under) = transaction.work.split_at(statement::unlocked(&transaction.work));
        let mut touched = Vec::with_capacity(transaction.work.len());
        for statement in before {
            touched.push(work.run(statement).await?);
        }
        work.lock_tables(transaction).await?;
        for statement in under {
            touched.push(work.run(statement).await?);
        }
        work.plain("COMMIT".to_owned(), None).await?;
        self.open = false;
        Ok(touched)
    }

    async fn batch_inner(&mut self, mine: Generation, batch: &Batch) -> Result<Batched, WriteError> {
        // The wait for the range's own row is bounded like the one for a row of the table: nobody but a dead runner
        // holds it.
        let mut work = self.begin_with(include_str!("../sql/postgres/begin_batch.sql"), batch.lock_timeout).await?;
        let began = Instant::now();
        work.advance(mine, batch).await?;
        let batched = work.fill(batch, began.elapsed()).await?;
        work.plain("COMMIT".to_owned(), None).await?;
        self.open = false;
        Ok(batched)
    }

    async fn pause_inner(&mut self, paused: Option<&str>) -> Result<(), WriteError> {
        let mark = self.mark.clone();
        let mut work = self.begin(FENCE).await?;
        let row = work.fence().await?;
        let generation = row.as_ref().and_then(|(_, generation, _)| generation.as_deref()?.parse().ok());
        let generation = Generation(generation.unwrap_or_default());
        fence::check(row, generation, &mark, LEDGER)?;
        let text = paused.map_or(Cell::Null, |paused| Cell::Text(paused.to_owned()));
        work.write(include_str!("../sql/postgres/pause.sql"), vec![text]).await?;
        work.write(SENTENCES.add_history, pause_line(generation, paused)).await?;
        work.plain("COMMIT".to_owned(), None).await?;
        self.open = false;
        Ok(())
    }

    /// A batch that found no row to lock: somebody took over, or there is no such range.
    async fn no_range(&mut self, mine: Generation, batch: &Batch) -> WriteError {
        match self.read().await {
            Ok(Reading::Ledger(state)) if state.generation == mine => {
                WriteError::Conflict { change: batch.change.clone() }
            }
            Ok(_) => WriteError::Fenced { mine },
            Err(cause) => WriteError::Read(cause),
        }
    }

    async fn take_over_inner(&mut self, runner: &str, begun: bool) -> Result<Generation, WriteError> {
        let mut work = self.begin(TAKE_OVER).await?;
        if !begun {
            work.install().await?;
        }
        // The fence once more, now under lock, for its format; the generation is whatever it is.
        let mut row = work.fence().await?;
        work.bring_forward(row.as_ref()).await?;
        if begun {
            row = work.fence().await?;
        }
        let (generation, server) = work.raise(row, runner).await?;
        let line = takeover_line(generation, runner, &server);
        work.write(SENTENCES.add_history, line).await?;
        work.plain("COMMIT".to_owned(), None).await?;
        self.open = false;
        Ok(generation)
    }

    async fn run_alone_inner(
        &mut self,
        mine: Generation,
        statement: &Statement,
        lock_timeout: Duration,
    ) -> Result<(), WriteError> {
        let mark = self.mark.clone();
        let connection = self.idle().await?;
        let sql = include_str!("../sql/postgres/peek.sql");
        let row = sqlx::raw_sql(sql).fetch_optional(&mut *connection).await;
        let row = row.map_err(|cause| fault::fence_error(cause, sql))?;
        fence::check(row.as_ref().map(fence_columns).transpose()?, mine, &mark, LEDGER)?;
        let mut work = Work::new(connection, &mark);
        // An index built concurrently waits for old transactions as for locks. Nobody queues behind it meanwhile, and one
        // given up leaves an invalid index behind.
        let wait = if statement::is_concurrent(&statement.sql) { CONCURRENT } else { lock_timeout };
        work.plain(format!("SET lock_timeout = {}", milliseconds(wait)), None).await?;
        let outcome = work.run(statement).await;
        let restored = work.plain("SET lock_timeout = '5s'".to_owned(), None).await;
        outcome.and(restored)
    }
}

#[async_trait]
impl Session for PostgresSession {
    async fn try_lock(&mut self) -> Result<bool, WriteError> {
        if self.locked {
            return self.heartbeat().await.map(|()| true);
        }
        let mark = self.mark.clone();
        let row = self.answer(include_str!("../sql/postgres/try_lock.sql"), vec![Cell::Text(mark.clone())]).await?;
        let text = |at: usize| row.try_get::<Option<String>, _>(at).map_err(fault::unreachable);
        if text(0)?.as_deref() == Some("true") {
            return Err(WriteError::Read(ReadError::Standby));
        }
        if text(1)?.as_ref() != Some(&mark) {
            return Err(WriteError::Read(ReadError::Pooler));
        }
        self.locked = text(2)?.as_deref() == Some("true");
        Ok(self.locked)
    }

    async fn read(&mut self) -> Result<Reading, ReadError> {
        let gone = |_| ReadError::Unreachable { cause: "the connection is gone".into() };
        let connection = self.idle().await.map_err(gone)?;
        let late = || ReadError::Unreachable { cause: "no answer within 10 s".into() };
        let answer = timeout(ANSWER, look::read(connection, Whose::Runner)).await.unwrap_or_else(|_| Err(late()));
        if matches!(answer, Err(ReadError::Unreachable { .. })) {
            self.connection = None;
        }
        answer
    }

    async fn take_over(&mut self, runner: &str) -> Result<Generation, WriteError> {
        let begun = match self.read().await {
            Ok(Reading::Ledger(_)) => true,
            Ok(Reading::NotBegun) => false,
            Err(cause) if cause.is_older_format() => true,
            Err(cause) => return Err(cause.into()),
        };
        match self.take_over_inner(runner, begun).await {
            Err(error) => Err(self.failed(error, None).await),
            done => done,
        }
    }

    async fn adopt(&mut self, runner: &str) -> Result<Generation, WriteError> {
        let begun = match self.read().await {
            Ok(Reading::Ledger(_)) => true,
            Ok(Reading::NotBegun) | Err(ReadError::Unexplained { .. }) => false,
            Err(cause) => return Err(cause.into()),
        };
        match self.take_over_inner(runner, begun).await {
            Err(error) => Err(self.failed(error, None).await),
            done => done,
        }
    }

    async fn commit(&mut self, generation: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError> {
        match self.commit_inner(generation, transaction).await {
            Err(error) => Err(self.failed(error, Some(transaction)).await),
            done => done,
        }
    }

    async fn ranges(&mut self, change: &ChangeName) -> Result<Vec<BackfillRange>, ReadError> {
        let gone = |_| ReadError::Unreachable { cause: "the connection is gone".into() };
        let connection = self.idle().await.map_err(gone)?;
        let answer = timeout(ANSWER, look::ranges(connection, change)).await;
        answer.unwrap_or_else(|_| Err(ReadError::Unreachable { cause: "no answer within 10 s".into() }))
    }

    async fn batch(&mut self, generation: Generation, batch: &Batch) -> Result<Batched, WriteError> {
        match self.batch_inner(generation, batch).await {
            Err(error) => match self.failed(error, None).await {
                WriteError::Fenced { mine } => Err(self.no_range(mine, batch).await),
                error @ (WriteError::LockNotAvailable { .. }
                | WriteError::Conflict { .. }
                | WriteError::Transient { .. }
                | WriteError::Refused { .. }
                | WriteError::Read(_)) => Err(error),
            },
            done => done,
        }
    }

    async fn pause(&mut self, paused: Option<&str>) -> Result<(), WriteError> {
        match self.pause_inner(paused).await {
            Err(error) => Err(self.failed(error, None).await),
            done => done,
        }
    }

    async fn run_alone(
        &mut self,
        generation: Generation,
        statement: &Statement,
        lock_timeout: Duration,
    ) -> Result<(), WriteError> {
        match self.run_alone_inner(generation, statement, lock_timeout).await {
            Err(error) => Err(self.failed(error, None).await),
            done => done,
        }
    }

    async fn heartbeat(&mut self) -> Result<(), WriteError> {
        let transient = |cause: ReadError| WriteError::Transient { cause: Box::new(cause) };
        let row = self.answer(include_str!("../sql/postgres/heartbeat.sql"), Vec::new()).await.map_err(transient)?;
        let text = |at: usize| row.try_get::<Option<String>, _>(at).ok().flatten();
        if self.locked && (text(0).as_deref() != Some("true") || text(1).as_ref() != Some(&self.mark)) {
            self.connection = None;
            return Err(WriteError::Transient { cause: "the runner's lock is gone".into() });
        }
        Ok(())
    }

    async fn query(&mut self, statement: &Statement) -> Result<Vec<Row>, ReadError> {
        let gone = |_| ReadError::Unreachable { cause: "the connection is gone".into() };
        let connection = self.idle().await.map_err(gone)?;
        let rows = values::query(statement).fetch_all(connection).await;
        let rows = rows.and_then(|rows| rows.iter().map(values::cells).collect::<Result<_, _>>());
        rows.map_err(|cause| {
            if fault::fault(&cause) == fault::Fault::Gone {
                self.connection = None;
            }
            fault::query_error(cause, &statement.sql)
        })
    }
}
