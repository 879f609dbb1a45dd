//! Joins the parts: the only file here that names concrete sources, and that reads the environment and the clock.

use std::{
    io::Write,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use async_trait::async_trait;
use clap::{CommandFactory, Parser};
use goplugin_wire::{Ended, Handshake, ServeConfig, ServeError, serve, socket_directory};
use phase_ledger::{DatabaseUrl, LedgerReader, ReadError, open_reader};
use schema_phases::Moment;

use crate::{
    args::{Args, Command},
    config::{ServeSettings, checked},
    front::Front,
    gate::{Clock, Gate},
    grpc::service::StepService,
    install::install,
    ports::Ledgers,
    sources::kube::Kubernetes,
    telemetry,
};

/// Argo Rollouts' host sets this variable to this value for a step plugin (1.10.2, rollout/steps/plugin/client).
const COOKIE: (&str, &str) = ("ARGO_ROLLOUTS_RPC_PLUGIN", "step");
/// Two: a long look at one question must not keep a Ping waiting.
const WORKERS: usize = 2;
/// How often idle connections are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// What hangs in a resolver's thread must not keep the process alive.
const LEAVE_WITHIN: Duration = Duration::from_millis(100);

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
    match &args.command {
        None | Some(Command::Plugin) => {}
        Some(Command::Install { directory }) => {
            let binary = std::env::current_exe().context("cannot find out where this binary lies")?;
            let installed = install(&binary, directory)?;
            return writeln!(std::io::stderr(), "installed {}", installed.display()).context("cannot say so");
        }
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "phasegate-rollouts", &mut script);
            return std::io::stdout().write_all(&script).context("cannot write the completion script");
        }
    }
    let environment = Environment::read();
    let settings = checked(args, environment.log.as_deref())?;
    let handshake =
        Handshake { protocol_version: 1, cookie_key: COOKIE.0.to_owned(), cookie_value: COOKIE.1.to_owned() };
    // Said before anything is started, and in words for the person who typed it.
    handshake.check(environment.cookie.as_deref())?;
    telemetry::to_stderr(settings.level, wall_clock);
    let directory = socket_directory(environment.socket_directory.as_deref(), environment.temporary.as_deref());
    let serving = ServeConfig::new(handshake, environment.cookie, directory);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(plugin(settings, serving));
    runtime.shutdown_timeout(LEAVE_WITHIN);
    match ended.context("cannot serve the host")? {
        Ended::Quit => tracing::info!("the host said Quit"),
        Ended::Disconnected => tracing::info!("the host is gone"),
    }
    Ok(())
}

async fn plugin(settings: ServeSettings, serving: ServeConfig) -> Result<Ended, ServeError> {
    let kubernetes = Arc::new(Kubernetes::new(settings.limits.kubernetes));
    let gate = Arc::new(Gate::new(
        Arc::clone(&kubernetes) as _,
        kubernetes,
        Arc::new(OpenLedgers),
        Clock::starting_at(now()),
        settings.limits,
    ));
    let tidied = Arc::clone(&gate);
    let tidying = tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            tidied.tidy();
        }
    });
    let front = Arc::new(Front::new(StepService::new(gate)));
    let ended = serve(serving, front, &mut std::io::stdout()).await;
    tidying.abort();
    ended
}

/// The drivers of phase-ledger.
struct OpenLedgers;

#[async_trait]
impl Ledgers for OpenLedgers {
    async fn open(&self, url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        open_reader(url)
    }
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
            cookie: std::env::var(COOKIE.0).ok(),
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
