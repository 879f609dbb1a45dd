//! What becomes of a move whose integrity queries do not hold, or have no answer.

use std::collections::VecDeque;

use phase_ledger::{Prepared, QueryAnswer, TableName};
use schema_changes::IntegrityQuery;

use super::*;

/// What integrity queries answer, one after the other; nothing more to say is a query that hangs.
#[derive(Default)]
pub(super) struct Answers {
    answers: Mutex<VecDeque<Result<QueryAnswer, ProbeError>>>,
    asked: Mutex<Vec<(String, Duration)>>,
}

impl Answers {
    pub(super) fn probe(self: &Arc<Self>, within: Duration) -> Result<Box<dyn Probe>, ProbeError> {
        Ok(Box::new(Fake(Arc::clone(self), within)))
    }
}

struct Fake(Arc<Answers>, Duration);

#[async_trait]
impl Probe for Fake {
    async fn prepare(&mut self, _: &str) -> Result<Prepared, ProbeError> {
        panic!("a runner prepares nothing")
    }

    async fn required_columns(&mut self, _: &TableName) -> Result<Vec<String>, ProbeError> {
        panic!("a runner asks for no columns")
    }

    async fn ask(&mut self, query: &str) -> Result<QueryAnswer, ProbeError> {
        self.0.asked.lock().unwrap().push((query.to_owned(), self.1));
        let next = self.0.answers.lock().unwrap().pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

fn guarded(goal: &str) -> Plan {
    let mut plan = plan(&[("split", goal)]);
    let query = |name: &str, at_most| IntegrityQuery { name: name.into(), query: format!("SELECT {name}"), at_most };
    plan.database.integrity = vec![query("orphans", Some(0)), query("doubles", None)];
    plan
}

fn answers(world: &World, answers: impl IntoIterator<Item = Result<QueryAnswer, ProbeError>>) {
    world.integrity.answers.lock().unwrap().extend(answers);
}

fn asked(world: &World) -> Vec<String> {
    world.integrity.asked.lock().unwrap().drain(..).map(|(query, _)| query).collect()
}

#[tokio::test]
async fn nothing_is_migrated_before_every_integrity_query_held() {
    let world = World::new();
    world.run(&guarded("target: synced")).await;
    assert_eq!(asked(&world), Vec::<String>::new(), "only migrated has to do with them");
    answers(&world, [Ok(QueryAnswer::Number(0.0)), Ok(QueryAnswer::NoRow)]);
    let memory = world.memory.clone();
    let span = move || memory.ledger().unwrap().changes[0].span;
    assert_eq!(span(), Span::AtRest(phase("synced")));
    let (exit, events) = world.run(&guarded("target: migrated")).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "migrated"));
    assert_eq!(asked(&world), ["SELECT orphans", "SELECT doubles"]);
    assert!(said(&events, "asked the integrity query doubles: it holds"), "{events:#?}");
    // A contract and a revert are none of their business.
    world.live.set(&[("v2", "split")]);
    world.run(&guarded("target: contracted")).await;
    assert_eq!((world.span("split").as_str(), asked(&world).len()), ("contracted", 0));
}

#[tokio::test]
async fn an_answer_that_is_not_right_stops_the_move_and_the_next_run_asks_again() {
    let rows = [
        (vec![Ok(QueryAnswer::Number(3.0))], "orphans does not hold: it answers 3, and at most 0 is right; mend"),
        (vec![Ok(QueryAnswer::Null)], "orphans does not hold: it answered NULL, and must answer one number"),
        (vec![Ok(QueryAnswer::NoRow)], "orphans does not hold: it answered no row"),
        (vec![Ok(QueryAnswer::Other("text, and no number".into()))], "it must be one number"),
        (
            vec![Ok(QueryAnswer::Number(0.0)), Ok(QueryAnswer::Number(0.0))],
            "doubles does not hold: it answers a row, and there must be none; mend what it finds, then run again. It \
             asks: SELECT doubles",
        ),
        (vec![Err(ProbeError::Refused { what: "no such table".into() })], "no answer: no such table; correct it"),
        (vec![Err(ProbeError::NotPermitted { what: "denied".into() })], "give the runner's role the right"),
    ];
    for (wrong, told) in rows {
        let world = World::new();
        answers(&world, wrong);
        let (exit, events) = world.run(&guarded("target: migrated")).await;
        assert_eq!(exit, Exit::Never, "{told}");
        assert!(said(&events, told), "{told}: {events:#?}");
        assert!(!world.history().iter().rev().take(3).any(|event| event == "settle"), "{:?}", world.history());
        assert_ne!(world.span("split"), "migrated");
        assert!(!world.entry("split").unwrap().new_shape_live, "no gate may let anybody in");
        answers(&world, [Ok(QueryAnswer::Number(0.0)), Ok(QueryAnswer::NoRow)]);
        let (exit, events) = world.run(&guarded("target: migrated")).await;
        assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "migrated"), "{told}: {events:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_that_hangs_ends_with_try_again_and_the_session_lives_meanwhile() {
    let mut world = World::new();
    world.settings.integrity_within = Duration::from_secs(10);
    let (exit, events) = world.run(&guarded("target: migrated")).await;
    assert_eq!(exit, Exit::TryAgain);
    assert!(said(&events, "orphans has no answer: the server does not answer"), "{events:#?}");
    assert_ne!(world.span("split"), "migrated");
    let asked = world.integrity.asked.lock().unwrap().clone();
    assert_eq!(asked, [("SELECT orphans".to_owned(), Duration::from_secs(10))]);
}

#[tokio::test]
async fn a_connection_that_cannot_be_had_is_tried_again() {
    let world = World::new();
    let gone = || Err(ProbeError::Unreachable { cause: "gone".into() });
    answers(&world, [gone(), gone(), Ok(QueryAnswer::Number(0.0)), Ok(QueryAnswer::NoRow)]);
    let (exit, events) = world.run(&guarded("target: migrated")).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "migrated"));
    assert!(said(&events, "orphans has no answer: cannot reach the database: gone"), "{events:#?}");
}

#[tokio::test]
async fn somebody_who_asks_to_leave_does_not_wait_for_a_query() {
    let world = World::new();
    let (sender, stop) = Stop::pair();
    let integrity = Arc::clone(&world.integrity);
    let leaving = async {
        while integrity.asked.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        sender.stop();
    };
    let plan = guarded("target: migrated");
    let ((exit, _), ()) = tokio::join!(world.run_until(&plan, &stop), leaving);
    assert_eq!(exit, Exit::TryAgain);
    assert!(!world.memory.is_locked());
}
