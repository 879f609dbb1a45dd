//! The real runner as a process: started from a rendered Job, or by hand for the control, its output shown as it comes.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc,
};

use crate::show::{Show, Tone};

/// How long one run may take before the story gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run said and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Its exit code.
    pub(crate) code: i32,
    /// Everything it printed.
    pub(crate) lines: Vec<String>,
}

impl Ran {
    /// Whether a line says that a move was blocked.
    pub(crate) fn was_blocked(&self) -> bool {
        self.lines.iter().any(|line| line.contains("blocked by"))
    }
}

/// Shows the output of `process` line by line and waits for its end.
///
/// # Errors
/// When it takes too long.
pub(crate) async fn follow(mut process: Child, show: &Show) -> anyhow::Result<Ran> {
    let (sender, mut lines) = mpsc::unbounded_channel();
    if let Some(out) = process.stdout.take() {
        tokio::spawn(forward(out, sender.clone()));
    }
    if let Some(err) = process.stderr.take() {
        tokio::spawn(forward(err, sender));
    }
    let reading = async {
        let mut seen = Vec::new();
        while let Some(line) = lines.recv().await {
            show.event(if line.contains("blocked by") { Tone::Held } else { Tone::Plain }, "runner", &line);
            seen.push(line);
        }
        let status = process.wait().await?;
        anyhow::Ok(Ran { code: status.code().unwrap_or(-1), lines: seen })
    };
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(ran) => ran,
        Err(_) => bail!("the runner did not end within {} s", PATIENCE.as_secs()),
    }
}

async fn forward(from: impl AsyncRead + Unpin, to: mpsc::UnboundedSender<String>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if to.send(line).is_err() {
            return;
        }
    }
}

/// `phasegate run` on a checkout with a file that says which versions live.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn by_hand(binaries: &Path, plan: &Path, url: &str, live: &Path) -> anyhow::Result<Child> {
    Command::new(binaries.join("phasegate"))
        .args([Path::new("run"), Path::new("--plan"), plan, Path::new("--live"), live])
        .env_clear()
        .env("PHASEGATE_DATABASE_URL", url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start phasegate")
}

/// What `phasegate status` prints, as a table or as JSON.
///
/// # Errors
/// When it fails.
pub(crate) async fn status(binaries: &Path, url: &str, output: &str) -> anyhow::Result<String> {
    let output = Command::new(binaries.join("phasegate"))
        .args(["status", "--output", output])
        .env_clear()
        .env("PHASEGATE_DATABASE_URL", url)
        .stdin(Stdio::null())
        .output()
        .await
        .context("start phasegate")?;
    if !output.status.success() {
        bail!("phasegate status failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
