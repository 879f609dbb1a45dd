//! What a gate uses: one connection, made when first asked for and again when it broke.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::MySqlConnection;
use tokio::time::timeout;

use crate::{
    DatabaseUrl, LedgerReader, ReadError, Reading,
    decode::Whose,
    mysql::{Flavour, connect, look},
    turn::{Mine, Turn, Turns},
    url::{MysqlAddress, Target},
};

/// How long one read may take, waiting for the connection and making it included.
const PATIENCE: Duration = Duration::from_secs(4);

/// Reads the ledger of a MariaDB or MySQL database on one connection. Those who wait share an answer.
pub struct MysqlReader {
    address: MysqlAddress,
    whose: Whose,
    turns: Turns<Open>,
}

type Open = (MySqlConnection, Flavour);

impl std::fmt::Debug for MysqlReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MysqlReader").field("host", &self.address.options.get_host()).finish_non_exhaustive()
    }
}

impl MysqlReader {
    /// A reader of this database; `None` when it is of another engine. Connects when first asked.
    pub fn new(url: &DatabaseUrl) -> Option<Self> {
        Self::of(url, Whose::Gate)
    }

    /// A reader of a replica, which shows how far that replica is, and on which server its ledger was written.
    pub fn of_replica(url: &DatabaseUrl) -> Option<Self> {
        Self::of(url, Whose::Copy)
    }

    fn of(url: &DatabaseUrl, whose: Whose) -> Option<Self> {
        match url.target() {
            Target::Mysql(address) => Some(Self { address: MysqlAddress::clone(address), whose, turns: Turns::new() }),
            Target::Postgres(_) | Target::Sqlite(_) => None,
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

    async fn read_in(&self, turn: &mut Mine<'_, Open>) -> Result<Reading, ReadError> {
        if let Some((mut connection, flavour)) = turn.take() {
            match look::read(&mut connection, flavour, self.whose).await {
                // The server may have restarted since: once more on a new connection.
                Err(ReadError::Unreachable { .. }) => {}
                answer => {
                    turn.put_back((connection, flavour));
                    return answer;
                }
            }
        }
        let (mut connection, flavour) = connect::gate(&self.address).await?;
        let answer = look::read(&mut connection, flavour, self.whose).await;
        if !matches!(answer, Err(ReadError::Unreachable { .. })) {
            turn.put_back((connection, flavour));
        }
        answer
    }
}

#[async_trait]
impl LedgerReader for MysqlReader {
    async fn read(&self) -> Result<Reading, ReadError> {
        let late = || ReadError::Unreachable { cause: "no answer within 4 s".into() };
        timeout(PATIENCE, self.read_now()).await.unwrap_or_else(|_| Err(late()))
    }
}
