//! The fakes of the ports: what they answer can be changed at any time, and they count.

use std::{
    collections::{BTreeMap, HashMap},
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use phase_ledger::{
    LedgerReader, Prepared, Probe, ProbeError, QueryAnswer, ReadError, Reading, TableName, memory::Memory,
};
use tokio::time::{Instant, sleep};

use super::*;

/// What a fake answers.
#[derive(Clone)]
pub(crate) enum Says<T> {
    /// This, after a time.
    This(T, Duration),
    /// Why not.
    No(Because),
    /// Nothing, ever.
    Nothing,
    /// One thing after the other, and then again from the beginning.
    InTurn(Arc<InTurn<T>>),
}

/// A source that comes and goes.
pub(crate) struct InTurn<T> {
    /// What it says, and whether that is a fact.
    says: Vec<(Says<T>, bool)>,
    next: AtomicUsize,
    well: AtomicBool,
}

impl<T: Clone> InTurn<T> {
    pub(crate) fn new(says: Vec<(Says<T>, bool)>) -> Arc<Self> {
        Arc::new(Self { says, next: AtomicUsize::new(0), well: AtomicBool::new(false) })
    }

    /// Whether what it was asked last was answered with a fact.
    pub(crate) fn was_well(&self) -> bool {
        self.well.load(Ordering::SeqCst)
    }

    fn next(&self) -> Says<T> {
        let (says, well) = self.says[self.next.fetch_add(1, Ordering::SeqCst) % self.says.len()].clone();
        self.well.store(well, Ordering::SeqCst);
        says
    }
}

impl<T: Clone> Says<T> {
    pub(crate) fn this(value: T) -> Self {
        Self::This(value, Duration::ZERO)
    }

    async fn said(self) -> Result<T, Because> {
        let now = match self {
            Self::InTurn(turns) => turns.next(),
            this @ (Self::This(..) | Self::No(_) | Self::Nothing) => this,
        };
        match now {
            Self::InTurn(_) => panic!("turns within turns"),
            Self::This(value, after) => {
                sleep(after).await;
                Ok(value)
            }
            Self::No(because) => Err(because),
            Self::Nothing => pending().await,
        }
    }
}

/// Databases by name.
#[derive(Default)]
pub(crate) struct FakeDatabases {
    says: Mutex<HashMap<String, Says<Place>>>,
    pub(crate) asked: Mutex<Vec<DatabaseRef>>,
}

impl FakeDatabases {
    pub(crate) fn set(&self, database: &str, says: Says<Place>) {
        self.says.lock().unwrap().insert(database.to_owned(), says);
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Databases for FakeDatabases {
    async fn place(&self, wanted: &DatabaseRef) -> Result<Place, Because> {
        self.asked.lock().unwrap().push(wanted.clone());
        let says = self.says.lock().unwrap().get(&wanted.name).cloned();
        says.unwrap_or_else(|| Says::this(Place::NotDeclared("There is no ConfigMap".to_owned()))).said().await
    }
}

/// Versions by pod template hash.
#[derive(Default)]
pub(crate) struct FakeVersions {
    says: Mutex<HashMap<String, Says<PodTemplate>>>,
    pub(crate) count: AtomicUsize,
}

impl FakeVersions {
    pub(crate) fn set(&self, pod_hash: &str, says: Says<PodTemplate>) {
        self.says.lock().unwrap().insert(pod_hash.to_owned(), says);
    }
}

#[async_trait]
impl StableVersion for FakeVersions {
    async fn template(&self, of: &VersionRef) -> Result<PodTemplate, Because> {
        self.count.fetch_add(1, Ordering::SeqCst);
        let says = self.says.lock().unwrap().get(&of.pod_hash).cloned();
        says.unwrap_or_else(|| Says::No(Because::NotThere("no such ReplicaSet".to_owned()))).said().await
    }
}

/// One ledger behind every URL.
#[derive(Clone)]
pub(crate) struct FakeLedgers {
    pub(crate) memory: Memory,
    pub(crate) delay: Arc<Mutex<Duration>>,
    /// When each read began.
    pub(crate) reads: Arc<Mutex<Vec<Instant>>>,
    pub(crate) opened: Arc<AtomicUsize>,
    pub(crate) closed: Arc<AtomicUsize>,
    /// Reads that are under way, and the most there ever were.
    under_way: Arc<AtomicUsize>,
    pub(crate) most_at_once: Arc<AtomicUsize>,
    /// Before it answers, each read fails or hangs or not, as this says.
    pub(crate) comes_and_goes: Arc<Mutex<Option<Arc<InTurn<()>>>>>,
}

impl FakeLedgers {
    pub(crate) fn new() -> Self {
        Self {
            memory: Memory::new(),
            delay: Arc::default(),
            reads: Arc::default(),
            opened: Arc::default(),
            closed: Arc::default(),
            under_way: Arc::default(),
            most_at_once: Arc::default(),
            comes_and_goes: Arc::default(),
        }
    }
}

#[async_trait]
impl Ledgers for FakeLedgers {
    async fn open(&self, _url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FakeReader(self.clone())))
    }
}

struct FakeReader(FakeLedgers);

#[async_trait]
impl LedgerReader for FakeReader {
    async fn read(&self) -> Result<Reading, ReadError> {
        self.0.reads.lock().unwrap().push(Instant::now());
        let _under_way = UnderWay::new(&self.0);
        let turns = self.0.comes_and_goes.lock().unwrap().clone();
        if let Some(turns) = turns {
            turns.next().said().await.map_err(|_| ReadError::Unreachable { cause: "it went away".into() })?;
        }
        // A snapshot belongs to the beginning of the read, however long the answer takes.
        let reading = self.0.memory.reader().read().await;
        let delay = *self.0.delay.lock().unwrap();
        sleep(delay).await;
        reading
    }
}

struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(of: &FakeLedgers) -> Self {
        let now = of.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        of.most_at_once.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(&of.under_way))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for FakeReader {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::SeqCst);
    }
}

/// The checks' ports: each says what it is told to, and counts.
#[derive(Default)]
pub(crate) struct FakeChecks {
    /// Files by ConfigMap.
    pub(crate) files: Mutex<HashMap<String, Says<BTreeMap<String, String>>>>,
    /// Statements that the database refuses, by a word in them.
    pub(crate) refused: Mutex<Vec<String>>,
    /// Columns that an INSERT must name, by table.
    pub(crate) required: Mutex<HashMap<String, Vec<String>>>,
    /// What an integrity query answers.
    pub(crate) answer: Mutex<Option<Says<QueryAnswer>>>,
    /// The ledger of a replica.
    pub(crate) replica: Mutex<Option<Says<Memory>>>,
    /// What is measured.
    pub(crate) measured: Mutex<Option<Says<Measured>>>,
    /// What became of the Job.
    pub(crate) job: Mutex<Option<Says<JobSight>>>,
    /// What was prepared.
    pub(crate) prepared: Mutex<Vec<String>>,
    pub(crate) asked: AtomicUsize,
}

impl FakeChecks {
    fn asked(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
    }
}

fn unset() -> Because {
    Because::NotThere("nothing was set".to_owned())
}

#[async_trait]
impl VersionSql for FakeChecks {
    async fn files(&self, _namespace: &str, config_map: &str) -> Result<BTreeMap<String, String>, Because> {
        self.asked();
        let says = self.files.lock().unwrap().get(config_map).cloned();
        says.unwrap_or_else(|| Says::No(unset())).said().await
    }
}

#[async_trait]
impl Metrics for FakeChecks {
    async fn measure(&self, _wanted: &MeasureRef) -> Result<Measured, Because> {
        self.asked();
        let says = self.measured.lock().unwrap().clone();
        says.unwrap_or_else(|| Says::No(unset())).said().await
    }
}

#[async_trait]
impl RunnerJobs for FakeChecks {
    async fn job(&self, _of: &JobRef) -> Result<JobSight, Because> {
        let says = self.job.lock().unwrap().clone();
        says.unwrap_or_else(|| Says::No(unset())).said().await
    }
}

/// The probes of [`FakeChecks`].
pub(crate) struct FakeProbes(pub(crate) Arc<FakeChecks>);

#[async_trait]
impl Probes for FakeProbes {
    async fn probe(&self, _url: &DatabaseUrl) -> Result<Box<dyn Probe>, ProbeError> {
        self.0.asked();
        Ok(Box::new(FakeProbe(Arc::clone(&self.0))))
    }

    async fn replica(&self, _url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        self.0.asked();
        let says = self.0.replica.lock().unwrap().clone();
        let said = says.unwrap_or_else(|| Says::No(unset())).said().await;
        said.map(|memory| Box::new(memory.reader()) as Box<dyn LedgerReader>).map_err(|because| match because {
            Because::NotPermitted(table) => ReadError::NotPermitted { table },
            Because::Untrusted(why) => ReadError::Damaged { table: "changes".to_owned(), why },
            Because::Unreachable(_) | Because::NotThere(_) | Because::TimedOut(_) | Because::Stale { .. } => {
                ReadError::Unreachable { cause: "refused".into() }
            }
        })
    }
}

struct FakeProbe(Arc<FakeChecks>);

#[async_trait]
impl Probe for FakeProbe {
    async fn prepare(&mut self, statement: &str) -> Result<Prepared, ProbeError> {
        self.0.prepared.lock().unwrap().push(statement.to_owned());
        let refused = self.0.refused.lock().unwrap();
        let why = refused.iter().find(|word| statement.contains(word.as_str()));
        Ok(why.map_or(Prepared::Understood, |word| Prepared::Refused(format!("column \"{word}\" does not exist"))))
    }

    async fn required_columns(&mut self, table: &TableName) -> Result<Vec<String>, ProbeError> {
        Ok(self.0.required.lock().unwrap().get(&table.name).cloned().unwrap_or_default())
    }

    async fn ask(&mut self, _query: &str) -> Result<QueryAnswer, ProbeError> {
        let says = self.0.answer.lock().unwrap().clone();
        says.unwrap_or_else(|| Says::No(unset())).said().await.map_err(|because| match because {
            Because::NotPermitted(what) => ProbeError::NotPermitted { what },
            Because::Untrusted(what) => ProbeError::Refused { what },
            Because::TimedOut(_) => ProbeError::Slow { what: "canceling statement".to_owned() },
            Because::Unreachable(_) | Because::NotThere(_) | Because::Stale { .. } => {
                ProbeError::Unreachable { cause: "gone".into() }
            }
        })
    }
}
