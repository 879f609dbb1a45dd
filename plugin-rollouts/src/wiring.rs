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

/// Two: a long look at one question must not keep a Ping waiting.
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
        Some(Command::CheckConfig { file }) => check_config(file, &mut std::io::stderr()),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "phasegate-rollouts", &mut script);
            std::io::stdout().write_all(&script).context("cannot write the completion script")
        }
    }
}

/// Sets up the log, and traces where a collector is named: what must be sent there, once there is a runtime.
fn watched(level: Level, collector: Option<Collector>) -> Option<impl Future<Output = ()> + Send + 'static> {
    let Some(collector) = collector else {
        telemetry::to_stderr(level, wall_clock);
        return None;
    };
    Some(telemetry::to_stderr_and_traces(level, wall_clock).send_to(collector))
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("cannot start the runtime")
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
