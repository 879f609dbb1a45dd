//! The demo's app: one process of one version, which writes and reads customers all the time and keeps a journal of
//! what the database acknowledged.
//!
//! v1 knows `full_name` only, v2 knows `first_name` and `last_name` only. Both know `revision`, which every write
//! raises by one: the journals of all processes together say what each revision of each row must be.

use std::{io::Write, path::PathBuf, str::FromStr, time::Duration};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

/// What one process of the app does.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AppArgs {
    /// Which shape it knows.
    #[arg(long)]
    pub(crate) shape: Shape,
    /// The database file.
    #[arg(long)]
    pub(crate) database: PathBuf,
    /// Where it notes what was acknowledged, one JSON object a line.
    #[arg(long)]
    pub(crate) journal: PathBuf,
    /// Seed of its choices.
    #[arg(long)]
    pub(crate) seed: u64,
    /// Pause between two operations, in milliseconds.
    #[arg(long, default_value_t = 4)]
    pub(crate) pause_ms: u64,
}

/// The columns a version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// `full_name`.
    V1,
    /// `first_name` and `last_name`.
    V2,
}

impl Shape {
    /// The word on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// The database acknowledged this write.
    Wrote {
        /// The row.
        id: i64,
        /// The revision it got.
        revision: i64,
        /// The whole name it now has.
        name: String,
    },
    /// The database showed this.
    Read {
        /// The row.
        id: i64,
        /// The revision shown.
        revision: i64,
        /// The whole name shown, or nothing.
        name: Option<String>,
    },
    /// The database refused a statement.
    Failed {
        /// What it said.
        why: String,
    },
}

const FIRST: [&str; 8] = ["Anna", "Ben", "Chloe", "David", "Emma", "Farid", "Grace", "Hugo"];
const LAST: [&str; 8] = ["Smith", "Jones", "Okafor", "Novak", "Silva", "Kim", "Weber", "Rossi"];

/// A name out of 64.
pub(crate) fn name(random: &mut fastrand::Rng) -> (&'static str, &'static str) {
    (random.choice(FIRST).unwrap_or("Anna"), random.choice(LAST).unwrap_or("Smith"))
}

/// Opens the app's connection.
///
/// # Errors
/// When the file is not a database.
pub(crate) async fn connect(path: &std::path::Path) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", path.display()))?
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(true);
    SqliteConnection::connect_with(&options).await.context("open the app's database")
}

/// Works until SIGTERM, or until its parent is gone.
///
/// # Errors
/// When the journal cannot be written; the database's refusals go into the journal.
pub(crate) async fn work(args: AppArgs) -> anyhow::Result<()> {
    let mut journal = std::fs::OpenOptions::new().create(true).append(true).open(&args.journal)?;
    let mut database = connect(&args.database).await?;
    let mut random = fastrand::Rng::with_seed(args.seed);
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let parent = std::os::unix::process::parent_id();
    loop {
        let done = operate(&mut database, args.shape, &mut random).await;
        let entry = done.unwrap_or_else(|why| Entry::Failed { why: why.to_string() });
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        journal.write_all(line.as_bytes())?;
        let pause = Duration::from_millis(random.u64(0..=args.pause_ms * 2));
        tokio::select! {
            _ = terminated.recv() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        if std::os::unix::process::parent_id() != parent {
            return Ok(());
        }
    }
}

/// One read, insert or update, in the version's own words.
async fn operate(database: &mut SqliteConnection, shape: Shape, random: &mut fastrand::Rng) -> sqlx::Result<Entry> {
    let (first, last) = name(random);
    match random.u8(0..10) {
        0 => insert(database, shape, first, last).await,
        1..=4 => update(database, shape, first, last, random).await,
        _ => read(database, shape, random).await,
    }
}

async fn insert(database: &mut SqliteConnection, shape: Shape, first: &str, last: &str) -> sqlx::Result<Entry> {
    let done = match shape {
        Shape::V1 => {
            sqlx::query("INSERT INTO customers (full_name, revision) VALUES (?1, 1)")
                .bind(format!("{first} {last}"))
                .execute(&mut *database)
                .await?
        }
        Shape::V2 => {
            sqlx::query("INSERT INTO customers (first_name, last_name, revision) VALUES (?1, ?2, 1)")
                .bind(first)
                .bind(last)
                .execute(&mut *database)
                .await?
        }
    };
    Ok(Entry::Wrote { id: done.last_insert_rowid(), revision: 1, name: format!("{first} {last}") })
}

async fn update(
    database: &mut SqliteConnection,
    shape: Shape,
    first: &str,
    last: &str,
    random: &mut fastrand::Rng,
) -> sqlx::Result<Entry> {
    let mut transaction = database.begin_with("BEGIN IMMEDIATE").await?;
    let id = some_id(&mut transaction, random).await?;
    let sql = match shape {
        Shape::V1 => "UPDATE customers SET full_name = ?1 || ' ' || ?2, revision = revision + 1 WHERE id = ?3",
        Shape::V2 => "UPDATE customers SET first_name = ?1, last_name = ?2, revision = revision + 1 WHERE id = ?3",
    };
    sqlx::query(sql).bind(first).bind(last).bind(id).execute(&mut *transaction).await?;
    let row = sqlx::query("SELECT revision FROM customers WHERE id = ?1").bind(id).fetch_one(&mut *transaction).await?;
    let revision: i64 = row.try_get(0)?;
    transaction.commit().await?;
    Ok(Entry::Wrote { id, revision, name: format!("{first} {last}") })
}

async fn read(database: &mut SqliteConnection, shape: Shape, random: &mut fastrand::Rng) -> sqlx::Result<Entry> {
    let id = some_id(database, random).await?;
    read_row(database, shape, id).await
}

/// What one row looks like to a version.
///
/// # Errors
/// When the version's columns are not there.
pub(crate) async fn read_row(database: &mut SqliteConnection, shape: Shape, id: i64) -> sqlx::Result<Entry> {
    let sql = match shape {
        Shape::V1 => "SELECT revision, full_name FROM customers WHERE id = ?1",
        Shape::V2 => "SELECT revision, first_name || ' ' || last_name FROM customers WHERE id = ?1",
    };
    let row = sqlx::query(sql).bind(id).fetch_one(&mut *database).await?;
    Ok(Entry::Read { id, revision: row.try_get(0)?, name: row.try_get(1)? })
}

/// Mostly one of twenty rows that everybody fights for, else any row.
async fn some_id(database: &mut SqliteConnection, random: &mut fastrand::Rng) -> sqlx::Result<i64> {
    let row = sqlx::query("SELECT max(id) FROM customers").fetch_one(&mut *database).await?;
    let last: i64 = row.try_get(0)?;
    let reach = if random.u8(0..10) < 6 { last.min(20) } else { last };
    Ok(random.i64(1..=reach.max(1)))
}
