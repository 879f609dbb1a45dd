//! The only file that names concrete drivers and clients, reads the environment and the wall clock, and writes to the
//! standard streams.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::Context;
use async_trait::async_trait;
use clap::CommandFactory;
use phase_ledger::{
    DatabaseUrl, LedgerEngine, Probe, ProbeError, ReadError, Session, WriteError, open_probe, open_reader, open_session,
};
use prometheus_source::Prometheus;
use schema_changes::Plan;
use schema_phases::{Moment, Supports};
use schema_runner::{
    Checkpoints, Clock, Connect, Declared, DeclaredThrottle, Exit, GateRole, OwnPlan, Ports, Settings, THROTTLE_ANSWER,
    WantedPlan, WhenHeld,
    adopt::{Adopt, adopt},
    batch_aim, chain,
    check::{Question, Siblings, Wait, check},
    doctor::doctor,
    gate_role,
    inspect::inspect,
    live::{
        LiveFile, LiveVersions, Unstated,
        kube::{Api, KubeLive, KubeSiblings, KubeWanted},
    },
    metrics::{self, Counting, Metrics},
    nice_ratio, on_signals,
    outlook::outlook,
    report::{Bars, JsonLines, Lines, Report},
    run,
    status::{self, Ink},
};

use crate::{
    args::{
        AdoptArgs, CheckArgs, Cli, Command, GateRoleArgs, LiveArgs, Output, PauseArgs, PlanArgs, RunArgs, StatusArgs,
        VerifyArgs, duration,
    },
    config::{self, BadConfig},
};

/// Does what the command line says. Every failure ends here, as one message on standard error.
pub(crate) fn start(cli: Cli) -> ExitCode {
    logging(&cli.log);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(obey(cli));
            // A driver's thread may hang on a statement; the server notices when this process is gone.
            runtime.shutdown_timeout(Duration::from_millis(500));
            ended
        }
        Err(cause) => Err(Failure { code: Exit::TryAgain.code(), cause: cause.into() }),
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let mut stderr = std::io::stderr().lock();
            // Nobody is left to be told when this cannot be printed.
            let _ = writeln!(stderr, "phasegate: {:#}", failure.cause);
            ExitCode::from(failure.code)
        }
    }
}

/// A failure and the exit code it means.
struct Failure {
    code: u8,
    cause: anyhow::Error,
}

/// Nothing but a change of what was given helps.
impl From<BadConfig> for Failure {
    fn from(cause: BadConfig) -> Self {
        Self { code: Exit::Never.code(), cause: cause.into() }
    }
}

impl From<ReadError> for Failure {
    fn from(cause: ReadError) -> Self {
        let exit = if cause.is_transient() { Exit::TryAgain } else { Exit::Never };
        // Joined here: drivers say once more what stands beneath them.
        Self { code: exit.code(), cause: anyhow::Error::msg(chain(&cause)) }
    }
}

fn again(cause: impl Into<anyhow::Error>) -> Failure {
    Failure { code: Exit::TryAgain.code(), cause: cause.into() }
}

async fn obey(cli: Cli) -> Result<u8, Failure> {
    let url = || config::database_url(cli.database_url_file.as_deref(), environment("PHASEGATE_DATABASE_URL"));
    match cli.command {
        Command::Run(args) => run_plan(args, &url()?).await,
        Command::Plan(args) => show_plan(args, &url()?).await,
        Command::Status(args) => show_status(&args, &url()?).await,
        Command::Verify(args) => verify(&args, &url()?).await,
        Command::Doctor(args) => examine(&args, &url()?).await,
        Command::Adopt(args) => begin(&args, &url()?).await,
        Command::Pause(args) => pause(Some(&paused(&args)), &url()?).await,
        Command::Resume => pause(None, &url()?).await,
        Command::Check(args) => ask(args, &url()?).await,
        Command::GateRole(args) => show_gate_role(args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "phasegate", &mut std::io::stdout());
            Ok(0)
        }
    }
}

fn show_gate_role(args: GateRoleArgs) -> Result<u8, Failure> {
    let GateRoleArgs { plan, role, runner, database, schemas } = args;
    let engine = config::plan(&plan)?.database.engine;
    let sql = gate_role(&GateRole { engine, role, runner, database, schemas })
        .map_err(|cause| Failure { code: Exit::Never.code(), cause: cause.into() })?;
    std::io::stdout().write_all(sql.as_bytes()).map_err(again)?;
    Ok(0)
}

fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the wiring reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "the wiring owns the clock")]
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Clock::starting_at(Moment::from_unix_millis(u64::try_from(now.as_millis()).unwrap_or_default()))
}

fn logging(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| "warn".into());
    // A second subscriber cannot be set; there is only this one.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

/// Opens the database of one URL.
struct Database(DatabaseUrl);

#[async_trait]
impl Connect for Database {
    async fn open(&self) -> Result<Box<dyn Session>, ReadError> {
        open_session(&self.0).await
    }

    async fn probe(&self, within: Duration) -> Result<Box<dyn Probe>, ProbeError> {
        open_probe(&self.0, within).await
    }
}

/// Where live versions and the wanted plan are seen.
struct Sight {
    live: Box<dyn LiveVersions>,
    wanted: Box<dyn WantedPlan>,
}

async fn sight(args: &LiveArgs, plan: &Plan, clock: Clock) -> Result<Sight, Failure> {
    if args.kubernetes {
        return kubernetes(args, plan, clock).await;
    }
    Ok(match &args.live {
        Some(path) => {
            let file = LiveFile::new(path.clone(), plan.digest.clone(), clock);
            Sight { live: Box::new(file.clone()), wanted: Box::new(file) }
        }
        None => Sight { live: Box::new(Unstated), wanted: Box::new(OwnPlan(plan.digest.clone())) },
    })
}

async fn kubernetes(args: &LiveArgs, plan: &Plan, clock: Clock) -> Result<Sight, Failure> {
    let namespace = args.namespace.as_deref().ok_or(BadConfig::NoNamespace)?;
    let api = api().await?;
    let database = &plan.database;
    Ok(Sight {
        live: Box::new(KubeLive::new(api.clone(), database, namespace, clock)),
        wanted: Box::new(KubeWanted::new(api, &database.name, namespace, clock)),
    })
}

/// The API, in-cluster or by KUBECONFIG. Each request is bounded, so that a hanging API server is a missing fact.
async fn api() -> Result<Api, Failure> {
    let mut config = kube::Config::infer().await.map_err(again)?;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = Some(Duration::from_secs(10));
    Ok(Api::new(kube::Client::try_from(config).map_err(again)?))
}

/// The address, held to the engine of the plan.
fn same_engine(plan: &Plan, url: &DatabaseUrl) -> Result<DatabaseUrl, BadConfig> {
    let (declared, found) = (plan.database.engine.as_str(), url.engine().as_str());
    let engine = LedgerEngine::ALL.into_iter().find(|engine| engine.as_str() == declared);
    engine.and_then(|engine| url.expecting(engine)).ok_or(BadConfig::OtherEngine { declared, found })
}

async fn run_plan(args: RunArgs, url: &DatabaseUrl) -> Result<u8, Failure> {
    let plan = config::plan(&args.plan)?;
    let url = &same_engine(&plan, url)?;
    let stop = on_signals().map_err(again)?;
    let sight = sight(&args.live, &plan, clock()).await?;
    let report: Box<dyn Report> = match args.output {
        Output::Json => Box::new(JsonLines::new(std::io::stdout())),
        Output::Table if std::io::stdout().is_terminal() => Box::new(Bars::default()),
        Output::Table => Box::new(Lines::new(std::io::stdout())),
    };
    let numbers = Arc::new(Metrics::default());
    if let Some(address) = args.metrics {
        let context = || format!("cannot answer scrapes at {address}");
        metrics::serve(address, Arc::clone(&numbers)).await.with_context(context).map_err(again)?;
    }
    let report = Counting::new(report, numbers);
    let declared = &plan.database.backfill;
    let defaults = Settings::default();
    let settings = Settings {
        runner: runner_name(),
        when_held: if args.if_free { WhenHeld::Leave } else { WhenHeld::Poll },
        lock_patience: args.lock_patience,
        retry_for: args.retry_for,
        batch_aim: args.batch.or(declared.batch).unwrap_or(batch_aim(plan.database.engine)),
        nice_ratio: args.nice_ratio.or(declared.nice_ratio).unwrap_or(nice_ratio(plan.database.engine)),
        connections: args.connections.or(declared.connections).unwrap_or(defaults.connections),
        ..defaults
    };
    let checkpoints = plan
        .database
        .checkpoint
        .as_ref()
        .map(|declared| Checkpoints { directory: declared.directory.clone().into(), url: url.clone() });
    let connect = Database(url.clone());
    let prometheus = Prometheus::new(args.prometheus, THROTTLE_ANSWER);
    let engine = plan.database.engine;
    let ports = Ports {
        connect: &connect,
        live: sight.live.as_ref(),
        wanted: sight.wanted.as_ref(),
        moves: &Declared(engine),
        checkpoints: checkpoints.as_ref(),
        throttle: &DeclaredThrottle::new(&declared.throttle, engine, &connect, &prometheus, clock()),
        report: &report,
    };
    Ok(run(&plan, &ports, &settings, &stop).await.code())
}

async fn show_plan(args: PlanArgs, url: &DatabaseUrl) -> Result<u8, Failure> {
    let plan = config::plan(&args.plan)?;
    let url = &same_engine(&plan, url)?;
    let sight = sight(&args.live, &plan, clock()).await?;
    let mut session = open_session(url).await?;
    let seen = outlook(&plan, session.as_mut(), &Declared(plan.database.engine), sight.live.as_ref())
        .await
        .map_err(|why| again(anyhow::Error::msg(why)))?;
    match args.output {
        Output::Table => print(&seen.text()),
        Output::Json => print(&format!("{:#}\n", seen.json())),
    }
    Ok(0)
}

async fn verify(args: &VerifyArgs, url: &DatabaseUrl) -> Result<u8, Failure> {
    let plan = config::plan(&args.plan)?;
    let url = &same_engine(&plan, url)?;
    let mut session = open_session(url).await?;
    let found = inspect(&plan, session.as_mut(), &Declared(plan.database.engine))
        .await
        .map_err(|(exit, why)| Failure { code: exit.code(), cause: anyhow::Error::msg(why) })?;
    match args.output {
        Output::Table => print(&found.text()),
        Output::Json => print(&format!("{:#}\n", found.json())),
    }
    Ok(found.exit().code())
}

async fn examine(args: &VerifyArgs, url: &DatabaseUrl) -> Result<u8, Failure> {
    let plan = config::plan(&args.plan)?;
    let url = &same_engine(&plan, url)?;
    let mut session = open_session(url).await?;
    let found = doctor(&plan, session.as_mut(), &Declared(plan.database.engine))
        .await
        .map_err(|(exit, why)| Failure { code: exit.code(), cause: anyhow::Error::msg(why) })?;
    match args.output {
        Output::Table => print(&found.text()),
        Output::Json => print(&format!("{:#}\n", found.json())),
    }
    Ok(found.exit().code())
}

async fn begin(args: &AdoptArgs, url: &DatabaseUrl) -> Result<u8, Failure> {
    let plan = config::plan(&args.plan)?;
    let url = &same_engine(&plan, url)?;
    let stated = config::stated(&args.at, &plan)?;
    let how = if args.dry_run { Adopt::DryRun } else { Adopt::Write };
    let mut session = open_session(url).await?;
    let found = adopt(&plan, session.as_mut(), &Declared(plan.database.engine), &stated, &runner_name(), how)
        .await
        .map_err(|(exit, why)| Failure { code: exit.code(), cause: anyhow::Error::msg(why) })?;
    match args.output {
        Output::Table => print(&found.text()),
        Output::Json => print(&format!("{:#}\n", found.json())),
    }
    Ok(found.exit().code())
}

/// Who this is, for the ledger's history.
fn runner_name() -> String {
    environment("POD_NAME")
        .or_else(|| environment("HOSTNAME"))
        .unwrap_or_else(|| format!("process {}", std::process::id()))
}

async fn show_status(args: &StatusArgs, url: &DatabaseUrl) -> Result<u8, Failure> {
    let reading = open_reader(url)?.read().await?;
    match args.output {
        Output::Json => print(&format!("{:#}\n", status::json(&reading))),
        Output::Table => {
            let colour = std::io::stdout().is_terminal() && environment("NO_COLOR").is_none();
            print(&status::table(&reading, if colour { Ink::Colour } else { Ink::Plain }));
        }
    }
    Ok(0)
}

/// Who and why, in one line of bounded length.
fn paused(args: &PauseArgs) -> String {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (by, reason) = (line(&args.by), line(&args.reason));
    let text = if reason.is_empty() { by } else { format!("{by}: {reason}") };
    text.chars().take(200).collect()
}

async fn pause(paused: Option<&str>, url: &DatabaseUrl) -> Result<u8, Failure> {
    let mut session = open_session(url).await?;
    match session.pause(paused).await {
        Ok(()) => {}
        Err(WriteError::Read(cause)) => return Err(cause.into()),
        Err(cause) => return Err(again(cause)),
    }
    print(match paused {
        Some(_) => "paused: a backfill rests after the batch in hand, until `phasegate resume`\n",
        None => "resumed: a backfill goes on within a second\n",
    });
    Ok(0)
}

async fn ask(args: CheckArgs, url: &DatabaseUrl) -> Result<u8, Failure> {
    args.supports.parse::<Supports>().map_err(BadConfig::Supports)?;
    let wait = match args.wait.as_deref() {
        None => Wait::Once,
        Some("forever") => Wait::Forever,
        Some(text) => Wait::AtMost(duration(text).map_err(BadConfig::Wait)?),
    };
    let siblings: Option<Box<dyn Siblings>> = if args.pod_aware {
        let namespace = args.namespace.as_deref().ok_or(BadConfig::NoNamespace)?;
        let pod = args.pod_name.as_deref().ok_or(BadConfig::NoPodName)?;
        Some(Box::new(KubeSiblings::new(api().await?, namespace, pod)))
    } else {
        None
    };
    let stop = on_signals().map_err(again)?;
    let question = Question { database: args.database, supports: args.supports, wait };
    let reader = open_reader(url)?;
    let answer = check(reader.as_ref(), siblings.as_deref(), &question, clock(), &stop, |line| {
        let _ = writeln!(std::io::stderr(), "{line}");
    })
    .await;
    match args.output {
        Output::Table => print(&format!("{}\n", answer.line())),
        Output::Json => print(&format!("{}\n", answer.json())),
    }
    Ok(answer.code())
}

/// A reader that closed the pipe has seen enough.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
