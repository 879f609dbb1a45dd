//! The real binary as a process.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{database::Database, project::Project};

/// No run in these tests takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What a process said and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Its exit code; -1 after a signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn all(&self) -> String {
        format!("exit {}\n{}{}", self.code, self.stdout, self.stderr)
    }

    pub(crate) fn says(&self, part: &str) -> bool {
        self.all().contains(part)
    }

    /// Fails the test unless it ended like this and said this.
    pub(crate) fn expect(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.all());
        for part in parts {
            assert!(self.says(part), "does not say {part:?}: {}", self.all());
        }
        self
    }
}

/// Builds it once for this process: a test of another package gets no path to it from cargo.
fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        // For figures: a release build.
        if let Some(path) = std::env::var_os("PHASEGATE_BINARY") {
            return PathBuf::from(path);
        }
        let mut build = std::process::Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--offline", "-p", "schema-runner", "--bin", "phasegate"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success(), "phasegate does not build");
        let deps = std::env::current_exe().unwrap();
        deps.parent().unwrap().parent().unwrap().join("phasegate")
    })
}

/// The binary with an environment of its own.
pub(crate) fn phasegate(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(arguments).env_clear().env("PHASEGATE_DATABASE_URL", url);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs it to its end.
pub(crate) async fn said(mut command: Command) -> Said {
    let output = timeout(PATIENCE, command.output()).await.expect("it takes too long").unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `phasegate run` with a file of live versions.
pub(crate) fn run_command(database: &Database, project: &Project, more: &[&str]) -> Command {
    run_with(&database.url(), project, more)
}

/// The same by another address.
pub(crate) fn run_with(url: &str, project: &Project, more: &[&str]) -> Command {
    let (plan, live) = (project.plan.to_str().unwrap(), project.live.to_str().unwrap());
    phasegate(url, &[&["run", "--plan", plan, "--live", live], more].concat())
}

/// The same, to its end.
pub(crate) async fn run(database: &Database, project: &Project) -> Said {
    said(run_command(database, project, &[])).await
}

/// A run whose events are read while it works.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<Value> {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("it takes too long").unwrap()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}")))
    }

    /// Reads until an event of this kind.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        let mut before = Vec::new();
        while let Some(event) = self.event().await {
            if event["event"] == kind {
                return event;
            }
            before.push(event.to_string());
        }
        panic!("it ended without {kind}: {before:#?}")
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Its exit code, whatever it says meanwhile; none after a signal.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let read = async { while let Ok(Some(_)) = self.lines.next_line().await {} };
        timeout(PATIENCE, read).await.expect("it takes too long");
        timeout(PATIENCE, self.child.wait()).await.expect("it takes too long").unwrap().code()
    }

    /// Its exit code, and what is left of its output.
    pub(crate) async fn end(mut self) -> Said {
        let mut stdout = String::new();
        while let Some(event) = self.event().await {
            stdout.push_str(&format!("{event}\n"));
        }
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it takes too long").unwrap();
        Said { code: status.code().unwrap_or(-1), stdout, stderr }
    }
}
