//! The ledger: what the database itself remembers of its schema changes.
//!
//! It lives in the database it describes, so that a clone or a restored copy carries its own truth. Gates read it
//! through [`LedgerReader`], the one runner writes it through [`Session`], and nothing else touches it. Every driver
//! passes the same conformance suite, and so does the fake in [`memory`].

mod entry;
mod error;
mod reader;
mod session;

pub use entry::{BackfillProgress, Generation, LedgerEntry, LedgerState, Reading, Record, ServerIdentity};
pub use error::{ReadError, WriteError};
pub use reader::LedgerReader;
pub use session::{Cell, Row, Session, Statement, Transaction};

/// The format this build reads and writes. A ledger of any other format is refused, in both directions.
pub const FORMAT: u32 = 1;
