//! The plan that Git wants, from the ConfigMap of fixed name that Argo CD applies before the Job.

use std::time::Duration;

use async_trait::async_trait;
use schema_phases::{Because, Fact, Missing, PlanDigest, Sighting};

use super::api::{Api, Kind};
use crate::{clock::Clock, wanted::WantedPlan};

const PATIENCE: Duration = Duration::from_secs(8);

/// Reads `phasegate-<database>`.
#[derive(Clone, Debug)]
pub struct KubeWanted {
    api: Api,
    namespace: String,
    name: String,
    clock: Clock,
}

impl KubeWanted {
    /// That of `database`, in its namespace.
    pub fn new(api: Api, database: &str, namespace: &str, clock: Clock) -> Self {
        Self { api, namespace: namespace.to_owned(), name: format!("phasegate-{database}"), clock }
    }

    async fn read(&self) -> Result<PlanDigest, Missing> {
        let fact = Fact::WantedPlan;
        let place = format!("the ConfigMap {}/{}", self.namespace, self.name);
        let found = self.api.get(Kind::ConfigMap, &self.namespace, &self.name, fact, PATIENCE).await?;
        let Some(map) = found else {
            let why = format!("{place} does not exist; `phasegate-argocd generate` renders it, apply its output whole");
            return Err(Missing { fact, because: Because::NotThere(why) });
        };
        // `data` holds dots and slashes in no key of ours, so a pointer is exact.
        let digest = map.text("/data/wanted-digest").unwrap_or_default();
        digest.parse().map_err(|bad| Missing {
            fact,
            because: Because::Untrusted(format!("{place} names no plan in its key wanted-digest: {bad}")),
        })
    }
}

#[async_trait]
impl WantedPlan for KubeWanted {
    async fn wanted(&self) -> Sighting<PlanDigest> {
        let at = self.clock.now();
        match self.read().await {
            Ok(value) => Sighting::Seen { value, at },
            Err(missing) => Sighting::Missing(missing),
        }
    }
}
