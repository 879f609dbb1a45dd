//! The gate over real sources, and what is done for it now and then.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use phase_ledger::{DatabaseUrl, LedgerReader, ReadError, open_reader};

use crate::{
    gate::{CheckPorts, Clock, Gate, Limits},
    grpc::service::StepService,
    metrics::{Metrics, measured::Measured},
    ports::Ledgers,
    sources::{events::KubernetesEvents, kube::Kubernetes, probes::OpenProbes, prometheus::Prometheus, rights::RunsIn},
};

/// How often idle connections are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// A service over a gate that looks at Kubernetes and at ledgers.
pub(super) fn service(
    runs_in: RunsIn,
    limits: Limits,
    clock: Clock,
    metrics: Arc<Metrics>,
    prometheus: Option<PathBuf>,
) -> StepService {
    let kubernetes = Arc::new(Kubernetes::new(limits.kubernetes, runs_in));
    let measured = Arc::new(Measured::new(Arc::clone(&kubernetes), Arc::clone(&metrics)));
    let ledgers = Arc::new(Measured::new(Arc::new(OpenLedgers), Arc::clone(&metrics)));
    let checks = CheckPorts {
        sql: Arc::clone(&kubernetes) as _,
        probes: Arc::new(OpenProbes),
        metrics: Arc::new(Prometheus::new(prometheus, limits.checks)),
    };
    let gate = Gate::new(Arc::clone(&measured) as _, measured, ledgers, clock, limits);
    let gate = Arc::new(gate.with_checks(checks).with_jobs(Arc::clone(&kubernetes) as _));
    let service = StepService::new(gate, metrics).with_events(Arc::new(KubernetesEvents::start(kubernetes)));
    let tidied = service.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            tidied.tidy();
        }
    });
    service
}

/// The drivers of phase-ledger.
struct OpenLedgers;

#[async_trait]
impl Ledgers for OpenLedgers {
    async fn open(&self, url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        open_reader(url)
    }
}
