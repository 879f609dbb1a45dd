//! A checkpoint before a contract: a dump of the whole database, ledger and all, by the engine's own tool. Whoever
//! declares one does not contract without it.
//!
//! The file is written beside its name, synced, measured, and renamed last: a file under its own name is whole.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use phase_ledger::{Cell, DatabaseUrl, HEARTBEAT, LedgerEngine, Record, Session, Statement};
use schema_changes::SchemaChange;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{
    halt::{Halt, MoveError},
    protocol::Attempt,
    report::Event,
    signals::Stop,
};

/// Where dumps go, and how they are made.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The directory.
    pub directory: PathBuf,
    /// The database.
    pub url: DatabaseUrl,
}

/// A dump that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("cannot write `{path}`: {cause}")]
    File { path: PathBuf, cause: io::Error },
    #[error(
        "`{tool}` cannot be started: {cause}; install it in the runner's image, in the server's version or a newer one"
    )]
    Tool { tool: &'static str, cause: io::Error },
    #[error("`{tool}` failed: {why}")]
    Failed { tool: &'static str, why: String },
    #[error("the dump is empty")]
    Empty,
    #[error("the database refused: {why}")]
    Refused { why: String },
}

/// The engine's own tool.
struct Tool {
    name: &'static str,
    arguments: Vec<String>,
    /// How it is told the file.
    file: &'static str,
    /// What the file's name ends in.
    extension: &'static str,
}

/// Tables with their rows, triggers and views, as of one moment and without a lock. Procedures, functions and events are not
/// what a contract changes, and reading them takes rights of an administrator.
fn of_mysql(engine: LedgerEngine, url: &DatabaseUrl) -> Tool {
    let name = if engine == LedgerEngine::Mariadb { "mariadb-dump" } else { "mysqldump" };
    let fixed = ["--no-defaults", "--single-transaction", "--quick", "--triggers", "--hex-blob", "--no-tablespaces"];
    // With what a server has executed in it, the dump could be restored on none that has executed anything itself.
    let alone = (engine == LedgerEngine::Mysql).then(|| "--loose-set-gtid-purged=OFF".to_owned());
    let arguments = fixed.map(str::to_owned).into_iter().chain(alone).chain(url.tool_arguments()).collect();
    Tool { name, arguments, file: "--result-file", extension: "sql" }
}

/// How often a running tool is looked at.
const LOOK: Duration = Duration::from_millis(100);

impl Attempt<'_> {
    /// Takes the declared checkpoint, if there is one, and writes where it is into the ledger's history.
    pub(crate) async fn checkpoint(&mut self, change: &SchemaChange) -> Result<(), Halt> {
        let Some(checkpoints) = self.ports.checkpoints else {
            return match self.plan.database.checkpoint {
                None => Ok(()),
                Some(_) => Err(failed("no directory for it is given to this run".to_owned())),
            };
        };
        let name = format!("{}-{}-{}", self.plan.database.name, change.profile.name, self.generation.0);
        let taken = match checkpoints.url.engine() {
            LedgerEngine::Sqlite => self.copy(checkpoints, &name).await?,
            LedgerEngine::Postgres => {
                let arguments = ["--format=custom", "--no-password"].map(str::to_owned).to_vec();
                self.dump(checkpoints, &name, &Tool { name: "pg_dump", arguments, file: "--file", extension: "dump" })
                    .await?
            }
            engine @ (LedgerEngine::Mysql | LedgerEngine::Mariadb) => {
                self.dump(checkpoints, &name, &of_mysql(engine, &checkpoints.url)).await?
            }
        };
        let detail = format!("{} {} bytes sha256:{}", taken.path.display(), taken.bytes, taken.sha256);
        self.record(vec![Record::Checkpoint(change.profile.name.clone(), detail)]).await?;
        self.report(Event::Checkpoint {
            change: change.profile.name.clone(),
            path: taken.path.display().to_string(),
            bytes: taken.bytes,
            sha256: taken.sha256,
        });
        Ok(())
    }

    /// SQLite copies itself, as of one moment, while others work on.
    async fn copy(&mut self, checkpoints: &Checkpoints, name: &str) -> Result<Taken, Halt> {
        let (part, whole) = paths(&checkpoints.directory, name, "db");
        prepare(&checkpoints.directory, &part).map_err(not_taken)?;
        let into = Statement {
            sql: "VACUUM INTO ?1".to_owned(),
            binds: vec![Cell::Text(part.to_string_lossy().into_owned())],
        };
        let copied = self.session.query(&into).await;
        copied.map_err(|cause| not_taken(NotTaken::Refused { why: crate::halt::chain(&cause) }))?;
        finish(&part, &whole).map_err(not_taken)
    }

    /// By a tool that is told the password by its environment: arguments are visible to every user of the machine.
    async fn dump(&mut self, checkpoints: &Checkpoints, name: &str, tool: &Tool) -> Result<Taken, Halt> {
        let (part, whole) = paths(&checkpoints.directory, name, tool.extension);
        prepare(&checkpoints.directory, &part).map_err(not_taken)?;
        let told = part.with_extension("log");
        let open = |path: &Path| File::create(path).map_err(|cause| not_taken(file(path, cause)));
        let mut command = Command::new(tool.name);
        let mut target = std::ffi::OsString::from(tool.file);
        target.push("=");
        target.push(&part);
        command
            // MariaDB's and MySQL's take `--no-defaults` in the first place only, and the database in the last.
            .args(tool.arguments.first())
            .arg(target)
            .args(tool.arguments.iter().skip(1))
            .envs(checkpoints.url.tool_environment())
            .env_remove("PHASEGATE_DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(open(&told)?);
        let child = command.spawn().map_err(|cause| not_taken(NotTaken::Tool { tool: tool.name, cause }))?;
        let ended = wait(child, self.session.as_mut(), self.stop).await;
        let said = fs::read_to_string(&told).unwrap_or_default();
        // It is of no use any more, whatever became of it.
        let _ = fs::remove_file(&told);
        if !ended? {
            let _ = fs::remove_file(&part);
            let why = said.trim().chars().rev().take(400).collect::<Vec<_>>().into_iter().rev().collect();
            return Err(not_taken(NotTaken::Failed { tool: tool.name, why }));
        }
        finish(&part, &whole).map_err(not_taken)
    }
}

fn failed(why: String) -> Halt {
    MoveError::NoCheckpoint { why }.into()
}

fn not_taken(cause: NotTaken) -> Halt {
    failed(cause.to_string())
}

fn file(path: &Path, cause: io::Error) -> NotTaken {
    NotTaken::File { path: path.to_owned(), cause }
}

fn paths(directory: &Path, name: &str, extension: &str) -> (PathBuf, PathBuf) {
    (directory.join(format!(".{name}.part")), directory.join(format!("{name}.{extension}")))
}

/// The directory, and no half dump of a dead runner in the way.
fn prepare(directory: &Path, part: &Path) -> Result<(), NotTaken> {
    fs::create_dir_all(directory).map_err(|cause| file(directory, cause))?;
    match fs::remove_file(part) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(file(part, cause)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Waits for a tool, keeping the runner's session alive; ends it when somebody asked this process to leave. Whether it
/// did its work.
async fn wait(mut child: Child, session: &mut dyn Session, stop: &Stop) -> Result<bool, Halt> {
    let mut beat = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) => {}
            Err(_) => return Ok(false),
        }
        let alive = if beat.elapsed() < HEARTBEAT { Ok(()) } else { session.heartbeat().await };
        if beat.elapsed() >= HEARTBEAT {
            beat = Instant::now();
        }
        if stop.is_set() || alive.is_err() {
            // Gone already, then.
            let _ = child.kill().and_then(|()| child.wait());
            return match alive {
                Ok(()) => Err(Halt::Stopped),
                Err(cause) => Err(cause.into()),
            };
        }
        stop.sleep(LOOK).await;
    }
}

/// Syncs the file, measures it, and gives it its name.
fn finish(part: &Path, whole: &Path) -> Result<Taken, NotTaken> {
    let at = |cause| file(part, cause);
    let mut opened = File::open(part).map_err(at)?;
    opened.sync_all().map_err(at)?;
    let (mut digest, mut bytes, mut buffer) = (Sha256::new(), 0_u64, vec![0_u8; 1 << 16]);
    loop {
        let read = opened.read(&mut buffer).map_err(at)?;
        if read == 0 {
            break;
        }
        digest.update(buffer.get(..read).unwrap_or_default());
        bytes = bytes.saturating_add(read as u64);
    }
    if bytes == 0 {
        return Err(NotTaken::Empty);
    }
    fs::rename(part, whole).map_err(|cause| file(whole, cause))?;
    let directory = whole.parent().unwrap_or_else(|| Path::new("."));
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(|cause| file(directory, cause))?;
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Taken { path: whole.to_owned(), bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_measured_and_gets_its_name_last() {
        let directory = tempfile::tempdir().unwrap();
        let (part, whole) = paths(directory.path(), "customers-split-3", "dump");
        prepare(directory.path(), &part).unwrap();
        fs::write(&part, "abc").unwrap();
        let taken = finish(&part, &whole).unwrap();
        assert_eq!((taken.bytes, taken.path.as_path()), (3, whole.as_path()));
        assert_eq!(taken.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(!part.exists());
        fs::write(&part, "").unwrap();
        assert!(matches!(finish(&part, &whole), Err(NotTaken::Empty)));
        assert!(matches!(finish(&directory.path().join("none"), &whole), Err(NotTaken::File { .. })));
    }
}
