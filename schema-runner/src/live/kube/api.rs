//! Lists and gets, with the reasons why they fail in our words.

use std::time::Duration;

use kube::{
    Client, Error,
    api::{ApiResource, DynamicObject, ListParams},
};
use schema_phases::{Because, Fact, Missing};

use super::objects::Object;

/// So many objects a page; the API's own clients use the same.
const PAGE: u32 = 500;

/// The kinds that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Rollout,
    Experiment,
    CronJob,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Job,
    Pod,
    PodTemplate,
    ConfigMap,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Rollout => "Rollout",
            Self::Experiment => "Experiment",
            Self::CronJob => "CronJob",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Job => "Job",
            Self::Pod => "Pod",
            Self::PodTemplate => "PodTemplate",
            Self::ConfigMap => "ConfigMap",
        }
    }

    /// Group, version and plural.
    const fn address(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Rollout => ("argoproj.io", "v1alpha1", "rollouts"),
            Self::Experiment => ("argoproj.io", "v1alpha1", "experiments"),
            Self::CronJob => ("batch", "v1", "cronjobs"),
            Self::Job => ("batch", "v1", "jobs"),
            Self::Deployment => ("apps", "v1", "deployments"),
            Self::StatefulSet => ("apps", "v1", "statefulsets"),
            Self::DaemonSet => ("apps", "v1", "daemonsets"),
            Self::ReplicaSet => ("apps", "v1", "replicasets"),
            Self::Pod => ("", "v1", "pods"),
            Self::PodTemplate => ("", "v1", "podtemplates"),
            Self::ConfigMap => ("", "v1", "configmaps"),
        }
    }

    /// Whether a cluster may not know the kind at all.
    const fn is_optional(self) -> bool {
        matches!(self, Self::Rollout | Self::Experiment)
    }

    fn resource(self) -> ApiResource {
        let (group, version, plural) = self.address();
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
            kind: self.as_str().to_owned(),
            plural: plural.to_owned(),
        }
    }
}

/// The Kubernetes API.
#[derive(Clone)]
pub struct Api {
    client: Client,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    /// Through this client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// All objects of a kind in a namespace, as of one moment.
    pub(super) async fn list(&self, kind: Kind, namespace: &str, fact: Fact) -> Result<Vec<Object>, Missing> {
        // A list that takes longer than the API keeps its history is begun again, once.
        let mut listed = self.list_once(kind, namespace).await;
        if listed.as_ref().is_err_and(|cause| code(cause) == Some(410)) {
            listed = self.list_once(kind, namespace).await;
        }
        // The kind's definition is not installed: there are none.
        if kind.is_optional() && listed.as_ref().is_err_and(|cause| code(cause) == Some(404)) {
            listed = Ok(Vec::new());
        }
        listed
            .map_err(|cause| missing(fact, kind, namespace, "list", &cause))?
            .into_iter()
            .map(|object| Object::read(kind, object))
            .collect::<Result<_, String>>()
            .map_err(|why| Missing { fact, because: Because::Untrusted(why) })
    }

    async fn list_once(&self, kind: Kind, namespace: &str) -> Result<Vec<DynamicObject>, Error> {
        let api: kube::Api<DynamicObject> =
            kube::Api::namespaced_with(self.client.clone(), namespace, &kind.resource());
        // No resource version: "most recent", which etcd's quorum answers.
        let mut page = ListParams::default().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let list = api.list(&page).await?;
            all.extend(list.items);
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    /// One object; `None` when there is none of that name.
    pub(super) async fn get(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        fact: Fact,
        patience: Duration,
    ) -> Result<Option<Object>, Missing> {
        let api: kube::Api<DynamicObject> =
            kube::Api::namespaced_with(self.client.clone(), namespace, &kind.resource());
        let got = tokio::time::timeout(patience, api.get_opt(name)).await;
        let got = got.map_err(|_| Missing { fact, because: Because::TimedOut(patience) })?;
        got.map_err(|cause| missing(fact, kind, namespace, "get", &cause))?
            .map(|object| Object::read(kind, object))
            .transpose()
            .map_err(|why| Missing { fact, because: Because::Untrusted(why) })
    }
}

fn missing(fact: Fact, kind: Kind, namespace: &str, verb: &str, cause: &Error) -> Missing {
    let (group, _, plural) = kind.address();
    let because = match code(cause) {
        Some(401 | 403) => {
            let group = if group.is_empty() { "the core group" } else { group };
            Because::NotPermitted(format!(
                "the runner's service account may not {verb} {plural} in namespace {namespace}; allow it in its Role \
                 ({group})"
            ))
        }
        Some(code) => Because::Unreachable(format!("the API answered {code} to {verb} {plural} in {namespace}")),
        None => {
            let why: String = crate::halt::chain(cause).chars().take(300).collect();
            Because::Unreachable(format!("{verb} {plural} in {namespace}: {why}"))
        }
    };
    Missing { fact, because }
}

/// The code that the API answered with, when it answered.
fn code(cause: &Error) -> Option<u16> {
    if let Error::Api(status) = cause { Some(status.code) } else { None }
}
