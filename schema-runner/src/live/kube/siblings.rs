//! Other pods of the asking pod's template.

use std::time::Duration;

use async_trait::async_trait;
use schema_phases::Fact;
use serde_json::Value;

use super::{
    api::{Api, Kind},
    objects::Object,
};
use crate::check::Siblings;

const PATIENCE: Duration = Duration::from_secs(5);
/// How controllers mark pods of one template. A DaemonSet's and StatefulSet's pods bear the last one.
const HASHES: [&str; 3] = ["rollouts-pod-template-hash", "pod-template-hash", "controller-revision-hash"];

/// Sees them through the API.
#[derive(Clone, Debug)]
pub struct KubeSiblings {
    api: Api,
    namespace: String,
    pod: String,
}

impl KubeSiblings {
    /// Those of `pod`.
    pub fn new(api: Api, namespace: &str, pod: &str) -> Self {
        Self { api, namespace: namespace.to_owned(), pod: pod.to_owned() }
    }
}

#[async_trait]
impl Siblings for KubeSiblings {
    async fn one_is_ready(&self) -> Result<bool, String> {
        let listed =
            tokio::time::timeout(PATIENCE, self.api.list(Kind::Pod, &self.namespace, Fact::LiveVersions)).await;
        let pods = listed
            .map_err(|_| format!("the API did not list pods within {} s", PATIENCE.as_secs()))?
            .map_err(|missing| missing.to_string())?;
        let me = pods.iter().find(|pod| pod.name == self.pod);
        let me = me.ok_or_else(|| format!("there is no pod {} in namespace {}", self.pod, self.namespace))?;
        Ok(pods.iter().any(|pod| pod.name != me.name && same_template(me, pod) && is_ready(pod)))
    }
}

/// The same hash under the same label, and a common owner. A pod without either has no siblings.
fn same_template(one: &Object, other: &Object) -> bool {
    let hash = |pod: &Object| HASHES.iter().find_map(|key| Some((*key, pod.metadata.labels.get(*key)?.clone())));
    hash(one).is_some()
        && hash(one) == hash(other)
        && one.metadata.owners.iter().any(|owner| other.metadata.owners.contains(owner))
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.data.pointer("/status/conditions").and_then(Value::as_array);
    !pod.is_terminating()
        && conditions.into_iter().flatten().any(|condition| {
            let text = |key: &str| condition.get(key).and_then(Value::as_str);
            text("type") == Some("Ready") && text("status") == Some("True")
        })
}
