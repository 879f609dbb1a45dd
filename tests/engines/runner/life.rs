//! Whole lives of a change, with writers of both shapes at work all the time.

use crate::{
    binary::{PATIENCE, phasegate, run, run_command, said},
    database::Database,
    on_each,
    project::{Project, V1, V2},
    traffic::{Shape, Writer, account},
};

const ROWS: i64 = 20_000;

on_each!(a_split_goes_forward_and_is_contracted_and_no_write_is_lost, forward);
async fn forward(database: Database) {
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let old = Writer::start(&database, Shape::Old, 1, ROWS).await;
    let also_old = Writer::start(&database, Shape::Old, 2, ROWS).await;

    let status = said(phasegate(&database.url(), &["status"])).await;
    status.expect(0, &["no ledger"]);
    run(&database, &project).await.expect(0, &["split-full-name: is migrated", "1 as Git asks"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");

    // Both shapes at once.
    project.live(&[V1, V2]);
    let new = Writer::start(&database, Shape::New, 3, ROWS).await;
    let also_new = Writer::start(&database, Shape::New, 4, ROWS).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    project.goal("target: contracted");
    run(&database, &project).await.expect(0, &["migrated -> contracted: blocked by v1, which needs pending..migrated"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");
    let (old, also_old) = (old.stop().await, also_old.stop().await);

    // The new shape goes on while the old one is taken away.
    project.live(&[V2]);
    run(&database, &project).await.expect(0, &["split-full-name: is contracted"]);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let (new, also_new) = (new.stop().await, also_new.stop().await);
    account(&database, Shape::New, ROWS, &[&old, &also_old, &new, &also_new]).await;
    let made = "zzz_phasegate";
    let left = if database.is_postgres() {
        format!("SELECT count(*) FROM pg_trigger WHERE starts_with(tgname, '{made}')")
    } else if database.is_mariadb() {
        format!(
            "SELECT (SELECT count(*) FROM information_schema.triggers
                      WHERE trigger_schema = database() AND trigger_name LIKE '{made}%')
                  + (SELECT count(*) FROM information_schema.columns
                      WHERE table_schema = database() AND column_name LIKE '{made}%')"
        )
    } else {
        format!("SELECT count(*) FROM sqlite_master WHERE name LIKE '{made}%'")
    };
    assert_eq!(database.number(&left).await, 0);
    // Once more: nothing to do, and it says so.
    run(&database, &project).await.expect(0, &["1 as Git asks, 0 blocked, 0 failed"]);
}

on_each!(a_split_is_reverted_to_pending_and_taken_forward_again_and_no_write_is_lost, back_and_forth);
async fn back_and_forth(database: Database) {
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let old = Writer::start(&database, Shape::Old, 1, ROWS).await;
    run(&database, &project).await.expect(0, &["is migrated"]);
    project.live(&[V1, V2]);
    let new = Writer::start(&database, Shape::New, 2, ROWS).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;

    project.goal("revertTo: pending");
    run(&database, &project).await.expect(0, &["migrated -> synced: blocked by v2, which needs migrated..contracted"]);
    let new = new.stop().await;
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["split-full-name: is pending", "1 as Git asks"]);
    project.goal("target: migrated");
    run(&database, &project).await.expect(0, &["is migrated"]);
    let old = old.stop().await;
    account(&database, Shape::Old, ROWS, &[&old, &new]).await;
    account(&database, Shape::New, ROWS, &[&old, &new]).await;
}

on_each!(the_gates_question_waits_until_the_phase_is_reached, check_waits);
async fn check_waits(database: Database) {
    database.customers(1_000).await;
    let project = Project::split(&database, "target: synced");
    let ask = |more: &[&str]| {
        let first = ["check", "--database", "customers", "--supports", "split-full-name"];
        phasegate(&database.url(), &[&first, more].concat())
    };
    said(ask(&[])).await.expect(3, &["wait: the database customers has no ledger yet"]);
    run(&database, &project).await.expect(0, &[]);
    said(ask(&[])).await.expect(3, &["wait: split-full-name is synced; this version needs migrated"]);
    said(ask(&["--wait", "1s"])).await.expect(3, &["is synced"]);
    said(ask(&["--output", "json"])).await.expect(3, &["\"schema_behind\""]);
    let waiting = tokio::spawn(said(ask(&["--wait"])));
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    project.goal("target: migrated");
    run(&database, &project).await.expect(0, &[]);
    let answer = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    answer.expect(0, &["proceed: the schema is inside its window"]);
    let old = phasegate(&database.url(), &["check", "--database", "customers"]);
    said(old).await.expect(0, &["proceed"]);
    let unknown = phasegate(&database.url(), &["check", "--database", "customers", "--supports", "split-fullname"]);
    said(unknown).await.expect(3, &["did you mean split-full-name?"]);
    let broken = phasegate(&database.url(), &["check", "--database", "customers", "--supports", "a,"]);
    said(broken).await.expect(78, &["remove the extra comma"]);
}

on_each!(without_live_versions_only_harmless_moves_are_made_and_it_is_said, harmless);
async fn harmless(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: contracted");
    let bare = phasegate(&database.url(), &["run", "--plan", project.plan.to_str().unwrap()]);
    said(bare).await.expect(0, &["is migrated", "blocked by not knowing the live versions", "--live FILE"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");
}

on_each!(plan_shows_sql_locks_rows_and_losses_and_changes_nothing, plan_only);
async fn plan_only(database: Database) {
    database.customers(1_234).await;
    let project = Project::split(&database, "target: contracted");
    project.live(&[V1]);
    let show = || {
        let (plan, live) = (project.plan.to_str().unwrap(), project.live.to_str().unwrap());
        phasegate(&database.url(), &["plan", "--plan", plan, "--live", live])
    };
    let catalog = if database.is_postgres() {
        "SELECT string_agg(relname || relnatts, ',' ORDER BY relname) FROM pg_class WHERE relname !~ '^pg_toast'"
    } else if database.is_mariadb() {
        "SELECT group_concat(table_name || '.' || column_name || column_type) FROM information_schema.columns
          WHERE table_schema = database()"
    } else {
        "SELECT group_concat(name || coalesce(sql, '')) FROM sqlite_master"
    };
    let before = database.rows(catalog).await;
    said(show()).await.expect(0, &["pending -> expanded", "ADD COLUMN", "CREATE", "1.2 k rows", "DROP COLUMN"]);
    assert_eq!(database.rows(catalog).await, before);

    project.goal("target: migrated");
    run(&database, &project).await.expect(0, &[]);
    database.execute("UPDATE customers SET full_name = 'Solo ' WHERE id < 4").await;
    project.goal("target: contracted");
    said(show()).await.expect(0, &["blocked by v1", "DROP COLUMN"]);
    let json = said(run_command(&database, &project, &["--output", "json"])).await.expect(0, &[]);
    for line in json.stdout.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}
