//! What the runner costs, side by side with what it is compared to: `make bench-runner`.
//!
//! Every figure is a median over pairs that are measured one after the other, in turn, on the same data: a machine that is
//! busy makes both sides slower and leaves their ratio. It ends with a line `figure NAME VALUE UNIT` for each, and writes
//! the same as JSON.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark measures time and prints what it found"
)]

mod backfill;
mod database;
mod figures;
mod locks;
mod original;
mod peers;
mod runner;
mod triggers;
mod writers;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::Result;
use clap::Parser;

use self::{
    database::{Engine, Server},
    figures::Figures,
};

/// Options of the benchmark.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench-runner")]
pub(crate) struct Options {
    /// Rows of the table that most figures are measured on.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) rows: u64,
    /// Pairs for each figure.
    #[arg(long, default_value_t = 5)]
    pub(crate) pairs: usize,
    /// Rows of the largest table, measured once.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) largest: u64,
    /// Only the measurements whose name contains this: `backfill`, `triggers`, `writers`, `locks` and `flatness` with the
    /// engine after it, `pgroll`, `reshape`, `pt-osc`.
    #[arg(long, default_value = "")]
    pub(crate) only: String,
    /// Keep what the JSON holds of the same rows and pairs, and measure the rest, or again: all of it takes longer than a
    /// machine is often left alone.
    #[arg(long)]
    pub(crate) add: bool,
    /// The release build of `phasegate`.
    #[arg(long, env = "PHASEGATE_BINARY")]
    pub(crate) phasegate: PathBuf,
    /// The `reshape` binary.
    #[arg(long)]
    pub(crate) reshape: Option<PathBuf>,
    /// How much WAL the PostgreSQL server keeps before a checkpoint: 8 GB keeps them out of the pairs.
    #[arg(long, default_value = "8GB")]
    pub(crate) max_wal_size: String,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench-runner.json")]
    pub(crate) json: PathBuf,
}

impl Options {
    /// Rows of the table that most figures of an engine are measured on. MariaDB has half: each of its tables is made anew,
    /// and its rows take longest.
    fn rows_of(&self, engine: Engine) -> u64 {
        match engine {
            Engine::Postgres | Engine::Sqlite => self.rows,
            Engine::Mariadb => self.rows / 2,
        }
    }
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            eprintln!("bench-runner: {cause}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(measure(&Options::parse())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(cause) => {
            eprintln!("bench-runner: {cause:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is measured on each engine, what is beside others, and by which name `--only` picks it.
#[derive(Clone, Copy, Debug)]
enum Measurement {
    Backfill(Engine),
    Triggers(Engine),
    Writers(Engine),
    Locks(Engine),
    Flatness(Engine),
    Pgroll,
    Reshape,
    PtOsc,
}

impl Measurement {
    fn all() -> Vec<Self> {
        let engines = [Engine::Postgres, Engine::Mariadb, Engine::Sqlite];
        let kinds = [Self::Backfill, Self::Triggers, Self::Writers, Self::Locks];
        let each = engines.into_iter().flat_map(|engine| kinds.map(|kind| kind(engine)));
        // The longest last: who ends it early has the rest.
        each.chain([Self::Pgroll, Self::Reshape, Self::PtOsc]).chain(engines.map(Self::Flatness)).collect()
    }

    fn name(self) -> String {
        match self {
            Self::Backfill(engine) => format!("backfill {engine}"),
            Self::Triggers(engine) => format!("triggers {engine}"),
            Self::Writers(engine) => format!("writers {engine}"),
            Self::Locks(engine) => format!("locks {engine}"),
            Self::Flatness(engine) => format!("flatness {engine}"),
            Self::Pgroll => "pgroll".to_owned(),
            Self::Reshape => "reshape".to_owned(),
            Self::PtOsc => "pt-osc".to_owned(),
        }
    }

    async fn make(self, options: &Options, server: &Server, figures: &mut Figures) -> Result<()> {
        match self {
            Self::Backfill(engine) => backfill::beside_one_update(options, server, engine, figures).await,
            Self::Triggers(engine) => triggers::cost(options, server, engine, figures).await,
            Self::Writers(engine) => writers::latency(options, server, engine, figures).await,
            Self::Locks(engine) => locks::stalls(options, server, engine, figures).await,
            Self::Flatness(engine) => backfill::flatness(options, server, engine, figures).await,
            Self::Pgroll => peers::pgroll(options, server, figures).await,
            Self::Reshape => peers::reshape(options, server, figures).await,
            Self::PtOsc => peers::pt_osc(options, server, figures).await,
        }
    }
}

async fn measure(options: &Options) -> Result<bool> {
    let server = Server::start(options)?;
    let mut figures = Figures::new(options, server.versions().await?)?;
    for measurement in Measurement::all() {
        let name = measurement.name();
        if !name.contains(options.only.as_str()) {
            continue;
        }
        let began = Instant::now();
        figures.begin(&name);
        if let Err(why) = measurement.make(options, &server, &mut figures).await {
            figures.failed(&name, &why);
        }
        eprintln!("({name}: {:.0} s)", began.elapsed().as_secs_f64());
        figures.write(&options.json)?;
    }
    Ok(figures.print())
}
