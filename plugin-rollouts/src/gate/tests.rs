use std::sync::atomic::Ordering;

use futures::future::join_all;
use phase_ledger::memory::Reads;
use schema_changes::StepConfig;
use schema_phases::{Because, Moment, Reason, SchemaPhase, Span};
use tokio::time::{Instant, advance, sleep};

use super::{wanted::MOST_DATABASES, *};
use crate::{
    ports::{
        Access,
        fake::{FakeDatabases, FakeLedgers, FakeVersions, InTurn, Says},
    },
    testing::{at_rest, rollout, split_at, step, template},
};

struct Bench {
    databases: Arc<FakeDatabases>,
    versions: Arc<FakeVersions>,
    ledgers: FakeLedgers,
    gate: Gate,
}

fn declared(url: &str) -> Place {
    let wanted = "a".repeat(64).parse().ok();
    Place::Declared(Arc::new(Access::new(url.parse().unwrap(), AccessKey::of(url), wanted)))
}

/// v1 serves, v2 asks, the change is synced.
fn bench() -> Bench {
    let (databases, versions, ledgers) =
        (Arc::new(FakeDatabases::default()), Arc::new(FakeVersions::default()), FakeLedgers::new());
    databases.set("customers", Says::this(declared("sqlite:///customers")));
    versions.set("66c5f", Says::this(template("shop:v1", "")));
    ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Synced))));
    let clock = Clock::starting_at(Moment::from_unix_millis(1_700_000_000_000));
    let gate = Gate::new(
        Arc::clone(&databases) as _,
        Arc::clone(&versions) as _,
        Arc::new(ledgers.clone()),
        clock,
        Limits::within(Duration::from_secs(4)),
    );
    Bench { databases, versions, ledgers, gate }
}

fn question() -> Question {
    Question { rollout: rollout(), config: StepConfig::default() }
}

impl Bench {
    async fn verdict(&self) -> Verdict {
        self.gate.ask(&question()).await.unwrap().verdict
    }

    fn put(&self, span: Span) {
        self.ledgers.memory.put(Some(split_at(span)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_waits_until_the_schema_is_ready_and_then_goes_on() {
    let bench = bench();
    let answer = bench.gate.ask(&question()).await.unwrap();
    assert!(matches!(answer.verdict, Verdict::Wait(_)));
    assert_eq!((answer.view.canary.as_str(), answer.view.stable.as_deref()), ("v2", Some("v1")));
    assert_eq!(answer.view.databases[0].plan, PlanSight::Wanted);
    for (span, word) in [
        (Span::Intended(step(SchemaPhase::Synced, SchemaPhase::Migrated)), "wait"),
        (Span::Acting(step(SchemaPhase::Synced, SchemaPhase::Migrated)), "wait"),
        (at_rest(SchemaPhase::Migrated), "proceed"),
        // A revert that is only intended keeps whoever comes second out.
        (Span::Intended(step(SchemaPhase::Migrated, SchemaPhase::Synced)), "wait"),
    ] {
        bench.put(span);
        assert_eq!(bench.verdict().await.as_str(), word, "{span}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_never_come_true_is_refused_while_stable_fits() {
    let bench = bench();
    bench.versions.set("66c5f", Says::this(template("shop:v2", "split-full-name")));
    bench.put(at_rest(SchemaPhase::Contracted));
    let mut question = question();
    question.rollout.template = Some(template("shop:v1", ""));
    assert_eq!(bench.gate.ask(&question).await.unwrap().verdict.as_str(), "refuse");
    // It does not fit either: sending all traffic to it would be worse than waiting.
    bench.versions.set("66c5f", Says::this(template("shop:v0", "")));
    advance(Duration::from_secs(3600)).await;
    assert_eq!(bench.gate.ask(&question).await.unwrap().verdict.as_str(), "wait");
}

#[tokio::test(start_paused = true)]
async fn no_missing_fact_is_ever_a_yes() {
    let no = || {
        [
            Because::Unreachable("gone".to_owned()),
            Because::NotPermitted("no".to_owned()),
            Because::Untrusted("odd".to_owned()),
            Because::NotThere("absent".to_owned()),
            Because::TimedOut(Duration::from_secs(1)),
            Because::Stale { age: Duration::from_secs(1) },
        ]
    };
    for because in no() {
        let bench = bench();
        bench.put(at_rest(SchemaPhase::Migrated));
        assert_eq!(bench.verdict().await.as_str(), "proceed", "with every fact");
        bench.databases.set("customers", Says::No(because.clone()));
        assert_eq!(bench.verdict().await.as_str(), "undecided", "the place: {because:?}");
        bench.databases.set("customers", Says::this(declared("sqlite:///customers")));
        bench.versions.set("66c5f", Says::No(because.clone()));
        assert_eq!(bench.verdict().await.as_str(), "undecided", "stable: {because:?}");
    }
    let errors: [fn() -> phase_ledger::ReadError; 4] = [
        || phase_ledger::ReadError::Unreachable { cause: "refused".into() },
        || phase_ledger::ReadError::Standby,
        || phase_ledger::ReadError::Damaged { table: "t".into(), why: "odd".into() },
        || phase_ledger::ReadError::NotPermitted { table: "t".into() },
    ];
    for error in errors {
        let bench = bench();
        bench.put(at_rest(SchemaPhase::Migrated));
        bench.ledgers.memory.reads(Reads::Fail(Arc::new(error)));
        assert_eq!(bench.verdict().await.as_str(), "undecided", "the ledger: {}", error());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fact_that_goes_missing_after_it_was_remembered_is_still_missing_for_a_yes() {
    let bench = bench();
    assert_eq!(bench.verdict().await.as_str(), "wait");
    bench.put(at_rest(SchemaPhase::Migrated));
    bench.databases.set("customers", Says::No(Because::NotThere("the Secret is gone".to_owned())));
    assert_eq!(bench.verdict().await.as_str(), "undecided");
}

#[tokio::test(start_paused = true)]
async fn a_yes_rests_on_the_place_as_it_is_now() {
    let bench = bench();
    assert_eq!(bench.verdict().await.as_str(), "wait");
    assert_eq!((bench.databases.count(), bench.versions.count.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(bench.verdict().await.as_str(), "wait");
    assert_eq!((bench.databases.count(), bench.versions.count.load(Ordering::SeqCst)), (1, 1), "waiting asks little");
    bench.put(at_rest(SchemaPhase::Migrated));
    assert_eq!(bench.verdict().await.as_str(), "proceed");
    assert_eq!((bench.databases.count(), bench.versions.count.load(Ordering::SeqCst)), (2, 2), "a yes looks anew");
}

#[tokio::test(start_paused = true)]
async fn whatever_hangs_the_answer_comes_in_time_and_is_undecided() {
    let hung = |what: &str| {
        let bench = bench();
        bench.put(at_rest(SchemaPhase::Migrated));
        match what {
            "place" => bench.databases.set("customers", Says::Nothing),
            "stable" => bench.versions.set("66c5f", Says::Nothing),
            "ledger" => bench.ledgers.memory.reads(Reads::Hang),
            _ => {
                bench.databases.set("customers", Says::Nothing);
                bench.versions.set("66c5f", Says::Nothing);
                bench.ledgers.memory.reads(Reads::Hang);
            }
        }
        bench
    };
    for what in ["place", "stable", "ledger", "all"] {
        let bench = hung(what);
        let start = Instant::now();
        let Verdict::Undecided(reasons) = bench.verdict().await else { panic!("{what}") };
        assert!(start.elapsed() <= Duration::from_secs(4), "{what}: {:?}", start.elapsed());
        assert!(reasons[0].to_string().contains("did not answer within"), "{what}: {}", reasons[0]);
    }
    // The slowest path that still answers: everything just inside its own limit.
    let bench = bench();
    let slow = Duration::from_millis(1_490);
    bench.databases.set("customers", Says::This(declared("sqlite:///customers"), slow));
    bench.versions.set("66c5f", Says::This(template("shop:v1", ""), slow));
    *bench.ledgers.delay.lock().unwrap() = Duration::from_millis(1_990);
    assert_eq!(bench.verdict().await.as_str(), "wait");
    // Remembered, and then all that is slow once more: the whole bound holds, and nothing is guessed.
    bench.put(at_rest(SchemaPhase::Migrated));
    let start = Instant::now();
    let answer = bench.gate.ask(&question()).await;
    let why = answer.unwrap_err().to_string();
    let told = "nothing was decided within 4000 ms; it still waited for the ledger of database customers";
    assert_eq!(why, told);
    assert_eq!(start.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_rollouts_share_two_reads_and_each_began_after_its_question() {
    let bench = Arc::new(bench());
    *bench.ledgers.delay.lock().unwrap() = Duration::from_millis(200);
    let ask = |number: u64| {
        let bench = Arc::clone(&bench);
        async move {
            sleep(Duration::from_millis(number % 190)).await;
            let asked = Instant::now();
            let mut question = question();
            question.rollout.name = format!("shop-{number}");
            question.rollout.uid = format!("uid-{number}");
            let answer = bench.gate.ask(&question).await.unwrap();
            (asked, Instant::now(), answer)
        }
    };
    let answers = join_all((0..500).map(ask)).await;
    let reads = bench.ledgers.reads.lock().unwrap().clone();
    assert_eq!(reads.len(), 2);
    assert_eq!(bench.ledgers.opened.load(Ordering::SeqCst), 1, "one connection");
    for (asked, answered, answer) in answers {
        assert!(matches!(answer.verdict, Verdict::Wait(_)));
        let within = |read: &&Instant| **read >= asked && **read + Duration::from_millis(200) <= answered;
        assert!(
            reads.iter().any(|read| within(&read)),
            "no read began after this question and ended before its answer"
        );
    }
}

/// As many as wait for one backfill in a large cluster, asked for as often as Argo asks: all of them every 20 s.
#[tokio::test(start_paused = true)]
async fn five_thousand_waiting_rollouts_cost_one_read_at_a_time_and_each_answer_is_fresh() {
    let bench = Arc::new(bench());
    let takes = Duration::from_millis(200);
    *bench.ledgers.delay.lock().unwrap() = takes;
    let ask = |number: u64| {
        let bench = Arc::clone(&bench);
        async move {
            sleep(Duration::from_millis(number * 4)).await;
            let asked = Instant::now();
            let mut question = question();
            question.rollout.name = format!("shop-{number}");
            question.rollout.uid = format!("uid-{number}");
            let answer = bench.gate.ask(&question).await.unwrap();
            assert!(matches!(answer.verdict, Verdict::Wait(_)));
            (asked, Instant::now())
        }
    };
    let answers = join_all((0..5_000).map(ask)).await;
    assert_eq!(bench.ledgers.most_at_once.load(Ordering::SeqCst), 1, "never two reads at once");
    assert_eq!(bench.ledgers.opened.load(Ordering::SeqCst), 1, "one connection");
    let reads = bench.ledgers.reads.lock().unwrap().clone();
    assert!(reads.len() <= 102, "20 s of reads of 200 ms each, and not {}", reads.len());
    for (asked, answered) in answers {
        let rests = |read: &Instant| *read >= asked && *read + takes <= answered;
        assert!(reads.iter().any(rests), "no read began after this question and ended before its answer");
    }
}

/// Down, silent, lying and well in turn: whatever was seen before, a yes needs the source to be well now.
#[tokio::test(start_paused = true)]
async fn a_source_that_comes_and_goes_is_a_yes_only_while_it_is_well() {
    fn turns<T: Clone>(well: T, order: [usize; 5]) -> Arc<InTurn<T>> {
        let all = [
            (Says::this(well.clone()), true),
            (Says::No(Because::Unreachable("it went away".to_owned())), false),
            (Says::Nothing, false),
            (Says::No(Because::Untrusted("it lies".to_owned())), false),
            (Says::this(well), true),
        ];
        InTurn::new(order.map(|at| all[at].clone()).into())
    }
    for order in [[0, 1, 2, 3, 4], [0, 4, 1, 1, 1], [1, 0, 2, 0, 3], [0, 1, 0, 2, 4], [3, 3, 3, 0, 4]] {
        for what in ["place", "stable", "ledger"] {
            let bench = bench();
            bench.put(at_rest(SchemaPhase::Migrated));
            let place = turns(declared("sqlite:///customers"), order);
            let (stable, ledger) = (turns(template("shop:v1", ""), order), turns((), order));
            match what {
                "place" => bench.databases.set("customers", Says::InTurn(Arc::clone(&place))),
                "stable" => bench.versions.set("66c5f", Says::InTurn(Arc::clone(&stable))),
                _ => *bench.ledgers.comes_and_goes.lock().unwrap() = Some(Arc::clone(&ledger)),
            }
            let mut told = std::collections::BTreeMap::<&str, usize>::new();
            for question in 0..60 {
                let verdict =
                    bench.gate.ask(&self::question()).await.map_or("undecided", |answer| answer.verdict.as_str());
                let well = match what {
                    "place" => place.was_well(),
                    "stable" => stable.was_well(),
                    _ => ledger.was_well(),
                };
                let want = if well { "proceed" } else { "undecided" };
                assert_eq!(verdict, want, "{what}, {order:?}, question {question}");
                *told.entry(verdict).or_default() += 1;
            }
            assert!(told.contains_key("undecided") && told.contains_key("proceed"), "{what}, {order:?}: {told:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_intent_written_while_a_read_is_under_way_is_seen_by_whoever_asks_after_it() {
    let bench = Arc::new(bench());
    bench.put(at_rest(SchemaPhase::Migrated));
    *bench.ledgers.delay.lock().unwrap() = Duration::from_millis(200);
    let first = bench.verdict();
    let second = async {
        sleep(Duration::from_millis(100)).await;
        // The runner writes its intent; then this version appears.
        bench.put(Span::Intended(step(SchemaPhase::Migrated, SchemaPhase::Synced)));
        bench.verdict().await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.as_str(), second.as_str()), ("proceed", "wait"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_rendered_or_not_begun_yet_is_waited_for() {
    let bench = bench();
    bench.databases.set("customers", Says::this(Place::NotDeclared("There is no ConfigMap".to_owned())));
    let answer = bench.gate.ask(&question()).await.unwrap();
    assert!(matches!(&answer.verdict, Verdict::Wait(reasons) if matches!(reasons[0], Reason::NotBegun { .. })));
    assert_eq!(answer.view.databases[0].note.as_deref(), Some("There is no ConfigMap"));
    advance(Duration::from_secs(2)).await;
    bench.databases.set("customers", Says::this(declared("sqlite:///customers")));
    bench.ledgers.memory.put(None);
    assert_eq!(bench.verdict().await.as_str(), "wait");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_without_a_stable_version_or_whose_stable_uses_no_database_is_judged_alone() {
    let bench = bench();
    bench.put(at_rest(SchemaPhase::Migrated));
    let mut first = question();
    first.rollout.stable_pod_hash.clear();
    let answer = bench.gate.ask(&first).await.unwrap();
    assert_eq!((answer.verdict.as_str(), answer.view.stable), ("proceed", None));
    assert_eq!(bench.versions.count.load(Ordering::SeqCst), 0);
    bench.versions.set("66c5f", Says::this(PodTemplate::new([], [], "shop:v1")));
    bench.put(at_rest(SchemaPhase::Contracted));
    let answer = bench.gate.ask(&question()).await.unwrap();
    assert_eq!(answer.verdict.reasons(), [Reason::Fits], "nothing is said of a stable that is not concerned");
}

#[tokio::test(start_paused = true)]
async fn a_canary_whose_template_did_not_arrive_is_read_from_its_replica_set() {
    let bench = bench();
    bench.put(at_rest(SchemaPhase::Migrated));
    let mut question = question();
    question.rollout.template = None;
    let told = bench.gate.ask(&question).await.unwrap_err().to_string();
    assert!(told.contains("no such ReplicaSet"), "{told}");
    bench.versions.set("7d4b9", Says::this(template("shop:v2", "split-full-name")));
    assert_eq!(bench.gate.ask(&question).await.unwrap().verdict.as_str(), "proceed");
}

#[tokio::test(start_paused = true)]
async fn the_label_says_in_which_namespace_the_database_is() {
    let bench = bench();
    let mut question = question();
    let labels = [("database.phasegate.dev/customers", ""), ("database.phasegate.dev/orders", "back-office")];
    question.rollout.template = Some(PodTemplate::new(labels, [], "shop:v2"));
    bench.gate.ask(&question).await.unwrap();
    let mut asked: Vec<(String, String, String)> = bench
        .databases
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|wanted| (wanted.name.clone(), wanted.namespace.clone(), wanted.asked_from.clone()))
        .collect();
    asked.sort();
    let all = |name: &str, namespace: &str| (name.to_owned(), namespace.to_owned(), "store".to_owned());
    assert_eq!(asked, [all("customers", "store"), all("orders", "back-office")]);
    question.config.databases = Some(["orders".to_owned()].into());
    let answer = bench.gate.ask(&question).await.unwrap();
    assert_eq!(answer.view.databases.len(), 1);
    question.config.databases = Some(["invoices".to_owned()].into());
    let told = bench.gate.ask(&question).await.unwrap_err().to_string();
    assert!(told.contains("database.phasegate.dev/invoices; add the label"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_template_without_the_label_waits_and_a_hostile_one_is_bounded() {
    let bench = bench();
    let mut question = question();
    question.rollout.template = Some(PodTemplate::new([], [], "shop:v2"));
    let answer = bench.gate.ask(&question).await.unwrap();
    assert_eq!(answer.verdict.reasons(), [Reason::NoDatabase]);
    let names: Vec<String> = (0..=MOST_DATABASES).map(|n| format!("database.phasegate.dev/d{n}")).collect();
    question.rollout.template = Some(PodTemplate::new(names.iter().map(|name| (name.as_str(), "")), [], ""));
    let told = bench.gate.ask(&question).await.unwrap_err();
    assert_eq!(told, Unasked::TooMany { found: MOST_DATABASES + 1, most: MOST_DATABASES });
    for hostile in
        ["x".repeat(100_000), "split-full-name,".repeat(3), "since=".to_owned(), "\u{0}\n\u{1b}[31m".to_owned()]
    {
        question.rollout.template = Some(template("shop:v2", &hostile));
        bench.put(at_rest(SchemaPhase::Migrated));
        assert_eq!(bench.gate.ask(&question).await.unwrap().verdict.as_str(), "wait");
    }
}

#[tokio::test(start_paused = true)]
async fn idle_things_are_let_go() {
    let bench = bench();
    bench.verdict().await;
    assert_eq!(bench.gate.readers.open(), 1);
    advance(IDLE).await;
    bench.gate.tidy();
    assert_eq!((bench.gate.readers.open(), bench.ledgers.closed.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(bench.verdict().await.as_str(), "wait");
}
