//! A namespace in the middle of a canary: what the real renderer made of an example, and what Kubernetes and Argo
//! Rollouts add to it (the stable ReplicaSet, the Secret, the Rollout's status).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use schema_changes::Plan;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    examples::{app_manifests, files, root},
    kube_api::KubeApi,
};
use tokio::process::Command;

use crate::{play, target};

/// The namespace.
pub(crate) const NAMESPACE: &str = "shop";
/// These three are also those of the Rollout that `rollouts-future` is built with: its stable version is found too.
const UID: &str = "6f1c1c3e-2f0a-4c54-8e0e-9d7d6d2f6b10";
const CANARY_HASH: &str = "7d9c5c9b5d";
const STABLE_HASH: &str = "5f6b8f9c4d";

/// Deliveries below `examples/`.
#[derive(Clone, Copy)]
pub(crate) struct Deliveries {
    /// What Git wants now.
    pub(crate) plan: &'static str,
    /// Whose pod template is the canary.
    pub(crate) canary: &'static str,
    /// Whose pod template is stable.
    pub(crate) stable: &'static str,
}

/// The namespace and what stands in it.
pub(crate) struct Shop {
    directory: TempDir,
    api: KubeApi,
    rendered: Vec<Value>,
    plan: Plan,
    rollout: PathBuf,
    stable: Value,
}

impl Shop {
    /// Kubernetes and the Rollout at its first step. Nothing of Phasegate's is there yet.
    pub(crate) async fn open(deliveries: Deliveries) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let api = KubeApi::start(directory.path(), NAMESPACE).await.unwrap();
        let folder = root().join("examples").join(deliveries.plan);
        let plan = Plan::read(&files(&folder).unwrap()).unwrap();
        let rendered = render(&folder, directory.path()).await;

        let mut rollout = rollout_of(deliveries.canary);
        let fields = rollout.as_object_mut().unwrap();
        fields.insert(
            "status".into(),
            json!({"currentPodHash": CANARY_HASH, "stableRS": STABLE_HASH, "currentStepIndex": 0,
                "phase": "Progressing", "observedGeneration": "7"}),
        );
        let metadata = fields.get_mut("metadata").and_then(Value::as_object_mut).unwrap();
        metadata.extend([("namespace".to_owned(), NAMESPACE.into()), ("uid".to_owned(), UID.into())]);
        let path = directory.path().join("rollout.json");
        std::fs::write(&path, rollout.to_string()).unwrap();
        let stable = replica_set(&rollout_of(deliveries.stable), STABLE_HASH);
        api.objects.put(stable.clone());
        api.objects.put(replica_set(&rollout, CANARY_HASH));
        Self { directory, api, rendered, plan, rollout: path, stable }
    }

    /// What Argo CD does: applies the rendered objects.
    pub(crate) fn sync(&self) {
        for object in &self.rendered {
            self.api.objects.put(object.clone());
        }
    }

    /// What an administrator does: the Secret with the URL of the gate's role.
    pub(crate) fn let_read(&self, url: &str) {
        let reference = self.plan.database.gate.clone();
        let secret = Secret {
            metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                name: Some(reference.name),
                namespace: Some(NAMESPACE.to_owned()),
                ..Default::default()
            },
            data: Some([(reference.key, ByteString(url.as_bytes().to_vec()))].into()),
            ..Default::default()
        };
        self.api.objects.put(serde_json::to_value(secret).unwrap());
    }

    /// So many more Rollouts like it: `NAME-0` with the UID `uid-0`, and so on, each with a stable ReplicaSet.
    pub(crate) fn multiply(&self, count: usize) {
        let rollout: Value = serde_json::from_slice(&std::fs::read(&self.rollout).unwrap()).unwrap();
        for number in 0..count {
            let mut copy = rollout.clone();
            copy["metadata"]["name"] = format!("{}-{number}", rollout["metadata"]["name"].as_str().unwrap()).into();
            let mut stable = self.stable.clone();
            stable["metadata"]["name"] = format!("{}-{STABLE_HASH}", copy["metadata"]["name"].as_str().unwrap()).into();
            stable["metadata"]["ownerReferences"][0]["uid"] = format!("uid-{number}").into();
            self.api.objects.put(stable);
        }
    }

    /// The Rollout as a question names it.
    pub(crate) fn asking(&self) -> Value {
        let rollout: Value = serde_json::from_slice(&std::fs::read(&self.rollout).unwrap()).unwrap();
        let template = &rollout["spec"]["template"];
        json!({
            "namespace": NAMESPACE, "name": rollout["metadata"]["name"], "uid": UID,
            "stablePodHash": STABLE_HASH, "canaryPodHash": CANARY_HASH, "stepIndex": 0,
            "template": {"labels": template["metadata"]["labels"], "annotations": template["metadata"]["annotations"],
                "image": template["spec"]["containers"][0]["image"]},
        })
    }

    /// A token of this user, which the API server confirms.
    pub(crate) fn believes(&self, user: &str) -> String {
        self.api.believes(user)
    }

    /// The gate's Secret is gone.
    pub(crate) fn forget_secret(&self) {
        self.api.objects.remove("secrets", NAMESPACE, &self.plan.database.gate.name);
    }

    /// A new SQLite database of its own.
    pub(crate) fn sqlite(&self) -> String {
        let path = self.directory.path().join("customers.db");
        // An empty file is an empty database.
        std::fs::write(&path, "").unwrap();
        format!("sqlite://{}", path.display())
    }

    /// What Git declares.
    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The file of the Rollout.
    pub(crate) fn rollout(&self) -> &Path {
        &self.rollout
    }

    /// The file that leads to the API.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.api.kubeconfig
    }
}

async fn render(folder: &Path, scratch: &Path) -> Vec<Value> {
    let mut generate = Command::new(target().ours("phasegate-argocd", scratch).unwrap());
    generate.args(["generate", "--namespace", NAMESPACE]).arg(folder).env_clear();
    let made = play::play(&mut generate, Duration::from_secs(20)).await;
    assert_eq!(made.code, Some(0), "{made}");
    serde_saphyr::from_multiple(&made.out).unwrap()
}

fn rollout_of(delivery: &str) -> Value {
    let manifests = app_manifests(&files(&root().join("examples").join(delivery)).unwrap()).unwrap();
    manifests.into_iter().find(|object| object["kind"] == "Rollout").unwrap()
}

/// As Argo Rollouts makes it.
fn replica_set(rollout: &Value, hash: &str) -> Value {
    let mut template = rollout["spec"]["template"].clone();
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = hash.into();
    let name = rollout["metadata"]["name"].as_str().unwrap();
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{name}-{hash}"), "namespace": NAMESPACE, "uid": "uid-of-the-replica-set",
            "labels": template["metadata"]["labels"],
            "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": name,
                "uid": UID, "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"replicas": 4, "selector": {"matchLabels": {"rollouts-pod-template-hash": hash}},
            "template": template},
        "status": {"replicas": 4},
    })
}
