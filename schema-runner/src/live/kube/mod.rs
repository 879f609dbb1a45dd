//! The live versions of a database as the Kubernetes API tells them.
//!
//! Lists ask for no resource version, so that the API answers from what is agreed on and not from a cache. The order of
//! the lists is part of the promise: owners first, ReplicaSets and Jobs after them, pods last. An owner that goes away while
//! this looks leaves its ReplicaSets or pods behind to be seen, and a pod that starts while this looks was first a
//! template.

mod api;
mod labels;
mod objects;
mod pods;
mod replica_sets;
mod siblings;
mod templates;
mod wanted;

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use schema_changes::Database;
use schema_phases::{Fact, Missing, Sighting};

pub use api::Api;
pub use siblings::KubeSiblings;
pub use wanted::KubeWanted;

use self::{
    api::Kind,
    labels::Naming,
    objects::{Object, Owned},
};
use super::{LiveVersion, LiveVersions};
use crate::clock::Clock;

/// All lists of one look. Less than the time after which a database ends a silent session.
const PATIENCE: Duration = Duration::from_secs(12);

/// Sees the live versions of one database through the API.
#[derive(Clone, Debug)]
pub struct KubeLive {
    api: Api,
    naming: Naming,
    namespaces: BTreeSet<String>,
    app_secrets: BTreeSet<String>,
    clock: Clock,
}

impl KubeLive {
    /// Those of `database`, which is declared in `namespace`.
    pub fn new(api: Api, database: &Database, namespace: &str, clock: Clock) -> Self {
        let mut namespaces: BTreeSet<String> = database.namespaces.iter().cloned().collect();
        namespaces.insert(namespace.to_owned());
        Self {
            api,
            naming: Naming::new(&database.name, namespace),
            namespaces,
            app_secrets: database.app_secrets.iter().cloned().collect(),
            clock,
        }
    }

    async fn look_everywhere(&self) -> Result<Vec<LiveVersion>, Missing> {
        let mut live = BTreeSet::new();
        let mut owners = Vec::new();
        for namespace in &self.namespaces {
            owners.push((namespace, self.owners(namespace).await?));
        }
        let mut controllers = Vec::new();
        for (namespace, owners) in owners {
            let replica_sets = self.list(Kind::ReplicaSet, namespace).await?;
            let jobs = self.list(Kind::Job, namespace).await?;
            controllers.push((namespace, owners, replica_sets, jobs));
        }
        for (namespace, owners, replica_sets, jobs) in controllers {
            let pods = self.list(Kind::Pod, namespace).await?;
            let naming = self.naming.within(namespace);
            let mut owned = Owned::default();
            let pod_templates = self.pod_templates(namespace, &owners).await?;
            live.extend(templates::of_owners(&naming, &owners, &replica_sets, &pod_templates, &mut owned));
            live.extend(replica_sets::live(&naming, &owners, &replica_sets, &mut owned));
            live.extend(templates::of_jobs(&naming, &jobs, &mut owned));
            live.extend(pods::live(&naming, &pods, &owned, &self.app_secrets));
        }
        Ok(live.into_iter().collect())
    }

    /// What starts pods, or starts what starts pods.
    async fn owners(&self, namespace: &str) -> Result<Vec<Object>, Missing> {
        let mut owners = Vec::new();
        for kind in
            [Kind::Rollout, Kind::Experiment, Kind::CronJob, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet]
        {
            owners.extend(self.list(kind, namespace).await?);
        }
        Ok(owners)
    }

    /// PodTemplates are asked for only when a Rollout takes its template from one.
    async fn pod_templates(&self, namespace: &str, owners: &[Object]) -> Result<Vec<Object>, Missing> {
        if owners.iter().any(|owner| owner.workload_ref().is_some_and(|(kind, _)| kind == Kind::PodTemplate.as_str())) {
            self.list(Kind::PodTemplate, namespace).await
        } else {
            Ok(Vec::new())
        }
    }

    async fn list(&self, kind: Kind, namespace: &str) -> Result<Vec<Object>, Missing> {
        self.api.list(kind, namespace, Fact::LiveVersions).await
    }
}

#[async_trait]
impl LiveVersions for KubeLive {
    async fn look(&self) -> Sighting<Vec<LiveVersion>> {
        let at = self.clock.now();
        match tokio::time::timeout(PATIENCE, self.look_everywhere()).await {
            Ok(Ok(value)) => Sighting::Seen { value, at },
            Ok(Err(missing)) => Sighting::Missing(missing),
            Err(_) => Sighting::Missing(Missing {
                fact: Fact::LiveVersions,
                because: schema_phases::Because::TimedOut(PATIENCE),
            }),
        }
    }

    fn counts_sessions(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
