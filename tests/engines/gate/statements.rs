//! Statements on PostgreSQL and SQLite: prepared alone, never run, within their bounds.

use std::time::Duration;

use phase_ledger::{Prepared, Probe, ProbeError, QueryAnswer, TableName, open_probe};
use sqlx::Connection;
use tests::postgres::Database;

use crate::{BOUND, role::shop};

async fn probe(url: &str) -> Box<dyn Probe> {
    open_probe(&url.parse().unwrap(), BOUND).await.unwrap()
}

fn table(schema: Option<&str>, name: &str) -> TableName {
    TableName { schema: schema.map(str::to_owned), name: name.to_owned() }
}

async fn count(database: &Database, sql: &str) -> String {
    database.rows(sql).await.unwrap()[0][0].clone().unwrap()
}

#[tokio::test]
async fn a_statement_is_understood_or_refused_and_never_run() {
    let (database, url) = shop().await;
    database
        .execute(
            "CREATE TABLE shop.ran (at int); ALTER TABLE shop.ran OWNER TO postgres; CREATE FUNCTION shop.run() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO shop.ran VALUES (1); SELECT 1'",
        )
        .await
        .unwrap();
    let mut probe = probe(&url).await;
    for understood in [
        "SELECT full_name FROM customers WHERE id = $1",
        "INSERT INTO customers (id, full_name) VALUES ($1, $2) RETURNING *",
        "UPDATE shop.customers SET note = $1 WHERE id = $2",
        "DELETE FROM customers",
        "SELECT run()",
        "WITH x AS (DELETE FROM customers RETURNING id) SELECT count(*) FROM x",
        "DROP TABLE shop.customers",
        "COMMIT",
        "",
    ] {
        assert_eq!(probe.prepare(understood).await.unwrap(), Prepared::Understood, "{understood}");
    }
    for (refused, why) in [
        ("SELECT first_name FROM customers", "column \"first_name\" does not exist"),
        ("SELECT * FROM nobody", "relation \"nobody\" does not exist"),
        (
            "INSERT INTO customers (first_name) VALUES ($1)",
            "column \"first_name\" of relation \"customers\" does not exist",
        ),
        ("SELECT id + full_name FROM customers", "operator does not exist"),
        ("SELECT nothing(1)", "function nothing(integer) does not exist"),
        ("SELECT 'a'::int", "invalid input syntax for type integer"),
        ("SELEC 1", "syntax error"),
        ("SELECT 1; DELETE FROM customers", "cannot insert multiple commands into a prepared statement"),
        ("SELECT 1; COMMIT; DROP TABLE shop.customers", "cannot insert multiple commands"),
    ] {
        let Prepared::Refused(told) = probe.prepare(refused).await.unwrap() else { panic!("{refused}") };
        assert!(told.contains(why), "{refused}: {told}");
    }
    assert_eq!(count(&database, "SELECT count(*)::text FROM shop.ran").await, "0");
    assert_eq!(count(&database, "SELECT count(*)::text FROM shop.customers").await, "1");
    // Nothing of it stays on the server session, which behind a pooler is somebody else's next.
    let left = "SELECT count(*)::text FROM pg_stat_activity WHERE usename LIKE 'gate_of_%' AND datname = current_database() AND state LIKE 'idle in%'";
    assert_eq!(count(&database, left).await, "0");
}

#[tokio::test]
async fn columns_that_nothing_fills_are_named() {
    let (database, url) = shop().await;
    database
        .execute(
            "CREATE DOMAIN shop.filled AS text DEFAULT 'x' NOT NULL; CREATE DOMAIN shop.bare AS text NOT NULL; \
             CREATE TABLE shop.all_kinds (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, serial bigserial NOT NULL, \
               plain text NOT NULL, \"Odd\" int NOT NULL, filled text NOT NULL DEFAULT '', nullable text, \
               computed text NOT NULL GENERATED ALWAYS AS ('x') STORED, d1 shop.filled, d2 shop.bare, gone text NOT NULL); \
             ALTER TABLE shop.all_kinds DROP COLUMN gone; \
             CREATE TABLE shop.triggered (plain text NOT NULL); \
             CREATE FUNCTION shop.fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.plain := 'x'; RETURN NEW; END $$; \
             CREATE TRIGGER fill BEFORE INSERT ON shop.triggered FOR EACH ROW EXECUTE FUNCTION shop.fill()",
        )
        .await
        .unwrap();
    let mut probe = probe(&url).await;
    for schema in [None, Some("shop")] {
        let found = probe.required_columns(&table(schema, "all_kinds")).await.unwrap();
        assert_eq!(found, ["plain", "Odd", "d2"]);
    }
    assert_eq!(probe.required_columns(&table(None, "triggered")).await.unwrap(), [""; 0]);
    assert_eq!(probe.required_columns(&table(None, "nobody")).await.unwrap(), [""; 0]);
    database.execute("ALTER TABLE shop.triggered DISABLE TRIGGER fill").await.unwrap();
    assert_eq!(probe.required_columns(&table(None, "triggered")).await.unwrap(), ["plain"]);
}

#[tokio::test]
async fn an_integrity_query_reads_within_its_rights_and_its_time() {
    let (database, url) = shop().await;
    let mut asker = probe(&url).await;
    assert!(matches!(
        asker.ask("SELECT count(*) FROM customers").await,
        Err(ProbeError::NotPermitted { what }) if what.contains("permission denied for table customers")
    ));
    let gate = format!("gate_of_{}", database.name());
    database.execute(&format!("GRANT SELECT ON shop.customers TO {gate}")).await.unwrap();
    for (query, want) in [
        ("SELECT count(*) FROM customers -- all of them", QueryAnswer::Number(1.0)),
        ("SELECT count(*) FROM customers;", QueryAnswer::Number(1.0)),
        ("SELECT 1.5::numeric", QueryAnswer::Number(1.5)),
        ("WITH x AS (SELECT 7) SELECT * FROM x", QueryAnswer::Number(7.0)),
        ("SELECT id FROM customers WHERE false", QueryAnswer::NoRow),
        ("SELECT NULL::int", QueryAnswer::Null),
        ("SELECT 'NaN'::float8", QueryAnswer::Other("`NaN`, which is no number".into())),
        ("SELECT full_name FROM customers", QueryAnswer::Other("text, and no number".into())),
        ("SELECT 1, 2", QueryAnswer::Other("more than one column".into())),
        ("SELECT generate_series(1, 1000000)", QueryAnswer::Other("more than one row".into())),
        ("SELECT repeat('9', 100000)", QueryAnswer::Other("text, and no number".into())),
    ] {
        assert_eq!(asker.ask(query).await.unwrap(), want, "{query}");
    }
    for query in ["SELECT 1) q; DELETE FROM customers; --", "DELETE FROM customers", "SELECT nobody"] {
        let answer = asker.ask(query).await;
        assert!(matches!(answer, Err(ProbeError::Refused { .. })), "{query}: {answer:?}");
    }
    let slow = asker.ask("SELECT pg_sleep(60)").await;
    assert!(matches!(&slow, Err(ProbeError::Slow { what }) if what.contains("statement timeout")), "{slow:?}");
    // What failed leaves the connection as it was.
    assert_eq!(asker.ask("SELECT 1").await.unwrap(), QueryAnswer::Number(1.0));
    assert_eq!(count(&database, "SELECT count(*)::text FROM shop.customers").await, "1");
}

#[tokio::test]
async fn a_lock_in_the_way_and_a_server_that_is_gone_are_no_answers() {
    let (database, url) = shop().await;
    let mut asker = probe(&url).await;
    let mut altering = database.connect().await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE shop.customers").execute(&mut altering).await.unwrap();
    let answer = asker.prepare("SELECT * FROM customers").await;
    assert!(matches!(&answer, Err(ProbeError::Slow { what }) if what.contains("lock timeout")), "{answer:?}");
    altering.close().await.unwrap();
    assert_eq!(asker.prepare("SELECT * FROM customers").await.unwrap(), Prepared::Understood);
    let gate = format!("gate_of_{}", database.name());
    database.execute(&format!("REVOKE USAGE ON SCHEMA shop FROM {gate}")).await.unwrap();
    let answer = asker.prepare("SELECT * FROM shop.customers").await;
    assert!(matches!(&answer, Err(ProbeError::NotPermitted { what }) if what.contains("schema shop")), "{answer:?}");
    database
        .execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{gate}'"))
        .await
        .unwrap();
    let answer = asker.prepare("SELECT 1").await;
    assert!(matches!(answer, Err(ProbeError::Unreachable { .. })), "{answer:?}");
    let gone =
        open_probe(&"postgres://gate:s3cret@127.0.0.1:1/shop".parse().unwrap(), BOUND).await.map(drop).unwrap_err();
    assert!(matches!(gone, ProbeError::Unreachable { .. }) && !format!("{gone:?}").contains("s3cret"), "{gone:?}");
}

#[tokio::test]
async fn sqlite_compiles_on_a_read_only_connection() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("shop.db").display());
    let mut owner = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
    sqlx::raw_sql(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY NOT NULL, full_name TEXT NOT NULL, note TEXT, kind TEXT NOT NULL DEFAULT ''); \
         INSERT INTO customers (full_name) VALUES ('Ada')",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let mut asker = probe(&url).await;
    for understood in [
        "SELECT full_name FROM customers WHERE id = ?",
        "INSERT INTO customers (full_name) VALUES (@name)",
        "DELETE FROM customers",
    ] {
        assert_eq!(asker.prepare(understood).await.unwrap(), Prepared::Understood, "{understood}");
    }
    let Prepared::Refused(told) = asker.prepare("SELECT first_name FROM customers").await.unwrap() else { panic!() };
    assert!(told.contains("no such column: first_name"), "{told}");
    assert_eq!(asker.required_columns(&table(None, "customers")).await.unwrap(), ["full_name"]);
    for (query, want) in [
        ("SELECT count(*) FROM customers -- all", QueryAnswer::Number(1.0)),
        ("SELECT id FROM customers WHERE 0", QueryAnswer::NoRow),
        ("SELECT NULL", QueryAnswer::Null),
        ("SELECT 'a'", QueryAnswer::Other("text, and no number".into())),
        ("SELECT 1, 2", QueryAnswer::Other("more than one column".into())),
        ("SELECT 1 UNION SELECT 2", QueryAnswer::Other("more than one row".into())),
    ] {
        assert_eq!(asker.ask(query).await.unwrap(), want, "{query}");
    }
    assert!(asker.ask("DELETE FROM customers").await.is_err());
    // It never ends by itself, and neither does a driver's thread that nobody stops: the next answer shows that it did.
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let slow = open_probe(&url.parse().unwrap(), Duration::from_millis(50)).await.unwrap().ask(endless).await;
    assert!(matches!(&slow, Err(ProbeError::Slow { what }) if what == "no answer within 50 ms"), "{slow:?}");
    let slow = asker.ask(endless).await;
    assert!(matches!(slow, Err(ProbeError::Slow { .. })), "{slow:?}");
    assert_eq!(asker.ask("SELECT 7").await.unwrap(), QueryAnswer::Number(7.0));
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM customers").fetch_one(&mut owner).await.unwrap();
    assert_eq!(left, 1);
    let absent = open_probe(&"sqlite:///nowhere/shop.db".parse().unwrap(), BOUND).await.map(drop);
    assert!(matches!(absent, Err(ProbeError::Unreachable { .. })));
}
