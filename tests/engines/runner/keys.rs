//! Every kind of primary key is cut into ranges.

use tests::mariadb::{Flavour, Server};

use crate::{
    binary::{phasegate, run, run_command, said},
    database::Database,
    on_each,
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

/// On a server whose clock is far from UTC: keys that are moments go through both connections as the same ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    of(Flavour::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql() {
    of(Flavour::Mysql).await;
}

async fn of(flavour: Flavour) {
    let settings = ["--default-time-zone=-05:30", "--log-bin-trust-function-creators=1"];
    let server = Server::start_as(flavour, &settings).unwrap();
    let rows = [
        ("k date PRIMARY KEY", "k", "DATE '1900-01-01' + INTERVAL n DAY"),
        ("k datetime(6) PRIMARY KEY", "k", "TIMESTAMP '2026-01-01 00:00:00.123456' + INTERVAL n MICROSECOND"),
        ("k timestamp(3) PRIMARY KEY", "k", "TIMESTAMP '2026-10-25 00:00:00.5' + INTERVAL n SECOND"),
        (
            "id bigint, k timestamp, PRIMARY KEY (id, k)",
            "id, k",
            "n % 7, TIMESTAMP '2026-10-25 00:00:00' + INTERVAL n SECOND",
        ),
        ("k time(3) PRIMARY KEY", "k", "SEC_TO_TIME(n - 1500.5)"),
        ("k year, n int, PRIMARY KEY (k, n)", "k, n", "CASE n % 50 WHEN 0 THEN 0 ELSE 1950 + n % 100 END, n"),
        ("k bit(12) PRIMARY KEY", "k", "n"),
        ("k decimal(30,10) PRIMARY KEY", "k", "99999999999999999990 + n * 0.0000000001"),
        ("k bigint unsigned PRIMARY KEY", "k", "18446744073709551615 - n"),
        ("k binary(20) PRIMARY KEY", "k", "LEFT(UNHEX(SHA2(n, 256)), 20)"),
        ("k varbinary(40) PRIMARY KEY", "k", "LEFT(UNHEX(SHA2(n, 256)), 20)"),
        ("k uuid PRIMARY KEY", "k", "UUID()"),
        ("k inet6 PRIMARY KEY", "k", "CONCAT('2001:db8::', HEX(n))"),
        ("a int, k enum('z','b','m'), PRIMARY KEY (a, k)", "a, k", "n DIV 3, 1 + n % 3"),
        ("k char(20) CHARACTER SET latin1 COLLATE latin1_german2_ci PRIMARY KEY", "k", "'\u{e4}pfel ' || n"),
        ("k varchar(40) COLLATE utf8mb4_nopad_bin PRIMARY KEY", "k", "REPEAT(' ', n % 3) || n || REPEAT(' ', n % 2)"),
        ("k varchar(40) COLLATE utf8mb4_turkish_ci PRIMARY KEY", "k", "'I' || n"),
        ("k double PRIMARY KEY", "k", "n / 3"),
        ("k float PRIMARY KEY", "k", "n / 4"),
        ("k mediumint unsigned PRIMARY KEY", "k", "16777215 - n"),
    ];
    // Types and collations of its own, and what the same is called there.
    let known =
        |columns: &&str| flavour == Flavour::Mariadb || !["uuid", "inet6"].iter().any(|word| columns.contains(word));
    for (columns, key, values) in rows.into_iter().filter(|(columns, ..)| known(columns)) {
        let columns = match flavour {
            Flavour::Mariadb => columns.to_owned(),
            Flavour::Mysql => columns.replace("utf8mb4_nopad_bin", "utf8mb4_0900_bin"),
        };
        let database = Database::mariadb_with(&server, "ALL PRIVILEGES").await;
        split(&database, &columns, key, values).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_and_mysql_a_key_that_begins_with_an_enum_is_refused_by_name() {
    for flavour in [Flavour::Mariadb, Flavour::Mysql] {
        begins_with_an_enum(Database::of(flavour).await).await;
    }
}

async fn begins_with_an_enum(database: Database) {
    database.execute("CREATE TABLE customers (full_name text, k enum('z','b'), a int, PRIMARY KEY (k, a))").await;
    let project = Project::split(&database, "target: migrated");
    let told =
        ["the key of `customers` begins with `k`, an ENUM or SET", "a primary key that begins with another column"];
    let plan = project.plan.to_str().unwrap();
    said(phasegate(&database.url(), &["doctor", "--plan", plan])).await.expect(78, &told);
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "pending");
}

on_each!(without_a_primary_key_a_unique_key_finds_the_rows, unique);
async fn unique(database: Database) {
    // Two unique keys may be NULL or are longer; on each engine the third one is taken.
    database
        .execute(
            "CREATE TABLE customers (full_name varchar(90) NOT NULL, a varchar(20) NULL, b bigint NOT NULL, c bigint NOT NULL,
                                     d bigint NOT NULL, UNIQUE (a), UNIQUE (b, c, d), UNIQUE (c, d))",
        )
        .await;
    database.fill("customers", "a, b, c, d, full_name", "NULL, n, n % 9, n, 'Ann' || n || ' Lee' || n", ROWS).await;
    let project = Project::split(&database, "target: migrated");
    let plan = project.plan.to_str().unwrap();
    said(phasegate(&database.url(), &["doctor", "--plan", plan])).await.expect(0, &["0 blockers"]);
    said(run_command(&database, &project, &["--batch", "1ms"])).await.expect(0, &["is migrated"]);
    let wrong = "SELECT count(*) FROM customers WHERE first_name <> 'Ann' || d OR last_name <> 'Lee' || d";
    assert_eq!(database.number(wrong).await, 0);
    // The damage is named by that key.
    database.execute("UPDATE customers SET full_name = 'Eve Adams' WHERE d = 12").await;
    crate::obstacles::without_triggers(&database, "UPDATE customers SET full_name = 'Eve Brown' WHERE d = 12").await;
    let verify = said(phasegate(&database.url(), &["verify", "--plan", plan])).await;
    verify.expect(78, &["1 row disagrees"]);
    project.goal("target: contracted");
    run(&database, &project).await.expect(78, &["(the first: c = 3 and d = 12)"]);
    database.execute("UPDATE customers SET full_name = 'Eve Browne' WHERE d = 12").await;
    run(&database, &project).await.expect(0, &["is contracted"]);
}
