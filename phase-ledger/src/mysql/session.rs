//! What the runner uses: one connection that holds the lock, and through which every write goes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use schema_phases::ChangeName;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use tokio::time::{Instant, timeout};

use crate::{
    BackfillRange, Batch, Batched, Cell, DatabaseUrl, Generation, ReadError, Reading, Row, Session, Statement,
    Transaction, WriteError,
    decode::Whose,
    fence,
    mysql::{
        Flavour, LEDGER, connect, fault, look, values,
        watch::Watch,
        work::{SENTENCES, Work, seconds},
    },
    statement,
    store::{Scribe as _, count, pause_line, store, takeover_line},
    url::{MysqlAddress, Target},
};

/// Bounds what must be answered at once.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a takeover waits for the transaction of the runner before.
const TAKE_OVER: Duration = Duration::from_secs(30);
/// How long any other transaction waits for the ledger's row.
const FENCE: Duration = Duration::from_secs(5);

/// One connection of the runner to a MariaDB or MySQL database.
pub struct MysqlSession {
    address: MysqlAddress,
    /// `None` once it broke: the lock went with it, so it is never made again here.
    connection: Option<MySqlConnection>,
    flavour: Flavour,
    mark: String,
    thread: String,
    watch: Watch,
    locked: bool,
    /// A transaction may be open: the call that began it was given up.
    open: bool,
}

impl std::fmt::Debug for MysqlSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MysqlSession").field("locked", &self.locked).finish_non_exhaustive()
    }
}

impl MysqlSession {
    /// Connects; `None` when the database is of another engine.
    ///
    /// # Errors
    /// [`ReadError::Unreachable`], or [`ReadError::Unsupported`].
    pub async fn connect(url: &DatabaseUrl) -> Result<Option<Self>, ReadError> {
        let Target::Mysql(address) = url.target() else { return Ok(None) };
        let connect::Runner { connection, flavour, mark, thread } = connect::runner(address).await?;
        Ok(Some(Self {
            address: MysqlAddress::clone(address),
            connection: Some(connection),
            flavour,
            mark,
            thread,
            watch: Watch::default(),
            locked: false,
            open: false,
        }))
    }

    /// The connection, with no transaction open on it.
    async fn idle(&mut self) -> Result<&mut MySqlConnection, WriteError> {
        if self.open {
            self.roll_back().await;
        }
        self.connection.as_mut().ok_or_else(gone)
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
    async fn answer(&mut self, sql: &'static str, binds: Vec<Cell>) -> Result<MySqlRow, ReadError> {
        let connection = self.idle().await.map_err(|cause| ReadError::Unreachable { cause: Box::new(cause) })?;
        let answer = timeout(ANSWER, values::fixed(sql, binds).fetch_one(connection)).await;
        let answer = answer.map_err(|_| ReadError::Unreachable { cause: "no answer within 10 s".into() });
        let answer = answer.and_then(|answer| answer.map_err(fault::unreachable));
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    async fn begin(&mut self, wait: Duration) -> Result<Work<'_>, WriteError> {
        self.idle().await?;
        self.open = true;
        let mut work = Work::new(self.connection.as_mut().ok_or_else(gone)?, self.flavour);
        work.begin(wait).await?;
        Ok(work)
    }

    /// Rolls back whatever failed, and says who may have stood in the way.
    async fn failed(&mut self, error: WriteError) -> WriteError {
        if self.open {
            self.roll_back().await;
        }
        // A fence that cannot be read looks like damage whatever is wrong: a second look tells another format from it.
        if matches!(error, WriteError::Read(ReadError::Damaged { .. })) && self.connection.is_some() {
            return match self.read().await {
                Err(ReadError::Unreachable { .. }) | Ok(_) => error,
                Err(closer) => WriteError::Read(closer),
            };
        }
        if let WriteError::Transient { cause } = &error
            && fault::of_driver(cause.as_ref()).is_some_and(|cause| fault::fault(cause) == fault::Fault::Gone)
        {
            self.connection = None;
        }
        let WriteError::LockNotAvailable { table, blocker: None } = error else { return error };
        WriteError::LockNotAvailable { table, blocker: self.held_by().await }
    }

    /// Who has transactions open, as far as this role may know (it takes the right PROCESS).
    async fn held_by(&mut self) -> Option<String> {
        let sql = include_str!("../sql/mysql/held_by.sql");
        let connection = self.connection.as_mut()?;
        let rows = timeout(ANSWER, sqlx::raw_sql(sql).fetch_all(connection)).await.ok()?.ok()?;
        let names: Vec<String> = rows.iter().filter_map(|row| values::text(row, 0).ok().flatten()).collect();
        (!names.is_empty()).then(|| format!("perhaps {}", names.join(" or ")))
    }

    async fn commit_inner(&mut self, mine: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError> {
        if let Some(table) = transaction.lock_tables.first() {
            let cause = "on MariaDB and MySQL a transaction cannot lock a table; DDL needs a step of its own";
            return Err(WriteError::Refused { statement: format!("lock {table}"), cause: cause.into() });
        }
        let mark = self.mark.clone();
        let mut work = self.begin(FENCE).await?;
        fence::check(work.fence().await?, mine, &mark, LEDGER)?;
        // The records are checked before the work begins: a conflict costs the application nothing.
        let states = if transaction.records.is_empty() { None } else { Some(work.states(&transaction.records).await?) };
        let mut touched = Vec::with_capacity(transaction.work.len());
        if !transaction.work.is_empty() && seconds(transaction.lock_timeout) != seconds(FENCE) {
            work.lock_timeout(transaction.lock_timeout).await?;
        }
        for statement in &transaction.work {
            touched.push(work.run(statement).await?);
        }
        if let Some((before, applied)) = states {
            store(&mut work, mine, &before, applied).await?;
        }
        work.plain("COMMIT".to_owned(), None).await?;
        self.open = false;
        Ok(touched)
    }

    async fn batch_inner(&mut self, mine: Generation, batch: &Batch) -> Result<Batched, WriteError> {
        let mark = self.mark.clone();
        // The wait for the range's own row is bounded like the one for a row of the table: nobody but a dead runner
        // holds it.
        let mut work = self.begin(batch.lock_timeout).await?;
        let began = Instant::now();
        work.advance(mine, batch).await?;
        let turn = began.elapsed();
        // The range's row is locked: a takeover, which raises it too, comes before or after this transaction.
        fence::check(work.peek().await?, mine, &mark, LEDGER)?;
        let batched = work.fill(batch, turn).await?;
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
        work.write(include_str!("../sql/mysql/pause.sql"), vec![text]).await?;
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
        let mark = self.mark.clone();
        if !begun {
            let flavour = self.flavour;
            Work::new(self.idle().await?, flavour).install().await?;
        }
        let mut work = self.begin(TAKE_OVER).await?;
        // The fence under lock, for its format; the generation is whatever it is.
        let row = work.fence().await?;
        let generation = fence::raisable(row.as_ref(), LEDGER)?;
        fence::check(row, Generation(generation), &mark, LEDGER)?;
        let raised = Generation(generation.saturating_add(1));
        work.write(include_str!("../sql/mysql/take_over.sql"), vec![Cell::Text(runner.to_owned())]).await?;
        work.write(include_str!("../sql/mysql/raise_ranges.sql"), vec![count(raised.0)]).await?;
        let server = work.text("SELECT CAST(@phasegate_server AS CHAR)").await?.unwrap_or_default();
        work.write(SENTENCES.add_history, takeover_line(raised, runner, &server)).await?;
        work.plain("COMMIT".to_owned(), None).await?;
        self.open = false;
        Ok(raised)
    }

    async fn run_alone_inner(
        &mut self,
        mine: Generation,
        statement: &Statement,
        lock_timeout: Duration,
    ) -> Result<(), WriteError> {
        // The statement commits by itself, so that only holding the lock keeps the next runner away while it runs.
        if self.locked {
            self.heartbeat().await?;
        }
        let (mark, flavour, thread) = (self.mark.clone(), self.flavour, self.thread.clone());
        self.idle().await?;
        let mut work = Work::new(self.connection.as_mut().ok_or_else(gone)?, flavour);
        fence::check(work.peek().await?, mine, &mark, LEDGER)?;
        // One that works for long needs the lock again at its end: not to wait there at all would waste the work.
        let not_at_all = flavour == Flavour::Mariadb && lock_timeout.is_zero() && !is_long(&statement.sql);
        let wait = if not_at_all { 0 } else { seconds(lock_timeout) };
        // Rows are waited for by the whole second, whatever the flavour.
        let rows = seconds(lock_timeout);
        let set = format!("SET SESSION lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {rows}");
        work.plain(set, None).await?;
        let outcome = if not_at_all || lock_timeout.subsec_nanos() == 0 && !lock_timeout.is_zero() {
            work.run_alone(statement).await
        } else {
            self.watch.ready(&self.address.options).await;
            let ended = AtomicBool::new(false);
            let mut running = std::pin::pin!(work.run_alone(statement));
            let outcome = tokio::select! {
                biased;
                outcome = &mut running => outcome,
                () = self.watch.over(&thread, lock_timeout, &ended) => running.await,
            };
            match outcome {
                Err(WriteError::Transient { cause })
                    if ended.load(Ordering::Relaxed) && fault::is_interrupted(cause.as_ref()) =>
                {
                    let table = crate::text::shortened(&statement.sql, 400);
                    Err(WriteError::LockNotAvailable { table, blocker: None })
                }
                outcome => outcome,
            }
        };
        let Some(connection) = self.connection.as_mut() else { return outcome };
        let restored = Work::new(connection, flavour).lock_timeout(FENCE).await;
        outcome.and(restored)
    }
}

fn gone() -> WriteError {
    WriteError::Transient { cause: "the connection is gone".into() }
}

/// Whether the statement may work for long between its two locks: an online change of a table that is not instant.
fn is_long(sql: &str) -> bool {
    let instant = || {
        let bare: String = sql.split_whitespace().collect::<String>().to_ascii_uppercase();
        bare.contains("ALGORITHM=INSTANT")
    };
    match statement::first_word(sql).as_str() {
        "ALTER" | "OPTIMIZE" => !instant(),
        "CREATE" | "DROP" => sql.split_whitespace().take(4).any(|word| word.eq_ignore_ascii_case("INDEX")),
        _ => false,
    }
}

#[async_trait]
impl Session for MysqlSession {
    async fn try_lock(&mut self) -> Result<bool, WriteError> {
        if self.locked {
            return self.heartbeat().await.map(|()| true);
        }
        let mark = self.mark.clone();
        let row = self.answer(include_str!("../sql/mysql/try_lock.sql"), vec![Cell::Text(mark.clone())]).await?;
        let text = |at: usize| values::text(&row, at).map_err(fault::unreachable);
        if text(0)?.as_deref() != Some("0") {
            return Err(WriteError::Read(ReadError::Standby));
        }
        if text(1)?.as_ref() != Some(&mark) {
            return Err(WriteError::Read(ReadError::Pooler));
        }
        self.locked = text(2)?.as_deref() == Some("1");
        Ok(self.locked)
    }

    async fn read(&mut self) -> Result<Reading, ReadError> {
        let flavour = self.flavour;
        let connection = self.idle().await.map_err(|cause| ReadError::Unreachable { cause: Box::new(cause) })?;
        let late = || ReadError::Unreachable { cause: "no answer within 10 s".into() };
        let answer = timeout(ANSWER, look::read(connection, flavour, Whose::Runner)).await;
        let answer = answer.unwrap_or_else(|_| Err(late()));
        if matches!(answer, Err(ReadError::Unreachable { .. })) {
            self.connection = None;
        }
        answer
    }

    async fn adopt(&mut self, runner: &str) -> Result<Generation, WriteError> {
        let begun = match self.read().await {
            Ok(Reading::Ledger(_)) => true,
            Ok(Reading::NotBegun) | Err(ReadError::Unexplained { .. }) => false,
            Err(cause) => return Err(cause.into()),
        };
        match self.take_over_inner(runner, begun).await {
            Err(error) => Err(self.failed(error).await),
            done => done,
        }
    }

    async fn take_over(&mut self, runner: &str) -> Result<Generation, WriteError> {
        let begun = match self.read().await? {
            Reading::Ledger(_) => true,
            Reading::NotBegun => false,
        };
        match self.take_over_inner(runner, begun).await {
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
        let answer = timeout(ANSWER, look::ranges(connection, change)).await;
        answer.unwrap_or_else(|_| Err(ReadError::Unreachable { cause: "no answer within 10 s".into() }))
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
        let transient = |cause: ReadError| WriteError::Transient { cause: Box::new(cause) };
        let row = self.answer(include_str!("../sql/mysql/heartbeat.sql"), Vec::new()).await.map_err(transient)?;
        let text = |at: usize| values::text(&row, at).ok().flatten();
        if self.locked && (text(0).as_deref() != Some("1") || text(1).as_ref() != Some(&self.mark)) {
            self.connection = None;
            return Err(WriteError::Transient { cause: "the runner's lock is gone".into() });
        }
        Ok(())
    }

    async fn query(&mut self, statement: &Statement) -> Result<Vec<Row>, ReadError> {
        let connection = self.idle().await.map_err(|cause| ReadError::Unreachable { cause: Box::new(cause) })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_works_between_its_locks_is_known_by_its_words() {
        for (sql, long) in [
            ("ALTER TABLE t ADD COLUMN a int, ALGORITHM=INSTANT", false),
            ("alter table t add column a int, algorithm = instant", false),
            ("ALTER TABLE t ADD INDEX i (a), ALGORITHM=INPLACE, LOCK=NONE", true),
            ("ALTER TABLE t MODIFY a bigint", true),
            ("CREATE UNIQUE INDEX i ON t (a)", true),
            ("CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = 1", false),
            ("DROP TRIGGER t", false),
            ("RENAME TABLE a TO b", false),
        ] {
            assert_eq!(is_long(sql), long, "{sql}");
        }
    }
}
