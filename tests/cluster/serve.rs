//! The gate for the whole cluster, `phasegate-rollouts serve`: asked by the plugin that holds no credential, and by the
//! AnalysisTemplate. Its manifests and the controller's are installed as shipped.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::{kubectl, until},
    shop::{SOON, Shop},
};

mod analysis;
mod callers;
mod held;

/// Where the gate runs.
const NAMESPACE: &str = "phasegate";
/// What its copies are told by.
const COPIES: &str = "app.kubernetes.io/name=phasegate-serve";
/// The entry of the plugin that asks there: beside the one that looks by itself, which all other scenarios use.
const REMOTE: &str = "phasegate/remote";
/// Whose certificate it is.
const HOST: &str = "phasegate.phasegate.svc";

/// A folder of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).canonicalize().unwrap()
}

/// Where `tests/cluster/run` made the certificate: ca.crt, ca.key, tls.crt, tls.key.
fn certificate() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../cluster/certificate")
}

/// With the plugin that asks elsewhere.
fn elsewhere(delivery: Delivery) -> Delivery {
    delivery.edited(|rollout| {
        for step in rollout["spec"]["strategy"]["canary"]["steps"].as_array_mut().unwrap() {
            if let Some(plugin) = step.get_mut("plugin") {
                plugin["name"] = json!(REMOTE);
            }
        }
    })
}

/// Version 1, and half of what version 2 needs.
fn version_1() -> Delivery {
    Delivery::example("1-expand").with(CHANGE, "target: migrated", "target: expanded")
}

/// Version 2, and half of what it needs.
fn too_early() -> Delivery {
    Delivery::example("2-canary").with(CHANGE, "target: migrated", "target: expanded")
}

impl Shop {
    /// What a platform team applies for a namespace, with its name and the Secret of its gate.
    async fn serve_may_read_here(&self) {
        let folder = tempfile::tempdir().unwrap();
        let shipped = project("manifests/serve-namespace");
        let copied = folder.path().join("serve-namespace");
        std::fs::create_dir(&copied).unwrap();
        for file in std::fs::read_dir(shipped).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copied.join(file.file_name())).unwrap();
        }
        let secrets = json!([{"op": "replace", "path": "/rules/1/resourceNames", "value": ["customers-reader"]}]);
        let kustomization = json!({
            "namespace": self.namespace, "resources": ["serve-namespace"],
            "patches": [{"target": {"kind": "Role", "name": "phasegate-serve"}, "patch": secrets.to_string()}],
        });
        std::fs::write(folder.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
        let said = kubectl(&["apply", "-k", folder.path().to_str().unwrap()]).await;
        said.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The first token of the AnalysisTemplate, before the CronJob's time.
    async fn the_asker_gets_its_token(&self) {
        let n = &self.namespace;
        let job = ["create", "job", "-n", n, "--from=cronjob/phasegate-asker-token", "phasegate-asker-token-first"];
        kubectl(&job).await.unwrap_or_else(|error| panic!("{error}"));
        until("the asker has a token", SOON, async || {
            if self.asker_token().await?.is_empty() { Err("the Secret is empty".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    async fn asker_token(&self) -> Result<String, String> {
        let token = "-o=go-template={{with .data}}{{.token | base64decode}}{{end}}";
        kubectl(&["get", "secret", "-n", &self.namespace, "phasegate-asker", token]).await
    }
}

/// A way into the Service of the gate, from this machine.
struct Door {
    port: String,
    _forward: Child,
}

impl Door {
    async fn open() -> Self {
        let mut forward = Command::new("kubectl")
            .args(["port-forward", "-n", NAMESPACE, "service/phasegate", ":8443"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(forward.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("kubectl forwards a port");
        let port = line.split(" -> ").next().and_then(|from| from.rsplit(':').next()).unwrap().to_owned();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { port, _forward: forward }
    }

    /// Asks as a web metric does; the code, and what was said.
    async fn ask(&self, token: &str, question: &Value) -> Result<(u16, Value), String> {
        // A machine that is busy with many scenarios keeps the API server waiting; Argo asks again as well. And curl 7.88 now
        // and then takes it for an error (92) that who is refused is refused before its question was read.
        for _ in 0..30 {
            match self.ask_once(token, question).await {
                Ok((503, _)) | Err(_) => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
                Ok(answer) => return Ok(answer),
            }
        }
        self.ask_once(token, question).await
    }

    async fn ask_once(&self, token: &str, question: &Value) -> Result<(u16, Value), String> {
        let ca = certificate().join("ca.crt");
        let mut curl = Command::new("curl")
            .args(["-sS", "--max-time", "20", "-w", "\n%{http_code}", "-H", "@-"])
            .arg("--cacert")
            .arg(ca)
            .arg("--resolve")
            .arg(format!("{HOST}:{}:127.0.0.1", self.port))
            .args(["-d", &question.to_string()])
            .arg(format!("https://{HOST}:{}/v1/verdict", self.port))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("curl is installed; tests/setup/debian does it");
        // No token shows in a list of processes.
        let header = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\n") };
        curl.stdin.take().unwrap().write_all(header.as_bytes()).await.unwrap();
        let output = curl.wait_with_output().await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (body, code) = said.rsplit_once('\n').unwrap();
        let body = serde_json::from_str(body);
        body.map(|body| (code.parse().unwrap(), body))
            .map_err(|error| format!("{error}: {said} {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// A token of that service account (`namespace/name`) for that audience, or for the API server.
async fn token(account: &str, audience: Option<&str>) -> String {
    let (namespace, name) = account.split_once('/').unwrap();
    let audience = audience.map(|audience| format!("--audience={audience}"));
    let mut command = vec!["create", "token", "-n", namespace, name];
    command.extend(audience.as_deref());
    kubectl(&command).await.unwrap_or_else(|error| panic!("{error}")).trim().to_owned()
}
