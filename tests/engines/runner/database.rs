//! A database of any engine, as a test and the application in it use it.

use std::{collections::BTreeSet, path::PathBuf, str::FromStr, sync::Mutex, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, Row,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tempfile::TempDir;
use tests::{
    mariadb::{self, Flavour},
    postgres,
};

/// A database and the directory of everything that belongs to the test.
pub(crate) struct Database {
    pub(crate) directory: TempDir,
    kind: Kind,
    /// The numbers of the application's sessions. MariaDB lists a session under the definer of the trigger that it is in.
    apps: Mutex<BTreeSet<String>>,
}

enum Kind {
    Sqlite(PathBuf),
    Postgres(postgres::Database),
    /// Or MySQL; and the user that is the runner's.
    Mariadb(mariadb::Database, String),
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
    Mariadb(MySqlConnection),
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).pragma("journal_mode", "wal");
        options.connect().await.unwrap().close().await.unwrap();
        Self { directory, apps: Mutex::default(), kind: Kind::Sqlite(path) }
    }

    pub(crate) async fn postgres() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, apps: Mutex::default(), kind: Kind::Postgres(postgres::database().await.unwrap()) }
    }

    /// On a server of its own.
    pub(crate) async fn postgres_on(server: &postgres::Cluster) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, apps: Mutex::default(), kind: Kind::Postgres(server.database().await.unwrap()) }
    }

    pub(crate) async fn mariadb() -> Self {
        Self::of(Flavour::Mariadb).await
    }

    pub(crate) async fn mysql() -> Self {
        Self::of(Flavour::Mysql).await
    }

    /// On the shared server of either flavour.
    pub(crate) async fn of(flavour: Flavour) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = flavour.shared().unwrap().database().await.unwrap();
        // Whoever makes triggers while there is a binary log must have SUPER, unless the server trusts everybody.
        let owner = database.user("owner").await.unwrap();
        database.execute(&format!("GRANT ALL PRIVILEGES ON *.* TO '{owner}'@'127.0.0.1'")).await.unwrap();
        Self { directory, apps: Mutex::default(), kind: Kind::Mariadb(database, owner) }
    }

    /// On a server of its own, with a runner that has these rights on the database and no others.
    pub(crate) async fn mariadb_with(server: &mariadb::Server, rights: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = server.database().await.unwrap();
        let owner = database.user("owner").await.unwrap();
        database.grant(&owner, rights, "*").await.unwrap();
        Self { directory, apps: Mutex::default(), kind: Kind::Mariadb(database, owner) }
    }

    /// The runner's user; of MariaDB and MySQL only.
    pub(crate) fn owner(&self) -> &str {
        match &self.kind {
            Kind::Mariadb(_, owner) => owner,
            Kind::Sqlite(_) | Kind::Postgres(_) => panic!("MariaDB only"),
        }
    }

    /// Which of the two it is; of MariaDB and MySQL only.
    pub(crate) fn flavour(&self) -> Option<Flavour> {
        match &self.kind {
            Kind::Mariadb(database, _) => Some(database.flavour()),
            Kind::Sqlite(_) | Kind::Postgres(_) => None,
        }
    }

    pub(crate) fn engine(&self) -> &'static str {
        match &self.kind {
            Kind::Sqlite(_) => "sqlite",
            Kind::Postgres(_) => "postgres",
            Kind::Mariadb(database, _) => database.flavour().as_str(),
        }
    }

    /// Its name on the server; of MariaDB and MySQL only.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            Kind::Mariadb(database, _) => database.name().to_owned(),
            Kind::Sqlite(_) | Kind::Postgres(_) => panic!("MariaDB only"),
        }
    }

    /// A connection that has begun to read a table, and does not end its transaction.
    pub(crate) async fn reads_on(&self, table: &str) -> Connected {
        let mut reader = self.connect().await;
        let sql = format!("BEGIN; SELECT count(*) FROM {table}");
        match &mut reader {
            Connected::Sqlite(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()),
            Connected::Postgres(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()),
            Connected::Mariadb(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()),
        }
        .unwrap();
        reader
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.kind, Kind::Postgres(_))
    }

    /// MariaDB or MySQL.
    pub(crate) fn is_mariadb(&self) -> bool {
        matches!(self.kind, Kind::Mariadb(..))
    }

    /// Somebody whom nobody declared: a role that may read `customers`, and a session of it.
    pub(crate) async fn stranger(&self) -> (String, Connected) {
        match &self.kind {
            Kind::Sqlite(_) => panic!("a file has no sessions"),
            Kind::Postgres(database) => {
                let role = database.role("stranger").await.unwrap();
                self.execute(&format!("GRANT SELECT ON customers TO {role}")).await;
                let options = PgConnectOptions::from_str(&database.url_as(&role)).unwrap();
                (role, Connected::Postgres(options.application_name("psql").connect().await.unwrap()))
            }
            Kind::Mariadb(database, _) => {
                let user = database.user("stranger").await.unwrap();
                self.execute(&format!("GRANT SELECT ON customers TO '{user}'@'127.0.0.1'")).await;
                let options = sqlx::mysql::MySqlConnectOptions::from_str(&database.url_as(&user)).unwrap();
                (user, Connected::Mariadb(options.connect().await.unwrap()))
            }
        }
    }

    /// The port of its server; none of a file.
    pub(crate) fn port(&self) -> Option<u16> {
        match &self.kind {
            Kind::Sqlite(_) => None,
            Kind::Postgres(_) => Some(postgres::shared().unwrap().port()),
            Kind::Mariadb(database, _) => Some(database.flavour().shared().unwrap().port()),
        }
    }

    /// The runner's address by way of what listens on another port.
    pub(crate) fn url_at(&self, port: u16) -> String {
        match &self.kind {
            Kind::Sqlite(_) => panic!("a file has no port"),
            Kind::Postgres(database) => database.url_at("postgres", port),
            Kind::Mariadb(database, owner) => database.url_at(owner, port),
        }
    }

    /// Ends the runner's sessions on the server. Returns how many there were; none in a file.
    pub(crate) async fn end_the_runners_sessions(&self) -> usize {
        match &self.kind {
            Kind::Sqlite(_) => 0,
            Kind::Postgres(_) => {
                let end = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
                            WHERE application_name = 'phasegate' AND datname = current_database()";
                self.rows(end).await.len()
            }
            Kind::Mariadb(_, owner) => {
                let list = format!("SELECT id FROM information_schema.processlist WHERE user = '{owner}'");
                let sessions = self.rows(&list).await;
                let apps = self.apps.lock().unwrap().clone();
                let sessions: Vec<_> = sessions.into_iter().filter(|session| !apps.contains(&session[0])).collect();
                for session in &sessions {
                    // It may be gone by now.
                    let mut connection = self.connect().await;
                    let Connected::Mariadb(link) = &mut connection else { panic!("MariaDB") };
                    let _ = sqlx::raw_sql(AssertSqlSafe(format!("KILL {}", session[0]))).execute(link).await;
                    connection.close().await;
                }
                sessions.len()
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        match &self.kind {
            Kind::Sqlite(path) => format!("sqlite://{}", path.display()),
            Kind::Postgres(database) => database.url(),
            Kind::Mariadb(database, owner) => database.url_as(owner),
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
            Kind::Mariadb(database, _) => {
                let mut connection = database.connect().await.unwrap();
                let number = "SELECT CAST(CONNECTION_ID() AS char)";
                let number: String = sqlx::query_scalar(number).fetch_one(&mut connection).await.unwrap();
                self.apps.lock().unwrap().insert(number);
                Connected::Mariadb(connection)
            }
        }
    }

    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        let done = match &mut connection {
            Connected::Sqlite(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()),
            Connected::Postgres(connection) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()),
            Connected::Mariadb(connection) => {
                let sql = format!("{CONCAT}{}", spoken(sql));
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
            }
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
            Connected::Mariadb(connection) => {
                let sql = format!("{CONCAT}{}", spoken(sql));
                let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
                let text = |row: &sqlx::mysql::MySqlRow, at| {
                    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).unwrap();
                    bytes.map(|bytes| String::from_utf8(bytes).unwrap())
                };
                rows.iter().map(|row| texts((0..row.len()).map(|at| text(row, at)).collect())).collect()
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
            Kind::Mariadb(ref database, _) => match database.flavour() {
                Flavour::Mariadb => format!(
                    "INSERT INTO {table} ({columns}) SELECT {values} FROM (SELECT seq AS n FROM seq_1_to_{count}) AS series"
                ),
                Flavour::Mysql => format!(
                    "SET SESSION cte_max_recursion_depth = {count}; INSERT INTO {table} ({columns})
                     WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})
                     SELECT {values} FROM series"
                ),
            },
        };
        self.execute(&series).await;
    }

    /// The word that the ledger has for the state of a change.
    pub(crate) async fn phase(&self, change: &str) -> String {
        let (table, exists) = match &self.kind {
            Kind::Postgres(_) => {
                ("phasegate.changes", "SELECT count(*) FROM pg_class WHERE oid = to_regclass('phasegate.changes')")
            }
            Kind::Sqlite(_) => {
                ("phasegate_changes", "SELECT count(*) FROM sqlite_master WHERE name = 'phasegate_changes'")
            }
            Kind::Mariadb(..) => (
                "phasegate_changes",
                "SELECT count(*) FROM information_schema.tables
                  WHERE table_schema = database() AND table_name = 'phasegate_changes'",
            ),
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
            Self::Mariadb(connection) => {
                let (sql, order) = by_place(sql);
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for at in order {
                    query = match binds[at].clone() {
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
            Self::Mariadb(connection) => mariadb::goodbye(connection).await,
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

/// Statements of these tests are the same for all engines: `||` joins text.
const CONCAT: &str = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT');";

/// MariaDB casts to char and not to text.
fn spoken(sql: &str) -> String {
    sql.replace("AS text)", "AS char)")
}

/// `$2 ... $1` as `? ... ?`, and the order in which the values stand.
fn by_place(sql: &str) -> (String, Vec<usize>) {
    let mut pieces = sql.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    let mut order = Vec::new();
    for piece in pieces {
        let digits = piece.chars().take_while(char::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        order.push(number.parse::<usize>().unwrap() - 1);
        text.push('?');
        text.push_str(rest);
    }
    (text, order)
}
