//! The databases of the benchmark: servers as people run them, with fsync, and SQLite files.

use std::{
    fmt,
    path::PathBuf,
    process::Command,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection,
    mysql::MySqlConnection,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tests::{mariadb, postgres::Cluster};

use crate::Options;

/// The engines measured here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Mariadb,
    Sqlite,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Sqlite => "sqlite",
        })
    }
}

impl Engine {
    /// A type for short texts.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Postgres | Self::Sqlite => "text",
            Self::Mariadb => "varchar(200)",
        }
    }

    /// A column with one more letter.
    pub(crate) fn longer(self, column: &str) -> String {
        match self {
            Self::Postgres | Self::Sqlite => format!("{column} || 'x'"),
            Self::Mariadb => format!("concat({column}, 'x')"),
        }
    }

    /// One row gets a longer name.
    pub(crate) fn rename_one(self) -> &'static str {
        match self {
            Self::Postgres => "UPDATE customers SET full_name = full_name || 'x' WHERE id = $1",
            Self::Mariadb => "UPDATE customers SET full_name = concat(full_name, 'x') WHERE id = ?",
            Self::Sqlite => "UPDATE customers SET full_name = full_name || 'x' WHERE id = ?1",
        }
    }
}

/// Where databases come from.
pub(crate) struct Server {
    cluster: Cluster,
    mariadb: mariadb::Server,
    directory: tempfile::TempDir,
    next: AtomicU32,
}

/// One database.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    Postgres { name: String, url: String },
    Mariadb(mariadb::Database),
    Sqlite(PathBuf),
}

impl Server {
    pub(crate) fn start(options: &Options) -> Result<Self> {
        let wal = format!("max_wal_size={}", options.max_wal_size);
        let settings = [
            "fsync=on",
            "full_page_writes=on",
            "shared_buffers=2GB",
            wal.as_str(),
            "wal_level=replica",
            // A vacuum that begins in one half of a pair only would decide the ratio.
            "autovacuum=off",
            "checkpoint_timeout=1h",
        ];
        let cluster = Cluster::start_with(&settings)?;
        let mariadb = mariadb::Server::start(&["--innodb-buffer-pool-size=2G", "--innodb-log-file-size=2G"])?;
        Ok(Self { cluster, mariadb, directory: tempfile::tempdir()?, next: AtomicU32::new(0) })
    }

    /// Which servers they are.
    pub(crate) async fn versions(&self) -> Result<Vec<String>> {
        let postgres = self.cluster.existing("postgres").rows("SELECT current_setting('server_version')").await?;
        let mariadb = self.mariadb.existing("mysql").rows("SELECT @@version").await?;
        let word = |rows: Vec<Vec<Option<String>>>| {
            let text = rows.into_iter().flatten().flatten().next().unwrap_or_default();
            text.split(['-', ' ']).next().unwrap_or_default().to_owned()
        };
        Ok(vec![format!("PostgreSQL {}", word(postgres)), format!("MariaDB {}", word(mariadb)), "SQLite".to_owned()])
    }

    /// Where MariaDB listens.
    pub(crate) fn mariadb_port(&self) -> u16 {
        self.mariadb.port()
    }

    fn name(&self) -> String {
        format!("bench_{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A new empty database.
    pub(crate) async fn empty(&self, engine: Engine) -> Result<Database> {
        match engine {
            Engine::Postgres => {
                let name = self.name();
                self.admin(&format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
                Ok(Database::Postgres { url: self.cluster.existing(&name).url(), name })
            }
            Engine::Mariadb => Ok(Database::Mariadb(self.mariadb.database().await?)),
            Engine::Sqlite => {
                let path = self.directory.path().join(self.name() + ".db");
                let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
                options.pragma("journal_mode", "wal").connect().await?.close().await?;
                Ok(Database::Sqlite(path))
            }
        }
    }

    /// A copy, file by file; nobody may be connected to the original.
    pub(crate) async fn copy(&self, of: &Database) -> Result<Database> {
        match of {
            Database::Postgres { name: from, .. } => {
                let name = self.name();
                self.admin(&format!("CREATE DATABASE {name} TEMPLATE {from} STRATEGY FILE_COPY")).await?;
                let copy = Database::Postgres { url: self.cluster.existing(&name).url(), name };
                copy.execute("CHECKPOINT").await?;
                Ok(copy)
            }
            Database::Mariadb(_) => bail!("MariaDB has no copy of a database"),
            Database::Sqlite(from) => {
                let path = self.directory.path().join(self.name() + ".db");
                of.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
                let copied = Command::new("cp").arg(from).arg(&path).status().context("cp")?;
                ensure!(copied.success(), "cp failed");
                let synced = Command::new("sync").arg(&path).status().context("sync")?;
                ensure!(synced.success(), "sync failed");
                Ok(Database::Sqlite(path))
            }
        }
    }

    pub(crate) async fn drop(&self, database: Database) -> Result<()> {
        match database {
            Database::Postgres { name, .. } => self.admin(&format!("DROP DATABASE {name} WITH (FORCE)")).await,
            Database::Mariadb(database) => {
                // Its log of rows would fill the disk.
                database.execute(&format!("DROP DATABASE {}; RESET MASTER", database.name())).await
            }
            Database::Sqlite(path) => {
                for end in ["", "-wal", "-shm", ".phasegate-lock"] {
                    let mut file = path.clone().into_os_string();
                    file.push(end);
                    let _ = std::fs::remove_file(file);
                }
                Ok(())
            }
        }
    }

    async fn admin(&self, sql: &str) -> Result<()> {
        self.cluster.existing("postgres").execute(sql).await
    }
}

impl Database {
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Postgres { .. } => Engine::Postgres,
            Self::Mariadb(_) => Engine::Mariadb,
            Self::Sqlite(_) => Engine::Sqlite,
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres { url, .. } => url.clone(),
            Self::Mariadb(database) => database.url(),
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
        }
    }

    pub(crate) async fn connect(&self) -> Result<Connected> {
        Ok(match self {
            Self::Postgres { url, .. } => {
                Connected::Postgres(PgConnectOptions::from_str(url)?.disable_statement_logging().connect().await?)
            }
            Self::Mariadb(database) => Connected::Mariadb(database.connect().await?),
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(30));
                Connected::Sqlite(options.disable_statement_logging().connect().await?)
            }
        })
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        connection.raw(sql).await?;
        connection.close().await
    }

    /// How long a statement takes on a connection that is there already.
    pub(crate) async fn timed(&self, sql: &str) -> Result<Duration> {
        let mut connection = self.connect().await?;
        connection.raw("SELECT 1").await?;
        let began = Instant::now();
        connection.raw(sql).await.with_context(|| sql.to_owned())?;
        let time = began.elapsed();
        connection.close().await?;
        Ok(time)
    }

    /// Statistics.
    pub(crate) async fn analyze(&self) -> Result<()> {
        self.execute(if self.engine() == Engine::Mariadb { "ANALYZE TABLE customers" } else { "ANALYZE" }).await
    }

    /// Takes the triggers away.
    pub(crate) async fn without_triggers(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        if self.engine() == Engine::Postgres {
            connection.raw("ALTER TABLE customers DISABLE TRIGGER USER").await?;
        }
        for name in connection.triggers().await? {
            let mark = if self.engine() == Engine::Mariadb { '`' } else { '"' };
            connection.raw(&format!("DROP TRIGGER {mark}{name}{mark}")).await?;
        }
        connection.close().await
    }

    /// Customers of the old shape, about 100 bytes each.
    pub(crate) async fn customers(&self, rows: u64) -> Result<()> {
        let text = self.engine().text();
        self.execute(&format!(
            "CREATE TABLE customers (id bigint PRIMARY KEY, full_name {text} NOT NULL, city {text}, note {text})"
        ))
        .await?;
        let values =
            "n, 'Ann' || n || ' Lee' || n, 'Rome', 'about sixty bytes of text that nobody ever looks at, or cares'";
        let insert = match self.engine() {
            Engine::Postgres => {
                format!("INSERT INTO customers SELECT {values} FROM generate_series(1, {rows}) AS series(n)")
            }
            Engine::Mariadb => format!(
                "INSERT INTO customers SELECT seq, concat('Ann', seq, ' Lee', seq), 'Rome', 'about sixty bytes of text \
                 that nobody ever looks at, or cares' FROM seq_1_to_{rows}"
            ),
            Engine::Sqlite => format!(
                "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {rows})
                 INSERT INTO customers SELECT {values} FROM series"
            ),
        };
        self.execute(&insert).await?;
        // Hint bits, or the first side of each pair would write them.
        match self.engine() {
            Engine::Postgres => self.execute("VACUUM customers").await,
            Engine::Mariadb | Engine::Sqlite => Ok(()),
        }
    }
}

/// One connection, as an application has it.
pub(crate) enum Connected {
    Postgres(PgConnection),
    Mariadb(MySqlConnection),
    Sqlite(SqliteConnection),
}

impl Connected {
    pub(crate) async fn raw(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Postgres(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)?,
            Self::Mariadb(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)?,
            Self::Sqlite(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)?,
        }
        Ok(())
    }

    /// From now on its commits do not wait for the disk.
    pub(crate) async fn relaxed(&mut self) -> Result<()> {
        match self {
            Self::Postgres(_) => self.raw("SET synchronous_commit = off").await,
            // For the whole server, and for as long as the other side of the pair takes as well.
            Self::Mariadb(_) => self.raw("SET GLOBAL innodb_flush_log_at_trx_commit = 2").await,
            Self::Sqlite(_) => self.raw("PRAGMA synchronous = NORMAL").await,
        }
    }

    /// And from now on again, where that was said for the whole server.
    pub(crate) async fn strict(&mut self) -> Result<()> {
        match self {
            Self::Postgres(_) | Self::Sqlite(_) => Ok(()),
            Self::Mariadb(_) => self.raw("SET GLOBAL innodb_flush_log_at_trx_commit = 1").await,
        }
    }

    /// The triggers of an SQLite file, or of a MariaDB database.
    async fn triggers(&mut self) -> Result<Vec<String>> {
        match self {
            Self::Postgres(_) => Ok(Vec::new()),
            Self::Mariadb(connection) => Ok(sqlx::query_scalar(
                "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()",
            )
            .fetch_all(connection)
            .await?),
            Self::Sqlite(connection) => Ok(sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                .fetch_all(connection)
                .await?),
        }
    }

    /// A prepared statement with a number in it.
    pub(crate) async fn with(&mut self, sql: &'static str, number: i64) -> Result<()> {
        match self {
            Self::Postgres(connection) => sqlx::query(sql).bind(number).execute(connection).await.map(drop)?,
            Self::Mariadb(connection) => sqlx::query(sql).bind(number).execute(connection).await.map(drop)?,
            Self::Sqlite(connection) => sqlx::query(sql).bind(number).execute(connection).await.map(drop)?,
        }
        Ok(())
    }

    pub(crate) async fn close(self) -> Result<()> {
        match self {
            Self::Postgres(connection) => connection.close().await?,
            Self::Mariadb(connection) => connection.close().await?,
            Self::Sqlite(connection) => connection.close().await?,
        }
        Ok(())
    }
}
