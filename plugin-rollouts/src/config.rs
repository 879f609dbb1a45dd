//! The command line, checked.

use std::time::Duration;

use tracing::Level;

use crate::{
    args::{Args, LogLevel},
    gate::Limits,
};

const SECONDS: std::ops::RangeInclusive<u64> = 1..=20;

/// How to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeSettings {
    /// How long anything may take.
    pub limits: Limits,
    /// What to log.
    pub level: Level,
}

/// A value that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArgs {
    /// The time limit is out of range.
    #[error("--time-limit is {found}; it must be from {} to {} seconds", SECONDS.start(), SECONDS.end())]
    TimeLimit {
        /// What was typed.
        found: u64,
    },
}

/// Checks the arguments.
///
/// # Errors
/// [`BadArgs`].
pub fn checked(args: &Args) -> Result<ServeSettings, BadArgs> {
    let Args { command: _, time_limit, log } = args;
    if !SECONDS.contains(time_limit) {
        return Err(BadArgs::TimeLimit { found: *time_limit });
    }
    let level = match log {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    Ok(ServeSettings { limits: Limits::within(Duration::from_secs(*time_limit)), level })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_time_limit_out_of_range_is_refused() {
        for (seconds, good) in [("0", false), ("1", true), ("20", true), ("21", false)] {
            let args = Args::try_parse_from(["phasegate-rollouts", "--time-limit", seconds]).unwrap();
            assert_eq!(checked(&args).is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn the_slowest_path_fits_into_the_whole() {
        for seconds in SECONDS {
            let limits = Limits::within(Duration::from_secs(seconds));
            assert!(limits.kubernetes + limits.ledger < limits.total);
        }
    }
}
