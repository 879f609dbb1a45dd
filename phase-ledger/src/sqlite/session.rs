//! What the runner uses: a connection to the file, and one to the lock file beside it.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use schema_phases::ChangeName;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow},
};

use tokio::time::Instant;

use crate::{
    BackfillRange, Batch, Batched, Cell, DatabaseUrl, Generation, LedgerState, ReadError, Reading, Row, Session,
    Statement, Transaction, WriteError,
    decode::Whose,
    sqlite::{
        fault, look,
        values::{self, Query},
    },
    statement,
    store::{Scribe, Sentences, advance, count, pause_line, store, takeover_line, upgrade_line},
    transition::apply_all,
    url::Target,
};

const SENTENCES: Sentences = Sentences {
    set_plan: include_str!("../sql/sqlite/set_plan.sql"),
    put_change: include_str!("../sql/sqlite/put_change.sql"),
    delete_change: include_str!("../sql/sqlite/delete_change.sql"),
    add_done: include_str!("../sql/sqlite/add_done.sql"),
    clear_done: include_str!("../sql/sqlite/clear_done.sql"),
    put_backfill: include_str!("../sql/sqlite/put_backfill.sql"),
    clear_backfill: include_str!("../sql/sqlite/clear_backfill.sql"),
    add_range: include_str!("../sql/sqlite/add_range.sql"),
    clear_ranges: include_str!("../sql/sqlite/clear_ranges.sql"),
    add_history: include_str!("../sql/sqlite/add_history.sql"),
};

const LEDGER: &str = "phasegate_ledger";
/// How long a takeover waits for the transaction of the runner before.
const TAKE_OVER: Duration = Duration::from_secs(30);
/// How long a transaction that locks no table waits for its turn to write. In WAL mode the wait stalls nobody.
const TURN: Duration = Duration::from_secs(5);

/// One connection of the runner to an SQLite file.
pub struct SqliteSession {
    connection: SqliteConnection,
    lock_path: PathBuf,
    /// An exclusive transaction on the lock file. The system ends it with the process, however that dies.
    lock: Option<Lock>,
    /// A transaction may be open: the call that began it was given up.
    open: bool,
    synchronous: Synchronous,
    /// How long it waits for the file, as it was last told; none while it is being told.
    waits: Option<Duration>,
}

/// When a commit is on disk. In WAL mode a later full commit takes all earlier ones with it, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Synchronous {
    /// Before it is acknowledged.
    Full,
    /// Some time: for the batches of a backfill, which are done again when they are lost.
    Normal,
}

/// The lock, and the file it is on: when somebody removes that file, the next runner locks another of the same name.
struct Lock {
    _connection: SqliteConnection,
    file: (u64, u64),
}

impl std::fmt::Debug for SqliteSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteSession").field("lock_path", &self.lock_path).finish_non_exhaustive()
    }
}

impl SqliteSession {
    /// Opens the file, which must exist; `None` when the database is of another engine.
    ///
    /// # Errors
    /// [`ReadError::Unreachable`].
    pub async fn connect(url: &DatabaseUrl) -> Result<Option<Self>, ReadError> {
        let Target::Sqlite(path) = url.target() else { return Ok(None) };
        // One lock for one file, by whatever name it was reached.
        let path = fs::canonicalize(path).map_err(|cause| ReadError::Unreachable { cause: Box::new(cause) })?;
        let connection = SqliteConnection::connect_with(&options(&path).busy_timeout(TURN)).await;
        let connection = connection.map_err(fault::unreachable)?;
        let mut lock_path = OsString::from(path);
        lock_path.push(".phasegate-lock");
        Ok(Some(Self {
            connection,
            lock_path: PathBuf::from(lock_path),
            lock: None,
            open: false,
            synchronous: Synchronous::Full,
            waits: Some(TURN),
        }))
    }

    fn lock_file(&self) -> Result<(u64, u64), ReadError> {
        let metadata = fs::metadata(&self.lock_path);
        metadata
            .map(|metadata| (metadata.dev(), metadata.ino()))
            .map_err(|cause| ReadError::Unreachable { cause: Box::new(cause) })
    }

    async fn idle(&mut self) -> Result<&mut SqliteConnection, WriteError> {
        if self.open {
            self.roll_back().await;
        }
        if self.open {
            return Err(WriteError::Transient { cause: "an open transaction cannot be ended".into() });
        }
        Ok(&mut self.connection)
    }

    async fn roll_back(&mut self) {
        let ended = sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await;
        // The general error means that there is none any more: some errors end it by themselves.
        self.open = ended.is_err_and(|error| fault::primary_code(&error) != Some(fault::ERROR));
    }

    async fn begin(&mut self, wait: Duration, table: &str) -> Result<Work<'_>, WriteError> {
        self.begin_with(Synchronous::Full, wait, table).await
    }

    async fn begin_with(
        &mut self,
        synchronous: Synchronous,
        wait: Duration,
        table: &str,
    ) -> Result<Work<'_>, WriteError> {
        let changes = self.synchronous != synchronous;
        self.wait_for(wait, table).await?;
        if changes {
            let mut work = Work { connection: &mut self.connection };
            let word = match synchronous {
                Synchronous::Full => "FULL",
                Synchronous::Normal => "NORMAL",
            };
            work.plain(format!("PRAGMA synchronous = {word}"), table).await?;
            self.synchronous = synchronous;
        }
        self.open = true;
        let mut work = Work { connection: &mut self.connection };
        work.plain("BEGIN IMMEDIATE".to_owned(), table).await?;
        Ok(work)
    }

    /// Says how long the file is waited for. Every batch asks for the same.
    async fn wait_for(&mut self, wait: Duration, table: &str) -> Result<(), WriteError> {
        self.idle().await?;
        if self.waits == Some(wait) {
            return Ok(());
        }
        self.waits = None;
        let milliseconds = wait.as_millis().min(3_600_000);
        let mut work = Work { connection: &mut self.connection };
        work.plain(format!("PRAGMA busy_timeout = {milliseconds}"), table).await?;
        self.waits = Some(wait);
        Ok(())
    }

    /// Readers must not wait for a runner's long transaction, nor it for them.
    async fn use_wal(&mut self) -> Result<(), WriteError> {
        let connection = self.idle().await?;
        let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode").fetch_one(&mut *connection).await;
        let mode = mode.map_err(fault::unreachable)?;
        if mode.eq_ignore_ascii_case("wal") {
            return Ok(());
        }
        let set = sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(connection).await;
        set.map(drop).map_err(|cause| fault::write_error(cause, "PRAGMA journal_mode = WAL", LEDGER))
    }

    async fn commit_inner(&mut self, mine: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError> {
        let table = transaction.lock_tables.join(", ");
        let (wait, table) = if transaction.lock_tables.is_empty() {
            (transaction.lock_timeout.max(TURN), "the database file")
        } else {
            (transaction.lock_timeout, table.as_str())
        };
        let mut work = self.begin(wait, table).await?;
        work.fence(Some(mine)).await?;
        let states = if transaction.records.is_empty() {
            None
        } else {
            let before = work.state().await?;
            let applied = apply_all(&before, &transaction.records)?;
            Some((before, applied))
        };
        let mut touched = Vec::with_capacity(transaction.work.len());
        for statement in &transaction.work {
            touched.push(work.run(statement, table).await?);
        }
        if let Some((before, applied)) = states {
            store(&mut work, mine, &before, applied).await?;
        }
        work.plain("COMMIT".to_owned(), table).await?;
        self.open = false;
        Ok(touched)
    }

    async fn batch_inner(&mut self, mine: Generation, batch: &Batch) -> Result<Batched, WriteError> {
        let file = "the database file";
        // Before it locks out every other writer: a boundary is any key, as it was at any moment.
        let next = match &batch.next {
            Some(next) => Work { connection: self.idle().await? }.first(next).await?,
            None => None,
        };
        let mut work = self.begin_with(Synchronous::Normal, batch.lock_timeout.max(TURN), file).await?;
        let began = Instant::now();
        work.advance(mine, batch).await?;
        let turn = began.elapsed();
        let began = Instant::now();
        let touched = work.run_kept(&batch.work, file).await?;
        let work_time = began.elapsed();
        work.plain("COMMIT".to_owned(), file).await?;
        self.open = false;
        Ok(Batched { touched, next, turn, work_time })
    }

    async fn pause_inner(&mut self, paused: Option<&str>) -> Result<(), WriteError> {
        let mut work = self.begin(TURN, LEDGER).await?;
        let generation = work.fence(None).await?;
        let text = paused.map_or(Cell::Null, |paused| Cell::Text(paused.to_owned()));
        work.write(include_str!("../sql/sqlite/pause.sql"), vec![text]).await?;
        work.write(SENTENCES.add_history, pause_line(generation, paused)).await?;
        work.plain("COMMIT".to_owned(), LEDGER).await?;
        self.open = false;
        Ok(())
    }

    /// A batch that found no row to write: somebody took over, or there is no such range.
    async fn no_range(&mut self, mine: Generation, batch: &Batch) -> WriteError {
        match self.read().await {
            Ok(Reading::Ledger(state)) if state.generation == mine => {
                WriteError::Conflict { change: batch.change.clone() }
            }
            Ok(_) => WriteError::Fenced { mine },
            Err(cause) => WriteError::Read(cause),
        }
    }

    async fn run_alone_inner(
        &mut self,
        mine: Generation,
        statement: &Statement,
        lock_timeout: Duration,
    ) -> Result<(), WriteError> {
        let full = self.synchronous == Synchronous::Full;
        let mut work = Work { connection: self.idle().await? };
        if !full {
            work.plain("PRAGMA synchronous = FULL".to_owned(), LEDGER).await?;
            self.synchronous = Synchronous::Full;
            work = Work { connection: &mut self.connection };
        }
        work.fence(Some(mine)).await?;
        self.wait_for(lock_timeout, LEDGER).await?;
        let mut work = Work { connection: &mut self.connection };
        work.run(statement, "the database file").await.map(drop)
    }

    /// Rolls back what failed. A fence that cannot be read gets a closer look: another format looks like damage.
    async fn failed(&mut self, error: WriteError) -> WriteError {
        if self.open {
            self.roll_back().await;
        }
        if matches!(error, WriteError::Read(ReadError::Damaged { .. })) {
            return match self.read().await {
                Err(ReadError::Unreachable { .. }) | Ok(_) => error,
                Err(closer) => WriteError::Read(closer),
            };
        }
        error
    }

    async fn take_over_inner(&mut self, runner: &str, explained: bool) -> Result<Generation, WriteError> {
        self.use_wal().await?;
        let mut work = self.begin(TAKE_OVER, LEDGER).await?;
        match look::read(work.connection, Whose::Runner).await {
            Ok(Reading::Ledger(_)) => {}
            Err(cause) if cause.is_older_format() => work.bring_forward().await?,
            Err(ReadError::Unexplained { .. }) if explained => {
                work.plain(include_str!("../sql/sqlite/install.sql").to_owned(), LEDGER).await?;
            }
            Err(cause) => return Err(cause.into()),
            Ok(Reading::NotBegun) => work.plain(include_str!("../sql/sqlite/install.sql").to_owned(), LEDGER).await?,
        }
        work.fence(None).await?;
        let sql = include_str!("../sql/sqlite/take_over.sql");
        let row = values::fixed(sql, vec![Cell::Text(runner.to_owned())]).fetch_one(&mut *work.connection).await;
        let row = row.map_err(|cause| fault::write_error(cause, sql, LEDGER))?;
        let text = |at: usize| row.try_get::<String, _>(at).map_err(|cause| fault::write_error(cause, sql, LEDGER));
        let raised = text(0)?.parse().map_err(|_| ReadError::damaged(LEDGER, "generation is no number"))?;
        let generation = Generation(raised);
        work.write(include_str!("../sql/sqlite/raise_ranges.sql"), vec![count(generation.0)]).await?;
        work.write(SENTENCES.add_history, takeover_line(generation, runner, &text(1)?)).await?;
        work.plain("COMMIT".to_owned(), LEDGER).await?;
        self.open = false;
        Ok(generation)
    }
}

/// Foreign keys are left as SQLite has them by default, off: with them on, dropping a table in a rebuild would delete
/// the rows that refer to it.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).create_if_missing(false).foreign_keys(false).disable_statement_logging()
}

#[async_trait]
impl Session for SqliteSession {
    async fn try_lock(&mut self) -> Result<bool, WriteError> {
        if self.lock.is_some() {
            return self.heartbeat().await.map(|()| true);
        }
        let options = options(&self.lock_path).create_if_missing(true).busy_timeout(Duration::ZERO);
        let mut lock = SqliteConnection::connect_with(&options).await.map_err(fault::unreachable)?;
        match sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut lock).await {
            Ok(_) => {
                let file = self.lock_file()?;
                self.lock = Some(Lock { _connection: lock, file });
                Ok(true)
            }
            Err(cause) if fault::is_busy(&cause) => Ok(false),
            Err(cause) => Err(WriteError::Read(fault::unreachable(cause))),
        }
    }

    async fn read(&mut self) -> Result<Reading, ReadError> {
        let connection = self.idle().await.map_err(|cause| ReadError::Unreachable { cause: Box::new(cause) })?;
        look::read(connection, Whose::Runner).await
    }

    async fn take_over(&mut self, runner: &str) -> Result<Generation, WriteError> {
        match self.take_over_inner(runner, false).await {
            Err(error) => Err(self.failed(error).await),
            done => done,
        }
    }

    async fn adopt(&mut self, runner: &str) -> Result<Generation, WriteError> {
        match self.take_over_inner(runner, true).await {
            Err(error) => Err(self.failed(error).await),
            done => done,
        }
    }

    async fn commit(&mut self, generation: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError> {
        match self.commit_inner(generation, transaction).await {
            Err(error) => Err(self.failed(error).await),
            done => done,
        }
    }

    async fn ranges(&mut self, change: &ChangeName) -> Result<Vec<BackfillRange>, ReadError> {
        let connection = self.idle().await.map_err(|cause| ReadError::Unreachable { cause: Box::new(cause) })?;
        look::ranges(connection, change).await
    }

    async fn batch(&mut self, generation: Generation, batch: &Batch) -> Result<Batched, WriteError> {
        match self.batch_inner(generation, batch).await {
            Err(error) => match self.failed(error).await {
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
            Err(error) => Err(self.failed(error).await),
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
            Err(error) => Err(self.failed(error).await),
            done => done,
        }
    }

    async fn heartbeat(&mut self) -> Result<(), WriteError> {
        if let Some(lock) = &self.lock
            && self.lock_file().ok() != Some(lock.file)
        {
            return Err(WriteError::Transient { cause: "somebody removed the runner's lock file".into() });
        }
        self.read().await.map(drop).map_err(|cause| WriteError::Transient { cause: Box::new(cause) })
    }

    async fn query(&mut self, statement: &Statement) -> Result<Vec<Row>, ReadError> {
        let connection = self.idle().await.map_err(|cause| ReadError::Unreachable { cause: Box::new(cause) })?;
        let rows = values::query(statement).fetch_all(connection).await;
        let rows = rows.and_then(|rows| rows.iter().map(values::cells).collect::<Result<_, _>>());
        rows.map_err(|cause| fault::query_error(cause, &statement.sql))
    }
}

/// A transaction in hand.
struct Work<'a> {
    connection: &'a mut SqliteConnection,
}

impl Work<'_> {
    async fn plain(&mut self, sql: String, table: &str) -> Result<(), WriteError> {
        let outcome = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *self.connection).await;
        outcome.map(drop).map_err(|cause| fault::write_error(cause, &sql, table))
    }

    /// The ledger is in the known format, and at generation `mine` when that is asked. Returns what it is at.
    async fn fence(&mut self, mine: Option<Generation>) -> Result<Generation, WriteError> {
        let sql = include_str!("../sql/sqlite/fence.sql");
        let row = sqlx::query(sql).persistent(false).fetch_optional(&mut *self.connection).await;
        let row = row.map_err(|cause| match fault::primary_code(&cause) {
            Some(fault::ERROR) => WriteError::Read(ReadError::damaged(LEDGER, cause.to_string())),
            _ => fault::write_error(cause, sql, LEDGER),
        })?;
        let row = row.ok_or_else(|| ReadError::damaged(LEDGER, "it has no row"))?;
        let number = |at: usize, what: &str| number(&row, at).ok_or_else(|| ReadError::damaged(LEDGER, what));
        let format = number(0, "format is no number")?;
        if format != u64::from(crate::FORMAT) {
            let found = u32::try_from(format).unwrap_or(u32::MAX);
            return Err(WriteError::Read(ReadError::Format { found, known: crate::FORMAT }));
        }
        let newest = number(1, "generation is no number")?;
        match mine {
            Some(mine) if mine.0 != newest => Err(WriteError::Fenced { mine }),
            Some(mine) => Ok(mine),
            None if newest < i64::MAX as u64 => Ok(Generation(newest)),
            None => Err(WriteError::Read(ReadError::damaged(LEDGER, "generation is no number that can be raised"))),
        }
    }

    /// Brings a ledger of format 1 forward.
    async fn bring_forward(&mut self) -> Result<(), WriteError> {
        self.plain(include_str!("../sql/sqlite/upgrade_1.sql").to_owned(), LEDGER).await?;
        let generation = self.fence(None).await?;
        self.write(SENTENCES.add_history, upgrade_line(generation, 1)).await
    }

    /// The fence of a batch and its cursor, in one.
    async fn advance(&mut self, mine: Generation, batch: &Batch) -> Result<(), WriteError> {
        let sql = include_str!("../sql/sqlite/advance.sql");
        let row = values::fixed(sql, advance(mine, batch)).fetch_optional(&mut *self.connection).await;
        let row = row.map_err(|cause| match fault::primary_code(&cause) {
            Some(fault::ERROR) => WriteError::Read(ReadError::damaged("phasegate_ranges", cause.to_string())),
            _ => fault::write_error(cause, sql, LEDGER),
        })?;
        // Fenced off, or no such range: a look from outside of the transaction tells.
        let row = row.ok_or(WriteError::Fenced { mine })?;
        let found = number(&row, 0).ok_or_else(|| ReadError::damaged(LEDGER, "format is no number"))?;
        if found == u64::from(crate::FORMAT) {
            return Ok(());
        }
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        Err(WriteError::Read(ReadError::Format { found, known: crate::FORMAT }))
    }

    /// The first row of a query that is asked for every batch.
    async fn first(&mut self, statement: &Statement) -> Result<Option<Row>, WriteError> {
        let row = values::kept(statement).fetch_optional(&mut *self.connection).await;
        let row = row.and_then(|row| row.as_ref().map(values::cells).transpose());
        row.map_err(|cause| fault::write_error(cause, &statement.sql, "the database file"))
    }

    async fn state(&mut self) -> Result<LedgerState, WriteError> {
        match look::read(self.connection, Whose::Runner).await? {
            Reading::Ledger(state) => Ok(state),
            Reading::NotBegun => Err(WriteError::Read(ReadError::damaged(LEDGER, "it is gone"))),
        }
    }

    async fn run(&mut self, statement: &Statement, table: &str) -> Result<u64, WriteError> {
        self.run_query(values::query(statement), statement, table).await
    }

    /// The statement of a batch, whose text is that of the one before.
    async fn run_kept(&mut self, statement: &Statement, table: &str) -> Result<u64, WriteError> {
        self.run_query(values::kept(statement), statement, table).await
    }

    async fn run_query(&mut self, query: Query, statement: &Statement, table: &str) -> Result<u64, WriteError> {
        statement::no_control(&statement.sql)?;
        statement::only_one(&statement.sql)?;
        let outcome = query.execute(&mut *self.connection).await;
        let done = outcome.map_err(|cause| fault::write_error(cause, &statement.sql, table))?;
        // SQLite keeps the last count for statements that touch no rows.
        let counts = ["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"];
        let touches_rows = counts.contains(&statement::first_word(&statement.sql).as_str());
        Ok(if touches_rows { done.rows_affected() } else { 0 })
    }
}

fn number(row: &SqliteRow, at: usize) -> Option<u64> {
    row.try_get::<Option<String>, _>(at).ok()??.parse().ok()
}

#[async_trait]
impl Scribe for Work<'_> {
    fn sentences(&self) -> &'static Sentences {
        &SENTENCES
    }

    async fn write(&mut self, sql: &'static str, binds: Vec<Cell>) -> Result<(), WriteError> {
        let outcome = values::fixed(sql, binds).execute(&mut *self.connection).await;
        outcome.map(drop).map_err(|cause| fault::write_error(cause, sql, LEDGER))
    }
}
