//! The further checks through the gate: whatever cannot be seen is never a yes.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use phase_ledger::{QueryAnswer, memory::Memory as MemoryLedger};
use schema_changes::{StepConfig, WhenOverdue};
use schema_phases::{Moment, SchemaPhase, Span, Verdict};
use tokio::time::advance;

use super::{super::*, *};
use crate::{
    ports::{
        JobSight,
        fake::{FakeChecks, FakeDatabases, FakeLedgers, FakeProbes, FakeVersions, InTurn, Says},
    },
    testing::{at_rest, rollout, split_at, step, template},
};

mod data;
mod jobs;
mod statements;
mod watch;

/// v1 serves, v2 asks, the change is migrated: but for the checks it would be let in.
struct Bench {
    checks: Arc<FakeChecks>,
    databases: Arc<FakeDatabases>,
    versions: Arc<FakeVersions>,
    ledgers: FakeLedgers,
    gate: Gate,
    question: Question,
}

fn bench() -> Bench {
    let (checks, databases) = (Arc::new(FakeChecks::default()), Arc::new(FakeDatabases::default()));
    let (versions, ledgers) = (Arc::new(FakeVersions::default()), FakeLedgers::new());
    versions.set("66c5f", Says::this(template("shop:v1", "")));
    ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Migrated))));
    let gate = Gate::new(
        Arc::clone(&databases) as _,
        Arc::clone(&versions) as _,
        Arc::new(ledgers.clone()),
        Clock::starting_at(Moment::from_unix_millis(1_700_000_000_000)),
        Limits::within(Duration::from_secs(4)),
    );
    let ports = CheckPorts {
        sql: Arc::clone(&checks) as _,
        probes: Arc::new(FakeProbes(Arc::clone(&checks))),
        metrics: Arc::clone(&checks) as _,
    };
    let gate = gate.with_checks(ports).with_jobs(Arc::clone(&checks) as _);
    let bench = Bench {
        checks,
        databases,
        versions,
        ledgers,
        gate,
        question: Question { rollout: rollout(), config: StepConfig::default() },
    };
    bench.declare(|_| {});
    bench
}

impl Bench {
    fn declare(&self, change: impl FnOnce(&mut Access)) {
        let url = "postgres://gate@127.0.0.1/customers";
        let mut access = Access::new(url.parse().unwrap(), AccessKey::of(url), "a".repeat(64).parse().ok());
        change(&mut access);
        self.databases.set("customers", Says::this(Place::Declared(Arc::new(access))));
    }

    fn with_statements(mut self, text: &str) -> Self {
        let labels = [("database.phasegate.dev/customers", "")];
        let annotations = [
            ("supports.phasegate.dev/customers", "split-full-name"),
            ("statements.phasegate.dev/customers", "shop-sql"),
        ];
        self.question.rollout.template = Some(PodTemplate::new(labels, annotations, "shop:v2"));
        let files = [("q.sql".to_owned(), text.to_owned())].into();
        self.checks.files.lock().unwrap().insert("shop-sql".to_owned(), Says::this(files));
        self
    }

    fn measuring(mut self, at_most: f64) -> Self {
        let (name, query) = ("errors".to_owned(), "q".to_owned());
        let measure =
            Measure { name, server: None, query, at_most: Some(at_most), at_least: None, held: Duration::ZERO };
        self.question.config.measures = vec![measure];
        self
    }

    /// The apps read from a replica too.
    fn reports(&self) {
        self.declare(|access| {
            let (url, key) = (access.url.clone(), AccessKey::of("replica"));
            access.replicas = vec![ReplicaAccess { name: "reports".to_owned(), url, key }];
        });
    }

    fn measure(&self, now: f64) {
        *self.checks.measured.lock().unwrap() = Some(Says::this(Measured { now, before: Vec::new() }));
    }

    async fn ask(&self) -> (String, String) {
        let verdict = self.gate.ask(&self.question).await.unwrap().verdict;
        let reasons: Vec<String> = verdict.reasons().iter().map(ToString::to_string).collect();
        (verdict.as_str().to_owned(), reasons.join(". "))
    }

    async fn says(&self, verdict: &str, why: &str) {
        let (found, told) = self.ask().await;
        assert!(found == verdict && told.contains(why), "{found}: {told}");
    }
}

const EVERY_MISS: [fn() -> Because; 6] = [
    || Because::Unreachable("gone".to_owned()),
    || Because::NotPermitted("no".to_owned()),
    || Because::Untrusted("odd".to_owned()),
    || Because::NotThere("absent".to_owned()),
    || Because::TimedOut(Duration::from_secs(1)),
    || Because::Stale { age: Duration::from_secs(1) },
];

fn query(at_most: Option<u64>) -> IntegrityQuery {
    IntegrityQuery { name: "orphans".to_owned(), query: "SELECT 1".to_owned(), at_most }
}

#[tokio::test(start_paused = true)]
async fn no_check_that_cannot_be_looked_at_is_ever_a_yes() {
    for because in EVERY_MISS {
        let bench = bench().with_statements("SELECT 1");
        bench.says("proceed", "").await;
        bench.checks.files.lock().unwrap().insert("shop-sql".to_owned(), Says::No(because()));
        bench.says("undecided", "").await;
        let bench = self::bench().measuring(1.0);
        bench.measure(0.5);
        bench.says("proceed", "").await;
        *bench.checks.measured.lock().unwrap() = Some(Says::No(because()));
        bench.says("undecided", "").await;
        let bench = self::bench();
        bench.declare(|access| access.integrity = vec![query(Some(0))]);
        *bench.checks.answer.lock().unwrap() = Some(Says::No(because()));
        bench.says("undecided", "").await;
        let bench = self::bench();
        bench.reports();
        *bench.checks.replica.lock().unwrap() = Some(Says::No(because()));
        bench.says("undecided", "").await;
    }
    // Whatever hangs.
    let bench = bench().measuring(1.0);
    *bench.checks.measured.lock().unwrap() = Some(Says::Nothing);
    bench.says("undecided", "errors: no answer within 2000 ms").await;
    let bench = self::bench().with_statements("SELECT 1");
    bench.checks.files.lock().unwrap().insert("shop-sql".to_owned(), Says::Nothing);
    bench.says("undecided", "statements: no answer within 2000 ms").await;
    let bench = self::bench();
    bench.reports();
    *bench.checks.replica.lock().unwrap() = Some(Says::Nothing);
    bench.says("undecided", "replica reports: no answer within 2000 ms").await;
    let bench = self::bench();
    bench.declare(|access| access.integrity = vec![query(Some(0))]);
    *bench.checks.answer.lock().unwrap() = Some(Says::Nothing);
    bench.says("undecided", "integrity query orphans: no answer within 2000 ms").await;
    // A gate that was started without any way to look.
    let mut bench = self::bench().measuring(1.0);
    bench.gate = Gate::new(
        Arc::clone(&bench.databases) as _,
        Arc::clone(&bench.versions) as _,
        Arc::new(bench.ledgers.clone()),
        Clock::starting_at(Moment::from_unix_millis(0)),
        Limits::within(Duration::from_secs(4)),
    );
    bench.says("undecided", "without anything that could look").await;
}

/// What the other sources said a moment ago does not make up for one that is not there now.
#[tokio::test(start_paused = true)]
async fn a_check_that_comes_and_goes_is_a_yes_only_while_it_is_well() {
    fn turns<T: Clone>(well: &T, lie: &T) -> Arc<InTurn<T>> {
        let mut all = vec![(Says::this(well.clone()), true), (Says::this(lie.clone()), false)];
        for because in EVERY_MISS {
            all.extend([(Says::No(because()), false), (Says::this(well.clone()), true)]);
        }
        all.extend([(Says::Nothing, false), (Says::This(well.clone(), Duration::from_secs(60)), false)]);
        InTurn::new(all)
    }
    type Well = Box<dyn Fn() -> bool>;
    let statements = || -> (Bench, Well) {
        let bench = bench().with_statements("SELECT 1");
        let files = |text: &str| [("q.sql".to_owned(), text.to_owned())].into();
        let turns = turns::<BTreeMap<String, String>>(&files("SELECT 1"), &files("SELECT 'a"));
        bench.checks.files.lock().unwrap().insert("shop-sql".to_owned(), Says::InTurn(Arc::clone(&turns)));
        (bench, Box::new(move || turns.was_well()))
    };
    let integrity = || -> (Bench, Well) {
        let bench = bench();
        bench.declare(|access| access.integrity = vec![query(Some(0))]);
        let turns = turns(&QueryAnswer::Number(0.0), &QueryAnswer::Other("text, and no number".to_owned()));
        *bench.checks.answer.lock().unwrap() = Some(Says::InTurn(Arc::clone(&turns)));
        (bench, Box::new(move || turns.was_well()))
    };
    let measure = || -> (Bench, Well) {
        let bench = bench().measuring(1.0);
        let number = |now: f64| Measured { now, before: Vec::new() };
        let turns = turns(&number(0.5), &number(2.0));
        *bench.checks.measured.lock().unwrap() = Some(Says::InTurn(Arc::clone(&turns)));
        (bench, Box::new(move || turns.was_well()))
    };
    let replica = || -> (Bench, Well) {
        let bench = bench();
        bench.reports();
        let shows = |phase| {
            let memory = MemoryLedger::new();
            memory.put(Some(split_at(at_rest(phase))));
            memory
        };
        let turns = turns(&shows(SchemaPhase::Migrated), &shows(SchemaPhase::Synced));
        *bench.checks.replica.lock().unwrap() = Some(Says::InTurn(Arc::clone(&turns)));
        (bench, Box::new(move || turns.was_well()))
    };
    let all =
        [("statements", statements()), ("integrity", integrity()), ("measure", measure()), ("replica", replica())];
    for (what, (bench, well)) in all {
        let (mut yes, mut no) = (0, 0);
        for question in 0..200 {
            let verdict =
                bench.gate.ask(&bench.question).await.map_or("undecided", |answer| answer.verdict.as_str()).to_owned();
            // A wait may be told from memory; a yes may not.
            assert_eq!(verdict == "proceed", well() && verdict != "wait", "{what}, question {question}: {verdict}");
            if verdict == "proceed" {
                yes += 1
            } else {
                no += 1
            }
            advance(Duration::from_secs(3)).await;
        }
        assert!(yes > 10 && no > 10, "{what}: {yes} {no}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_else_is_asked_while_the_schema_is_behind() {
    let bench = bench().with_statements("SELECT 1").measuring(1.0);
    bench.declare(|access| access.integrity = vec![query(None)]);
    bench.ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Synced))));
    bench.says("wait", "split-full-name is synced").await;
    assert_eq!(bench.checks.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_until_the_time_is_over_is_named() {
    let bench = bench().measuring(1.0);
    // The stable version is remembered, and then slow: the measure hangs the first time, and again when all is looked at anew.
    bench.measure(2.0);
    bench.says("wait", "errors: ").await;
    advance(Duration::from_secs(11)).await;
    *bench.checks.measured.lock().unwrap() = Some(Says::Nothing);
    *bench.ledgers.delay.lock().unwrap() = Duration::from_millis(100);
    let why = bench.gate.ask(&bench.question).await.unwrap_err().to_string();
    assert_eq!(why, "nothing was decided within 4000 ms; it still waited for the check `errors`");
}
