//! The protocol against the fake ledger and fake live versions: what is done in which order, and what every failure
//! leaves behind.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use phase_ledger::{
    Cell, LedgerEntry, WriteError,
    memory::{Memory, WriteFault},
};
use schema_changes::{Alone, Catalog, Loss, Step, SyncObject, Trace, Verification, WayBack};
use schema_phases::{ChangeName, LiveChange, Missing, Moment, Move, PlanDigest, Sighting};

mod integrity;
mod soak;

use super::*;
use crate::{live::FakeLive, moves::CannotMove, report::Kept, signals::StopSender};

/// A plan of these changes, `name: target`, all on one table, or on a table each.
fn plan(changes: &[(&str, &str)]) -> Plan {
    let mut files = BTreeMap::new();
    files.insert(
        "phasegate.yaml".to_owned(),
        "apiVersion: phasegate.dev/v1alpha1\nkind: Database\nmetadata: {name: customers}\nspec:\n  engine: sqlite\n  \
         runner: {secretRef: {name: o, key: url}}\n  gate: {secretRef: {name: r, key: url}}\n"
            .to_owned(),
    );
    for (index, (name, goal)) in changes.iter().enumerate() {
        files.insert(
            format!("changes/{index:04}-{name}.yaml"),
            format!(
                "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: {name}}}\nspec:\n  \
                 database: customers\n  {goal}\n  splitColumn:\n    table: {name}\n    column: full_name\n    \
                 into: {{first_name: {{type: text}}, last_name: {{type: text}}}}\n    separator: \" \"\n"
            ),
        );
    }
    Plan::read(&files).map_err(|errors| format!("{errors:?}")).unwrap()
}

fn phase(text: &str) -> SchemaPhase {
    text.parse().unwrap()
}

fn step(from: &str, to: &str) -> Move {
    Move::new(phase(from), phase(to)).unwrap()
}

/// Moves whose statements say what they are.
#[derive(Default)]
struct Scripted {
    loses: bool,
    two_steps: bool,
    alone: bool,
    conflict: Option<ChangeName>,
}

impl Moves for Scripted {
    fn steps(&self, change: &SchemaChange, step: Move, _: &Catalog) -> Result<Vec<Step>, CannotMove> {
        let name = change.profile.name.to_string();
        let one = |suffix: &str| Step::Transaction {
            what: format!("do {step}{suffix}"),
            tables: vec![name.clone()],
            statements: vec![format!("{name} {}{suffix}", step.to())],
        };
        Ok(match (step.from(), step.to()) {
            (SchemaPhase::Synced, SchemaPhase::Migrated) => vec![Step::Verify(Verification {
                what: "all is well".into(),
                strict: "strict".into(),
                lenient: "lenient".into(),
            })],
            (SchemaPhase::Migrated, SchemaPhase::Synced) => Vec::new(),
            (SchemaPhase::Migrated, SchemaPhase::Contracted) if change.soak.is_some() => vec![
                Step::Hide {
                    what: "hide it".into(),
                    tables: vec![name.clone()],
                    statements: vec![format!("{name} hide")],
                },
                one(""),
            ],
            _ if self.two_steps => vec![one(" 1"), one(" 2")],
            _ if self.alone => vec![Step::Alone(Alone {
                what: format!("do {step}"),
                statement: "at once".into(),
                otherwise: vec!["online".into(), "offline".into()],
                present: Some("there already".into()),
                ..Alone::default()
            })],
            _ => vec![one("")],
        })
    }

    fn loss(&self, _: &SchemaChange, step: Move, _: &Catalog) -> Result<Vec<Loss>, CannotMove> {
        let loses = self.loses && (!step.is_forward() || step.to() == SchemaPhase::Contracted);
        Ok(if loses { vec![Loss { what: "rows".into(), count: "lost".into() }] } else { Vec::new() })
    }

    fn sync_objects(&self, change: &SchemaChange, _: &Catalog) -> Result<Vec<SyncObject>, CannotMove> {
        Ok(vec![SyncObject {
            table: change.profile.name.to_string(),
            name: "trigger".into(),
            definition: String::new(),
            present: "present".into(),
        }])
    }

    fn restore(&self, change: &SchemaChange, _: &Catalog) -> Result<Option<WayBack>, CannotMove> {
        let name = change.profile.name.to_string();
        Ok(Some(WayBack::Together {
            what: "bring it back".into(),
            tables: vec![name.clone()],
            statements: vec![format!("{name} back")],
        }))
    }

    fn is_coming_back(&self, _: &SchemaChange, _: &Catalog) -> bool {
        false
    }

    fn traces(&self, _: &SchemaChange, _: SchemaPhase, _: bool) -> Vec<Trace> {
        Vec::new()
    }

    fn sync_conflict(&self, _: &SchemaChange, step: Move, _: &[SchemaChange], _: &[LiveChange]) -> Option<ChangeName> {
        self.conflict.clone().filter(|_| step.to() == SchemaPhase::Synced)
    }
}

struct MemoryDatabase(Memory, Arc<integrity::Answers>);

#[async_trait]
impl Connect for MemoryDatabase {
    async fn open(&self) -> Result<Box<dyn Session>, ReadError> {
        Ok(Box::new(self.0.session()))
    }

    async fn probe(&self, within: Duration) -> Result<Box<dyn Probe>, ProbeError> {
        self.1.probe(within)
    }
}

/// Wants what the test says, after how many questions.
#[derive(Default)]
struct Wanted {
    mine_for: usize,
    asked: Mutex<usize>,
    digest: Option<PlanDigest>,
}

#[async_trait]
impl WantedPlan for Wanted {
    async fn wanted(&self) -> Sighting<PlanDigest> {
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        let other: PlanDigest = "0".repeat(64).parse().unwrap();
        let mine = self.digest.clone().unwrap();
        let value = if *asked > self.mine_for { other } else { mine };
        Sighting::Seen { value, at: Moment::from_unix_millis(0) }
    }
}

struct World {
    memory: Memory,
    live: FakeLive,
    moves: Scripted,
    wanted_for: usize,
    settings: Settings,
    integrity: Arc<integrity::Answers>,
    /// What queries of these names answer.
    numbers: Arc<Mutex<BTreeMap<String, i64>>>,
}

impl World {
    fn new() -> Self {
        let numbers: BTreeMap<String, i64> = [("strict", 0), ("lenient", 0), ("lost", 0), ("present", 1)]
            .map(|(name, number)| (name.to_owned(), number))
            .into();
        let numbers = Arc::new(Mutex::new(numbers));
        let memory = Memory::new();
        let answers = Arc::clone(&numbers);
        memory.on_query(move |statement| {
            let number = answers.lock().unwrap().get(&statement.sql).copied();
            Ok(number.map(|number| vec![Cell::Int(number)]).into_iter().collect())
        });
        let settings = Settings {
            lock_patience: Duration::from_millis(300),
            retry_for: Duration::from_secs(10),
            retry_pause: Duration::from_millis(1),
            ..Settings::default()
        };
        Self {
            memory,
            live: FakeLive::running(&[]),
            moves: Scripted::default(),
            wanted_for: usize::MAX,
            settings,
            integrity: Arc::default(),
            numbers,
        }
    }

    fn number(&self, query: &str, number: i64) {
        self.numbers.lock().unwrap().insert(query.to_owned(), number);
    }

    async fn run(&self, plan: &Plan) -> (Exit, Vec<Event>) {
        let (_sender, stop) = Stop::pair();
        self.run_until(plan, &stop).await
    }

    async fn run_until(&self, plan: &Plan, stop: &Stop) -> (Exit, Vec<Event>) {
        let kept = Kept::default();
        let wanted = Wanted { mine_for: self.wanted_for, asked: Mutex::new(0), digest: Some(plan.digest.clone()) };
        let ports = Ports {
            throttle: &crate::backfill::throttle::Unthrottled,
            connect: &MemoryDatabase(self.memory.clone(), Arc::clone(&self.integrity)),
            live: &self.live,
            wanted: &wanted,
            moves: &self.moves,
            checkpoints: None,
            report: &kept,
        };
        let run = run(plan, &ports, &self.settings, stop);
        let exit = tokio::time::timeout(Duration::from_secs(20), run).await.expect("the run hangs");
        (exit, kept.events())
    }

    fn entry(&self, name: &str) -> Option<LedgerEntry> {
        self.memory.ledger()?.change(&name.parse().unwrap()).cloned()
    }

    fn span(&self, name: &str) -> String {
        self.entry(name).map_or_else(|| "unknown".to_owned(), |entry| entry.span.to_string())
    }

    fn put_span(&self, name: &str, span: Span) {
        let mut ledger = self.memory.ledger().unwrap();
        ledger.changes.iter_mut().find(|entry| entry.profile.name.as_str() == name).unwrap().span = span;
        self.memory.put(Some(ledger));
    }

    fn work(&self) -> Vec<String> {
        self.memory.work().into_iter().map(|statement| statement.sql).collect()
    }

    fn history(&self) -> Vec<String> {
        self.memory.history().into_iter().map(|line| line.event).collect()
    }

    /// Everything that was looked at and done, in order, with the span that stood in the ledger at each look.
    fn log(&self, name: &'static str) -> Arc<Mutex<Vec<String>>> {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (memory, looks) = (self.memory.clone(), Arc::clone(&log));
        self.live.on_look(move |_| {
            let span = memory.ledger().and_then(|state| state.change(&name.parse().unwrap()).map(|entry| entry.span));
            looks
                .lock()
                .unwrap()
                .push(format!("look: {}", span.map_or_else(|| "unknown".into(), |span| span.to_string())));
        });
        let works = Arc::clone(&log);
        self.memory.on_work(move |statement| {
            works.lock().unwrap().push(statement.sql.clone());
            Ok(1)
        });
        log
    }
}

fn said(events: &[Event], part: &str) -> bool {
    events.iter().any(|event| event.to_string().contains(part))
}

#[tokio::test]
async fn the_intent_is_written_before_the_second_look_and_nothing_is_touched_before_both() {
    let world = World::new();
    let log = world.log("split");
    let (exit, _) = world.run(&plan(&[("split", "target: expanded")])).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        *log.lock().unwrap(),
        [
            "look: pending",
            "look: pending",
            "look: pending, about to move to expanded",
            "split expanded",
            "look: expanded"
        ]
    );
    assert_eq!(world.history(), ["take-over", "plan", "register", "intend", "act", "done", "settle"]);
}

#[tokio::test]
async fn a_version_that_comes_in_between_the_looks_makes_the_runner_withdraw() {
    let world = World::new();
    let plan = plan(&[("split", "target: contracted")]);
    world.live.set(&[("v2", "split")]);
    let live = world.live.clone();
    let memory = world.memory.clone();
    world.live.on_look(move |_| {
        let state = memory.ledger().unwrap();
        let intended = state.changes[0].span == Span::Intended(step("migrated", "contracted"));
        live.set(if intended { &[("v1", ""), ("v2", "split")] } else { &[("v2", "split")] });
    });
    let (exit, events) = world.run(&plan).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(world.span("split"), "migrated");
    assert!(said(&events, "migrated -> contracted: blocked by v1, which needs pending..migrated"), "{events:#?}");
    assert!(!world.work().contains(&"split contracted".to_owned()));
    assert_eq!(world.history().iter().filter(|event| *event == "withdraw").count(), 1);
}

#[tokio::test]
async fn a_move_that_is_blocked_at_the_first_look_is_never_intended() {
    let world = World::new();
    world.live.set(&[("v1", "")]);
    let (exit, events) = world.run(&plan(&[("split", "target: contracted"), ("other", "target: expanded")])).await;
    assert_eq!(exit, Exit::Done);
    assert!(said(&events, "blocked by v1"));
    assert_eq!(world.span("split"), "migrated");
    assert_eq!(world.span("other"), "expanded", "the other change goes on");
    assert_eq!(world.history().iter().filter(|event| *event == "withdraw").count(), 0);
}

#[tokio::test]
async fn an_intent_of_a_dead_runner_is_taken_back_and_its_act_is_finished_from_where_it_stopped() {
    let plan = plan(&[("split", "target: pending")]);
    let mut world = World::new();
    world.moves.two_steps = true;
    world.run(&plan).await;
    world.put_span("split", Span::Intended(step("pending", "expanded")));
    let (exit, events) = world.run(&plan).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "pending"));
    assert!(said(&events, "took back an intent"));
    assert!(world.work().is_empty());

    let mut ledger = world.memory.ledger().unwrap();
    ledger.changes[0].span = Span::Acting(step("pending", "expanded"));
    ledger.changes[0].done = [0].into();
    world.memory.put(Some(ledger));
    let (exit, events) = world.run(&plan).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "expanded"));
    assert!(said(&events, "goes on where a dead runner stopped"));
    assert_eq!(world.work(), ["split expanded 2"]);
}

#[tokio::test]
async fn whatever_write_fails_or_loses_its_answer_every_statement_is_done_once_and_the_end_is_reached() {
    let plan = plan(&[("split", "target: contracted")]);
    let all = {
        let mut world = World::new();
        world.moves.two_steps = true;
        world.run(&plan).await;
        (world.work(), world.history())
    };
    assert_eq!(all.0.len(), 6);
    for at in 0..24 {
        for lose in [true, false] {
            let mut world = World::new();
            world.moves.two_steps = true;
            let fault = if lose {
                WriteFault::AnswerLost
            } else {
                WriteFault::Fail(WriteError::Transient { cause: "the connection broke".into() })
            };
            world.memory.next_writes((0..at).map(|_| WriteFault::Pass).chain([fault]));
            let (exit, events) = world.run(&plan).await;
            assert_eq!(exit, Exit::Done, "{at} {lose} {events:#?}");
            assert_eq!(world.span("split"), "contracted", "{at} {lose}");
            assert_eq!(world.work(), all.0, "{at} {lose}");
        }
    }
}

#[tokio::test]
async fn after_a_reconnect_the_intent_is_written_and_the_live_versions_are_read_again() {
    let world = World::new();
    let log = world.log("split");
    let memory = world.memory.clone();
    let plan = plan(&[("split", "target: expanded")]);
    let broken = Mutex::new(false);
    let looks = Arc::clone(&log);
    let seen = world.memory.clone();
    world.live.on_look(move |_| {
        let span = seen.ledger().unwrap().changes[0].span;
        looks.lock().unwrap().push(format!("look: {span}"));
        let mut broken = broken.lock().unwrap();
        if matches!(span, Span::Intended(_)) && !*broken {
            *broken = true;
            memory.break_connections();
        }
    });
    let (exit, _) = world.run(&plan).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "expanded"));
    let history = world.history();
    assert_eq!(history.iter().filter(|event| *event == "intend").count(), 2, "{history:?}");
    assert_eq!(history.iter().filter(|event| *event == "withdraw").count(), 1, "{history:?}");
    let log = log.lock().unwrap().clone();
    let last_intended = log.iter().rposition(|line| line.contains("about to")).unwrap();
    assert_eq!(log[last_intended + 1], "split expanded", "{log:?}");
    assert_eq!(log.iter().filter(|line| line.contains("about to")).count(), 2, "{log:?}");
}

#[tokio::test]
async fn a_plan_that_git_no_longer_wants_writes_nothing_at_all() {
    let mut world = World::new();
    world.wanted_for = 0;
    let (exit, events) = world.run(&plan(&[("split", "target: migrated")])).await;
    assert_eq!(exit, Exit::Done);
    assert!(said(&events, "superseded"));
    assert_eq!(world.memory.ledger(), None);
}

#[tokio::test]
async fn whenever_git_wants_another_plan_no_further_phase_and_no_irreversible_statement_is_begun() {
    let plan = plan(&[("split", "target: contracted")]);
    let mut ends = Vec::new();
    let mut withdrawn = 0;
    for wanted_for in 1..16 {
        let mut world = World::new();
        world.wanted_for = wanted_for;
        let (exit, events) = world.run(&plan).await;
        assert_eq!(exit, Exit::Done, "{events:#?}");
        let span = world.entry("split").map(|entry| entry.span);
        assert!(matches!(span, None | Some(Span::AtRest(_))), "{span:?}");
        let contracted = world.work().contains(&"split contracted".to_owned());
        if said(&events, "superseded") {
            assert!(!contracted, "{events:#?}");
        }
        withdrawn += world.history().iter().filter(|event| *event == "withdraw").count();
        ends.push(world.span("split"));
    }
    // Asked at the start, while waiting for the lock, after it, before each of four phases, after each of four intents,
    // and before the drop.
    assert!(withdrawn >= 4, "an intent that finds its plan unwanted is taken back: {withdrawn}");
    let last = ends.pop().unwrap();
    assert_eq!(last, "contracted");
    for end in ["pending", "expanded", "synced", "migrated"] {
        assert!(ends.contains(&end.to_owned()), "{ends:?}");
    }
    assert!(ends.iter().filter(|end| *end == "migrated").count() >= 2, "once before the phase, once before the drop");
}

#[tokio::test]
async fn a_plan_that_is_superseded_between_the_intent_and_the_act_takes_the_intent_back() {
    let mut world = World::new();
    // At the start, while waiting for the lock, after it, and before the phase.
    world.wanted_for = 4;
    let (exit, events) = world.run(&plan(&[("split", "target: expanded")])).await;
    assert_eq!(exit, Exit::Done);
    assert!(said(&events, "superseded"), "{events:#?}");
    assert_eq!(world.history(), ["take-over", "plan", "register", "intend", "withdraw"]);
    assert!(world.work().is_empty());
}

#[tokio::test]
async fn a_change_edited_after_it_was_applied_is_named_with_its_file_and_nothing_is_written() {
    let world = World::new();
    let before = plan(&[("split", "target: expanded")]);
    world.run(&before).await;
    let mut edited = before.clone();
    edited.changes[0].definition = "f".repeat(64);
    let history = world.history();
    let (exit, events) = world.run(&edited).await;
    assert_eq!(exit, Exit::Never);
    assert!(said(&events, "`changes/0000-split.yaml` was edited after `split` was applied"), "{events:#?}");
    assert_eq!(world.history(), history);

    // At pending it may still be edited.
    let world = World::new();
    world.run(&plan(&[("split", "target: pending")])).await;
    assert_eq!(world.run(&edited).await.0, Exit::Done);
}

#[tokio::test]
async fn a_change_that_vanished_from_git_stays_and_is_reported_unless_it_never_began() {
    let world = World::new();
    world.run(&plan(&[("split", "target: expanded"), ("later", "target: pending")])).await;
    let (exit, events) = world.run(&plan(&[("unrelated", "target: pending")])).await;
    assert_eq!(exit, Exit::Done);
    assert!(said(&events, "split: is expanded and no longer in Git"), "{events:#?}");
    assert!(said(&events, "later: was pending and is no longer in Git; forgotten"), "{events:#?}");
    assert_eq!(world.span("split"), "expanded");
    assert_eq!(world.span("later"), "unknown");

    world.put_span("split", Span::Acting(step("expanded", "synced")));
    let (exit, events) = world.run(&plan(&[("unrelated", "target: expanded")])).await;
    assert_eq!(exit, Exit::Never, "{events:#?}");
    assert!(said(&events, "vanished from Git while it was moving from expanded to synced"), "{events:#?}");
    assert_eq!(world.span("unrelated"), "expanded");
}

#[tokio::test]
async fn a_ledger_of_another_format_is_left_alone() {
    let world = World::new();
    let plan = plan(&[("split", "target: expanded")]);
    world.run(&plan).await;
    let history = world.history();
    for format in [phase_ledger::FORMAT + 1, 0] {
        world.memory.set_format(format);
        let (exit, events) = world.run(&plan).await;
        assert_eq!(exit, Exit::Never, "{events:#?}");
        assert_eq!(world.history(), history);
    }
}

#[tokio::test]
async fn a_loss_that_git_does_not_accept_blocks_and_is_counted() {
    let mut world = World::new();
    world.moves.loses = true;
    world.number("lost", 3);
    let mut plan = plan(&[("split", "target: contracted")]);
    let (exit, events) = world.run(&plan).await;
    assert_eq!(exit, Exit::Done);
    assert!(said(&events, "blocked by a loss of data: 3 rows; Git accepts 0"), "{events:#?}");
    assert!(said(&events, "write acceptLoss: {contract: 3} into changes/0000-split.yaml"), "{events:#?}");
    assert_eq!(world.span("split"), "migrated");
    assert_eq!(world.history().iter().filter(|event| *event == "intend").count(), 3, "no intent for the contract");
    plan.changes[0].accept_loss.contract = 2;
    world.run(&plan).await;
    assert_eq!(world.span("split"), "migrated");
    plan.changes[0].accept_loss.contract = 3;
    world.run(&plan).await;
    assert_eq!(world.span("split"), "contracted");
}

#[tokio::test]
async fn rows_that_disagree_stop_this_change_for_good_and_are_counted() {
    let world = World::new();
    world.number("strict", 2);
    let (exit, events) = world.run(&plan(&[("split", "target: migrated"), ("other", "target: expanded")])).await;
    assert_eq!(exit, Exit::Never);
    assert!(said(&events, "2 rows disagree, where it must hold that all is well"), "{events:#?}");
    assert_eq!(world.span("split"), "moving from synced to migrated");
    assert_eq!(world.span("other"), "expanded");
    // Mended, the next run goes on by itself.
    world.number("strict", 0);
    let (exit, _) = world.run(&plan(&[("split", "target: migrated"), ("other", "target: expanded")])).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "migrated"));
}

#[tokio::test]
async fn the_first_verification_is_strict_and_later_ones_count_what_the_new_shape_wrote_as_right() {
    let world = World::new();
    world.number("lenient", 7);
    let forward = plan(&[("split", "target: migrated")]);
    assert_eq!(world.run(&forward).await.0, Exit::Done, "the lenient count is not asked");
    world.run(&plan(&[("split", "revertTo: synced")])).await;
    assert_eq!(world.span("split"), "synced");
    world.number("strict", 7);
    world.number("lenient", 0);
    assert_eq!(world.run(&forward).await.0, Exit::Done, "the strict count is not asked any more");

    // A running version of the new shape before migrated may have written already.
    let world = World::new();
    world.live.set(&[("v2", "split")]);
    world.number("strict", 7);
    let (exit, events) = world.run(&forward).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "migrated"));
    assert!(said(&events, "VIOLATION: v2 runs outside its window: split is pending"), "{events:#?}");
}

/// Refuses statements of these texts.
fn refusing(world: &World, texts: &'static [&'static str]) {
    world.memory.on_work(move |statement| {
        if texts.contains(&statement.sql.as_str()) {
            return Err(WriteError::Refused { statement: statement.sql.clone(), cause: "not supported".into() });
        }
        Ok(0)
    });
}

#[tokio::test]
async fn a_statement_alone_is_not_run_again_when_its_effect_is_there_and_runs_another_way_when_it_is_refused() {
    type Row = (i64, &'static [&'static str], Exit, &'static [&'static str]);
    let rows: [Row; 4] = [
        (1, &[], Exit::Done, &[]),
        (0, &[], Exit::Done, &["at once"]),
        (0, &["at once"], Exit::Done, &["online"]),
        (0, &["at once", "online", "offline"], Exit::Never, &[]),
    ];
    for (present, refused, want, ran) in rows {
        let mut world = World::new();
        world.moves.alone = true;
        world.number("there already", present);
        refusing(&world, refused);
        let (exit, events) = world.run(&plan(&[("split", "target: expanded")])).await;
        assert_eq!(exit, want, "{events:#?}");
        let work: Vec<String> = world.memory.work().into_iter().map(|statement| statement.sql).collect();
        assert_eq!(work, ran, "present {present}, refused {refused:?}");
        assert_eq!(said(&events, "offline"), want == Exit::Never, "the last refusal is told: {events:#?}");
    }
}

#[tokio::test]
async fn a_sync_trigger_that_is_gone_stops_the_change_before_it_is_called_synced() {
    let world = World::new();
    world.number("present", 0);
    let (exit, events) = world.run(&plan(&[("split", "target: migrated")])).await;
    assert_eq!(exit, Exit::Never);
    assert!(said(&events, "trigger on split is missing, disabled or altered"), "{events:#?}");
    assert_eq!(world.span("split"), "moving from expanded to synced");
}

#[tokio::test]
async fn a_table_that_stays_locked_puts_the_move_off_names_the_holder_and_withdraws_the_intent() {
    let world = World::new();
    world.memory.lock_table("split", "session 42 of user report");
    let (exit, events) = world.run(&plan(&[("split", "target: expanded"), ("other", "target: expanded")])).await;
    assert_eq!(exit, Exit::TryAgain);
    assert!(said(&events, "held by session 42 of user report"), "{events:#?}");
    assert_eq!(world.span("split"), "pending");
    assert_eq!(world.span("other"), "expanded");
    assert!(world.history().contains(&"withdraw".to_owned()));
}

#[tokio::test]
async fn a_version_outside_its_window_is_reported_on_every_run_and_never_blocks_the_way_to_it() {
    let world = World::new();
    world.run(&plan(&[("split", "target: contracted")])).await;
    world.live.set(&[("v1", "")]);
    for _ in 0..2 {
        let (exit, events) = world.run(&plan(&[("split", "target: contracted")])).await;
        assert_eq!(exit, Exit::Done);
        assert!(said(&events, "VIOLATION: v1 runs outside its window: split is contracted"), "{events:#?}");
        assert!(matches!(events.last(), Some(Event::Finished { violations: 1, .. })), "{events:#?}");
    }

    // The old version blocks the contract; a version of the new shape, stranded at synced, blocks no move towards it.
    let world = World::new();
    world.run(&plan(&[("split", "target: synced")])).await;
    world.live.set(&[("v2", "split")]);
    world.run(&plan(&[("split", "target: migrated")])).await;
    assert_eq!(world.span("split"), "migrated");
}

#[tokio::test]
async fn without_sight_of_live_versions_only_harmless_moves_are_made() {
    for (because, want, span) in [
        (Because::NotThere("nobody said".into()), Exit::Done, "migrated"),
        // Behind an API that is away may be a version with a shorter window.
        (Because::Unreachable("no API".into()), Exit::TryAgain, "pending"),
        (Because::NotPermitted("may not list pods".into()), Exit::TryAgain, "pending"),
    ] {
        let world = World::new();
        world.live.blind(Some(Missing { fact: Fact::LiveVersions, because }));
        let (exit, events) = world.run(&plan(&[("split", "target: contracted")])).await;
        assert_eq!(exit, want, "{events:#?}");
        assert_eq!(world.span("split"), span);
        assert!(said(&events, "blocked by not knowing the live versions"), "{events:#?}");
    }
}

#[tokio::test]
async fn reverts_go_from_the_last_change_to_the_first_and_targets_in_order() {
    let world = World::new();
    world.run(&plan(&[("one", "target: expanded"), ("two", "target: expanded")])).await;
    assert_eq!(world.work(), ["one expanded", "two expanded"]);
    world.run(&plan(&[("one", "revertTo: pending"), ("two", "revertTo: pending")])).await;
    assert_eq!(world.work()[2..], ["two pending", "one pending"]);
}

#[tokio::test]
async fn a_table_kept_in_step_by_another_change_is_said_plainly() {
    let mut world = World::new();
    world.moves.conflict = Some("other".parse().unwrap());
    let (exit, events) = world.run(&plan(&[("split", "target: migrated")])).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "expanded"));
    assert!(said(&events, "blocked by other, which keeps two shapes of the same table in step"), "{events:#?}");
}

#[tokio::test]
async fn a_runner_that_finds_the_lock_held_leaves_or_waits() {
    let mut world = World::new();
    let plan = plan(&[("split", "target: expanded")]);
    let mut holder = world.memory.session();
    assert!(holder.try_lock().await.unwrap());
    world.settings.when_held = WhenHeld::Leave;
    let (exit, events) = world.run(&plan).await;
    assert_eq!(exit, Exit::Done);
    assert!(said(&events, "another runner is at work"), "{events:#?}");
    assert_eq!(world.memory.ledger(), None);

    world.settings.when_held = WhenHeld::Poll;
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(holder);
    };
    let ((exit, events), ()) = tokio::join!(world.run(&plan), release);
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "expanded"));
    assert!(said(&events, "another runner is at work on this database; waiting"), "{events:#?}");
}

async fn stopped_at(look: usize) -> (World, Exit) {
    let world = World::new();
    let (sender, stop): (StopSender, Stop) = Stop::pair();
    world.live.on_look(move |count| {
        if count == look {
            sender.stop();
        }
    });
    let (exit, _) = world.run_until(&plan(&[("split", "target: contracted")]), &stop).await;
    (world, exit)
}

#[tokio::test]
async fn a_signal_at_any_moment_ends_with_try_again_a_free_lock_and_no_intent() {
    for look in 1..8 {
        let (world, exit) = stopped_at(look).await;
        assert_eq!(exit, Exit::TryAgain, "{look}");
        assert!(!world.memory.is_locked(), "{look}");
        let span = world.entry("split").unwrap().span;
        assert!(!matches!(span, Span::Intended(_)), "{look}: {span}");
        assert_eq!(world.run(&plan(&[("split", "target: contracted")])).await.0, Exit::Done);
        assert_eq!(world.span("split"), "contracted", "{look}");
    }
}

#[tokio::test]
async fn a_statement_that_does_not_end_after_a_signal_is_given_up() {
    let mut world = World::new();
    world.settings.leave_within = Duration::from_millis(50);
    world.memory.next_writes([WriteFault::Pass, WriteFault::Pass, WriteFault::Pass, WriteFault::Hang]);
    let (sender, stop) = Stop::pair();
    world.live.on_look(move |count| {
        if count == 3 {
            sender.stop();
        }
    });
    let (exit, events) = world.run_until(&plan(&[("split", "target: expanded")]), &stop).await;
    assert_eq!(exit, Exit::TryAgain);
    assert!(said(&events, "asked to leave"), "{events:#?}");
    assert!(!world.memory.is_locked());
}

#[tokio::test]
async fn a_database_that_stays_away_ends_with_try_again() {
    let mut world = World::new();
    world.settings.retry_for = Duration::from_millis(20);
    world.memory.set_standby(true);
    let (exit, events) = world.run(&plan(&[("split", "target: expanded")])).await;
    assert_eq!(exit, Exit::TryAgain);
    assert!(said(&events, "trying again in"), "{events:#?}");
}
