//! Every kind of primary key is cut into ranges.

use crate::{
    binary::{run, run_command, said},
    database::Database,
    project::Project,
};

const ROWS: i64 = 3_000;

async fn split(database: &Database, columns: &str, key: &str, values: &str) {
    database.execute(&format!("CREATE TABLE customers (full_name text NOT NULL, {columns})")).await;
    database
        .fill("customers", &format!("{key}, full_name"), &format!("{values}, 'Ann' || n || ' Lee' || n"), ROWS)
        .await;
    let project = Project::split(database, "target: migrated");
    said(run_command(database, &project, &["--batch", "1ms"])).await.expect(0, &["is migrated"]);
    let wrong = "SELECT count(*) FROM customers WHERE first_name IS NULL OR last_name IS NULL";
    assert_eq!(database.number(wrong).await, 0);
    project.goal("target: contracted");
    run(database, &project).await.expect(0, &["is contracted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    let rows = [
        ("u uuid, s text, PRIMARY KEY (u, s)", "u, s", "gen_random_uuid(), 'k''\"' || n % 7"),
        ("k text PRIMARY KEY", "k", "'K' || md5(n::text)"),
        ("k varchar(40) PRIMARY KEY", "k", "'ä ' || n"),
        ("k timestamptz PRIMARY KEY", "k", "'2026-01-01 00:00:00.123456+02'::timestamptz + n * interval '7 minutes'"),
        ("k numeric(30, 4) PRIMARY KEY", "k", "n * 1234567890123.4567"),
        ("k bytea PRIMARY KEY", "k", "decode(md5(n::text), 'hex')"),
        ("a int, b bigint, c date, PRIMARY KEY (c, a, b)", "a, b, c", "n % 3, -n, '2026-01-01'::date + n % 5"),
        ("k double precision PRIMARY KEY", "k", "n / 3.0"),
        ("\"Select\" bigint PRIMARY KEY", "\"Select\"", "n::bigint * 1000000007"),
        (
            "k bigint PRIMARY KEY",
            "k",
            "CASE WHEN n = 1 THEN -9223372036854775807 WHEN n = 2 THEN 9223372036854775807 ELSE n END",
        ),
    ];
    for (columns, key, values) in rows {
        let database = Database::postgres().await;
        split(&database, columns, key, values).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    let rows = [
        ("u blob, s text, PRIMARY KEY (u, s)", "u, s", "randomblob(16), 'k' || n % 7"),
        ("k text PRIMARY KEY", "k", "'K' || hex(randomblob(8))"),
        ("k text PRIMARY KEY COLLATE NOCASE", "k", "CASE n % 2 WHEN 0 THEN 'a' ELSE 'B' END || n"),
        ("k real PRIMARY KEY", "k", "n / 3.0"),
        ("k PRIMARY KEY", "k", "CASE n % 3 WHEN 0 THEN n WHEN 1 THEN 't' || n ELSE randomblob(8) END"),
        ("a integer, b integer, PRIMARY KEY (b, a)", "a, b", "n % 3, -n"),
        // SQLite lets NULL into such a key.
        ("k text PRIMARY KEY", "k", "CASE WHEN n % 100 = 0 THEN NULL ELSE 'k' || n END"),
        ("k integer PRIMARY KEY", "k", "CASE WHEN n = 1 THEN -9223372036854775807 ELSE n END"),
    ];
    for (columns, key, values) in rows {
        let database = Database::sqlite().await;
        split(&database, columns, key, values).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_without_a_primary_key_is_refused_before_anything_is_done() {
    for database in [Database::sqlite().await, Database::postgres().await] {
        database.execute("CREATE TABLE customers (full_name text NOT NULL)").await;
        let project = Project::split(&database, "target: migrated");
        run(&database, &project).await.expect(78, &["primary key"]);
        assert_eq!(database.phase("split-full-name").await, "pending");
    }
}
