//! The dashboard's queries against a real Prometheus that reads a real gate.

use std::{fs, process::Stdio, time::Duration};

use schema_phases::SchemaPhase;
use serde_json::Value;
use tests::examples::root;
use tokio::process::{Child, Command};

use crate::{
    elsewhere::{EARLY, Serving, at, measured},
    target,
};

/// A Prometheus that reads the gate every second; it ends with this.
struct Prometheus {
    _child: Child,
    address: String,
}

impl Prometheus {
    fn start(scratch: &std::path::Path, gate: &str) -> Self {
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: gate\n  static_configs: [{{targets: ['{gate}']}}]\n"
        );
        fs::write(scratch.join("prometheus.yml"), config).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", scratch.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", scratch.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus is not installed: tests/setup/debian, or apt-get install prometheus");
        Self { _child: child, address }
    }

    /// The result of a query; none while it cannot be asked.
    async fn query(&self, expression: &str) -> Option<Value> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "5", "--data-urlencode"]).arg(format!("query={expression}"));
        let output = curl.arg(format!("http://{}/api/v1/query", self.address)).output().await.unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        Some(answer["data"]["result"].clone())
    }

    /// Until the query has a result.
    async fn until(&self, expression: &str) -> Value {
        for _ in 0..240 {
            match self.query(expression).await {
                Some(Value::Array(found)) if !found.is_empty() => return Value::Array(found),
                _ => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
        panic!("a minute went by, and this has no result: {expression}")
    }
}

#[tokio::test]
async fn every_query_of_the_dashboard_has_a_result() {
    let scratch = tempfile::tempdir().unwrap();
    let binary = target().ours("phasegate-rollouts", scratch.path()).unwrap();
    let (shop, mut ledger) = at(EARLY, SchemaPhase::Synced).await;
    let token = shop.believes("system:serviceaccount:shop:phasegate-asker");
    let serving = Serving::start(&binary, shop.kubeconfig(), scratch.path()).await;
    let prometheus = Prometheus::start(scratch.path(), &serving.http);
    // Counters must grow while they are watched.
    prometheus.until("up == 1").await;
    let ask = async |token: &str| measured(&serving, &shop, token, "/v1/verdict", &serving.ca).await;
    assert!(ask(&token).await.line("measurement Inconclusive").is_some());
    let waiting = prometheus.until("phasegate_gate_waiting == 1").await;
    assert_eq!(waiting[0]["value"][1], "1");
    prometheus.until("phasegate_gate_oldest_wait_seconds > 0").await;
    ask("x").await;
    ledger.reach(SchemaPhase::Migrated).await;
    for _ in 0..2 {
        assert!(ask(&token).await.line("measurement Successful").is_some());
        prometheus.until("phasegate_gate_verdicts_total{verdict=\"proceed\"} >= 1").await;
    }
    prometheus.until("phasegate_gate_waiting == 0").await;

    let dashboard: Value =
        serde_json::from_slice(&fs::read(root().join("manifests/dashboard/gate.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|it| it["expr"].as_str().unwrap())
        .collect();
    assert!(queries.len() > 12);
    for query in queries {
        prometheus.until(&query.replace("$__rate_interval", "1m")).await;
    }
}
