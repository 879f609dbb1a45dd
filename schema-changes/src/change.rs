//! `Database` and `SchemaChange`: the declarations after they were checked. Fields hold only what passed.

use schema_phases::{ChangeProfile, Target};

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
}

/// One database, as declared in `phasegate.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Further namespaces where its apps live.
    pub namespaces: Vec<String>,
    /// Versions outside this cluster.
    pub consumers: Vec<Consumer>,
}

/// Rows whose loss Git accepts, as `plan` counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptedLoss {
    /// When the old shape goes.
    pub contract: u64,
    /// When the new shape goes.
    pub revert: u64,
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
    /// Digest of everything that decides which statements run (not of `target` and `acceptLoss`): lower-case hex.
    pub definition: String,
}
