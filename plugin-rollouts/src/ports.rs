//! What the gate needs from outside, in our words. Each has a fake beside it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use phase_ledger::{DatabaseUrl, LedgerReader, Probe, ProbeError, ReadError};
pub use prometheus_source::Measured;
use schema_changes::IntegrityQuery;
use schema_phases::{Because, PlanDigest};

use crate::template::PodTemplate;

/// Finds out where databases are.
#[async_trait]
pub trait Databases: Send + Sync {
    /// Where the database is, as the renderer declared it. The place is only told to namespaces that may know it.
    ///
    /// # Errors
    /// Why it cannot be told; the texts go to users.
    async fn place(&self, wanted: &DatabaseRef) -> Result<Place, Because>;
}

/// Finds the pod template of a version that runs.
#[async_trait]
pub trait StableVersion: Send + Sync {
    /// The template of one ReplicaSet of a Rollout.
    ///
    /// # Errors
    /// Why it cannot be told; a ReplicaSet that is gone counts.
    async fn template(&self, of: &VersionRef) -> Result<PodTemplate, Because>;
}

/// Opens ledgers.
#[async_trait]
pub trait Ledgers: Send + Sync {
    /// A reader with a connection of its own, which is closed when the reader is dropped.
    ///
    /// # Errors
    /// As for reading.
    async fn open(&self, url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError>;
}

/// Reads the SQL that a version brought along.
#[async_trait]
pub trait VersionSql: Send + Sync {
    /// The files of a ConfigMap, by name.
    ///
    /// # Errors
    /// Why they cannot be told; a ConfigMap that is not there counts.
    async fn files(&self, namespace: &str, config_map: &str) -> Result<BTreeMap<String, String>, Because>;
}

/// Opens what is asked of a database besides its ledger.
#[async_trait]
pub trait Probes: Send + Sync {
    /// A probe with a connection of its own, which is closed when the probe is dropped.
    ///
    /// # Errors
    /// Nobody answered.
    async fn probe(&self, url: &DatabaseUrl) -> Result<Box<dyn Probe>, ProbeError>;

    /// A reader of a replica's copy of the ledger.
    ///
    /// # Errors
    /// As for reading.
    async fn replica(&self, url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError>;
}

/// Measures what applications do.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// One number now, and what it was for as long as is asked.
    ///
    /// # Errors
    /// Why it cannot be told; no answer, NaN and more than one number count.
    async fn measure(&self, wanted: &MeasureRef) -> Result<Measured, Because>;
}

/// Looks at the Jobs of a runner.
#[async_trait]
pub trait RunnerJobs: Send + Sync {
    /// What became of the Job that works, or worked, on the plan Git wants.
    ///
    /// # Errors
    /// Why it cannot be told.
    async fn job(&self, of: &JobRef) -> Result<JobSight, Because>;
}

/// A database, as a Rollout names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DatabaseRef {
    /// Its name.
    pub name: String,
    /// The namespace it is declared in.
    pub namespace: String,
    /// The namespace of the Rollout that asks.
    pub asked_from: String,
}

/// One version of one Rollout.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VersionRef {
    /// The Rollout's namespace.
    pub namespace: String,
    /// The Rollout's name.
    pub rollout: String,
    /// The Rollout's UID.
    pub uid: String,
    /// The version's pod template hash.
    pub pod_hash: String,
}

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Place {
    /// Declared, with a way in.
    Declared(Arc<Access>),
    /// Nothing was rendered for it (yet). The text names what is absent, and the remedy.
    NotDeclared(String),
}

/// The way to a ledger.
pub struct Access {
    /// Where it is.
    pub url: DatabaseUrl,
    /// What tells this way from every other.
    pub key: AccessKey,
    /// The plan that Git wants.
    pub wanted: Option<PlanDigest>,
    /// Queries that say whether the data is whole.
    pub integrity: Vec<IntegrityQuery>,
    /// Copies that the apps read from.
    pub replicas: Vec<ReplicaAccess>,
}

impl Access {
    /// A way to a ledger, and to nothing else.
    pub const fn new(url: DatabaseUrl, key: AccessKey, wanted: Option<PlanDigest>) -> Self {
        Self { url, key, wanted, integrity: Vec::new(), replicas: Vec::new() }
    }
}

/// The way to a replica.
#[derive(Clone)]
pub struct ReplicaAccess {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: DatabaseUrl,
    /// What tells this way from every other.
    pub key: AccessKey,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MeasureRef {
    /// Which server; none for the first that is known.
    pub server: Option<String>,
    /// The query.
    pub query: String,
    /// For how long back.
    pub back: Duration,
}

/// Whose Job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobRef {
    /// The database.
    pub database: String,
    /// The namespace it is declared in.
    pub namespace: String,
    /// The plan that Git wants; none when nobody can say.
    pub wanted: Option<PlanDigest>,
}

/// What became of a Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobSight {
    /// There is none of this plan.
    Absent,
    /// It has pods, or will have.
    Working {
        /// Its name.
        job: String,
    },
    /// Somebody suspended it.
    Suspended {
        /// Its name.
        job: String,
    },
    /// It failed.
    Failed {
        /// Its name.
        job: String,
        /// What Kubernetes says of that.
        why: String,
    },
    /// It is complete.
    Complete {
        /// Its name.
        job: String,
    },
}

/// Tells one way to a ledger from another. Holds a credential, and so prints nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AccessKey(Arc<str>);

impl AccessKey {
    /// The key of a URL.
    pub fn of(url: &str) -> Self {
        Self(url.into())
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey")
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod fake;
