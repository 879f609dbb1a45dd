//! `Readers`: the open ledgers, one connection each, for as long as somebody asks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use phase_ledger::{LedgerReader, LedgerState, ReadError, Reading};
use schema_phases::Because;
use tokio::time::Instant;

use crate::{
    chain::chain,
    ports::{Access, AccessKey, Ledgers},
};

/// More connections than this are not kept; whoever comes then opens one for a single read.
const MOST: usize = 256;

/// Open readers that nobody is reading from.
pub struct Readers {
    ledgers: Arc<dyn Ledgers>,
    idle: Mutex<HashMap<AccessKey, Idle>>,
}

struct Idle {
    reader: Box<dyn LedgerReader>,
    since: Instant,
}

impl Readers {
    /// None open yet.
    pub fn new(ledgers: Arc<dyn Ledgers>) -> Self {
        Self { ledgers, idle: Mutex::default() }
    }

    /// Reads one ledger once; none when nobody has begun one.
    ///
    /// A reader is taken out while it is read from, and put back only after a good read: one that hangs (its future is
    /// dropped) or fails is closed, and the next read begins with a new connection.
    pub async fn read(&self, access: &Access) -> Result<Option<Arc<LedgerState>>, Because> {
        let kept = self.lock().remove(&access.key).map(|idle| idle.reader);
        let reader = match kept {
            Some(reader) => reader,
            None => self.ledgers.open(&access.url).await.map_err(because)?,
        };
        let reading = reader.read().await.map_err(because)?;
        let mut idle = self.lock();
        if idle.len() < MOST {
            idle.insert(access.key.clone(), Idle { reader, since: Instant::now() });
        }
        Ok(match reading {
            Reading::NotBegun => None,
            Reading::Ledger(state) => Some(Arc::new(state)),
        })
    }

    /// Closes those that nobody has read from for this long.
    pub fn close_idle(&self, idle: Duration) {
        let now = Instant::now();
        let mut kept = self.lock();
        let (old, young): (HashMap<_, _>, HashMap<_, _>) =
            kept.drain().partition(|(_, it)| now.duration_since(it.since) >= idle);
        *kept = young;
        drop(kept);
        // Closing is left to their drop, outside the lock.
        drop(old);
    }

    /// How many are kept open.
    pub fn open(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccessKey, Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the ledger is a missing fact. The causes of drivers hold no credential (phase-ledger's promise).
pub(super) fn because(error: ReadError) -> Because {
    match &error {
        ReadError::Unreachable { .. } | ReadError::Passing { .. } => Because::Unreachable(chain(&error)),
        ReadError::NotPermitted { .. } => Because::NotPermitted(error.to_string()),
        ReadError::Standby
        | ReadError::OtherServer { .. }
        | ReadError::Format { .. }
        | ReadError::Unexplained { .. }
        | ReadError::Damaged { .. }
        | ReadError::Pooler
        | ReadError::Unsupported { .. }
        | ReadError::Query { .. } => Because::Untrusted(chain(&error)),
    }
}

#[cfg(test)]
mod tests;
