//! The databases themselves, by phase-ledger's probes and replica readers.

use std::time::Duration;

use async_trait::async_trait;
use phase_ledger::{DatabaseUrl, LedgerReader, Probe, ProbeError, ReadError, open_probe, open_replica};

use crate::ports::Probes;

/// A look that takes longer has failed anyway; the server need not go on with it.
const STATEMENT: Duration = Duration::from_secs(2);

/// Opens a connection for each look.
pub struct OpenProbes;

#[async_trait]
impl Probes for OpenProbes {
    async fn probe(&self, url: &DatabaseUrl) -> Result<Box<dyn Probe>, ProbeError> {
        open_probe(url, STATEMENT).await
    }

    async fn replica(&self, url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        open_replica(url)
    }
}
