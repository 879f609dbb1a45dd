//! Which versions of the apps are live: those that run, and those that their owners may start at any moment.

mod fake;
mod file;
pub mod kube;

use async_trait::async_trait;
use schema_phases::{AppVersion, Because, Fact, Missing, Sighting};

pub use fake::FakeLive;
pub use file::{BadLiveFile, LiveFile, Stated};

/// One live version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiveVersion {
    /// What it is called and what it supports.
    pub version: AppVersion,
    /// Whether it runs.
    pub presence: Presence,
}

/// What is known of a version beside what it supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// Its containers run or ran: it may have written to the database. Outside its window it is a violation.
    Running,
    /// It may be started at any moment, or waits in front of its gate.
    Startable,
    /// It does not say what it is; what is known is that it can reach the database.
    Unlabelled,
}

/// Sees the live versions of one database.
#[async_trait]
pub trait LiveVersions: Send + Sync {
    /// All of them, by linearizable reads that begin after the call; or why they cannot be seen.
    async fn look(&self) -> Sighting<Vec<LiveVersion>>;

    /// Whether a database session that none of them accounts for counts as one more: so it is where the versions are
    /// observed, and not where a person states them.
    fn counts_sessions(&self) -> bool;
}

/// Nobody said which versions are live.
#[derive(Clone, Copy, Debug)]
pub struct Unstated;

#[async_trait]
impl LiveVersions for Unstated {
    async fn look(&self) -> Sighting<Vec<LiveVersion>> {
        let why =
            "neither --live FILE nor --kubernetes was given, so only moves that harm no conceivable version are made";
        Sighting::Missing(Missing { fact: Fact::LiveVersions, because: Because::NotThere(why.to_owned()) })
    }

    fn counts_sessions(&self) -> bool {
        false
    }
}

/// The versions alone, as the rules want them.
pub(crate) fn versions(live: &Sighting<Vec<LiveVersion>>) -> Sighting<Vec<AppVersion>> {
    match live {
        Sighting::Seen { value, at } => {
            Sighting::Seen { value: value.iter().map(|live| live.version.clone()).collect(), at: *at }
        }
        Sighting::Missing(missing) => Sighting::Missing(missing.clone()),
    }
}
