//! The app of the cluster's scenarios: `serve` is one version of it, `load` are its users, who account for every row.
//!
//! It knows PostgreSQL, HTTP and one table. It has never heard of Phasegate.

mod known;
mod load;
mod metrics;
mod serve;
mod tell;

use std::{io::Write, process::ExitCode, str::FromStr};

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "customers", about = "A small app in two versions, and its users; for `make e2e`")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answers requests.
    Serve(serve::Serve),
    /// Sends requests all the time, and checks every answer.
    Load(load::Load),
}

/// Which columns a version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `full_name`.
    V1,
    /// `first_name` and `last_name`.
    V2,
}

impl Shape {
    /// What it is called.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            other => Err(format!("`{other}` is neither v1 nor v2")),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Load(load) => load.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "customers: {error:#}");
            ExitCode::FAILURE
        }
    }
}
