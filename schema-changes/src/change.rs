//! `Database` and `SchemaChange`: the declarations after they were checked. Fields hold only what passed.

use std::{fmt, str::FromStr, time::Duration};

use schema_phases::{ChangeProfile, Target};

use crate::refactoring::Refactoring;

/// The engines a database can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// PostgreSQL 14 or newer.
    Postgres,
    /// MySQL 8.
    Mysql,
    /// MariaDB 10.6 or newer.
    Mariadb,
    /// SQLite: laptop and demo.
    Sqlite,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Mysql, Self::Mariadb, Self::Sqlite];

    /// The word used in files and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Sqlite => "sqlite",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no engine; the engines are postgres, mysql, mariadb, sqlite")]
pub struct UnknownEngine {
    /// What stood there.
    pub found: String,
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(text: &str) -> Result<Self, UnknownEngine> {
        Self::ALL
            .into_iter()
            .find(|engine| engine.as_str() == text)
            .ok_or_else(|| UnknownEngine { found: text.chars().take(64).collect() })
    }
}

/// A key in a Kubernetes Secret of the Database's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// The Secret's name.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// A version that runs outside this cluster and counts as live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// What people call it.
    pub name: String,
    /// What it supports, in the annotation's grammar.
    pub supports: String,
    /// The database's roles that it logs in as; a `*` at the end stands for any ending.
    pub users: Vec<String>,
}

/// What is made before each contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The directory that dumps go into.
    pub directory: String,
    /// The PersistentVolumeClaim that stands there in a cluster.
    pub volume: Option<String>,
}

/// A query that says whether the data is whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IntegrityQuery {
    /// Its name.
    pub name: String,
    /// The query, which only reads.
    pub query: String,
    /// It answers one number, at most this; none when it must answer no row.
    pub at_most: Option<u64>,
}

/// A copy of the database that the apps read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// What people call it.
    pub name: String,
    /// The gate's URL of it.
    pub gate: SecretKey,
}

/// One database, as declared in `phasegate.yaml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its engine.
    pub engine: Engine,
    /// The URL that may change the schema.
    pub runner: SecretKey,
    /// The URL that may only read the ledger.
    pub gate: SecretKey,
    /// The Secrets the applications use.
    pub app_secrets: Vec<String>,
    /// The database's roles that they log in as, likewise; `None` when nobody said.
    pub app_users: Option<Vec<String>>,
    /// Further namespaces where its apps live.
    pub namespaces: Vec<String>,
    /// What is made before each contract, if anything.
    pub checkpoint: Option<Checkpoint>,
    /// Versions outside this cluster.
    pub consumers: Vec<Consumer>,
    /// Queries that say whether the data is whole.
    pub integrity: Vec<IntegrityQuery>,
    /// Copies that the apps read from.
    pub replicas: Vec<Replica>,
    /// How rows are filled.
    pub backfill: BackfillSettings,
}

/// How rows are filled, as declared; what is absent has the runner's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackfillSettings {
    /// How many connections fill at once.
    pub connections: Option<u32>,
    /// How long one batch aims to take.
    pub batch: Option<Duration>,
    /// How long to rest after each batch, in times of the batch.
    pub nice_ratio: Option<f64>,
    /// When to rest.
    pub throttle: ThrottleSettings,
}

/// When a backfill rests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThrottleSettings {
    /// While a standby is further behind than this.
    pub replication_lag: Option<Duration>,
    /// While more sessions than this are active.
    pub active_sessions: Option<u32>,
    /// While this query returns a number above 0.
    pub query: Option<String>,
    /// While Prometheus does not say that a number is within its bounds.
    pub prometheus: Option<PrometheusThrottle>,
    /// Outside of these times of the day.
    pub window: Option<DailyWindow>,
}

/// What Prometheus must say for a backfill to work.
#[derive(Clone, Debug, PartialEq)]
pub struct PrometheusThrottle {
    /// The Secret with the file that names the servers, where a Job is rendered.
    pub servers: Option<String>,
    /// The numbers.
    pub measures: Vec<ThrottleMeasure>,
}

/// One number that Prometheus computes, and its bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct ThrottleMeasure {
    /// What it is called in messages.
    pub name: String,
    /// Which of the servers that the runner knows; none for the first of them.
    pub server: Option<String>,
    /// The query, in PromQL; its answer is one number.
    pub query: String,
    /// Rest while the number is above this.
    pub at_most: Option<f64>,
    /// Rest while the number is below this.
    pub at_least: Option<f64>,
}

/// A daily window in minutes of the day in UTC, up to but not including its end. It may go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    /// When it begins.
    pub from: u16,
    /// When it ends.
    pub to: u16,
}

/// Rows whose loss Git accepts, as `plan` counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptedLoss {
    /// When the old shape goes.
    pub contract: u64,
    /// When the new shape goes.
    pub revert: u64,
}

/// For how long the old shape stays hidden, and can be brought back, before it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soak {
    /// For this long.
    For(Duration),
    /// Until a commit says otherwise.
    Held,
}

/// One schema change, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// What it promises to app versions; its name, order and tables too.
    pub profile: ChangeProfile,
    /// The file it stands in, relative to the plan's directory.
    pub file: String,
    /// What Git asks for.
    pub target: Target,
    /// The loss Git accepts.
    pub accept_loss: AcceptedLoss,
    /// Whether a contract hides the old shape first, and for how long.
    pub soak: Option<Soak>,
    /// Digest of everything that decides which statements run (not of `target`, `acceptLoss` and `soak`): lower-case hex.
    pub definition: String,
    pub(crate) refactoring: Refactoring,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_reads_back_from_its_word() {
        for engine in Engine::ALL {
            assert_eq!(engine.as_str().parse(), Ok(engine));
        }
        assert!("postgresql".parse::<Engine>().is_err());
    }
}
