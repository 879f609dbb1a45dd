//! Which plan Git wants right now. A runner whose plan is another leaves, whoever came last.

use async_trait::async_trait;
use schema_phases::{Moment, PlanDigest, Sighting};

/// Says which plan Git wants.
#[async_trait]
pub trait WantedPlan: Send + Sync {
    /// Its digest, as of now; or why it cannot be told.
    async fn wanted(&self) -> Sighting<PlanDigest>;
}

/// The plan at hand is the wanted one: on a laptop and in CI, where nothing newer can be beside it.
#[derive(Clone, Debug)]
pub struct OwnPlan(pub PlanDigest);

#[async_trait]
impl WantedPlan for OwnPlan {
    async fn wanted(&self) -> Sighting<PlanDigest> {
        Sighting::Seen { value: self.0.clone(), at: Moment::from_unix_millis(0) }
    }
}
