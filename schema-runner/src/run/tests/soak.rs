//! A contract that soaks: hidden, left alone, taken back, finished.

use phase_ledger::HIDDEN;

use super::*;

const SOAKS: [(&str, &str); 1] = [("split", "target: contracted\n  soak: 1h")];

impl World {
    /// The old shape was hidden so many seconds ago.
    fn hidden_for(&self, seconds: i64) {
        let answers = Arc::clone(&self.numbers);
        self.memory.on_query(move |statement| {
            if statement.sql.contains("event = 'hide'") {
                return Ok(vec![vec![Cell::Int(seconds), Cell::Text("2026-01-01T00:00:00Z".into())]]);
            }
            let number = answers.lock().unwrap().get(&statement.sql).copied();
            Ok(number.map(|number| vec![Cell::Int(number)]).into_iter().collect())
        });
    }

    fn contracts(&self) -> Vec<String> {
        let of_the_contract = |sql: &String| ["hide", "back", "contracted"].iter().any(|word| sql.ends_with(word));
        self.work().into_iter().filter(of_the_contract).collect()
    }
}

#[tokio::test]
async fn it_ends_hidden_and_a_run_after_its_time_finishes_it() {
    let world = World::new();
    world.hidden_for(0);
    let plan = plan(&SOAKS);
    let (exit, events) = world.run(&plan).await;
    assert_eq!(exit, Exit::Done, "{events:#?}");
    assert!(said(&events, "soaks: its old shape is hidden since 2026-01-01T00:00:00Z"), "{events:#?}");
    assert!(matches!(events.last(), Some(Event::Finished { soaking: 1, reached: 0, blocked: 0, failed: 0, .. })));
    assert_eq!(world.span("split"), "moving from migrated to contracted");
    assert!(world.entry("split").unwrap().is_hidden());
    assert_eq!(world.contracts(), ["split hide"]);
    // Too early, by one second.
    world.hidden_for(3_599);
    let (exit, events) = world.run(&plan).await;
    assert_eq!(exit, Exit::Done);
    assert!(said(&events, "goes in about 1 s"), "{events:#?}");
    assert_eq!(world.contracts(), ["split hide"]);
    world.hidden_for(3_600);
    let (exit, events) = world.run(&plan).await;
    assert_eq!((exit, world.span("split").as_str()), (Exit::Done, "contracted"), "{events:#?}");
    assert_eq!(world.contracts(), ["split hide", "split contracted"]);
    assert!(!world.entry("split").unwrap().done.contains(&HIDDEN));
    assert_eq!(world.history().iter().filter(|event| *event == "hide").count(), 1);
}

#[tokio::test]
async fn a_time_that_nobody_recorded_has_not_passed() {
    let world = World::new();
    let (_, events) = world.run(&plan(&SOAKS)).await;
    assert!(said(&events, "soaks: its old shape is hidden, and goes in about 60 min"), "{events:#?}");
}

#[tokio::test]
async fn held_it_stays_hidden_until_a_commit_takes_the_line_away() {
    let world = World::new();
    world.hidden_for(1_000_000);
    let (_, events) = world.run(&plan(&[("split", "target: contracted\n  soak: held")])).await;
    assert!(said(&events, "goes when a commit takes `soak: held` away"), "{events:#?}");
    assert_eq!(world.contracts(), ["split hide"]);
    world.run(&plan(&[("split", "target: contracted")])).await;
    assert_eq!(world.span("split"), "contracted");
    assert_eq!(world.contracts(), ["split hide", "split contracted"]);
}

#[tokio::test]
async fn a_version_that_came_in_takes_it_back_and_so_does_git() {
    for by_git in [false, true] {
        let world = World::new();
        world.hidden_for(10);
        world.run(&plan(&SOAKS)).await;
        let next = if by_git {
            plan(&[("split", "target: migrated\n  soak: 1h")])
        } else {
            world.live.set(&[("v1", "")]);
            plan(&SOAKS)
        };
        let (exit, events) = world.run(&next).await;
        assert_eq!(exit, Exit::Done, "{events:#?}");
        let why = if by_git { "Git asks for less" } else { "v1, which needs pending..migrated" };
        assert!(
            said(&events, &format!("its old shape is back, as it would be had it never been hidden, because of {why}")),
            "{events:#?}"
        );
        assert_eq!(said(&events, "migrated -> contracted: blocked by v1"), !by_git, "{events:#?}");
        assert_eq!(world.span("split"), "migrated");
        assert!(!world.entry("split").unwrap().is_hidden());
        assert_eq!(world.contracts(), ["split hide", "split back"]);
        // And forward again, from the beginning.
        world.live.set(&[]);
        world.hidden_for(3_600);
        world.run(&plan(&SOAKS)).await;
        assert_eq!(world.contracts(), ["split hide", "split back", "split hide", "split contracted"]);
    }
}

#[tokio::test]
async fn without_sight_of_the_live_versions_it_stays_hidden() {
    let world = World::new();
    world.hidden_for(10);
    world.run(&plan(&SOAKS)).await;
    world.hidden_for(3_600);
    let because = Because::Unreachable("away".into());
    world.live.blind(Some(Missing { fact: Fact::LiveVersions, because }));
    let (_, events) = world.run(&plan(&SOAKS)).await;
    assert!(said(&events, "not knowing the live versions"), "{events:#?}");
    assert!(world.entry("split").unwrap().is_hidden());
    assert_eq!(world.contracts(), ["split hide"]);
}

#[tokio::test]
async fn rows_that_diverged_while_it_was_hidden_are_told_once_it_is_back() {
    let world = World::new();
    world.hidden_for(10);
    world.run(&plan(&SOAKS)).await;
    world.number("lenient", 2);
    world.live.set(&[("v1", "")]);
    let (exit, events) = world.run(&plan(&SOAKS)).await;
    assert_eq!(exit, Exit::Never, "{events:#?}");
    assert!(said(&events, "2 rows disagree"), "{events:#?}");
    assert_eq!(world.span("split"), "migrated");
}

#[tokio::test]
async fn a_contract_is_not_begun_while_rows_stand_only_in_the_old_shape() {
    let world = World::new();
    world.run(&plan(&[("split", "target: migrated")])).await;
    world.number("lenient", 1);
    let (exit, events) = world.run(&plan(&[("split", "target: contracted")])).await;
    assert_eq!(exit, Exit::Never);
    assert!(said(&events, "1 row disagrees, where it must hold that all is well; mend it"), "{events:#?}");
    assert_eq!(world.span("split"), "migrated");
    assert_eq!(world.contracts(), Vec::<String>::new());
}
