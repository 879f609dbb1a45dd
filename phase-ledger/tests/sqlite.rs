//! The SQLite driver, on real files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use std::path::PathBuf;

use async_trait::async_trait;
use phase_ledger::{
    Cell, DatabaseUrl, LedgerReader, Session, Statement,
    conformance::{Bench, Broken, Tamper, Tampered},
    ledger_conformance, open_reader, open_session,
};
use sqlx::{
    AssertSqlSafe, Connection, Row,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tokio::sync::Mutex;

#[path = "sqlite/file.rs"]
mod file;

const GOLDEN: [&str; 2] = [
    include_str!("../../tests/golden/ledger/format-1.sqlite.sql"),
    include_str!("../../tests/golden/ledger/format-2.sqlite.sql"),
];

struct SqliteBench {
    directory: tempfile::TempDir,
    held: Mutex<Option<SqliteConnection>>,
}

impl SqliteBench {
    async fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap(), held: Mutex::new(None) };
        let options = SqliteConnectOptions::new().filename(bench.path()).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql("CREATE TABLE items (id INTEGER PRIMARY KEY)").execute(&mut connection).await.unwrap();
        bench
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("app one.db")
    }

    fn url(&self) -> DatabaseUrl {
        format!("sqlite://{}", self.path().display()).replace(' ', "%20").parse().unwrap()
    }

    /// As an application connects.
    async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).foreign_keys(false);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn texts(&self, sql: &'static str) -> Vec<String> {
        let mut connection = self.connect().await;
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

#[async_trait]
impl Bench for SqliteBench {
    fn reader(&self) -> Box<dyn LedgerReader> {
        open_reader(&self.url()).unwrap()
    }

    async fn session(&self) -> Result<Box<dyn Session>, Broken> {
        Ok(open_session(&self.url()).await?)
    }

    async fn tamper(&self, what: Tamper) -> Result<Tampered, Broken> {
        let sql = match what {
            Tamper::Format(format) => format!("UPDATE phasegate_ledger SET format = {format}"),
            Tamper::ForeignFormat(format) => format!(
                "DROP TABLE IF EXISTS phasegate_changes; DROP TABLE IF EXISTS phasegate_ledger;
                 CREATE TABLE phasegate_ledger (format INTEGER, epoch INTEGER);
                 INSERT INTO phasegate_ledger VALUES ({format}, 1)"
            ),
            Tamper::Artefact => {
                "CREATE TRIGGER zzz_phasegate_items AFTER INSERT ON items BEGIN SELECT 1; END".to_owned()
            }
            Tamper::DropLedger => ["ledger", "changes", "done", "backfills", "ranges", "history"]
                .map(|table| format!("DROP TABLE IF EXISTS phasegate_{table};"))
                .concat(),
            Tamper::OtherServer => return Ok(Tampered::NotPossible),
            Tamper::Missing(table) => format!("DROP TABLE phasegate_{table}"),
            Tamper::Golden(format) => GOLDEN[format as usize - 1].to_owned(),
            Tamper::Junk(cell) => format!("UPDATE phasegate_{} SET {} = {}", cell.table, cell.column, cell.literal),
        };
        self.execute(&sql).await;
        Ok(Tampered::Done)
    }

    async fn items(&self) -> Result<u64, Broken> {
        Ok(self.texts("SELECT CAST(count(*) AS TEXT) FROM items").await[0].parse().unwrap())
    }

    async fn history(&self) -> Result<Vec<String>, Broken> {
        let sql = "SELECT generation || ' ' || ifnull(change || ' ', '') || event FROM phasegate_history ORDER BY line";
        Ok(self.texts(sql).await)
    }

    async fn hold(&self) -> Result<(), Broken> {
        let mut connection = self.connect().await;
        sqlx::raw_sql("BEGIN IMMEDIATE; DELETE FROM items WHERE id = 99").execute(&mut connection).await.unwrap();
        *self.held.lock().await = Some(connection);
        Ok(())
    }

    async fn release(&self) -> Result<(), Broken> {
        let connection = self.held.lock().await.take().unwrap();
        connection.close().await.unwrap();
        Ok(())
    }

    fn has_several_writers(&self) -> bool {
        false
    }

    fn slow(&self) -> Option<Statement> {
        let count = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?1)
                     UPDATE items SET id = id WHERE (SELECT count(*) FROM n) < 0";
        Some(Statement { sql: count.to_owned(), binds: vec![Cell::Int(6_000_000)] })
    }
}

ledger_conformance!(SqliteBench::new());
