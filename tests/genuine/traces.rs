//! The gate's traces, taken by the OpenTelemetry Collector's own receiver, and by one that takes nothing.

use std::{process::Stdio, time::Duration};

use schema_phases::SchemaPhase;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpListener,
    process::{Child, ChildStdout, Command},
};

use crate::{
    elsewhere::{EARLY, at},
    play::{Played, play},
    shop::Shop,
    target,
};

/// The Collector's receiver. It ends with its stdin.
struct Collector {
    child: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl Collector {
    async fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = json!({"protocols": {"http": {"endpoint": address}}});
        let mut child = Command::new(target().counterpart("otlp-collector").unwrap())
            .arg(config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).await.unwrap();
        assert_eq!(first, "listening\n");
        Self { child, lines, address: format!("http://{address}") }
    }

    /// Everything it took, as it understood it.
    async fn took(mut self) -> Vec<Value> {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).await.unwrap();
        assert!(self.child.wait().await.unwrap().success());
        rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Argo's own client asks, is silent for longer than the gate gathers spans, and asks again.
async fn asked(shop: &Shop, collector: &str) -> Played {
    let (target, scratch) = (target(), tempfile::tempdir().unwrap());
    let mut driver = Command::new(target.counterpart("rollouts-driver-1.10.2").unwrap());
    driver.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", scratch.path()).env("HOME", scratch.path());
    driver.env("KUBECONFIG", shop.kubeconfig());
    driver.arg("--plugin").arg(target.ours("phasegate-rollouts", scratch.path()).unwrap());
    driver.arg("--rollout").arg(shop.rollout()).args(["--plugin-arg", "--otlp", "--plugin-arg", collector]);
    // The gate gives a collector 5 s: a call that waits for one is too long.
    driver.args(["--call-timeout", "4s", "--expect-phase", "Running", "--idle", "5s", "idle"]);
    let played = play(&mut driver, Duration::from_secs(60)).await;
    assert_eq!(played.code, Some(0), "{played}");
    played
}

/// The attribute of this name, with its type.
fn attribute<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    of["attributes"].as_array()?.iter().find(|it| it["key"] == name).map(|it| &it["value"])
}

#[tokio::test]
async fn the_collectors_own_receiver_takes_what_the_gate_sends() {
    let (shop, _ledger) = at(EARLY, SchemaPhase::Synced).await;
    let collector = Collector::start().await;
    let played = asked(&shop, &collector.address).await;
    assert!(!played.err.contains("takes no traces"), "{played}");
    let took = collector.took().await;
    let resources: Vec<&Value> = took.iter().flat_map(|it| it["resourceSpans"].as_array().unwrap()).collect();
    let spans: Vec<&Value> = resources
        .iter()
        .flat_map(|it| it["scopeSpans"].as_array().unwrap())
        .flat_map(|it| it["spans"].as_array().unwrap())
        .collect();
    let text = |value: &str| Some(json!({"stringValue": value}));
    for resource in &resources {
        assert_eq!(attribute(&resource["resource"], "service.name").cloned(), text("phasegate-rollouts"));
    }
    let run = spans.iter().find(|span| span["name"] == "run").unwrap_or_else(|| panic!("{took:?}"));
    assert_eq!(attribute(run, "namespace").cloned(), text("shop"));
    assert_eq!(attribute(run, "rollout").cloned(), Some(json!({"stringValue": shop.asking()["name"]})));
    assert_eq!((&run["kind"], run["parentSpanId"].as_str().unwrap_or_default()), (&json!(2), ""), "it is the root");
    let decided = run["events"].as_array().unwrap().iter().find(|event| event["name"] == "decided").unwrap();
    assert_eq!(attribute(decided, "verdict").cloned(), text("wait"));
    for (look, database) in [("ledger", text("customers")), ("stable", None)] {
        let within = |span: &&&Value| span["name"] == look && span["parentSpanId"] == run["spanId"];
        let span = spans.iter().find(within).unwrap_or_else(|| panic!("{look}: {took:?}"));
        assert_eq!((&span["traceId"], attribute(span, "database").cloned()), (&run["traceId"], database));
        let nanoseconds = |of: &Value, name: &str| of[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(nanoseconds(span, "startTimeUnixNano") >= nanoseconds(run, "startTimeUnixNano"));
        assert!(nanoseconds(span, "endTimeUnixNano") <= nanoseconds(run, "endTimeUnixNano"));
    }
}

#[tokio::test]
async fn a_collector_that_is_dead_or_hangs_delays_no_answer() {
    let (shop, _ledger) = at(EARLY, SchemaPhase::Synced).await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hanging.local_addr().unwrap();
    let played = asked(&shop, &format!("http://{dead}")).await;
    assert!(played.line("ok idle").is_some() && played.err.contains("the collector takes no traces"), "{played}");
    // It takes the connection, and never says a word.
    let hanging_at = format!("http://{address}");
    let (played, taken) = tokio::join!(asked(&shop, &hanging_at), hanging.accept());
    assert!(played.line("ok idle").is_some() && played.err.contains("verdict=wait"), "{played}");
    drop(taken.unwrap());
}
