//! Beyond the step plugin of today: HashiCorp's own client asking in gRPC, and Argo Rollouts' own web metric asking
//! `phasegate-rollouts serve` by the AnalysisTemplate that we ship.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use schema_phases::SchemaPhase;
use serde_json::{Value, json};
use tests::examples::root;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    ledger::Ledger,
    play::{Played, play},
    shop::{Deliveries, NAMESPACE, Shop},
    target,
};

pub(crate) const EARLY: Deliveries =
    Deliveries { plan: "customers-demo/2-migrate", canary: "customers-demo/2-migrate", stable: "customers-demo/1-app" };
const LATE: Deliveries = Deliveries {
    plan: "customers-demo/5-contract",
    canary: "customers-demo/1-app",
    stable: "customers-demo/5-contract",
};

pub(crate) async fn at(deliveries: Deliveries, phase: SchemaPhase) -> (Shop, Ledger) {
    let shop = Shop::open(deliveries).await;
    let url = shop.sqlite();
    let mut ledger = Ledger::begin(&url, shop.plan()).await;
    ledger.reach(phase).await;
    shop.sync();
    shop.let_read(&url);
    (shop, ledger)
}

#[tokio::test]
async fn hashicorps_own_client_asks_in_grpc() {
    let (target, scratch) = (target(), tempfile::tempdir().unwrap());
    let plugin = target.ours("phasegate-rollouts", scratch.path()).unwrap();
    let (shop, mut ledger) = at(EARLY, SchemaPhase::Synced).await;
    let ask = async |expected: &str, protocol: &str| {
        let mut host = Command::new(target.counterpart("rollouts-grpc").unwrap());
        host.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", scratch.path()).env("HOME", scratch.path());
        host.env("KUBECONFIG", shop.kubeconfig()).arg("--plugin").arg(&plugin).args(["--expect", expected]);
        host.arg("--question").arg(json!({"rollout": shop.asking()}).to_string());
        play(host.args(["--", "--protocol", protocol]), Duration::from_secs(60)).await
    };
    let held = ask("PHASE_RUNNING", "grpc").await;
    assert_eq!(held.code, Some(0), "{held}");
    let scenarios = ["start", "ping", "dispense", "reflection", "run", "terminate", "abort", "concurrent", "quit"];
    for scenario in scenarios {
        assert!(held.line(&format!("ok {scenario}")).is_some(), "{scenario}: {held}");
    }
    ledger.reach(SchemaPhase::Migrated).await;
    let let_in = ask("PHASE_SUCCESSFUL", "grpc").await;
    assert_eq!(let_in.code, Some(0), "{let_in}");
    // A host that accepts gRPC only is not served with anything else.
    let refused = ask("", "netrpc").await;
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.line("FAIL start").unwrap().contains("unsupported plugin protocol"), "{refused}");
}

/// `phasegate-rollouts serve` with a certificate of our script's making.
pub(crate) struct Serving {
    _child: Child,
    address: String,
    /// Where its metrics are.
    pub(crate) http: String,
    /// Who signs its certificate.
    pub(crate) ca: PathBuf,
}

impl Serving {
    pub(crate) async fn start(binary: &Path, kubeconfig: &Path, scratch: &Path) -> Self {
        let made =
            Command::new(root().join("manifests/serve/certificate")).arg(scratch).arg("localhost").output().await;
        assert!(made.unwrap().status.success(), "openssl made no certificate");
        let file = |name: &str| scratch.join(name);
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .arg("--certificate")
            .arg(file("tls.crt"))
            .arg("--key")
            .arg(file("tls.key"))
            .env_clear()
            .env("KUBECONFIG", kubeconfig)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (address, http) = loop {
            let line = lines.next_line().await.unwrap().expect("it serves");
            let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if told["@message"] == "serving" {
                let address = |name: &str| told[name].as_str().unwrap().to_owned();
                break (address("questions"), address("http"));
            }
        };
        // Read on, so that the pipe never fills.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let port = address.rsplit(':').next().unwrap().to_owned();
        Self { _child: child, address: format!("https://localhost:{port}"), http, ca: file("ca.crt") }
    }
}

/// One measurement by Argo's own web metric, with the arguments that a Rollout gives.
pub(crate) async fn measured(serving: &Serving, shop: &Shop, token: &str, path: &str, trusted: &Path) -> Played {
    let mut driver = Command::new(target().counterpart("analysis-driver-1.10.2").unwrap());
    driver.env_clear().env("SSL_CERT_FILE", trusted).env("SSL_CERT_DIR", "/nowhere");
    driver.arg("--template").arg(root().join("manifests/serve-namespace/analysis-template.yaml"));
    driver.arg("--url").arg(format!("{}{path}", serving.address));
    let asking = shop.asking();
    let field = |name: &str| asking[name].as_str().unwrap().to_owned();
    for (name, value) in [
        ("namespace", NAMESPACE.to_owned()),
        ("rollout", field("name")),
        ("uid", field("uid")),
        ("version", field("canaryPodHash")),
        ("stable", field("stablePodHash")),
        ("token", token.to_owned()),
    ] {
        driver.arg("--arg").arg(format!("{name}={value}"));
    }
    play(&mut driver, Duration::from_secs(30)).await
}

#[tokio::test]
async fn argos_own_web_metric_asks_by_the_template_that_we_ship() {
    let scratch = tempfile::tempdir().unwrap();
    let binary = target().ours("phasegate-rollouts", scratch.path()).unwrap();
    let (shop, mut ledger) = at(EARLY, SchemaPhase::Synced).await;
    let token = shop.believes("system:serviceaccount:shop:phasegate-asker");
    let serving = Serving::start(&binary, shop.kubeconfig(), scratch.path()).await;
    let phase = async |token: &str, path: &str, trusted: &Path| {
        let played = measured(&serving, &shop, token, path, trusted).await;
        assert_eq!(played.code, Some(0), "{played}");
        let line = played.line("measurement").unwrap().to_owned();
        let (phase, said) = line.split_once(' ').unwrap();
        (phase.to_owned(), said.to_owned())
    };
    let ask = async || phase(&token, "/v1/verdict", &serving.ca).await;
    let (held, said) = ask().await;
    assert_eq!(held, "Inconclusive", "{said}");
    assert!(said.contains("needs migrated"), "{said}");
    ledger.reach(SchemaPhase::Migrated).await;
    assert_eq!(ask().await.0, "Successful");

    // Whatever goes wrong is an error, of which the template takes as many as there are; never a success.
    let nobody = scratch.path().join("nobody.crt");
    fs::write(&nobody, "").unwrap();
    for (token, path, trusted, want) in [
        ("x", "/v1/verdict", &serving.ca, "401"),
        (token.as_str(), "/v1/verdit", &serving.ca, "404"),
        (token.as_str(), "/", &serving.ca, "404"),
        (token.as_str(), "/phasegate.step.v1.StepPlugin/Run", &serving.ca, "415"),
        (token.as_str(), "/grpc.health.v1.Health/Check", &serving.ca, "415"),
        (token.as_str(), "/v1/verdict", &nobody, "certificate"),
    ] {
        let (measured, said) = phase(token, path, trusted).await;
        assert_eq!(measured, "Error", "{path}: {said}");
        assert!(said.contains(want), "{path}: {said}");
    }
    shop.forget_secret();
    let (undecided, said) = ask().await;
    assert_eq!(undecided, "Inconclusive", "{said}");
    assert!(said.contains("undecided"), "{said}");
}

#[tokio::test]
async fn what_can_never_come_true_fails_argos_web_metric() {
    let scratch = tempfile::tempdir().unwrap();
    let binary = target().ours("phasegate-rollouts", scratch.path()).unwrap();
    let (shop, _ledger) = at(LATE, SchemaPhase::Contracted).await;
    let token = shop.believes("system:serviceaccount:shop:phasegate-asker");
    let serving = Serving::start(&binary, shop.kubeconfig(), scratch.path()).await;
    let played = measured(&serving, &shop, &token, "/v1/verdict", &serving.ca).await;
    assert!(played.line("measurement Failed").is_some(), "{played}");
}
