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
    path::{Path, PathBuf},
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
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const PATIENT: [&str; 2] = ["--time-limit", "20"];
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

/// Another controller's plugin, or the same one's after a restart.
struct Another {
    process: Process,
    plugin: Plugin,
}

impl Another {
    async fn start(api: &Api, directory: &Path, log: &str, arguments: &[&str]) -> Self {
        let mut launch = Launch::new(BINARY);
        launch.arguments = arguments.iter().map(Into::into).collect();
        let kubeconfig = api.kubeconfig(directory, &serde_json::json!({}));
        launch.environment.push(("KUBECONFIG".into(), kubeconfig.into()));
        launch.stderr = fs::File::create(directory.join(log)).unwrap().into();
        launch.start_within = Duration::from_secs(20);
        let process = Process::start(launch, &handshake()).await.unwrap();
        let plugin = process.host().dispense("RpcStepPlugin").await.unwrap();
        let init = plugin.call("InitPlugin", &Schema::interface([]), Value::nil()).await.unwrap();
        assert_eq!(init.field("ErrorString"), None);
        Self { process, plugin }
    }

    async fn run(&self, status: &[u8]) -> Told {
        let (schema, value) = argument("Run", &Canary::default(), "{}", status);
        Told::of(&self.plugin.call("Run", &schema, value).await.unwrap())
    }
}

impl Bench {
    /// The binary, started, with v1 serving; the ledger does not exist yet. It is patient: a busy machine is no reason
    /// for another verdict here.
    async fn start() -> Self {
        Self::start_with(&PATIENT).await
    }

    async fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let api = Api::start().await;
        api.set(CONFIG_MAP, Says::Object(config_map("sqlite", &[])));
        api.set(SECRET, Says::Object(secret(&format!("sqlite://{}", directory.path().join("customers.db").display()))));
        api.set(STABLE, Says::Object(replica_set("shop-66c5f", "uid-1", "shop:v1", "")));
        let Another { process, plugin } = Another::start(&api, directory.path(), "log", arguments).await;
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

/// Which of the two is answered first is the proof: a Ping that waited for a question would come after it.
#[tokio::test]
async fn a_ping_overtakes_every_question_while_kubernetes_hangs() {
    let bench = Bench::start_with(&PATIENT).await;
    for path in [CONFIG_MAP, STABLE] {
        bench.api.set(path, Says::Nothing);
    }
    let asking = join_all((0..50).map(|_| bench.run()));
    let pinging = async {
        // Until all that can be asked of Kubernetes is asked: the questions are under way and stay so.
        bench.api.until_asked(CONFIG_MAP).await;
        bench.api.until_asked(STABLE).await;
        for _ in 0..20 {
            bench.process.host().ping().await.unwrap();
        }
    };
    tokio::select! {
        biased;
        _ = asking => panic!("questions that cannot be answered were answered before a Ping"),
        () = pinging => {}
    }
    // Argo ends it with questions open.
    assert!(bench.process.quit().await.unwrap().success());
}

#[tokio::test]
async fn while_kubernetes_hangs_each_question_is_answered_undecided() {
    let bench = Bench::start_with(&["--time-limit", "1"]).await;
    for path in [CONFIG_MAP, STABLE] {
        bench.api.set(path, Says::Nothing);
    }
    // The API never answers: that these come back at all is the limit of time at work.
    for told in join_all((0..50).map(|_| bench.run())).await {
        assert!(told.phase.is_empty() && told.error.starts_with("undecided: "), "{told:?}");
    }
    assert!(bench.process.quit().await.unwrap().success());
}

/// A controller that is rolled out anew overlaps with the old one, which is then killed with questions open.
#[tokio::test]
async fn controllers_overlap_and_restart_and_nothing_is_lost() {
    let bench = Bench::start().await;
    let mut runner = Runner::start(&bench.database()).await;
    runner.reach(SchemaPhase::Synced).await;
    let second = Another::start(&bench.api, bench.directory.path(), "second", &PATIENT).await;
    let (one, two) = tokio::join!(bench.run(), second.run(b""));
    assert_eq!((&one.phase, &one.message), (&two.phase, &two.message));
    assert!(one.phase == "Running" && one.message.starts_with("split-full-name is synced"), "{one:?}");
    // Each goes on from what the other wrote.
    let canary = Canary::default();
    let swapped = tokio::join!(bench.ask("Run", &canary, "{}", &two.status), second.run(&one.status));
    assert_eq!((&swapped.0.message, &swapped.1.message), (&one.message, &one.message));

    let killed = Command::new("kill").args(["-KILL", &bench.process.id().unwrap().to_string()]).status().unwrap();
    assert!(killed.success());
    runner.reach(SchemaPhase::Migrated).await;
    let told = second.run(&one.status).await;
    assert!(told.phase == "Successful" && told.message.starts_with("v2 may go on"), "{told:?}");
    // The restarted one knows nothing but the status, and needs no more; a status of nobody does no harm.
    let third = Another::start(&bench.api, bench.directory.path(), "third", &PATIENT).await;
    for status in [&one.status[..], b"", b"{\"version\": 99}", b"\xff"] {
        assert_eq!(third.run(status).await.message, told.message);
    }
    assert!(second.process.quit().await.unwrap().success());
    assert!(third.process.quit().await.unwrap().success());
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

/// A collector that says nothing at first, and then takes what it is sent.
#[tokio::test]
async fn traces_go_to_a_collector_and_wait_for_nobody() {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", collector.local_addr().unwrap());
    let bench = Bench::start_with(&[&PATIENT[..], &["--otlp", &address]].concat()).await;
    let mut runner = Runner::start(&bench.database()).await;
    runner.reach(SchemaPhase::Synced).await;
    assert_eq!(bench.run().await.phase, "Running");
    let (mut asked, _) = collector.accept().await.unwrap();
    // It holds the request, and questions are answered all the same.
    for _ in 0..20 {
        assert_eq!(bench.run().await.phase, "Running");
    }
    let mut request = Vec::new();
    let (head, body) = loop {
        assert_ne!(asked.read_buf(&mut request).await.unwrap(), 0);
        let text = String::from_utf8(request.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>();
        if body.len() == length.unwrap() {
            break (head.to_owned(), body.to_owned());
        }
    };
    asked.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1") && head.contains("content-type: application/json"), "{head}");
    let sent: serde_json::Value = serde_json::from_str(&body).unwrap();
    let spans = sent["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let run = spans.iter().find(|span| span["name"] == "run").unwrap();
    assert_eq!(run["events"][0]["name"], "decided");
    for look in ["ledger", "stable"] {
        let within = |span: &&serde_json::Value| span["name"] == look && span["parentSpanId"] == run["spanId"];
        assert!(spans.iter().any(|span| within(&span)), "{look}: {body}");
    }
    assert!(!body.contains("customers.db"), "an address may hold a password");
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
