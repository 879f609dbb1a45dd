//! `make demo`: a column split under live traffic, first without the gate and then with it, on this machine.
//!
//! Real are the renderer, the runner, the gate, the wire between Argo and the gate, the database and the app's
//! processes. Stood in for is Kubernetes: a small API that mirrors those processes.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test should panic"
    )
)]

mod account;
mod app;
mod cluster;
mod control;
mod gate;
mod job;
mod repository;
mod runner;
mod show;
mod story;

use std::{io::Write, path::Path, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{
    show::Show,
    story::{Outcome, Setting},
};

#[derive(Debug, Parser)]
#[command(name = "demo", about = "Shows Phasegate at work on this machine; see `make demo`")]
struct Arguments {
    /// Seed of everything the app's processes choose.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Customers at the start.
    #[arg(long, default_value_t = 100_000)]
    rows: u32,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One process of the demo's app.
    #[command(hide = true)]
    App(app::AppArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::App(app)) => app::work(app).await,
        None => tell(arguments.seed, arguments.rows).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn tell(seed: u64, rows: u32) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the demo's own clock, for the seconds it prints")]
    let show = Show::new(std::time::Instant::now());
    let binaries = std::env::current_exe()?.parent().context("the demo lies in a directory")?.to_owned();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/customers-demo").canonicalize()?;
    let setting = Setting { seed, rows, binaries, example };
    let directory = tempfile::Builder::new().prefix("phasegate-demo-").tempdir()?;
    show.result(
        "Real here: the renderer, the runner, the gate, Argo's wire, the database, the app's processes.\n\
         Stood in for: Kubernetes, by a small API that mirrors those processes.",
    );
    let control = control::tell(&setting, &directory.path().join("control"), &show).await?;
    let outcome = story::tell(&setting, &directory.path().join("gated"), &show).await?;
    show.heading("What became of the writes");
    show.result(format_args!("control: writes={} failed={} lost={}", control.writes, control.failed, control.lost));
    let Outcome { held, released, contract_refused, contracted, reverted, account } = outcome;
    show.result(format_args!(
        "demo: held={held} released={released} contract_refused={contract_refused} contracted={contracted} \
         reverted={reverted} writes={} failed={} lost={}",
        account.writes, account.failed, account.lost
    ));
    anyhow::ensure!(control.failed + control.lost > 0, "the control lost nothing: it proves nothing");
    anyhow::ensure!(outcome.is_good(), "the second line is not what Phasegate promises");
    Ok(())
}
