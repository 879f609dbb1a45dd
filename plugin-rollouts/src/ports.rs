//! What the gate needs from outside, in our words. Each has a fake beside it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use phase_ledger::{DatabaseUrl, LedgerReader, ReadError};
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
