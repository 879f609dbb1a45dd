//! `make demo`: a column split under live traffic, first without the gate and then with it, on this machine.
//!
//! Real are the renderer, the runner, the gate, the wire between Argo and the gate, the database and the app's
//! processes. Stood in for is Kubernetes: a small API that mirrors those processes.

mod account;
mod app;
mod cluster;
mod job;
mod show;

use clap::{Parser, Subcommand};

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
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::App(app)) => app::work(app).await,
        None => anyhow::bail!("the story is not told yet: {} {}", arguments.seed, arguments.rows),
    }
}
