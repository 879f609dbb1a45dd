//! The fake: a ledger in memory, for the tests of every crate that reads or writes one.
//!
//! It keeps the same rules as the drivers (the conformance suite holds it to them), runs no SQL but remembers it, and
//! can be told to fail, to hang, to be a standby, or to lose its connections.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use schema_phases::ChangeName;

use crate::{
    BackfillRange, Batch, Batched, Generation, LedgerReader, LedgerState, ReadError, Reading, Record, Row,
    ServerIdentity, Session, Statement, Transaction, WriteError,
    statement::{no_control, only_one},
    transition::{Applied, Event, apply_all},
};

/// A database with a ledger, in memory. Clones share it.
#[derive(Clone)]
pub struct Memory {
    inner: Arc<Mutex<Inner>>,
}

/// What the next reads do.
#[derive(Clone)]
pub enum Reads {
    /// They answer.
    Answer,
    /// They fail with this.
    Fail(Arc<dyn Fn() -> ReadError + Send + Sync>),
    /// They never come back.
    Hang,
}

/// What one write does.
#[derive(Debug)]
pub enum WriteFault {
    /// Nothing goes wrong.
    Pass,
    /// It fails, and nothing of it happened.
    Fail(WriteError),
    /// It happened, and the answer was lost on the way.
    AnswerLost,
    /// It never comes back, and nothing of it happened.
    Hang,
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The generation that wrote it.
    pub generation: Generation,
    /// The change it is about.
    pub change: Option<ChangeName>,
    /// What happened: `intend`, `act`, `settle` and so on, as in the ledger's reference.
    pub event: String,
}

type OnWork = Arc<dyn Fn(&Statement) -> Result<u64, WriteError> + Send + Sync>;
type OnQuery = Arc<dyn Fn(&Statement) -> Result<Vec<Row>, ReadError> + Send + Sync>;

struct Inner {
    format: u32,
    server: ServerIdentity,
    standby: bool,
    pooled: bool,
    ledger: Option<LedgerState>,
    ranges: BTreeMap<ChangeName, Vec<BackfillRange>>,
    artefacts: Vec<String>,
    history: Vec<Remembered>,
    work: Vec<Statement>,
    table_locks: BTreeMap<String, String>,
    reads: Reads,
    writes: VecDeque<WriteFault>,
    on_work: OnWork,
    on_query: OnQuery,
    sessions: u64,
    broken_up_to: u64,
    lock_holder: Option<u64>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("ledger", &self.lock().ledger).finish_non_exhaustive()
    }
}

impl Memory {
    /// An empty database without a ledger.
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                format: crate::FORMAT,
                server: ServerIdentity("memory".to_owned()),
                standby: false,
                pooled: false,
                ledger: None,
                ranges: BTreeMap::new(),
                artefacts: Vec::new(),
                history: Vec::new(),
                work: Vec::new(),
                table_locks: BTreeMap::new(),
                reads: Reads::Answer,
                writes: VecDeque::new(),
                on_work: Arc::new(|_| Ok(0)),
                on_query: Arc::new(|_| Ok(Vec::new())),
                sessions: 0,
                broken_up_to: 0,
                lock_holder: None,
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A gate's reader of it.
    pub fn reader(&self) -> MemoryReader {
        MemoryReader { memory: self.clone() }
    }

    /// A runner's connection to it.
    pub fn session(&self) -> MemorySession {
        let mut inner = self.lock();
        inner.sessions += 1;
        MemorySession { id: inner.sessions, locked: false, memory: self.clone() }
    }

    /// Puts a ledger there, past every fence: what a test begins with. `None` takes it away.
    pub fn put(&self, ledger: Option<LedgerState>) {
        self.lock().ledger = ledger;
    }

    /// The ledger that is there.
    pub fn ledger(&self) -> Option<LedgerState> {
        self.lock().ledger.clone()
    }

    /// The ranges of a change's backfill.
    pub fn ranges(&self, change: &ChangeName) -> Vec<BackfillRange> {
        self.lock().ranges.get(change).cloned().unwrap_or_default()
    }

    /// Gives the ledger another format version.
    pub fn set_format(&self, format: u32) {
        self.lock().format = format;
    }

    /// Makes it another server, as after a restore elsewhere.
    pub fn set_server(&self, server: ServerIdentity) {
        self.lock().server = server;
    }

    /// Makes it a standby, or the primary again.
    pub fn set_standby(&self, standby: bool) {
        self.lock().standby = standby;
    }

    /// Puts a transaction pooler before it, or takes it away.
    pub fn set_pooled(&self, pooled: bool) {
        self.lock().pooled = pooled;
    }

    /// Adds an object that a runner made.
    pub fn add_artefact(&self, name: &str) {
        self.lock().artefacts.push(name.to_owned());
    }

    /// Lets somebody hold a table until [`Memory::unlock_table`].
    pub fn lock_table(&self, table: &str, holder: &str) {
        self.lock().table_locks.insert(table.to_owned(), holder.to_owned());
    }

    /// Releases a table.
    pub fn unlock_table(&self, table: &str) {
        self.lock().table_locks.remove(table);
    }

    /// From now on reads do this, those of sessions too.
    pub fn reads(&self, reads: Reads) {
        self.lock().reads = reads;
    }

    /// The next writes (`take_over`, `commit`, `run_alone`) do this, in order; all after them pass.
    pub fn next_writes(&self, faults: impl IntoIterator<Item = WriteFault>) {
        self.lock().writes = faults.into_iter().collect();
    }

    /// What a statement of a transaction does: the rows it touches, or why the transaction fails. Called while the
    /// database is locked: it must not call back.
    pub fn on_work(&self, work: impl Fn(&Statement) -> Result<u64, WriteError> + Send + Sync + 'static) {
        self.lock().on_work = Arc::new(work);
    }

    /// What a query answers.
    pub fn on_query(&self, query: impl Fn(&Statement) -> Result<Vec<Row>, ReadError> + Send + Sync + 'static) {
        self.lock().on_query = Arc::new(query);
    }

    /// Breaks every connection there is: their sessions fail from now on, and the lock is free.
    pub fn break_connections(&self) {
        let mut inner = self.lock();
        inner.broken_up_to = inner.sessions;
        inner.lock_holder = None;
    }

    /// The work statements that were committed or run alone, in order.
    pub fn work(&self) -> Vec<Statement> {
        self.lock().work.clone()
    }

    /// The history.
    pub fn history(&self) -> Vec<Remembered> {
        self.lock().history.clone()
    }

    /// Whether somebody holds the runner's lock.
    pub fn is_locked(&self) -> bool {
        self.lock().lock_holder.is_some()
    }
}

impl Inner {
    /// The look that both readers share; only a gate minds the server.
    fn read(&self, own_server_only: bool) -> Result<Reading, ReadError> {
        if self.standby {
            return Err(ReadError::Standby);
        }
        let Some(ledger) = &self.ledger else {
            return if self.artefacts.is_empty() {
                Ok(Reading::NotBegun)
            } else {
                Err(ReadError::Unexplained { objects: self.artefacts.join(", ") })
            };
        };
        if self.format != crate::FORMAT {
            return Err(ReadError::Format { found: self.format, known: crate::FORMAT });
        }
        if own_server_only && ledger.server != self.server {
            let (found, recorded) = (self.server.0.clone(), ledger.server.0.clone());
            return Err(ReadError::OtherServer { found, recorded });
        }
        Ok(Reading::Ledger(ledger.clone()))
    }

    /// The ledger, if it is at this generation.
    fn fenced(&self, mine: Generation) -> Result<LedgerState, WriteError> {
        match self.read(false)? {
            Reading::Ledger(state) if state.generation == mine => Ok(state),
            Reading::Ledger(_) | Reading::NotBegun => Err(WriteError::Fenced { mine }),
        }
    }

    fn remember(&mut self, generation: Generation, events: Vec<Event>) {
        let line = |event: Event| Remembered { generation, change: event.change, event: event.word.to_owned() };
        self.history.extend(events.into_iter().map(line));
    }

    fn take_over(&mut self, runner: &str) -> Result<Generation, WriteError> {
        let mut state = match self.read(false)? {
            Reading::Ledger(state) => state,
            Reading::NotBegun => LedgerState {
                generation: Generation(0),
                server: self.server.clone(),
                plan: None,
                paused: None,
                changes: Vec::new(),
            },
        };
        state.generation = Generation(state.generation.0.saturating_add(1));
        state.server = self.server.clone();
        let generation = state.generation;
        self.ledger = Some(state);
        self.remember(generation, vec![Event { change: None, word: "take-over", detail: runner.to_owned() }]);
        Ok(generation)
    }

    /// What a statement touches, if an engine would run it.
    fn run(&self, statement: &Statement) -> Result<u64, WriteError> {
        no_control(&statement.sql)?;
        only_one(&statement.sql)?;
        (self.on_work)(statement)
    }

    fn commit(&mut self, mine: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError> {
        let state = self.fenced(mine)?;
        for table in &transaction.lock_tables {
            if let Some(holder) = self.table_locks.get(table) {
                return Err(WriteError::LockNotAvailable { table: table.clone(), blocker: Some(holder.clone()) });
            }
        }
        let applied = apply_all(&state, &transaction.records)?;
        let touched = transaction.work.iter().map(|work| self.run(work)).collect::<Result<Vec<u64>, WriteError>>()?;
        self.work.extend(transaction.work.iter().cloned());
        let Applied { after, events, ranges } = applied;
        self.ranges.extend(ranges);
        let filling = |name: &ChangeName| after.change(name).is_some_and(|entry| entry.backfill.is_some());
        self.ranges.retain(|name, _| filling(name));
        self.ledger = Some(after);
        self.remember(mine, events);
        Ok(touched)
    }

    fn batch(&mut self, mine: Generation, batch: &Batch) -> Result<Batched, WriteError> {
        self.fenced(mine)?;
        let conflict = || WriteError::Conflict { change: batch.change.clone() };
        let is_it = |range: &&mut BackfillRange| range.part == batch.part;
        self.ranges.get_mut(&batch.change).and_then(|all| all.iter_mut().find(is_it)).ok_or_else(conflict)?;
        let refused = |cause| WriteError::Refused { statement: String::new(), cause: Box::new(cause) };
        let rows = batch.next.as_ref().map(|next| (self.on_query)(next)).transpose().map_err(refused)?;
        let touched = self.run(&batch.work)?;
        self.work.push(batch.work.clone());
        if let Some(range) = self.ranges.get_mut(&batch.change).and_then(|all| all.iter_mut().find(is_it)) {
            range.cursor.clone_from(&batch.cursor);
            range.rows_done = batch.rows_done;
        }
        let next = rows.and_then(|rows| rows.into_iter().next());
        Ok(Batched { touched, next, turn: Duration::ZERO, work_time: Duration::ZERO })
    }

    fn pause(&mut self, paused: Option<&str>) -> Result<(), WriteError> {
        let Reading::Ledger(mut state) = self.read(false)? else {
            return Err(WriteError::Read(ReadError::damaged("ledger", "it is gone")));
        };
        state.paused = paused.map(str::to_owned);
        let generation = state.generation;
        self.ledger = Some(state);
        let word = if paused.is_some() { "pause" } else { "resume" };
        self.remember(generation, vec![Event { change: None, word, detail: String::new() }]);
        Ok(())
    }

    fn run_alone(&mut self, mine: Generation, statement: &Statement) -> Result<(), WriteError> {
        self.fenced(mine)?;
        self.run(statement)?;
        self.work.push(statement.clone());
        Ok(())
    }
}

/// A gate's reader of a [`Memory`].
#[derive(Clone, Debug)]
pub struct MemoryReader {
    memory: Memory,
}

#[async_trait]
impl LedgerReader for MemoryReader {
    async fn read(&self) -> Result<Reading, ReadError> {
        let reads = self.memory.lock().reads.clone();
        match reads {
            Reads::Answer => self.memory.lock().read(true),
            Reads::Fail(why) => Err(why()),
            Reads::Hang => pending().await,
        }
    }
}

/// A runner's connection to a [`Memory`]. Dropping it frees the lock it holds.
#[derive(Debug)]
pub struct MemorySession {
    id: u64,
    locked: bool,
    memory: Memory,
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        let mut inner = self.memory.lock();
        if inner.lock_holder == Some(self.id) {
            inner.lock_holder = None;
        }
    }
}

impl MemorySession {
    fn broken(&self) -> bool {
        self.id <= self.memory.lock().broken_up_to
    }

    fn lost() -> Box<dyn std::error::Error + Send + Sync> {
        "the connection is gone".into()
    }

    async fn write<T>(&self, write: impl FnOnce(&mut Inner) -> Result<T, WriteError> + Send) -> Result<T, WriteError> {
        if self.broken() {
            return Err(WriteError::Transient { cause: Self::lost() });
        }
        let fault = self.memory.lock().writes.pop_front().unwrap_or(WriteFault::Pass);
        match fault {
            WriteFault::Pass => write(&mut self.memory.lock()),
            WriteFault::Fail(cause) => Err(cause),
            WriteFault::AnswerLost => {
                write(&mut self.memory.lock())?;
                Err(WriteError::Transient { cause: Self::lost() })
            }
            WriteFault::Hang => pending().await,
        }
    }
}

#[async_trait]
impl Session for MemorySession {
    async fn try_lock(&mut self) -> Result<bool, WriteError> {
        let reads = self.memory.lock().reads.clone();
        match reads {
            Reads::Answer => {}
            Reads::Fail(why) => return Err(WriteError::Read(why())),
            Reads::Hang => pending().await,
        }
        if self.broken() {
            return Err(WriteError::Read(ReadError::Unreachable { cause: Self::lost() }));
        }
        let mut inner = self.memory.lock();
        if inner.pooled {
            return Err(WriteError::Read(ReadError::Pooler));
        }
        if inner.standby {
            return Err(WriteError::Read(ReadError::Standby));
        }
        let mine = *inner.lock_holder.get_or_insert(self.id) == self.id;
        self.locked |= mine;
        Ok(mine)
    }

    async fn read(&mut self) -> Result<Reading, ReadError> {
        if self.broken() {
            return Err(ReadError::Unreachable { cause: Self::lost() });
        }
        let reads = self.memory.lock().reads.clone();
        match reads {
            Reads::Answer => self.memory.lock().read(false),
            Reads::Fail(why) => Err(why()),
            Reads::Hang => pending().await,
        }
    }

    async fn take_over(&mut self, runner: &str) -> Result<Generation, WriteError> {
        self.write(|inner| inner.take_over(runner)).await
    }

    async fn commit(&mut self, generation: Generation, transaction: &Transaction) -> Result<Vec<u64>, WriteError> {
        self.write(|inner| inner.commit(generation, transaction)).await
    }

    async fn ranges(&mut self, change: &ChangeName) -> Result<Vec<BackfillRange>, ReadError> {
        if self.broken() {
            return Err(ReadError::Unreachable { cause: Self::lost() });
        }
        Ok(self.memory.ranges(change))
    }

    async fn batch(&mut self, generation: Generation, batch: &Batch) -> Result<Batched, WriteError> {
        self.write(|inner| inner.batch(generation, batch)).await
    }

    async fn pause(&mut self, paused: Option<&str>) -> Result<(), WriteError> {
        self.write(|inner| inner.pause(paused)).await
    }

    async fn run_alone(
        &mut self,
        generation: Generation,
        statement: &Statement,
        _lock_timeout: Duration,
    ) -> Result<(), WriteError> {
        self.write(|inner| inner.run_alone(generation, statement)).await
    }

    async fn heartbeat(&mut self) -> Result<(), WriteError> {
        if self.broken() || (self.locked && self.memory.lock().lock_holder != Some(self.id)) {
            return Err(WriteError::Transient { cause: Self::lost() });
        }
        Ok(())
    }

    async fn query(&mut self, statement: &Statement) -> Result<Vec<Row>, ReadError> {
        if self.broken() {
            return Err(ReadError::Unreachable { cause: Self::lost() });
        }
        let on_query = Arc::clone(&self.memory.lock().on_query);
        on_query(statement)
    }
}

/// The records' effect on a ledger, without a session: for tests that prepare one.
///
/// # Errors
/// [`WriteError::Conflict`].
pub fn after(state: &LedgerState, records: &[Record]) -> Result<LedgerState, WriteError> {
    apply_all(state, records).map(|applied| applied.after)
}
