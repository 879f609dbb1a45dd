//! The binary `phasegate`: parse, wire, run, exit code.

mod args;
mod config;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

/// EX_USAGE of sysexits.h.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    match args::Cli::try_parse() {
        Ok(cli) => wiring::start(cli),
        Err(told) => {
            // Nobody is left to be told when this cannot be printed.
            let _ = told.print();
            if told.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
        }
    }
}
