//! Hiding an old shape, bringing it back and taking it away, each with the runner killed at every place where it can
//! stop, while both versions of the application write: no write of a version that may run fails, and none is lost.

use std::time::Duration;

use crate::{
    binary::{Running, run, run_command},
    database::Database,
    on_each,
    project::{Project, V1, V2},
    soak::columns_named,
    torture::killed_at_each_message,
    traffic::{Shape, Writer, account},
};

const ROWS: i64 = 500;

/// Runs again and again, each time killed behind the next thing that it does, until one comes to its end. Returns the
/// kills. What is done again by each run, as nobody remembers it, needs one thing more from time to time.
async fn killed_behind_each_step(database: &Database, project: &Project) -> usize {
    for (kills, behind) in (1..=6).flat_map(|behind| [behind; 8]).enumerate() {
        let mut running = Running::start(run_command(database, project, &["--output", "json"]));
        let mut done = 0;
        while done < behind {
            let Some(event) = running.event().await else { return kills };
            done += usize::from(event["event"] == "step_done");
        }
        running.kill().await;
    }
    panic!("it never comes to its end");
}

/// So often a run is cut off at most: each time it begins anew with the lock, the generation and the live versions.
const CUTS: usize = 10;

/// One run, whose sessions the server ends (KILL CONNECTION, or `pg_terminate_backend`) behind each step that is done, and once
/// each where it has begun a move and where it goes on with one. It comes to its end by itself. Returns how often it was
/// cut off.
async fn cut_off_behind_each_step(database: &Database, project: &Project) -> usize {
    let mut running = Running::start(run_command(database, project, &["--output", "json", "--retry-for", "90s"]));
    let mut once = vec!["moving", "resumed"];
    let (mut cuts, mut last) = (0, None);
    while let Some(event) = running.event().await {
        let kind = event["event"].as_str().unwrap().to_owned();
        let first = once.iter().position(|it| *it == kind).map(|at| once.remove(at)).is_some();
        if (first || kind == "step_done") && cuts < CUTS {
            cuts += usize::from(database.end_the_runners_sessions().await > 0);
        }
        last = Some(event);
    }
    let last = last.unwrap();
    assert_eq!((&last["event"], &last["exit"]), (&"finished".into(), &0.into()), "{last}");
    cuts
}

#[derive(Clone, Copy)]
enum Killed {
    BehindSteps,
    AtMessages(usize),
    ByTheServer,
}

/// Hidden, taken back because the old version came in by force, hidden anew, and gone.
async fn hidden_and_back(database: Database, how: Killed) {
    database.customers(ROWS).await;
    // What no conversion would give: it must come back byte for byte.
    database.execute("INSERT INTO customers (id, full_name) VALUES (900001, '  Anna   Smith ')").await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is migrated"]);
    let kill = async || match how {
        Killed::BehindSteps => killed_behind_each_step(&database, &project).await,
        Killed::AtMessages(stride) => killed_at_each_message(&database, &project, stride).await,
        Killed::ByTheServer => cut_off_behind_each_step(&database, &project).await,
    };

    project.live(&[V2]);
    project.goal("target: contracted\n  acceptLoss: {contract: 1}\n  soak: held");
    let new = Writer::start(&database, Shape::New, 1, ROWS).await;
    let mut kills = kill().await;
    run(&database, &project).await.expect(0, &["soaks: its old shape is hidden since"]);
    assert_eq!(columns_named(&database, "full_name").await, 0);
    // It writes from before the moment in which its column is back, as fast as it may.
    let old = Writer::start(&database, Shape::Old, 2, ROWS).await;
    project.live(&[V1, V2]);
    kills += kill().await;
    run(&database, &project).await.expect(0, &["blocked by v1"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (new, old) = (new.stop().await, old.stop_forced().await);
    let came_back = database.rows("SELECT full_name FROM customers WHERE id = 900001").await;
    assert_eq!(came_back, [["  Anna   Smith "]]);
    database.execute("DELETE FROM customers WHERE id = 900001").await;
    account(&database, Shape::Old, ROWS, &[&new, &old]).await;
    account(&database, Shape::New, ROWS, &[&new, &old]).await;
    // As it was: nothing of ours is left but what `migrated` has.
    let ours = columns_named(&database, "zzz_phasegate").await;
    assert_eq!(ours, i64::from(database.is_mariadb()), "the marker column, where there is one");

    project.live(&[V2]);
    project.goal("target: contracted\n  soak: 0s");
    let last = Writer::start(&database, Shape::New, 3, ROWS).await;
    kills += kill().await;
    run(&database, &project).await.expect(0, &["1 as Git asks"]);
    let last = last.stop().await;
    assert_eq!(columns_named(&database, "full_name").await + columns_named(&database, "zzz_phasegate").await, 0);
    account(&database, Shape::New, ROWS, &[&new, &old, &last]).await;
    let at = match how {
        Killed::BehindSteps => "behind the steps of a soak",
        Killed::AtMessages(_) => "at the messages of a soak",
        Killed::ByTheServer => "of its sessions, by the server, during a soak",
    };
    crate::tell(&format!("kills survived {at} on {}: {kills}", database.engine()));
    assert!(kills >= 3, "{kills} kills are too few to say anything");
}

on_each!(killed_behind_each_step_of_a_soak_no_write_fails_or_is_lost, behind_each_step);
async fn behind_each_step(database: Database) {
    hidden_and_back(database, Killed::BehindSteps).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_by_the_server_during_a_soak_on_mariadb() {
    hidden_and_back(Database::mariadb().await, Killed::ByTheServer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_by_the_server_during_a_soak_on_mysql() {
    hidden_and_back(Database::mysql().await, Killed::ByTheServer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_by_the_server_during_a_soak_on_postgres() {
    hidden_and_back(Database::postgres().await, Killed::ByTheServer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_the_messages_of_a_soak_on_mariadb() {
    hidden_and_back(Database::mariadb().await, Killed::AtMessages(7)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_the_messages_of_a_soak_on_postgres() {
    hidden_and_back(Database::postgres().await, Killed::AtMessages(11)).await;
}

/// What a dead runner began at once is not hidden half way; what it began to hide is hidden to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soak_that_comes_or_goes_in_the_middle_of_a_contract_on_mariadb() {
    for (first, then, trigger) in [("", "\n  soak: held", "_i'"), ("\n  soak: held", "", "_ei'")] {
        let database = Database::mariadb().await;
        database.customers(ROWS).await;
        let project = Project::split(&database, "target: migrated");
        project.live(&[V2]);
        run(&database, &project).await.expect(0, &["is migrated"]);
        let new = Writer::start(&database, Shape::New, 1, ROWS).await;
        project.goal(&format!("target: contracted{first}"));
        let triggers = format!(
            "SELECT count(*) FROM information_schema.triggers WHERE event_object_schema = database() AND trigger_name = \
             'zzz_phasegate_split_full_name{trigger}"
        );
        let there = i64::from(!first.is_empty());
        while database.number(&triggers).await != there {
            let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
            running.until("step_done").await;
            running.kill().await;
        }
        project.goal(&format!("target: contracted{then}"));
        run(&database, &project).await.expect(0, &["is contracted", "1 as Git asks"]);
        assert_eq!(columns_named(&database, "full_name").await + columns_named(&database, "zzz_phasegate").await, 0);
        let new = new.stop().await;
        account(&database, Shape::New, ROWS, &[&new]).await;
    }
}

/// Once it began to come back it comes back whole, also when nobody needs it any more: half of it stands there already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_began_to_come_back_is_brought_back_whole_when_its_reason_is_gone_on_mariadb() {
    let database = Database::mariadb().await;
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V2]);
    run(&database, &project).await.expect(0, &["is migrated"]);
    project.goal("target: contracted\n  soak: held");
    run(&database, &project).await.expect(0, &["soaks: its old shape is hidden since"]);
    let new = Writer::start(&database, Shape::New, 1, ROWS).await;
    project.live(&[V1, V2]);
    let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
    let back = running.until("step_done").await;
    assert!(back["what"].as_str().unwrap().starts_with("bring full_name"), "{back}");
    running.kill().await;

    project.live(&[V2]);
    let unfinished = "because of a run before, which did not come to its end";
    run(&database, &project).await.expect(0, &[unfinished, "its old shape is back", "1 soaking"]);
    assert_eq!(columns_named(&database, "full_name").await, 0, "hidden anew");
    project.goal("target: contracted\n  soak: 0s");
    run(&database, &project).await.expect(0, &["1 as Git asks"]);
    let new = new.stop().await;
    account(&database, Shape::New, ROWS, &[&new]).await;
}
