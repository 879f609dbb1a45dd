//! The gate over real sources, and what is done for it now and then.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use phase_ledger::{DatabaseUrl, LedgerReader, ReadError, open_reader};

use crate::{
    gate::{Clock, Gate, Limits},
    grpc::service::StepService,
    metrics::{Metrics, measured::Measured},
    ports::Ledgers,
    sources::kube::Kubernetes,
};

/// How often idle connections are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// A service over a gate that looks at Kubernetes and at ledgers.
pub(super) fn service(limits: Limits, clock: Clock, metrics: Arc<Metrics>) -> StepService {
    let kubernetes = Arc::new(Kubernetes::new(limits.kubernetes));
    let measured = Arc::new(Measured::new(Arc::clone(&kubernetes), Arc::clone(&metrics)));
    let ledgers = Arc::new(Measured::new(Arc::new(OpenLedgers), Arc::clone(&metrics)));
    let gate = Arc::new(Gate::new(Arc::clone(&measured) as _, measured, ledgers, clock, limits));
    let (tidied, counted) = (Arc::clone(&gate), Arc::clone(&metrics));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            tidied.tidy();
            counted.ledgers_open(tidied.open_ledgers());
            counted.tidy();
        }
    });
    StepService::new(gate, metrics)
}

/// The drivers of phase-ledger.
struct OpenLedgers;

#[async_trait]
impl Ledgers for OpenLedgers {
    async fn open(&self, url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        open_reader(url)
    }
}
