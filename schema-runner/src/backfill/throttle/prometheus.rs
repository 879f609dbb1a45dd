//! What Prometheus says of whatever a backfill may burden. No answer, and one that is no number, holds it too.

use async_trait::async_trait;
use futures::future::join_all;
use schema_changes::{PrometheusThrottle, ThrottleMeasure};
use schema_phases::Because;
use tokio::time::timeout;

use super::ANSWER;

/// Measures what is outside of the database.
#[async_trait]
pub trait Measures: Send + Sync {
    /// One number, as it is now.
    ///
    /// # Errors
    /// Why it cannot be told; no answer, NaN and more than one number count. The texts go to users.
    async fn number(&self, server: Option<&str>, query: &str) -> Result<f64, Because>;
}

#[async_trait]
impl Measures for prometheus_source::Prometheus {
    async fn number(&self, server: Option<&str>, query: &str) -> Result<f64, Because> {
        Ok(self.measure(server, query, std::time::Duration::ZERO).await?.now)
    }
}

/// Why to rest, if anything that is measured says so. All are asked at once.
pub(super) async fn out_of_bounds(measures: &dyn Measures, declared: Option<&PrometheusThrottle>) -> Option<String> {
    let asked = declared.into_iter().flat_map(|declared| &declared.measures).map(|measure| one(measures, measure));
    join_all(asked).await.into_iter().flatten().next()
}

async fn one(measures: &dyn Measures, measure: &ThrottleMeasure) -> Option<String> {
    let ThrottleMeasure { name, server, query, at_most, at_least } = measure;
    let found = match timeout(ANSWER, measures.number(server.as_deref(), query)).await {
        Ok(Ok(found)) => found,
        Ok(Err(because)) => return Some(format!("{name} cannot be seen: {}", because.told())),
        Err(_) => return Some(format!("{name} cannot be seen: no answer within 5 s")),
    };
    if found.is_nan() {
        return Some(format!("{name} cannot be seen: it is no number"));
    }
    let above = at_most.filter(|most| found > *most).map(|most| format!("{name} is {found}, above {most}"));
    above.or_else(|| at_least.filter(|least| found < *least).map(|least| format!("{name} is {found}, below {least}")))
}
