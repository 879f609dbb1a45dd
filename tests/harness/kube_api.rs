//! A stand-in for the Kubernetes API: the list and get endpoints over objects held in memory, on loopback, without TLS.
//!
//! Real clients reach it by the kubeconfig it writes. It knows labels and namespaces, and nothing of what the objects
//! mean; it never writes, watches or authorises. It reviews tokens: those it made itself are good.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// The kinds it serves: kind, group and version, plural.
const KINDS: [(&str, &str, &str); 14] = [
    ("ConfigMap", "v1", "configmaps"),
    ("Secret", "v1", "secrets"),
    ("Pod", "v1", "pods"),
    ("Service", "v1", "services"),
    ("ServiceAccount", "v1", "serviceaccounts"),
    ("ReplicaSet", "apps/v1", "replicasets"),
    ("Deployment", "apps/v1", "deployments"),
    ("StatefulSet", "apps/v1", "statefulsets"),
    ("DaemonSet", "apps/v1", "daemonsets"),
    ("Job", "batch/v1", "jobs"),
    ("CronJob", "batch/v1", "cronjobs"),
    ("Rollout", "argoproj.io/v1alpha1", "rollouts"),
    ("Experiment", "argoproj.io/v1alpha1", "experiments"),
    ("Role", "rbac.authorization.k8s.io/v1", "roles"),
];

/// Plural, namespace and name of an object.
type Key = (String, String, String);

/// The objects. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Objects(Arc<Mutex<Shelf>>);

#[derive(Debug, Default)]
struct Shelf {
    version: u64,
    /// Users by their tokens.
    tokens: BTreeMap<String, String>,
    objects: BTreeMap<Key, Value>,
}

impl Objects {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or replaces an object; its kind, namespace and name say where. Kinds nobody asks for are dropped.
    pub fn put(&self, mut object: Value) {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, namespace, name) = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        let Some((_, _, plural)) = KINDS.iter().find(|(known, _, _)| *known == kind) else { return };
        let mut state = self.lock();
        state.version += 1;
        let version = state.version.to_string();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".into(), version.into());
        }
        state.objects.insert(((*plural).to_owned(), namespace, name), object);
    }

    /// Removes an object.
    pub fn remove(&self, plural: &str, namespace: &str, name: &str) {
        let mut state = self.lock();
        state.version += 1;
        state.objects.remove(&(plural.to_owned(), namespace.to_owned(), name.to_owned()));
    }

    /// One object.
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.lock().objects.get(&(plural.to_owned(), namespace.to_owned(), name.to_owned())).cloned()
    }

    fn list(&self, plural: &str, namespace: Option<&str>, selector: &str) -> (u64, Vec<Value>) {
        let state = self.lock();
        let items = state
            .objects
            .iter()
            .filter(|((kind, ns, _), object)| {
                kind == plural && namespace.is_none_or(|wanted| wanted == ns) && selected(object, selector)
            })
            .map(|(_, object)| object.clone())
            .collect();
        (state.version, items)
    }
}

/// Whether the labels of `object` meet an equality or existence selector.
fn selected(object: &Value, selector: &str) -> bool {
    let labels = object.pointer("/metadata/labels");
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    selector.split(',').filter(|term| !term.is_empty()).all(|term| {
        if let Some((key, value)) = term.split_once("!=") {
            label(key) != Some(value)
        } else if let Some((key, value)) = term.split_once('=') {
            label(key) == Some(value.trim_start_matches('='))
        } else if let Some(key) = term.strip_prefix('!') {
            label(key).is_none()
        } else {
            label(term).is_some()
        }
    })
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct KubeApi {
    /// What it serves.
    pub objects: Objects,
    /// A kubeconfig that leads to it.
    pub kubeconfig: PathBuf,
    server: tokio::task::JoinHandle<()>,
}

impl KubeApi {
    /// Starts it on a free port of the loopback and writes `kubeconfig` into `directory`.
    ///
    /// # Errors
    /// When the port cannot be bound or the file not written.
    pub async fn start(directory: &Path, namespace: &str) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("bind a port on the loopback")?;
        let address = listener.local_addr()?;
        let objects = Objects::default();
        let router = Router::new().fallback(answer).with_state(objects.clone());
        let server = tokio::spawn(async move {
            // It ends with the task; there is nobody to tell.
            let _ = axum::serve(listener, router).await;
        });
        let kubeconfig = directory.join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "demo",
            "clusters": [{"name": "demo", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "demo", "user": {}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo", "namespace": namespace}}],
        });
        // JSON is YAML.
        std::fs::write(&kubeconfig, config.to_string()).context("write the kubeconfig")?;
        Ok(Self { objects, kubeconfig, server })
    }

    /// A token of this user with the audience `phasegate`, which reviews confirm.
    pub fn believes(&self, user: &str) -> String {
        let part = |value: &str| base64url(value.as_bytes());
        let payload = json!({"aud": ["phasegate"], "sub": user, "exp": 4_000_000_000_u64}).to_string();
        let token = format!("{}.{}.{}", part("{}"), part(&payload), part(user));
        self.objects.lock().tokens.insert(token.clone(), user.to_owned());
        token
    }
}

/// Without padding, as tokens have it.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            let value = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or_default();
            text.push(DIGITS.get(value).copied().unwrap_or(b'A').into());
        }
    }
    text
}

impl Drop for KubeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    State(objects): State<Objects>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    body: String,
) -> Response {
    if method == Method::POST && uri.path() == "/apis/authentication.k8s.io/v1/tokenreviews" {
        return reviewed(&objects, serde_json::from_str(&body).unwrap_or_default());
    }
    if method != Method::GET {
        return status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "this stand-in only lists and gets");
    }
    let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let (group_version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ((*version).to_owned(), rest),
        ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
        _ => return not_found(uri.path()),
    };
    let (namespace, plural, name) = match rest {
        ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
        ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
        [plural] => (None, *plural, None),
        _ => return not_found(uri.path()),
    };
    let Some((kind, ..)) = KINDS.iter().find(|(_, gv, known)| *known == plural && *gv == group_version) else {
        return not_found(uri.path());
    };
    if let Some(name) = name {
        return match objects.get(plural, namespace.unwrap_or_default(), name) {
            Some(object) => Json(object).into_response(),
            None => not_found(&format!("{plural} \"{name}\"")),
        };
    }
    let selector = query.get("labelSelector").map(String::as_str).unwrap_or_default();
    let (version, items) = objects.list(plural, namespace, selector);
    Json(json!({
        "apiVersion": group_version, "kind": format!("{kind}List"),
        "metadata": {"resourceVersion": version.to_string()}, "items": items,
    }))
    .into_response()
}

fn reviewed(objects: &Objects, mut review: Value) -> Response {
    let token = review.pointer("/spec/token").and_then(Value::as_str).unwrap_or_default();
    let status = match objects.lock().tokens.get(token) {
        Some(user) => json!({"authenticated": true, "audiences": ["phasegate"], "user": {"username": user}}),
        None => json!({"authenticated": false}),
    };
    if let Some(fields) = review.as_object_mut() {
        fields.insert("status".into(), status);
    }
    (StatusCode::CREATED, Json(review)).into_response()
}

fn not_found(what: &str) -> Response {
    status(StatusCode::NOT_FOUND, "NotFound", &format!("{what} not found"))
}

fn status(code: StatusCode, reason: &str, message: &str) -> Response {
    let body = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code.as_u16(),
    });
    (code, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn ask(api: &KubeApi, method: &str, path: &str) -> (u16, Value) {
        let config: Value = serde_json::from_str(&std::fs::read_to_string(&api.kubeconfig).unwrap()).unwrap();
        let server = config.pointer("/clusters/0/cluster/server").unwrap().as_str().unwrap().to_owned();
        let address = server.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    fn pod(name: &str, namespace: &str, labels: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels}})
    }

    #[tokio::test]
    async fn lists_by_namespace_and_label_and_gets_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let api = KubeApi::start(directory.path(), "shop").await.unwrap();
        api.objects.put(pod("a", "shop", json!({"app": "x"})));
        api.objects.put(pod("b", "shop", json!({"app": "y"})));
        api.objects.put(pod("c", "other", json!({"app": "x"})));
        let rows = [
            ("/api/v1/pods", vec!["c", "a", "b"]),
            ("/api/v1/namespaces/shop/pods", vec!["a", "b"]),
            ("/api/v1/namespaces/shop/pods?labelSelector=app%3Dx", vec!["a"]),
            ("/api/v1/namespaces/shop/pods?labelSelector=app%21%3Dx", vec!["b"]),
            ("/api/v1/namespaces/shop/pods?labelSelector=app", vec!["a", "b"]),
            ("/api/v1/namespaces/shop/pods?labelSelector=%21app", vec![]),
            ("/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts", vec![]),
        ];
        for (path, want) in rows {
            let (code, list) = ask(&api, "GET", path).await;
            let items = list.pointer("/items").unwrap().as_array().unwrap();
            let names: Vec<&str> =
                items.iter().map(|item| item.pointer("/metadata/name").unwrap().as_str().unwrap()).collect();
            assert_eq!((code, names), (200, want), "{path}");
        }
        let (code, object) = ask(&api, "GET", "/api/v1/namespaces/shop/pods/a").await;
        assert_eq!((code, object.pointer("/metadata/labels/app").unwrap()), (200, &json!("x")));
        api.objects.remove("pods", "shop", "a");
        assert_eq!(ask(&api, "GET", "/api/v1/namespaces/shop/pods/a").await.0, 404);
        assert_eq!(ask(&api, "DELETE", "/api/v1/namespaces/shop/pods/b").await.0, 405);
    }
}
