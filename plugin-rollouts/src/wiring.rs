//! Joins the parts: with the files below it the only place here that names concrete sources, and that reads the
//! environment and the clock.

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use clap::{CommandFactory, Parser};
use schema_phases::Moment;
use tokio::runtime::Runtime;
use tracing::Level;

use crate::{
    args::{Args, Command},
    check_config::check_config,
    config::{checked, checked_renewal, checked_serve},
    install::install,
    telemetry,
    traces::Collector,
};

mod gate;
mod plugin;
mod renewing;
mod serving;

/// Of the gate for a cluster: TLS takes more than one core's time when every copy of a controller comes back at once.
const WORKERS: usize = 2;
/// For the resolver, and small files. Each thread costs memory, and one of Argo's hosts has thousands of questions.
const BLOCKING_THREADS: usize = 8;

/// Runs the binary.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Before the log is set up, and for people: a host shows plain lines as well.
            let _ = writeln!(std::io::stderr(), "phasegate-rollouts: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let environment = Environment::read();
    match &args.command {
        None | Some(Command::Plugin) => plugin::run(checked(args, environment.log.as_deref())?, &environment),
        Some(Command::Serve(serve)) => serving::run(checked_serve(args, serve, environment.log.as_deref())?),
        Some(Command::RenewToken(renewal)) => {
            let (token, level) = checked_renewal(args, renewal, environment.log.as_deref())?;
            renewing::run(&token, level)
        }
        Some(Command::Install { directory }) => {
            let binary = std::env::current_exe().context("cannot find out where this binary lies")?;
            let installed = install(&binary, directory)?;
            writeln!(std::io::stderr(), "installed {}", installed.display()).context("cannot say so")
        }
        Some(Command::CheckConfig { file, step }) => check_config(file, step, &mut std::io::stderr()),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "phasegate-rollouts", &mut script);
            std::io::stdout().write_all(&script).context("cannot write the completion script")
        }
    }
}

/// Sets up the log, and traces where a collector is named.
fn watched(runtime: &Runtime, level: Level, collector: Option<Collector>) {
    match collector {
        Some(collector) => {
            let spans = telemetry::to_stderr_and_traces(level, wall_clock);
            runtime.spawn(spans.send_to(collector));
        }
        None => telemetry::to_stderr(level, wall_clock),
    }
}

/// How many threads share the work.
#[derive(Clone, Copy, Debug)]
enum Threads {
    /// The one that waits for the host: nothing here works for long, and a question that is handed from thread to
    /// thread costs more than its answer.
    One,
    /// [`WORKERS`].
    Several,
}

fn runtime(threads: Threads) -> anyhow::Result<Runtime> {
    let mut builder = match threads {
        Threads::One => tokio::runtime::Builder::new_current_thread(),
        Threads::Several => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(WORKERS);
            builder
        }
    };
    builder.max_blocking_threads(BLOCKING_THREADS).enable_all().build().context("cannot start the runtime")
}

/// What the host set, read once.
struct Environment {
    cookie: Option<String>,
    socket_directory: Option<String>,
    temporary: Option<String>,
    log: Option<String>,
}

impl Environment {
    #[expect(clippy::disallowed_methods, reason = "the wiring reads the environment, once")]
    fn read() -> Self {
        Self {
            cookie: std::env::var(plugin::COOKIE.0).ok(),
            socket_directory: std::env::var("PLUGIN_UNIX_SOCKET_DIR").ok(),
            temporary: std::env::var("TMPDIR").ok(),
            log: std::env::var("PHASEGATE_LOG").ok(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the wiring owns the clock")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

fn now() -> Moment {
    let since = wall_clock().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
