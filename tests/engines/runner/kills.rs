//! The runner killed, asked to leave, and doubled, while old and new writers go on.

use std::time::Duration;

use crate::{
    binary::{Running, run, run_command, said},
    database::Database,
    on_each,
    project::{Project, V1, V2},
    traffic::{Shape, Writer, account},
};

const ROWS: i64 = 20_000;
/// Small batches, so that there is something to be killed in.
const JSON: [&str; 4] = ["--output", "json", "--batch", "2ms"];

on_each!(killed_after_each_thing_it_says_the_next_run_resumes_and_no_row_is_lost, kill_at_each_event);
async fn kill_at_each_event(database: Database) {
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let old = Writer::start(&database, Shape::Old, 1, ROWS).await;
    let mut kills = 0;
    // Every run says begun and took_over; each is killed one event later than the one before.
    for killed_after in 1..=12 {
        let mut running = Running::start(run_command(&database, &project, &JSON));
        let mut at_work = true;
        for _ in 0..killed_after {
            at_work = running.event().await.is_some();
            if !at_work {
                break;
            }
        }
        running.kill().await;
        kills += u32::from(at_work);
    }
    run(&database, &project).await.expect(0, &["1 as Git asks"]);
    project.live(&[V1, V2]);
    let new = Writer::start(&database, Shape::New, 2, ROWS).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let old = old.stop().await;
    project.live(&[V2]);
    project.goal("target: contracted");
    for killed_after in 2..=5 {
        let mut running = Running::start(run_command(&database, &project, &JSON));
        let mut at_work = true;
        for _ in 0..killed_after {
            at_work = running.event().await.is_some();
            if !at_work {
                break;
            }
        }
        running.kill().await;
        kills += u32::from(at_work);
    }
    run(&database, &project).await.expect(0, &["1 as Git asks"]);
    let new = new.stop().await;
    account(&database, Shape::New, ROWS, &[&old, &new]).await;
    crate::tell(&format!("kills survived after the runner's events on {}: {kills}", database.engine()));
}

on_each!(killed_at_any_moment_of_the_backfill_it_resumes_where_it_was, kill_at_random);
async fn kill_at_random(database: Database) {
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: synced");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is synced"]);
    project.goal("target: migrated");
    let old = Writer::start(&database, Shape::Old, 1, ROWS).await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut furthest = 0;
    for _ in 0..8 {
        let mut running = Running::start(run_command(&database, &project, &JSON));
        running.until("took_over").await;
        tokio::time::sleep(Duration::from_millis(random.u64(0..60))).await;
        running.kill().await;
        let table = if database.is_postgres() { "phasegate.backfills" } else { "phasegate_backfills" };
        let done = database.number(&format!("SELECT coalesce(max(rows_done), 0) FROM {table}")).await;
        let finished = database.phase("split-full-name").await == "migrated";
        assert!(finished || done >= furthest, "the cursor went back from {furthest} to {done}");
        furthest = done;
    }
    run(&database, &project).await.expect(0, &["1 as Git asks"]);
    let old = old.stop().await;
    account(&database, Shape::Old, ROWS, &[&old]).await;
    account(&database, Shape::New, ROWS, &[&old]).await;
}

on_each!(asked_to_leave_it_stops_within_its_batch_frees_the_lock_and_says_try_again, terminate);
async fn terminate(database: Database) {
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let mut running = Running::start(run_command(&database, &project, &JSON));
    running.until("progress").await;
    let asked = std::time::Instant::now();
    running.signal("-TERM");
    running.end().await.expect(75, &["asked to leave"]);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(database.phase("split-full-name").await, "synced");
    let table = if database.is_postgres() { "phasegate.backfills" } else { "phasegate_backfills" };
    assert!(database.number(&format!("SELECT rows_done FROM {table}")).await > 0, "the cursor was not written");
    // The lock is free at once.
    run(&database, &project).await.expect(0, &["goes on where a dead runner stopped", "is migrated"]);
}

on_each!(two_runners_at_once_do_the_work_once, two_at_once);
async fn two_at_once(database: Database) {
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let (one, two) =
        tokio::join!(said(run_command(&database, &project, &[])), said(run_command(&database, &project, &[])));
    let both = format!("{}{}", one.all(), two.all());
    one.expect(0, &["1 as Git asks"]);
    two.expect(0, &["1 as Git asks"]);
    for once in ["is expanded", "is synced", "is migrated"] {
        assert_eq!(both.matches(once).count(), 1, "{once}: {both}");
    }
    let history = if database.is_postgres() { "phasegate.history" } else { "phasegate_history" };
    let settled = database.number(&format!("SELECT count(*) FROM {history} WHERE event = 'settle'")).await;
    assert_eq!(settled, 3);
    account(&database, Shape::New, ROWS, &[]).await;

    // A CronJob leaves when it finds one at work.
    project.goal("revertTo: pending");
    let mut holder = Running::start(run_command(&database, &project, &JSON));
    holder.until("took_over").await;
    holder.signal("-STOP");
    said(run_command(&database, &project, &["--if-free"])).await.expect(0, &["another runner is at work"]);
    holder.signal("-CONT");
    holder.end().await.expect(0, &[]);
}
