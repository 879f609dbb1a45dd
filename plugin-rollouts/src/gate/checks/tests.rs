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

#[tokio::test(start_paused = true)]
async fn statements_are_prepared_one_by_one_and_waited_for() {
    let text =
        "-- name: Get :one\nSELECT first_name FROM c;\n-- name: Add :exec\nINSERT INTO c (first_name) VALUES ($1)";
    let bench = bench().with_statements(text);
    bench.says("proceed", "").await;
    let prepared = bench.checks.prepared.lock().unwrap().clone();
    assert_eq!(prepared, ["SELECT first_name FROM c", "INSERT INTO c (first_name) VALUES ($1)"]);
    bench.checks.refused.lock().unwrap().push("first_name".to_owned());
    let told = "statements: the schema does not take 2 of 2: Get: column \"first_name\" does not exist; Add: column";
    bench.says("wait", told).await;
    bench.checks.refused.lock().unwrap().clear();
    bench.checks.required.lock().unwrap().insert("c".to_owned(), vec!["full_name".to_owned()]);
    advance(Duration::from_secs(11)).await;
    bench.says("wait", "1 of 2: Add: it gives c.full_name no value, which is NOT NULL without a default").await;
    bench.checks.required.lock().unwrap().insert("c".to_owned(), vec!["FIRST_NAME".to_owned()]);
    advance(Duration::from_secs(11)).await;
    bench.says("proceed", "").await;
}

#[tokio::test(start_paused = true)]
async fn no_statement_is_ever_refused_for_and_a_broken_file_is_a_missing_fact() {
    let bench = bench().with_statements("SELECT 'a");
    bench.says("undecided", "ConfigMap shop-sql in namespace store: q.sql:1: the string that begins here").await;
    let mut bench = bench.with_statements("-- nothing");
    bench.says("undecided", "holds no statement").await;
    bench.checks.refused.lock().unwrap().push("SELECT".to_owned());
    bench.question.config.when_overdue = WhenOverdue::Wait;
    let bench = bench.with_statements("SELECT 1");
    for _ in 0..1_000 {
        advance(Duration::from_secs(20)).await;
        bench.says("wait", "statements: ").await;
    }
    let many: String = (0..9).map(|at| format!("SELECT {at};")).collect();
    advance(Duration::from_secs(20)).await;
    bench.with_statements(&many).says("wait", "does not take 9 of 9: q.sql line 1: column \"SELECT\" does").await;
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

fn query(at_most: Option<u64>) -> IntegrityQuery {
    IntegrityQuery { name: "orphans".to_owned(), query: "SELECT 1".to_owned(), at_most }
}

#[tokio::test(start_paused = true)]
async fn an_integrity_query_answers_what_was_declared_or_the_canary_waits() {
    let other = || QueryAnswer::Other("more than one row".to_owned());
    let rows = [
        (Some(0), QueryAnswer::Number(0.0), "proceed"),
        (Some(3), QueryAnswer::Number(3.0), "proceed"),
        (Some(0), QueryAnswer::Number(1.0), "wait"),
        (Some(0), QueryAnswer::NoRow, "undecided"),
        (Some(0), QueryAnswer::Null, "undecided"),
        (Some(0), other(), "undecided"),
        (None, QueryAnswer::NoRow, "proceed"),
        (None, QueryAnswer::Number(0.0), "wait"),
        (None, QueryAnswer::Null, "wait"),
        (None, other(), "wait"),
    ];
    for (at_most, answer, want) in rows {
        let bench = bench();
        bench.declare(|access| access.integrity = vec![query(at_most)]);
        *bench.checks.answer.lock().unwrap() = Some(Says::this(answer.clone()));
        let (verdict, told) = bench.ask().await;
        assert_eq!(verdict, want, "{at_most:?} {answer:?}: {told}");
        assert!(
            want == "proceed" || want == "undecided" || told.contains("integrity query orphans: it answers"),
            "{told}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_has_not_followed_is_waited_for() {
    let bench = bench();
    bench.reports();
    bench.says("undecided", "").await;
    let replica = MemoryLedger::new();
    *bench.checks.replica.lock().unwrap() = Some(Says::this(replica.clone()));
    let at = |span| replica.put(Some(split_at(span)));
    let rows: [(&dyn Fn(), &str, &str); 4] = [
        (&|| replica.put(None), "wait", "replica reports: its ledger has not arrived yet"),
        (
            &|| at(at_rest(SchemaPhase::Synced)),
            "wait",
            "replica reports: it shows split-full-name at synced; v2 needs migrated..contracted",
        ),
        (&|| at(Span::Acting(step(SchemaPhase::Synced, SchemaPhase::Migrated))), "wait", "it shows split-full-name"),
        (&|| at(at_rest(SchemaPhase::Migrated)), "proceed", ""),
    ];
    for (set, verdict, why) in rows {
        set();
        advance(Duration::from_secs(11)).await;
        bench.says(verdict, why).await;
    }
    // One that shows the same, of another database.
    let memory = ServerIdentity("memory".to_owned());
    let another = ServerIdentity("another".to_owned());
    replica.set_server(another.clone());
    replica.put(Some(LedgerState { server: another, ..split_at(at_rest(SchemaPhase::Migrated)) }));
    advance(Duration::from_secs(11)).await;
    bench.says("wait", "replica reports: its ledger was not written on the primary: it is no copy of it").await;
    replica.set_server(memory);
    replica.put(Some(crate::testing::ledger(Vec::new())));
    advance(Duration::from_secs(11)).await;
    bench.says("wait", "a change that the version names has not arrived there yet").await;
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
async fn a_measure_is_asked_once_for_all_who_wait_and_anew_for_a_yes() {
    let bench = bench().measuring(1.0);
    bench.measure(2.0);
    for _ in 0..50 {
        bench.says("wait", "errors: it was 2, above 1").await;
    }
    assert_eq!(bench.checks.asked.load(Ordering::SeqCst), 1);
    bench.measure(0.5);
    advance(Duration::from_secs(11)).await;
    bench.says("proceed", "").await;
    let after_one = bench.checks.asked.load(Ordering::SeqCst);
    bench.measure(2.0);
    // What was remembered says yes; a yes looks again, and there is none.
    bench.says("wait", "errors: it was 2").await;
    assert_eq!(bench.checks.asked.load(Ordering::SeqCst), after_one + 1);
}

#[tokio::test(start_paused = true)]
async fn a_watch_lasts_its_time_and_refuses_what_goes_wrong_while_stable_fits() {
    let watching = |tolerated| {
        let mut bench = bench().measuring(1.0);
        bench.question.config.watch = Some(Watch { lasting: Duration::from_secs(60), tolerated });
        bench.measure(0.5);
        bench
    };
    let pause = Duration::from_secs(20);
    let bench = watching(0);
    for seconds in ["1 s", "20 s", "40 s"] {
        bench.says("wait", &format!("errors: well so far, watched for {seconds} of 1 min")).await;
        advance(pause).await;
    }
    bench.says("proceed", "").await;
    // The next step begins its own watch.
    bench.says("wait", "watched for 1 s of 1 min").await;

    let bench = watching(1);
    bench.says("wait", "well so far").await;
    bench.measure(3.0);
    advance(pause).await;
    bench.says("wait", "errors: it was 3, above 1").await;
    advance(pause).await;
    bench.says("refuse", "errors: it was 3, above 1").await;

    // Stable does not fit: a refusal would send all traffic there.
    let bench = watching(0);
    bench.ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Contracted))));
    bench.measure(3.0);
    bench.says("wait", "errors: it was 3").await;

    // Nothing was seen in between: that is no watching.
    let bench = watching(0);
    bench.says("wait", "watched for 1 s").await;
    advance(pause).await;
    *bench.checks.measured.lock().unwrap() = Some(Says::No(Because::NotThere("empty".to_owned())));
    bench.says("undecided", "empty").await;
    advance(Duration::from_secs(3600)).await;
    bench.measure(0.5);
    bench.says("wait", "watched for 20 s of 1 min").await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_overdue_is_told_and_refused_only_when_its_owner_says_so() {
    for (then, want) in [(WhenOverdue::Wait, "wait"), (WhenOverdue::Refuse, "refuse")] {
        let mut bench = bench();
        bench.ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Synced))));
        bench.question.config.overdue_after = Duration::from_secs(120);
        bench.question.config.when_overdue = then;
        for _ in 0..6 {
            let answer = bench.gate.ask(&bench.question).await.unwrap();
            assert!(matches!(answer.verdict, Verdict::Wait(_)) && !answer.view.overdue);
            advance(Duration::from_secs(20)).await;
        }
        let answer = bench.gate.ask(&bench.question).await.unwrap();
        assert!(answer.view.overdue && answer.view.waited == Duration::from_secs(120));
        assert_eq!(answer.verdict.as_str(), want);
    }
    // What cannot be decided is never refused, however late.
    let mut bench = bench();
    bench.question.config.overdue_after = Duration::ZERO;
    bench.question.config.when_overdue = WhenOverdue::Refuse;
    bench.versions.set("66c5f", Says::No(Because::NotThere("gone".to_owned())));
    bench.says("undecided", "gone").await;
}

#[tokio::test(start_paused = true)]
async fn what_became_of_the_job_is_told_where_nothing_moves() {
    let name = |job: &str| job.to_owned();
    let rows = [
        (Says::this(JobSight::Absent), "There is no Job of the plan that Git wants for customers: sync"),
        (Says::this(JobSight::Working { job: name("j") }), "Job j is at work"),
        (Says::this(JobSight::Suspended { job: name("j") }), "Job j is suspended: resume it"),
        (
            Says::this(JobSight::Failed { job: name("j"), why: name("DeadlineExceeded") }),
            "Job j failed (DeadlineExceeded)",
        ),
        (Says::this(JobSight::Complete { job: name("j") }), "Job j is complete: its log says"),
        (
            Says::No(Because::NotPermitted(name("may not list jobs"))),
            "What its Job does cannot be told: may not list jobs",
        ),
        (Says::Nothing, "cannot be told: no answer within 400 ms"),
    ];
    for (says, want) in rows {
        let bench = bench();
        *bench.checks.job.lock().unwrap() = Some(says);
        bench.ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Synced))));
        let answer = bench.gate.ask(&bench.question).await.unwrap();
        let note = answer.view.databases[0].note.clone().unwrap();
        assert!(note.contains(want) && matches!(answer.verdict, Verdict::Wait(_)), "{note}");
        bench.ledgers.memory.put(Some(split_at(Span::Acting(step(SchemaPhase::Synced, SchemaPhase::Migrated)))));
        let answer = bench.gate.ask(&bench.question).await.unwrap();
        assert_eq!(answer.view.databases[0].note, None, "the ledger says that it works");
    }
}

/// No decision rests on the Job, whatever Kubernetes says of it and however long it takes.
#[tokio::test(start_paused = true)]
async fn a_job_that_comes_and_goes_and_lies_changes_no_verdict_and_costs_little_time() {
    let job = || "j".to_owned();
    let mut all: Vec<(Says<JobSight>, bool)> = vec![
        (Says::this(JobSight::Absent), true),
        // It cannot be, as the ledger has it.
        (Says::this(JobSight::Complete { job: job() }), true),
        (Says::this(JobSight::Failed { job: "j".repeat(100_000), why: "\u{0}\n".repeat(50_000) }), true),
        (Says::this(JobSight::Working { job: job() }), true),
        (Says::Nothing, false),
        (Says::This(JobSight::Suspended { job: job() }, Duration::from_secs(60)), false),
    ];
    all.extend(EVERY_MISS.map(|because| (Says::No(because()), false)));
    for (phase, want) in [(SchemaPhase::Synced, "wait"), (SchemaPhase::Migrated, "proceed")] {
        let bench = bench();
        let turns = InTurn::new(all.clone());
        *bench.checks.job.lock().unwrap() = Some(Says::InTurn(Arc::clone(&turns)));
        bench.ledgers.memory.put(Some(split_at(at_rest(phase))));
        let mut notes = BTreeSet::new();
        for question in 0..100 {
            let began = tokio::time::Instant::now();
            let answer = bench.gate.ask(&bench.question).await.unwrap();
            assert_eq!(answer.verdict.as_str(), want, "question {question}");
            assert!(began.elapsed() <= Duration::from_millis(400), "question {question}: {:?}", began.elapsed());
            let note = answer.view.databases[0].note.clone();
            let report = crate::step::report::report(answer, &bench.question.rollout, &bench.question.config, None);
            assert!(report.message().len() < 4_096, "question {question}");
            notes.extend(note.map(|note| note.chars().take(40).collect::<String>()));
            advance(Duration::from_secs(11)).await;
        }
        assert_eq!(notes.len() > 4, want == "wait", "{notes:?}");
    }
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
