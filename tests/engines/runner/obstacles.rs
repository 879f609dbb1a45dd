//! What stands in the way of a run, and what it says of it.

use std::{fs, time::Duration};

use crate::{
    binary::{phasegate, run, run_command, said},
    database::{Connected, Database},
    on_each,
    project::{Project, V1, V2},
};

on_each!(a_loss_is_counted_refused_and_then_accepted, loss);
async fn loss(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: migrated");
    run(&database, &project).await.expect(0, &["is migrated"]);
    // Not to be rebuilt from the old column: where the first name ends.
    let names = "UPDATE customers SET first_name = 'Mary Ann', last_name = 'Lee' WHERE id <= 3";
    database.execute(names).await;
    project.goal("revertTo: pending");
    run(&database, &project)
        .await
        .expect(0, &["blocked by a loss of data: 3 rows of customers", "acceptLoss: {revert: 3}"]);
    assert_eq!(database.phase("split-full-name").await, "synced");
    project.goal("acceptLoss: {revert: 2}\n  revertTo: pending");
    run(&database, &project).await.expect(0, &["blocked by a loss of data: 3 rows"]);
    assert_eq!(database.phase("split-full-name").await, "synced");
    project.goal("acceptLoss: {revert: 3}\n  revertTo: pending");
    run(&database, &project).await.expect(0, &["is pending"]);
    assert_eq!(database.number("SELECT count(*) FROM customers WHERE full_name = 'Mary Ann Lee'").await, 3);
}

on_each!(an_applied_change_that_was_edited_is_named_and_nothing_moves, edited);
async fn edited(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: expanded");
    run(&database, &project).await.expect(0, &["is expanded"]);
    let file = project.plan.join("changes/0001-split-full-name.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("separator: \" \"", "separator: \",\"");
    fs::write(&file, text.replace("expanded", "migrated")).unwrap();
    run(&database, &project)
        .await
        .expect(78, &["`changes/0001-split-full-name.yaml` was edited after `split-full-name` was applied"]);
    assert_eq!(database.phase("split-full-name").await, "expanded");
}

on_each!(a_change_that_vanished_from_git_stays_and_is_reported, vanished);
async fn vanished(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: synced");
    run(&database, &project).await.expect(0, &["is synced"]);
    fs::remove_file(project.plan.join("changes/0001-split-full-name.yaml")).unwrap();
    run(&database, &project).await.expect(0, &["split-full-name: is synced and no longer in Git"]);
    assert_eq!(database.phase("split-full-name").await, "synced");
}

on_each!(rows_that_a_missing_trigger_let_diverge_are_counted_and_stop_the_change, planted);
async fn planted(database: Database) {
    database.customers(1_000).await;
    let project = Project::split(&database, "target: synced");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is synced"]);
    // Two rows in step, then the sync is off for a moment, and one write passes unseen.
    database.execute("UPDATE customers SET full_name = 'Eve Adams' WHERE id IN (8, 9)").await;
    without_triggers(&database, "UPDATE customers SET full_name = 'Eve Brown' WHERE id = 9").await;
    project.goal("target: migrated");
    run(&database, &project)
        .await
        .expect(78, &["1 row disagrees", "the same in both shapes", "(the first: id = 9)", "SELECT * FROM"]);
    assert_eq!(database.phase("split-full-name").await, "synced");
    // Mended by hand, the next run goes on to the end.
    database.execute("UPDATE customers SET full_name = 'Eve Browne' WHERE id = 9").await;
    run(&database, &project).await.expect(0, &["goes on where a dead runner stopped", "is migrated"]);
}

on_each!(a_sync_trigger_that_is_off_stops_the_change, trigger_off);
async fn trigger_off(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: synced");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is synced"]);
    let off = if database.is_postgres() {
        "ALTER TABLE customers DISABLE TRIGGER USER".to_owned()
    } else {
        format!("DROP TRIGGER {}", triggers(&database).await[0][0])
    };
    database.execute(&off).await;
    project.goal("target: migrated");
    run(&database, &project).await.expect(78, &["is missing, disabled or altered"]);
    assert_eq!(database.phase("split-full-name").await, "synced");
}

async fn triggers(database: &Database) -> Vec<Vec<String>> {
    if database.is_mariadb() {
        let names = "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY 1";
        let mut found = Vec::new();
        for row in database.rows(names).await {
            let shown = database.rows(&format!("SHOW CREATE TRIGGER {}", row[0])).await;
            found.push(vec![row[0].clone(), shown[0][2].clone()]);
        }
        return found;
    }
    database.rows("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name").await
}

/// Does something while the sync triggers are off, and leaves them as they were.
pub(crate) async fn without_triggers(database: &Database, sql: &str) {
    if database.is_postgres() {
        let off =
            format!("ALTER TABLE customers DISABLE TRIGGER USER; {sql}; ALTER TABLE customers ENABLE TRIGGER USER");
        return database.execute(&off).await;
    }
    let triggers = triggers(database).await;
    for trigger in &triggers {
        database.execute(&format!("DROP TRIGGER {}", trigger[0])).await;
    }
    database.execute(sql).await;
    for trigger in &triggers {
        database.execute(&trigger[1]).await;
    }
}

on_each!(a_row_whose_key_moves_during_the_backfill_is_filled_too, moved_keys);
async fn moved_keys(database: Database) {
    const ROWS: i64 = 20_000;
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: synced");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is synced"]);
    project.goal("target: migrated");
    let mut connection = database.connect().await;
    let run = tokio::spawn(said(run_command(&database, &project, &["--batch", "2ms"])));
    // Behind the cursor and beyond its end, all the while.
    for id in 0..150 {
        for (from, to) in [(ROWS - id, -1 - id), (1 + id, 2 * ROWS + id)] {
            let binds = [crate::database::Bind::Int(to), crate::database::Bind::Int(from)];
            connection.execute("UPDATE customers SET id = $1 WHERE id = $2", &binds).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    run.await.unwrap().expect(0, &["is migrated"]);
    connection.close().await;
    let wrong =
        "SELECT count(*) FROM customers WHERE first_name IS NULL OR full_name <> first_name || ' ' || last_name";
    assert_eq!(database.number(wrong).await, 0);
}

on_each!(a_version_forced_in_is_reported_on_every_run_and_never_blocks_the_way_to_it, forced);
async fn forced(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: synced");
    project.live(&[V2]);
    run(&database, &project).await.expect(0, &["VIOLATION: v2 runs outside its window", "1 VIOLATION"]);
    project.goal("target: migrated");
    run(&database, &project).await.expect(0, &["VIOLATION", "is migrated"]);
    let quiet = run(&database, &project).await.expect(0, &[]);
    assert!(!quiet.says("VIOLATION"), "{}", quiet.all());
}

on_each!(a_plan_with_mistakes_is_refused_with_all_of_them_and_the_database_left_alone, bad_plan);
async fn bad_plan(database: Database) {
    let project = Project::split(&database, "target: migratd");
    project.change("other", "no_such_table", "target: migrated\n  wrong: 1");
    let said =
        run(&database, &project).await.expect(78, &["0001-split-full-name.yaml:", "0001-other.yaml:", "migratd"]);
    assert!(said.stdout.is_empty(), "{}", said.all());
    fs::remove_file(project.plan.join("changes/0001-other.yaml")).unwrap();
    project.goal("target: migrated");
    // The table does not exist.
    run(&database, &project).await.expect(78, &["split-full-name: failed", "customers"]);
    assert_eq!(database.phase("split-full-name").await, "pending");
}

on_each!(a_live_file_that_cannot_be_read_moves_nothing, bad_live);
async fn bad_live(database: Database) {
    database.customers(10).await;
    let project = Project::split(&database, "target: migrated");
    fs::write(&project.live, "- nme: v1\n").unwrap();
    let short = ["--retry-for", "1s"];
    said(run_command(&database, &project, &short)).await.expect(75, &["must be a list of {name, supports}"]);
    fs::remove_file(&project.live).unwrap();
    said(run_command(&database, &project, &short)).await.expect(75, &["live.yaml"]);
    assert_eq!(database.phase("split-full-name").await, "unknown");
}

on_each!(the_file_may_say_that_another_plan_is_wanted, other_plan);
async fn other_plan(database: Database) {
    database.customers(10).await;
    let project = Project::split(&database, "target: migrated");
    fs::write(&project.live, format!("wantedDigest: {}\nversions: []\n", "0".repeat(64))).unwrap();
    run(&database, &project).await.expect(0, &["superseded"]);
    assert_eq!(database.phase("split-full-name").await, "unknown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reader_puts_the_move_off_and_is_named_and_the_application_is_hardly_stalled() {
    let database = Database::postgres().await;
    database.customers(100).await;
    let project = Project::split(&database, "target: expanded");
    let Connected::Postgres(mut reader) = database.connect().await else { panic!("PostgreSQL") };
    sqlx::raw_sql("SET application_name = 'nightly report'; BEGIN; SELECT count(*) FROM customers")
        .execute(&mut reader)
        .await
        .unwrap();
    let run = tokio::spawn(said(run_command(&database, &project, &["--lock-patience", "3s"])));
    let mut application = database.connect().await;
    let (mut worst, began) = (Duration::ZERO, std::time::Instant::now());
    while began.elapsed() < Duration::from_secs(3) {
        let write = std::time::Instant::now();
        application
            .execute("UPDATE customers SET city = 'Bern' WHERE id = $1", &[crate::database::Bind::Int(1)])
            .await
            .unwrap();
        worst = worst.max(write.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run.await.unwrap().expect(
        75,
        &["could not lock", "nightly report", "idle in transaction", "transaction ", " s old, query begun "],
    );
    assert!(worst < Duration::from_millis(1_000), "the application waited for {worst:?}");
    assert_eq!(database.phase("split-full-name").await, "pending");
    sqlx::raw_sql("COMMIT").execute(&mut reader).await.unwrap();
    crate::binary::run(&database, &project).await.expect(0, &["is expanded"]);
}

/// A plain statement of a change that meets a server in need.
async fn in_need(database: Database, planted: &str, statement: &str) {
    database.customers(10).await;
    database.execute(planted).await;
    let project = Project::new(&database);
    project.sql(
        "in-need",
        "  target: expanded\n  tables: [customers]\n  windows: {old: pending..contracted, new: pending..contracted}\n  sql:\n    expand: i.sql\n    reverse: {expand: r.sql}",
        &[("i.sql", statement), ("r.sql", "DELETE FROM customers WHERE id = 11;\n")],
    );
    let out = said(run_command(&database, &project, &["--retry-for", "1s"])).await;
    out.expect(75, &["the server is short of disk space; see to it there", "planted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_in_need_is_tried_again_and_not_given_up_on_mariadb() {
    no_space(Database::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_in_need_is_tried_again_and_not_given_up_on_mysql() {
    no_space(Database::mysql().await).await;
}

async fn no_space(database: Database) {
    let planted = "CREATE FUNCTION no_space() RETURNS int DETERMINISTIC NO SQL BEGIN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'planted'; RETURN 1; END";
    in_need(database, planted, "UPDATE customers SET city = no_space() WHERE id = 1;\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_in_need_is_tried_again_and_not_given_up_on_postgres() {
    let planted = "CREATE FUNCTION full_disk() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'planted'; END $$";
    in_need(Database::postgres().await, planted, "UPDATE customers SET city = full_disk() WHERE id = 1;\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_index_left_by_a_dead_build_is_built_anew() {
    let database = Database::postgres().await;
    database.customers(100).await;
    database.execute("UPDATE customers SET city = 'c' || id").await;
    let project = Project::new(&database);
    project.sql(
        "index-city",
        "  target: expanded\n  tables: [customers]\n  windows: {old: pending..contracted, new: pending..contracted}\n  sql:\n    expand: i.sql\n    reverse: {expand: r.sql}",
        &[
            ("i.sql", "CREATE UNIQUE INDEX CONCURRENTLY by_city ON customers (city);\n"),
            ("r.sql", "DROP INDEX CONCURRENTLY by_city;\n"),
        ],
    );
    // A duplicate makes the build fail, and leaves an invalid index behind.
    database.execute("UPDATE customers SET city = 'c1' WHERE id = 2").await;
    run(&database, &project).await.expect(78, &["by_city"]);
    let invalid = "SELECT count(*) FROM pg_index WHERE indexrelid = 'by_city'::regclass AND NOT indisvalid";
    assert_eq!(database.number(invalid).await, 1);
    database.execute("UPDATE customers SET city = 'c2' WHERE id = 2").await;
    run(&database, &project).await.expect(0, &["is expanded"]);
    assert_eq!(database.number(invalid).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_in_the_address_that_the_server_refuses_is_not_tried_for_ever() {
    let database = Database::postgres().await;
    let project = Project::split(&database, "target: migrated");
    let url = format!("{}?options=-c%20TimeZone%3DNowhere", database.url());
    let plan = project.plan.to_str().unwrap();
    said(phasegate(&url, &["run", "--plan", plan])).await.expect(78, &["TimeZone"]);
}

#[tokio::test]
async fn a_command_line_that_is_wrong_is_64_and_what_it_names_is_said() {
    let url = "sqlite:///nowhere/at/all.db";
    said(phasegate(url, &["run"])).await.expect(64, &["--plan <DIR>"]);
    said(phasegate(url, &["nonsense"])).await.expect(64, &["unrecognized subcommand"]);
    said(phasegate(url, &["--version"])).await.expect(0, &["phasegate 0."]);
    said(phasegate(url, &["run", "--help"])).await.expect(0, &["Examples:", "Exit codes:"]);
    said(phasegate(url, &["completions", "bash"])).await.expect(0, &["complete"]);
    said(phasegate(url, &["status"])).await.expect(75, &["cannot reach the database"]);
    said(phasegate("", &["status"])).await.expect(78, &["PHASEGATE_DATABASE_URL"]);
    said(phasegate("mysql://u@h", &["status"])).await.expect(78, &["names no database"]);
    said(phasegate(url, &["run", "--plan", "/nowhere"])).await.expect(78, &["/nowhere"]);
    said(phasegate(url, &["run", "--plan", "/", "--live", "a", "--kubernetes"])).await.expect(64, &["cannot be used"]);
}
