//! The command line, checked.

use std::time::Duration;

use clap::ValueEnum;
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

/// Checks the arguments. `stated` is what the environment says to log.
///
/// # Errors
/// [`BadArgs`]. A word that the environment should not hold is none: a plugin that does not start cannot be started
/// again before its controller is.
pub fn checked(args: &Args, stated: Option<&str>) -> Result<ServeSettings, BadArgs> {
    let Args { command: _, time_limit, log } = args;
    if !SECONDS.contains(time_limit) {
        return Err(BadArgs::TimeLimit { found: *time_limit });
    }
    let stated = stated.and_then(|word| LogLevel::from_str(word, true).ok());
    let level = match log.or(stated).unwrap_or(LogLevel::Info) {
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
            assert_eq!(checked(&args, None).is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn the_argument_comes_before_the_environment_and_nonsense_there_stops_nobody() {
        let level = |arguments: &[&str], stated| {
            let all = ["phasegate-rollouts"].iter().chain(arguments);
            checked(&Args::try_parse_from(all).unwrap(), stated).unwrap().level
        };
        assert_eq!(level(&[], None), Level::INFO);
        assert_eq!(level(&[], Some("DEBUG")), Level::DEBUG);
        assert_eq!(level(&[], Some("phasegate=loud")), Level::INFO);
        assert_eq!(level(&["--log", "error"], Some("debug")), Level::ERROR);
    }

    #[test]
    fn the_slowest_path_fits_into_the_whole() {
        for seconds in SECONDS {
            let limits = Limits::within(Duration::from_secs(seconds));
            assert!(limits.kubernetes + limits.ledger < limits.total);
        }
    }
}
