//! A real PostgreSQL server for tests: one for each test process, a database for each test.
//!
//! The server ends with the test process. `fsync` is off: these tests kill clients, never the machine.

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    io::Read,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
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
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions};

use crate::guardian::{Guarded, guard};

/// The superuser's password, and that of every role made here. No message may ever hold it.
pub const PASSWORD: &str = "s3cret/of@the#tests";
/// The same inside an address.
pub const PASSWORD_ENCODED: &str = "s3cret%2Fof%40the%23tests";

const SUPERUSER: &str = "postgres";
/// Many tests start servers at once on few cores.
const START: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(20);

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    port: u16,
    user: User,
    // Held for its end.
    _guarded: Guarded,
}

/// One database on a server.
#[derive(Clone, Debug)]
pub struct Database {
    name: String,
    port: u16,
}

/// The server of this test process, started when first asked for.
///
/// # Errors
/// What is missing, and the package that brings it.
pub fn shared() -> Result<&'static Cluster> {
    static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
    match SHARED.get_or_init(|| Cluster::start().map_err(|error| format!("{error:#}"))) {
        Ok(cluster) => Ok(cluster),
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

impl Cluster {
    /// A server of its own, for tests that stop it or look at it as a whole.
    ///
    /// # Errors
    /// What is missing, and the package that brings it.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with settings of its own, which count before ours: `fsync=on`.
    ///
    /// # Errors
    /// What is missing, and the package that brings it.
    pub fn start_with(settings: &[&str]) -> Result<Self> {
        let user = User::find()?;
        let directory = user.directory()?;
        let password = directory.join("password");
        fs::write(&password, PASSWORD)?;
        user.own(&password)?;
        let data = directory.join("data");
        // Passwords are checked, and not by SCRAM: its thousands of rounds take a fifth of a second in a debug build.
        let mut initdb = user.command(&program("initdb")?);
        initdb.arg("-D").arg(&data).args(["-U", SUPERUSER, "--no-sync", "--no-instructions", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "--auth-local=trust", "--auth-host=password", "--pwfile"]).arg(&password);
        run(initdb).context("cannot make a PostgreSQL cluster")?;
        Self::serve(user, directory, settings)
    }

    /// The same with a certificate, in PEM, and nobody let in without TLS.
    ///
    /// # Errors
    /// What is missing, and the package that brings it.
    pub fn start_with_certificate(certificate: &str, key: &str) -> Result<Self> {
        let user = User::find()?;
        let directory = user.directory()?;
        let file = |name: &str, text: &str| -> Result<String> {
            let path = directory.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            user.own(&path)?;
            Ok(path.display().to_string())
        };
        let certificate = format!("ssl_cert_file={}", file("server.crt", certificate)?);
        let key = format!("ssl_key_file={}", file("server.key", key)?);
        let rules = format!("hba_file={}", file("hba", "local all all trust\nhostssl all all all password\n")?);
        let server = Self::start_with(&["ssl=on", &certificate, &key, &rules]);
        fs::remove_dir_all(&directory)?;
        server
    }

    /// A hot standby of this server.
    ///
    /// # Errors
    /// What the tools said.
    pub fn standby(&self) -> Result<Self> {
        let directory = self.user.directory()?;
        let mut backup = self.user.command(&program("pg_basebackup")?);
        backup
            .arg("-D")
            .arg(directory.join("data"))
            .arg("-h")
            .arg(&self.directory)
            .arg("-p")
            .arg(self.port.to_string());
        backup.args([
            "-U",
            SUPERUSER,
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
            "--wal-method=stream",
        ]);
        run(backup).context("cannot copy the cluster for a standby")?;
        Self::serve(self.user, directory, &[])
    }

    fn serve(user: User, directory: PathBuf, settings: &[&str]) -> Result<Self> {
        let postgres = program("postgres")?;
        // Another process may take the free port before the server does: then with another one.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut server = user.command(&postgres);
            server.arg("-D").arg(directory.join("data")).arg("-k").arg(&directory).arg("-p").arg(port.to_string());
            for setting in [
                "listen_addresses=127.0.0.1",
                "fsync=off",
                "full_page_writes=off",
                "max_connections=200",
                "max_prepared_transactions=10",
                "shared_buffers=32MB",
                "wal_level=logical",
                "log_line_prefix=%m [%p] %q%a ",
            ] {
                server.args(["-c", setting]);
            }
            // The last of two counts.
            for setting in settings {
                server.args(["-c", setting]);
            }
            // At once and without a checkpoint: nobody wants its files.
            let guarded = guard(&server, &directory, "QUIT")?;
            let cluster = Self { directory: directory.clone(), port, user, _guarded: guarded };
            match cluster.wait() {
                Ok(()) => return Ok(cluster),
                Err(log) if log.contains("could not bind") => std::mem::forget(cluster),
                Err(log) => bail!("PostgreSQL does not start: {log}"),
            }
        }
        bail!("PostgreSQL finds no free port on 127.0.0.1")
    }

    /// Until it answers; else its log.
    fn wait(&self) -> Result<(), String> {
        let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let ready = program("pg_isready").map_err(|error| error.to_string())?;
        for _ in 0..START.as_millis() / STEP.as_millis() {
            let mut ask = Command::new(&ready);
            ask.arg("-q").arg("-h").arg(&self.directory).args(["-p", &self.port.to_string()]);
            if ask.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            let fatal = |line: &str| line.contains("FATAL") && !line.contains("starting up");
            if log().lines().any(fatal) {
                return Err(log());
            }
            sleep(STEP);
        }
        Err(log())
    }

    /// A new empty database.
    ///
    /// # Errors
    /// What the server said.
    pub async fn database(&self) -> Result<Database> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let database = self.existing(SUPERUSER);
        database.execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        Ok(self.existing(&name))
    }

    /// A database that is there already, as on a standby.
    pub fn existing(&self, name: &str) -> Database {
        Database { name: name.to_owned(), port: self.port }
    }

    /// The port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address as its owner, who may do everything.
    pub fn url(&self) -> String {
        self.url_as(SUPERUSER)
    }

    /// Its address as another role made by [`Database::role`].
    pub fn url_as(&self, role: &str) -> String {
        self.url_at(role, self.port)
    }

    /// Its address by way of something that listens on another port.
    pub fn url_at(&self, role: &str, port: u16) -> String {
        format!("postgres://{role}:{PASSWORD_ENCODED}@127.0.0.1:{port}/{}", self.name)
    }

    /// A connection as its owner.
    ///
    /// # Errors
    /// What the server said.
    pub async fn connect(&self) -> Result<PgConnection> {
        let options: PgConnectOptions = self.url().parse()?;
        Ok(PgConnection::connect_with(&options.application_name("a test").disable_statement_logging()).await?)
    }

    /// Runs SQL as its owner.
    ///
    /// # Errors
    /// What the server said.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.with_context(|| sql.to_owned())?;
        connection.close().await?;
        Ok(())
    }

    /// The rows of a query as its owner; every column is cast to text by the query.
    ///
    /// # Errors
    /// What the server said.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let mut connection = self.connect().await?;
        let rows =
            sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.with_context(|| sql.to_owned())?;
        connection.close().await?;
        let texts = rows.iter().map(|row| (0..row.len()).map(|at| row.try_get(at)).collect());
        Ok(texts.collect::<Result<_, _>>()?)
    }

    /// A new role that may log in and, besides that, nothing. Roles belong to the server: the name is made unique.
    ///
    /// # Errors
    /// What the server said.
    pub async fn role(&self, name: &str) -> Result<String> {
        let role = format!("{name}_of_{}", self.name);
        self.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")).await?;
        Ok(role)
    }
}

/// Who runs the server: PostgreSQL refuses to be run by root.
#[derive(Clone, Copy, Debug)]
struct User {
    /// User and group to become; none when we are somebody already.
    switch: Option<(u32, u32)>,
}

impl User {
    fn find() -> Result<Self> {
        if number(&["-u"])? != 0 {
            return Ok(Self { switch: None });
        }
        let ids = number(&["-u", SUPERUSER]).and_then(|user| Ok((user, number(&["-g", SUPERUSER])?)));
        let missing = "PostgreSQL does not run as root, and there is no user postgres: apt-get install postgresql";
        Ok(Self { switch: Some(ids.context(missing)?) })
    }

    fn own(self, path: &Path) -> Result<()> {
        if let Some((user, group)) = self.switch {
            chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }

    /// A new directory of the server's; the guardian removes it.
    fn directory(self) -> Result<PathBuf> {
        let directory = tempfile::Builder::new().prefix("phasegate-postgres-").tempdir()?.keep();
        self.own(&directory)?;
        Ok(directory)
    }

    fn command(self, program: &Path) -> Command {
        // The second leash: should the guardian itself be killed, the kernel stops the server.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "QUIT"]);
        if let Some((user, group)) = self.switch {
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
        }
        command.arg("--").arg(program).current_dir("/");
        command
    }
}

fn number(args: &[&str]) -> Result<u32> {
    let output = Command::new("id").args(args).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The newest installed program of PostgreSQL's, else one on the PATH.
fn program(name: &str) -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok());
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin").join(name))))
        .filter(|(_, path)| path.is_file())
        .collect();
    found.sort();
    if let Some((_, path)) = found.pop() {
        return Ok(path);
    }
    let output = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", name]).output()?;
    let path = String::from_utf8(output.stdout)?;
    if path.trim().is_empty() {
        bail!("PostgreSQL's `{name}` is not installed: apt-get install postgresql");
    }
    Ok(PathBuf::from(path.trim()))
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
