//! What a gate may do with a ledger: read it.

use async_trait::async_trait;

use crate::{ReadError, Reading};

/// Reads the ledger of one database, from the primary, in a snapshot that begins after the call.
#[async_trait]
pub trait LedgerReader: Send + Sync {
    /// The ledger as it is now. One round trip, which also proves that the server is the recorded one and no standby.
    ///
    /// # Errors
    /// [`ReadError`]; the caller treats each as a missing fact.
    async fn read(&self) -> Result<Reading, ReadError>;
}
