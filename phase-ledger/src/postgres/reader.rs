//! What a gate uses: one connection, made when first asked for and again when it broke.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    DatabaseUrl, LedgerReader, ReadError, Reading,
    decode::Whose,
    postgres::{connect, look},
    url::Target,
};

/// How long one read may take, waiting for the connection and making it included.
const PATIENCE: Duration = Duration::from_secs(4);

/// Reads the ledger of a PostgreSQL database. Reads queue for one connection: each costs a fraction of a millisecond,
/// and a gate with a thousand questions must not open a thousand sessions.
pub struct PostgresReader {
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
}

impl std::fmt::Debug for PostgresReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresReader").field("host", &self.options.get_host()).finish_non_exhaustive()
    }
}

impl PostgresReader {
    /// A reader of this database; `None` when it is of another engine. Connects when first asked.
    pub fn new(url: &DatabaseUrl) -> Option<Self> {
        match url.target() {
            Target::Postgres(options) => {
                Some(Self { options: PgConnectOptions::clone(options), connection: Mutex::new(None) })
            }
            Target::Sqlite(_) => None,
        }
    }

    async fn read_now(&self) -> Result<Reading, ReadError> {
        let mut slot = self.connection.lock().await;
        // Taken out, so that a read given up half-way leaves no half-read connection behind.
        if let Some(mut connection) = slot.take() {
            match look::read(&mut connection, Whose::Gate).await {
                // The server may have restarted since: once more on a new connection.
                Err(ReadError::Unreachable { .. }) => {}
                answer => {
                    *slot = Some(connection);
                    return answer;
                }
            }
        }
        let mut connection = connect::gate(&self.options).await?;
        let answer = look::read(&mut connection, Whose::Gate).await;
        if !matches!(answer, Err(ReadError::Unreachable { .. })) {
            *slot = Some(connection);
        }
        answer
    }
}

#[async_trait]
impl LedgerReader for PostgresReader {
    async fn read(&self) -> Result<Reading, ReadError> {
        let late = || ReadError::Unreachable { cause: "no answer within 4 s".into() };
        timeout(PATIENCE, self.read_now()).await.unwrap_or_else(|_| Err(late()))
    }
}
