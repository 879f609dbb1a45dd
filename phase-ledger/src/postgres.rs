//! The ledger on PostgreSQL: schema `phasegate` in the database it describes. PostgreSQL 14 or newer.

mod connect;
mod fault;
mod look;
mod probe;
mod reader;
mod session;
mod values;
mod work;

pub(crate) use probe::PostgresProbe;
pub use reader::PostgresReader;
pub use session::PostgresSession;

/// What begins the names of the ledger's tables.
const PREFIX: &str = "phasegate.";
