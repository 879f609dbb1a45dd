//! `phasegate-argocd`: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use plugin_argocd::{Args, execute, report};

fn main() -> ExitCode {
    report(&execute(&Args::parse()))
}
