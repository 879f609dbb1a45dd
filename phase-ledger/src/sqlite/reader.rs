//! What a gate uses: a read-only connection, made when first asked for and again when it broke.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tokio::time::timeout;

use crate::{
    DatabaseUrl, LedgerReader, ReadError, Reading,
    decode::Whose,
    sqlite::{fault, look},
    turn::{Turn, Turns},
    url::Target,
};

/// How long one read may take.
const PATIENCE: Duration = Duration::from_secs(4);
const BUSY: Duration = Duration::from_secs(2);

/// Reads the ledger of an SQLite file. Never makes the file.
pub struct SqliteReader {
    path: PathBuf,
    turns: Turns<Open>,
}

/// A connection, and the file it is to: another file may take the same name, as after a restore.
struct Open {
    connection: SqliteConnection,
    file: (u64, u64),
}

impl std::fmt::Debug for SqliteReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteReader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteReader {
    /// A reader of this file; `None` when the database is of another engine. Opens it when first asked.
    pub fn new(url: &DatabaseUrl) -> Option<Self> {
        match url.target() {
            Target::Sqlite(path) => Some(Self { path: path.clone(), turns: Turns::new() }),
            Target::Postgres(_) | Target::Mysql(_) => None,
        }
    }

    async fn read_now(&self) -> Result<Reading, ReadError> {
        let mut turn = match self.turns.next().await {
            Turn::Answered(reading) => return Ok(reading),
            Turn::Mine(turn) => turn,
        };
        let gone = |cause: std::io::Error| ReadError::Unreachable { cause: Box::new(cause) };
        let metadata = fs::metadata(&self.path).map_err(gone)?;
        let file = (metadata.dev(), metadata.ino());
        let mut open = match turn.take().filter(|open| open.file == file) {
            Some(open) => open,
            None => Open { connection: self.open().await?, file },
        };
        let answer = look::read(&mut open.connection, Whose::Gate).await;
        if !matches!(answer, Err(ReadError::Unreachable { .. })) {
            turn.put_back(open);
        }
        let reading = answer?;
        turn.answer(&reading);
        Ok(reading)
    }

    async fn open(&self) -> Result<SqliteConnection, ReadError> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        SqliteConnection::connect_with(&options).await.map_err(fault::unreachable)
    }
}

#[async_trait]
impl LedgerReader for SqliteReader {
    async fn read(&self) -> Result<Reading, ReadError> {
        let late = || ReadError::Unreachable { cause: "no answer within 4 s".into() };
        timeout(PATIENCE, self.read_now()).await.unwrap_or_else(|_| Err(late()))
    }
}
