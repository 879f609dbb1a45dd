//! A real MariaDB server for tests: one for each test process, a database and users for each test. What is here serves for
//! a MySQL of [`crate::mysql`] as well.
//!
//! As a server comes: the binary log on and by row, no trust in those who make triggers. `fsync` is on in a server of
//! one's own, for figures, and off in the shared one: these tests kill clients, never the machine. It ends with the test
//! process ([`crate::postgres`] does likewise).

use std::{
    fs,
    io::Read,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, Row,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};

pub use crate::postgres::{PASSWORD, PASSWORD_ENCODED};
use crate::{
    guardian::{Guarded, guard},
    mysql,
};

/// May do everything.
pub(crate) const ADMIN: &str = "admin";
/// Many tests start servers at once on few cores.
const START: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(20);
const PACKAGES: &str = "apt-get install mariadb-server-core mariadb-client";

/// Which of the two servers of this protocol it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flavour {
    /// MariaDB, as Debian has it.
    Mariadb,
    /// MySQL, see [`crate::mysql`].
    Mysql,
}

impl Flavour {
    /// The one that all tests of this process share, started when first asked for.
    ///
    /// # Errors
    /// What is missing, and what brings it.
    pub fn shared(self) -> Result<&'static Server> {
        match self {
            Self::Mariadb => shared(),
            Self::Mysql => mysql::shared(),
        }
    }

    /// The scheme of its addresses, and its name in a `Database`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }

    /// The client on the command line.
    ///
    /// # Errors
    /// What is missing, and what brings it.
    pub fn client(self) -> Result<Command> {
        Ok(Command::new(match self {
            Self::Mariadb => program("mariadb")?,
            Self::Mysql => mysql::programs()?.join("mysql"),
        }))
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    flavour: Flavour,
    directory: PathBuf,
    port: u16,
    // Held for its end.
    _guarded: Guarded,
}

/// One database on a server.
#[derive(Clone, Debug)]
pub struct Database {
    flavour: Flavour,
    name: String,
    port: u16,
}

/// The server of this test process, started when first asked for.
///
/// # Errors
/// What is missing, and the package that brings it.
pub fn shared() -> Result<&'static Server> {
    static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
    match SHARED
        .get_or_init(|| Server::start(&["--innodb-flush-log-at-trx-commit=0"]).map_err(|error| format!("{error:#}")))
    {
        Ok(server) => Ok(server),
        Err(why) => bail!("{why}"),
    }
}

/// A new empty database on the shared server.
///
/// # Errors
/// What is missing, and the package that brings it.
pub async fn database() -> Result<Database> {
    shared()?.database().await
}

impl Server {
    /// A server of its own, for tests that stop it, change it, or look at it as a whole. `settings` are options of
    /// `mariadbd` as on its command line; the last of two wins.
    ///
    /// # Errors
    /// What is missing, and the package that brings it.
    pub fn start(settings: &[&str]) -> Result<Self> {
        Self::start_as(Flavour::Mariadb, settings)
    }

    /// The same of either flavour.
    ///
    /// # Errors
    /// What is missing, and what brings it.
    pub fn start_as(flavour: Flavour, settings: &[&str]) -> Result<Self> {
        let prefix = format!("phasegate-{}-", flavour.as_str());
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir()?.keep();
        fs::create_dir(directory.join("tmp"))?;
        let users = match flavour {
            Flavour::Mariadb => install(&directory)?,
            Flavour::Mysql => mysql::install(&directory)?,
        };
        fs::write(directory.join("users.sql"), users)?;
        Self::serve(flavour, &directory, settings)
    }

    fn serve(flavour: Flavour, directory: &Path, settings: &[&str]) -> Result<Self> {
        let (daemon, own): (PathBuf, &[&str]) = match flavour {
            Flavour::Mariadb => (program("mariadbd")?, &["--innodb-buffer-pool-size=64M"]),
            // Files are read wherever the tests put them, as MariaDB comes; no second protocol on a port of its own.
            Flavour::Mysql => (
                mysql::programs()?.join("mysqld"),
                &[
                    "--innodb-buffer-pool-size=64M",
                    "--secure-file-priv=",
                    "--mysqlx=OFF",
                    "--innodb-redo-log-capacity=32M",
                ],
            ),
        };
        // Another process may take the free port before the server does: then with another one.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            // The second leash: should the guardian itself be killed, the kernel stops the server.
            let mut server = Command::new("setpriv");
            server.args(["--pdeathsig", "KILL", "--"]).arg(&daemon);
            server.arg("--no-defaults").arg(data(directory)).arg(scratch(directory)).args(account()?);
            for (option, file) in [("socket", "sock"), ("pid-file", "pid"), ("init-file", "users.sql")] {
                server.arg(format!("--{option}={}", directory.join(file).display()));
            }
            // Servers that might meet have different numbers.
            server.arg(format!("--port={port}")).arg(format!("--server-id={port}"));
            server.args([
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--log-bin=binlog",
                "--binlog-format=ROW",
                "--innodb-flush-log-at-trx-commit=1",
                "--character-set-server=utf8mb4",
                "--max-connections=200",
            ]);
            server.args(own).args(settings);
            // Killed: nobody wants its files.
            let guarded = guard(&server, directory, "KILL")?;
            match wait(directory) {
                Ok(()) => return Ok(Self { flavour, directory: directory.to_owned(), port, _guarded: guarded }),
                // It is not dropped: that would remove the directory, which the next attempt needs.
                Err(log) if log.contains("Address already in use") => std::mem::forget(guarded),
                Err(log) => bail!("{} does not start: {log}", flavour.as_str()),
            }
        }
        bail!("MariaDB finds no free port on 127.0.0.1")
    }

    /// A server that follows this one from its first day on, and takes no write of anybody else.
    ///
    /// # Errors
    /// What either server said.
    pub async fn replica(&self) -> Result<Self> {
        let replica = Self::start_as(self.flavour, &["--read-only=1"])?;
        let (of, start) = match self.flavour {
            Flavour::Mariadb => ("MASTER", "START SLAVE"),
            Flavour::Mysql => ("SOURCE", "START REPLICA"),
        };
        let verb = match self.flavour {
            Flavour::Mariadb => "CHANGE MASTER TO",
            Flavour::Mysql => "CHANGE REPLICATION SOURCE TO SOURCE_SSL = 1,",
        };
        let follow = format!(
            "{verb} {of}_HOST = '127.0.0.1', {of}_PORT = {}, {of}_USER = '{ADMIN}', {of}_PASSWORD = '{PASSWORD}', \
             {of}_LOG_FILE = 'binlog.000001', {of}_LOG_POS = 4, {of}_CONNECT_RETRY = 1; {start}",
            self.port
        );
        replica.existing("mysql").execute(&follow).await?;
        Ok(replica)
    }

    /// A new empty database.
    ///
    /// # Errors
    /// What the server said.
    pub async fn database(&self) -> Result<Database> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.existing("mysql").execute(&format!("CREATE DATABASE {name}")).await?;
        Ok(self.existing(&name))
    }

    /// A database that is there already.
    pub fn existing(&self, name: &str) -> Database {
        Database { flavour: self.flavour, name: name.to_owned(), port: self.port }
    }

    /// The port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are: `data`, `sock`, `log`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Ends a connection. A server goes at the first word of goodbye, and what TLS says after it may find nobody.
pub async fn goodbye(connection: MySqlConnection) {
    drop(connection.close().await);
}

impl Database {
    /// On which of the two servers it is.
    pub const fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address as one who may do everything.
    pub fn url(&self) -> String {
        self.url_as(ADMIN)
    }

    /// Its address as another user made by [`Database::user`].
    pub fn url_as(&self, user: &str) -> String {
        self.url_at(user, self.port)
    }

    /// Its address by way of something that listens on another port.
    pub fn url_at(&self, user: &str, port: u16) -> String {
        format!("{}://{user}:{PASSWORD_ENCODED}@127.0.0.1:{port}/{}", self.flavour.as_str(), self.name)
    }

    /// A connection as one who may do everything, in the server's own SQL mode.
    ///
    /// # Errors
    /// What the server said.
    pub async fn connect(&self) -> Result<MySqlConnection> {
        self.connect_as(ADMIN).await
    }

    /// A connection as another user, in the server's own SQL mode: as an application's.
    ///
    /// # Errors
    /// What the server said.
    pub async fn connect_as(&self, user: &str) -> Result<MySqlConnection> {
        let options = MySqlConnectOptions::new().host("127.0.0.1").port(self.port).database(&self.name);
        // A password that MySQL has not seen yet is told by TLS only.
        let ssl = match self.flavour {
            Flavour::Mariadb => MySqlSslMode::Disabled,
            Flavour::Mysql => MySqlSslMode::Preferred,
        };
        let options = options.username(user).password(PASSWORD).ssl_mode(ssl);
        let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None);
        Ok(MySqlConnection::connect_with(&options.disable_statement_logging()).await?)
    }

    /// Runs SQL as one who may do everything.
    ///
    /// # Errors
    /// What the server said.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.with_context(|| sql.to_owned())?;
        goodbye(connection).await;
        Ok(())
    }

    /// The rows of a query as one who may do everything; every value as text.
    ///
    /// # Errors
    /// What the server said.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let mut connection = self.connect().await?;
        let rows =
            sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.with_context(|| sql.to_owned())?;
        goodbye(connection).await;
        // A result of the text protocol: every value travels as the bytes of its text.
        let text = |row: &sqlx::mysql::MySqlRow, at: usize| -> Result<Option<String>> {
            let bytes: Option<Vec<u8>> = row.try_get_unchecked(at)?;
            Ok(bytes.map(String::from_utf8).transpose()?)
        };
        rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect()
    }

    /// A new user who may log in and, besides that, nothing. Users belong to the server: the name is made unique.
    ///
    /// # Errors
    /// What the server said.
    pub async fn user(&self, name: &str) -> Result<String> {
        let user = format!("{name}_of_{}", self.name);
        self.execute(&format!("CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")).await?;
        Ok(user)
    }

    /// Gives a user rights: `grant("gate_of_test_1", "SELECT", "phasegate_ledger")`, or `*` for the whole database.
    ///
    /// # Errors
    /// What the server said.
    pub async fn grant(&self, user: &str, rights: &str, table: &str) -> Result<()> {
        self.execute(&format!("GRANT {rights} ON {}.{table} TO '{user}'@'127.0.0.1'", self.name)).await
    }
}

/// Makes MariaDB's data directory. Returns what its first start shall do.
fn install(directory: &Path) -> Result<String> {
    let mut install = Command::new(program("mariadb-install-db")?);
    install.arg("--no-defaults").arg(data(directory)).arg(scratch(directory)).args(account()?);
    install.args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]);
    // Nothing is there yet that a crash of the machine could take.
    install.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]);
    run(install).context("cannot make a MariaDB data directory")?;
    Ok(format!(
        "CREATE OR REPLACE USER '{ADMIN}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
         GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'127.0.0.1' WITH GRANT OPTION;\n\
         DROP USER IF EXISTS 'root'@'127.0.0.1';\n"
    ))
}

fn data(directory: &Path) -> String {
    format!("--datadir={}", directory.join("data").display())
}

/// A server that starts takes away what it finds of temporary tables, another server's too.
fn scratch(directory: &Path) -> String {
    format!("--tmpdir={}", directory.join("tmp").display())
}

/// MariaDB does not run as root unless told to.
fn account() -> Result<Option<&'static str>> {
    let output = Command::new("id").arg("-u").output()?;
    Ok((String::from_utf8(output.stdout)?.trim() == "0").then_some("--user=root"))
}

/// Until it answers; else its log.
fn wait(directory: &Path) -> Result<(), String> {
    let log = || fs::read_to_string(directory.join("log")).unwrap_or_default();
    for _ in 0..START.as_millis() / STEP.as_millis() {
        let said = log();
        if said.contains("ready for connections") {
            return Ok(());
        }
        if said.contains("Aborting") || said.contains("unknown option") || said.contains("unknown variable") {
            return Err(said);
        }
        sleep(STEP);
    }
    Err(log())
}

fn program(name: &str) -> Result<PathBuf> {
    // Not on the PATH of everybody who may run tests.
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file());
    found.with_context(|| format!("MariaDB's `{name}` is not installed: {PACKAGES}"))
}

/// Runs a tool to its end.
fn run(mut command: Command) -> Result<()> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut said = String::new();
    if let Some(stderr) = child.stderr.as_mut() {
        stderr.read_to_string(&mut said)?;
    }
    if child.wait()?.success() { Ok(()) } else { bail!("{said}") }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_server_is_as_it_comes_and_ends_when_it_is_dropped() {
        let server = Server::start(&[]).unwrap();
        let (one, two) = (server.database().await.unwrap(), server.database().await.unwrap());
        one.execute("CREATE TABLE items (id bigint PRIMARY KEY); INSERT INTO items VALUES (7)").await.unwrap();
        assert!(two.rows("SHOW TABLES").await.unwrap().is_empty(), "each has its own");
        // Beside an aggregate MariaDB 10.11.19 says that @@log_bin is 0.
        let sql = "SELECT id, NULL, @@log_bin, @@binlog_format, @@innodb_flush_log_at_trx_commit,
                          @@log_bin_trust_function_creators, @@version LIKE '10.11.%' FROM items";
        let found = one.rows(sql).await.unwrap();
        let expected = [Some("7"), None, Some("1"), Some("ROW"), Some("1"), Some("0"), Some("1")];
        assert_eq!(found, [expected.map(|text| text.map(str::to_owned))]);

        let user = one.user("nobody").await.unwrap();
        let refused = |error: anyhow::Error| format!("{error:#}").contains("denied");
        assert!(refused(one.connect_as(&user).await.unwrap_err()), "no right on the database");
        one.grant(&user, "SELECT", "items").await.unwrap();
        goodbye(one.connect_as(&user).await.unwrap()).await;

        let (port, directory) = (server.port(), server.directory().to_owned());
        drop(server);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!directory.exists());
    }
}
