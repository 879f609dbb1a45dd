//! `Sighting`: what was seen and when, or why nothing was seen. Too little sight is never a yes.

use std::{fmt, time::Duration};

/// A point in time, in milliseconds since the Unix epoch. Only ever compared with moments of the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The moment this many milliseconds after the Unix epoch.
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> u64 {
        self.0
    }

    /// How long `earlier` was before this; zero when a clock was set back in between.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Something looked for: its value and when it was seen, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting<T> {
    /// Seen.
    Seen {
        /// What was seen.
        value: T,
        /// When the look began.
        at: Moment,
    },
    /// Not seen.
    Missing(Missing),
}

impl<T> Sighting<T> {
    /// What was seen, when it is no older than `max_age`.
    ///
    /// # Errors
    /// The [`Missing`] it holds, or one that says how old the sight is.
    pub fn fresh(&self, fact: Fact, max_age: Duration, now: Moment) -> Result<&T, Missing> {
        match self {
            Self::Seen { value, at } => {
                let age = now.since(*at);
                if age <= max_age { Ok(value) } else { Err(Missing { fact, because: Because::Stale { age } }) }
            }
            Self::Missing(missing) => Err(missing.clone()),
        }
    }
}

/// The facts a decision can rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Where the database is: its ConfigMap and Secret.
    Database,
    /// The phases of the live schema.
    Ledger,
    /// The version that serves now.
    StableVersion,
    /// All versions that run or may start.
    LiveVersions,
    /// The plan that Git wants.
    WantedPlan,
    /// A health check.
    Check,
}

impl Fact {
    /// Every fact.
    pub const ALL: [Self; 6] =
        [Self::Database, Self::Ledger, Self::StableVersion, Self::LiveVersions, Self::WantedPlan, Self::Check];

    /// The word used in logs, metrics and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Ledger => "ledger",
            Self::StableVersion => "stable version",
            Self::LiveVersions => "live versions",
            Self::WantedPlan => "wanted plan",
            Self::Check => "check",
        }
    }
}

/// A fact that could not be seen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What was looked for.
    pub fact: Fact,
    /// Why it was not seen.
    pub because: Because,
}

/// Why a fact is missing. The texts go to users: they hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// Nobody answered.
    Unreachable(String),
    /// The answer took longer than this.
    TimedOut(Duration),
    /// The answer is older than a decision may rest on.
    Stale {
        /// How old it is.
        age: Duration,
    },
    /// The look is not allowed; the text names the right that is missing.
    NotPermitted(String),
    /// Something answered, and it cannot be understood or trusted: another format, a standby, another server.
    Untrusted(String),
    /// What the fact rests on does not exist; the text names it and the remedy.
    NotThere(String),
}

impl Because {
    /// Why, for people.
    pub fn told(&self) -> String {
        match self {
            Self::Unreachable(why) | Self::NotPermitted(why) | Self::Untrusted(why) | Self::NotThere(why) => {
                why.clone()
            }
            Self::TimedOut(after) => format!("no answer within {} ms", after.as_millis()),
            Self::Stale { age } => format!("last seen {} s ago", age.as_secs()),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fact = self.fact.as_str();
        match &self.because {
            Because::Unreachable(why) => write!(f, "the {fact} is out of reach: {why}"),
            Because::TimedOut(after) => write!(f, "the {fact} did not answer within {} ms", after.as_millis()),
            Because::Stale { age } => write!(f, "the {fact} was last seen {} s ago", age.as_secs()),
            Because::NotPermitted(why) => write!(f, "the {fact} may not be read: {why}"),
            Because::Untrusted(why) => write!(f, "the {fact} cannot be trusted: {why}"),
            Because::NotThere(why) => write!(f, "the {fact} is not there: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sight_is_a_missing_one() {
        let seen = Sighting::Seen { value: 7, at: Moment::from_unix_millis(1_000) };
        let limit = Duration::from_millis(500);
        assert_eq!(seen.fresh(Fact::Ledger, limit, Moment::from_unix_millis(1_500)), Ok(&7));
        let late = seen.fresh(Fact::Ledger, limit, Moment::from_unix_millis(1_501)).unwrap_err();
        assert_eq!(late.because, Because::Stale { age: Duration::from_millis(501) });
    }

    #[test]
    fn a_clock_set_back_does_not_make_a_sight_old() {
        let seen = Sighting::Seen { value: 7, at: Moment::from_unix_millis(1_000) };
        assert_eq!(seen.fresh(Fact::Ledger, Duration::ZERO, Moment::from_unix_millis(900)), Ok(&7));
    }
}
