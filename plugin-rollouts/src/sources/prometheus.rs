//! Prometheus, asked as everything else of ours asks it.

use async_trait::async_trait;
pub use prometheus_source::Prometheus;
use schema_phases::Because;

use crate::ports::{MeasureRef, Measured, Metrics};

#[async_trait]
impl Metrics for Prometheus {
    async fn measure(&self, wanted: &MeasureRef) -> Result<Measured, Because> {
        let MeasureRef { server, query, back } = wanted;
        Self::measure(self, server.as_deref(), query, *back).await
    }
}
