//! The ledger in an SQLite file: tables `phasegate_*` beside the application's. For the laptop and the demo.
//!
//! One writer at a time is SQLite's own rule, so a transaction that holds the write lock is the fence. Who is the runner
//! is said by a lock on a file beside the database, never by one on the application's own. No network file systems.

mod fault;
mod look;
mod probe;
mod reader;
mod session;
mod values;

pub(crate) use probe::SqliteProbe;
pub use reader::SqliteReader;
pub use session::SqliteSession;

/// What begins the names of the ledger's tables.
const PREFIX: &str = "phasegate_";
