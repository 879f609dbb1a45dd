//! The databases themselves, by phase-ledger's probes and replica readers.

use async_trait::async_trait;
use phase_ledger::{DatabaseUrl, LedgerReader, Probe, ProbeError, ReadError, open_probe, open_replica};

use crate::ports::Probes;

/// Opens a connection for each look.
pub struct OpenProbes;

#[async_trait]
impl Probes for OpenProbes {
    async fn probe(&self, url: &DatabaseUrl) -> Result<Box<dyn Probe>, ProbeError> {
        open_probe(url).await
    }

    async fn replica(&self, url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        open_replica(url)
    }
}
