//! The ports with a watch: each look at a fact is timed, however it ends.

use std::sync::Arc;

use async_trait::async_trait;
use phase_ledger::{DatabaseUrl, LedgerReader, ReadError, Reading};
use schema_phases::Because;
use tokio::time::Instant;

use super::Metrics;
use crate::{
    ports::{DatabaseRef, Databases, Ledgers, Place, StableVersion, VersionRef},
    template::PodTemplate,
};

/// A port with a watch.
pub struct Measured<P: ?Sized> {
    port: Arc<P>,
    metrics: Arc<Metrics>,
}

impl<P: ?Sized> Measured<P> {
    /// Times the looks through `port`.
    pub const fn new(port: Arc<P>, metrics: Arc<Metrics>) -> Self {
        Self { port, metrics }
    }

    fn look(&self, fact: &'static str) -> Look<'_> {
        Look::begin(&self.metrics, fact)
    }
}

/// A look under way. Dropped before it ended, it was given up.
struct Look<'a> {
    metrics: &'a Metrics,
    fact: &'static str,
    outcome: &'static str,
    began: Instant,
}

impl<'a> Look<'a> {
    fn begin(metrics: &'a Metrics, fact: &'static str) -> Self {
        Self { metrics, fact, outcome: "given_up", began: Instant::now() }
    }

    fn ended<T, E>(mut self, outcome: Result<T, E>) -> Result<T, E> {
        self.outcome = if outcome.is_ok() { "seen" } else { "missing" };
        outcome
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.metrics.looked(self.fact, self.outcome, self.began.elapsed());
    }
}

#[async_trait]
impl<P: Databases + ?Sized> Databases for Measured<P> {
    async fn place(&self, wanted: &DatabaseRef) -> Result<Place, Because> {
        let look = self.look("database");
        look.ended(self.port.place(wanted).await)
    }
}

#[async_trait]
impl<P: StableVersion + ?Sized> StableVersion for Measured<P> {
    async fn template(&self, of: &VersionRef) -> Result<PodTemplate, Because> {
        let look = self.look("version");
        look.ended(self.port.template(of).await)
    }
}

#[async_trait]
impl<P: Ledgers + ?Sized> Ledgers for Measured<P> {
    async fn open(&self, url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        let reader = self.port.open(url).await?;
        Ok(Box::new(MeasuredReader { reader, metrics: Arc::clone(&self.metrics) }))
    }
}

struct MeasuredReader {
    reader: Box<dyn LedgerReader>,
    metrics: Arc<Metrics>,
}

#[async_trait]
impl LedgerReader for MeasuredReader {
    async fn read(&self) -> Result<Reading, ReadError> {
        let look = Look::begin(&self.metrics, "ledger");
        look.ended(self.reader.read().await)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use phase_ledger::memory::Reads;
    use tokio::time::timeout;

    use super::*;
    use crate::ports::fake::FakeLedgers;

    #[tokio::test(start_paused = true)]
    async fn a_look_is_timed_however_it_ends() {
        let (metrics, ledgers) = (Arc::<Metrics>::default(), FakeLedgers::new());
        let measured = Measured::new(Arc::new(ledgers.clone()), Arc::clone(&metrics));
        let reader = measured.open(&"sqlite:///a".parse().unwrap()).await.unwrap();
        reader.read().await.unwrap();
        ledgers.memory.reads(Reads::Fail(Arc::new(|| ReadError::Standby)));
        reader.read().await.unwrap_err();
        ledgers.memory.reads(Reads::Hang);
        timeout(Duration::from_secs(2), reader.read()).await.unwrap_err();
        let text = metrics.text().unwrap();
        for outcome in ["seen", "missing", "given_up"] {
            let sample = format!("phasegate_gate_look_seconds_count{{fact=\"ledger\",outcome=\"{outcome}\"}} 1");
            assert!(text.contains(&sample), "{sample}\n{text}");
        }
    }
}
