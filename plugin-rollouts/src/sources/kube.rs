//! The Kubernetes API as the gate's source: the renderer's ConfigMap, the Secret it names, and the pod templates of
//! ReplicaSets. It reads objects by name, and holds no watch: what is known of a namespace is asked when it is needed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ::kube::{
    Api, Client, Config, Error, Resource,
    api::ListParams,
    config::{AuthInfo, InferConfigError},
};
use async_trait::async_trait;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::ReplicaSet,
        core::v1::{ConfigMap, PodTemplateSpec, Secret},
    },
};
use phase_ledger::{DatabaseUrl, LedgerEngine};
use schema_phases::Because;
use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::{
    declared::{self, Declared, DeclaredReplica, is_object_name},
    rights::{self, RunsIn},
};
use crate::{
    chain::chain,
    ports::{Access, AccessKey, DatabaseRef, Databases, Place, ReplicaAccess, StableVersion, VersionRef},
    template::PodTemplate,
};

/// Requests at the same time. A controller that restarts with thousands of waiting rollouts asks for all of them at
/// once; the API server is shared with everything else.
const AT_ONCE: usize = 16;
/// The label that Argo Rollouts puts on a ReplicaSet.
const POD_HASH_LABEL: &str = "rollouts-pod-template-hash";
/// Longer Secrets hold no URL.
const LONGEST_URL: usize = 16 * 1024;

/// Reads through the API. Nothing is connected, and no certificate read, before the first question.
pub struct Kubernetes {
    client: OnceCell<Client>,
    slots: Semaphore,
    /// For what it says when a right is missing.
    runs_in: RunsIn,
    /// A connection or an answer that takes longer has failed.
    patience: Duration,
}

/// There is no way to the API.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// Nothing says where it is.
    #[error("neither a service account nor a kubeconfig was found")]
    NoConfig(#[source] Box<InferConfigError>),
    /// It would start one. Such a program inherits our stderr and would keep Argo from ending this process.
    #[error("the kubeconfig runs a program to sign in, which a plugin must not; use one with a token or a certificate")]
    RunsPrograms,
    /// The configuration contradicts itself, or a certificate cannot be read.
    #[error("the client cannot be made")]
    Unusable(#[source] Box<Error>),
}

impl Kubernetes {
    /// A source that gives up on a request after `patience`.
    pub fn new(patience: Duration, runs_in: RunsIn) -> Self {
        Self { client: OnceCell::new(), slots: Semaphore::new(AT_ONCE), runs_in, patience }
    }

    /// A place among the requests that run at the same time.
    pub(super) async fn slot(&self) -> Result<SemaphorePermit<'_>, Because> {
        // Never closed, so never an error.
        self.slots.acquire().await.map_err(|_| Because::Unreachable("shutting down".to_owned()))
    }

    /// A source of the API that `config` leads to.
    ///
    /// # Errors
    /// [`NoClient`].
    pub fn with_config(config: Config, patience: Duration, runs_in: RunsIn) -> Result<Self, NoClient> {
        let client = bounded(config, patience)?;
        Ok(Self { client: OnceCell::new_with(Some(client)), ..Self::new(patience, runs_in) })
    }

    pub(super) const fn runs_in(&self) -> RunsIn {
        self.runs_in
    }

    pub(super) fn because(&self, error: &Error, verb: &str, plural: &str, namespace: &str) -> Because {
        rights::because(error, self.runs_in, verb, plural, namespace)
    }

    pub(super) async fn client(&self) -> Result<&Client, Because> {
        let made = self.client.get_or_try_init(|| connect(self.patience)).await;
        made.map_err(|error| Because::Unreachable(format!("the Kubernetes API: {}", chain(&error))))
    }

    pub(super) async fn get<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, Because>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        if !is_object_name(namespace) || !is_object_name(name) {
            let shown: String = format!("{namespace}/{name}").chars().take(120).collect();
            return Err(Because::Untrusted(format!("`{shown}` cannot be the name of an object; correct the label")));
        }
        let client = self.client().await?;
        let _slot = self.slot().await?;
        let api: Api<K> = Api::namespaced(client.clone(), namespace);
        api.get_opt(name).await.map_err(|error| self.because(&error, "get", &K::plural(&()), namespace))
    }

    async fn replica_set(&self, of: &VersionRef) -> Result<Option<ReplicaSet>, Because> {
        // Argo Rollouts names them so (rollout/sync.go); one that another controller made is no version of this one.
        let name = format!("{}-{}", of.rollout, of.pod_hash);
        let named: Option<ReplicaSet> = self.get(&of.namespace, &name).await?;
        if let Some(found) = named.filter(|found| is_owned(found, &of.uid)) {
            return Ok(Some(found));
        }
        let client = self.client().await?;
        let _slot = self.slot().await?;
        let api: Api<ReplicaSet> = Api::namespaced(client.clone(), &of.namespace);
        let labelled = ListParams::default().labels(&format!("{POD_HASH_LABEL}={}", of.pod_hash));
        let found = api.list(&labelled).await;
        let found = found.map_err(|error| self.because(&error, "list", "replicasets", &of.namespace))?;
        Ok(found.items.into_iter().find(|found| is_owned(found, &of.uid)))
    }

    async fn access(&self, declared: &Declared, namespace: &str) -> Result<Access, Because> {
        let Declared { engine, secret, key, wanted, namespaces: _, integrity, replicas } = declared;
        let (url, access_key) = self.url(namespace, secret, key, engine).await?;
        let mut access = Access::new(url, access_key, wanted.clone());
        access.integrity.clone_from(integrity);
        for DeclaredReplica { name, secret, key } in replicas {
            let (url, key) = self.url(namespace, secret, key, engine).await?;
            access.replicas.push(ReplicaAccess { name: name.clone(), url, key });
        }
        Ok(access)
    }

    async fn url(
        &self,
        namespace: &str,
        secret: &str,
        key: &str,
        engine: &str,
    ) -> Result<(DatabaseUrl, AccessKey), Because> {
        let place = format!("the key `{key}` of the Secret {secret} in namespace {namespace}");
        let found: Option<Secret> = self.get(namespace, secret).await?;
        let data = found
            .ok_or_else(|| {
                Because::NotThere(format!(
                    "there is no Secret {secret} in namespace {namespace}; create it, with the \
                     URL of the gate's read-only role under the key `{key}`"
                ))
            })?
            .data
            .unwrap_or_default();
        let bytes = data.get(key).ok_or_else(|| {
            Because::NotThere(format!("{place} is absent; add it, with the URL of the gate's read-only role"))
        })?;
        let text = std::str::from_utf8(&bytes.0).ok().map(str::trim).filter(|text| text.len() <= LONGEST_URL);
        let text = text.ok_or_else(|| Because::Untrusted(format!("{place} is no URL")))?;
        let url: DatabaseUrl = text.parse().map_err(|bad| Because::Untrusted(format!("{place}: {bad}")))?;
        // The two share a protocol, and an address of the one may lead to the other; its driver looks which it is.
        let shared = (url.engine(), engine) == (LedgerEngine::Mysql, "mariadb");
        if url.engine().as_str() != engine && !shared {
            let found = url.engine().as_str();
            return Err(Because::Untrusted(format!(
                "{place} is a URL of {found}, and the database is declared as {engine}"
            )));
        }
        Ok((url, AccessKey::of(text)))
    }
}

#[async_trait]
impl Databases for Kubernetes {
    async fn place(&self, wanted: &DatabaseRef) -> Result<Place, Because> {
        let DatabaseRef { name, namespace, asked_from } = wanted;
        let config_map = format!("phasegate-{name}");
        let found: Option<ConfigMap> = self.get(namespace, &config_map).await?;
        let Some(found) = found else {
            return Ok(Place::NotDeclared(format!(
                "There is no ConfigMap {config_map} in namespace {namespace}: sync the Application that renders it, or \
                 correct the label database.phasegate.dev/{name}"
            )));
        };
        let declared = declared::read(name, &found.data.unwrap_or_default())
            .map_err(|bad| Because::Untrusted(format!("ConfigMap {config_map} in namespace {namespace}: {bad}")))?;
        if asked_from != namespace && !declared.namespaces.contains(asked_from) {
            return Err(Because::NotPermitted(format!(
                "the Database {name} in namespace {namespace} does not list the namespace {asked_from}; add it to its \
                 `spec.namespaces`"
            )));
        }
        Ok(Place::Declared(Arc::new(self.access(&declared, namespace).await?)))
    }
}

#[async_trait]
impl StableVersion for Kubernetes {
    async fn template(&self, of: &VersionRef) -> Result<PodTemplate, Because> {
        let found = self.replica_set(of).await?;
        let template = found.and_then(|found| found.spec).and_then(|spec| spec.template);
        template.as_ref().map(pod_template).ok_or_else(|| {
            Because::NotThere(format!(
                "the Rollout {} has no ReplicaSet with the pod template hash {} in namespace {}",
                of.rollout, of.pod_hash, of.namespace
            ))
        })
    }
}

fn is_owned(found: &ReplicaSet, uid: &str) -> bool {
    found.metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid)
}

fn pod_template(template: &PodTemplateSpec) -> PodTemplate {
    let metadata = template.metadata.as_ref();
    let first = template.spec.as_ref().and_then(|spec| spec.containers.first());
    PodTemplate::new(
        pairs(metadata.and_then(|metadata| metadata.labels.as_ref())),
        pairs(metadata.and_then(|metadata| metadata.annotations.as_ref())),
        first.and_then(|container| container.image.as_deref()).unwrap_or_default(),
    )
}

fn pairs(map: Option<&BTreeMap<String, String>>) -> impl Iterator<Item = (&str, &str)> {
    map.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// A client of the API that this process is set up for.
pub(super) async fn connect(patience: Duration) -> Result<Client, NoClient> {
    bounded(Config::infer().await.map_err(|error| NoClient::NoConfig(Box::new(error)))?, patience)
}

fn bounded(mut config: Config, patience: Duration) -> Result<Client, NoClient> {
    if runs_programs(&config.auth_info) {
        return Err(NoClient::RunsPrograms);
    }
    config.connect_timeout = Some(patience);
    config.read_timeout = Some(patience);
    config.write_timeout = Some(patience);
    // Else the time a pooled connection lay idle counts against the next answer.
    config.reset_reader_on_write = true;
    // Argo asks again, and the gate's own time is short: a retry inside it only adds load.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| NoClient::Unusable(Box::new(error)))
}

const fn runs_programs(auth: &AuthInfo) -> bool {
    auth.exec.is_some() || auth.auth_provider.is_some()
}
