//! The app of the cluster's scenarios: `serve` is one version of it, `load` are its users, who account for every row;
//! `desk` is where the tests ask the database servers.
//!
//! It knows PostgreSQL, MariaDB, HTTP and the tables of two examples: customers, and a warehouse's inventory (on PostgreSQL
//! only), whose items it serves like customers. It has never heard of Phasegate.

mod database;
mod desk;
mod known;
mod load;
mod metrics;
mod serve;
mod sql;
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
    /// Asks the database servers for the tests.
    Desk(desk::Desk),
}

/// Which tables and columns a version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Customers with `full_name`.
    CustomersV1,
    /// Customers with `first_name` and `last_name`.
    CustomersV2,
    /// Manufacturers, warehouses and the inventory.
    WarehouseV1,
    /// Warehouses have a city and a state.
    WarehouseV2,
}

impl Shape {
    /// What this version is called.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::CustomersV1 | Self::WarehouseV1 => "v1",
            Self::CustomersV2 | Self::WarehouseV2 => "v2",
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "customers-v1" => Ok(Self::CustomersV1),
            "customers-v2" => Ok(Self::CustomersV2),
            "warehouse-v1" => Ok(Self::WarehouseV1),
            "warehouse-v2" => Ok(Self::WarehouseV2),
            other => Err(format!("`{other}` is none of customers-v1, customers-v2, warehouse-v1 and warehouse-v2")),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Load(load) => load.run().await,
        Command::Desk(desk) => desk.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "customers: {error:#}");
            ExitCode::FAILURE
        }
    }
}
