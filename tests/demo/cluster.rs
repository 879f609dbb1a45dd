//! The stand-in for the cluster: objects in the API's memory that mirror this machine's processes.
//!
//! A pod is a process of the app. A ReplicaSet is a pod template and its pods. The Rollout's status is kept the way the
//! Argo Rollouts controller keeps it (stableRS, currentPodHash), by the hand of the story.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tests::kube_api::KubeApi;
use tokio::process::{Child, Command};

use crate::app::Shape;

/// The namespace of the story.
pub(crate) const NAMESPACE: &str = "shop";

/// The cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The API that real binaries reach.
    pub(crate) api: KubeApi,
    directory: PathBuf,
    pods: BTreeMap<String, Pod>,
    started: u64,
    seed: u64,
}

#[derive(Debug)]
struct Pod {
    process: Child,
    replica_set: String,
}

impl Cluster {
    /// An empty cluster; files go below `directory`.
    ///
    /// # Errors
    /// When the API cannot start.
    pub(crate) async fn start(directory: &Path, seed: u64) -> anyhow::Result<Self> {
        let api = KubeApi::start(directory, NAMESPACE).await?;
        Ok(Self { api, directory: directory.to_owned(), pods: BTreeMap::new(), started: 0, seed })
    }

    /// Takes in a rendered object, in the story's namespace unless it names one.
    pub(crate) fn apply(&self, mut object: Value) {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.entry("namespace").or_insert_with(|| NAMESPACE.into());
            metadata.entry("generation").or_insert_with(|| 1.into());
        }
        self.api.objects.put(object);
    }

    /// Takes in a Rollout from Git, makes the ReplicaSet of its template when there is none, and returns its name.
    ///
    /// # Errors
    /// When the Rollout has no pod template.
    pub(crate) fn apply_rollout(&self, mut rollout: Value) -> anyhow::Result<String> {
        let name =
            rollout.pointer("/metadata/name").and_then(Value::as_str).context("a Rollout has a name")?.to_owned();
        let template = rollout.pointer("/spec/template").context("a Rollout has a template")?.clone();
        let hash = template_hash(&template);
        let known = self.api.objects.get("rollouts", NAMESPACE, &name);
        let stable = known.as_ref().and_then(|old| old.pointer("/status/stableRS").cloned()).unwrap_or_default();
        let stable = if stable.is_null() { Value::from(hash.clone()) } else { stable };
        let generation = known.as_ref().and_then(|old| old.pointer("/metadata/generation")).and_then(Value::as_i64);
        let fields = rollout.as_object_mut().context("a Rollout is an object")?;
        fields.insert(
            "status".into(),
            json!({"stableRS": stable, "currentPodHash": hash, "currentStepIndex": 0, "phase": "Progressing"}),
        );
        if let Some(metadata) = rollout.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("generation".into(), (generation.unwrap_or(0) + 1).into());
            metadata.insert("uid".into(), format!("uid-{name}").into());
        }
        self.apply(rollout);
        let replica_set = format!("{name}-{hash}");
        if self.api.objects.get("replicasets", NAMESPACE, &replica_set).is_none() {
            let mut template = template;
            let mut labels = template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
            if let Some(labels) = labels.as_object_mut() {
                labels.insert("rollouts-pod-template-hash".into(), hash.into());
            }
            if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("labels".into(), labels.clone());
            }
            self.apply(json!({
                "apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": replica_set, "uid": format!("uid-{replica_set}"), "labels": labels,
                    "ownerReferences": [owner("argoproj.io/v1alpha1", "Rollout", &name)]},
                "spec": {"replicas": 0, "template": template}, "status": {"replicas": 0, "observedGeneration": 1},
            }));
        }
        Ok(replica_set)
    }

    /// The Rollout as it is.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) fn rollout(&self, name: &str) -> anyhow::Result<Value> {
        self.api.objects.get("rollouts", NAMESPACE, name).with_context(|| format!("no Rollout {name}"))
    }

    /// Writes a field of the Rollout's status.
    ///
    /// # Errors
    /// When there is no such Rollout.
    pub(crate) fn set_status(&self, rollout: &str, field: &str, value: Value) -> anyhow::Result<()> {
        let mut object = self.rollout(rollout)?;
        let status = object.get_mut("status").and_then(Value::as_object_mut).context("it has a status")?;
        status.insert(field.into(), value);
        self.api.objects.put(object);
        Ok(())
    }

    /// Starts one process of the app as a pod of a ReplicaSet.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) fn start_pod(&mut self, replica_set: &str, shape: Shape, database: &Path) -> anyhow::Result<String> {
        self.started += 1;
        let name = format!("{replica_set}-{}", self.started);
        let process = Command::new(std::env::current_exe()?)
            .arg("app")
            .args(["--shape", shape.as_str()])
            .args([Path::new("--database"), database])
            .args([Path::new("--journal"), &self.directory.join(format!("{name}.journal"))])
            .args(["--seed", &(self.seed + self.started).to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("start the app")?;
        let set = self.api.objects.get("replicasets", NAMESPACE, replica_set).context("the pod's ReplicaSet exists")?;
        let metadata = set.pointer("/spec/template/metadata").cloned().unwrap_or_else(|| json!({}));
        self.apply(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "uid": format!("uid-{name}"), "labels": metadata.get("labels"),
                "annotations": metadata.get("annotations"),
                "ownerReferences": [owner("apps/v1", "ReplicaSet", replica_set)]},
            "spec": set.pointer("/spec/template/spec"),
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        }));
        self.pods.insert(name.clone(), Pod { process, replica_set: replica_set.to_owned() });
        self.count(replica_set);
        Ok(name)
    }

    /// Ends all pods of a ReplicaSet: marks them, sends SIGTERM, waits, and removes their objects.
    ///
    /// # Errors
    /// When a process does not end.
    pub(crate) async fn stop_pods(&mut self, replica_set: &str) -> anyhow::Result<()> {
        let names: Vec<String> =
            self.pods.iter().filter(|(_, pod)| pod.replica_set == replica_set).map(|(name, _)| name.clone()).collect();
        for name in &names {
            if let Some(mut object) = self.api.objects.get("pods", NAMESPACE, name) {
                if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("deletionTimestamp".into(), "2026-01-01T00:00:00Z".into());
                }
                self.api.objects.put(object);
            }
        }
        for name in names {
            if let Some(mut pod) = self.pods.remove(&name) {
                terminate(&mut pod.process).await.with_context(|| format!("end the process of {name}"))?;
            }
            self.api.objects.remove("pods", NAMESPACE, &name);
        }
        self.count(replica_set);
        Ok(())
    }

    /// Every pod by name, with the ReplicaSet it belongs to.
    pub(crate) fn pods(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pods.iter().map(|(name, pod)| (name.as_str(), pod.replica_set.as_str()))
    }

    /// Ends what still runs.
    ///
    /// # Errors
    /// When a process does not end.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let sets: Vec<String> = self.pods.values().map(|pod| pod.replica_set.clone()).collect();
        for set in sets {
            self.stop_pods(&set).await?;
        }
        Ok(())
    }

    /// Writes the number of pods into the ReplicaSet.
    fn count(&self, replica_set: &str) {
        let count = self.pods.values().filter(|pod| pod.replica_set == replica_set).count();
        if let Some(mut object) = self.api.objects.get("replicasets", NAMESPACE, replica_set) {
            for part in ["spec", "status"] {
                if let Some(fields) = object.get_mut(part).and_then(Value::as_object_mut) {
                    fields.insert("replicas".into(), count.into());
                }
            }
            self.api.objects.put(object);
        }
    }
}

/// Sends SIGTERM and waits for the end.
///
/// # Errors
/// When it is still there after 30 seconds.
pub(crate) async fn terminate(process: &mut Child) -> anyhow::Result<()> {
    if let Some(id) = process.id() {
        let sent = Command::new("kill").arg(id.to_string()).status().await.context("run kill")?;
        if !sent.success() && process.try_wait()?.is_none() {
            bail!("kill {id} failed");
        }
    }
    tokio::time::timeout(Duration::from_secs(30), process.wait()).await.context("it did not end within 30 s")??;
    Ok(())
}

fn owner(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": format!("uid-{name}"), "controller": true})
}

/// A short name for a pod template, the same for the same template.
fn template_hash(template: &Value) -> String {
    // FNV-1a: any stable hash does, and the controller's own is of no concern here.
    let text = template.to_string();
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{:010x}", hash & 0xff_ffff_ffff)
}
