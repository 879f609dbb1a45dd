//! A database of either engine, as a test and the application in it use it.

use std::{path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tempfile::TempDir;
use tests::postgres;

/// A database and the directory of everything that belongs to the test.
pub(crate) struct Database {
    pub(crate) directory: TempDir,
    kind: Kind,
}

enum Kind {
    Sqlite(PathBuf),
    Postgres(postgres::Database),
}

/// A value of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Bind {
    Int(i64),
    Text(String),
}

/// A connection as the application has it.
pub(crate) enum Connected {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).pragma("journal_mode", "wal");
        options.connect().await.unwrap().close().await.unwrap();
        Self { directory, kind: Kind::Sqlite(path) }
    }

    pub(crate) async fn postgres() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, kind: Kind::Postgres(postgres::database().await.unwrap()) }
    }

    pub(crate) fn engine(&self) -> &'static str {
        match self.kind {
            Kind::Sqlite(_) => "sqlite",
            Kind::Postgres(_) => "postgres",
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.kind, Kind::Postgres(_))
    }

    pub(crate) fn url(&self) -> String {
        match &self.kind {
            Kind::Sqlite(path) => format!("sqlite://{}", path.display()),
            Kind::Postgres(database) => database.url(),
        }
    }

    pub(crate) async fn connect(&self) -> Connected {
        match &self.kind {
            Kind::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10));
                Connected::Sqlite(options.disable_statement_logging().connect().await.unwrap())
            }
            Kind::Postgres(database) => {
                let options = PgConnectOptions::from_str(&database.url()).unwrap();
                Connected::Postgres(options.disable_statement_logging().connect().await.unwrap())
            }
        }
    }

    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        let done = match &mut connection {
            Connected::Sqlite(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()),
            Connected::Postgres(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()),
        };
        done.unwrap_or_else(|cause| panic!("{sql}: {cause}"));
        connection.close().await;
    }

    /// The rows of a query whose columns are all text; NULL is `-`.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let mut connection = self.connect().await;
        let texts =
            |found: Vec<Option<String>>| found.into_iter().map(|text| text.unwrap_or_else(|| "-".into())).collect();
        let rows = match &mut connection {
            Connected::Sqlite(connection) => {
                let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| texts((0..row.len()).map(|at| row.get(at)).collect())).collect()
            }
            Connected::Postgres(connection) => {
                let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| texts((0..row.len()).map(|at| row.get(at)).collect())).collect()
            }
        };
        connection.close().await;
        rows
    }

    /// The one number that a query returns.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let cast = format!("SELECT CAST(({sql}) AS text)");
        self.rows(&cast).await[0][0].parse().unwrap()
    }

    /// Customers of the old shape, `count` of them, `full_name` like `Ann7 Lee7`.
    pub(crate) async fn customers(&self, count: i64) {
        self.execute("CREATE TABLE customers (id bigint PRIMARY KEY, full_name text NOT NULL, city text)").await;
        self.fill("customers", "id, full_name, city", "n, 'Ann' || n || ' Lee' || n, 'Rome'", count).await;
    }

    /// Rows 1 to `count`, from expressions over `n`.
    pub(crate) async fn fill(&self, table: &str, columns: &str, values: &str, count: i64) {
        let series = match self.kind {
            Kind::Sqlite(_) => format!(
                "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})
                 INSERT INTO {table} ({columns}) SELECT {values} FROM series"
            ),
            Kind::Postgres(_) => {
                format!("INSERT INTO {table} ({columns}) SELECT {values} FROM generate_series(1, {count}) AS series(n)")
            }
        };
        self.execute(&series).await;
    }

    /// The word that the ledger has for the state of a change.
    pub(crate) async fn phase(&self, change: &str) -> String {
        let (table, exists) = if self.is_postgres() {
            ("phasegate.changes", "SELECT count(*) FROM pg_class WHERE oid = to_regclass('phasegate.changes')")
        } else {
            ("phasegate_changes", "SELECT count(*) FROM sqlite_master WHERE name = 'phasegate_changes'")
        };
        if self.number(exists).await == 0 {
            return "unknown".to_owned();
        }
        let rows = self.rows(&format!("SELECT phase FROM {table} WHERE name = '{change}'")).await;
        rows.first().map_or_else(|| "unknown".to_owned(), |row| row[0].clone())
    }
}

impl Connected {
    pub(crate) async fn execute(&mut self, sql: &'static str, binds: &[Bind]) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let mut query = sqlx::query(sql);
                for bind in binds {
                    query = match bind.clone() {
                        Bind::Int(number) => query.bind(number),
                        Bind::Text(text) => query.bind(text),
                    };
                }
                Ok(query.execute(connection).await?.rows_affected())
            }
            Self::Postgres(connection) => {
                let mut query = sqlx::query(sql);
                for bind in binds {
                    query = match bind.clone() {
                        Bind::Int(number) => query.bind(number),
                        Bind::Text(text) => query.bind(text),
                    };
                }
                Ok(query.execute(connection).await?.rows_affected())
            }
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}
