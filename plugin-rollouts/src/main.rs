//! The binary `phasegate-rollouts`. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    plugin_rollouts::wiring::main()
}
