//! Backfills by several connections, killed, paused, throttled and watched.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    binary::{Running, phasegate, run, run_command, said},
    database::Database,
    on_each,
    project::{Project, V1},
    traffic::{Shape, Writer, account},
};

const ROWS: i64 = 100_000;
const SEVERAL: [&str; 6] = ["--output", "json", "--connections", "3", "--batch", "5ms"];

/// A table at `synced`, and a project that asks for `migrated`.
async fn synced(database: &Database, rows: i64) -> Project {
    database.customers(rows).await;
    let project = Project::split(database, "target: synced");
    project.live(&[V1]);
    run(database, &project).await.expect(0, &["is synced"]);
    project.goal("target: migrated");
    project
}

/// Adds a `backfill` to what Git declares of the database.
fn declare(project: &Project, backfill: &str) {
    let path = project.plan.join("phasegate.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text: String =
        text.lines().filter(|line| !line.starts_with("  backfill")).map(|line| format!("{line}\n")).collect();
    std::fs::write(path, format!("{text}  backfill: {backfill}\n")).unwrap();
}

/// The address of a role that owns everything here and may see nobody else's sessions.
async fn plain_owner(database: &Database) -> String {
    let role = format!("owner_{:08x}", fastrand::u32(..));
    let password = tests::postgres::PASSWORD;
    database
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{password}';
             GRANT ALL ON SCHEMA public TO {role};
             ALTER SCHEMA phasegate OWNER TO {role};
             DO $do$ DECLARE it record; BEGIN
               FOR it IN SELECT c.oid::regclass AS name FROM pg_class c
                          WHERE c.relkind = 'r' AND c.relnamespace IN ('phasegate'::regnamespace, 'public'::regnamespace)
               LOOP EXECUTE format('ALTER TABLE %s OWNER TO {role}', it.name); END LOOP;
               FOR it IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.proname LIKE 'zzz_phasegate_%'
               LOOP EXECUTE format('ALTER FUNCTION %s OWNER TO {role}', it.name); END LOOP;
             END $do$"
        ))
        .await;
    database.url().replacen("postgres://postgres:", &format!("postgres://{role}:"), 1)
}

async fn filled(database: &Database) -> i64 {
    database.number("SELECT count(*) FROM customers WHERE first_name IS NOT NULL").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_connections_are_killed_together_and_the_next_run_goes_on_in_every_range() {
    let database = Database::postgres().await;
    let project = synced(&database, ROWS).await;
    let old = Writer::start(&database, Shape::Old, 1, ROWS).await;
    let mut random = fastrand::Rng::with_seed(11);
    let (mut furthest, mut ranges) = (0, 0);
    for _ in 0..6 {
        let mut running = Running::start(run_command(&database, &project, &SEVERAL));
        running.until("progress").await;
        tokio::time::sleep(Duration::from_millis(random.u64(0..80))).await;
        running.kill().await;
        if database.phase("split-full-name").await == "migrated" {
            break;
        }
        let done = database.number("SELECT coalesce(sum(rows_done), 0) FROM phasegate.ranges").await;
        assert!(done >= furthest, "the cursors went back from {furthest} to {done}");
        furthest = done;
        ranges = ranges.max(database.number("SELECT count(*) FROM phasegate.ranges").await);
        // Cursors and rows go together: what is behind a cursor is filled, whoever was killed when.
        let behind = "SELECT count(*) FROM customers c WHERE c.first_name IS NULL AND c.id <= 100000 AND EXISTS (
            SELECT FROM phasegate.ranges r WHERE r.cursor <> 'v1'
               AND c.id <= split_part(r.cursor, ':', 2)::bigint
               AND c.id > coalesce((SELECT max(split_part(p.finish, ':', 2)::bigint) FROM phasegate.ranges p
                                     WHERE p.part < r.part), -1))";
        assert_eq!(database.number(behind).await, 0, "rows behind a cursor are not filled");
    }
    assert!(ranges > 2, "it was cut into {ranges} ranges");
    said(run_command(&database, &project, &SEVERAL)).await.expect(0, &["is migrated"]);
    let old = old.stop().await;
    account(&database, Shape::Old, ROWS, &[&old]).await;
    account(&database, Shape::New, ROWS, &[&old]).await;
    assert_eq!(database.number("SELECT count(*) FROM phasegate.ranges").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_connections_fill_composite_and_text_keys_whose_rows_move_meanwhile() {
    for (columns, key, values) in [
        ("u uuid, s text, PRIMARY KEY (u, s)", "u, s", "gen_random_uuid(), 'k''\"' || n % 7"),
        ("k text PRIMARY KEY", "k", "'K' || md5(n::text)"),
    ] {
        let database = Database::postgres().await;
        database.execute(&format!("CREATE TABLE customers (full_name text NOT NULL, {columns})")).await;
        database
            .fill("customers", &format!("{key}, full_name"), &format!("{values}, 'Ann' || n || ' Lee' || n"), ROWS)
            .await;
        let project = Project::split(&database, "target: migrated");
        project.live(&[V1]);
        let mut running = Running::start(run_command(&database, &project, &SEVERAL));
        running.until("progress").await;
        let last = key.split(", ").last().unwrap();
        database.execute(&format!("UPDATE customers SET {last} = 'A' || {last} WHERE full_name LIKE 'Ann9%9'")).await;
        running.end().await.expect(0, &["\"phase\":\"migrated\""]);
        assert_eq!(filled(&database).await, ROWS);
    }
}

on_each!(paused_by_hand_it_fills_nothing_says_so_everywhere_and_goes_on_when_told, paused);
async fn paused(database: Database) {
    let project = synced(&database, 5_000).await;
    let url = database.url();
    said(phasegate(&url, &["pause", "--by", "anna", "--reason", "month's\nend"])).await.expect(0, &["until"]);
    let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
    let held = running.until("held").await;
    assert_eq!(held["why"], "paused by anna: month's end");
    let status = said(phasegate(&url, &["status"])).await.expect(0, &["backfills are paused by anna: month's end"]);
    assert!(status.says("phasegate resume"), "{}", status.all());
    // The ledger is told before anything else could be filled.
    running.until("progress").await;
    said(phasegate(&url, &["status"])).await.expect(0, &["resting: paused by anna: month's end"]);
    assert_eq!(filled(&database).await, 0);
    // Whoever is asked to leave leaves, and the pause stays.
    running.signal("-TERM");
    running.end().await.expect(75, &["asked to leave"]);
    let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
    running.until("held").await;
    assert_eq!(filled(&database).await, 0);
    said(phasegate(&url, &["resume"])).await.expect(0, &["goes on"]);
    running.until("released").await;
    running.end().await.expect(0, &["\"phase\":\"migrated\""]);
    assert_eq!(filled(&database).await, 5_000);
    assert!(!said(phasegate(&url, &["status"])).await.says("paused"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_without_a_ledger_is_refused() {
    let database = Database::sqlite().await;
    said(phasegate(&database.url(), &["pause"])).await.expect(78, &["ledger"]);
}

on_each!(it_rests_while_a_query_says_so_or_cannot_be_asked, throttled_by_query);
async fn throttled_by_query(database: Database) {
    let project = synced(&database, 5_000).await;
    database.execute("CREATE TABLE jobs (busy integer)").await;
    declare(&project, "{throttle: {query: SELECT busy FROM jobs}}");
    let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
    let held = running.until("held").await;
    assert!(held["why"].as_str().unwrap().contains("one row with one number"), "{held}");
    assert_eq!(filled(&database).await, 0, "an unknown is never a yes");
    database.execute("INSERT INTO jobs VALUES (7)").await;
    let held = running.until("held").await;
    assert_eq!(held["why"], "the throttle query is 7, above 0");
    assert_eq!(filled(&database).await, 0);
    database.execute("UPDATE jobs SET busy = 0").await;
    running.end().await.expect(0, &["released", "\"phase\":\"migrated\""]);
    assert_eq!(filled(&database).await, 5_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_rests_while_too_many_sessions_are_active_and_without_a_standby_to_be_seen() {
    let database = Database::postgres().await;
    let project = synced(&database, 5_000).await;
    declare(&project, "{throttle: {replicationLag: 10s}}");
    let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
    let held = running.until("held").await;
    assert!(held["why"].as_str().unwrap().contains("no standby streams"), "{held}");
    assert_eq!(filled(&database).await, 0);
    running.kill().await;

    // A role that may not look at other sessions sees no load, and that is not none.
    declare(&project, "{throttle: {activeSessions: 1000}}");
    let mut command = run_command(&database, &project, &["--output", "json"]);
    command.env("PHASEGATE_DATABASE_URL", plain_owner(&database).await);
    let mut running = Running::start(command);
    let held = running.until("held").await;
    assert!(held["why"].as_str().unwrap().contains("pg_read_all_stats"), "{held}");
    assert_eq!(filled(&database).await, 0);
    running.kill().await;
    run(&database, &project).await.expect(0, &["is migrated"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_it_rests_while_too_many_threads_run() {
    too_many_threads(Database::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql_it_rests_while_too_many_threads_run() {
    too_many_threads(Database::mysql().await).await;
}

async fn too_many_threads(database: Database) {
    let project = synced(&database, 5_000).await;
    declare(&project, "{throttle: {activeSessions: 0}}");
    let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
    let held = running.until("held").await;
    assert!(held["why"].as_str().unwrap().starts_with("the number of active sessions is "), "{held}");
    assert_eq!(filled(&database).await, 0);
    running.kill().await;
    declare(&project, "{throttle: {activeSessions: 10000}}");
    run(&database, &project).await.expect(0, &["is migrated"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_rests_while_a_real_standby_is_behind() {
    let server = tests::postgres::Cluster::start().unwrap();
    let database = Database::postgres_on(&server).await;
    let project = synced(&database, 5_000).await;
    let standby = server.standby().unwrap();
    let follows = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn = sent_lsn";
    while database.number(follows).await != 1 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    standby.existing("postgres").execute("SELECT pg_wal_replay_pause()").await.unwrap();
    declare(&project, "{throttle: {replicationLag: 1ms}}");
    // Whatever the primary writes now, the standby does not replay; and it has measured no lag of that yet.
    for _ in 0..5 {
        database.execute("UPDATE customers SET city = city || 'x'").await;
    }
    let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
    let held = running.until("held").await;
    assert!(held["why"].as_str().unwrap().starts_with("the replication lag is "), "{held}");
    assert_eq!(filled(&database).await, 0);
    running.kill().await;
    standby.existing("postgres").execute("SELECT pg_wal_replay_resume()").await.unwrap();
    declare(&project, "{throttle: {replicationLag: 10m}}");
    run(&database, &project).await.expect(0, &["is migrated"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_rests_outside_of_its_window() {
    let database = Database::sqlite().await;
    let project = synced(&database, 500).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 3_600 % 24;
    let clock = |hours: u64| format!("'{:02}:00'", (now + hours) % 24);
    declare(&project, &format!("{{throttle: {{window: {{from: {}, to: {}}}}}}}", clock(2), clock(4)));
    let mut running = Running::start(run_command(&database, &project, &["--output", "json"]));
    let held = running.until("held").await;
    assert!(held["why"].as_str().unwrap().starts_with("it works from "), "{held}");
    assert_eq!(filled(&database).await, 0);
    running.kill().await;
    declare(&project, &format!("{{throttle: {{window: {{from: {}, to: {}}}}}}}", clock(22), clock(4)));
    run(&database, &project).await.expect(0, &["is migrated"]);
}

on_each!(it_rests_unless_a_real_prometheus_says_that_it_may, throttled_by_prometheus);
async fn throttled_by_prometheus(database: Database) {
    let project = synced(&database, 3_000).await;
    let server = tests::prometheus::Prometheus::start("").unwrap();
    let servers = database.directory.path().join("prometheus.yaml");
    let at = |port: u16| {
        std::fs::write(&servers, format!("servers:\n- {{name: main, url: 'http://127.0.0.1:{port}'}}\n")).unwrap();
    };
    at(server.port());
    let file = ["--output", "json", "--prometheus", servers.to_str().unwrap()];
    let measure = |query: &str| {
        declare(
            &project,
            &format!("{{throttle: {{prometheus: {{measures: [{{name: load, query: '{query}', atMost: 4}}]}}}}}}"),
        );
    };
    // Above its bound; no value; no number; several; no PromQL; and nobody to be asked.
    for (query, arguments, told) in [
        ("vector(7)", &file[..], "load is 7, above 4"),
        ("node_load1", &file[..], "load cannot be seen: Prometheus server main has no value for the query"),
        ("vector(0) / vector(0)", &file[..], "load cannot be seen: "),
        ("vector(1) or label_replace(vector(2), \"a\", \"b\", \"\", \"\")", &file[..], "answers 2 series"),
        ("sum(", &file[..], "does not take the query"),
        ("vector(0)", &file[..2], "no Prometheus server is known; start it with --prometheus FILE"),
    ] {
        measure(query);
        let mut running = Running::start(run_command(&database, &project, arguments));
        let held = running.until("held").await;
        assert!(held["why"].as_str().unwrap().contains(told), "{query}: {held}");
        running.kill().await;
        assert_eq!(filled(&database).await, 0, "{query}: an unknown is never a yes");
    }
    // Away at first, and then it says that all is well: the file is read anew for each question.
    at(1);
    measure("vector(0.5)");
    let mut running = Running::start(run_command(&database, &project, &file));
    let held = running.until("held").await;
    assert!(held["why"].as_str().unwrap().contains("load cannot be seen: "), "{held}");
    assert_eq!(filled(&database).await, 0);
    at(server.port());
    running.until("released").await;
    running.end().await.expect(0, &["\"phase\":\"migrated\""]);
    assert_eq!(filled(&database).await, 3_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_may_scrape_it_while_it_runs() {
    let database = Database::sqlite().await;
    let project = synced(&database, 500).await;
    said(phasegate(&database.url(), &["pause"])).await.expect(0, &[]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut running = Running::start(run_command(&database, &project, &["--output", "json", "--metrics", &address]));
    running.until("progress").await;
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    assert!(page.contains("phasegate_run_backfill_held 1\n"), "{page}");
    assert!(page.contains("phasegate_run_backfill_rows 500\n"), "{page}");
    // An address that is taken is told, and nothing is run.
    said(run_command(&database, &project, &["--metrics", &address])).await.expect(75, &["cannot answer scrapes at"]);
    said(phasegate(&database.url(), &["resume"])).await.expect(0, &[]);
    running.end().await.expect(0, &["\"phase\":\"migrated\""]);
}
