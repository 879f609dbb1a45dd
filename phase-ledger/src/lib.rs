//! The ledger: what the database itself remembers of its schema changes.
//!
//! It lives in the database it describes, so that a clone or a restored copy carries its own truth. Gates read it
//! through [`LedgerReader`], the one runner writes it through [`Session`], and nothing else touches it. Every driver
//! passes the same conformance suite, and so does the fake in [`memory`].

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test should panic"
    )
)]

mod cells;
pub mod conformance;
mod decode;
mod entry;
mod error;
mod fault;
mod fence;
mod hidden;
pub mod memory;
pub mod mysql;
mod open;
pub mod postgres;
mod probe;
mod reader;
mod session;
pub mod sqlite;
mod statement;
mod store;
mod text;
mod transition;
mod turn;
mod url;

pub use entry::{
    BackfillProgress, BackfillRange, Generation, HIDDEN, LedgerEntry, LedgerState, Reading, Record, ServerIdentity,
};
pub use error::{ReadError, WriteError};
pub use hidden::{Hidden, hidden, hidden_since};
pub use open::{open_reader, open_replica, open_session};
pub use probe::{Held, Prepared, Probe, ProbeError, QueryAnswer, TableName, open_probe};
pub use reader::LedgerReader;
pub use session::{Batch, Batched, Cell, HEARTBEAT, Row, Session, Statement, Transaction};
pub use url::{BadDatabaseUrl, DatabaseUrl, LedgerEngine};

/// The format this build reads and writes. A ledger of any other format is refused, in both directions; only a takeover
/// brings an older one forward.
pub const FORMAT: u32 = 2;
