//! How reading and writing a ledger fails. No text here ever holds a credential.

use schema_phases::ChangeName;

use crate::Generation;

/// Why the ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nobody answered, or the connection broke.
    #[error("cannot reach the database of the ledger")]
    Unreachable {
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The role may not read it.
    #[error("may not read the ledger table `{table}`; grant SELECT on it to the gate's role")]
    NotPermitted {
        /// The table.
        table: String,
    },
    /// The server is a standby or read-only: what it shows may be old.
    #[error("the server is a standby; point the Secret at the primary")]
    Standby,
    /// A connection pooler stands in between and lends one server session to many clients: no lock would hold.
    #[error("the address leads to a connection pooler that shares server sessions; use the server's own address")]
    Pooler,
    /// A server that no ledger can be kept on: too old, of another make, or one of several that accept writes.
    #[error("the database cannot be used: {why}")]
    Unsupported {
        /// What is wrong with it, and the remedy.
        why: String,
    },
    /// Not the server that the ledger was last written on.
    #[error(
        "the server is {found}, and the ledger was last written on {recorded}; run `phasegate run` once to take it over"
    )]
    OtherServer {
        /// The identity of the server that answered.
        found: String,
        /// The identity in the ledger.
        recorded: String,
    },
    /// Another format than this build knows.
    #[error("the ledger has format {found}, and this build reads format {known}; {remedy}", remedy = if found > known { "use a newer Phasegate" } else { "run the newer `phasegate run` once, which brings it forward" })]
    Format {
        /// The format found.
        found: u32,
        /// The format known.
        known: u32,
    },
    /// Objects that a runner made, and no ledger that explains them.
    #[error(
        "there is no ledger, but the database holds {objects}, which a runner made; restore the ledger or run `phasegate adopt`"
    )]
    Unexplained {
        /// Their names.
        objects: String,
    },
    /// Its content contradicts itself.
    #[error("the ledger table `{table}` is damaged: {why}")]
    Damaged {
        /// The table.
        table: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server gave a query of the caller up, for a reason that may pass.
    #[error("the database gave up on the query: {statement}")]
    Passing {
        /// The statement, cut to 200 characters; no values.
        statement: String,
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A query of the caller failed.
    #[error("the query failed: {statement}")]
    Query {
        /// The statement, cut to 200 characters; no values.
        statement: String,
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ReadError {
    /// A table of the ledger that contradicts itself.
    pub(crate) fn damaged(table: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged { table: table.into(), why: why.into() }
    }

    /// Whether this is a ledger that a takeover would bring forward.
    pub const fn is_older_format(&self) -> bool {
        matches!(self, Self::Format { found, known } if *found >= 1 && *found < *known)
    }

    /// Whether the same read may succeed later with nobody's help.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Standby | Self::Passing { .. })
    }
}

/// The server itself is in need; whatever it was asked for could be done otherwise.
#[derive(Debug, thiserror::Error)]
#[error("the server is short of {what}; see to it there, and this goes on by itself")]
pub(crate) struct ServerInNeed {
    /// What it is short of.
    pub(crate) what: &'static str,
    /// What the driver said.
    #[source]
    pub(crate) cause: Box<dyn std::error::Error + Send + Sync>,
}

/// There is no connection for a reason that somebody must see to: a certificate that is not believed, or a file of the
/// address.
#[derive(Debug, thiserror::Error)]
#[error("{told}")]
pub(crate) struct SeeTo {
    /// What it is, and what to do.
    pub(crate) told: &'static str,
    /// What the driver said.
    #[source]
    pub(crate) cause: sqlx::Error,
}

/// Why a write did not happen. Nothing of its transaction did.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A newer runner has taken over.
    #[error("another runner has taken over (generation {mine:?} is no longer the newest)")]
    Fenced {
        /// The generation this runner held.
        mine: Generation,
    },
    /// A lock could not be had within the time allowed.
    #[error("could not lock `{table}` in time{}", blocker.as_ref().map(|who| format!("; it is held by {who}")).unwrap_or_default())]
    LockNotAvailable {
        /// The table, or the statement when the table is unknown.
        table: String,
        /// Who holds it, as far as the server tells.
        blocker: Option<String>,
    },
    /// The ledger does not say what this record builds on.
    #[error("the ledger no longer says what the runner saw of `{change}`")]
    Conflict {
        /// The change.
        change: ChangeName,
    },
    /// The server ended the transaction for a reason that may pass: a deadlock, a lost connection, a restart.
    #[error("the database gave up on the transaction")]
    Transient {
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server refused a statement.
    #[error("the database refused: {statement}")]
    Refused {
        /// The statement, cut to 400 characters; no values.
        statement: String,
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The ledger could not be read on the way.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl WriteError {
    /// Whether the same write may succeed later with nobody's help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::LockNotAvailable { .. } | Self::Transient { .. } => true,
            Self::Read(cause) => cause.is_transient(),
            Self::Fenced { .. } | Self::Conflict { .. } | Self::Refused { .. } => false,
        }
    }
}
