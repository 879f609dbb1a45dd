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
mod peers;
mod runner;
mod triggers;
mod writers;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;

use self::{database::Engine, figures::Figures};

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
    /// Only the measurements whose name contains this: backfill, flatness, triggers, pgroll, reshape, pt-osc,
    /// writers, locks.
    #[arg(long, default_value = "")]
    pub(crate) only: String,
    /// The release build of `phasegate`.
    #[arg(long, env = "PHASEGATE_BINARY")]
    pub(crate) phasegate: PathBuf,
    /// The `reshape` binary; left out when there is none.
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
    fn wants(&self, name: &str) -> bool {
        name.contains(self.only.as_str())
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
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("bench-runner: {cause:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<()> {
    let server = database::Server::start(options)?;
    let mut figures = Figures::default();
    for engine in [Engine::Postgres, Engine::Mariadb, Engine::Sqlite] {
        if options.wants(&format!("backfill {engine}")) {
            backfill::beside_one_update(options, &server, engine, &mut figures).await?;
        }
        if options.wants(&format!("triggers {engine}")) {
            triggers::cost(options, &server, engine, &mut figures).await?;
        }
        if options.wants(&format!("writers {engine}")) {
            writers::latency(options, &server, engine, &mut figures).await?;
        }
        if options.wants(&format!("locks {engine}")) {
            locks::stalls(options, &server, engine, &mut figures).await?;
        }
        if options.wants(&format!("flatness {engine}")) {
            backfill::flatness(options, &server, engine, &mut figures).await?;
        }
    }
    if options.wants("pgroll") {
        peers::pgroll(options, &server, &mut figures).await?;
    }
    if options.wants("reshape") {
        peers::reshape(options, &server, &mut figures).await?;
    }
    if options.wants("pt-osc") {
        peers::pt_osc(options, &server, &mut figures).await?;
    }
    figures.end(&options.json)
}
