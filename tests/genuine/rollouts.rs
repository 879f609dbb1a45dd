//! Argo Rollouts' own client of three versions, and the plugin binary as it goes into the image.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::join_all;
use schema_phases::SchemaPhase;
use serde_json::Value;
use tempfile::TempDir;
use tests::{
    binaries::Target,
    postgres::{Cluster, PASSWORD, PASSWORD_ENCODED},
};
use tokio::process::Command;

use crate::{
    ledger::Ledger,
    play::{Played, play_watching},
    shop::{Deliveries, Shop},
    target,
};

const VERSIONS: [&str; 3] = ["1.10.2", "1.9.2", "1.8.4"];
/// All that the driver plays, so that one that vanishes is missed.
const SCENARIOS: [&str; 17] = [
    "cookie",
    "init",
    "type",
    "run",
    "terminate",
    "abort",
    "controller",
    "concurrent",
    "large",
    "largest",
    "future",
    "kill",
    "crash",
    "quit",
    "orphan",
    "idle",
    "cleanup",
];

/// Version 2 comes while the change it was built for is under way.
const EARLY: Deliveries =
    Deliveries { plan: "customers-demo/2-migrate", canary: "customers-demo/2-migrate", stable: "customers-demo/1-app" };
/// Version 1 comes back when the column it needs is gone.
const LATE: Deliveries = Deliveries {
    plan: "customers-demo/5-contract",
    canary: "customers-demo/1-app",
    stable: "customers-demo/5-contract",
};
/// [`EARLY`] on PostgreSQL.
const EARLY_ON_POSTGRES: Deliveries = Deliveries {
    plan: "customers-split/2-canary",
    canary: "customers-split/2-canary",
    stable: "customers-split/1-expand",
};

/// The plugin, and a controller of each version to start it.
struct Controllers {
    target: Target,
    scratch: TempDir,
    plugin: PathBuf,
}

/// Where a controller looks, and what it has.
#[derive(Clone, Copy, Default)]
struct Sight<'a> {
    kubeconfig: Option<&'a Path>,
    rollout: Option<&'a Path>,
}

impl Shop {
    fn sight(&self) -> Sight<'_> {
        Sight { kubeconfig: Some(self.kubeconfig()), rollout: Some(self.rollout()) }
    }
}

impl Controllers {
    fn new() -> Self {
        let (target, scratch) = (target(), tempfile::tempdir().unwrap());
        let plugin = target.ours("phasegate-rollouts", scratch.path()).unwrap();
        Self { target, scratch, plugin }
    }

    /// Plays scenarios with the controller of one version.
    async fn play(&self, version: &str, sight: Sight<'_>, arguments: &[&str]) -> Played {
        self.play_watching(version, sight, arguments, |_| {}).await
    }

    /// The same, and `watch` sees the log of controller and plugin.
    async fn play_watching(
        &self,
        version: &str,
        sight: Sight<'_>,
        arguments: &[&str],
        watch: impl FnMut(&str),
    ) -> Played {
        let mut driver = Command::new(self.target.counterpart(&format!("rollouts-driver-{version}")).unwrap());
        // Nothing but what a pod has: without a HOME the plugin would find the kubeconfig of whoever runs the tests.
        driver.env_clear().env("PATH", "/usr/bin:/bin");
        driver.env("TMPDIR", self.scratch.path()).env("HOME", self.scratch.path());
        if let Some(kubeconfig) = sight.kubeconfig {
            driver.env("KUBECONFIG", kubeconfig);
        }
        driver.arg("--plugin").arg(&self.plugin);
        if let Some(rollout) = sight.rollout {
            driver.arg("--rollout").arg(rollout);
        }
        driver.args(["--expect-type", "phasegate/gate"]);
        // Whatever the gate says of Run, an end of the step is never an error: it has nothing to undo.
        driver.args(["--expect-terminate-phase", "Successful", "--expect-abort-phase", "Successful"]);
        let played = play_watching(driver.args(arguments), Duration::from_secs(240), watch).await;
        let said = format!("Argo Rollouts {version}, {arguments:?}: {played}");
        assert_eq!(played.code, Some(0), "{said}");
        assert!(played.line("counterpart").unwrap().contains(&format!("argo-rollouts v{version},")), "{said}");
        for secret in [PASSWORD, PASSWORD_ENCODED] {
            assert!(!played.out.contains(secret) && !played.err.contains(secret), "a password was told");
        }
        assert!(!played.err.contains("panicked"), "{said}");
        played
    }

    /// Asks once with each version; all must be told the same, and that is returned.
    async fn ask(&self, sight: Sight<'_>, status: Option<&Value>) -> Value {
        let status = status.map(Value::to_string).unwrap_or_default();
        let arguments = ["--status", &status, "call"];
        let asked = VERSIONS.map(|version| self.play(version, sight, &arguments));
        let mut told: Vec<Value> = join_all(asked).await.iter().map(Played::answer).collect();
        for answer in &mut told {
            assert!(answer["seconds"].as_f64().unwrap() < 5.0, "a worker of the controller waits: {answer}");
            answer.as_object_mut().unwrap().remove("seconds");
            // When it was seen differs.
            if let Some(status) = answer.get_mut("status").and_then(Value::as_object_mut) {
                status.retain(|_, value| !value.is_number());
            }
        }
        let last = told.pop().unwrap();
        assert!(told.iter().all(|other| *other == last), "{told:?}\n{last}");
        last
    }
}

/// What the caller of a driver expects of Run.
fn expect<'a>(phase: &'a str, message: &'a str) -> [&'a str; 4] {
    ["--expect-phase", phase, "--expect-message-contains", message]
}

fn told(answer: &Value, phase: &str, message: &str) {
    let text = answer["message"].as_str().unwrap_or_default();
    assert!(answer["phase"] == phase && text.contains(message), "wanted {phase} {message:?}: {answer}");
}

fn undecided(answer: &Value, why: &str) {
    let text = answer["error"].as_str().unwrap_or_default();
    assert!(text.starts_with("undecided: ") && text.contains(why), "wanted an error with {why:?}: {answer}");
}

/// Every scenario with every verdict and every version at once: nearly all of the time is the silence of `idle`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_scenarios_pass_whatever_the_verdict() {
    let controllers = Controllers::new();
    let (held, let_in, refused) = (Shop::open(EARLY).await, Shop::open(EARLY).await, Shop::open(LATE).await);
    let phases = [(&held, SchemaPhase::Synced), (&let_in, SchemaPhase::Migrated), (&refused, SchemaPhase::Contracted)];
    for (shop, phase) in phases {
        let url = shop.sqlite();
        shop.sync();
        shop.let_read(&url);
        Ledger::begin(&url, shop.plan()).await.reach(phase).await;
    }
    // `future` has a Rollout of its own, of a version 2 in the same place: nobody refuses that one.
    let nobody = ["--expect-error-contains", "neither a service account nor a kubeconfig was found"];
    let kinds: [(Sight<'_>, &[&str], &str); 4] = [
        (Sight::default(), &nobody, "idle"),
        (held.sight(), &expect("Running", "split-full-name is synced; v2 needs migrated"), "idle"),
        (
            let_in.sight(),
            &expect("Successful", "split-full-name is migrated, inside migrated..contracted of v2"),
            "idle",
        ),
        (
            refused.sight(),
            &expect("Failed", "split-full-name is contracted for good; v1 works only until migrated"),
            "idle,future",
        ),
    ];
    let silences = kinds.iter().flat_map(|(sight, expected, _)| {
        let arguments = [expected, &["--idle", "100s", "idle"][..]].concat();
        VERSIONS.map(|version| (version, *sight, arguments.clone()))
    });
    let silences = join_all(silences.map(async |(version, sight, arguments)| {
        let played = controllers.play(version, sight, &arguments).await;
        let idle = played.line("ok idle").unwrap_or_else(|| panic!("{played}"));
        assert!(idle.contains("the same process answered after 1m40s"), "{idle}");
    }));
    // One verdict after the other: thousands of questions at once are another test's, on another machine.
    let scenarios = async {
        for (sight, expected, skipped) in kinds {
            let arguments = [expected, &["--skip", skipped, "all"]].concat();
            let plays = VERSIONS.map(|version| controllers.play(version, sight, &arguments));
            for played in join_all(plays).await {
                for scenario in SCENARIOS.iter().filter(|name| !skipped.split(',').any(|skipped| skipped == **name)) {
                    assert!(played.line(&format!("ok {scenario}")).is_some(), "{scenario} was not played: {played}");
                }
            }
        }
    };
    tokio::join!(silences, scenarios);
}

/// From a Rollout whose Application was never synced to a column that is gone.
async fn the_life_of_a_change(
    controllers: &Controllers,
    shop: &Shop,
    owner: &str,
    reader: &str,
    grant: impl AsyncFn(),
) {
    let answer = controllers.ask(shop.sight(), None).await;
    told(&answer, "Running", "There is no ConfigMap phasegate-customers in namespace shop: sync the Application");
    assert!(answer["requeueAfterSeconds"].as_f64().unwrap() > 10.0, "{answer}");
    shop.sync();
    undecided(&controllers.ask(shop.sight(), None).await, "there is no Secret customers-reader in namespace shop");
    shop.let_read(reader);
    told(&controllers.ask(shop.sight(), None).await, "Running", "its runner has not begun");

    let mut ledger = Ledger::begin(owner, shop.plan()).await;
    grant().await;
    let mut status = None;
    for phase in [SchemaPhase::Pending, SchemaPhase::Expanded, SchemaPhase::Synced] {
        ledger.reach(phase).await;
        let answer = controllers.ask(shop.sight(), status.as_ref()).await;
        told(&answer, "Running", &format!("split-full-name is {phase}; v2 needs migrated"));
        told(&answer, "Running", "v1 keeps serving");
        status = Some(answer["status"].clone());
    }
    ledger.backfill(1_900_000, 3_000_000).await;
    let answer = controllers.ask(shop.sight(), status.as_ref()).await;
    let progress = "split-full-name is synced, backfill 63 % (1.9 M of 3.0 M rows, about 4 min); v2 needs migrated";
    told(&answer, "Running", progress);
    ledger.finish().await;
    // A status that nobody wrote, and one from a day to come: a hint, and no more.
    for status in [r#"{"version": 99, "verdict": "refuse"}"#, r"[]", "7", r#"{"version": 1, "verdict": "wait"}"#] {
        let answer = controllers.ask(shop.sight(), Some(&serde_json::from_str(status).unwrap())).await;
        told(&answer, "Successful", "v2 may go on: split-full-name is migrated, inside migrated..contracted of v2");
    }
    ledger.reach(SchemaPhase::Contracted).await;
    told(&controllers.ask(shop.sight(), None).await, "Successful", "v1 is outside its window");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_through_the_life_of_a_change_on_sqlite() {
    let (controllers, shop) = (Controllers::new(), Shop::open(EARLY).await);
    let url = shop.sqlite();
    the_life_of_a_change(&controllers, &shop, &url, &url, async || {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_through_the_life_of_a_change_on_postgresql() {
    let (controllers, shop) = (Controllers::new(), Shop::open(EARLY_ON_POSTGRES).await);
    let cluster = Cluster::start().unwrap();
    let database = cluster.database().await.unwrap();
    let role = database.role("gate").await.unwrap();
    let grant = async || {
        let rights = format!(
            "GRANT USAGE ON SCHEMA phasegate TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA phasegate TO {role}"
        );
        database.execute(&rights).await.unwrap();
    };
    the_life_of_a_change(&controllers, &shop, &database.url(), &database.url_as(&role), grant).await;

    // Two hundred rollouts ask at once, and the gate is a modest guest of a server that all share.
    let busy = ["--expect-phase", "Successful", "run", "concurrent", "kill", "crash", "cleanup"];
    controllers.play(VERSIONS[0], shop.sight(), &busy).await;
    drop(cluster);
    let answer = controllers.ask(shop.sight(), None).await;
    undecided(&answer, "database customers: the ledger is out of reach");
    undecided(&answer, "v1 keeps serving");
}

/// Nothing that a process has seen keeps it from seeing what is so now: the runner works while the controller waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_held_a_canary_lets_it_in() {
    let (controllers, shop) = (Controllers::new(), Shop::open(EARLY).await);
    let url = shop.sqlite();
    shop.sync();
    shop.let_read(&url);
    let mut ledger = Ledger::begin(&url, shop.plan()).await;
    ledger.reach(SchemaPhase::Synced).await;
    let (told, mut held) = tokio::sync::mpsc::unbounded_channel();
    // It asks before the silence and after it, and takes any answer.
    let plays = join_all(VERSIONS.map(|version| {
        let (controllers, shop, told) = (&controllers, &shop, told.clone());
        let watch = move |line: &str| {
            if line.contains("decided") && line.contains("verdict=wait") {
                told.send(version).unwrap();
            }
        };
        async move { controllers.play_watching(version, shop.sight(), &["--idle", "15s", "idle"], watch).await }
    }));
    let runner = async {
        for _ in VERSIONS {
            held.recv().await.unwrap();
        }
        ledger.reach(SchemaPhase::Migrated).await;
    };
    let (plays, ()) = tokio::join!(plays, runner);
    for played in plays {
        let idle = played.line("ok idle").unwrap();
        assert!(idle.contains("the same process answered after 15s: Successful \"v2 may go on"), "{idle}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_the_schema_has_outlived_is_refused_in_words_that_help() {
    let (controllers, shop) = (Controllers::new(), Shop::open(LATE).await);
    let url = shop.sqlite();
    shop.sync();
    shop.let_read(&url);
    let mut ledger = Ledger::begin(&url, shop.plan()).await;
    ledger.reach(SchemaPhase::Migrated).await;
    told(&controllers.ask(shop.sight(), None).await, "Successful", "v1 may go on");
    ledger.reach(SchemaPhase::Contracted).await;
    let answer = controllers.ask(shop.sight(), None).await;
    told(&answer, "Failed", "v1 is refused: split-full-name is contracted for good; v1 works only until migrated");
    told(&answer, "Failed", "push, as a new revision, a version built for the new shape of split-full-name");
}

/// Connections are accepted and nothing is ever said on them: worse than nobody there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_never_answers_leaves_every_call_undecided_and_in_time() {
    let (controllers, scratch) = (Controllers::new(), tempfile::tempdir().unwrap());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap());
    let kubeconfig = scratch.path().join("kubeconfig");
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "silent",
        "clusters": [{"name": "silent", "cluster": {"server": server}}], "users": [{"name": "silent", "user": {}}],
        "contexts": [{"name": "silent", "context": {"cluster": "silent", "user": "silent"}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let sight = Sight { kubeconfig: Some(&kubeconfig), rollout: None };
    let expected = ["--call-timeout", "6s", "--expect-error-contains", "undecided: "];
    let scenarios =
        ["type", "run", "terminate", "abort", "controller", "concurrent", "kill", "crash", "quit", "cleanup"];
    let arguments = [&expected[..], &scenarios].concat();
    let plays = VERSIONS.map(|version| controllers.play(version, sight, &arguments));
    for played in join_all(plays).await {
        assert!(played.line("ok concurrent").is_some(), "{played}");
    }
}
