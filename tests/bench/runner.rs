//! The real binary, and what it says of itself.

use std::{fs, path::PathBuf, process::Stdio, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    Options,
    database::{Database, Engine},
    figures::Figures,
};

/// The files from Git, with one change: the split of a name.
pub(crate) struct Project {
    directory: tempfile::TempDir,
    engine: Engine,
}

/// What a run did.
pub(crate) struct Run {
    /// Seconds from the first event of the move to its backfill's end.
    filled: Option<f64>,
    /// Rows a second, over the batches alone.
    rate: Option<f64>,
    pub(crate) peak_mb: f64,
}

impl Run {
    pub(crate) fn filled(&self) -> Result<f64> {
        self.filled.context("the run told of no backfill")
    }

    pub(crate) fn rate(&self) -> Result<f64> {
        self.rate.context("the run told of no backfill")
    }
}

impl Project {
    pub(crate) fn new(engine: Engine, target: &str) -> Result<Self> {
        let this = Self { directory: tempfile::tempdir()?, engine };
        fs::create_dir_all(this.path("plan/changes"))?;
        let secret = |name: &str| format!("{{secretRef: {{name: {name}, key: url}}}}");
        fs::write(
            this.path("plan/phasegate.yaml"),
            format!(
                "apiVersion: phasegate.dev/v1alpha1\nkind: Database\nmetadata: {{name: customers}}\nspec:\n  engine: \
                 {engine}\n  runner: {}\n  gate: {}\n",
                secret("owner"),
                secret("reader")
            ),
        )?;
        fs::write(this.path("live.yaml"), "- {name: v1}\n")?;
        this.target(target)?;
        Ok(this)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn target(&self, target: &str) -> Result<()> {
        let text = self.engine.text();
        let text = format!(
            "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: split-full-name}}\nspec:\n  \
             database: customers\n  {target}\n  splitColumn:\n    table: customers\n    column: full_name\n    into: \
             {{first_name: {{type: {text}}}, last_name: {{type: {text}}}}}\n    separator: \" \"\n"
        );
        Ok(fs::write(self.path("plan/changes/0001-split.yaml"), text)?)
    }

    /// Starts a run.
    pub(crate) fn start(&self, options: &Options, database: &Database, arguments: &[&str]) -> Result<Child> {
        let mut command = Command::new(&options.phasegate);
        command.args(["run", "--output", "json"]);
        command.arg("--plan").arg(self.path("plan")).arg("--live").arg(self.path("live.yaml")).args(arguments);
        command.env("PHASEGATE_DATABASE_URL", database.url());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().with_context(|| options.phasegate.display().to_string())
    }

    /// Runs to the end, which must be good.
    pub(crate) async fn run(
        &self,
        options: &Options,
        database: &Database,
        arguments: &[&str],
        figures: &mut Figures,
    ) -> Result<Run> {
        let run = follow(self.start(options, database, arguments)?).await?;
        figures.at_least("runner_peak_mb", run.peak_mb, "MB");
        Ok(run)
    }
}

/// Follows a run to its end, and times its backfill by when it says what.
pub(crate) async fn follow(mut child: Child) -> Result<Run> {
    let pid = child.id().context("it has no process id")?;
    let stdout = child.stdout.take().context("no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let (mut peak, mut events) = (0.0_f64, Vec::new());
    let (mut began, mut filled, mut rate) = (None, None, None);
    while let Some(line) = lines.next_line().await? {
        let event: Value = serde_json::from_str(&line)?;
        let is = |word: &str| event["event"] == word && event["to"] == "migrated";
        if is("moving") {
            began = Some(Instant::now());
        }
        if is("filled")
            && let (Some(rows), Some(micros)) = (event["rows"].as_f64(), event["took_us"].as_f64())
        {
            rate = Some(rows / micros * 1_000_000.0);
        }
        if is("step_done") && event["what"].as_str().is_some_and(|what| what.starts_with("filled")) {
            filled = began.map(|began: Instant| began.elapsed().as_secs_f64());
        }
        peak = peak.max(peak_mb(pid).unwrap_or_default());
        events.push(event);
    }
    let mut stderr = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_string(&mut stderr).await?;
    }
    let status = child.wait().await?;
    let tail = events.get(events.len().saturating_sub(2)..).unwrap_or_default();
    let last = tail.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    ensure!(status.success(), "the run ended with {status}: {last} {stderr}");
    let done = events.last().is_some_and(|event| event["failed"] == 0 && event["blocked"] == 0);
    if !done {
        bail!("the run did not do it all: {last}");
    }
    Ok(Run { filled, rate, peak_mb: peak })
}

/// The most memory it ever had resident, by the kernel's account.
fn peak_mb(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}
