//! The drivers of the ledger, on real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failed test should panic; some print what they measured"
)]

use async_trait::async_trait;
use phase_ledger::{
    DatabaseUrl, LedgerReader, Session, Statement,
    conformance::{Bench, Broken, Tamper, Tampered},
    ledger_conformance, open_reader, open_session,
};
use sqlx::PgConnection;
use tests::postgres::{Database, database};
use tokio::sync::Mutex;

#[path = "ledger/mariadb.rs"]
mod mariadb;
#[path = "ledger/postgres.rs"]
mod postgres;

const GOLDEN: [&str; 2] =
    [include_str!("../golden/ledger/format-1.postgres.sql"), include_str!("../golden/ledger/format-2.postgres.sql")];

struct PostgresBench {
    database: Database,
    held: Mutex<Option<PgConnection>>,
}

impl PostgresBench {
    async fn new() -> Self {
        let database = database().await.unwrap();
        database.execute("CREATE TABLE items (id bigint PRIMARY KEY)").await.unwrap();
        Self { database, held: Mutex::new(None) }
    }

    fn url(&self) -> DatabaseUrl {
        self.database.url().parse().unwrap()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.database.rows(sql).await.unwrap();
        rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }
}

#[async_trait]
impl Bench for PostgresBench {
    fn reader(&self) -> Box<dyn LedgerReader> {
        open_reader(&self.url()).unwrap()
    }

    async fn session(&self) -> Result<Box<dyn Session>, Broken> {
        Ok(open_session(&self.url()).await?)
    }

    async fn tamper(&self, what: Tamper) -> Result<Tampered, Broken> {
        let sql = match what {
            Tamper::Format(format) => format!("UPDATE phasegate.ledger SET format = {format}"),
            Tamper::ForeignFormat(format) => format!(
                "DROP TABLE IF EXISTS phasegate.changes, phasegate.ledger;
                 CREATE TABLE phasegate.ledger (format int, epoch int);
                 INSERT INTO phasegate.ledger VALUES ({format}, 1)"
            ),
            Tamper::Artefact => "CREATE FUNCTION zzz_phasegate_items() RETURNS trigger LANGUAGE plpgsql AS
                                 $$ BEGIN RETURN NEW; END $$;
                                 CREATE TRIGGER zzz_phasegate_items BEFORE INSERT ON items
                                 FOR EACH ROW EXECUTE FUNCTION zzz_phasegate_items()"
                .to_owned(),
            Tamper::DropLedger => "DROP SCHEMA phasegate CASCADE".to_owned(),
            Tamper::OtherServer => "UPDATE phasegate.ledger SET server = '1'".to_owned(),
            Tamper::Missing(table) => format!("DROP TABLE phasegate.{table}"),
            Tamper::Golden(format) => GOLDEN[format as usize - 1].to_owned(),
            Tamper::Junk(cell) => {
                let (table, column) = (cell.table, cell.column);
                // What a server would refuse there, a restore from elsewhere may bring.
                let widen = if cell.literal.starts_with('\'') {
                    format!("ALTER TABLE phasegate.{table} ALTER {column} TYPE text;")
                } else {
                    String::new()
                };
                format!("{widen} UPDATE phasegate.{table} SET {column} = {}", cell.literal)
            }
        };
        self.database.execute(&sql).await.map_err(Broken::new)?;
        Ok(Tampered::Done)
    }

    async fn items(&self) -> Result<u64, Broken> {
        Ok(self.texts("SELECT count(*)::text FROM items").await[0].parse().unwrap())
    }

    async fn history(&self) -> Result<Vec<String>, Broken> {
        let sql =
            "SELECT generation || ' ' || coalesce(change || ' ', '') || event FROM phasegate.history ORDER BY line";
        Ok(self.texts(sql).await)
    }

    async fn hold(&self) -> Result<(), Broken> {
        let mut connection = self.database.connect().await.map_err(Broken::new)?;
        let sql = "BEGIN; LOCK TABLE items IN ACCESS SHARE MODE";
        sqlx::raw_sql(sql).execute(&mut connection).await.map_err(Broken::new)?;
        *self.held.lock().await = Some(connection);
        Ok(())
    }

    async fn release(&self) -> Result<(), Broken> {
        let mut connection = self.held.lock().await.take().unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.map_err(Broken::new)?;
        Ok(())
    }

    fn slow(&self) -> Option<Statement> {
        Some(Statement::plain("SELECT pg_sleep(1)"))
    }
}

ledger_conformance!(PostgresBench::new());
