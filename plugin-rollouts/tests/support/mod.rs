//! What the integration tests share: a small Kubernetes API on loopback and a Rollout as Argo's host sends it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

pub mod ledger;
pub mod server;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use goplugin_wire::{Schema, StructDef, Value};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the API says to one path.
#[derive(Clone)]
pub enum Says {
    /// This object.
    Object(Json),
    /// Only a status.
    Status(u16),
    /// Nothing, ever.
    Nothing,
    /// TokenReviews: the status for each token that is known; any other is not authenticated.
    Reviews(BTreeMap<String, Json>),
}

/// An API that knows objects by the path of a GET, query included. It ends when dropped.
pub struct Api {
    pub url: String,
    says: Arc<Mutex<BTreeMap<String, Says>>>,
    asked: Arc<Mutex<Vec<(String, Json)>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Api {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on the loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (says, asked) = (Arc::<Mutex<BTreeMap<_, _>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (shared, log) = (Arc::clone(&says), Arc::clone(&asked));
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, Arc::clone(&shared), Arc::clone(&log)));
            }
        });
        Self { url, says, asked, server }
    }

    pub fn set(&self, path: &str, says: Says) {
        self.says.lock().unwrap().insert(path.to_owned(), says);
    }

    pub fn remove(&self, path: &str) {
        self.says.lock().unwrap().remove(path);
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    /// What was asked, with the bodies.
    pub fn sent(&self) -> Vec<(String, Json)> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until somebody asked for it.
    pub async fn until_asked(&self, path: &str) {
        while !self.asked.lock().unwrap().iter().any(|(asked, _)| asked == path) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Writes a kubeconfig that leads here.
    pub fn kubeconfig(&self, directory: &Path, user: &Json) -> PathBuf {
        let path = directory.join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        std::fs::write(&path, config.to_string()).expect("the kubeconfig is written");
        path
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    mut connection: TcpStream,
    says: Arc<Mutex<BTreeMap<String, Says>>>,
    asked: Arc<Mutex<Vec<(String, Json)>>>,
) -> Option<()> {
    let mut read = Vec::new();
    loop {
        while !read.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut chunk = [0; 4096];
            let count = connection.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
            read.extend_from_slice(&chunk[..count]);
        }
        let end = read.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let whole = end + length.unwrap_or(0);
        while read.len() < whole {
            let mut chunk = [0; 4096];
            let count = connection.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
            read.extend_from_slice(&chunk[..count]);
        }
        let sent: Json = serde_json::from_slice(&read[end..whole]).unwrap_or_default();
        read.drain(..whole);
        let path = head.split(' ').nth(1)?.trim_end_matches('?').to_owned();
        asked.lock().unwrap().push((path.clone(), sent.clone()));
        let found = says.lock().unwrap().get(&path).cloned().unwrap_or(Says::Status(404));
        let (code, body) = match found {
            Says::Object(object) => (200, object),
            Says::Status(code) => {
                let reason = if code == 404 { "NotFound" } else { "Other" };
                (
                    code,
                    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}),
                )
            }
            Says::Nothing => return std::future::pending().await,
            Says::Reviews(known) => {
                let token = sent["spec"]["token"].as_str().unwrap_or_default();
                let status = known.get(token).cloned().unwrap_or_else(|| json!({"authenticated": false}));
                (
                    201,
                    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {},
                    "spec": sent["spec"], "status": status}),
                )
            }
        };
        let body = body.to_string();
        let head =
            format!("HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        connection.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    }
}

pub const CONFIG_MAP: &str = "/api/v1/namespaces/store/configmaps/phasegate-customers";
pub const SECRET: &str = "/api/v1/namespaces/store/secrets/customers-reader";
pub const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
pub const STABLE: &str = "/apis/apps/v1/namespaces/store/replicasets/shop-66c5f";

pub fn config_map(engine: &str, more: &[(&str, &str)]) -> Json {
    let mut data = json!({
        "format": "1", "database": "customers", "engine": engine,
        "gate-secret": "customers-reader", "gate-key": "url", "wanted-digest": "a".repeat(64),
    });
    for (key, value) in more {
        data[*key] = json!(value);
    }
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "phasegate-customers"}, "data": data})
}

pub fn secret(url: &str) -> Json {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "customers-reader"},
        "data": {"url": base64(url.as_bytes())},
    })
}

/// A ReplicaSet of the Rollout with this UID.
pub fn replica_set(name: &str, uid: &str, image: &str, supports: &str) -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "store", "ownerReferences": [
            {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop", "uid": uid, "controller": true}]},
        "spec": {"selector": {}, "template": {
            "metadata": {
                "labels": {"app": "shop", "database.phasegate.dev/customers": ""},
                "annotations": {"supports.phasegate.dev/customers": supports}},
            "spec": {"containers": [{"name": "shop", "image": image}]}}},
    })
}

/// Only tests need it, and only to write.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = u32::from_be_bytes([0, chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)]);
        for digit in 0..4 {
            let used = digit <= chunk.len();
            text.push(if used { DIGITS[(bits >> (18 - 6 * digit) & 63) as usize].into() } else { '=' });
        }
    }
    text
}

/// Labels and annotations of the canary, its image, and bulk that nobody reads.
pub struct Canary<'a> {
    pub labels: &'a [(&'a str, &'a str)],
    pub supports: &'a str,
    pub bulk: usize,
}

impl Default for Canary<'_> {
    fn default() -> Self {
        Self { labels: &[("database.phasegate.dev/customers", "")], supports: "split-full-name", bulk: 0 }
    }
}

/// The argument of a step call as Argo's host sends it, with the fields that the gate reads and one that it does not.
pub fn argument(method: &str, canary: &Canary<'_>, config: &str, status: &[u8]) -> (Schema, Value) {
    let map = |pairs: Vec<(Value, Value)>| Value::Map(pairs);
    let strings = || Schema::map("map[string]string", Schema::String, Schema::String);
    let meta_type = || {
        StructDef::new("ObjectMeta")
            .field("Name", Schema::String)
            .field("Namespace", Schema::String)
            .field("UID", Schema::String)
            .field("Labels", strings())
            .field("Annotations", strings())
    };
    let container = StructDef::new("Container").field("Name", Schema::String).field("Image", Schema::String);
    let pod = StructDef::new("PodSpec").field("Containers", Schema::slice("[]v1.Container", container));
    let template = StructDef::new("PodTemplateSpec").field("ObjectMeta", meta_type()).field("Spec", pod);
    let status_type = StructDef::new("RolloutStatus")
        .field("CurrentPodHash", Schema::String)
        .pointer("CurrentStepIndex", Schema::Int)
        .field("StableRS", Schema::String);
    let rollout_type = StructDef::new("Rollout")
        .field("ObjectMeta", meta_type())
        .field("Spec", StructDef::new("RolloutSpec").field("Template", template))
        .field("Status", status_type);
    let context_type = StructDef::new("RpcStepContext")
        .field("PluginName", Schema::String)
        .field("Config", Schema::Bytes)
        .field("Status", Schema::Bytes);
    let type_name = format!("{method}Args");
    let args_type = StructDef::new(&type_name).pointer("Rollout", rollout_type).field("Context", context_type);

    let pair = |(key, value): &(&str, &str)| (Value::from(*key), Value::from(*value));
    let mut annotations = vec![pair(&("supports.phasegate.dev/customers", canary.supports))];
    annotations.push(("example.com/bulk".into(), "x".repeat(canary.bulk).into()));
    let labels = canary.labels.iter().map(pair).collect();
    let pod_meta = Value::record("ObjectMeta", [("Labels", map(labels)), ("Annotations", map(annotations))]);
    let container = Value::record("Container", [("Name", "shop".into()), ("Image", "shop:v2".into())]);
    let pod = Value::record("PodSpec", [("Containers", vec![container].into())]);
    let template = Value::record("PodTemplateSpec", [("ObjectMeta", pod_meta), ("Spec", pod)]);
    let meta = [("Name", "shop".into()), ("Namespace", "store".into()), ("UID", "uid-1".into())];
    let rollout = Value::record(
        "Rollout",
        [
            ("ObjectMeta", Value::record("ObjectMeta", meta)),
            ("Spec", Value::record("RolloutSpec", [("Template", template)])),
            (
                "Status",
                Value::record("RolloutStatus", [("CurrentPodHash", "7d4b9".into()), ("StableRS", "66c5f".into())]),
            ),
        ],
    );
    let context = Value::record(
        "RpcStepContext",
        [
            ("PluginName", "phasegate/gate".into()),
            ("Config", config.as_bytes().to_vec().into()),
            ("Status", status.to_vec().into()),
        ],
    );
    let name = format!("step.{type_name}");
    let value = Value::record(&type_name, [("Rollout", rollout), ("Context", context)]);
    (Schema::interface([(name.as_str(), args_type.into())]), Value::interface(name.as_str(), value))
}

/// What Argo is told about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTold {
    pub phase: String,
    pub message: String,
    pub requeue: i64,
    pub status: Vec<u8>,
    pub error: String,
}

impl StepTold {
    pub fn of(value: &Value) -> Self {
        let text = |path: &[&str]| value.at(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            phase: text(&["Result", "Phase"]),
            message: text(&["Result", "Message"]),
            requeue: value.at(&["Result", "RequeueAfter"]).and_then(Value::as_i64).unwrap_or_default(),
            status: value.at(&["Result", "Status"]).and_then(Value::as_bytes).unwrap_or_default().to_vec(),
            error: text(&["Error", "ErrorString"]),
        }
    }
}
