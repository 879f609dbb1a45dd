//! The role of `phasegate gate-role` tries to write everything, and cannot.

use phase_ledger::{Reading, open_probe, open_reader, open_session};
use schema_changes::Engine;
use schema_runner::{GateRole, gate_role};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tests::{
    mariadb::{Flavour, goodbye},
    postgres::{Database, PASSWORD, database},
};

use crate::BOUND;

/// A database with a ledger, an app's table and the gate's role; the role's URL.
pub(crate) async fn shop() -> (Database, String) {
    let database = database().await.unwrap();
    let runner = database.role("owner").await.unwrap();
    let gate = format!("gate_of_{}", database.name());
    database
        .execute(&format!(
            "CREATE SCHEMA shop AUTHORIZATION {runner}; \
             CREATE TABLE shop.customers (id bigint PRIMARY KEY, full_name text NOT NULL, note text); \
             CREATE SEQUENCE shop.numbers; ALTER TABLE shop.customers OWNER TO {runner}; \
             INSERT INTO shop.customers VALUES (1, 'Ada Lovelace', NULL); GRANT CREATE ON DATABASE {} TO {runner}",
            database.name()
        ))
        .await
        .unwrap();
    let sql = gate_role(&GateRole {
        engine: Engine::Postgres,
        role: gate.clone(),
        runner: runner.clone(),
        database: database.name().to_owned(),
        schemas: vec!["public".to_owned(), "shop".to_owned()],
    })
    .unwrap();
    database.execute(&sql).await.unwrap();
    // It may be run again.
    database.execute(&sql).await.unwrap();
    database.execute(&format!("ALTER ROLE {gate} PASSWORD '{PASSWORD}'")).await.unwrap();
    database.execute(&format!("ALTER ROLE {gate} SET search_path = shop, public")).await.unwrap();
    // The ledger comes later than the role, from the runner.
    let mut session = open_session(&database.url_as(&runner).parse().unwrap()).await.unwrap();
    assert!(session.try_lock().await.unwrap());
    session.take_over("a test").await.unwrap();
    let url = database.url_as(&gate);
    (database, url)
}

#[tokio::test]
async fn the_printed_role_reads_the_ledger_and_writes_nothing() {
    let (database, url) = shop().await;
    let reader = open_reader(&url.parse().unwrap()).unwrap();
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut runs = async |sql: &str| {
        // The belt off: what holds is the rights.
        let sql = format!("SET default_transaction_read_only = off; {sql}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await
    };
    let gate = format!("gate_of_{}", database.name());
    for sql in [
        "SELECT * FROM phasegate.ledger",
        "SELECT * FROM phasegate.changes",
        "SELECT * FROM phasegate.ranges",
        "SELECT * FROM phasegate.history",
    ] {
        runs(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    for sql in [
        "UPDATE phasegate.ledger SET generation = 99",
        "INSERT INTO phasegate.done VALUES ('a', 1)",
        "DELETE FROM phasegate.changes",
        "TRUNCATE phasegate.history",
        "SELECT * FROM phasegate.ledger FOR UPDATE",
        "LOCK TABLE phasegate.ledger",
        "DROP TABLE phasegate.ledger",
        "DROP SCHEMA phasegate CASCADE",
        "CREATE TABLE phasegate.mine (a int)",
        "ALTER TABLE phasegate.ledger ADD COLUMN mine int",
        "CREATE TABLE mine (a int)",
        "CREATE TABLE shop.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT * FROM shop.customers",
        "INSERT INTO shop.customers VALUES (2, 'x', NULL)",
        "UPDATE shop.customers SET note = 'x'",
        "DELETE FROM shop.customers",
        "TRUNCATE shop.customers",
        "LOCK TABLE shop.customers IN ACCESS SHARE MODE",
        "ALTER TABLE shop.customers ADD COLUMN mine int",
        "DROP TABLE shop.customers",
        "CREATE TRIGGER mine BEFORE INSERT ON shop.customers FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE INDEX ON shop.customers (id)",
        "SELECT nextval('shop.numbers')",
        "COPY shop.customers TO STDOUT",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/mine'",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE EXTENSION pgcrypto",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "SET ROLE postgres",
        "VACUUM FULL shop.customers; SELECT 1/(SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'mine')",
        "SELECT pg_catalog.pg_read_file('/etc/passwd')",
        "SELECT pg_catalog.pg_switch_wal()",
    ] {
        let error = runs(sql).await.expect_err(sql);
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        // Insufficient privilege; a statement that cannot be in this message; the division that proves nothing was made.
        assert!(["42501", "25001", "22012"].contains(&code.as_str()), "{sql}: {code} {error}");
    }
    let rows = database.rows("SELECT count(*)::text FROM shop.customers").await.unwrap();
    assert_eq!(rows, [[Some("1".to_owned())]]);
    let flags = format!(
        "SELECT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)::text FROM pg_roles WHERE rolname = '{gate}'"
    );
    assert_eq!(database.rows(&flags).await.unwrap(), [[Some("false".to_owned())]]);
    // And yet it can have statements prepared.
    let mut probe = open_probe(&url.parse().unwrap(), BOUND).await.unwrap();
    let insert = "INSERT INTO customers (id, full_name) VALUES ($1, $2)";
    assert_eq!(probe.prepare(insert).await.unwrap(), phase_ledger::Prepared::Understood);
}

/// A right, a password or a log-in that is taken away is noticed by the next question, on an open connection too; and what
/// comes back is seen again.
#[tokio::test]
async fn a_role_that_is_revoked_is_a_missing_fact_until_it_is_back() {
    let (database, url) = shop().await;
    let gate = format!("gate_of_{}", database.name());
    let reader = open_reader(&url.parse().unwrap()).unwrap();
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{gate}'");
    for (taken, given_back) in [
        (
            format!("REVOKE SELECT ON phasegate.changes FROM {gate}"),
            format!("GRANT SELECT ON phasegate.changes TO {gate}"),
        ),
        (format!("REVOKE USAGE ON SCHEMA phasegate FROM {gate}"), format!("GRANT USAGE ON SCHEMA phasegate TO {gate}")),
        (format!("ALTER ROLE {gate} NOLOGIN; {end}"), format!("ALTER ROLE {gate} LOGIN")),
        (format!("ALTER ROLE {gate} PASSWORD 'another'; {end}"), format!("ALTER ROLE {gate} PASSWORD '{PASSWORD}'")),
        (format!("ALTER ROLE {gate} CONNECTION LIMIT 0; {end}"), format!("ALTER ROLE {gate} CONNECTION LIMIT 20")),
        (
            format!("ALTER ROLE {gate} VALID UNTIL '2001-01-01'; {end}"),
            format!("ALTER ROLE {gate} VALID UNTIL 'infinity'"),
        ),
    ] {
        for _ in 0..2 {
            assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)), "before {taken}");
            database.execute(&taken).await.unwrap();
            for _ in 0..3 {
                let told = reader.read().await.expect_err(&taken);
                assert!(!format!("{told:?}").contains(PASSWORD), "{told:?}");
            }
            database.execute(&given_back).await.unwrap();
        }
    }
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));
}

tests::on_both!(the_printed_account_comes_before_the_ledger_too_and_reads_it_and_writes_nothing);
async fn the_printed_account_comes_before_the_ledger_too_and_reads_it_and_writes_nothing(flavour: Flavour) {
    let server = flavour.shared().unwrap();
    let database = server.database().await.unwrap();
    let runner = database.user("owner").await.unwrap();
    // What docs/reference/ledger.md asks for.
    let rights = "CREATE, ALTER, DROP, INDEX, TRIGGER, INSERT, UPDATE, DELETE, SELECT";
    database.grant(&runner, rights, "*").await.unwrap();
    database.execute("CREATE TABLE customers (id bigint PRIMARY KEY, full_name text NOT NULL)").await.unwrap();
    let gate = format!("gate_of_{}", database.name());
    let sql = gate_role(&GateRole {
        engine: crate::mariadb::engine(flavour),
        role: gate.clone(),
        runner: runner.clone(),
        database: database.name().to_owned(),
        schemas: vec!["public".to_owned()],
    })
    .unwrap();
    crate::mariadb::administer(server, &database, &sql);
    let url = database.url_as(&gate);
    let reader = open_reader(&url.parse().unwrap()).unwrap();
    assert!(reader.read().await.is_err(), "locked until it has a password");
    database.execute(&format!("ALTER USER '{gate}'@'%' IDENTIFIED BY '{PASSWORD}' ACCOUNT UNLOCK")).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);
    let mut session = open_session(&database.url_as(&runner).parse().unwrap()).await.unwrap();
    assert!(session.try_lock().await.unwrap());
    session.take_over("a test").await.unwrap();
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));
    // It may be run again.
    crate::mariadb::administer(server, &database, &sql);
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));

    let mut connection = database.connect_as(&gate).await.unwrap();
    for sql in [
        "UPDATE phasegate_ledger SET generation = 99",
        "INSERT INTO phasegate_done VALUES ('a', 1)",
        "DELETE FROM phasegate_changes",
        "TRUNCATE phasegate_ledger",
        "LOCK TABLES phasegate_ledger WRITE",
        "DROP TABLE phasegate_ledger",
        "CREATE TABLE phasegate_ledger (a int)",
        "CREATE TABLE phasegate_mine (a int)",
        "ALTER TABLE phasegate_ledger ADD COLUMN mine int",
        "RENAME TABLE phasegate_ledger TO mine",
        "CREATE TEMPORARY TABLE mine (a int)",
        "CREATE TRIGGER mine BEFORE INSERT ON phasegate_ledger FOR EACH ROW SET @a = 1",
        "CREATE INDEX mine ON phasegate_changes (phase)",
        "SELECT * FROM phasegate_history",
        "SELECT * FROM customers",
        "INSERT INTO customers VALUES (1, 'x')",
        "CREATE DATABASE mine",
        "CREATE USER mine",
        "SET GLOBAL read_only = 1",
        "SELECT 1 INTO OUTFILE '/tmp/mine'",
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut connection).await.expect_err(sql);
        let number = error
            .as_database_error()
            .and_then(|error| error.try_downcast_ref())
            .map(|error: &sqlx::mysql::MySqlDatabaseError| error.number());
        // No right on the database, the table; none of that kind at all; no trigger without SUPER beside a binary log.
        assert!(matches!(number, Some(1044 | 1045 | 1142 | 1227 | 1419)), "{sql}: {error}");
    }
    goodbye(connection).await;
}
