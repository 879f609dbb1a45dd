//! Starts a plugin's binary as a go-plugin host does and reads its line. Both ends of the child's stdio are ours: a
//! grandchild that inherited them would keep this process waiting for their end.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::handshake::Handshake;
use crate::host::{CallError, Host};
use crate::limits::Limits;

/// How long a plugin may take to leave after Quit before it is killed, as in go-plugin.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// The longest handshake line that is read.
const LONGEST_LINE: u64 = 4096;

/// How to start a plugin.
#[derive(Debug)]
pub struct Launch {
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables set besides the cookie; the rest of the environment is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Where its log goes; a file, a pipe, or nowhere. What is not read from a pipe blocks the plugin.
    pub stderr: Stdio,
    /// How long it may take to write its line; go-plugin's default is a minute.
    pub start_within: Duration,
    /// Bounds on what it may send.
    pub limits: Limits,
}

impl Launch {
    /// Starts `program` without arguments, throws its log away and gives it a minute.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            stderr: Stdio::null(),
            start_within: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }
}

/// Why a plugin did not start.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// The binary cannot be run.
    #[error("cannot start the plugin `{program}`")]
    Spawn {
        /// The binary.
        program: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// It ended, or closed stdout, without a line.
    #[error("the plugin ended before it wrote its handshake line ({status}); its log says why")]
    NoLine {
        /// How it ended, if it did.
        status: String,
    },
    /// It took too long.
    #[error("the plugin wrote no handshake line within {} s", waited.as_secs())]
    Late {
        /// [`Launch::start_within`].
        waited: Duration,
    },
    /// The line is not for this host.
    #[error("the plugin's first line on stdout is not the handshake this host wants: `{line}`")]
    WrongLine {
        /// As read.
        line: String,
    },
    /// Its socket cannot be reached.
    #[error("cannot talk to the plugin that was started")]
    Talk(#[from] io::Error),
}

/// A running plugin. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    host: Host,
    line: String,
}

impl Process {
    /// Starts the plugin, reads its line and connects.
    pub async fn start(launch: Launch, handshake: &Handshake) -> Result<Self, LaunchError> {
        let Launch { program, arguments, environment, stderr, start_within, limits } = launch;
        let mut child = Command::new(&program)
            .args(arguments)
            .envs(environment)
            .env(&handshake.cookie_key, &handshake.cookie_value)
            .env("PLUGIN_PROTOCOL_VERSIONS", handshake.protocol_version.to_string())
            .env("PLUGIN_MIN_PORT", "10000")
            .env("PLUGIN_MAX_PORT", "25000")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .map_err(|cause| LaunchError::Spawn { program, cause })?;
        let Some(stdout) = child.stdout.take() else { return Err(LaunchError::NoLine { status: "no stdout".into() }) };
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        timeout(start_within, (&mut stdout).take(LONGEST_LINE).read_line(&mut line))
            .await
            .map_err(|_| LaunchError::Late { waited: start_within })??;
        if !line.ends_with('\n') {
            let ended = timeout(LEAVE_WITHIN, child.wait()).await;
            let status = ended.map_or_else(|_| Ok("still running".into()), |status| status.map(|s| s.to_string()))?;
            return Err(LaunchError::NoLine { status });
        }
        let path = socket_in(&line, handshake).ok_or_else(|| LaunchError::WrongLine { line: line.trim().into() })?;
        let host = Host::connect(UnixStream::connect(path).await?, limits);
        // Read to its end and thrown away, as go-plugin does: a full pipe would stop the plugin, a closed one kill it.
        tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
        Ok(Self { child, host, line })
    }

    /// The connection.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The handshake line, as read.
    pub fn line(&self) -> &str {
        self.line.trim_end()
    }

    /// The process's number, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills the process as a crash would, and waits for its end.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Says Quit, waits two seconds for the process to leave and kills it if it did not. Answers how it left.
    pub async fn quit(mut self) -> Result<ExitStatus, QuitError> {
        let answered = self.host.quit().await;
        match timeout(LEAVE_WITHIN, self.child.wait()).await {
            Ok(status) => {
                answered?;
                Ok(status?)
            }
            Err(_) => {
                self.child.kill().await?;
                Err(QuitError::Killed { waited: LEAVE_WITHIN })
            }
        }
    }
}

/// Why a plugin did not leave by itself.
#[derive(Debug, Error)]
pub enum QuitError {
    /// It was still there, and was killed.
    #[error("the plugin did not leave within {} s after Quit and was killed", waited.as_secs())]
    Killed {
        /// How long it had.
        waited: Duration,
    },
    /// Quit was not answered.
    #[error(transparent)]
    Unanswered(#[from] CallError),
    /// The process cannot be waited for.
    #[error("cannot wait for the plugin to end")]
    Wait(#[from] io::Error),
}

/// The socket's path in a handshake line, if the line is one for this host.
fn socket_in(line: &str, handshake: &Handshake) -> Option<PathBuf> {
    let parts: Vec<&str> = line.trim().split('|').collect();
    let version = handshake.protocol_version.to_string();
    match parts.as_slice() {
        ["1", app, "unix", path, "netrpc", ..] if *app == version && !path.is_empty() => Some(PathBuf::from(path)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_netrpc_line_of_the_wanted_version_names_a_socket() {
        let handshake = Handshake { protocol_version: 1, cookie_key: "K".into(), cookie_value: "v".into() };
        let socket = |line| socket_in(line, &handshake);
        assert_eq!(socket("1|1|unix|/tmp/p/s|netrpc|\n"), Some(PathBuf::from("/tmp/p/s")));
        for line in ["", "hello\n", "1|2|unix|/tmp/p|netrpc|\n", "1|1|unix|/tmp/p|grpc|\n", "1|1|unix||netrpc|\n"] {
            assert_eq!(socket(line), None, "{line:?}");
        }
    }
}
