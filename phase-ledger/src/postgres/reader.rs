//! What a gate uses: one connection, made when first asked for and again when it broke.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::timeout;

use crate::{
    DatabaseUrl, LedgerReader, ReadError, Reading,
    decode::Whose,
    postgres::{connect, look},
    turn::{Mine, Turn, Turns},
    url::Target,
};

/// How long one read may take, waiting for the connection and making it included.
const PATIENCE: Duration = Duration::from_secs(4);

/// Reads the ledger of a PostgreSQL database on one connection: a gate with a thousand questions must not open a thousand
/// sessions. Those who wait share an answer.
pub struct PostgresReader {
    options: PgConnectOptions,
    whose: Whose,
    turns: Turns<PgConnection>,
}

impl std::fmt::Debug for PostgresReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresReader").field("host", &self.options.get_host()).finish_non_exhaustive()
    }
}

impl PostgresReader {
    /// A reader of this database; `None` when it is of another engine. Connects when first asked.
    pub fn new(url: &DatabaseUrl) -> Option<Self> {
        Self::of(url, Whose::Gate)
    }

    /// A reader of a standby, which shows how far that standby is.
    pub fn of_replica(url: &DatabaseUrl) -> Option<Self> {
        Self::of(url, Whose::Replica)
    }

    fn of(url: &DatabaseUrl, whose: Whose) -> Option<Self> {
        match url.target() {
            Target::Postgres(options) => {
                Some(Self { options: PgConnectOptions::clone(options), whose, turns: Turns::new() })
            }
            Target::Mysql(_) | Target::Sqlite(_) => None,
        }
    }

    async fn read_now(&self) -> Result<Reading, ReadError> {
        let mut turn = match self.turns.next().await {
            Turn::Answered(reading) => return Ok(reading),
            Turn::Mine(turn) => turn,
        };
        let reading = self.read_in(&mut turn).await?;
        turn.answer(&reading);
        Ok(reading)
    }

    async fn read_in(&self, turn: &mut Mine<'_, PgConnection>) -> Result<Reading, ReadError> {
        if let Some(mut connection) = turn.take() {
            match look::read(&mut connection, self.whose).await {
                // The server may have restarted since: once more on a new connection.
                Err(ReadError::Unreachable { .. }) => {}
                answer => {
                    turn.put_back(connection);
                    return answer;
                }
            }
        }
        let mut connection = connect::gate(&self.options).await?;
        let answer = look::read(&mut connection, self.whose).await;
        if !matches!(answer, Err(ReadError::Unreachable { .. })) {
            turn.put_back(connection);
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
