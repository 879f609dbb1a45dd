//! The fakes of the ports: what they answer can be changed at any time, and they count.

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use phase_ledger::{LedgerReader, ReadError, Reading, memory::Memory};
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
}

impl<T> Says<T> {
    pub(crate) fn this(value: T) -> Self {
        Self::This(value, Duration::ZERO)
    }

    async fn said(self) -> Result<T, Because> {
        match self {
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
}

impl FakeLedgers {
    pub(crate) fn new() -> Self {
        Self {
            memory: Memory::new(),
            delay: Arc::default(),
            reads: Arc::default(),
            opened: Arc::default(),
            closed: Arc::default(),
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
        // A snapshot belongs to the beginning of the read, however long the answer takes.
        let reading = self.0.memory.reader().read().await;
        let delay = *self.0.delay.lock().unwrap();
        sleep(delay).await;
        reading
    }
}

impl Drop for FakeReader {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::SeqCst);
    }
}
