//! The real binary over the real wire, as Argo starts it: cookie, handshake line, yamux, gob. Kubernetes is a small API
//! on loopback, and the ledger a SQLite file that phase-ledger writes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

mod support;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use futures::future::join_all;
use goplugin_wire::{
    Handshake, Schema, Value,
    host::{
        Plugin,
        process::{Launch, Process},
    },
};
use schema_phases::SchemaPhase;
use support::{
    Api, CONFIG_MAP, Canary, SECRET, STABLE, Says, StepTold as Told, argument, config_map, ledger::Runner, replica_set,
    secret,
};
use tempfile::TempDir;
use tokio::time::Instant;

const BINARY: &str = env!("CARGO_BIN_EXE_phasegate-rollouts");

fn handshake() -> Handshake {
    Handshake {
        protocol_version: 1,
        cookie_key: "ARGO_ROLLOUTS_RPC_PLUGIN".to_owned(),
        cookie_value: "step".to_owned(),
    }
}

struct Bench {
    api: Api,
    directory: TempDir,
    process: Process,
    plugin: Plugin,
}

impl Bench {
    /// The binary, started, with v1 serving; the ledger does not exist yet.
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let api = Api::start().await;
        api.set(CONFIG_MAP, Says::Object(config_map("sqlite", &[])));
        api.set(SECRET, Says::Object(secret(&format!("sqlite://{}", directory.path().join("customers.db").display()))));
        api.set(STABLE, Says::Object(replica_set("shop-66c5f", "uid-1", "shop:v1", "")));
        let mut launch = Launch::new(BINARY);
        let kubeconfig = api.kubeconfig(directory.path(), &serde_json::json!({}));
        launch.environment.push(("KUBECONFIG".into(), kubeconfig.into()));
        launch.stderr = fs::File::create(directory.path().join("log")).unwrap().into();
        launch.start_within = Duration::from_secs(20);
        let process = Process::start(launch, &handshake()).await.unwrap();
        let plugin = process.host().dispense("RpcStepPlugin").await.unwrap();
        let init = plugin.call("InitPlugin", &Schema::interface([]), Value::nil()).await.unwrap();
        assert_eq!(init.field("ErrorString"), None);
        Self { api, directory, process, plugin }
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("customers.db")
    }

    async fn ask(&self, method: &str, canary: &Canary<'_>, config: &str, status: &[u8]) -> Told {
        let (schema, value) = argument(method, canary, config, status);
        Told::of(&self.plugin.call(method, &schema, value).await.unwrap())
    }

    async fn run(&self) -> Told {
        self.ask("Run", &Canary::default(), "{}", b"").await
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

#[tokio::test]
async fn a_canary_is_held_until_the_ledger_says_migrated() {
    let bench = Bench::start().await;
    assert!(bench.process.line().starts_with("1|1|unix|/"), "{}", bench.process.line());
    let kind = bench.plugin.call("Type", &Schema::interface([]), Value::nil()).await.unwrap();
    assert_eq!(kind.as_str(), Some("phasegate/gate"));

    let mut runner = Runner::start(&bench.database()).await;
    let pending = bench.run().await;
    assert_eq!((pending.phase.as_str(), pending.requeue), ("Running", 15_000_000_000));
    assert!(pending.message.starts_with("split-full-name is pending; v2 needs migrated"), "{}", pending.message);

    runner.reach(SchemaPhase::Migrated).await;
    let migrated = bench.ask("Run", &Canary::default(), "{}", &pending.status).await;
    assert_eq!(migrated.phase, "Successful", "{migrated:?}");
    assert!(migrated.message.starts_with("v2 may go on: split-full-name is migrated"), "{}", migrated.message);
    let status: serde_json::Value = serde_json::from_slice(&migrated.status).unwrap();
    assert_eq!((&status["version"], &status["verdict"]), (&1.into(), &"proceed".into()));

    for method in ["Abort", "Terminate"] {
        assert_eq!(bench.ask(method, &Canary::default(), "", b"").await.phase, "Successful");
    }
    drop(runner);
    let log = bench.log();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(["@level", "@message", "@timestamp"].iter().all(|name| line[*name].is_string()), "{line}");
    }
    assert!(log.contains(r#""verdict":"wait""#) && log.contains(r#""verdict":"proceed""#), "{log}");
    assert!(bench.process.quit().await.unwrap().success());
}

#[tokio::test]
async fn every_bad_input_is_told_and_the_process_lives_on() {
    let bench = Bench::start().await;
    let mut runner = Runner::start(&bench.database()).await;
    runner.reach(SchemaPhase::Migrated).await;

    // A nil Rollout.
    let (schema, _) = argument("Run", &Canary::default(), "", b"");
    let nil = Value::interface("step.RunArgs", Value::record("RunArgs", []));
    let told = Told::of(&bench.plugin.call("Run", &schema, nil).await.unwrap());
    assert!(told.error.contains("Argo Rollouts sent no Rollout"), "{told:?}");
    // A config that no waiting can cure.
    let told = bench.ask("Run", &Canary::default(), r#"{"databse": "x"}"#, b"").await;
    assert!(told.error.contains("unknown field `databse`") && told.phase.is_empty(), "{told:?}");
    // 100 KB of annotations that nobody reads, and a status that is none.
    let told = bench.ask("Run", &Canary { bulk: 100_000, ..Canary::default() }, "", &[0xff; 5000]).await;
    assert_eq!(told.phase, "Successful", "{told:?}");
    // Hostile annotations and labels.
    for hostile in ["\u{0}\u{1b}[31m\n,,", "since=", "split-full-name=contracted..pending", &"é".repeat(60_000)] {
        let told = bench.ask("Run", &Canary { supports: hostile, ..Canary::default() }, "", b"").await;
        assert_eq!(told.phase, "Running", "{told:?}");
        assert!(told.message.contains("the canary is unclear") && told.message.len() < 1024, "{told:?}");
        assert!(!told.message.chars().any(char::is_control));
    }
    let odd = [("database.phasegate.dev/../../secrets", ""), ("database.phasegate.dev/customers", "a/b?c")];
    for label in odd {
        let told = bench.ask("Run", &Canary { labels: &[label], ..Canary::default() }, "", b"").await;
        assert!(told.error.contains("cannot be the name of an object"), "{told:?}");
    }
    let told = bench.ask("Run", &Canary { labels: &[], ..Canary::default() }, "", b"").await;
    assert!(told.phase == "Running" && told.message.contains("no label database.phasegate.dev/<database>"), "{told:?}");
    // A Secret that is gone.
    bench.api.remove(SECRET);
    let told = bench.run().await;
    assert!(told.error.contains("there is no Secret customers-reader in namespace store; create it"), "{told:?}");
    // A ConfigMap that was not rendered: waited for, with the remedy.
    bench.api.remove(CONFIG_MAP);
    let told = bench.run().await;
    assert!(told.phase == "Running" && told.message.contains("There is no ConfigMap phasegate-customers"), "{told:?}");

    bench.process.host().ping().await.unwrap();
    assert!(bench.process.quit().await.unwrap().success());
}

#[tokio::test]
async fn while_kubernetes_hangs_each_answer_comes_in_time_and_a_ping_at_once() {
    let bench = Bench::start().await;
    for path in [CONFIG_MAP, STABLE] {
        bench.api.set(path, Says::Nothing);
    }
    let start = Instant::now();
    let asking = join_all((0..50).map(|_| bench.run()));
    let pinging = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let start = Instant::now();
        bench.process.host().ping().await.unwrap();
        start.elapsed()
    };
    let (told, ping) = tokio::join!(asking, pinging);
    assert!(ping < Duration::from_millis(500), "{ping:?}");
    assert!(start.elapsed() < Duration::from_millis(5_500), "{:?}", start.elapsed());
    for told in told {
        assert!(told.phase.is_empty() && told.error.starts_with("undecided: "), "{told:?}");
    }
    let start = Instant::now();
    assert!(bench.process.quit().await.unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn two_hundred_at_once_are_all_answered_and_share_what_they_ask() {
    let bench = Bench::start().await;
    let mut runner = Runner::start(&bench.database()).await;
    runner.reach(SchemaPhase::Synced).await;
    let told = join_all((0..200).map(|_| bench.run())).await;
    assert!(told.iter().all(|told| told.phase == "Running"), "{told:?}");
    assert!(bench.api.asked().len() < 30, "{}", bench.api.asked().len());
    bench.process.quit().await.unwrap();
}

#[tokio::test]
async fn it_leaves_when_its_host_is_gone_and_ignores_an_interrupt() {
    let bench = Bench::start().await;
    let id = bench.process.id().unwrap();
    let interrupted = Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap();
    assert!(interrupted.success());
    bench.process.host().ping().await.unwrap();
    assert!(bench.process.quit().await.unwrap().success());
}

fn by_hand(cookie: Option<&str>) -> (Option<i32>, String, String) {
    let mut command = Command::new(BINARY);
    command.env_remove("ARGO_ROLLOUTS_RPC_PLUGIN").stdin(Stdio::null());
    if let Some(cookie) = cookie {
        command.env("ARGO_ROLLOUTS_RPC_PLUGIN", cookie);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn without_argos_cookie_it_says_what_it_is_and_leaves_stdout_alone() {
    for (cookie, want) in
        [(None, "is not set"), (Some(""), "is not set"), (Some("metric"), "has another value than `step`")]
    {
        let (code, stdout, stderr) = by_hand(cookie);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains(want), "{stderr}");
    }
}

#[test]
fn completions_and_the_version_are_printed() {
    let output = Command::new(BINARY).args(["completions", "bash"]).output().unwrap();
    assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains("phasegate-rollouts"));
    let output = Command::new(BINARY).arg("--version").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("phasegate-rollouts "));
}
